package account

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/store"
)

// snapshot is an account as the store has it; profile is nil if there is none.
type snapshot struct{ profile *store.Profile }

// load reads the account with its roster, at activation and whenever the store knows better. What comes meanwhile waits.
func (st *state) load(fx *effects) {
	st.loading, st.again, st.loadAt = true, false, time.Time{}
	st.asOf(fx)
	user := st.user
	fx.store = func(e store.Engine) (any, error) {
		p, err := e.Directory().Accounts().Account(context.Background(), user)
		if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrInvalid) {
			return &snapshot{}, nil
		}
		return &snapshot{p}, err
	}
}

// loaded takes what was read, and goes on with the change under way and with what came meanwhile.
func (st *state) loaded(fx *effects, s *snapshot, err error) {
	switch failed := err != nil || s == nil; {
	case failed && st.again:
		st.unread(fx)
	case failed:
		st.loadAt = fx.now.Add(retryTime)
		return
	case st.exists && s.profile == nil:
		st.removed(fx)
	case st.known && !st.exists && s.profile != nil:
		st.created(fx, s)
	case st.another(s):
		st.succeeded(fx, s)
	default:
		st.learn(fx, s)
	}
	st.loading, st.again, st.known = false, false, true
	if w := st.work; w != nil {
		st.work = nil
		st.resume(fx, w)
	}
	st.next(fx)
	for !st.loading && len(st.stash) > 0 {
		m := st.stash[0]
		st.stash = st.stash[1:]
		st.handle(fx, m)
	}
	if len(st.stash) == 0 {
		st.stash = nil
	}
}

// adopt makes the store's view the state's.
func (st *state) adopt(s *snapshot) {
	p := s.profile
	if st.exists = p != nil; p == nil {
		p = &store.Profile{}
	}
	st.account, st.rev, st.contacts, st.blocks, st.devices, st.digest = p.Account, p.Roster.Rev, nil, p.Blocks, p.Devices, emptyRoster
	if !st.exists {
		return
	}
	st.contacts = make(map[ident.UserID]*contact, len(p.Roster.Items))
	for _, item := range p.Roster.Items {
		c := contactOf(item)
		st.contacts[item.Contact] = c
		st.digest ^= c.digest()
	}
}

// visible are the contacts that clients see, in order.
func (st *state) visible() (list []string) {
	for jid, c := range st.contacts {
		if c.visible() {
			list = append(list, string(jid))
		}
	}
	slices.Sort(list)
	return list
}

// mailboxInfo is what the user's mailbox must know. It is told of what changes later (MailboxChange).
func (st *state) mailboxInfo() *nodepb.MailboxInfo {
	m := &nodepb.MailboxInfo{Exists: st.exists, Contacts: st.visible(), Blocks: st.blocks}
	for _, d := range st.devices {
		m.Devices = append(m.Devices, &nodepb.MailboxInfo_Device{Id: string(d.ID), Since: d.Since})
	}
	return m
}

// resume goes on with a change after the account was read again: it is done if an earlier try has done it, else decided
// anew.
func (st *state) resume(fx *effects, w *work) {
	if w.unknown {
		if v, yes := w.happened(); yes {
			fx.answer(w.req, w.commit(fx, v))
			return
		}
	}
	tries := w.tries
	if tries >= maxTries {
		fx.answer(w.req, refusal(w.req.msg, nodepb.Code_LATER))
		return
	}
	st.begin(fx, w.req)
	if st.work != nil {
		st.work.tries = tries + 1
	}
}
