package mailbox

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/lane"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/store"
)

var pollerRef = actors.Ref{Kind: lane.PollerKind, ID: "p"}

// foreign is a row that another node has stored.
func (r *rig) foreign(letter string, at time.Time) {
	id := ident.MessageID{}
	copy(id[:], letter)
	body, err := proto.Marshal(deliver(letter, 1).GetMessage())
	if err != nil {
		r.Fatalf("%v", err)
	}
	r.rows[id] = stored{store.Row{ID: id, Ord: at.UnixMicro(), Sender: juliet, Size: len(body)}, body}
}

// lose takes a row out of the store, as a twin does whose session has acknowledged it.
func (r *rig) lose(letter string) {
	id := ident.MessageID{}
	copy(id[:], letter)
	delete(r.rows, id)
}

func (r *rig) reload(tag uint64) {
	r.do(func(fx *effects) { r.st.message(fx, &lane.Reload{From: pollerRef, Tag: tag}) })
}

// read is what a load finds now.
func (r *rig) read() *lane.Loaded {
	m := &lane.Loaded{Tag: r.st.reload.tag, Info: &store.MailboxInfo{Exists: true, Contacts: []ident.UserID{juliet}}}
	for _, s := range r.rows {
		m.Rows = append(m.Rows, s.row)
	}
	slices.SortFunc(m.Rows, store.CompareRows)
	return m
}

func (r *rig) loaded(m *lane.Loaded) { r.do(func(fx *effects) { r.st.loaded(fx, m) }) }

// queue is the rows that the mailbox knows, in order.
func (r *rig) queue() (s string) {
	for _, x := range r.st.rows.order {
		if !x.gone {
			s += string(x.ID[:1])
		}
	}
	return s
}

func (r *rig) wantQueue(want string) {
	r.Helper()
	if got := r.queue(); got != want {
		r.Fatalf("queue %s, want %s", got, want)
	}
	r.check()
}

// TestReloadMerges: what a twin stored takes its place, what it let go of is forgotten, and what is on its way here stays.
func TestReloadMerges(t *testing.T) {
	r := newRig(t)
	for _, l := range []string{"b", "d", "f"} {
		r.now = t0.Add(time.Duration(l[0]) * time.Second)
		r.send(l)
	}
	r.commitAll()
	r.now = t0.Add(200 * time.Second)
	r.send("x") // is not stored before the answer
	r.took()
	for _, l := range []string{"a", "c", "g"} {
		r.foreign(l, t0.Add(time.Duration(l[0])*time.Second))
	}
	r.lose("d")
	r.reload(7)
	if r.again != 1 {
		t.Fatalf("%d loads", r.again)
	}
	r.loaded(r.read())
	r.want("p<-*lane.Reloaded")
	r.wantQueue("abcfgx")
	r.commit(lane.Stored)
	r.want("juliet1:4=OK")
	r.attach("pc", 1, 0, plenty)
	r.answerReads()
	if r.st.rows.byID[id('d')] != nil {
		t.Error("what was acknowledged elsewhere is here again")
	}
	r.want("pc<a delayed, pc<b delayed, pc<c delayed, pc<f delayed, pc<g delayed, pc<x delayed")
	if r.st.rows.clock < t0.Add(200*time.Second).UnixMicro() {
		t.Error("the clock goes back")
	}
	r.deliver(deliver("d", 5)) // sent once more: it isn't a new message
	r.want("juliet1:5=OK")
}

// TestFoundWhileItIsStored: a message that another node has stored while this one tries to is there, though the store has no room for it twice.
func TestFoundWhileItIsStored(t *testing.T) {
	r := newRig(t)
	r.send("a")
	r.took()
	r.foreign("a", t0.Add(-time.Second))
	r.reload(1)
	r.loaded(r.read())
	r.want("p<-*lane.Reloaded")
	r.commit(lane.Full)
	r.want("juliet1:1=OK")
	r.wantQueue("a")
	r.attach("pc", 1, 0, plenty)
	r.answerReads()
	r.want("pc<a delayed")
}

// TestReloadForConnected: who is there gets what came elsewhere, and not again what it has.
func TestReloadForConnected(t *testing.T) {
	r := newRig(t)
	r.attach("pc", 1, 0, plenty)
	r.send("b")
	r.commitAll()
	r.want("pc<b, juliet1:1=OK")
	r.foreign("a", t0.Add(-time.Second))
	r.foreign("c", t0.Add(time.Second))
	r.reload(1)
	r.loaded(r.read())
	r.answerReads()
	r.want("p<-*lane.Reloaded, pc<a delayed, pc<c delayed")
	r.lose("b")
	r.reload(2)
	r.loaded(r.read())
	r.wantQueue("ac")
	r.took()
	r.ack("pc", 1, 0, "b", "c")
	r.want("delete c")
	r.check()
}

// TestReloadOfWhatIsBeingDeleted: a load that doesn't know yet what was acknowledged here doesn't bring it back.
func TestReloadOfWhatIsBeingDeleted(t *testing.T) {
	r := newRig(t)
	r.attach("pc", 1, 0, plenty)
	r.send("a", "b", "c")
	r.commitAll()
	r.noRoom = true
	r.ack("pc", 1, 0, "a")
	r.noRoom = false
	r.reload(1)
	old := r.read()
	r.ack("pc", 1, 0, "b")
	r.loaded(old)
	r.wantQueue("c")
	r.pass(time.Second)
	if len(r.rows) != 1 {
		t.Errorf("%d rows are left", len(r.rows))
	}
}

// TestReloadsFollow: who asks while a load is under way hears of another one, which failures only put off.
func TestReloadsFollow(t *testing.T) {
	r := newRig(t)
	var heard []uint64
	r.seen = func(to actors.Ref, msg any) {
		if m, ok := msg.(*lane.Reloaded); ok && to == pollerRef && m.Mailbox == romeo {
			heard = append(heard, m.Tag)
		}
	}
	want := func(loads int, tags ...uint64) {
		t.Helper()
		if r.again != loads || !slices.Equal(heard, tags) {
			t.Fatalf("%d loads, heard %v", r.again, heard)
		}
	}
	r.reload(1)
	r.reload(2)
	r.reload(3)
	first := r.read()
	want(1)
	r.loaded(first)
	want(2, 1)
	r.loaded(first) // is old
	want(2, 1)
	bad := r.read()
	bad.Err = errors.New("no connection")
	r.loaded(bad)
	r.reload(4)
	want(2, 1)
	r.noRoom = true
	r.pass(loadRetry)
	want(2, 1)
	r.noRoom = false
	r.pass(laneRetry)
	want(3, 1)
	r.do(func(fx *effects) {
		if r.st.lost(fx, r.st.reload.tag) {
			t.Error("a lost reload ends the mailbox")
		}
	})
	r.pass(laneRetry)
	want(4, 1)
	if r.st.mayPassivate(r.now) {
		t.Error("it passivates while it loads")
	}
	r.loaded(r.read())
	want(5, 1, 2, 3)
	r.loaded(r.read())
	want(5, 1, 2, 3, 4)
}

// TestReloadAndTheAccount: what the account said meanwhile is newer than what was read, and a removal voids the load.
func TestReloadAndTheAccount(t *testing.T) {
	r := newRig(t)
	r.reload(1)
	m := r.read()
	m.Info.Contacts = nil
	r.do(func(fx *effects) {
		r.st.message(fx, &nodepb.MailboxChange{ContactsAdded: []string{"tybalt@example.org"}})
	})
	r.loaded(m)
	if got := fmt.Sprint(r.st.contacts); got != "[tybalt@example.org]" {
		t.Errorf("contacts %s", got)
	}
	r.send("a")
	r.commitAll()
	for _, room := range []bool{true, false} {
		r.foreign("b", t0)
		r.reload(2)
		old := r.read()
		r.noRoom = !room
		r.do(func(fx *effects) { r.st.message(fx, &nodepb.MailboxChange{What: nodepb.MailboxChange_REMOVED}) })
		r.noRoom = false
		r.loaded(old)
		r.wantQueue("")
		r.pass(time.Second)
		for range 2 {
			r.loaded(&lane.Loaded{Tag: r.st.reload.tag, Info: &store.MailboxInfo{}})
			r.wantQueue("")
		}
		if r.st.exists || r.st.reload.busy() || len(r.rows) > 0 {
			t.Error("the account is still there, or the load has no end")
		}
	}
}

// TestReloadBeforeTheFirstLoad: a mailbox that is only starting loads once more, since its load may be older than the notice.
func TestReloadBeforeTheFirstLoad(t *testing.T) {
	r := newRig(t)
	r.begin(r.st.cfg)
	r.reload(1)
	if r.again != 0 {
		t.Error("it loads twice at once")
	}
	r.load(store.MailboxInfo{Exists: true})
	if r.again != 1 {
		t.Errorf("%d loads", r.again)
	}
}

// TestReloadOrders: what both have taken has the place that it has in the store, where the first of the two wrote it: not that of the moment
// when this one took it, behind what followed it there.
func TestReloadOrders(t *testing.T) {
	r := newRig(t)
	r.now = t0.Add(time.Minute)
	r.send("a") // once more: it was on its way here for long
	r.commitAll()
	r.took()
	for i, l := range []string{"a", "b", "c"} {
		r.foreign(l, t0.Add(time.Duration(i)*time.Second))
	}
	r.reload(1)
	r.loaded(r.read())
	r.wantQueue("abc")
	r.attach("pc", 1, 0, plenty)
	r.answerReads()
	r.want("p<-*lane.Reloaded, pc<a delayed, pc<b delayed, pc<c delayed")
}
