package pgstore

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

// directory is the Directory of an engine.
type directory struct{ *dirDB }

// Accounts implements store.Directory.
func (d directory) Accounts() store.Accounts { return accounts(d) }

// Rosters implements store.Directory.
func (d directory) Rosters() store.Rosters { return rosters(d) }

// Devices implements store.Directory.
func (d directory) Devices() store.Devices { return devices(d) }

// Groups implements store.Directory.
func (d directory) Groups() store.Groups { return groups(d) }

// raw makes a parameter of type bytea from an id or a text.
func raw[T ~string](s T) []byte { return []byte(s) }

// raws makes a parameter of type bytea[].
func raws[T ~string](list []T) [][]byte {
	out := make([][]byte, len(list))
	for i, s := range list {
		out[i] = []byte(s)
	}
	return out
}

// texts is the way back; nil if there are none.
func texts[T ~string](list [][]byte) []T {
	if len(list) == 0 {
		return nil
	}
	out := make([]T, len(list))
	for i, b := range list {
		out[i] = T(b)
	}
	return out
}

// blob makes a parameter of bytes that may be nil, which would be NULL.
func blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// orNil returns nil for no bytes, as all engines do.
func orNil(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

// the returns a row's error, with ErrNotFound if there is no row.
func the(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return store.ErrNotFound
	}
	return err
}

// collect reads all rows with scan, nil if there are none.
func collect[T any](rows pgx.Rows, err error, scan func(pgx.Rows, *T) error) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		var v T
		if err := scan(rows, &v); err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// id scans a row of one id.
func id[T ~string](rows pgx.Rows, v *T) error {
	var b []byte
	err := rows.Scan(&b)
	*v = T(b)
	return err
}

// lockAccount keeps an account from being removed until the transaction ends. ErrNotFound.
func lockAccount(ctx context.Context, tx pgx.Tx, user ident.UserID) error {
	var one int
	return the(tx.QueryRow(ctx, `SELECT 1 FROM account WHERE user_id = $1 FOR SHARE`, raw(user)).Scan(&one))
}
