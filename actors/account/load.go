package account

import (
	"context"
	"errors"
	"time"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/store"
)

// snapshot is an account as the store has it; account is nil if there is none.
type snapshot struct {
	account *store.Account
	roster  store.Roster
}

// load reads the account with its roster, at activation and whenever the store knows better. What comes meanwhile waits.
func (st *state) load(fx *effects) {
	st.loading, st.loadAt = true, time.Time{}
	user := st.user
	fx.store = func(e store.Engine) (any, error) {
		a, r, err := e.Directory().Accounts().Account(context.Background(), user)
		if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrInvalid) {
			return &snapshot{}, nil
		}
		return &snapshot{account: a, roster: r}, err
	}
}

// loaded takes what was read, and goes on with the change under way and with what came meanwhile.
func (st *state) loaded(fx *effects, s *snapshot, err error) {
	if err != nil || s == nil {
		st.loadAt = fx.now.Add(retryTime)
		return
	}
	switch {
	case st.exists && s.account == nil:
		st.removed(fx)
	case st.known && !st.exists && s.account != nil:
		st.created(fx, s)
	default:
		st.adopt(s)
	}
	st.loading, st.known = false, true
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
	st.exists, st.account, st.rev, st.contacts, st.digest = s.account != nil, store.Account{}, 0, nil, emptyRoster
	if s.account == nil {
		return
	}
	st.account, st.rev = *s.account, s.roster.Rev
	st.contacts = make(map[ident.UserID]*contact, len(s.roster.Items))
	for _, item := range s.roster.Items {
		c := contactOf(item)
		st.contacts[item.Contact] = c
		st.digest ^= c.digest()
	}
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
