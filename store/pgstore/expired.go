package pgstore

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

// The bounds of one page of Expired.
const (
	expiredScanMax  = 10_000 // rows looked at
	expiredPartsMax = 512    // partitions looked at, most of which are empty in a small store
)

// expiredAhead is how far a database's clock may be ahead of the node's that asks. Beyond it that node is believed, with whose clock the
// others of its cluster agree: else all that waits would be over as soon as a database's clock jumps ahead.
const expiredAhead = time.Minute

// expiredPlace is where a walk goes on: behind a row, or at the start of a partition if there is no row.
type expiredPlace struct {
	part    ident.Partition
	mailbox ident.UserID
	id      ident.MessageID
}

func (a expiredPlace) String() string {
	return fmt.Sprintf("%d.%x.%s", a.part, string(a.mailbox), a.id)
}

// parsePlace reads a place back. What isn't one is refused: only pages make them.
func parsePlace(s string) (a expiredPlace, err error) {
	if s == "" {
		return a, nil
	}
	fields := strings.Split(s, ".")
	if len(fields) == 3 {
		part, err1 := strconv.ParseUint(fields[0], 10, 16)
		mailbox, err2 := hex.DecodeString(fields[1])
		id, err3 := hex.DecodeString(fields[2])
		if errors.Join(err1, err2, err3) == nil && len(id) == len(a.id) && part < ident.Partitions {
			return expiredPlace{ident.Partition(part), ident.UserID(mailbox), ident.MessageID(id)}, nil
		}
	}
	return a, fmt.Errorf("pgstore: %w: a place of a walk is %q", store.ErrInvalid, s)
}

// Expired implements store.Mail. It walks the partitions in their order, whatever shards they are in. The page that comes with an error goes
// on behind the partitions that could not be read: one database that is gone must not keep the walk from the others.
func (m mail) Expired(ctx context.Context, q store.ExpiredQuery) (store.ExpiredPage, error) {
	place, err := parsePlace(q.After)
	if err != nil {
		return store.ExpiredPage{}, err
	}
	if err := m.enter(); err != nil {
		return store.ExpiredPage{}, err
	}
	defer m.leave()
	parts := q.Partitions
	if parts == nil {
		parts = allPartitions()
	}
	first, _ := slices.BinarySearch(parts, place.part)
	w := expiredWalk{limit: max(q.Limit, 1), looks: expiredScanMax, shift: m.o.Shift().Microseconds(),
		latest: m.o.Clock().Add(expiredAhead).UnixMicro()}
	for rest := parts[first:]; len(rest) > 0; {
		if w.parts >= expiredPartsMax {
			w.page.Next = expiredPlace{part: rest[0]}.String()
			break
		}
		// The rest of a partition by itself, then as many as are in one shard.
		n, s := 1, m.shards[m.byPart[rest[0]]]
		if place.mailbox == "" || place.part != rest[0] {
			place = expiredPlace{}
			for n < len(rest) && n < expiredPartsMax && m.shards[m.byPart[rest[n]]] == s {
				n++
			}
		}
		if err := w.look(ctx, s, rest[:n], place); err != nil {
			if len(rest) > n {
				w.page.Next = expiredPlace{part: rest[n]}.String()
			}
			return w.page, fmt.Errorf("%s: %w", s.name, wrapSQL(err))
		}
		if w.page.Next != "" {
			break
		}
		w.parts += n
		rest, place = rest[n:], expiredPlace{}
	}
	return w.page, nil
}

func allPartitions() []ident.Partition {
	all := make([]ident.Partition, ident.Partitions)
	for i := range all {
		all[i] = ident.Partition(i)
	}
	return all
}

// expiredWalk is one page of a walk.
type expiredWalk struct {
	limit int // rows to return
	looks int // rows to look at
	parts int
	shift int64
	// latest is how late it may be, at most.
	latest int64
	page   store.ExpiredPage
}

// look looks at the rows of some partitions of one shard that are behind a place.
func (w *expiredWalk) look(ctx context.Context, s *shard, parts []ident.Partition, after expiredPlace) error {
	var list array
	list.int16s(len(parts))
	for _, p := range parts {
		list.int16(int16(p))
	}
	limit := w.limit - len(w.page.Rows)
	found := expiredRows{}
	err := s.query(ctx, func(p *pipe) {
		p.send(stExpired, found.row, list.buf, []byte(after.mailbox), after.id[:], int64Param(int64(w.looks)), int64Param(w.shift), int64Param(int64(limit)), int64Param(w.latest))
	})
	if err != nil {
		return err
	}
	if len(found.rows) > 0 {
		if err := s.query(ctx, func(p *pipe) { p.send(stExpiredAcks, found.ack, new(scratch).keys(found.keys)...) }); err != nil {
			return err
		}
	}
	w.page.Rows = append(w.page.Rows, found.rows...)
	switch n := len(found.rows); {
	case n == limit:
		k := found.keys[n-1]
		w.page.Next = expiredPlace{k.p, k.mailbox, k.id}.String()
	case found.last != (expiredPlace{}):
		w.page.Next = found.last.String()
	}
	return nil
}

// expiredRows reads the rows of stExpired and stExpiredAcks.
type expiredRows struct {
	reader rowReader
	rows   []store.ExpiredRow
	keys   []itemKey
	last   expiredPlace
	next   int
}

func (e *expiredRows) row(v [][]byte) error {
	mailbox := ident.UserID(v[1])
	p := store.MailPartition(mailbox)
	row, err := e.reader.decode(v[2:9])
	if err != nil {
		return err
	}
	if v[9][0] == 1 {
		e.last = expiredPlace{p, mailbox, row.ID}
		return nil
	}
	e.rows = append(e.rows, store.ExpiredRow{Mailbox: mailbox, Row: row})
	e.keys = append(e.keys, itemKey{p: p, mailbox: mailbox, id: row.ID})
	return nil
}

func (e *expiredRows) ack(v [][]byte) error {
	for ; e.next < len(e.keys); e.next++ {
		if k := e.keys[e.next]; string(k.mailbox) == string(v[0]) && string(k.id[:]) == string(v[1]) {
			e.rows[e.next].Acked = append(e.rows[e.next].Acked, ident.DeviceID(v[2]))
			return nil
		}
	}
	return nil
}
