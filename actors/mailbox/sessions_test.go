package mailbox

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackdaw-im/jackdaw/actors/lane"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

const plenty = 1 << 20

func TestOnlineRound(t *testing.T) {
	r := newRig(t)
	r.attach("pc", 1, 0, plenty)
	r.send("a")
	r.want("pc<a") // in parallel with the commit
	r.commit(lane.Stored)
	r.want("juliet1:1=OK")
	r.ack("pc", 1, 0, "a")
	r.want("delete a")
	r.check()
	if len(r.st.rows.byID) != 0 || len(r.rows) != 0 {
		t.Error("the row is still there")
	}
}

// TestAckBeforeCommit: the device was faster than the disk.
func TestAckBeforeCommit(t *testing.T) {
	for _, result := range []lane.Result{lane.Stored, lane.Full} {
		r := newRig(t)
		r.attach("pc", 1, 0, plenty)
		r.send("a")
		r.ack("pc", 1, 0, "a")
		r.want("pc<a, delete a")
		r.commit(result)
		r.want("juliet1:1=OK")
		r.check()
	}
}

func TestOffline(t *testing.T) {
	r := newRig(t)
	r.send("a", "b", "c")
	r.commitAll()
	r.want("juliet1:1=OK, juliet1:2=OK, juliet1:3=OK")
	r.attachAs(&nodepb.Attach{Session: sessionRef("pc").Proto(), Resource: "pc", Epoch: 1, Connected: true, Credit: plenty})
	r.want("") // bound, but not available
	r.attach("pc", 1, -1, plenty)
	r.want("")
	r.attach("pc", 1, 0, plenty)
	if len(r.reads) != 1 || len(r.reads[0].ids) != 3 {
		t.Fatalf("reads %v", r.reads)
	}
	r.send("d")
	r.want("") // after those before it
	r.answerRead()
	r.want("pc<a delayed, pc<b delayed, pc<c delayed, pc<d")
	r.check()
}

func TestLiveMessageWaitsForRoomWithoutDelay(t *testing.T) {
	r := newRig(t)
	r.attach("pc", 1, 0, 1)
	r.send("a", "b")
	r.want("pc<a") // one may overdraw the credit
	r.commitAll()
	r.took()
	r.ack("pc", 1, 1000)
	r.want("pc<b")
	if len(r.reads) != 0 {
		t.Error("read what is in memory")
	}
	r.check()
}

// TestPages: a full mailbox is read in pages within the credit.
func TestPages(t *testing.T) {
	r := newRig(t)
	const n, size = 300, 2000
	cost := 0
	for i := range n {
		d := r.chat(fmt.Sprintf("m%03d", i))
		d.Message.Payload = []byte(strings.Repeat("x", size))
		r.deliver(d)
		cost = r.st.rows.byID[ident.MessageID(d.Id)].cost()
	}
	r.commitAll()
	r.took()
	r.attach("pc", 1, 0, uint32(10*cost))
	if len(r.reads) != 1 || len(r.reads[0].ids) != 10 {
		t.Fatalf("asked for %d bodies", len(r.reads[0].ids))
	}
	r.answerRead()
	if got := strings.Count(r.took(), "pc<"); got != 10 || len(r.reads) != 0 {
		t.Fatalf("%d were pushed, %d reads", got, len(r.reads))
	}
	r.ack("pc", 1, plenty)
	pushed := 0
	for len(r.reads) > 0 {
		if got := len(r.reads[0].ids); got > pageRows || got*cost > pageBytes+cost {
			t.Fatalf("a page of %d rows", got)
		}
		r.answerRead()
		r.check()
		if r.st.kept > 0 {
			t.Fatalf("%d bytes are kept", r.st.kept)
		}
		pushed += strings.Count(r.took(), "pc<")
	}
	if pushed != n-10 {
		t.Fatalf("%d were pushed", pushed)
	}
}

func TestSlowSessionKeepsLittleInMemory(t *testing.T) {
	r := newRig(t)
	r.attach("pc", 1, 0, 1)
	for i := range 300 {
		d := r.chat(fmt.Sprint("m", i))
		d.Message.Payload = []byte(strings.Repeat("x", 2000))
		r.deliver(d)
	}
	if r.st.kept > maxKept+3000 {
		t.Errorf("%d bytes are kept", r.st.kept)
	}
	r.commitAll()
	r.took()
	r.ack("pc", 1, plenty)
	for len(r.reads) > 0 {
		r.answerRead()
	}
	if got := strings.Count(r.took(), "pc<"); got != 299 {
		t.Errorf("%d were pushed", got)
	}
	r.check()
}

func TestPartialAckAndDetach(t *testing.T) {
	r := newRig(t)
	r.attach("pc", 1, 0, plenty)
	r.attach("phone", 1, -1, plenty)
	r.send("a", "b", "c")
	r.commitAll()
	r.took()
	r.ack("pc", 1, 0, "b")
	r.detach("pc")
	r.want("delete b")
	r.attach("phone", 1, 0, plenty)
	r.answerReads()
	r.want("phone<a delayed, phone<c delayed")
	r.check()
}

// TestLostSocket: its rows go to the others at once, in order and before what comes next.
func TestLostSocket(t *testing.T) {
	r := newRig(t)
	r.attach("pc", 1, 5, plenty)
	r.attach("phone", 1, 0, plenty)
	r.send("a", "b")
	r.want("pc<a, pc<b")
	r.attachAs(&nodepb.Attach{Session: sessionRef("pc").Proto(), Resource: "pc", Epoch: 2, Available: true, Priority: 5, Credit: plenty})
	r.send("c")
	r.commitAll()
	r.answerReads()
	r.want("juliet1:1=OK, juliet1:2=OK, juliet1:3=OK, phone<a delayed, phone<b delayed, phone<c")
	r.attach("pc", 3, 5, plenty)
	r.want("") // the phone has them
	r.ack("pc", 2, 0, "a")
	r.want("delete a") // and yet the pc had it too: what a device has, it has
	r.ack("phone", 1, 0, "a", "b")
	r.want("delete b")
	r.check()
}

// TestAllOfTheHighest: each gets it; the first acknowledgement deletes it, the others' do nothing.
func TestAllOfTheHighest(t *testing.T) {
	r := newRig(t)
	r.attach("pc", 1, 1, plenty)
	r.attach("phone", 1, 1, plenty)
	r.send("a")
	r.want("pc<a, phone<a")
	r.detach("pc")
	r.want("") // the phone has it
	r.commitAll()
	r.ack("phone", 1, 0, "a")
	r.ack("phone", 1, 0, "a")
	r.want("juliet1:1=OK, delete a")
	r.check()
}

func TestSlowOneOfTwoGetsItsCopyAfterTheAck(t *testing.T) {
	r := newRig(t)
	r.attach("pc", 1, 1, plenty)
	r.attach("phone", 1, 1, 1)
	r.send("a", "b", "c")
	r.want("pc<a, phone<a, pc<b, pc<c")
	r.commitAll()
	r.ack("pc", 1, 0, "a", "b", "c")
	r.took()
	r.ack("phone", 1, plenty)
	r.want("phone<b, phone<c")
	r.ack("phone", 1, 0, "b", "c")
	r.want("")
	r.check()
}

// TestNewEpoch: what was under way in the old one goes to the same session again.
func TestNewEpoch(t *testing.T) {
	r := newRig(t)
	r.attach("pc", 1, 0, plenty)
	r.attach("phone", 1, 0, plenty)
	r.detach("phone")
	r.send("a", "b")
	r.commitAll()
	r.took()
	r.ack("pc", 1, 0, "a")
	r.took()
	r.attach("phone", 1, 7, plenty)
	r.attach("pc", 2, 0, plenty)
	r.answerReads()
	r.want("phone<b delayed, pc<b delayed")
	r.attach("pc", 1, 0, plenty) // old news
	r.ack("pc", 1, 5000)         // credit of an old epoch
	r.check()
	if s := r.st.session(sessionRef("pc")); s.credit > plenty {
		t.Error("an old epoch's credit counts")
	}
}

func TestSameEpochKeepsCredit(t *testing.T) {
	r := newRig(t)
	r.attach("pc", 1, 0, 1000)
	r.send("a")
	before := r.st.sessions[0].credit
	r.attach("pc", 1, 3, 1000)
	if r.st.sessions[0].credit != before || before >= 1000 {
		t.Errorf("credit %d, was %d", r.st.sessions[0].credit, before)
	}
}

// TestWhoComesLater: a session that comes has all that isn't acknowledged and that it would have had, had it been there before: what was for its
// resource, and what was for the user or for somebody who isn't there; not what is for another who is.
func TestWhoComesLater(t *testing.T) {
	r := newRig(t)
	r.attach("pc", 1, 0, plenty)
	for _, to := range []string{"", "phone", "gone", "pc"} {
		d := r.chat("to " + to)
		d.Resource = to
		r.deliver(d)
	}
	r.want("pc<to , pc<to phone, pc<to gone, pc<to pc")
	r.commitAll()
	r.took()
	r.attach("phone", 1, 0, plenty)
	r.answerReads()
	r.want("phone<to  delayed, phone<to phone delayed, phone<to gone delayed")
	r.attach("phone", 1, 0, plenty) // again, which changes nothing
	r.want("")
	r.attach("tablet", 1, -1, plenty)
	r.want("")
	r.check()
}

// TestOneIsSlow: what a slow session is still to get isn't kept in memory for it, though another one has read all of it.
func TestOneIsSlow(t *testing.T) {
	r := newRig(t)
	for i := range 100 {
		r.send(fmt.Sprintf("%d %s", i, strings.Repeat("x", 4000)))
	}
	r.commitAll()
	r.attach("slow", 1, 0, 1)
	r.attach("quick", 1, 0, 1<<20)
	for range 20 {
		r.answerReads()
		if r.st.kept > maxKept+pageBytes+8000 {
			t.Fatalf("%d bytes are kept", r.st.kept)
		}
	}
	if s := r.st.session(sessionRef("quick")); len(s.todo) != 0 {
		t.Fatalf("the other is to get %d", len(s.todo))
	}
	r.check()
}

// TestBecomesUnavailable: what it wasn't given yet goes to another; what it was given stays with it, too, until one has acknowledged it.
func TestBecomesUnavailable(t *testing.T) {
	r := newRig(t)
	r.attach("pc", 1, 5, 1)
	r.attach("phone", 1, 0, plenty)
	r.send("a", "b")
	mine := r.chat("c")
	mine.Resource = "pc"
	r.deliver(mine)
	r.want("pc<a")
	r.commitAll()
	r.took()
	r.attach("pc", 1, -1, 1)
	r.answerReads()
	r.want("phone<a delayed, phone<b delayed")
	r.ack("pc", 1, 1000)
	r.want("pc<c")
	r.check()
}

func TestSessionQueueFull(t *testing.T) {
	r := newRig(t)
	r.attach("pc", 1, 0, plenty)
	r.refuse["pc"] = true
	r.send("a", "b")
	r.want("")
	r.refuse["pc"] = false
	r.pass(laneRetry)
	r.want("pc<a, pc<b")
	if got, want := r.st.sessions[0].credit, int64(plenty-2*r.st.rows.order[0].cost()); got != want {
		t.Errorf("credit %d, want %d", got, want)
	}
	r.check()
}

// TestAttachesByTwoWays: of two that come in the wrong order, as they may while a mailbox moves, the newer one counts; but whom the
// older one replaces is gone.
func TestAttachesByTwoWays(t *testing.T) {
	r := newRig(t)
	r.attach("before", 1, 0, plenty)
	attach := func(number uint64, available bool, replaces *nodepb.Ref) {
		r.attachAs(&nodepb.Attach{Session: sessionRef("pc").Proto(), Resource: "pc", Epoch: 1, Connected: true, Available: available, Credit: plenty, Number: number, Replaces: replaces})
	}
	attach(2, true, nil)
	attach(1, false, sessionRef("before").Proto())
	if len(r.st.sessions) != 1 || !r.st.sessions[0].available {
		t.Fatalf("%d sessions, the first available: %v", len(r.st.sessions), r.st.sessions[0].available)
	}
	r.send("a")
	r.commit(lane.Stored)
	r.want("pc<a, juliet1:1=OK")
	attach(3, false, nil)
	if r.st.sessions[0].available {
		t.Error("a newer one doesn't count")
	}
	attach(0, true, nil) // who doesn't count them tells what is
	if !r.st.sessions[0].available {
		t.Error("one without a number doesn't count")
	}
	r.check()
}
