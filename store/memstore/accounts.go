package memstore

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

// user is an account with its roster, blocks and devices.
type user struct {
	account   store.Account
	rosterRev uint64
	roster    map[ident.UserID]store.RosterItem
	blocks    map[string]bool
	devices   map[ident.DeviceID]store.Device
}

func newUser(a store.Account) *user {
	return &user{account: a, roster: map[ident.UserID]store.RosterItem{}, blocks: map[string]bool{},
		devices: map[ident.DeviceID]store.Device{}}
}

func (u *user) sortedDevices() []store.Device {
	var out []store.Device
	for _, id := range slices.Sorted(maps.Keys(u.devices)) {
		out = append(out, u.devices[id])
	}
	return out
}

func (u *user) sortedRoster() store.Roster {
	r := store.Roster{Rev: u.rosterRev}
	for _, contact := range slices.Sorted(maps.Keys(u.roster)) {
		r.Items = append(r.Items, cloneItem(u.roster[contact]))
	}
	return r
}

func cloneScram(s store.Scram) store.Scram {
	s.Salt, s.StoredKey, s.ServerKey = bytes.Clone(s.Salt), bytes.Clone(s.StoredKey), bytes.Clone(s.ServerKey)
	return s
}

func cloneAccount(a store.Account) store.Account {
	a.SHA1, a.SHA256 = cloneScram(a.SHA1), cloneScram(a.SHA256)
	a.Created = trim(a.Created)
	return a
}

func trim(t time.Time) time.Time { return store.FromMicros(store.Micros(t)) }

type accounts struct{ *Engine }

// Create implements store.Accounts.
func (s accounts) Create(a *store.Account) error {
	if err := store.CheckID("user", string(a.User)); err != nil {
		return err
	}
	if err := s.enter(true); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if s.mu.users[a.User] != nil {
		return store.ErrExists
	}
	s.put(a)
	return nil
}

func (s accounts) put(a *store.Account) (rev uint64) {
	c := cloneAccount(*a)
	if u := s.mu.users[a.User]; u != nil {
		c.Rev = u.account.Rev + 1
		u.account = c
		return c.Rev
	}
	c.Rev = 1
	s.mu.users[a.User] = newUser(c)
	return c.Rev
}

// Put implements store.Accounts.
func (s accounts) Put(list []store.Account) (created int, err error) {
	for i := range list {
		if err := store.CheckID("user", string(list[i].User)); err != nil {
			return 0, err
		}
	}
	if err := s.enter(true); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	for i := range list {
		if s.put(&list[i]) == 1 {
			created++
		}
	}
	return created, nil
}

// Update implements store.Accounts.
func (s accounts) Update(a *store.Account) (uint64, error) {
	if err := s.enter(false); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	u := s.mu.users[a.User]
	switch {
	case u == nil:
		return 0, store.ErrNotFound
	case u.account.Rev != a.Rev:
		return 0, store.ErrRevision
	}
	return s.put(a), nil
}

// Account implements store.Accounts.
func (s accounts) Account(_ context.Context, id ident.UserID) (*store.Profile, error) {
	if err := s.enter(false); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	u := s.mu.users[id]
	if u == nil {
		return nil, store.ErrNotFound
	}
	return u.profile(), nil
}

// profile is a copy of what there is about a user.
func (u *user) profile() *store.Profile {
	return &store.Profile{Account: cloneAccount(u.account), Roster: u.sortedRoster(), Blocks: sortedBlocks(u), Devices: u.sortedDevices()}
}

// List implements store.Accounts.
func (s accounts) List(_ context.Context, after ident.UserID, limit int) ([]store.Account, error) {
	if err := s.enter(false); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var out []store.Account
	for _, id := range slices.Sorted(maps.Keys(s.mu.users)) {
		if id > after && len(out) < max(limit, 1) {
			out = append(out, cloneAccount(s.mu.users[id].account))
		}
	}
	return out, nil
}

// Remove implements store.Accounts.
func (s accounts) Remove(id ident.UserID) error {
	if err := s.enter(false); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if s.mu.users[id] == nil && s.mu.mail[id] == nil && s.mu.members[id] == nil {
		return store.ErrNotFound
	}
	for gid := range s.mu.members[id] {
		g := s.mu.groups[gid]
		delete(g.members, id)
		g.Rev++
	}
	delete(s.mu.members, id)
	delete(s.mu.mail, id)
	delete(s.mu.users, id)
	return nil
}

// Export implements store.Accounts.
func (s accounts) Export(_ context.Context, id ident.UserID) (*store.Export, error) {
	if err := s.enter(false); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	u := s.mu.users[id]
	if u == nil {
		return nil, store.ErrNotFound
	}
	return &store.Export{Profile: *u.profile(), Groups: s.groupsOf(id)}, nil
}

type devices struct{ *Engine }

// Put implements store.Devices.
func (s devices) Put(id ident.UserID, d store.Device) (store.Device, error) {
	if err := store.CheckDevice(d.ID); err != nil {
		return store.Device{}, err
	}
	if err := s.enter(false); err != nil {
		return store.Device{}, err
	}
	defer s.mu.Unlock()
	u := s.mu.users[id]
	if u == nil {
		return store.Device{}, store.ErrNotFound
	}
	d.Logins = 1
	d.LastSeen = trim(d.LastSeen)
	if old, ok := u.devices[d.ID]; ok {
		d.Since, d.Logins = old.Since, old.Logins+1
	}
	u.devices[d.ID] = d
	return d, nil
}

// Seen implements store.Devices.
func (s devices) Seen(id ident.UserID, device ident.DeviceID, at time.Time) error {
	if err := s.enter(false); err != nil {
		return err
	}
	defer s.mu.Unlock()
	u := s.mu.users[id]
	if u == nil {
		return store.ErrNotFound
	}
	d, ok := u.devices[device]
	if !ok {
		return store.ErrNotFound
	}
	d.LastSeen = trim(at)
	u.devices[device] = d
	return nil
}

// Remove implements store.Devices.
func (s devices) Remove(id ident.UserID, device ident.DeviceID) error {
	if err := s.enter(false); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if u := s.mu.users[id]; u != nil {
		delete(u.devices, device)
	}
	return nil
}

// Devices implements store.Devices.
func (s devices) Devices(_ context.Context, id ident.UserID) ([]store.Device, error) {
	if err := s.enter(false); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	if u := s.mu.users[id]; u != nil {
		return u.sortedDevices(), nil
	}
	return nil, nil
}
