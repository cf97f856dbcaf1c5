package memstore

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

type mail struct{ *Engine }

// row is one stored message; acked are the devices that have acknowledged it.
type row struct {
	store.Row
	acked map[ident.DeviceID]bool
	body  []byte
}

func (r *row) index() store.Row {
	out := r.Row
	if len(r.acked) > 0 {
		out.Acked = slices.Sorted(maps.Keys(r.acked))
	}
	return out
}

// Commit implements store.Mail.
func (m mail) Commit(b *store.Batch) (store.Result, error) {
	if err := b.Validate(); err != nil {
		return store.Result{}, err
	}
	if err := m.enter(len(b.Appends) > 0); err != nil {
		return store.Result{}, err
	}
	defer m.mu.Unlock()
	var res store.Result
	for i := range b.Appends {
		if !m.append(&b.Appends[i]) {
			res.Duplicates = append(res.Duplicates, i)
		}
	}
	for i := range b.Acks {
		m.ack(&b.Acks[i])
	}
	return res, nil
}

func (m mail) append(a *store.Append) bool {
	rows := m.mu.mail[a.Mailbox]
	if rows == nil {
		rows = map[ident.MessageID]*row{}
		m.mu.mail[a.Mailbox] = rows
	}
	if rows[a.ID] != nil {
		return false
	}
	rows[a.ID] = &row{
		Row: store.Row{ID: a.ID, Ord: a.Ord, Sender: a.Sender, CSeq: a.CSeq, Size: len(a.Body),
			Expiry: store.ExpiryOf(m.now(), a.TTL), Flags: a.Flags},
		body: append([]byte{}, a.Body...),
	}
	return true
}

func (m mail) ack(a *store.Ack) {
	rows := m.mu.mail[a.Mailbox]
	r := rows[a.ID]
	switch {
	case r == nil:
	case a.Delete:
		delete(rows, a.ID)
		if len(rows) == 0 {
			delete(m.mu.mail, a.Mailbox)
		}
	default:
		if r.acked == nil {
			r.acked = map[ident.DeviceID]bool{}
		}
		r.acked[a.Device] = true
	}
}

// Load implements store.Mail.
func (m mail) Load(_ context.Context, mailbox ident.UserID, page store.Page) (*store.Mailbox, error) {
	if err := m.enter(false); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	out := &store.Mailbox{User: m.mailbox(mailbox)}
	for _, r := range m.mu.mail[mailbox] {
		out.Rows = append(out.Rows, r.index())
	}
	slices.SortFunc(out.Rows, store.CompareRows)
	for _, r := range out.Rows[:page.Of(out.Rows)] {
		out.Bodies = append(out.Bodies, append([]byte{}, m.mu.mail[mailbox][r.ID].body...))
	}
	return out, nil
}

// Read implements store.Mail.
func (m mail) Read(_ context.Context, mailbox ident.UserID, ids []ident.MessageID) ([][]byte, error) {
	if err := m.enter(false); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	out := make([][]byte, len(ids))
	for i, id := range ids {
		if r := m.mu.mail[mailbox][id]; r != nil {
			out[i] = append([]byte{}, r.body...)
		}
	}
	return out, nil
}

// Purge implements store.Mail.
func (m mail) Purge(mailbox ident.UserID) (int, error) {
	if err := m.enter(false); err != nil {
		return 0, err
	}
	defer m.mu.Unlock()
	n := len(m.mu.mail[mailbox])
	delete(m.mu.mail, mailbox)
	return n, nil
}

// Expired implements store.Mail. It sorts everything for each page, which is good enough here.
func (m mail) Expired(_ context.Context, q store.ExpiredQuery) (store.ExpiredPage, error) {
	if err := m.enter(false); err != nil {
		return store.ExpiredPage{}, err
	}
	defer m.mu.Unlock()
	now := m.now().UnixMicro()
	type found struct {
		key string
		store.ExpiredRow
	}
	var all []found
	for mailbox, rows := range m.mu.mail {
		p := store.MailPartition(mailbox)
		if _, ok := slices.BinarySearch(q.Partitions, p); !ok && q.Partitions != nil {
			continue
		}
		for id, r := range rows {
			key := string([]byte{byte(p >> 8), byte(p)}) + string(mailbox) + "\x00" + string(id[:])
			if r.Expiry != 0 && r.Expiry <= now && key > q.After {
				all = append(all, found{key, store.ExpiredRow{Mailbox: mailbox, Row: r.index()}})
			}
		}
	}
	slices.SortFunc(all, func(a, b found) int { return strings.Compare(a.key, b.key) })
	var page store.ExpiredPage
	for i, f := range all {
		if i == max(q.Limit, 1) {
			page.Next = all[i-1].key
			break
		}
		page.Rows = append(page.Rows, f.ExpiredRow)
	}
	return page, nil
}

type groupLog struct{ *Engine }

// entry is one entry of a group's log; done is when it was marked so, in microseconds, or 0.
type entry struct {
	store.GroupEntry
	done int64
}

// Commit implements store.GroupLog.
func (l groupLog) Commit(b *store.GroupBatch) ([]store.GroupOutcome, error) {
	if err := b.Validate(); err != nil {
		return nil, err
	}
	if err := l.enter(len(b.Appends) > 0); err != nil {
		return nil, err
	}
	defer l.mu.Unlock()
	out := make([]store.GroupOutcome, len(b.Appends))
	for i := range b.Appends {
		out[i] = l.append(&b.Appends[i])
	}
	for _, d := range b.Done {
		l.done(d)
	}
	return out, nil
}

func (l groupLog) append(a *store.GroupAppend) store.GroupOutcome {
	g := l.mu.groups[a.Group]
	switch {
	case l.mu.log[a.Group][a.ID] != nil:
		return store.GroupDuplicate
	case g == nil:
		return store.GroupNotFound
	case g.Rev != a.Rev:
		return store.GroupStaleRevision
	}
	if l.mu.log[a.Group] == nil {
		l.mu.log[a.Group] = map[ident.MessageID]*entry{}
	}
	l.mu.log[a.Group][a.ID] = &entry{GroupEntry: store.GroupEntry{ID: a.ID, Ord: a.Ord, Rev: a.Rev, Sender: a.Sender,
		Expiry: store.ExpiryOf(l.now(), a.TTL), Body: append([]byte{}, a.Body...)}}
	return store.GroupAppended
}

func (l groupLog) done(d store.GroupDone) {
	now := l.now()
	for _, id := range d.IDs {
		if e := l.mu.log[d.Group][id]; e != nil && e.done == 0 {
			e.done, e.Body = now.UnixMicro(), nil
		}
	}
	old := now.Add(-store.DoneKept).UnixMicro()
	maps.DeleteFunc(l.mu.log[d.Group], func(_ ident.MessageID, e *entry) bool { return e.done != 0 && e.done < old })
}

// Unfinished implements store.GroupLog.
func (l groupLog) Unfinished(_ context.Context, gid ident.GroupID, after store.GroupPlace, limit int) ([]store.GroupEntry, error) {
	if err := l.enter(false); err != nil {
		return nil, err
	}
	defer l.mu.Unlock()
	var out []store.GroupEntry
	for _, e := range l.mu.log[gid] {
		if e.done == 0 && (after == store.GroupPlace{} || store.ComparePlaces(store.GroupPlace{Ord: e.Ord, ID: e.ID}, after) > 0) {
			c := e.GroupEntry
			c.Body = bytes.Clone(c.Body)
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b store.GroupEntry) int {
		return cmp.Or(cmp.Compare(a.Ord, b.Ord), bytes.Compare(a.ID[:], b.ID[:]))
	})
	return out[:min(len(out), max(limit, 1))], nil
}

// Pending implements store.GroupLog.
func (l groupLog) Pending(_ context.Context, after ident.GroupID, limit int) ([]ident.GroupID, error) {
	if err := l.enter(false); err != nil {
		return nil, err
	}
	defer l.mu.Unlock()
	var out []ident.GroupID
	for gid := range l.mu.log {
		if gid > after && l.unfinished(gid) {
			out = append(out, gid)
		}
	}
	slices.Sort(out)
	return out[:min(len(out), max(limit, 1))], nil
}

func (e *Engine) unfinished(gid ident.GroupID) bool {
	for _, en := range e.mu.log[gid] {
		if en.done == 0 {
			return true
		}
	}
	return false
}
