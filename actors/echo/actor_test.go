package echo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/mailbox"
	"github.com/jackdaw-im/jackdaw/actors/sys"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// rig is an echo, one session that notes outcomes, and mailboxes that note messages and answer with codes in turn.
type rig struct {
	t   *testing.T
	sys *actors.System

	mu    sync.Mutex
	codes []nodepb.Code // what mailboxes answer next; then OK. UNSPECIFIED: nothing
	heard []string
	last  uint64 // number of the last message to a mailbox
}

// mortal is an echo that can be made to crash.
type mortal struct{ echo }

func (m *mortal) Handle(ctx *actors.Context, msg any) error {
	if msg == "crash" {
		return errors.New("on purpose")
	}
	return m.echo.Handle(ctx, msg)
}

type peer struct{ r *rig }

func (p *peer) Init(*actors.Context, any) error { return nil }

func (p *peer) Handle(ctx *actors.Context, msg any) error {
	p.r.mu.Lock()
	defer p.r.mu.Unlock()
	switch m := msg.(type) {
	case *nodepb.Outcome:
		p.r.heard = append(p.r.heard, fmt.Sprintf("%d %v", m.GetSeq(), m.GetCode()))
	case *nodepb.Deliver:
		p.r.heard = append(p.r.heard, fmt.Sprintf("%s: %s", ctx.Self().ID, m.GetMessage().GetPayload()))
		p.r.last = m.GetSeq()
		code := nodepb.Code_OK
		if len(p.r.codes) > 0 {
			code, p.r.codes = p.r.codes[0], p.r.codes[1:]
		}
		if code != nodepb.Code_CODE_UNSPECIFIED {
			return ctx.Answer(actors.RefOf(m.GetSenderRef()), &nodepb.Outcome{From: ctx.Self().Proto(), Seq: m.GetSeq(), Code: code})
		}
	}
	return nil
}

func run(t *testing.T, f func(r *rig)) {
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, sys: actors.NewSystem(actors.Config{Workers: 2, Node: "n@1"})}
		if err := r.sys.Start(); err != nil {
			t.Fatal(err)
		}
		newPeer := func() actors.Behaviour { return &peer{r} }
		mailboxes := supervision.NewDynamic(r.sys, supervision.DynamicSpec{ID: "mailboxes", Partitions: 1, Entities: true,
			Child: actors.Spec{Kind: mailbox.Kind, New: newPeer}})
		sessions := supervision.NewDynamic(r.sys, supervision.DynamicSpec{ID: "sessions", Partitions: 1,
			Child: actors.Spec{Kind: "session", New: newPeer}})
		echo := Spec("example.org")
		echo.Spec.New = func() actors.Behaviour { return new(mortal) }
		root, err := supervision.StartRoot(r.sys, supervision.SupervisorSpec{ID: "root",
			Children: []supervision.ChildSpec{mailboxes.Child(), sessions.Child(), echo}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sessions.StartChild(phone.ID, nil); err != nil {
			t.Fatal(err)
		}
		f(r)
		if err := errors.Join(root.Stop(context.Background()), r.sys.Stop(context.Background())); err != nil {
			t.Error(err)
		}
	})
}

// send casts one message to the echo.
func (r *rig) send(seq, base uint64, text string) {
	r.t.Helper()
	d := message(seq, base, "<body>"+text+"</body>")
	d.Id = slices.Concat(d.Id[:15], []byte{byte(seq)})
	if err := r.sys.Cast(Ref(), d); err != nil {
		r.t.Fatal(err)
	}
	synctest.Wait()
}

// want compares, without order, what was heard since the last time.
func (r *rig) want(lines ...string) {
	r.t.Helper()
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	slices.Sort(r.heard)
	slices.Sort(lines)
	if !slices.Equal(r.heard, lines) {
		r.t.Fatalf("heard %q, want %q", r.heard, lines)
	}
	r.heard = nil
}

func TestEchoAnswers(t *testing.T) {
	run(t, func(r *rig) {
		if Address("example.org") != ident.UserID("echo@example.org") {
			t.Fatal("it lives elsewhere")
		}
		r.send(1, 1, "one")
		r.want("1 OK", "alice@example.org: <body>one</body>")
		r.send(1, 1, "one")
		r.want("1 OK")
		r.send(3, 2, "three")
		r.want("3 GAP")
		r.send(2, 2, "two")
		r.send(3, 2, "three")
		r.want("2 OK", "3 OK", "alice@example.org: <body>two</body>", "alice@example.org: <body>three</body>")
		if err := r.sys.Cast(Ref(), message(4, 4, "<active xmlns='http://jabber.org/protocol/chatstates'/>")); err != nil {
			t.Fatal(err)
		}
		r.want("4 OK")
	})
}

func TestEchoKeepsItsAnswers(t *testing.T) {
	run(t, func(r *rig) {
		r.codes = []nodepb.Code{nodepb.Code_LATER, nodepb.Code_CODE_UNSPECIFIED, nodepb.Code_GAP}
		r.send(1, 1, "one")
		r.want("1 OK", "alice@example.org: <body>one</body>")
		time.Sleep(time.Second)
		r.want("alice@example.org: <body>one</body>") // after LATER; this one is not answered
		time.Sleep(mailbox.ResendTime + time.Second)
		r.want("alice@example.org: <body>one</body>", "alice@example.org: <body>one</body>") // GAP, and at last OK
		time.Sleep(2 * mailbox.GiveUpTime)
		r.want()
	})
}

func TestEchoGivesUp(t *testing.T) {
	run(t, func(r *rig) {
		r.codes = slices.Repeat([]nodepb.Code{nodepb.Code_CODE_UNSPECIFIED}, 100)
		r.send(1, 1, "one")
		time.Sleep(2 * mailbox.GiveUpTime)
		r.mu.Lock()
		n := len(r.heard)
		r.heard, r.codes = nil, nil
		r.mu.Unlock()
		if n < 3 || n > 20 {
			t.Fatalf("tried %d times", n-1)
		}
		time.Sleep(time.Hour)
		r.want()
		r.send(2, 2, "two")
		r.want("2 OK", "alice@example.org: <body>two</body>")
	})
}

func TestEchoLivesAgain(t *testing.T) {
	run(t, func(r *rig) {
		r.codes = []nodepb.Code{nodepb.Code_CODE_UNSPECIFIED}
		r.send(1, 1, "one")
		r.want("1 OK", "alice@example.org: <body>one</body>")
		first := r.last
		time.Sleep(time.Second)
		if err := r.sys.Cast(Ref(), "crash"); err != nil {
			t.Fatal(err)
		}
		r.send(3, 2, "three")
		r.want("3 GAP")
		r.send(2, 2, "two")
		r.want("2 OK", "alice@example.org: <body>two</body>")
		if r.last <= first {
			t.Fatalf("its numbers went from %d to %d", first, r.last)
		}
	})
}

func TestEchoShowsNobody(t *testing.T) {
	run(t, func(r *rig) {
		r.codes = []nodepb.Code{nodepb.Code_CODE_UNSPECIFIED}
		r.send(1, 1, "one")
		r.want("1 OK", "alice@example.org: <body>one</body>")
		doc, err := sys.GetState(r.t.Context(), r.sys, Ref(), "the tests")
		if err != nil || string(doc) != `{"senders":1,"underway":1}` {
			t.Errorf("it shows %s, %v", doc, err)
		}
	})
}
