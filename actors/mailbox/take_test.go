package mailbox

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/lane"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/store"
)

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
	r.want("pc<b, pc<c, delete a") // which nobody is given again
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

// question is a request of juliet's.
const question = "<iq type='get' id='v' from='juliet@example.org/pc' to='romeo@example.org/pc'><ping xmlns='urn:xmpp:ping'/></iq>"

// TestRelayToSessionsThatAreToCome: a mailbox that has just moved here waits a little for the sessions that have not told it of themselves,
// and then gives back what was for them. What it may keep is bounded, and goes on with it if it moves.
func TestRelayToSessionsThatAreToCome(t *testing.T) {
	moving := true
	begin := func() (*rig, func(resource string, tag uint64)) {
		r := newRig(t)
		r.st.cfg.Moving = func() bool { return moving }
		return r, func(resource string, tag uint64) {
			r.do(func(fx *effects) {
				r.st.relay(fx, &nodepb.Relay{SenderRef: julietRef.Proto(), Tag: tag, Resource: resource, Stanza: []byte(question)})
			})
		}
	}
	r, relay := begin()
	relay("pc", 0)
	relay("phone", 7)
	relay("pc", 8)
	relay("tablet", 0)
	r.want("")
	r.attach("pc", 1, -1, plenty)
	r.want("pc<-*nodepb.Relay, pc<-*nodepb.Relay")
	if at := r.st.nextTick(); !at.Equal(r.st.freshUntil) {
		t.Fatalf("the rest is given back at %v", at)
	}
	r.now = r.st.freshUntil
	r.do(func(fx *effects) { r.st.tick(fx) })
	r.want("juliet@example.org<-*nodepb.Relay")
	if n := r.st.cfg.Counters.Dropped.Load(); n != 1 || r.st.relays != nil {
		t.Fatalf("%d were dropped", n)
	}

	// A crash is no reason to say nothing.
	r, relay = begin()
	relay("phone", 7)
	relay("phone", 0)
	var told []actors.Ref
	r.st.strand(func(to actors.Ref, m *nodepb.Relay) { told = append(told, to, actors.RefOf(m.GetAsker())) })
	if n := r.st.cfg.Counters.Dropped.Load(); !slices.Equal(told, []actors.Ref{Ref(juliet), julietRef}) || n != 1 || r.st.relays != nil {
		t.Fatalf("told %v, dropped %d", told, n)
	}
	r, relay = begin()
	r.now = r.st.freshUntil
	relay("phone", 9)
	r.want("juliet@example.org<-*nodepb.Relay")

	r, relay = begin()
	for range maxRelays {
		relay("pc", 0)
	}
	relay("pc", 1)
	r.want("juliet@example.org<-*nodepb.Relay")
	r.do(func(fx *effects) { r.st.retire(fx) })
	if n := len(r.st.handoff.left); n != maxRelays || r.st.relays != nil {
		t.Fatalf("the next owner gets %d", n)
	}

	// One whose client isn't there is known, and what is kept is for who was to come when it came.
	r, relay = begin()
	r.attachAs(&nodepb.Attach{Session: sessionRef("pc").Proto(), Resource: "pc", Epoch: 1, Credit: plenty})
	relay("pc", 1)
	r.want("juliet@example.org<-*nodepb.Relay")
	relay("phone", 2)
	moving = false
	r.attach("tablet", 1, -1, plenty)
	r.want("")
	r.attach("phone", 1, -1, plenty)
	r.want("phone<-*nodepb.Relay")

	r, relay = begin()
	relay("pc", 1)
	r.want("juliet@example.org<-*nodepb.Relay")
}

func TestRelay(t *testing.T) {
	r := newRig(t)
	relay := func(resource string, tag uint64) {
		r.do(func(fx *effects) {
			r.st.relay(fx, &nodepb.Relay{SenderRef: julietRef.Proto(), Tag: tag, Resource: resource, Stanza: []byte(question)})
		})
	}
	relay("pc", 1)
	relay("pc", 0)
	r.want("juliet@example.org<-*nodepb.Relay")
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
	r.want("juliet@example.org<-*nodepb.Relay")
	r.refuse["pc"] = false
	// While it waits for its client, a session gets answers but no requests.
	r.attachAs(&nodepb.Attach{Session: sessionRef("pc").Proto(), Resource: "pc", Epoch: 2, Credit: plenty})
	r.took()
	relay("pc", 4)
	r.want("juliet@example.org<-*nodepb.Relay")
	relay("pc", 0)
	r.want("pc<-*nodepb.Relay")
}

// TestAnswerStraight: whoever asked hears that nobody was reached, though its own mailbox isn't to be reached either.
func TestAnswerStraight(t *testing.T) {
	for what, lost := range map[string]func(r *rig, to actors.Ref, m *nodepb.Relay) func(*effects){
		"it comes back": func(r *rig, to actors.Ref, m *nodepb.Relay) func(*effects) {
			return func(fx *effects) {
				r.st.undelivered(fx, actors.Undelivered{To: to, Msg: m, Err: actors.ErrNoConnection})
			}
		},
		"there is no room": func(r *rig, to actors.Ref, m *nodepb.Relay) func(*effects) {
			return func(fx *effects) { r.st.unanswered(fx, to, m) }
		},
	} {
		r := newRig(t)
		to, answer := Undeliverable(&nodepb.Relay{SenderRef: julietRef.Proto(), Tag: 3, Resource: "pc", Stanza: []byte(question)}, nodepb.Code_NO_RESOURCE)
		r.do(lost(r, to, answer))
		if got := r.took(); got != "juliet1<-*nodepb.Relay" {
			t.Fatalf("%s: %s", what, got)
		}
		r.do(lost(r, julietRef, answer))
		if got, n := r.took(), r.st.cfg.Counters.Dropped.Load(); got != "" || n != 1 {
			t.Fatalf("%s, twice: %s, %d dropped", what, got, n)
		}
		// What clients have answered isn't told to them again.
		r.do(lost(r, to, &nodepb.Relay{SenderRef: julietRef.Proto(), Resource: "pc", Stanza: []byte(question)}))
		if got, n := r.took(), r.st.cfg.Counters.Dropped.Load(); got != "" || n != 2 {
			t.Fatalf("%s, an answer: %s, %d dropped", what, got, n)
		}
	}
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
