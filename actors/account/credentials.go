package account

import (
	"bytes"
	"context"
	"errors"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/actors/mailbox"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/store"
)

// credentials is what checks the user's password. A disabled account looks like none.
func (st *state) credentials(now time.Time) *nodepb.Credentials {
	c := &nodepb.Credentials{WaitMs: uint32(st.throttle.wait(now).Milliseconds())}
	if st.exists && !st.account.Disabled {
		c.Known, c.Sha1, c.Sha256 = true, scramOut(st.account.SHA1), scramOut(st.account.SHA256)
	}
	return c
}

func scramOut(s store.Scram) *nodepb.Scram {
	if len(s.StoredKey) == 0 {
		return nil
	}
	return &nodepb.Scram{Salt: s.Salt, Iterations: uint32(s.Iterations), StoredKey: s.StoredKey, ServerKey: s.ServerKey}
}

func scramIn(s *nodepb.Scram) store.Scram {
	return store.Scram{Salt: s.GetSalt(), Iterations: int(s.GetIterations()), StoredKey: s.GetStoredKey(), ServerKey: s.GetServerKey()}
}

// sameKeys reports whether two accounts have the same password data.
func sameKeys(a, b *store.Account) bool {
	return bytes.Equal(a.SHA1.StoredKey, b.SHA1.StoredKey) && bytes.Equal(a.SHA256.StoredKey, b.SHA256.StoredKey) &&
		bytes.Equal(a.SHA1.Salt, b.SHA1.Salt) && bytes.Equal(a.SHA256.Salt, b.SHA256.Salt)
}

func changedTo(code nodepb.Code) *nodepb.AccountChanged { return &nodepb.AccountChanged{Code: code} }

// create makes the account. What a holder of the name may have left behind, after a removal that was interrupted, goes
// first: nobody inherits mail.
func (st *state) create(req *nodepb.CreateAccount, now time.Time) (*work, proto.Message) {
	a := store.Account{User: st.user, SHA1: scramIn(req.GetSha1()), SHA256: scramIn(req.GetSha256()), Created: now}
	switch {
	case st.exists:
		return nil, changedTo(nodepb.Code_ALREADY_EXISTS)
	case len(a.SHA1.StoredKey) == 0 && len(a.SHA256.StoredKey) == 0:
		return nil, changedTo(nodepb.Code_BAD_REQUEST)
	}
	return &work{
		write: func(e store.Engine) (any, error) {
			accounts := e.Directory().Accounts()
			_, err := accounts.Account(context.Background(), a.User)
			if err == nil {
				return nil, store.ErrExists
			}
			if !errors.Is(err, store.ErrNotFound) {
				return nil, err
			}
			if err := accounts.Remove(a.User); err != nil && !errors.Is(err, store.ErrNotFound) {
				return nil, err
			}
			made := a
			return uint64(1), accounts.Create(&made)
		},
		commit: func(fx *effects, v any) proto.Message {
			if a.Rev = v.(uint64); !st.exists {
				st.created(fx, &snapshot{&store.Profile{Account: a}})
			}
			return changedTo(nodepb.Code_OK)
		},
		happened: func() (any, bool) { return st.account.Rev, st.exists && sameKeys(&st.account, &a) },
	}, nil
}

// created makes a new account visible, to its mailbox too.
func (st *state) created(fx *effects, s *snapshot) {
	st.adopt(s)
	fx.cast(cast{mailbox.Ref(st.user), &nodepb.MailboxChange{What: nodepb.MailboxChange_CREATED, ContactsAdded: st.visible()}})
}

// setPassword replaces what checks the password.
func (st *state) setPassword(req *nodepb.SetPassword) (*work, proto.Message) {
	a := st.account
	a.SHA1, a.SHA256 = scramIn(req.GetSha1()), scramIn(req.GetSha256())
	switch {
	case !st.exists:
		return nil, changedTo(nodepb.Code_NO_SUCH_USER)
	case len(a.SHA1.StoredKey) == 0 && len(a.SHA256.StoredKey) == 0:
		return nil, changedTo(nodepb.Code_BAD_REQUEST)
	}
	return &work{
		write: func(e store.Engine) (any, error) {
			next := a
			return e.Directory().Accounts().Update(&next)
		},
		commit: func(_ *effects, v any) proto.Message {
			st.account = a
			st.account.Rev = v.(uint64)
			return changedTo(nodepb.Code_OK)
		},
		happened: func() (any, bool) { return st.account.Rev, st.exists && sameKeys(&st.account, &a) },
	}, nil
}

// removal removes the account with all that it owns. It is tried for an account that is not there, too: it completes a
// removal that was interrupted.
func (st *state) removal() *work {
	existed, user := st.exists, st.user
	w := &work{
		write: func(e store.Engine) (any, error) {
			err := e.Directory().Accounts().Remove(user)
			if existed && errors.Is(err, store.ErrNotFound) {
				err = nil // an earlier try did it
			}
			return nil, err
		},
		commit: func(fx *effects, _ any) proto.Message {
			st.removed(fx)
			return changedTo(nodepb.Code_OK)
		},
		happened: func() (any, bool) { return nil, !st.exists },
	}
	if !existed {
		w.gone = changedTo(nodepb.Code_NO_SUCH_USER)
	}
	return w
}

// removed tells everybody that the account is no more: its sessions, its mailbox, and the contacts that had to do with it,
// in the words of one who has removed them from the roster (RFC 6121 section 2.5.2).
func (st *state) removed(fx *effects) {
	st.part()
	fx.cast(st.endAll("not-authorized", removedText, fx.now)...)
	fx.cast(cast{mailbox.Ref(st.user), &nodepb.MailboxChange{What: nodepb.MailboxChange_REMOVED}})
	for jid, c := range st.contacts {
		if st.isLocal(jid) {
			for _, t := range c.farewell() {
				fx.cast(st.ends(jid, t))
			}
		}
	}
	st.adopt(&snapshot{})
}
