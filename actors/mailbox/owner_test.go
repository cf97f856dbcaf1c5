package mailbox

import (
	"errors"
	"fmt"
	"testing"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/lane"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/store"
)

// stranger is a mailbox that has its rows, and not yet who its user is.
func stranger(t *testing.T) *rig {
	r := &rig{tester: t, now: t0, rows: map[ident.MessageID]stored{}, refuse: map[string]bool{}, gone: map[ident.MessageID]bool{}}
	r.foreign("a", t0)
	account := func(u ident.UserID) actors.Ref { return actors.Ref{Kind: "account", ID: string(u)} }
	r.begin(&Config{Limits: Limits{}.withDefaults(), Counters: new(Counters), Account: account})
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

// TestUntold: an account that doesn't tell is asked again while it may be on its way; then the directory is, and if it can't be, all is
// begun anew.
func TestUntold(t *testing.T) {
	for what, test := range map[string]struct {
		v     any
		err   error
		again bool
	}{
		"on the move":         {nil, actors.ErrNoConnection, true},
		"busy":                {nil, fmt.Errorf("busy: %w", actors.ErrOverloaded), true},
		"hangs":               {nil, actors.ErrTimeout, false},
		"of an older version": {nil, errors.New("n1 doesn't know the message that n2 sent"), false},
		"something else":      {&nodepb.Credentials{}, nil, false},
	} {
		t.Run(what, func(t *testing.T) {
			r := stranger(t)
			r.send("b")
			answer := func(v any, err error) {
				r.asks, r.looksUp = false, false
				r.do(func(fx *effects) { r.st.asked(fx, v, err) })
			}
			untold := func() {
				times := 0
				for !r.looksUp {
					if answer(test.v, test.err); r.looksUp {
						break
					}
					if times++; r.asks || !test.again || times > int(awayTime/askPause) {
						t.Fatalf("asks: %v, %d times", r.asks, times)
					}
					if r.pass(askPause); !r.asks || r.looksUp {
						t.Fatalf("asks: %v, looks up: %v", r.asks, r.looksUp)
					}
				}
				if test.again != (times > 1) || r.asks || r.st.ready {
					t.Fatalf("asked %d times; asks: %v, ready: %v", times, r.asks, r.st.ready)
				}
			}
			untold()
			if answer(nil, store.ErrClosed); r.looksUp || r.asks || r.st.ready || r.loads != 1 || r.st.cfg.Counters.Untold.Load() != 1 {
				t.Fatalf("looks up: %v, asks: %v, ready: %v, %d loads", r.looksUp, r.asks, r.st.ready, r.loads)
			}
			r.pass(loadRetry)
			if r.answerLoad(nil); !r.asks || r.loads != 2 {
				t.Fatalf("asks: %v, %d loads", r.asks, r.loads)
			}
			untold()
			answer(&store.MailboxInfo{Exists: true, Contacts: []ident.UserID{juliet}}, nil)
			if got := r.queue(); got != "ab" {
				t.Errorf("queue %q", got)
			}
		})
	}
}

// TestNoAccounts: where there is none to ask, the directory is.
func TestNoAccounts(t *testing.T) {
	r := stranger(t)
	cfg := *r.st.cfg
	cfg.Account, r.asks = nil, false
	r.begin(&cfg)
	if r.answerLoad(nil); !r.looksUp || r.asks {
		t.Fatalf("looks up: %v, asks: %v", r.looksUp, r.asks)
	}
	r.do(func(fx *effects) { r.st.asked(fx, &store.MailboxInfo{Exists: true}, nil) })
	if !r.st.exists || r.queue() != "a" || cfg.Counters.Untold.Load() != 0 {
		t.Errorf("exists: %v, queue %q", r.st.exists, r.queue())
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

// TestUntoldBodies: what was read while it isn't known whose it is takes of the room for what is held; there is no end of it without giving that back.
func TestUntoldBodies(t *testing.T) {
	bodies := func(t *testing.T, held int64) *rig {
		r := stranger(t)
		cfg := *r.st.cfg
		cfg.Held, cfg.Counters = held, new(Counters)
		r.foreign("b", t0)
		r.taken, r.asks = true, false
		r.begin(&cfg)
		r.answerLoad(nil)
		if !r.asks || len(r.st.rowsOnly.Bodies) != 2 {
			t.Fatalf("asks: %v, %d bodies", r.asks, len(r.st.rowsOnly.Bodies))
		}
		return r
	}
	held := func(r *rig) int64 { return r.st.cfg.Counters.Held.Load() }
	one := rowOverhead + int64(len(bodies(t, 1<<20).st.rowsOnly.Bodies[0]))
	for what, end := range map[string]func(r *rig){
		"told": func(r *rig) {
			r.says(&nodepb.MailboxInfo{Exists: true})
			if held(r) == 0 || held(r) != int64(r.st.held.bytes) {
				t.Errorf("%d bytes are held, %d by it", held(r), r.st.held.bytes)
			}
			r.st.release()
		},
		"left": func(r *rig) {
			r.do(func(fx *effects) { r.st.retire(fx) })
			r.st.release()
		},
		"begun anew": func(r *rig) {
			r.do(func(fx *effects) { r.st.asked(fx, nil, errors.New("unknown")) })
			r.do(func(fx *effects) { r.st.asked(fx, nil, store.ErrClosed) })
		},
	} {
		r := bodies(t, 1<<20)
		if held(r) != 2*one {
			t.Errorf("%s: %d bytes are held, want %d", what, held(r), 2*one)
		}
		if end(r); held(r) != 0 {
			t.Errorf("%s: %d bytes are held by nobody", what, held(r))
		}
	}
	r := bodies(t, one)
	if held(r) != one || r.st.rowsOnly.Bodies[0] == nil || r.st.rowsOnly.Bodies[1] != nil {
		t.Errorf("%d bytes are held, the second body: %q", held(r), r.st.rowsOnly.Bodies[1])
	}
	r.attach("pc", 1, 0, plenty)
	r.took()
	r.says(&nodepb.MailboxInfo{Exists: true})
	r.answerReads()
	r.want("pc<a delayed, pc<b delayed")
}
