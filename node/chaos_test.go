package node

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/lane"
	"github.com/jackdaw-im/jackdaw/actors/mailbox"
	"github.com/jackdaw-im/jackdaw/actors/session"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/store"
)

var errChaos = errors.New("chaos")

// chaos decides, from one seed, what goes wrong. Safe for concurrent use.
type chaos struct {
	over atomic.Bool
	mu   sync.Mutex
	rng  *rand.Rand

	sessions []actors.Ref // those that mailboxes have heard of, newest last
}

func newChaos(seed uint64) *chaos { return &chaos{rng: rand.New(rand.NewPCG(seed, 0))} }

// hit is true once in n times, until all is over.
func (c *chaos) hit(n int) bool { return !c.over.Load() && c.pick(n) == 0 }

func (c *chaos) pick(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rng.IntN(n)
}

// fault is an error or a panic, once in n times of each.
func (c *chaos) fault(n int) error {
	if c.hit(n) {
		panic(errChaos)
	}
	if c.hit(n) {
		return errChaos
	}
	return nil
}

// see learns the sessions' names from what they tell their mailboxes.
func (c *chaos) see(_ actors.Ref, sig actors.Signal) {
	if a, ok := sig.Msg.(*nodepb.Attach); ok && a.Epoch == 1 {
		c.mu.Lock()
		c.sessions = append(c.sessions, actors.RefOf(a.Session))
		c.mu.Unlock()
	}
}

// crash makes one actor crash: a lane if it is asked for, else a session or a mailbox. A nil where there is never one is enough.
func (c *chaos) crash(sys *actors.System, users []string, aLane bool) {
	switch i := c.pick(8); {
	case aLane:
		id := fmt.Sprint("mail-", c.pick(lane.DefaultMail))
		_ = sys.Answer(actors.Ref{Kind: lane.MailKind, ID: id}, (*lane.Append)(nil))
	case i < 2:
		c.mu.Lock()
		ref := actors.Ref{Kind: session.Kind, ID: "none", Node: sys.Node()}
		if n := len(c.sessions); n > 0 {
			ref = c.sessions[max(0, n-1-c.rng.IntN(20))]
		}
		c.mu.Unlock()
		_ = sys.Answer(ref, session.Stanza{})
	default:
		_ = sys.Answer(mailbox.Ref(ident.UserID(users[c.pick(len(users))])), (*lane.Committed)(nil))
	}
}

// shaky is a store that fails as chaos has it.
type shaky struct {
	store.Engine
	c *chaos
}

// Mail implements store.Engine.
func (s shaky) Mail() store.Mail { return shakyMail{s.Engine.Mail(), s.c} }

// Directory implements store.Engine.
func (s shaky) Directory() store.Directory { return shakyDirectory{s.Engine.Directory(), s.c} }

type shakyMail struct {
	store.Mail
	c *chaos
}

// Commit fails before or after it has done its work.
func (m shakyMail) Commit(b *store.Batch) (store.Result, error) {
	if err := m.c.fault(100); err != nil {
		return store.Result{}, err
	}
	r, err := m.Mail.Commit(b)
	if err == nil {
		err = m.c.fault(100)
	}
	return r, err
}

// Load implements store.Mail.
func (m shakyMail) Load(ctx context.Context, u ident.UserID, page store.Page) (*store.Mailbox, error) {
	if err := m.c.fault(50); err != nil {
		return nil, err
	}
	return m.Mail.Load(ctx, u, page)
}

// Read implements store.Mail.
func (m shakyMail) Read(ctx context.Context, u ident.UserID, ids []ident.MessageID) ([][]byte, error) {
	if err := m.c.fault(50); err != nil {
		return nil, err
	}
	return m.Mail.Read(ctx, u, ids)
}

type shakyDirectory struct {
	store.Directory
	c *chaos
}

// Accounts implements store.Directory.
func (d shakyDirectory) Accounts() store.Accounts { return shakyAccounts{d.Directory.Accounts(), d.c} }

type shakyAccounts struct {
	store.Accounts
	c *chaos
}

// Account fails a little more often than the rest, because it is seldom asked.
func (a shakyAccounts) Account(ctx context.Context, u ident.UserID) (*store.Profile, error) {
	if err := a.c.fault(20); err != nil {
		return nil, err
	}
	return a.Accounts.Account(ctx, u)
}
