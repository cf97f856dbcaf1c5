package pebblestore

import (
	"context"

	"github.com/cockroachdb/pebble/v2"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

type groups struct{ *Engine }

// group reads one group and reports whether there is one.
func (e *Engine) group(gid ident.GroupID) (g store.Group, there bool, err error) {
	there, err = e.get(single(tagGroup, string(gid)), func(v []byte) (err error) {
		g, err = decodeGroup(gid, v)
		return err
	})
	return g, there, err
}

func (e *Engine) member(gid ident.GroupID, user ident.UserID) (m store.Member, there bool, err error) {
	there, err = e.get(pair(tagMember, string(gid), string(user)), func(v []byte) (err error) {
		m, err = decodeMember(user, v)
		return err
	})
	return m, there, err
}

// Create implements store.Groups.
func (s groups) Create(g *store.Group, members []store.Member) error {
	if err := store.CheckID("group", string(g.ID)); err != nil {
		return err
	}
	if err := store.CheckMembers(members); err != nil {
		return err
	}
	return s.update(large, &s.groupMu, func(b *pebble.Batch) error {
		there, err := s.has(single(tagGroup, string(g.ID)))
		if err == nil && there {
			err = store.ErrExists
		}
		if err != nil {
			return err
		}
		n := *g
		n.Rev, n.Members = 1, 0
		return s.write(b, &n, store.GroupChange{Put: members})
	})
}

// Change implements store.Groups.
func (s groups) Change(gid ident.GroupID, rev uint64, c store.GroupChange) (uint64, error) {
	if err := store.CheckMembers(c.Put); err != nil {
		return 0, err
	}
	err := s.update(some, &s.groupMu, func(b *pebble.Batch) error {
		g, err := s.at(gid, rev)
		if err != nil {
			return err
		}
		g.Rev++
		if c.Owner != nil {
			g.Owner = *c.Owner
		}
		if c.Subject != nil {
			g.Subject = *c.Subject
		}
		if c.Settings != nil {
			g.Settings = *c.Settings
		}
		return s.write(b, &g, c)
	})
	if err != nil {
		return 0, err
	}
	return rev + 1, nil
}

// at returns a group if its revision is rev.
func (s groups) at(gid ident.GroupID, rev uint64) (store.Group, error) {
	g, there, err := s.group(gid)
	switch {
	case err != nil:
		return g, err
	case !there:
		return g, store.ErrNotFound
	case g.Rev != rev:
		return g, store.ErrRevision
	}
	return g, nil
}

// write stores a group of a new revision with the changes of its members.
func (s groups) write(b *pebble.Batch, g *store.Group, c store.GroupChange) error {
	left := map[ident.UserID]bool{}
	for _, user := range c.Remove {
		_, there, err := s.member(g.ID, user)
		if err != nil {
			return err
		}
		if !there || left[user] {
			continue
		}
		left[user] = true
		g.Members--
		if err := leave(b, g.ID, user); err != nil {
			return err
		}
	}
	put := map[ident.UserID]bool{}
	for _, m := range c.Put {
		old, there, err := s.member(g.ID, m.User)
		if err != nil {
			return err
		}
		m.JoinedRev = g.Rev
		switch {
		case there && !left[m.User]:
			m.JoinedRev = old.JoinedRev
		case !put[m.User]:
			g.Members++
		}
		put[m.User] = true
		if err := b.Set(pair(tagMember, string(g.ID), string(m.User)), encodeMember(&m), nil); err != nil {
			return err
		}
		if err := b.Set(pair(tagJoined, string(m.User), string(g.ID)), nil, nil); err != nil {
			return err
		}
	}
	return b.Set(single(tagGroup, string(g.ID)), encodeGroup(g), nil)
}

func leave(b *pebble.Batch, gid ident.GroupID, user ident.UserID) error {
	if err := b.Delete(pair(tagMember, string(gid), string(user)), nil); err != nil {
		return err
	}
	return b.Delete(pair(tagJoined, string(user), string(gid)), nil)
}

// Group implements store.Groups.
func (s groups) Group(_ context.Context, gid ident.GroupID) (*store.Group, error) {
	if err := s.enter(none); err != nil {
		return nil, err
	}
	defer s.leave()
	g, there, err := s.group(gid)
	if err == nil && !there {
		err = store.ErrNotFound
	}
	if err != nil {
		return nil, s.wrap(err)
	}
	return &g, nil
}

// page passes to each the entries of an owner whose names come after from, until it has had limit of them.
func (s groups) page(ctx context.Context, tag, owner, from string, limit int, each func(name, v []byte) error) error {
	if err := s.enter(none); err != nil {
		return err
	}
	defer s.leave()
	p := pair(tag, owner, "")
	lower := p
	if from != "" {
		lower = append(pair(tag, owner, from), 0)
	}
	n := 0
	return s.wrap(s.scan(lower, after(p), func(k, v []byte) (bool, error) {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		n++
		return n < max(limit, 1), each(k[len(p):], v)
	}))
}

// Members implements store.Groups.
func (s groups) Members(ctx context.Context, gid ident.GroupID, from ident.UserID, limit int) ([]store.Member, error) {
	var out []store.Member
	err := s.page(ctx, tagMember, string(gid), string(from), limit, func(name, v []byte) error {
		m, err := decodeMember(ident.UserID(name), v)
		out = append(out, m)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// GroupsOf implements store.Groups.
func (s groups) GroupsOf(ctx context.Context, user ident.UserID, from ident.GroupID, limit int) ([]ident.GroupID, error) {
	var out []ident.GroupID
	err := s.page(ctx, tagJoined, string(user), string(from), limit, func(name, _ []byte) error {
		out = append(out, ident.GroupID(name))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Delete implements store.Groups.
func (s groups) Delete(gid ident.GroupID, rev uint64) error {
	return s.update(none, &s.groupMu, func(b *pebble.Batch) error {
		if _, err := s.at(gid, rev); err != nil {
			return err
		}
		unfinished, err := s.unfinished(gid)
		if err == nil && unfinished {
			err = store.ErrUnfinished
		}
		if err != nil {
			return err
		}
		p := pair(tagMember, string(gid), "")
		err = s.deletePrefix(b, p, func(k []byte) error {
			return b.Delete(pair(tagJoined, string(k[len(p):]), string(gid)), nil)
		})
		if err != nil {
			return err
		}
		if err := s.deletePrefix(b, pair(tagLog, string(gid), ""), nil); err != nil {
			return err
		}
		return b.Delete(single(tagGroup, string(gid)), nil)
	})
}
