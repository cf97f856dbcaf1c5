package mailbox

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
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

// listener notes what it hears.
type listener struct {
	mu    sync.Mutex
	heard []any
}

func (l *listener) Init(*actors.Context, any) error { return nil }
func (l *listener) Handle(_ *actors.Context, msg any) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard = append(l.heard, msg)
	return nil
}

func (l *listener) take() []any {
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	heard := l.heard
	l.heard = nil
	return heard
}

// service runs a parrot, one sender, and a mailbox that only listens.
func service(t *testing.T, test func(p *parrot, send func(seq, base uint64), outcomes func() string, mail func() []*nodepb.Deliver, sys *actors.System)) {
	synctest.Test(t, func(t *testing.T) {
		sys := actors.NewSystem(actors.Config{Workers: 1})
		if err := sys.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := sys.Stop(t.Context()); err != nil {
				t.Error(err)
			}
		}()
		p := &parrot{}
		var toSender, toMailbox listener
		kind := func(kind string, b actors.Behaviour) actors.Spec {
			return actors.Spec{Kind: kind, New: func() actors.Behaviour { return b }}
		}
		root, err := supervision.StartRoot(sys, supervision.SupervisorSpec{ID: "root", Children: []supervision.ChildSpec{
			supervision.Actor("parrot", kind("parrot", p), nil), supervision.Actor("sender", kind("sender", &toSender), nil),
			supervision.Actor(romeo, kind(Kind, &toMailbox), nil),
		}})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := root.Stop(t.Context()); err != nil {
				t.Error(err)
			}
		}()
		sender := actors.Ref{Kind: "sender", ID: "sender"}
		test(p, func(seq, base uint64) {
			d := &nodepb.Deliver{SenderRef: sender.Proto(), Seq: seq, Base: base, Id: []byte(fmt.Sprintf("%016d", seq)), Message: &chatpb.Message{}}
			if err := sys.Cast(actors.Ref{Kind: "parrot", ID: "parrot"}, d); err != nil {
				t.Error(err)
			}
			synctest.Wait()
		}, func() string {
			var all []string
			for _, m := range toSender.take() {
				all = append(all, fmt.Sprint(m.(*nodepb.Outcome).GetSeq(), "=", m.(*nodepb.Outcome).GetCode()))
			}
			return strings.Join(all, " ")
		}, func() (all []*nodepb.Deliver) {
			for _, m := range toMailbox.take() {
				all = append(all, m.(*nodepb.Deliver))
			}
			return all
		}, sys)
	})
}

func TestEndpointTakesEachOnceAndInOrder(t *testing.T) {
	service(t, func(p *parrot, send func(seq, base uint64), outcomes func() string, _ func() []*nodepb.Deliver, _ *actors.System) {
		for _, step := range []struct {
			seq, base uint64
			want      string
		}{
			{3, 2, "3=GAP"}, // a stranger in the middle
			{2, 2, "2=OK"},
			{3, 2, "3=OK"},
			{2, 2, "2=OK"}, // again
			{5, 4, "5=GAP"},
			{4, 4, "4=OK"},
			{5, 4, "5=OK"},
			{9, 9, "9=OK"}, // those between were given up
		} {
			if send(step.seq, step.base); outcomes() != step.want {
				t.Errorf("%d from %d is not answered %s", step.seq, step.base, step.want)
			}
		}
		if !slices.Equal(p.taken, []uint64{2, 3, 4, 5, 9}) {
			t.Errorf("taken %v", p.taken)
		}
	})
}

func TestEndpointKeepsWhatItSends(t *testing.T) {
	service(t, func(p *parrot, send func(seq, base uint64), _ func() string, mail func() []*nodepb.Deliver, sys *actors.System) {
		send(1, 1)
		first := mail()
		if len(first) != 1 || actors.RefOf(first[0].GetSenderRef()).Kind != "parrot" || first[0].GetBase() != first[0].GetSeq() {
			t.Fatalf("sent %v", first)
		}
		time.Sleep(ResendTime + time.Second)
		if again := mail(); len(again) != 1 || again[0].GetSeq() != first[0].GetSeq() {
			t.Fatalf("sent again: %v", again)
		}
		if err := sys.Answer(actors.Ref{Kind: "parrot", ID: "parrot"}, &nodepb.Outcome{From: Ref(romeo).Proto(), Seq: first[0].GetSeq(), Code: nodepb.Code_OK}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if more := mail(); len(more) != 0 || p.mail.outbox.Len() != 0 {
			t.Fatalf("after its outcome: %v", more)
		}
	})
}

func TestEndpointIsBounded(t *testing.T) {
	service(t, func(p *parrot, send func(seq, base uint64), outcomes func() string, mail func() []*nodepb.Deliver, _ *actors.System) {
		for seq := range uint64(maxUnderway) {
			send(seq+1, 1)
		}
		outcomes()
		if send(maxUnderway+1, 1); outcomes() != fmt.Sprint(maxUnderway+1, "=LATER") {
			t.Error("there is always room for one more")
		}
		time.Sleep(2 * GiveUpTime)
		mail()
		if send(maxUnderway+1, maxUnderway+1); outcomes() != fmt.Sprint(maxUnderway+1, "=OK") {
			t.Error("no room even after everything was given up")
		}
	})
}
