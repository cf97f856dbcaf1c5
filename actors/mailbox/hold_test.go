package mailbox

import (
	"fmt"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors/lane"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

// holding is a rig whose node may hold so many messages of one letter.
func holding(t *testing.T, messages int) *rig {
	r := newRig(t)
	r.send("z")
	r.commitAll()
	r.st.cfg.Held = int64(messages * r.st.rows.order[0].cost())
	r.attach("pc", 1, 0, plenty)
	r.answerReads()
	r.ack("pc", 1, plenty, "z")
	r.detach("pc")
	r.took()
	r.check()
	return r
}

func (r *rig) wantHeld(messages int64) {
	r.Helper()
	if got := r.st.cfg.Counters.Held.Load(); got != messages*r.st.cfg.Held/10 {
		r.Fatalf("%d bytes are held of %d, want %d tenths", got, r.st.cfg.Held, messages)
	}
	r.check()
}

// TestHeldForWhoComes: what came while nobody was there is pushed to who comes soon, without a read.
func TestHeldForWhoComes(t *testing.T) {
	r := holding(t, 10)
	r.send("a", "b")
	r.wantHeld(2)
	r.commitAll()
	r.took()
	r.attach("pc", 1, 0, plenty)
	r.send("c")
	r.want("pc<a delayed, pc<b delayed, pc<c")
	r.wantHeld(3) // until it is acknowledged
	r.ack("pc", 1, plenty, "b")
	r.wantHeld(2)
	r.detach("pc")
	r.attach("phone", 1, 0, plenty)
	r.commitAll()
	r.want("delete b, phone<a delayed, phone<c delayed, juliet1:4=OK")
	r.attach("phone", 2, 0, plenty)
	r.want("phone<a delayed, phone<c delayed")
	r.ack("phone", 2, plenty, "a", "c")
	r.wantHeld(0)
	if len(r.reads) != 0 {
		t.Errorf("reads %v", r.reads)
	}
}

// TestHeldByCredit: what waits for a session's credit is kept as ever, and not counted twice.
func TestHeldByCredit(t *testing.T) {
	r := holding(t, 10)
	r.send("a", "b", "c")
	r.commitAll()
	r.took()
	r.attach("pc", 1, 0, 1)
	r.want("pc<a delayed")
	r.wantHeld(1)
	r.ack("pc", 1, uint32(r.st.cfg.Held/10), "a")
	r.attach("pc", 1, -1, 1)
	r.want("pc<b delayed, delete a")
	r.wantHeld(2) // c was taken back
	r.attach("pc", 2, 0, plenty)
	r.want("pc<b delayed, pc<c delayed")
	if len(r.reads) != 0 {
		t.Errorf("reads %v", r.reads)
	}
}

// TestHeldIsBounded: over the node's bound, and a mailbox's own, messages have to be read again.
func TestHeldIsBounded(t *testing.T) {
	r := holding(t, 10)
	var letters []string
	for c := 'a'; c < 'a'+13; c++ {
		letters = append(letters, string(c))
	}
	r.send(letters...)
	r.commitAll()
	r.took()
	r.wantHeld(10)
	r.attach("pc", 1, 0, plenty)
	if len(r.reads) != 1 || len(r.reads[0].ids) != 3 {
		t.Fatalf("reads %v", r.reads)
	}
	r.answerRead()
	r.check()

	r = holding(t, 1_000_000)
	for i := range 2 * pageRows {
		d := r.chat(fmt.Sprint("message ", i))
		d.Message.Payload = make([]byte, 1000)
		r.deliver(d)
	}
	r.commitAll()
	r.check()
	if got := r.st.held.bytes; got > maxHeld || got < maxHeld-2000 {
		t.Errorf("%d bytes are held", got)
	}
}

// TestHeldForAWhile: what nobody comes for goes after a minute or two, and with the mailbox.
func TestHeldForAWhile(t *testing.T) {
	r := holding(t, 10)
	r.pass(heldTime)
	r.send("a")
	r.pass(heldTime / 2)
	r.send("b")
	r.commitAll()
	r.wantHeld(2)
	r.pass(heldTime/2 + time.Second)
	r.wantHeld(1)
	r.pass(heldTime)
	r.wantHeld(0)
	if at := r.st.held.at; !at.IsZero() {
		t.Errorf("it is looked at again at %v", at)
	}
	r.send("c")
	r.wantHeld(1)
	r.st.release()
	if n := r.st.cfg.Counters.Held.Load(); n != 0 {
		t.Errorf("%d bytes are held by nobody", n)
	}
}

// TestLoadBringsBodies: as many as can be pushed, or as will be if a lost node's sessions are about to come.
func TestLoadBringsBodies(t *testing.T) {
	for _, c := range []struct {
		name   string
		taken  bool
		credit uint32 // of a session that is there before the load; 0: there is none
		full   bool   // the node holds as much as it may
		want   store.Page
		reads  int
	}{
		{"nobody", false, 0, false, store.Page{}, 1},
		{"a session", false, plenty, false, store.Page{Rows: pageRows, Bytes: pageBytes}, 0},
		{"a session with little credit", false, 10, true, store.Page{Rows: pageRows, Bytes: 10}, 1},
		{"taken over", true, 0, false, store.Page{Rows: pageRows, Bytes: pageBytes}, 0},
		{"taken over by a full node", true, 0, true, store.Page{}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := holding(t, 10)
			r.send("a", "b", "c")
			r.commitAll()
			r.took()
			r.st.release()
			r.taken = c.taken
			if c.full {
				r.st.cfg.Counters.Held.Store(r.st.cfg.Held)
			}
			r.st = newState(r.st.cfg, Ref(romeo), "n@1", r.now)
			if c.credit > 0 {
				r.attach("pc", 1, 0, c.credit) // the load goes at the end of this turn
			} else {
				r.send("d")
			}
			if r.loads != 2 || r.page != c.want {
				t.Fatalf("%d loads, the page is %+v", r.loads, r.page)
			}
			r.load(store.MailboxInfo{Exists: true, Contacts: []ident.UserID{juliet}})
			r.attach("pc", 2, 0, plenty)
			if len(r.reads) != c.reads {
				t.Errorf("reads %v", r.reads)
			}
		})
	}
}

// TestLoadOfNobody: a mailbox to which nothing comes at first is loaded nevertheless.
func TestLoadOfNobody(t *testing.T) {
	r := newRig(t)
	r.st = newState(r.st.cfg, Ref(romeo), "n@1", r.now)
	r.st.wait(&effects{now: r.now})
	if r.loads != 1 {
		t.Fatalf("%d loads", r.loads)
	}
	r.pass(time.Second)
	if r.loads != 2 || !r.st.loadAt.IsZero() {
		t.Errorf("%d loads, the next at %v", r.loads, r.st.loadAt)
	}
	r.st = newState(r.st.cfg, Ref(romeo), "n@1", r.now)
	r.do(func(fx *effects) {
		if !r.st.retire(fx) {
			t.Error("it doesn't leave")
		}
	})
	if r.loads != 2 {
		t.Error("it is loaded although it leaves")
	}
}

// TestPartOfThePage: a body that didn't come with the load, or can't be decoded, is read, or left.
func TestPartOfThePage(t *testing.T) {
	r := holding(t, 10)
	r.send("a", "b", "c")
	r.commitAll()
	r.took()
	r.st.release()
	r.st = newState(r.st.cfg, Ref(romeo), "n@1", r.now)
	r.attach("pc", 1, 0, plenty)
	m := &lane.Loaded{Tag: r.st.tag, Info: &store.MailboxInfo{Exists: true}}
	for _, id := range r.order[len(r.order)-3:] {
		m.Rows = append(m.Rows, r.rows[id].row)
		m.Bodies = append(m.Bodies, r.rows[id].body)
	}
	m.Bodies[0], m.Bodies[1] = []byte{0xff}, nil
	r.do(func(fx *effects) { r.st.loaded(fx, m) })
	r.want("")
	if len(r.reads) != 1 || len(r.reads[0].ids) != 1 || r.st.cfg.Counters.Unreadable.Load() != 1 {
		t.Fatalf("reads %v", r.reads)
	}
	r.answerRead()
	r.want("pc<b delayed, pc<c delayed")
	r.check()
}

// TestReloadOfAClaim: a mailbox that was loaded after its partition was claimed needs no other load, unless somebody has written since.
func TestReloadOfAClaim(t *testing.T) {
	r := newRig(t)
	r.st.claim = 7
	reload := func(claim uint64) string {
		r.do(func(fx *effects) { r.st.message(fx, &lane.Reload{From: pollerRef, Tag: 3, Claim: claim}) })
		return fmt.Sprint(r.again, r.took())
	}
	if got := reload(7); got != "0p<-*lane.Reloaded" {
		t.Errorf("of that claim: %s", got)
	}
	if got := reload(0); got != "1" {
		t.Errorf("of a notice: %s", got)
	}
	m := r.read()
	m.Claim = 8
	r.loaded(m)
	r.took()
	reload(8)
	if r.again != 1 {
		t.Errorf("%d loads", r.again)
	}
	reload(9)
	if r.again != 2 {
		t.Errorf("%d loads", r.again)
	}
}
