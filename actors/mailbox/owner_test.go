package mailbox

import (
	"errors"
	"testing"

	"github.com/jackdaw-im/jackdaw/actors/lane"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/store"
)

// stranger is a mailbox that has its rows, and not yet who its user is.
func stranger(t *testing.T) *rig {
	r := &rig{tester: t, now: t0, rows: map[ident.MessageID]stored{}, refuse: map[string]bool{}, gone: map[ident.MessageID]bool{}}
	r.foreign("a", t0)
	r.begin(&Config{Limits: Limits{}.withDefaults(), Counters: new(Counters)})
	r.answerLoad(nil)
	if !r.asks || r.st.ready {
		t.Fatalf("asks: %v, ready: %v", r.asks, r.st.ready)
	}
	return r
}

// says is the account's answer.
func (r *rig) says(m *nodepb.MailboxInfo) {
	r.asks = false
	r.do(func(fx *effects) { r.st.asked(fx, m, nil) })
}

// TestTold: the account says who the user is. What came meanwhile waits for that.
func TestTold(t *testing.T) {
	r := stranger(t)
	r.attach("pc", 1, 0, 1<<20)
	r.send("b")
	r.do(func(fx *effects) {
		r.st.message(fx, &nodepb.MailboxChange{ContactsAdded: []string{"tybalt@example.org"}, ContactsRemoved: []string{"paris@example.org"}})
	})
	if got := r.queue(); got != "" {
		t.Errorf("took %q of a user whom it doesn't know", got)
	}
	r.took()
	r.says(&nodepb.MailboxInfo{Exists: true, Contacts: []string{"juliet@example.org", "paris@example.org"}, Blocks: []string{"spam.example"},
		Devices: []*nodepb.MailboxInfo_Device{{Id: "phone", Since: t0.UnixMicro() + 1e9}}})
	if got := r.queue(); got != "ab" {
		t.Errorf("queue %q", got)
	}
	st := r.st
	if !st.exists || len(st.contacts) != 2 || st.contacts[0] != "juliet@example.org" || st.contacts[1] != "tybalt@example.org" || st.blocks[0] != "spam.example" ||
		st.rows.clock < t0.UnixMicro()+1e9 {
		t.Errorf("knows %v, %v, %v, clock %d", st.exists, st.contacts, st.blocks, st.rows.clock)
	}
	r.says(&nodepb.MailboxInfo{}) // too late
	if !st.exists || st.cfg.Counters.Untold.Load() != 0 {
		t.Error("an answer that nobody waits for was taken")
	}
}

// TestNobody: who doesn't exist has no mailbox.
func TestNobody(t *testing.T) {
	r := stranger(t)
	r.send("b")
	r.says(&nodepb.MailboxInfo{})
	r.want("juliet1:1=NO_SUCH_USER")
}

// TestUntold: an account that doesn't tell isn't waited for: the store is asked for the whole.
func TestUntold(t *testing.T) {
	for what, told := range map[string]func(r *rig){
		"out of reach":        func(r *rig) { r.do(func(fx *effects) { r.st.asked(fx, nil, errors.New("lost")) }) },
		"of an older version": func(r *rig) { r.do(func(fx *effects) { r.st.asked(fx, &nodepb.Credentials{}, nil) }) },
	} {
		t.Run(what, func(t *testing.T) {
			r := stranger(t)
			r.send("b")
			r.asks = false
			told(r)
			if !r.st.whole || r.asks || r.st.ready || r.st.cfg.Counters.Untold.Load() != 1 {
				t.Fatalf("whole: %v, asks: %v, ready: %v", r.st.whole, r.asks, r.st.ready)
			}
			r.answerLoad(&store.MailboxInfo{Exists: true, Contacts: []ident.UserID{juliet}})
			if got := r.queue(); got != "ab" {
				t.Errorf("queue %q", got)
			}
		})
	}
}

// TestRetiresUntold: a mailbox that doesn't know its user yet has nothing to bring to an end.
func TestRetiresUntold(t *testing.T) {
	r := stranger(t)
	r.send("b")
	r.do(func(fx *effects) {
		if !r.st.retire(fx) {
			t.Error("waits")
		}
	})
	r.says(&nodepb.MailboxInfo{Exists: true})
	if r.st.ready || len(r.st.handoff.left) != 1 {
		t.Errorf("ready: %v, left %v", r.st.ready, r.st.handoff.left)
	}
}

// TestReloadIsWhole: a mailbox that runs waits for nobody between the rows and what it does with them.
func TestReloadIsWhole(t *testing.T) {
	r := newRig(t)
	r.reload(1)
	r.loaded(&lane.Loaded{Tag: r.st.reload.tag, Info: &store.MailboxInfo{Exists: true}})
	if r.asks || r.st.reload.busy() {
		t.Error("asks the account")
	}
}
