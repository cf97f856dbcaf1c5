package mailbox

import (
	"fmt"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/lane"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/store"
)

// retire asks once.
func (r *rig) retire() (done bool) {
	r.do(func(fx *effects) { done = r.st.retire(fx) })
	return done
}

func (r *rig) flushed() {
	r.Helper()
	if len(r.flushes) == 0 {
		r.Fatalf("nobody has asked for a flush")
	}
	tag := r.flushes[0]
	r.flushes = r.flushes[1:]
	r.do(func(*effects) { r.st.flushedNow(&lane.Flushed{Tag: tag}) })
}

func (r *rig) wantRetired(want bool) {
	r.Helper()
	if r.retire() != want {
		r.Fatalf("retired %v, %d pending, handoff %+v", !want, len(r.st.pending), r.st.handoff)
	}
}

// handOver writes down what the next owner gets, and what senders are told.
func (r *rig) handOver() string {
	r.st.handOver(func(to actors.Ref, m *nodepb.Outcome) { r.note(send{to: to, msg: m}) }, func(m any) {
		text := fmt.Sprintf("left %T", m)
		if d, ok := m.(*nodepb.Deliver); ok {
			text = fmt.Sprintf("left %s", d.GetMessage().GetPayload())
		}
		r.log = append(r.log, text)
	})
	return r.took()
}

// TestRetire: what is under way has its outcome here, what it has pushed is nobody's any more, and what comes is left.
func TestRetire(t *testing.T) {
	r := newRig(t)
	r.attach("pc", 1, 0, plenty)
	r.send("a", "b")
	r.commit(lane.Stored)
	r.want("pc<a, pc<b, juliet1:1=OK")
	r.wantRetired(false)
	if len(r.st.sessions) != 0 || r.st.rows.unheld != 2 {
		t.Error("sessions still have something")
	}
	r.deliver(deliver("a", 1)) // again: its outcome is known
	r.deliver(deliver("b", 2)) // again: it will be
	r.send("c")
	r.attachAs(&nodepb.Attach{Session: sessionRef("phone").Proto()})
	r.ack("pc", 1, 0, "a")
	r.want("juliet1:1=OK, delete a")
	if len(r.flushes) > 0 {
		t.Error("flushed while an append is under way")
	}
	r.commit(lane.Stored)
	r.want("juliet1:2=OK")
	r.wantRetired(false)
	r.ack("pc", 1, 0, "b") // the flush doesn't cover it
	r.flushed()
	r.wantRetired(false)
	r.flushed()
	r.wantRetired(true)
	r.took()
	if got := r.handOver(); got != "left c, left *nodepb.Attach" {
		t.Errorf("left %s", got)
	}
	if len(r.rows) != 0 {
		t.Errorf("%d rows", len(r.rows))
	}
}

// TestRetireInTime: who hears of no outcome before the mailbox has to go sends again, to the next owner.
func TestRetireInTime(t *testing.T) {
	r := newRig(t)
	r.send("a", "b")
	r.wantRetired(false)
	r.send("c")
	if got := r.handOver(); got != "juliet1:0=GAP, left c" {
		t.Errorf("%s", got)
	}
}

// TestRetireUnready: a mailbox that hasn't loaded has nothing to finish; what waits for the load waits for the next owner.
func TestRetireUnready(t *testing.T) {
	r := newRig(t)
	r.begin(r.st.cfg)
	r.send("a")
	r.ack("pc", 1, 0, "z")
	r.reload(1)
	r.wantRetired(true)
	r.load(store.MailboxInfo{Exists: true})
	r.send("b")
	r.ack("pc", 1, 0, "y")
	if got := r.handOver(); got != "left a, left *nodepb.Ack, left b, left *nodepb.Ack" {
		t.Errorf("left %s", got)
	}
}

// TestRetireWithoutRoom: a lane that is full puts the end off, and so does what it has had no room for before.
func TestRetireWithoutRoom(t *testing.T) {
	r := newRig(t)
	r.attach("pc", 1, 0, plenty)
	r.send("a")
	r.commitAll()
	r.noRoom = true
	r.ack("pc", 1, 0, "a")
	r.do(func(fx *effects) { r.st.message(fx, &nodepb.MailboxChange{What: nodepb.MailboxChange_REMOVED}) })
	r.wantRetired(false)
	r.pass(time.Second)
	r.wantRetired(false)
	r.noRoom = false
	r.pass(time.Second)
	r.wantRetired(false)
	if r.purges != 1 || len(r.flushes) != 1 {
		t.Errorf("%d purges, %d flushes", r.purges, len(r.flushes))
	}
	r.do(func(fx *effects) {
		if r.st.lost(fx, r.flushes[0]) {
			t.Error("a lost flush ends the mailbox")
		}
	})
	r.flushes = nil
	r.wantRetired(false)
	r.flushed()
	r.wantRetired(true)
}

// TestRetireWhileExpiring: telling senders of expired messages is begun again elsewhere.
func TestRetireWhileExpiring(t *testing.T) {
	r := newRig(t)
	r.send("a", "b")
	r.commitAll()
	ids := [][]byte{r.st.rows.order[0].ID[:], r.st.rows.order[1].ID[:]}
	r.do(func(fx *effects) { r.st.message(fx, &nodepb.Expired{Ids: ids[:1]}) })
	r.answerReads()
	r.took()
	r.wantRetired(false)
	r.do(func(fx *effects) { r.st.message(fx, &nodepb.Expired{Ids: ids[1:]}) })
	r.do(func(fx *effects) {
		r.st.told(fx, &nodepb.Outcome{From: Ref(juliet).Proto(), Seq: 1, Code: nodepb.Code_OK})
	})
	r.pass(time.Minute)
	r.flushed()
	r.wantRetired(true)
	r.want("")
	if len(r.reads) > 0 || len(r.rows) != 2 || r.handOver() != "" {
		t.Error("it goes on telling")
	}
}

// TestCrashWhileRetiring: whoever waits hears of it.
func TestCrashWhileRetiring(t *testing.T) {
	r := newRig(t)
	r.send("a")
	r.wantRetired(false)
	other := deliver("b", 1)
	other.SenderRef = sessionRef("tybalt").Proto()
	r.deliver(other)
	var told []string
	r.st.crashed(func(to actors.Ref, m *nodepb.Outcome) { told = append(told, fmt.Sprint(to.ID, m.Code)) })
	if fmt.Sprint(told) != "[tybaltGAP juliet1GAP]" {
		t.Errorf("told %v", told)
	}
}
