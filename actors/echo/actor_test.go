package echo

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/actorstest"
	"github.com/jackdaw-im/jackdaw/actors/mailbox"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// rig is an echo between two probes: alice's session, which hears outcomes, and her mailbox, which answers with codes in turn.
type rig struct {
	*actorstest.Kit
	session, mailbox *actorstest.Probe

	mu    sync.Mutex
	codes []nodepb.Code // what the mailbox answers next; then OK. UNSPECIFIED: nothing
	last  uint64        // number of the last message to the mailbox
}

func run(t *testing.T, f func(r *rig)) {
	actorstest.Config{Node: "n@1"}.Run(t, func(_ *testing.T, k *actorstest.Kit) {
		k.Start(Spec("example.org"))
		r := &rig{Kit: k, session: k.ProbeAt(phone), mailbox: k.ProbeAt(mailbox.Ref("alice@example.org"))}
		r.mailbox.OnMessage(func(ctx *actors.Context, msg any) error {
			d := msg.(*nodepb.Deliver)
			code := r.next(d)
			if code == nodepb.Code_CODE_UNSPECIFIED {
				return nil
			}
			return ctx.Answer(actors.RefOf(d.GetSenderRef()), &nodepb.Outcome{From: ctx.Self().Proto(), Seq: d.GetSeq(), Code: code})
		})
		f(r)
	})
}

// next is what the mailbox answers to a message.
func (r *rig) next(d *nodepb.Deliver) nodepb.Code {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = d.GetSeq()
	if len(r.codes) == 0 {
		return nodepb.Code_OK
	}
	code := r.codes[0]
	r.codes = r.codes[1:]
	return code
}

// send casts one message to the echo.
func (r *rig) send(seq, base uint64, text string) {
	d := message(seq, base, "<body>"+text+"</body>")
	d.Id = slices.Concat(d.Id[:15], []byte{byte(seq)})
	r.Cast(Ref(), d)
}

// outcome is what the session hears of a message.
func outcome(seq uint64, code nodepb.Code) *nodepb.Outcome {
	return &nodepb.Outcome{From: Ref().Proto(), Seq: seq, Code: code}
}

// echoed is what the mailbox gets.
func echoed(text string) actorstest.Matcher {
	return actorstest.Match("says "+text, func(d *nodepb.Deliver) bool {
		return string(d.GetMessage().GetPayload()) == "<body>"+text+"</body>"
	})
}

func TestEchoAnswers(t *testing.T) {
	run(t, func(r *rig) {
		if Address("example.org") != ident.UserID("echo@example.org") {
			t.Fatal("it lives elsewhere")
		}
		r.send(1, 1, "one")
		r.send(1, 1, "one")
		r.send(3, 2, "three")
		r.send(2, 2, "two")
		r.send(3, 2, "three")
		r.Cast(Ref(), message(4, 4, "<active xmlns='http://jabber.org/protocol/chatstates'/>"))
		r.session.Expect(outcome(1, nodepb.Code_OK), outcome(1, nodepb.Code_OK), outcome(3, nodepb.Code_GAP),
			outcome(2, nodepb.Code_OK), outcome(3, nodepb.Code_OK), outcome(4, nodepb.Code_OK))
		r.mailbox.Expect(echoed("one"), echoed("two"), echoed("three"))
		r.session.ExpectNone(0)
		r.mailbox.ExpectNone(0)
	})
}

func TestEchoKeepsItsAnswers(t *testing.T) {
	run(t, func(r *rig) {
		r.codes = []nodepb.Code{nodepb.Code_LATER, nodepb.Code_CODE_UNSPECIFIED, nodepb.Code_GAP}
		r.send(1, 1, "one")
		r.session.Expect(outcome(1, nodepb.Code_OK))
		r.mailbox.Expect(echoed("one"))
		r.Advance(time.Second)
		r.mailbox.Expect(echoed("one")) // after LATER; this one is not answered
		r.Advance(mailbox.ResendTime + time.Second)
		r.mailbox.Expect(echoed("one"), echoed("one")) // GAP, and at last OK
		r.mailbox.ExpectNone(2 * mailbox.GiveUpTime)
		r.session.ExpectNone(0)
	})
}

func TestEchoGivesUp(t *testing.T) {
	run(t, func(r *rig) {
		r.codes = slices.Repeat([]nodepb.Code{nodepb.Code_CODE_UNSPECIFIED}, 100)
		r.send(1, 1, "one")
		r.Advance(2 * mailbox.GiveUpTime)
		if n := len(r.mailbox.Waiting()); n < 2 || n > 20 {
			t.Fatalf("tried %d times", n)
		}
		r.mailbox.Skip()
		r.mailbox.ExpectNone(10 * time.Minute)
		r.codes = nil
		r.send(2, 2, "two")
		r.mailbox.Expect(echoed("two"))
		r.session.Expect(outcome(1, nodepb.Code_OK), outcome(2, nodepb.Code_OK))
	})
}

func TestEchoLivesAgain(t *testing.T) {
	run(t, func(r *rig) {
		r.codes = []nodepb.Code{nodepb.Code_CODE_UNSPECIFIED}
		r.send(1, 1, "one")
		r.mailbox.Expect(echoed("one"))
		first := r.last
		r.Advance(time.Second)
		r.CrashNext(Ref(), errors.New("on purpose"))
		r.Cast(Ref(), "on which it crashes")
		r.ExpectRestarts(Ref(), 1, actorstest.TreeID)
		r.send(3, 2, "three")
		r.send(2, 2, "two")
		r.session.Expect(outcome(1, nodepb.Code_OK), outcome(3, nodepb.Code_GAP), outcome(2, nodepb.Code_OK))
		r.mailbox.Expect(echoed("two"))
		if r.last <= first {
			t.Fatalf("its numbers went from %d to %d", first, r.last)
		}
	})
}
