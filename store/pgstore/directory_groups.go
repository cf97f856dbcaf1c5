package pgstore

import (
	"context"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

type groups struct{ *dirDB }

const groupColumns = `gid, owner, subject, settings, created, members, rev`

func scanGroup(row pgx.Row, g *store.Group) error {
	var gid, owner, subject []byte
	var created int64
	err := row.Scan(&gid, &owner, &subject, &g.Settings, &created, &g.Members, &g.Rev)
	g.ID, g.Owner, g.Subject = ident.GroupID(gid), ident.UserID(owner), string(subject)
	g.Settings, g.Created = orNil(g.Settings), store.FromMicros(created)
	return err
}

// Create implements store.Groups.
func (s groups) Create(g *store.Group, members []store.Member) error {
	if err := store.CheckID("group", string(g.ID)); err != nil {
		return err
	}
	if err := store.CheckMembers(members); err != nil {
		return err
	}
	return s.write(func(ctx context.Context, tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `INSERT INTO groups (`+groupColumns+`) VALUES ($1, $2, $3, $4, $5, 0, 1) ON CONFLICT DO NOTHING`,
			raw(g.ID), raw(g.Owner), raw(g.Subject), blob(g.Settings), store.Micros(g.Created))
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return store.ErrExists
		}
		return changeMembers(ctx, tx, g.ID, 1, nil, members)
	})
}

// Change implements store.Groups.
func (s groups) Change(gid ident.GroupID, rev uint64, c store.GroupChange) (uint64, error) {
	if err := store.CheckMembers(c.Put); err != nil {
		return 0, err
	}
	var owner, subject, settings []byte // nil changes nothing
	if c.Owner != nil {
		owner = raw(*c.Owner)
	}
	if c.Subject != nil {
		subject = raw(*c.Subject)
	}
	if c.Settings != nil {
		settings = blob(*c.Settings)
	}
	err := s.write(func(ctx context.Context, tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE groups SET rev = rev + 1, owner = coalesce($3, owner), subject = coalesce($4, subject),
			settings = coalesce($5, settings) WHERE gid = $1 AND rev = $2`, raw(gid), rev, owner, subject, settings)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return missed(tx.QueryRow(ctx, `SELECT rev FROM groups WHERE gid = $1 FOR SHARE`, raw(gid)), rev)
		}
		return changeMembers(ctx, tx, gid, rev+1, c.Remove, c.Put)
	})
	if err != nil {
		return 0, err
	}
	return rev + 1, nil
}

// changeMembers removes and puts members of a group whose row this transaction has changed, and so locked.
func changeMembers(ctx context.Context, tx pgx.Tx, gid ident.GroupID, rev uint64, remove []ident.UserID, put []store.Member) error {
	var delta int64
	if len(remove) > 0 {
		tag, err := tx.Exec(ctx, `DELETE FROM member WHERE gid = $1 AND user_id = ANY($2)`, raw(gid), raws(remove))
		if err != nil {
			return err
		}
		delta -= tag.RowsAffected()
	}
	if len(put) > 0 {
		roles := map[ident.UserID]string{} // of a user who is there twice the last one counts
		for _, m := range put {
			roles[m.User] = m.Role
		}
		users := slices.Sorted(maps.Keys(roles))
		list := make([]string, len(users))
		for i, u := range users {
			list[i] = roles[u]
		}
		// Who was a member has joined at an earlier revision, and keeps it.
		rows, err := tx.Query(ctx, `INSERT INTO member (gid, user_id, role, joined_rev)
			SELECT $1, s.u, s.r, $4 FROM unnest($2::bytea[], $3::bytea[]) AS s(u, r)
			ON CONFLICT (gid, user_id) DO UPDATE SET role = excluded.role RETURNING joined_rev`, raw(gid), raws(users), raws(list), rev)
		joined, err := collect(rows, err, func(r pgx.Rows, v *uint64) error { return r.Scan(v) })
		if err != nil {
			return err
		}
		for _, at := range joined {
			if at == rev {
				delta++
			}
		}
	}
	if delta == 0 {
		return nil
	}
	_, err := tx.Exec(ctx, `UPDATE groups SET members = members + $2 WHERE gid = $1`, raw(gid), delta)
	return err
}

// Group implements store.Groups.
func (s groups) Group(ctx context.Context, gid ident.GroupID) (*store.Group, error) {
	g := &store.Group{}
	err := s.read(ctx, func(q querier) error {
		return the(scanGroup(q.QueryRow(ctx, `SELECT `+groupColumns+` FROM groups WHERE gid = $1`, raw(gid)), g))
	})
	if err != nil {
		return nil, err
	}
	return g, nil
}

// Members implements store.Groups.
func (s groups) Members(ctx context.Context, gid ident.GroupID, after ident.UserID, limit int) (out []store.Member, err error) {
	err = s.read(ctx, func(q querier) error {
		rows, err := q.Query(ctx, `SELECT user_id, role, joined_rev FROM member WHERE gid = $1 AND user_id > $2 ORDER BY user_id LIMIT $3`,
			raw(gid), raw(after), max(limit, 1))
		out, err = collect(rows, err, func(r pgx.Rows, m *store.Member) error {
			var user, role []byte
			err := r.Scan(&user, &role, &m.JoinedRev)
			m.User, m.Role = ident.UserID(user), string(role)
			return err
		})
		return err
	})
	return out, err
}

// GroupsOf implements store.Groups.
func (s groups) GroupsOf(ctx context.Context, user ident.UserID, after ident.GroupID, limit int) (out []ident.GroupID, err error) {
	err = s.read(ctx, func(q querier) error {
		rows, err := q.Query(ctx, `SELECT gid FROM member WHERE user_id = $1 AND gid > $2 ORDER BY gid LIMIT $3`,
			raw(user), raw(after), max(limit, 1))
		out, err = collect(rows, err, id[ident.GroupID])
		return err
	})
	return out, err
}

// Delete implements store.Groups.
func (s groups) Delete(gid ident.GroupID, rev uint64) error {
	return s.write(func(ctx context.Context, tx pgx.Tx) error {
		var have uint64
		err := the(tx.QueryRow(ctx, `SELECT rev FROM groups WHERE gid = $1 FOR UPDATE`, raw(gid)).Scan(&have))
		if err == nil && have != rev {
			err = store.ErrRevision
		}
		if err != nil {
			return err
		}
		var unfinished bool
		err = tx.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM group_log WHERE gid = $1 AND done = 0)`, raw(gid)).Scan(&unfinished)
		if err == nil && unfinished {
			err = store.ErrUnfinished
		}
		if err != nil {
			return err
		}
		for _, table := range []string{"member", "group_log", "groups"} {
			if _, err := tx.Exec(ctx, `DELETE FROM `+table+` WHERE gid = $1`, raw(gid)); err != nil {
				return err
			}
		}
		return nil
	})
}
