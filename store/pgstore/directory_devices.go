package pgstore

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

type devices struct{ *dirDB }

const deviceColumns = `id, name, since, last_seen, logins`

func scanDevice(row pgx.Row, d *store.Device) error {
	var id, name []byte
	var seen int64
	err := row.Scan(&id, &name, &d.Since, &seen, &d.Logins)
	d.ID, d.Name, d.LastSeen = ident.DeviceID(id), string(name), store.FromMicros(seen)
	return err
}

// readDevices reads the devices of a user.
func readDevices(ctx context.Context, q querier, user ident.UserID) ([]store.Device, error) {
	rows, err := q.Query(ctx, `SELECT `+deviceColumns+` FROM device WHERE user_id = $1 ORDER BY id`, raw(user))
	return collect(rows, err, func(r pgx.Rows, d *store.Device) error { return scanDevice(r, d) })
}

// Put implements store.Devices.
func (s devices) Put(user ident.UserID, d store.Device) (store.Device, error) {
	if err := store.CheckDevice(d.ID); err != nil {
		return store.Device{}, err
	}
	seen := store.Micros(d.LastSeen)
	out := d
	out.LastSeen = store.FromMicros(seen)
	err := s.write(func(ctx context.Context, tx pgx.Tx) error {
		if err := lockAccount(ctx, tx, user); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `INSERT INTO device (user_id, id, name, since, last_seen, logins) VALUES ($1, $2, $3, $4, $5, 1)
			ON CONFLICT (user_id, id) DO UPDATE SET name = excluded.name, last_seen = excluded.last_seen, logins = device.logins + 1
			RETURNING since, logins`, raw(user), raw(d.ID), raw(d.Name), d.Since, seen).Scan(&out.Since, &out.Logins)
	})
	if err != nil {
		return store.Device{}, err
	}
	return out, nil
}

// Seen implements store.Devices. It waits neither for a disk nor for a standby: a lost change is one login's date.
func (s devices) Seen(user ident.UserID, id ident.DeviceID, at time.Time) error {
	return s.write(func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET LOCAL synchronous_commit = off`); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `UPDATE device SET last_seen = $3 WHERE user_id = $1 AND id = $2`, raw(user), raw(id), store.Micros(at))
		if err == nil && tag.RowsAffected() == 0 {
			err = store.ErrNotFound
		}
		return err
	})
}

// Remove implements store.Devices.
func (s devices) Remove(user ident.UserID, id ident.DeviceID) error {
	return s.write(func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `DELETE FROM device WHERE user_id = $1 AND id = $2`, raw(user), raw(id))
		return err
	})
}

// Devices implements store.Devices.
func (s devices) Devices(ctx context.Context, user ident.UserID) (out []store.Device, err error) {
	err = s.read(ctx, func(q querier) error {
		out, err = readDevices(ctx, q, user)
		return err
	})
	return out, err
}
