package pebblestore

import (
	"context"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

type accounts struct{ *Engine }

// account reads one account and reports whether there is one.
func (e *Engine) account(user ident.UserID) (a store.Account, there bool, err error) {
	there, err = e.get(single(tagAccount, string(user)), func(v []byte) (err error) {
		a, err = decodeAccount(user, v)
		return err
	})
	return a, there, err
}

// need returns ErrNotFound if there is no such account.
func (e *Engine) need(user ident.UserID) error {
	there, err := e.has(single(tagAccount, string(user)))
	if err == nil && !there {
		err = store.ErrNotFound
	}
	return err
}

func setAccount(b *pebble.Batch, a store.Account, rev uint64) error {
	a.Rev = rev
	return b.Set(single(tagAccount, string(a.User)), encodeAccount(&a), nil)
}

// Create implements store.Accounts.
func (s accounts) Create(a *store.Account) error {
	if err := store.CheckID("user", string(a.User)); err != nil {
		return err
	}
	return s.update(large, &s.dirMu, func(b *pebble.Batch) error {
		there, err := s.has(single(tagAccount, string(a.User)))
		if err == nil && there {
			err = store.ErrExists
		}
		if err != nil {
			return err
		}
		return setAccount(b, *a, 1)
	})
}

// Put implements store.Accounts.
func (s accounts) Put(list []store.Account) (created int, err error) {
	for i := range list {
		if err := store.CheckID("user", string(list[i].User)); err != nil {
			return 0, err
		}
	}
	err = s.update(large, &s.dirMu, func(b *pebble.Batch) error {
		revs := make(map[ident.UserID]uint64, len(list))
		for _, a := range list {
			rev, seen := revs[a.User]
			if !seen {
				old, there, err := s.account(a.User)
				if err != nil {
					return err
				}
				if !there {
					created++
				}
				rev = old.Rev
			}
			revs[a.User] = rev + 1
			if err := setAccount(b, a, rev+1); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return created, nil
}

// Update implements store.Accounts.
func (s accounts) Update(a *store.Account) (rev uint64, err error) {
	err = s.update(some, &s.dirMu, func(b *pebble.Batch) error {
		old, there, err := s.account(a.User)
		switch {
		case err != nil:
			return err
		case !there:
			return store.ErrNotFound
		case old.Rev != a.Rev:
			return store.ErrRevision
		}
		rev = old.Rev + 1
		return setAccount(b, *a, rev)
	})
	if err != nil {
		return 0, err
	}
	return rev, nil
}

// Account implements store.Accounts.
func (s accounts) Account(_ context.Context, user ident.UserID) (*store.Profile, error) {
	if err := s.enter(none); err != nil {
		return nil, err
	}
	defer s.leave()
	p, err := s.profile(user)
	if err != nil {
		return nil, s.wrap(err)
	}
	return p, nil
}

// profile reads a user, or returns store.ErrNotFound.
func (e *Engine) profile(user ident.UserID) (*store.Profile, error) {
	a, there, err := e.account(user)
	switch {
	case err != nil:
		return nil, err
	case !there:
		return nil, store.ErrNotFound
	}
	p := &store.Profile{Account: a}
	if p.Roster, err = e.roster(user); err != nil {
		return nil, err
	}
	if p.Blocks, err = e.blocks(user); err != nil {
		return nil, err
	}
	if p.Devices, err = e.devices(user); err != nil {
		return nil, err
	}
	return p, nil
}

// List implements store.Accounts.
func (s accounts) List(ctx context.Context, from ident.UserID, limit int) ([]store.Account, error) {
	if err := s.enter(none); err != nil {
		return nil, err
	}
	defer s.leave()
	lower := []byte(tagAccount)
	if from != "" {
		lower = append(single(tagAccount, string(from)), 0)
	}
	var out []store.Account
	err := s.scan(lower, after([]byte(tagAccount)), func(k, v []byte) (bool, error) {
		a, err := decodeAccount(ident.UserID(k[len(tagAccount):]), v)
		if err == nil {
			err = ctx.Err()
		}
		out = append(out, a)
		return len(out) < max(limit, 1), err
	})
	if err != nil {
		return nil, s.wrap(err)
	}
	return out, nil
}

// Remove implements store.Accounts. The mail goes first and the account last, so that a removal which was interrupted
// finds the account again; but for a mailbox of more than purgeChunk rows it is all one batch.
func (s accounts) Remove(user ident.UserID) error {
	if err := store.CheckID("user", string(user)); err != nil {
		return err
	}
	found := false
	for {
		n := 0
		err := s.update(none, s.removalLocks(user), func(b *pebble.Batch) error {
			var err error
			if n, err = s.purge(b, user, purgeChunk); err != nil || n == purgeChunk {
				return err
			}
			if err := s.removeEntries(b, user); err != nil {
				return err
			}
			if b.Count() == 0 && !found {
				return store.ErrNotFound
			}
			return nil
		})
		if err != nil || n < purgeChunk {
			return err
		}
		found = true
	}
}

// removeEntries deletes what the directory has about a user.
func (s accounts) removeEntries(b *pebble.Batch, user ident.UserID) error {
	joined := pair(tagJoined, string(user), "")
	err := s.deletePrefix(b, joined, func(key []byte) error {
		gid := ident.GroupID(key[len(joined):])
		if err := b.Delete(pair(tagMember, string(gid), string(user)), nil); err != nil {
			return err
		}
		g, there, err := s.group(gid)
		if err != nil || !there {
			return err
		}
		g.Rev++
		g.Members--
		return b.Set(single(tagGroup, string(gid)), encodeGroup(&g), nil)
	})
	if err != nil {
		return err
	}
	for _, tag := range []string{tagRoster, tagBlock, tagDevice} {
		if err := s.deletePrefix(b, pair(tag, string(user), ""), nil); err != nil {
			return err
		}
	}
	there, err := s.has(single(tagAccount, string(user)))
	if err != nil || !there {
		return err
	}
	return b.Delete(single(tagAccount, string(user)), nil)
}

// removal locks all that a removal touches, in the order that doc.go gives.
type removal struct {
	e *Engine
	p ident.Partition
}

func (s accounts) removalLocks(user ident.UserID) removal {
	return removal{s.Engine, store.MailPartition(user)}
}

func (r removal) Lock() {
	r.e.dirMu.Lock()
	r.e.groupMu.Lock()
	r.e.mailMu[r.p].Lock()
}

func (r removal) Unlock() {
	r.e.mailMu[r.p].Unlock()
	r.e.groupMu.Unlock()
	r.e.dirMu.Unlock()
}

// Export implements store.Accounts.
func (s accounts) Export(_ context.Context, user ident.UserID) (*store.Export, error) {
	if err := s.enter(none); err != nil {
		return nil, err
	}
	defer s.leave()
	p, err := s.profile(user)
	if err != nil {
		return nil, s.wrap(err)
	}
	x := &store.Export{Profile: *p}
	joined := pair(tagJoined, string(user), "")
	err = s.prefix(joined, func(k, _ []byte) (bool, error) {
		x.Groups = append(x.Groups, ident.GroupID(k[len(joined):]))
		return true, nil
	})
	if err != nil {
		return nil, s.wrap(err)
	}
	return x, nil
}

type devices struct{ *Engine }

// device reads one device and reports whether there is one.
func (e *Engine) device(user ident.UserID, id ident.DeviceID) (d store.Device, there bool, err error) {
	there, err = e.get(pair(tagDevice, string(user), string(id)), func(v []byte) (err error) {
		d, err = decodeDevice(id, v)
		return err
	})
	return d, there, err
}

// devices reads all devices of a user.
func (e *Engine) devices(user ident.UserID) ([]store.Device, error) {
	var out []store.Device
	p := pair(tagDevice, string(user), "")
	err := e.prefix(p, func(k, v []byte) (bool, error) {
		d, err := decodeDevice(ident.DeviceID(k[len(p):]), v)
		out = append(out, d)
		return true, err
	})
	return out, err
}

// Put implements store.Devices.
func (s devices) Put(user ident.UserID, d store.Device) (store.Device, error) {
	if err := store.CheckDevice(d.ID); err != nil {
		return store.Device{}, err
	}
	err := s.update(some, &s.dirMu, func(b *pebble.Batch) error {
		if err := s.need(user); err != nil {
			return err
		}
		old, there, err := s.device(user, d.ID)
		if err != nil {
			return err
		}
		d.Logins = old.Logins + 1
		d.LastSeen = store.FromMicros(store.Micros(d.LastSeen))
		if there {
			d.Since = old.Since
		}
		return b.Set(pair(tagDevice, string(user), string(d.ID)), encodeDevice(&d), nil)
	})
	if err != nil {
		return store.Device{}, err
	}
	return d, nil
}

// Seen implements store.Devices. It is not flushed: a lost change is one login's date.
func (s devices) Seen(user ident.UserID, id ident.DeviceID, at time.Time) error {
	if err := s.enter(some); err != nil {
		return err
	}
	defer s.leave()
	s.dirMu.Lock()
	defer s.dirMu.Unlock()
	d, there, err := s.device(user, id)
	if err == nil && !there {
		err = store.ErrNotFound
	}
	if err != nil {
		return s.wrap(err)
	}
	d.LastSeen = at
	return s.wrap(s.db.Set(pair(tagDevice, string(user), string(id)), encodeDevice(&d), pebble.NoSync))
}

// Remove implements store.Devices.
func (s devices) Remove(user ident.UserID, id ident.DeviceID) error {
	return s.update(none, &s.dirMu, func(b *pebble.Batch) error {
		return b.Delete(pair(tagDevice, string(user), string(id)), nil)
	})
}

// Devices implements store.Devices.
func (s devices) Devices(_ context.Context, user ident.UserID) ([]store.Device, error) {
	if err := s.enter(none); err != nil {
		return nil, err
	}
	defer s.leave()
	out, err := s.devices(user)
	if err != nil {
		return nil, s.wrap(err)
	}
	return out, nil
}
