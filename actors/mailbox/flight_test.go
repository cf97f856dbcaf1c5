package mailbox

import (
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/proto/chatpb"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// away is a session of romeo's on another node, as its own node's queue lets it be: full or not.
type away struct {
	r      *rig
	ref    actors.Ref
	epoch  uint64
	taken  uint64 // the number of the newest push that it has taken
	got    string
	owed   uint32
	full   bool
	behind []*nodepb.Push // refused there, and not back yet
}

func newAway(r *rig) *away {
	a := &away{r: r, ref: actors.Ref{Kind: "session", ID: "far", Node: "m@1"}}
	r.seen = func(to actors.Ref, msg any) {
		m, ok := msg.(*nodepb.Push)
		switch {
		case !ok || to != a.ref || m.Epoch != a.epoch:
		case a.full:
			a.behind = append(a.behind, m)
		case m.After == a.taken:
			a.taken = m.Number
			for _, row := range m.Rows {
				a.got += string(row.Message.Payload)
				a.owed += row.Cost
			}
		}
	}
	a.attach(plenty)
	return a
}

func (a *away) attach(credit uint32) {
	a.epoch++
	a.taken = 0
	a.r.attachAs(&nodepb.Attach{Session: a.ref.Proto(), Resource: "far", Epoch: a.epoch, Connected: true, Available: true, Credit: credit})
}

// back brings the oldest refused push back.
func (a *away) back(err error) {
	m := a.behind[0]
	a.behind = a.behind[1:]
	a.r.do(func(fx *effects) { a.r.st.undelivered(fx, actors.Undelivered{To: a.ref, Msg: m, Err: err}) })
}

func (a *away) ack(letters ...string) {
	m := &nodepb.Ack{Session: a.ref.Proto(), Epoch: a.epoch, Credit: a.owed, Pushed: a.taken}
	a.owed = 0
	for _, l := range letters {
		x := id(l[0])
		m.Ids = append(m.Ids, x[:])
	}
	a.r.do(func(fx *effects) { a.r.st.message(fx, m) })
}

func id(letter byte) (m [16]byte) {
	m[0] = letter
	return m
}

func (a *away) want(got string) {
	a.r.Helper()
	if a.got != got {
		a.r.Fatalf("got %s, want %s", a.got, got)
	}
	a.got = ""
	a.r.check()
}

func (a *away) session() *attachment { return a.r.st.session(a.ref) }

// TestPushedAgain: what another node had no room for comes again, in order, though it had room for what came after it.
func TestPushedAgain(t *testing.T) {
	r := newRig(t)
	a := newAway(r)
	r.send("a")
	a.full = true
	r.send("b", "c")
	a.full = false
	r.send("d") // overtakes them, and is not taken
	a.want("a")
	a.back(actors.ErrOverloaded)
	r.send("e")
	a.want("")
	r.pass(laneRetry)
	a.want("bcde")
	a.back(actors.ErrOverloaded) // c, which has come again already
	r.pass(time.Second)
	a.want("")
	if credit := a.session().credit; credit+int64(a.owed) != plenty {
		t.Errorf("credit %d, owed %d", credit, a.owed)
	}
	a.ack("a", "b", "c", "d", "e")
	if s := a.session(); s.credit != plenty || s.flight != nil || s.holds != 0 {
		t.Errorf("credit %d, %d pushes in flight, holds %d", s.credit, len(s.flight), s.holds)
	}
}

// TestPushedAgainToTwo: what another session has acknowledged meanwhile needn't come again.
func TestPushedAgainToTwo(t *testing.T) {
	r := newRig(t)
	a := newAway(r)
	r.attach("pc", 1, 0, plenty)
	a.full = true
	r.send("a", "b")
	a.full = false
	r.commitAll()
	r.ack("pc", 1, 0, "a")
	a.back(actors.ErrOverloaded)
	r.pass(time.Second)
	a.want("b")
	if credit := a.session().credit; credit+int64(a.owed) != plenty || r.st.cfg.Counters.Missed.Load() != 1 {
		t.Errorf("credit %d, owed %d", credit, a.owed)
	}
}

// TestPushedAgainTransient: what is no row comes again as well.
func TestPushedAgainTransient(t *testing.T) {
	r := newRig(t)
	a := newAway(r)
	d := r.chat("a")
	d.Message.Type = chatpb.MessageType_HEADLINE
	a.full = true
	r.deliver(d)
	a.full = false
	a.back(actors.ErrOverloaded)
	r.pass(time.Second)
	a.want("a")
}

// TestPushLost: a session that isn't there, or not to be reached, has nothing any more; one that began anew since does.
func TestPushLost(t *testing.T) {
	for _, err := range []error{actors.ErrNoConnection, actors.ErrNoProc} {
		r := newRig(t)
		a := newAway(r)
		a.full = true
		r.send("a", "b")
		a.full = false
		r.commitAll()
		a.attach(plenty)
		r.answerReads()
		a.want("ab")
		a.back(err) // of the epoch before
		if a.session() == nil {
			t.Fatal("a session that has begun anew is forgotten")
		}
		a.full = true
		r.send("c")
		a.behind = a.behind[1:]
		a.back(err)
		if a.session() != nil || r.st.rows.unheld != 3 {
			t.Errorf("after %v: %d rows wait", err, r.st.rows.unheld)
		}
		r.check()
	}
}

// TestFullLinkKeepsNumbers: a push that was refused at once was never sent, and is missed by nobody.
func TestFullLinkKeepsNumbers(t *testing.T) {
	r := newRig(t)
	a := newAway(r)
	r.send("a")
	r.refuse["far"] = true
	r.send("b")
	r.refuse["far"] = false
	r.pass(time.Second)
	r.send("c")
	a.want("abc")
}

// TestNumbersOfTwoMailboxes: a mailbox that has moved may know a session by an Attach that was sent on, of the epoch in which it was pushed to by the
// mailbox before. The session takes nothing of such a one until it attaches there itself: not the second without the first.
func TestNumbersOfTwoMailboxes(t *testing.T) {
	before := newAway(newRig(t))
	before.r.send("a")
	before.want("a")
	r := newRig(t)
	r.st.numbers += 1000
	a := newAway(r)
	a.taken = before.taken
	r.send("b")
	r.send("c")
	a.want("")
	r.commitAll()
	a.attach(plenty)
	r.answerReads()
	a.want("bc")
}

// TestOthersUndelivered: an iq that reached nobody is answered; an error about an expired message is tried again.
func TestOthersUndelivered(t *testing.T) {
	for err, want := range map[error]string{actors.ErrOverloaded: "resource-constraint", actors.ErrNoProc: "service-unavailable",
		actors.ErrNoConnection: "remote-server-timeout"} {
		r := newRig(t)
		var failed string
		r.seen = func(to actors.Ref, msg any) {
			if m, ok := msg.(*nodepb.Relay); ok && to == Ref(juliet) && m.Resource == "pc" && m.Tag == 0 {
				failed += string(m.Stanza)
			}
		}
		for _, tag := range []uint64{0, 3} {
			m := &nodepb.Relay{SenderRef: julietRef.Proto(), Tag: tag, Resource: "far", Stanza: []byte(question)}
			r.do(func(fx *effects) { r.st.undelivered(fx, actors.Undelivered{To: sessionRef("far"), Msg: m, Err: err}) })
		}
		const head = "<iq type='error' id='v' from='romeo@example.org/pc' to='juliet@example.org/pc'><error type='"
		if strings.Count(failed, "<iq ") != 1 || !strings.HasPrefix(failed, head) || !strings.Contains(failed, want) || !strings.HasSuffix(failed, "</error></iq>") {
			t.Errorf("%v: %s", err, failed)
		}
		d := &nodepb.Deliver{SenderRef: Ref(romeo).Proto(), Message: &chatpb.Message{}}
		bounce := func() {
			r.do(func(fx *effects) { r.st.undelivered(fx, actors.Undelivered{To: Ref(juliet), Msg: d, Err: err}) })
		}
		bounce() // of an earlier life
		r.st.expiry.outbox = NewOutbox(0)
		if !r.st.expiry.outbox.Send(r.now, Ref(juliet), d) {
			t.Fatal("not cast")
		}
		bounce()
		if next := r.st.nextTick(); next.After(r.now.Add(time.Second)) {
			t.Errorf("%v: it is tried again at %v", err, next)
		}
	}
}
