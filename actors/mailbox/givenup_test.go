package mailbox

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/store"
)

// TestGivenUp: a node stands still, others give it up and take messages for its mailboxes, and it goes on. What a sender sends to it then comes after
// what the others took of that sender, though nobody has told the mailbox yet.
func TestGivenUp(t *testing.T) {
	r := newRig(t)
	r.attach("pc", 1, 0, plenty)
	r.send("a")
	r.commitAll()
	r.want("pc<a, juliet1:1=OK")
	r.foreign("b", t0.Add(time.Second))
	r.now = t0.Add(2 * time.Second)
	r.givenUp++
	r.send("c")
	r.send("d")
	if r.again != 1 || len(r.appends) > 0 {
		t.Fatalf("%d loads, %d appends", r.again, len(r.appends))
	}
	r.want("")
	r.loaded(r.read())
	r.answerReads()
	r.commitAll()
	r.want("pc<b delayed, pc<c, pc<d, juliet1:2=OK, juliet1:3=OK")
	r.send("e")
	r.commitAll()
	r.want("pc<e, juliet1:4=OK")
	if r.again != 1 {
		t.Errorf("%d loads", r.again)
	}
	r.check()
}

// TestGivenUpTwice: what was asked for before the node was given up once more says nothing about that time, and no more does what is asked for in vain.
func TestGivenUpTwice(t *testing.T) {
	r := newRig(t)
	r.reload(1)
	early := r.read()
	r.givenUp++
	r.foreign("a", t0)
	r.now = t0.Add(time.Second)
	r.send("b")
	want := func(loads int, queue string) {
		t.Helper()
		if r.again != loads {
			t.Fatalf("%d loads", r.again)
		}
		r.wantQueue(queue)
	}
	want(1, "")
	r.loaded(early)
	want(2, "")
	second := r.read()
	r.givenUp++
	r.foreign("c", t0.Add(time.Second/2))
	r.loaded(second)
	want(3, "a")
	bad := r.read()
	bad.Err = errors.New("no connection")
	r.loaded(bad)
	want(3, "a")
	r.pass(loadRetry)
	want(4, "a")
	r.loaded(r.read())
	want(4, "acb")
}

// TestGivenUpWhileItLoads: a mailbox that has only begun to load asks once more, if the load may be too old; one that begins afterwards does not.
func TestGivenUpWhileItLoads(t *testing.T) {
	r := newRig(t)
	r.begin(r.st.cfg)
	r.send("a")
	r.givenUp++
	r.load(store.MailboxInfo{Exists: true})
	if r.again != 1 || len(r.appends) > 0 {
		t.Fatalf("%d loads, %d appends", r.again, len(r.appends))
	}
	r.loaded(r.read())
	r.wantQueue("a")
	r.begin(r.st.cfg)
	r.again = 0
	r.load(store.MailboxInfo{Exists: true})
	r.send("b")
	if r.again != 0 {
		t.Errorf("%d loads", r.again)
	}
}

// TestGivenUpAndMuchComes: what waits for the load is bounded, as at the beginning, and goes on to the next owner if the mailbox has to leave.
func TestGivenUpAndMuchComes(t *testing.T) {
	r := newRig(t)
	r.givenUp++
	for i := range maxStash {
		r.deliver(deliver("x", uint64(i+1)))
	}
	r.want("")
	r.deliver(deliver("y", maxStash+1))
	r.want(fmt.Sprintf("juliet1:%d=LATER", maxStash+1))
	if r.st.mayPassivate(r.now) {
		t.Error("it passivates while messages wait")
	}
	late := r.read()
	r.do(func(fx *effects) { r.st.retire(fx) })
	forwarded := 0
	r.st.handOver(func(actors.Ref, *nodepb.Outcome) {}, func(any) { forwarded++ })
	if forwarded != maxStash {
		t.Errorf("%d forwarded", forwarded)
	}
	r.loaded(late)
	r.wantQueue("")
}

// TestGivenUpAndAcknowledged: what a session has is not given to another because messages wait, and what it says next doesn't overtake that.
func TestGivenUpAndAcknowledged(t *testing.T) {
	r := newRig(t)
	r.st.cfg.Held = DefaultHeld
	r.attach("pc", 1, 0, plenty)
	r.send("a")
	r.commitAll()
	r.want("pc<a, juliet1:1=OK")
	r.givenUp++
	r.send("b")
	r.ack("pc", 1, 0, "a")
	r.want("delete a")
	r.do(func(fx *effects) { r.st.visit(fx, &nodepb.Detach{Session: sessionRef("pc").Proto()}) })
	r.attach("phone", 1, 0, plenty)
	r.loaded(r.read())
	r.commitAll()
	r.want("phone<b, juliet1:2=OK")
	r.check()
}

// TestGivenUpAndLeaves: a message that was settled here, and comes once more while the mailbox isn't sure, isn't the next owner's.
func TestGivenUpAndLeaves(t *testing.T) {
	r := newRig(t)
	r.attach("pc", 1, 0, plenty)
	r.send("a")
	r.commitAll()
	r.ack("pc", 1, 0, "a")
	r.took()
	r.givenUp++
	r.deliver(deliver("a", 1))
	r.deliver(deliver("b", 2))
	r.want("")
	r.do(func(fx *effects) { r.st.retire(fx) })
	r.want("juliet1:1=OK")
	if len(r.st.handoff.left) != 1 {
		t.Errorf("left %v", r.st.handoff.left)
	}
}

// TestGivenUpAndAcknowledgedElsewhere: what a session was given by another node, and acknowledges here before it was read, isn't given out again, nor
// is what its sender has sent here once more.
func TestGivenUpAndAcknowledgedElsewhere(t *testing.T) {
	r := newRig(t)
	r.attach("pc", 1, 0, plenty)
	r.givenUp++
	r.foreign("a", t0)
	r.foreign("b", t0)
	r.send("a", "c")
	old := r.read()
	r.ack("pc", 1, 0, "a", "b")
	r.want("delete a, delete b")
	r.loaded(old)
	r.commitAll()
	r.want("juliet1:1=OK, pc<c, juliet1:2=OK")
	r.wantQueue("c")
}

// TestGivenUpAndAcknowledgedAtOnce: so it is with what is acknowledged before anything has told this mailbox to read. What a session says again
// isn't deleted again.
func TestGivenUpAndAcknowledgedAtOnce(t *testing.T) {
	r := newRig(t)
	r.attach("pc", 1, 0, plenty)
	r.foreign("a", t0)
	r.ack("pc", 1, 0, "a")
	r.want("") // so that it isn't known here
	r.givenUp++
	r.ack("pc", 1, 0, "a")
	r.ack("pc", 1, 0, "a")
	r.want("delete a")
	r.send("b")
	r.ack("pc", 1, 0, "a")
	r.loaded(r.read())
	r.commitAll()
	r.want("pc<b, juliet1:1=OK")
	r.wantQueue("b")
}

// TestAcknowledgedBeforeItIsStored: the other node gives a session what it is still storing. What was acknowledged here by then is deleted once it is
// there.
func TestAcknowledgedBeforeItIsStored(t *testing.T) {
	r := newRig(t)
	r.attach("pc", 1, 0, plenty)
	r.givenUp++
	r.ack("pc", 1, 0, "a")
	r.want("delete a") // which finds nothing
	r.send("b")
	r.loaded(r.read())
	r.commitAll()
	r.want("pc<b, juliet1:1=OK")
	r.foreign("a", t0)
	r.givenUp++
	r.send("c")
	r.loaded(r.read())
	r.commitAll()
	r.want("pc<c, delete a, juliet1:2=OK")
	r.wantQueue("bc")
}
