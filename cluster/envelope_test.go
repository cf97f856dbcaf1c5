package cluster

import (
	"errors"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/chatpb"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

func drawRef(t *rapid.T) actors.Ref {
	s := rapid.SampledFrom([]string{"", "mailbox", "session", "x", "anna@example.org"})
	return actors.Ref{Kind: s.Draw(t, "kind"), ID: s.Draw(t, "id"), Node: ident.NodeID(s.Draw(t, "node"))}
}

func protoRef(r actors.Ref) *nodepb.Ref {
	if r.IsZero() {
		return nil
	}
	return r.Proto()
}

// TestEnvelopeIsItsDefinition: what is written by hand is what the generated code reads, and the other way round.
func TestEnvelopeIsItsDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := envelope{
			how: nodepb.Envelope_How(rapid.IntRange(0, 200).Draw(t, "how")), to: drawRef(t), from: drawRef(t), ref: rapid.Uint64().Draw(t, "ref"),
			hops: uint32(rapid.IntRange(0, 300).Draw(t, "hops")), typ: rapid.Uint32().Draw(t, "type"),
			fault: nodepb.Fault(rapid.IntRange(0, 7).Draw(t, "fault")), faultText: rapid.StringN(0, 20, 40).Draw(t, "text"), origin: "a@1",
		}
		want := &nodepb.Envelope{How: e.how, To: protoRef(e.to), From: protoRef(e.from), Ref: e.ref, Hops: e.hops, Type: e.typ,
			Fault: e.fault, FaultText: e.faultText, Origin: string(e.origin)}
		if rapid.Bool().Draw(t, "crashed") {
			e.reason = actors.Crashed(errors.New("on purpose"))
			want.Reason = &nodepb.Reason{Code: uint32(actors.CodeCrashed), Text: "on purpose"}
		}
		for range rapid.IntRange(0, 3).Draw(t, "more") {
			r := actors.Ref{Kind: "mailbox", ID: "b"}
			e.more, want.More = append(e.more, r), append(want.More, r.Proto())
		}
		m := &nodepb.Deliver{Seq: 7, Message: &chatpb.Message{Payload: rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "payload")}}
		e.msg = m
		want.Body, _ = proto.Marshal(m)
		b, err := e.encode()
		if err != nil {
			t.Fatal(err)
		}
		var got nodepb.Envelope
		if err := proto.Unmarshal(b, &got); err != nil || !proto.Equal(&got, want) {
			t.Fatalf("%v: got %v\nwant %v", err, &got, want)
		}
		b, _ = proto.Marshal(want)
		var back envelope
		if err := back.decode(b); err != nil {
			t.Fatal(err)
		}
		back.msg = nil
		again, _ := back.encode()
		var third nodepb.Envelope
		if err := proto.Unmarshal(again, &third); err != nil || !proto.Equal(&third, want) {
			t.Fatalf("%v: got %v\nwant %v", err, &third, want)
		}
	})
}

// FuzzEnvelope: nothing that another node sends makes this one crash, and what can be read can be written and read again.
func FuzzEnvelope(f *testing.F) {
	e := envelope{how: nodepb.Envelope_CAST, to: actors.Ref{Kind: "mailbox", ID: "a"}, from: actors.Ref{Kind: "session", ID: "b", Node: "n@1"}, typ: 3, body: []byte("x"),
		reason: actors.Crashed(errors.New("x")), more: []actors.Ref{{Kind: "k", ID: "i"}}}
	b, _ := e.encode()
	f.Add(b)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		var e envelope
		if e.decode(b) != nil {
			return
		}
		again, err := e.encode()
		if err != nil {
			t.Fatal(err)
		}
		var back envelope
		if err := back.decode(again); err != nil || back.to != e.to || back.from != e.from || string(back.body) != string(e.body) || back.how != e.how {
			t.Fatalf("%v: %+v, was %+v", err, back, e)
		}
	})
}

func TestFaultsKeepTheirMeaning(t *testing.T) {
	for _, err := range []error{actors.ErrOverloaded, actors.ErrNoProc, actors.ErrTimeout, actors.ErrCrashed, actors.ErrNoCall, actors.ErrNoConnection} {
		e := envelope{}
		e.fault, e.faultText = faultOf(err)
		if e.error() != err {
			t.Errorf("%v became %v", err, e.error())
		}
	}
	e := envelope{}
	if e.error() != nil {
		t.Error("no fault is no error")
	}
	if e.fault, e.faultText = faultOf(errors.New("own")); e.error().Error() != "own" {
		t.Errorf("got %v", e.error())
	}
}

func TestBodies(t *testing.T) {
	b, err := newBodies()
	if err != nil {
		t.Fatal(err)
	}
	if m, ok := b.make(b.number(&nodepb.Deliver{})).(*nodepb.Deliver); !ok || m == nil {
		t.Error("a Deliver isn't known by its number")
	}
	if b.make(12345) != nil {
		t.Error("a number that nobody has")
	}
	if n := typeNumber("jackdaw.node.v1.Deliver"); n != 0x1503ab9 {
		t.Errorf("the number of Deliver has become %#x: nodes of two versions wouldn't understand each other", n)
	}
}
