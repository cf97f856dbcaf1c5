package pebblestore

import (
	"bytes"
	"context"
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

// expiredScanMax is how many rows one page of Expired looks at.
const expiredScanMax = 10_000

// expiredWalk is one page of a walk.
type expiredWalk struct {
	now    int64
	limit  int
	looked int
	page   store.ExpiredPage
}

// Expired implements store.Mail. The cursor is the key of the last row that was looked at.
func (m mail) Expired(ctx context.Context, q store.ExpiredQuery) (store.ExpiredPage, error) {
	if err := m.enter(none); err != nil {
		return store.ExpiredPage{}, err
	}
	defer m.leave()
	w := &expiredWalk{now: m.o.Now().UnixMicro(), limit: max(q.Limit, 1)}
	it, err := m.db.NewIterWithContext(ctx, &pebble.IterOptions{LowerBound: []byte(tagMail), UpperBound: after([]byte(tagMail))})
	if err != nil {
		return store.ExpiredPage{}, m.wrap(err)
	}
	err = m.expired(ctx, it, w, q)
	if err = errors.Join(err, it.Close()); err != nil {
		return store.ExpiredPage{}, m.wrap(err)
	}
	return w.page, nil
}

func (m mail) expired(ctx context.Context, it *pebble.Iterator, w *expiredWalk, q store.ExpiredQuery) error {
	from := []byte(q.After)
	if len(from) > 0 {
		from = append(from, 0) // the least key after it
	}
	if q.Partitions == nil {
		_, err := m.expiredRange(ctx, it, w, from, nil)
		return err
	}
	for _, p := range q.Partitions {
		lower, upper := partitionRange(p)
		if bytes.Compare(upper, from) <= 0 {
			continue
		}
		if bytes.Compare(lower, from) < 0 {
			lower = from
		}
		if more, err := m.expiredRange(ctx, it, w, lower, upper); err != nil || !more {
			return err
		}
	}
	return nil
}

// expiredRange looks at the rows from lower on and below upper (nil = all that follow). It reports whether the page has
// room for more; if not, the page says where to go on.
func (m mail) expiredRange(ctx context.Context, it *pebble.Iterator, w *expiredWalk, lower, upper []byte) (bool, error) {
	if len(lower) == 0 {
		lower = []byte(tagMail)
	}
	for ok := it.SeekGE(lower); ok; ok = it.Next() {
		if upper != nil && bytes.Compare(it.Key(), upper) >= 0 {
			return true, nil
		}
		if err := ctx.Err(); err != nil {
			return false, err
		}
		v, err := it.ValueAndErr()
		if err != nil {
			return false, err
		}
		if expiry := rowExpiry(v); expiry != 0 && expiry <= w.now {
			row, err := m.expiredRow(it.Key(), v)
			if err != nil {
				return false, err
			}
			w.page.Rows = append(w.page.Rows, row)
		}
		if w.looked++; w.looked >= expiredScanMax || len(w.page.Rows) >= w.limit {
			w.page.Next = string(it.Key())
			return false, nil
		}
	}
	return true, it.Error()
}

// expiredRow reads a row with its acknowledgements.
func (m mail) expiredRow(key, v []byte) (store.ExpiredRow, error) {
	mailbox, id, err := splitMail(key)
	if err != nil {
		return store.ExpiredRow{}, err
	}
	row, sender, err := decodeRow(v)
	if err != nil {
		return store.ExpiredRow{}, err
	}
	row.ID, row.Sender = id, ident.UserID(sender)
	if m.acked.all || m.ackedLocked(mailbox) {
		prefix := appendAck(nil, mailbox, id)
		err = m.prefix(prefix, func(k, _ []byte) (bool, error) {
			row.Acked = append(row.Acked, ident.DeviceID(k[len(prefix):]))
			return true, nil
		})
	}
	return store.ExpiredRow{Mailbox: mailbox, Row: row}, err
}

// ackedLocked asks the set under its partition's lock.
func (m mail) ackedLocked(mailbox ident.UserID) bool {
	p := store.MailPartition(mailbox)
	m.mailMu[p].Lock()
	defer m.mailMu[p].Unlock()
	return m.acked.has(p, mailbox)
}
