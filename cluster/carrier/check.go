package carrier

import (
	"errors"
	"fmt"

	"github.com/asynkron/protoactor-go/remote"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// classes is how many classes of links there are; each has a router, which is all that a node can be sent to.
const classes = 3

// routers are the routers' names, by class.
var routers = [classes]string{"control", "messages", "presence"}

// routerOf returns the number of a class' router.
func routerOf(class nodepb.LinkClass) (int, bool) { return int(class), class >= 0 && class < classes }

// typeName is the only type that is carried.
var typeName = string(proto.MessageName((*nodepb.Frame)(nil)))

var (
	errForm  = errors.New("not a batch of frames")
	errFrame = errors.New("not a frame")
)

// checkGreeting says whether a message is what a node begins with.
func checkGreeting(msg *remote.RemoteMessage) error {
	if msg.GetConnectRequest().GetServerConnection() == nil {
		return errors.New("no greeting")
	}
	return nil
}

// checkBatch says whether a batch is nothing but frames for routers. Of everything that remote would follow, index or look up in it nothing is left
// that could be wrong.
func checkBatch(b *remote.MessageBatch) error {
	if len(b.TypeNames) != 1 || b.TypeNames[0] != typeName {
		return fmt.Errorf("%w: of types %.100q", errForm, b.TypeNames)
	}
	if len(b.Senders) != 0 {
		return fmt.Errorf("%w: with senders", errForm)
	}
	for _, t := range b.Targets {
		if t == nil || t.RequestId != 0 || t.Id != routers[0] && t.Id != routers[1] && t.Id != routers[2] {
			return fmt.Errorf("%w: for %.100q", errForm, t.GetId())
		}
	}
	for _, e := range b.Envelopes {
		switch {
		case e == nil, e.TypeId != 0, e.SerializerId != 0, e.Sender != 0, e.SenderRequestId != 0, e.TargetRequestId != 0, e.MessageHeader != nil:
			return fmt.Errorf("%w: an envelope has more than a frame", errForm)
		case e.Target < 0 || int(e.Target) >= len(b.Targets):
			return fmt.Errorf("%w: an envelope without target", errForm)
		}
	}
	return nil
}

// address is what the carrier looks at in a frame.
type address struct {
	from, to string
	class    nodepb.LinkClass
}

// Numbers of Frame's fields in its address.
const (
	fieldFrom  = 2
	fieldTo    = 3
	fieldClass = 4
)

// addressOf reads a frame's address without decoding the rest. Of a field that comes twice the last counts, as for the decoder.
func addressOf(frame []byte) (a address, err error) {
	var from, to []byte
	for len(frame) > 0 {
		num, typ, n := protowire.ConsumeTag(frame)
		if n < 0 {
			return a, errFrame
		}
		frame = frame[n:]
		switch {
		case num == fieldFrom && typ == protowire.BytesType:
			from, n = protowire.ConsumeBytes(frame)
		case num == fieldTo && typ == protowire.BytesType:
			to, n = protowire.ConsumeBytes(frame)
		case num == fieldClass && typ == protowire.VarintType:
			var v uint64
			v, n = protowire.ConsumeVarint(frame)
			a.class = nodepb.LinkClass(v)
		default:
			n = protowire.ConsumeFieldValue(num, typ, frame)
		}
		if n < 0 {
			return a, errFrame
		}
		frame = frame[n:]
	}
	a.from, a.to = string(from), string(to)
	return a, nil
}
