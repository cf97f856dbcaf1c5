package pgstore

import (
	"context"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

type accounts struct{ *dirDB }

const accountColumns = `user_id, rev, disabled, created, sha1_salt, sha1_iterations, sha1_stored, sha1_server,
	sha256_salt, sha256_iterations, sha256_stored, sha256_server`

func scanAccount(row pgx.Row, a *store.Account) error {
	var user []byte
	var created int64
	err := row.Scan(&user, &a.Rev, &a.Disabled, &created, &a.SHA1.Salt, &a.SHA1.Iterations, &a.SHA1.StoredKey, &a.SHA1.ServerKey,
		&a.SHA256.Salt, &a.SHA256.Iterations, &a.SHA256.StoredKey, &a.SHA256.ServerKey)
	a.User, a.Created = ident.UserID(user), store.FromMicros(created)
	for _, s := range []*store.Scram{&a.SHA1, &a.SHA256} {
		s.Salt, s.StoredKey, s.ServerKey = orNil(s.Salt), orNil(s.StoredKey), orNil(s.ServerKey)
	}
	return err
}

// accountArgs are the values of accountColumns.
func accountArgs(a *store.Account, rev uint64) []any {
	args := []any{raw(a.User), rev, a.Disabled, store.Micros(a.Created)}
	for _, s := range []*store.Scram{&a.SHA1, &a.SHA256} {
		args = append(args, blob(s.Salt), s.Iterations, blob(s.StoredKey), blob(s.ServerKey))
	}
	return args
}

const insertAccount = `INSERT INTO account (` + accountColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
	ON CONFLICT (user_id) DO `

// Create implements store.Accounts.
func (s accounts) Create(a *store.Account) error {
	if err := store.CheckID("user", string(a.User)); err != nil {
		return err
	}
	return s.write(func(ctx context.Context, tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, insertAccount+`NOTHING`, accountArgs(a, 1)...)
		if err == nil && tag.RowsAffected() == 0 {
			err = store.ErrExists
		}
		return err
	})
}

// upsertAccount is given how often the account is put as its revision, and returns the one that it gets.
const upsertAccount = insertAccount + `UPDATE SET rev = account.rev + excluded.rev, disabled = excluded.disabled, created = excluded.created,
	sha1_salt = excluded.sha1_salt, sha1_iterations = excluded.sha1_iterations,
	sha1_stored = excluded.sha1_stored, sha1_server = excluded.sha1_server,
	sha256_salt = excluded.sha256_salt, sha256_iterations = excluded.sha256_iterations,
	sha256_stored = excluded.sha256_stored, sha256_server = excluded.sha256_server
	RETURNING rev`

// Put implements store.Accounts.
func (s accounts) Put(list []store.Account) (created int, err error) {
	last, times := map[ident.UserID]*store.Account{}, map[ident.UserID]uint64{}
	for i := range list {
		if err := store.CheckID("user", string(list[i].User)); err != nil {
			return 0, err
		}
		last[list[i].User] = &list[i]
		times[list[i].User]++
	}
	if len(list) == 0 {
		return 0, nil
	}
	err = s.write(func(ctx context.Context, tx pgx.Tx) error {
		created = 0
		b := &pgx.Batch{}
		for _, user := range slices.Sorted(maps.Keys(last)) { // one order for all, so that two imports can't lock each other out
			n := times[user]
			b.Queue(upsertAccount, accountArgs(last[user], n)...).QueryRow(func(row pgx.Row) error {
				var rev uint64
				err := row.Scan(&rev)
				if rev == n {
					created++
				}
				return err
			})
		}
		return tx.SendBatch(ctx, b).Close()
	})
	if err != nil {
		return 0, err
	}
	return created, nil
}

// Update implements store.Accounts.
func (s accounts) Update(a *store.Account) (rev uint64, err error) {
	err = s.write(func(ctx context.Context, tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `UPDATE account SET (`+accountColumns+`) = ($1, rev + 1, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
			WHERE user_id = $1 AND rev = $2 RETURNING rev`, accountArgs(a, a.Rev)...).Scan(&rev)
		if err = the(err); err == store.ErrNotFound {
			return missed(tx.QueryRow(ctx, `SELECT rev FROM account WHERE user_id = $1 FOR SHARE`, raw(a.User)), a.Rev)
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	return rev, nil
}

// missed returns why a change from a known revision found nothing to change, by a second look at the entry's revision, which locks it.
func missed(row pgx.Row, rev uint64) error {
	var now uint64
	err := the(row.Scan(&now))
	switch {
	case err != nil:
		return err
	case now == rev: // made since the first look, perhaps in the place of one that was removed
		return errLooked
	}
	return store.ErrRevision
}

// Account implements store.Accounts.
func (s accounts) Account(ctx context.Context, user ident.UserID) (p *store.Profile, err error) {
	err = s.read(ctx, func(q querier) error {
		p, err = readProfile(ctx, q, user)
		return err
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// List implements store.Accounts.
func (s accounts) List(ctx context.Context, after ident.UserID, limit int) (out []store.Account, err error) {
	err = s.read(ctx, func(q querier) error {
		rows, err := q.Query(ctx, `SELECT `+accountColumns+` FROM account WHERE user_id > $1 ORDER BY user_id LIMIT $2`, raw(after), max(limit, 1))
		out, err = collect(rows, err, func(r pgx.Rows, a *store.Account) error { return scanAccount(r, a) })
		return err
	})
	return out, err
}

// Remove implements store.Accounts. Mail and directory are different databases, so it is three steps: the mail, so that an
// interrupted removal finds the account again; the directory, in one transaction; and once more the mail, for what came
// while the account still was there. Interrupted before the last, it leaves mail without an account, which a repetition
// finds, and reconciliation too.
func (s accounts) Remove(user ident.UserID) error {
	if err := store.CheckID("user", string(user)); err != nil {
		return err
	}
	if err := s.enter(true); err != nil { // before anything is gone
		return err
	}
	s.leave()
	found, err := s.purge(user)
	if err != nil {
		return err
	}
	err = s.write(func(ctx context.Context, tx pgx.Tx) error {
		n, err := removeEntries(ctx, tx, user)
		found += n
		return err
	})
	if err != nil {
		return err
	}
	rest, err := s.purge(user)
	if err == nil && found+rest == 0 {
		err = store.ErrNotFound
	}
	return err
}

// removeEntries deletes what the directory has about a user and says how many entries that were.
func removeEntries(ctx context.Context, tx pgx.Tx, user ident.UserID) (int, error) {
	// The order of locks of all changes of groups: groups first, ascending, then members.
	if _, err := tx.Exec(ctx, `SELECT 1 FROM groups WHERE gid IN (SELECT gid FROM member WHERE user_id = $1) ORDER BY gid FOR UPDATE`, raw(user)); err != nil {
		return 0, err
	}
	rows, err := tx.Query(ctx, `DELETE FROM member WHERE user_id = $1 RETURNING gid`, raw(user))
	left, err := collect(rows, err, id[ident.GroupID])
	if err != nil {
		return 0, err
	}
	if len(left) > 0 {
		if _, err := tx.Exec(ctx, `UPDATE groups SET rev = rev + 1, members = members - 1 WHERE gid = ANY($1)`, raws(left)); err != nil {
			return 0, err
		}
	}
	n := len(left)
	for _, table := range []string{"account", "device", "roster", "block"} { // the account first: changes of the others lock it
		tag, err := tx.Exec(ctx, `DELETE FROM `+table+` WHERE user_id = $1`, raw(user))
		if err != nil {
			return 0, err
		}
		n += int(tag.RowsAffected())
	}
	return n, nil
}

// Export implements store.Accounts. All of it is of one moment.
func (s accounts) Export(ctx context.Context, user ident.UserID) (*store.Export, error) {
	x := &store.Export{}
	err := s.readAtOnce(ctx, func(tx pgx.Tx) error {
		p, err := readProfile(ctx, tx, user)
		if err != nil {
			return err
		}
		x.Profile = *p
		rows, err := tx.Query(ctx, `SELECT gid FROM member WHERE user_id = $1 ORDER BY gid`, raw(user))
		x.Groups, err = collect(rows, err, id[ident.GroupID])
		return err
	})
	if err != nil {
		return nil, err
	}
	return x, nil
}
