package mailbox

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/actorstest"
	"github.com/jackdaw-im/jackdaw/proto/chatpb"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// parrot is a service that sends what it takes on to romeo.
type parrot struct {
	mail  *Endpoint
	taken []uint64
}

func (p *parrot) Init(ctx *actors.Context, _ any) error {
	p.mail = NewEndpoint(ctx)
	return nil
}

func (p *parrot) Handle(ctx *actors.Context, msg any) error {
	switch m := msg.(type) {
	case *nodepb.Deliver:
		if p.mail.Take(ctx, m) {
			p.taken = append(p.taken, m.GetSeq())
			p.mail.Send(ctx, romeo, &nodepb.Deliver{Id: m.GetId(), Message: &chatpb.Message{}})
		}
	default:
		if !p.mail.Handle(ctx, msg) {
			return fmt.Errorf("nobody knows %T", msg)
		}
	}
	return nil
}

// Undelivered implements actors.UndeliveredHandler.
func (p *parrot) Undelivered(ctx *actors.Context, u actors.Undelivered) error {
	p.mail.Undelivered(ctx, u)
	return nil
}

// last is the number of the newest message taken.
func (p *parrot) last() uint64 {
	if len(p.taken) == 0 {
		return 0
	}
	return p.taken[len(p.taken)-1]
}

// service is a parrot between two probes: one sender, and romeo's mailbox.
type service struct {
	*actorstest.Kit
	parrot        *parrot
	ref           actors.Ref
	sender, inbox *actorstest.Probe
}

func onService(t *testing.T, test func(s *service)) {
	actorstest.Config{Workers: 1}.Run(t, func(_ *testing.T, k *actorstest.Kit) {
		spec := actors.Spec{Kind: "parrot", New: func() actors.Behaviour { return &parrot{} }}
		s := &service{Kit: k, ref: actors.Ref{Kind: "parrot", ID: "parrot"}}
		k.Start(supervision.Actor("parrot", spec, nil))
		s.sender, s.inbox = k.Probe("sender"), k.ProbeAt(Ref(romeo))
		s.parrot = actorstest.BehaviourOf[*parrot](k, s.ref)
		test(s)
	})
}

// send gives the parrot a message and returns the outcome.
func (s *service) send(seq, base uint64) nodepb.Code {
	s.Cast(s.ref, &nodepb.Deliver{SenderRef: s.sender.Ref().Proto(), Seq: seq, Base: base, Id: fmt.Appendf(nil, "%016d", seq), Message: &chatpb.Message{}})
	o := actorstest.ExpectType[*nodepb.Outcome](s.sender)
	if o.GetSeq() != seq {
		return nodepb.Code_CODE_UNSPECIFIED
	}
	return o.GetCode()
}

func TestEndpointTakesEachOnceAndInOrder(t *testing.T) {
	onService(t, func(s *service) {
		for _, step := range []struct {
			seq, base uint64
			want      nodepb.Code
		}{
			{3, 2, nodepb.Code_GAP}, // a stranger in the middle
			{2, 2, nodepb.Code_OK},
			{3, 2, nodepb.Code_OK},
			{2, 2, nodepb.Code_OK}, // again
			{5, 4, nodepb.Code_GAP},
			{4, 4, nodepb.Code_OK},
			{5, 4, nodepb.Code_OK},
			{9, 9, nodepb.Code_OK}, // those between were given up
		} {
			if code := s.send(step.seq, step.base); code != step.want {
				t.Errorf("%d from %d is answered %v, not %v", step.seq, step.base, code, step.want)
			}
		}
		if !slices.Equal(s.parrot.taken, []uint64{2, 3, 4, 5, 9}) {
			t.Errorf("taken %v", s.parrot.taken)
		}
	})
}

func TestEndpointKeepsWhatItSends(t *testing.T) {
	onService(t, func(s *service) {
		s.send(1, 1)
		first := actorstest.ExpectType[*nodepb.Deliver](s.inbox)
		here := s.ref // of all parrots of that name the one of this node
		here.Node = s.System().Node()
		if here.Node == "" || actors.RefOf(first.GetSenderRef()) != here || first.GetBase() != first.GetSeq() {
			t.Fatalf("sent %v", first)
		}
		s.inbox.Await(ResendTime+time.Second, first)
		s.inbox.Do(func(ctx *actors.Context) {
			_ = ctx.Answer(here, &nodepb.Outcome{From: Ref(romeo).Proto(), Seq: first.GetSeq(), Code: nodepb.Code_OK})
		})
		s.inbox.ExpectNone(time.Minute)
		s.ExpectIdle(s.ref)
	})
}

// TestEndpointUndelivered: what another node has not taken is sent again before it is missed.
func TestEndpointUndelivered(t *testing.T) {
	onService(t, func(s *service) {
		for _, err := range []error{actors.ErrOverloaded, actors.ErrNoConnection} {
			s.send(s.parrot.last()+1, s.parrot.last()+1)
			first := actorstest.ExpectType[*nodepb.Deliver](s.inbox)
			for _, msg := range []any{first, &nodepb.Outcome{}} {
				if err := s.System().Bounce(s.ref, actors.Undelivered{To: Ref(romeo), Msg: msg, Err: err}); err != nil {
					t.Fatal(err)
				}
			}
			s.inbox.Await(time.Second, first)
			s.inbox.Do(func(ctx *actors.Context) {
				_ = ctx.Answer(s.ref, &nodepb.Outcome{From: Ref(romeo).Proto(), Seq: first.GetSeq(), Code: nodepb.Code_OK})
			})
			s.inbox.ExpectNone(time.Minute)
		}
	})
}

func TestEndpointIsBounded(t *testing.T) {
	onService(t, func(s *service) {
		for seq := range uint64(maxUnderway) {
			s.send(seq+1, 1)
		}
		if code := s.send(maxUnderway+1, 1); code != nodepb.Code_LATER {
			t.Errorf("there is always room for one more: %v", code)
		}
		s.Advance(2 * GiveUpTime)
		if code := s.send(maxUnderway+1, maxUnderway+1); code != nodepb.Code_OK {
			t.Errorf("no room even after everything was given up: %v", code)
		}
	})
}
