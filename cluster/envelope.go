package cluster

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// envelope is nodepb.Envelope. It is written and read by hand, as there is one for every message between nodes: the test compares it
// with the generated code.
type envelope struct {
	how       nodepb.Envelope_How
	to, from  actors.Ref
	ref       uint64
	hops      uint32
	typ       uint32
	body      []byte // of a received one
	msg       proto.Message
	reason    actors.Reason
	fault     nodepb.Fault
	faultText string
	more      []actors.Ref
	origin    ident.NodeID
	via       ident.NodeID // who sent it here last; isn't sent
	// shared is the message of one that came for several actors, who all get the same; isn't sent, either.
	shared proto.Message
}

// The numbers of nodepb.Envelope's fields.
const (
	fieldHow = iota + 1
	fieldTo
	fieldFrom
	fieldRef
	fieldHops
	_ // reserved
	fieldType
	fieldBody
	fieldReason
	fieldFault
	fieldFaultText
	fieldMore
	fieldOrigin
)

var errEnvelope = errors.New("cluster: an envelope that can't be read")

func sizeRef(r actors.Ref) int {
	return sizeString(r.Kind) + sizeString(r.ID) + sizeString(string(r.Node))
}

// sizeString is that of a string field with a number below 16.
func sizeString(s string) int {
	if s == "" {
		return 0
	}
	return 1 + protowire.SizeBytes(len(s))
}

func appendRef(b []byte, field protowire.Number, r actors.Ref) []byte {
	if r.IsZero() {
		return b
	}
	b = protowire.AppendTag(b, field, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(sizeRef(r)))
	b = appendString(b, 1, r.Kind)
	b = appendString(b, 2, r.ID)
	return appendString(b, 3, string(r.Node))
}

func appendString(b []byte, field protowire.Number, s string) []byte {
	if s == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), s)
}

func appendUint(b []byte, field protowire.Number, v uint64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
}

// encode writes e with its message as the body.
func (e *envelope) encode() ([]byte, error) {
	bodySize := len(e.body)
	if e.msg != nil {
		bodySize = proto.Size(e.msg)
	}
	b := make([]byte, 0, 64+len(e.to.ID)+len(e.to.Kind)+sizeRef(e.from)+bodySize+len(e.faultText)+32*len(e.more))
	b = appendUint(b, fieldHow, uint64(e.how))
	b = appendRef(b, fieldTo, e.to)
	b = appendRef(b, fieldFrom, e.from)
	b = appendUint(b, fieldRef, e.ref)
	b = appendUint(b, fieldHops, uint64(e.hops))
	if e.typ != 0 {
		b = protowire.AppendFixed32(protowire.AppendTag(b, fieldType, protowire.Fixed32Type), e.typ)
	}
	switch {
	case e.msg != nil && bodySize > 0:
		b = protowire.AppendVarint(protowire.AppendTag(b, fieldBody, protowire.BytesType), uint64(bodySize))
		var err error
		if b, err = (proto.MarshalOptions{UseCachedSize: true}).MarshalAppend(b, e.msg); err != nil {
			return nil, fmt.Errorf("cluster: a %T for another node: %w", e.msg, err)
		}
	case bodySize > 0:
		b = protowire.AppendBytes(protowire.AppendTag(b, fieldBody, protowire.BytesType), e.body)
	}
	if e.reason != actors.Normal {
		text := ""
		if e.reason.Err != nil {
			text = e.reason.Err.Error()
		}
		n := sizeString(text)
		if e.reason.Code != 0 {
			n += 1 + protowire.SizeVarint(uint64(e.reason.Code))
		}
		b = protowire.AppendVarint(protowire.AppendTag(b, fieldReason, protowire.BytesType), uint64(n))
		b = appendUint(b, 1, uint64(e.reason.Code))
		b = appendString(b, 2, text)
	}
	b = appendUint(b, fieldFault, uint64(e.fault))
	b = appendString(b, fieldFaultText, e.faultText)
	for _, r := range e.more {
		b = appendRef(b, fieldMore, r)
	}
	return appendString(b, fieldOrigin, string(e.origin)), nil
}

// decode reads an envelope. Its body is a part of b. Fields that it doesn't know it passes over.
func (e *envelope) decode(b []byte) error {
	for len(b) > 0 {
		field, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return errEnvelope
		}
		b = b[n:]
		switch typ {
		case protowire.VarintType:
			v, n := protowire.ConsumeVarint(b)
			if n < 0 {
				return errEnvelope
			}
			b = b[n:]
			e.number(field, v)
		case protowire.BytesType:
			v, n := protowire.ConsumeBytes(b)
			if n < 0 {
				return errEnvelope
			}
			b = b[n:]
			if err := e.bytes(field, v); err != nil {
				return err
			}
		case protowire.Fixed32Type:
			v, n := protowire.ConsumeFixed32(b)
			if n < 0 {
				return errEnvelope
			}
			b = b[n:]
			if field == fieldType {
				e.typ = v
			}
		default:
			n := protowire.ConsumeFieldValue(field, typ, b)
			if n < 0 {
				return errEnvelope
			}
			b = b[n:]
		}
	}
	return nil
}

func (e *envelope) number(field protowire.Number, v uint64) {
	switch field {
	case fieldHow:
		e.how = nodepb.Envelope_How(v)
	case fieldRef:
		e.ref = v
	case fieldHops:
		e.hops = uint32(v)
	case fieldFault:
		e.fault = nodepb.Fault(v)
	}
}

func (e *envelope) bytes(field protowire.Number, v []byte) (err error) {
	switch field {
	case fieldTo:
		e.to, err = decodeRef(v)
	case fieldFrom:
		e.from, err = decodeRef(v)
	case fieldBody:
		e.body = v
	case fieldReason:
		var r nodepb.Reason
		if err = proto.Unmarshal(v, &r); err == nil {
			e.reason = actors.Reason{Code: actors.Code(r.Code)}
			if e.reason.Code == actors.CodeCrashed {
				e.reason.Err = errors.New(r.Text)
			}
		}
	case fieldFaultText:
		e.faultText = string(v)
	case fieldMore:
		var r actors.Ref
		if r, err = decodeRef(v); err == nil {
			e.more = append(e.more, r)
		}
	case fieldOrigin:
		e.origin = ident.NodeID(v)
	}
	return err
}

func decodeRef(b []byte) (r actors.Ref, err error) {
	for len(b) > 0 {
		field, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return r, errEnvelope
		}
		b = b[n:]
		if typ != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(field, typ, b); n < 0 {
				return r, errEnvelope
			}
			b = b[n:]
			continue
		}
		v, n := protowire.ConsumeBytes(b)
		if n < 0 {
			return r, errEnvelope
		}
		b = b[n:]
		switch field {
		case 1:
			r.Kind = kindOf(v)
		case 2:
			r.ID = string(v)
		case 3:
			r.Node = ident.NodeID(v)
		}
	}
	return r, nil
}

// kindOf is string(b), without making one for the kinds there are most of.
func kindOf(b []byte) string {
	switch string(b) {
	case "mailbox":
		return "mailbox"
	case "session":
		return "session"
	case "account":
		return "account"
	}
	return string(b)
}

// faultOf is what an error is on the way to another node.
func faultOf(err error) (nodepb.Fault, string) {
	for f, e := range faults {
		if errors.Is(err, e) {
			return f, ""
		}
	}
	return nodepb.Fault_OTHER, err.Error()
}

// error is the error that the envelope brings; nil if it brings none.
func (e *envelope) error() error {
	if e.fault == nodepb.Fault_NO_FAULT {
		return nil
	}
	if err := faults[e.fault]; err != nil {
		return err
	}
	return errors.New(e.faultText)
}

var faults = map[nodepb.Fault]error{
	nodepb.Fault_OVERLOADED:    actors.ErrOverloaded,
	nodepb.Fault_NO_PROC:       actors.ErrNoProc,
	nodepb.Fault_TIMEOUT:       actors.ErrTimeout,
	nodepb.Fault_CRASHED:       actors.ErrCrashed,
	nodepb.Fault_NO_CALL:       actors.ErrNoCall,
	nodepb.Fault_NO_CONNECTION: actors.ErrNoConnection,
}
