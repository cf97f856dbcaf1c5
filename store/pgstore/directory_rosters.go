package pgstore

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

type rosters struct{ *dirDB }

const contactColumns = `contact, name, groups, listed, subscription, ask, pending_in, request, rev`

func scanContact(row pgx.Row, i *store.RosterItem) error {
	var contact, name []byte
	var groups [][]byte
	var subscription int16
	err := row.Scan(&contact, &name, &groups, &i.Listed, &subscription, &i.Ask, &i.PendingIn, &i.Request, &i.Rev)
	i.Contact, i.Name, i.Groups = ident.UserID(contact), string(name), texts[string](groups)
	i.Subscription, i.Request = store.Subscription(subscription)&store.SubscriptionBoth, orNil(i.Request)
	return err
}

// readBlocks reads a user's blocked addresses.
func readBlocks(ctx context.Context, q querier, user ident.UserID) ([]string, error) {
	rows, err := q.Query(ctx, `SELECT address FROM block WHERE user_id = $1 ORDER BY address`, raw(user))
	return collect(rows, err, id[string])
}

// change makes a change of a roster in a transaction in which the roster has gone from revision rev to the next.
func (s rosters) change(user ident.UserID, rev uint64, then func(ctx context.Context, tx pgx.Tx) error) (uint64, error) {
	err := s.write(func(ctx context.Context, tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE account SET roster_rev = roster_rev + 1 WHERE user_id = $1 AND roster_rev = $2`, raw(user), rev)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return missed(tx.QueryRow(ctx, `SELECT roster_rev FROM account WHERE user_id = $1 FOR SHARE`, raw(user)), rev)
		}
		return then(ctx, tx)
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
	return s.change(user, rev, func(ctx context.Context, tx pgx.Tx) error {
		return putItem(ctx, tx, user, &item, rev+1)
	})
}

// putItem inserts or replaces a roster item.
func putItem(ctx context.Context, tx pgx.Tx, user ident.UserID, i *store.RosterItem, rev uint64) error {
	_, err := tx.Exec(ctx, `INSERT INTO roster (user_id, `+contactColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (user_id, contact) DO UPDATE SET name = excluded.name, groups = excluded.groups, listed = excluded.listed,
		subscription = excluded.subscription, ask = excluded.ask, pending_in = excluded.pending_in, request = excluded.request, rev = excluded.rev`,
		raw(user), raw(i.Contact), raw(i.Name), raws(i.Groups), i.Listed, int16(i.Subscription), i.Ask, i.PendingIn, blob(i.Request), rev)
	return err
}

// RemoveItem implements store.Rosters.
func (s rosters) RemoveItem(user ident.UserID, rev uint64, contact ident.UserID) (uint64, error) {
	return s.change(user, rev, func(ctx context.Context, tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `DELETE FROM roster WHERE user_id = $1 AND contact = $2`, raw(user), raw(contact))
		if err == nil && tag.RowsAffected() == 0 {
			err = store.ErrNotFound
		}
		return err
	})
}

// SetBlocks implements store.Rosters.
func (s rosters) SetBlocks(user ident.UserID, add, remove []string) error {
	for _, b := range add {
		if err := store.CheckID("blocked address", b); err != nil {
			return err
		}
	}
	return s.write(func(ctx context.Context, tx pgx.Tx) error {
		if err := lockAccount(ctx, tx, user); err != nil {
			return err
		}
		if len(add) > 0 {
			if _, err := tx.Exec(ctx, `INSERT INTO block (user_id, address) SELECT $1, a FROM unnest($2::bytea[]) AS s(a) ORDER BY a
				ON CONFLICT DO NOTHING`, raw(user), raws(add)); err != nil {
				return err
			}
		}
		if len(remove) == 0 {
			return nil
		}
		_, err := tx.Exec(ctx, `DELETE FROM block WHERE user_id = $1 AND address = ANY($2)`, raw(user), raws(remove))
		return err
	})
}

// Blocks implements store.Rosters.
func (s rosters) Blocks(ctx context.Context, user ident.UserID) (out []string, err error) {
	err = s.read(ctx, func(q querier) error {
		out, err = readBlocks(ctx, q, user)
		return err
	})
	return out, err
}
