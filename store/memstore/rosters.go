package memstore

import (
	"bytes"
	"context"
	"maps"
	"slices"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

type rosters struct{ *Engine }

// cloneItem copies an item; empty slices become nil, as in an engine that decodes them.
func cloneItem(i store.RosterItem) store.RosterItem {
	i.Groups = append([]string(nil), i.Groups...)
	i.Request = append([]byte(nil), i.Request...)
	return i
}

func sortedBlocks(u *user) []string { return slices.Sorted(maps.Keys(u.blocks)) }

// change returns the user if the roster's revision is rev.
func (s rosters) change(id ident.UserID, rev uint64) (*user, error) {
	u := s.mu.users[id]
	switch {
	case u == nil:
		return nil, store.ErrNotFound
	case u.rosterRev != rev:
		return nil, store.ErrRevision
	}
	return u, nil
}

// SetItem implements store.Rosters.
func (s rosters) SetItem(id ident.UserID, rev uint64, item store.RosterItem) (uint64, error) {
	if err := store.CheckID("contact", string(item.Contact)); err != nil {
		return 0, err
	}
	if err := s.enter(false); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	u, err := s.change(id, rev)
	if err != nil {
		return 0, err
	}
	u.rosterRev++
	item = cloneItem(item)
	item.Rev = u.rosterRev
	u.roster[item.Contact] = item
	return u.rosterRev, nil
}

// RemoveItem implements store.Rosters.
func (s rosters) RemoveItem(id ident.UserID, rev uint64, contact ident.UserID) (uint64, error) {
	if err := s.enter(false); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	u, err := s.change(id, rev)
	if err != nil {
		return 0, err
	}
	if _, ok := u.roster[contact]; !ok {
		return 0, store.ErrNotFound
	}
	delete(u.roster, contact)
	u.rosterRev++
	return u.rosterRev, nil
}

// SetBlocks implements store.Rosters.
func (s rosters) SetBlocks(id ident.UserID, add, remove []string) error {
	for _, b := range add {
		if err := store.CheckID("blocked address", b); err != nil {
			return err
		}
	}
	if err := s.enter(false); err != nil {
		return err
	}
	defer s.mu.Unlock()
	u := s.mu.users[id]
	if u == nil {
		return store.ErrNotFound
	}
	for _, b := range add {
		u.blocks[b] = true
	}
	for _, b := range remove {
		delete(u.blocks, b)
	}
	return nil
}

// Blocks implements store.Rosters.
func (s rosters) Blocks(_ context.Context, id ident.UserID) ([]string, error) {
	if err := s.enter(false); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	if u := s.mu.users[id]; u != nil {
		return sortedBlocks(u), nil
	}
	return nil, nil
}

// mailbox is what a mailbox needs to know of its user. The caller holds the lock.
func (e *Engine) mailbox(id ident.UserID) *store.MailboxInfo {
	switch u := e.mu.users[id]; {
	case e.apart:
		return nil
	case u == nil:
		return &store.MailboxInfo{}
	default:
		return u.profile().MailboxInfo()
	}
}

type groups struct{ *Engine }

// group is one group with its members.
type group struct {
	store.Group
	members map[ident.UserID]store.Member
}

// Create implements store.Groups.
func (s groups) Create(g *store.Group, members []store.Member) error {
	if err := store.CheckID("group", string(g.ID)); err != nil {
		return err
	}
	if err := store.CheckMembers(members); err != nil {
		return err
	}
	if err := s.enter(true); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if s.mu.groups[g.ID] != nil {
		return store.ErrExists
	}
	n := &group{Group: *g, members: map[ident.UserID]store.Member{}}
	n.Rev, n.Created, n.Settings = 1, trim(g.Created), append([]byte(nil), g.Settings...)
	s.mu.groups[g.ID] = n
	s.put(n, members)
	return nil
}

func (s groups) put(g *group, members []store.Member) {
	for _, m := range members {
		m.JoinedRev = g.Rev
		if old, ok := g.members[m.User]; ok {
			m.JoinedRev = old.JoinedRev
		}
		g.members[m.User] = m
		if s.mu.members[m.User] == nil {
			s.mu.members[m.User] = map[ident.GroupID]bool{}
		}
		s.mu.members[m.User][g.ID] = true
	}
}

func (s groups) leave(gid ident.GroupID, id ident.UserID) {
	delete(s.mu.members[id], gid)
	if len(s.mu.members[id]) == 0 {
		delete(s.mu.members, id)
	}
}

// Change implements store.Groups.
func (s groups) Change(gid ident.GroupID, rev uint64, c store.GroupChange) (uint64, error) {
	if err := store.CheckMembers(c.Put); err != nil {
		return 0, err
	}
	if err := s.enter(false); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	g := s.mu.groups[gid]
	switch {
	case g == nil:
		return 0, store.ErrNotFound
	case g.Rev != rev:
		return 0, store.ErrRevision
	}
	g.Rev++
	if c.Owner != nil {
		g.Owner = *c.Owner
	}
	if c.Subject != nil {
		g.Subject = *c.Subject
	}
	if c.Settings != nil {
		g.Settings = append([]byte(nil), *c.Settings...)
	}
	for _, id := range c.Remove {
		if _, ok := g.members[id]; ok {
			delete(g.members, id)
			s.leave(gid, id)
		}
	}
	s.put(g, c.Put)
	return g.Rev, nil
}

// Group implements store.Groups.
func (s groups) Group(_ context.Context, gid ident.GroupID) (*store.Group, error) {
	if err := s.enter(false); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	g := s.mu.groups[gid]
	if g == nil {
		return nil, store.ErrNotFound
	}
	c := g.Group
	c.Settings, c.Members = bytes.Clone(c.Settings), len(g.members)
	return &c, nil
}

// Members implements store.Groups.
func (s groups) Members(_ context.Context, gid ident.GroupID, after ident.UserID, limit int) ([]store.Member, error) {
	if err := s.enter(false); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var out []store.Member
	if g := s.mu.groups[gid]; g != nil {
		for _, id := range slices.Sorted(maps.Keys(g.members)) {
			if id > after && len(out) < max(limit, 1) {
				out = append(out, g.members[id])
			}
		}
	}
	return out, nil
}

// GroupsOf implements store.Groups.
func (s groups) GroupsOf(_ context.Context, id ident.UserID, after ident.GroupID, limit int) ([]ident.GroupID, error) {
	if err := s.enter(false); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var out []ident.GroupID
	for _, gid := range s.groupsOf(id) {
		if gid > after && len(out) < max(limit, 1) {
			out = append(out, gid)
		}
	}
	return out, nil
}

func (e *Engine) groupsOf(id ident.UserID) []ident.GroupID {
	return slices.Sorted(maps.Keys(e.mu.members[id]))
}

// Delete implements store.Groups.
func (s groups) Delete(gid ident.GroupID, rev uint64) error {
	if err := s.enter(false); err != nil {
		return err
	}
	defer s.mu.Unlock()
	g := s.mu.groups[gid]
	switch {
	case g == nil:
		return store.ErrNotFound
	case g.Rev != rev:
		return store.ErrRevision
	case s.unfinished(gid):
		return store.ErrUnfinished
	}
	for id := range g.members {
		s.leave(gid, id)
	}
	delete(s.mu.groups, gid)
	delete(s.mu.log, gid)
	return nil
}
