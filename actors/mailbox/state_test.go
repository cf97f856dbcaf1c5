package mailbox

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/lane"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/store"
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
	r.want("pc<b")
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

// TestBecomesUnavailable: what it wasn't given yet goes to another, what it was given stays with it.
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
	r.want("phone<b delayed")
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

func TestDuplicates(t *testing.T) {
	r := newRig(t)
	r.send("a")
	other := deliver("a", 1)
	other.SenderRef = sessionRef("juliet2").Proto()
	r.deliver(other) // a row on its way
	r.want("")
	r.commit(lane.Stored)
	r.want("juliet1:1=OK, juliet2:1=OK")
	r.send("a") // a row
	r.want("juliet1:2=OK")
	r.attach("pc", 1, 0, plenty)
	r.answerReads()
	r.ack("pc", 1, 0, "a")
	r.took()
	r.send("a") // acknowledged
	r.want("juliet1:3=OK")
	r.now = r.now.Add(keptTime + 2*time.Second)
	r.send("a") // forgotten
	r.want("pc<a")
	if r.st.cfg.Counters.Duplicates.Load() != 3 {
		t.Error("duplicates aren't counted")
	}
	r.check()
}

func TestRecentIDs(t *testing.T) {
	var k recent
	for i := range keptIDs + 10 {
		k.add(ident.MessageID{byte(i), byte(i >> 8)}, t0)
	}
	if len(k.queue) != keptIDs || len(k.at) != keptIDs || k.has(ident.MessageID{9}, t0) || !k.has(ident.MessageID{10}, t0) {
		t.Errorf("%d ids are kept", len(k.queue))
	}
	if k.forget(t0.Add(keptTime)) {
		t.Error("forgotten too early")
	}
	if !k.forget(t0.Add(keptTime+2*time.Second)) || k.at != nil {
		t.Error("not forgotten")
	}
}

func TestNumbers(t *testing.T) {
	r := newRig(t)
	r.send("a")
	r.deliver(deliver("c", 3))
	r.want("juliet1:3=GAP")
	r.deliver(deliver("a", 1)) // waits with the first
	r.want("")
	r.commit(lane.Stored)
	r.deliver(deliver("a", 1))
	r.want("juliet1:1=OK, juliet1:1=OK")
	d := deliver("b", 2)
	d.Store = false
	r.deliver(d) // chat states and such: nobody is there
	r.deliver(deliver("c", 3))
	r.commit(lane.Stored)
	r.deliver(d)
	r.want("juliet1:2=DROPPED, juliet1:3=OK, juliet1:2=DROPPED")
	e := deliver("g", 7)
	e.Base = 7 // 4, 5 and 6 were given up
	r.deliver(e)
	r.commit(lane.Stored)
	r.want("juliet1:7=OK")
}

func TestUnknownSenderBeginsAtItsBase(t *testing.T) {
	r := newRig(t)
	d := deliver("b", 12)
	d.Base = 11
	r.deliver(d)
	r.want("juliet1:12=GAP")
	d = deliver("a", 11)
	d.Base = 11
	r.deliver(d)
	r.commit(lane.Stored)
	r.want("juliet1:11=OK")
	r.now = r.now.Add(senderTime)
	r.st.senders.sweep(r.now)
	if r.st.senders.m != nil {
		t.Error("the sender is remembered for ever")
	}
}

func TestManySendersAreSwept(t *testing.T) {
	r := newRig(t)
	for i := range 1000 {
		d := deliver("x", 1)
		d.SenderRef, d.Store = sessionRef(fmt.Sprint("s", i)).Proto(), false
		r.deliver(d)
		r.now = r.now.Add(time.Second)
	}
	if n := len(r.st.senders.m); n > 200 {
		t.Errorf("%d senders are remembered", n)
	}
}

func TestNonsense(t *testing.T) {
	for name, change := range map[string]func(d *nodepb.Deliver){
		"short id":      func(d *nodepb.Deliver) { d.Id = d.Id[:15] },
		"no number":     func(d *nodepb.Deliver) { d.Seq, d.Base = 0, 0 },
		"base too high": func(d *nodepb.Deliver) { d.Base = d.Seq + 1 },
		"no message":    func(d *nodepb.Deliver) { d.Message = nil },
		"not utf-8":     func(d *nodepb.Deliver) { d.Message.Id = "\xff" },
	} {
		r := newRig(t)
		d := r.chat("a")
		change(d)
		r.deliver(d)
		if got := r.took(); !strings.HasSuffix(got, "=BAD_REQUEST") {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestLaneFull(t *testing.T) {
	r := newRig(t)
	r.attach("pc", 1, 0, plenty)
	r.noRoom = true
	r.send("a", "b")
	r.want("juliet1:1=LATER, juliet1:2=GAP") // and nobody has seen anything
	r.noRoom = false
	r.deliver(deliver("a", 1))
	r.noRoom = true
	r.ack("pc", 1, 0, "a")
	r.want("pc<a") // the acknowledgement waits
	r.noRoom = false
	r.commit(lane.Stored)
	r.want("juliet1:1=OK")
	r.pass(laneRetry)
	r.want("delete a")
	r.check()
}

func TestReadRefused(t *testing.T) {
	r := newRig(t)
	r.send("a")
	r.commitAll()
	r.took()
	r.noRoom = true
	r.attach("pc", 1, 0, plenty)
	r.noRoom = false
	r.pass(laneRetry)
	r.answerReads()
	r.want("pc<a delayed")
}

// TestStoreFull: the sender is refused; until the store takes messages again nobody is shown one before it is stored.
func TestStoreFull(t *testing.T) {
	r := newRig(t)
	r.attach("pc", 1, 0, plenty)
	r.send("a", "b")
	r.want("pc<a, pc<b")
	r.commit(lane.Full)
	r.want("juliet1:1=STORE_FULL")
	r.send("c")
	r.want("")
	r.commit(lane.Full)
	r.commit(lane.Full)
	r.want("juliet1:2=STORE_FULL, juliet1:3=STORE_FULL")
	r.send("d", "e")
	r.want("")
	r.commit(lane.Stored)
	r.send("f") // must not overtake e
	r.commit(lane.Stored)
	r.commit(lane.Stored)
	r.answerReads()
	r.want("juliet1:4=OK, juliet1:5=OK, juliet1:6=OK, pc<d, pc<e, pc<f")
	r.send("g")
	r.want("pc<g")
	r.check()
}

func TestInvalidRow(t *testing.T) {
	r := newRig(t)
	r.send("a")
	r.commit(lane.Invalid)
	r.want("juliet1:1=BAD_REQUEST")
	r.check()
}

func TestLoading(t *testing.T) {
	r := newRig(t)
	r.send("a")
	r.commitAll()
	r.took()
	r.begin(r.st.cfg)
	r.attach("pc", 1, 0, plenty)
	r.seq = 0
	r.send("b", "c")
	r.ack("pc", 1, 0, "a")
	r.want("")
	r.load(store.MailboxInfo{Exists: true, Contacts: []ident.UserID{juliet}})
	r.answerReads()
	r.want("delete a, pc<b, pc<c")
	r.check()
}

func TestLoadFails(t *testing.T) {
	r := newRig(t)
	r.noRoom = true
	r.begin(r.st.cfg)
	r.noRoom = false
	loads := r.loads
	r.pass(laneRetry)
	if r.loads != loads+1 {
		t.Fatal("not loaded again")
	}
	r.do(func(fx *effects) { r.st.loaded(fx, &lane.Loaded{Tag: r.st.tag, Err: store.ErrClosed}) })
	r.pass(loadRetry)
	r.do(func(fx *effects) {
		if r.st.lost(fx, r.st.tag) {
			t.Error("starts anew for a lost load")
		}
	})
	r.pass(laneRetry)
	if r.loads != loads+3 {
		t.Fatalf("%d loads", r.loads-loads)
	}
	for i := range maxStash + 5 {
		r.deliver(deliver("x", uint64(i+1)))
	}
	if got := strings.Count(r.took(), "LATER"); got != 5 {
		t.Errorf("%d were told to come later", got)
	}
}

func TestLost(t *testing.T) {
	r := newRig(t)
	r.send("a")
	tag := r.appends[0].Tag
	r.do(func(fx *effects) {
		if r.st.lost(fx, tag+5) || !r.st.lost(fx, tag) {
			t.Error("what was lost isn't known")
		}
	})
}

func TestCrashNotices(t *testing.T) {
	r := newRig(t)
	r.send("a")
	other := deliver("b", 1)
	other.SenderRef = sessionRef("juliet2").Proto()
	r.deliver(other)
	r.st.current = deliver("c", 2)
	var told []string
	r.st.stash = []any{deliver("d", 3), deliver("e", 4)}
	r.st.crashed(func(to actors.Ref, m *nodepb.Outcome) {
		told = append(told, fmt.Sprintf("%s:%d=%v", to.ID, m.Seq, m.Code))
	})
	if got := strings.Join(told, ", "); got != "juliet1:2=OUTCOME_UNKNOWN, juliet2:0=GAP" {
		t.Errorf("told %s", got)
	}
}

func TestRelay(t *testing.T) {
	r := newRig(t)
	relay := func(resource string, tag uint64) {
		r.do(func(fx *effects) {
			r.st.relay(fx, &nodepb.Relay{SenderRef: julietRef.Proto(), Tag: tag, Resource: resource, Stanza: []byte("<iq/>")})
		})
	}
	relay("pc", 1)
	relay("pc", 0)
	r.want("juliet1<-*nodepb.RelayFailed")
	r.attach("pc", 1, -1, plenty)
	d := r.chat("a")
	d.Resource = "pc"
	r.do(func(fx *effects) {
		r.st.message(fx, d)
		r.run()
		r.st.relay(fx, &nodepb.Relay{Resource: "pc", Stanza: []byte("<iq/>")})
	})
	r.want("pc<a, pc<-*nodepb.Relay")
	r.refuse["pc"] = true
	relay("pc", 3)
	r.want("juliet1<-*nodepb.RelayFailed")
}

func TestTransient(t *testing.T) {
	r := newRig(t)
	r.attach("pc", 1, 0, 1)
	state := func(letter string) {
		d := r.chat(letter)
		d.Store = false
		r.deliver(d)
	}
	state("a")
	r.want("juliet1:1=OK, pc<a transient")
	state("b") // no credit: it waits in memory
	r.send("c")
	r.want("juliet1:2=OK")
	r.st.kept += maxKept // as if there were more of them
	state("d")
	r.st.kept -= maxKept
	r.want("juliet1:4=QUOTA")
	r.commitAll()
	r.ack("pc", 1, plenty)
	r.answerReads()
	r.want("juliet1:3=OK, pc<b transient, pc<c")
	r.check()
	r.detach("pc")
	if r.st.kept != 0 {
		t.Error("memory is lost")
	}
}

func TestAccountChanges(t *testing.T) {
	r := newRig(t)
	change := func(m *nodepb.MailboxChange) { r.do(func(fx *effects) { r.st.message(fx, m) }) }
	r.send("a", "b")
	r.commit(lane.Stored)
	r.took()
	change(&nodepb.MailboxChange{What: nodepb.MailboxChange_REMOVED})
	r.send("c")
	r.commit(lane.Stored) // b, which was on its way when the account went
	r.want("juliet1:3=NO_SUCH_USER, juliet1:2=OK")
	if r.purges != 1 || len(r.st.rows.byID) != 0 {
		t.Errorf("%d purges", r.purges)
	}
	r.check()
	change(&nodepb.MailboxChange{What: nodepb.MailboxChange_CREATED, ContactsAdded: []string{"b@x", "a@x", "b@x"}, ContactsRemoved: []string{"c@x"}})
	change(&nodepb.MailboxChange{ContactsRemoved: []string{"a@x"}})
	if fmt.Sprint(r.st.contacts) != "[b@x]" || !r.st.exists {
		t.Errorf("contacts %v", r.st.contacts)
	}
	r.send("d")
	r.commit(lane.Stored)
	r.want("juliet1:4=OK")
}

func TestPurgeWaitsForRoom(t *testing.T) {
	r := newRig(t)
	r.noRoom = true
	r.do(func(fx *effects) { r.st.message(fx, &nodepb.MailboxChange{What: nodepb.MailboxChange_REMOVED}) })
	r.do(func(fx *effects) { r.st.message(fx, &nodepb.MailboxChange{What: nodepb.MailboxChange_CREATED}) })
	r.noRoom = false
	r.send("a") // would be purged with the old user's
	r.want("juliet1:1=LATER")
	r.pass(laneRetry)
	r.deliver(deliver("a", 1))
	r.commit(lane.Stored)
	r.want("juliet1:1=OK")
	if r.purges != 1 {
		t.Errorf("%d purges", r.purges)
	}
}

func TestPassivation(t *testing.T) {
	r := newRig(t)
	may := func() bool { return r.st.mayPassivate(r.now) }
	if !may() {
		t.Error("an idle one stays")
	}
	r.send("a")
	r.now = r.now.Add(time.Hour)
	if may() {
		t.Error("an append is under way")
	}
	r.commitAll()
	if !may() {
		t.Error("rows are no reason to stay")
	}
	r.attach("pc", 1, 0, plenty)
	if may() {
		t.Error("a session is attached")
	}
	r.answerReads()
	r.noRoom = true
	r.ack("pc", 1, 0, "a")
	r.detach("pc")
	r.now = r.now.Add(time.Hour)
	if may() {
		t.Error("an acknowledgement is not stored")
	}
	r.noRoom = false
	r.pass(time.Second)
	if !may() {
		t.Error("nothing is left to do")
	}
	r.attach("pc", 1, 0, plenty)
	r.seq = 0
	r.send("b")
	r.commitAll()
	r.ack("pc", 1, 0, "b")
	r.detach("pc")
	for r.now = r.now.Add(time.Minute); r.now.Before(t0.Add(3 * time.Hour)); r.now = r.now.Add(time.Minute) {
		if may() {
			break
		}
	}
	if r.st.recent.at != nil {
		t.Error("passivated while ids were remembered")
	}
}

func TestUnreadableBody(t *testing.T) {
	r := newRig(t)
	r.send("a", "b", "c")
	r.commitAll()
	r.took()
	s := r.rows[r.order[0]]
	s.body = []byte{0xff}
	r.rows[r.order[0]] = s
	r.forget(r.order[1]) // another node's, say
	r.attach("pc", 1, 0, plenty)
	r.answerReads()
	r.want("pc<c delayed")
	if len(r.rows) != 2 || r.st.cfg.Counters.Unreadable.Load() != 1 {
		t.Error("an unreadable row is deleted")
	}
	r.check()
}

// TestClock: the order of the queue is that of arrival, whatever the clock does.
func TestClock(t *testing.T) {
	r := newRig(t)
	r.send("a")
	r.now = r.now.Add(-time.Hour)
	r.send("b", "c")
	r.commitAll()
	r.check()
	last := r.st.rows.clock
	r.begin(r.st.cfg)
	r.load(store.MailboxInfo{Exists: true, Devices: []store.Device{{Since: last + 1000}}})
	r.seq = 0
	r.send("d")
	if r.st.rows.clock != last+1001 {
		t.Errorf("clock %d, was %d", r.st.rows.clock, last)
	}
	r.check()
}
