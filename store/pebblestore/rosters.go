package pebblestore

import (
	"context"
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

type rosters struct{ *Engine }

// roster reads a user's roster. The revision has the least key of its range.
func (e *Engine) roster(user ident.UserID) (store.Roster, error) {
	var r store.Roster
	p := pair(tagRoster, string(user), "")
	err := e.prefix(p, func(k, v []byte) (more bool, err error) {
		if len(k) == len(p) {
			r.Rev, err = decodeRev(v)
			return true, err
		}
		i, err := decodeItem(ident.UserID(k[len(p):]), v)
		r.Items = append(r.Items, i)
		return true, err
	})
	return r, err
}

// blocks reads a user's blocked addresses.
func (e *Engine) blocks(user ident.UserID) ([]string, error) {
	var out []string
	p := pair(tagBlock, string(user), "")
	err := e.prefix(p, func(k, _ []byte) (bool, error) {
		out = append(out, string(k[len(p):]))
		return true, nil
	})
	return out, err
}

// change runs build under the directory's lock if the account exists and its roster's revision is rev. It stores and
// returns the new revision, which build gets.
func (s rosters) change(g growth, user ident.UserID, rev uint64, build func(b *pebble.Batch, rev uint64) error) (uint64, error) {
	err := s.update(g, &s.dirMu, func(b *pebble.Batch) error {
		if err := s.need(user); err != nil {
			return err
		}
		have, key := uint64(0), pair(tagRoster, string(user), "")
		if _, err := s.get(key, func(v []byte) (err error) { have, err = decodeRev(v); return err }); err != nil {
			return err
		}
		if have != rev {
			return store.ErrRevision
		}
		if err := b.Set(key, encodeRev(rev+1), nil); err != nil {
			return err
		}
		return build(b, rev+1)
	})
	if err != nil {
		return 0, err
	}
	return rev + 1, nil
}

// SetItem implements store.Rosters.
func (s rosters) SetItem(user ident.UserID, rev uint64, item store.RosterItem) (uint64, error) {
	if err := store.CheckID("contact", string(item.Contact)); err != nil {
		return 0, err
	}
	return s.change(some, user, rev, func(b *pebble.Batch, rev uint64) error {
		item.Rev = rev
		return b.Set(pair(tagRoster, string(user), string(item.Contact)), encodeItem(&item), nil)
	})
}

// RemoveItem implements store.Rosters.
func (s rosters) RemoveItem(user ident.UserID, rev uint64, contact ident.UserID) (uint64, error) {
	if err := store.CheckID("contact", string(contact)); err != nil {
		return 0, err
	}
	return s.change(none, user, rev, func(b *pebble.Batch, _ uint64) error {
		key := pair(tagRoster, string(user), string(contact))
		there, err := s.has(key)
		if err == nil && !there {
			err = store.ErrNotFound
		}
		if err != nil {
			return err
		}
		return b.Delete(key, nil)
	})
}

// SetBlocks implements store.Rosters.
func (s rosters) SetBlocks(user ident.UserID, add, remove []string) error {
	for _, a := range add {
		if err := store.CheckID("blocked address", a); err != nil {
			return err
		}
	}
	g := none
	if len(add) > 0 {
		g = some
	}
	return s.update(g, &s.dirMu, func(b *pebble.Batch) error {
		if err := s.need(user); err != nil {
			return err
		}
		for _, a := range add {
			if err := b.Set(pair(tagBlock, string(user), a), nil, nil); err != nil {
				return err
			}
		}
		for _, a := range remove {
			if err := b.Delete(pair(tagBlock, string(user), a), nil); err != nil {
				return err
			}
		}
		return nil
	})
}

// Blocks implements store.Rosters.
func (s rosters) Blocks(_ context.Context, user ident.UserID) ([]string, error) {
	if err := s.enter(none); err != nil {
		return nil, err
	}
	defer s.leave()
	out, err := s.blocks(user)
	if err != nil {
		return nil, s.wrap(err)
	}
	return out, nil
}

// mailbox reads what a mailbox needs to know of its user.
func (e *Engine) mailbox(user ident.UserID) (*store.MailboxInfo, error) {
	p, err := e.profile(user)
	if errors.Is(err, store.ErrNotFound) {
		return &store.MailboxInfo{}, nil
	}
	if err != nil {
		return nil, err
	}
	return p.MailboxInfo(), nil
}
