package pebblestore

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"math/bits"
	"slices"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

type mail struct{ *Engine }

// rowKey names one row of one mailbox.
type rowKey struct {
	mailbox ident.UserID
	id      ident.MessageID
}

// mailScratch is the memory of one Commit, used again by the next.
type mailScratch struct {
	appended map[rowKey]struct{} // rows that this batch inserts; this and the next only if it holds partial acks
	deleted  map[rowKey]struct{} // rows that this batch deletes
	keys     []byte              // of the appends, one after the other
	order    []placed            // where in keys
	key      []byte
	value    []byte
	parts    []ident.Partition // of the appends, then of the acks
	locks    partitionSet
	rows     rowFinder
}

// placed is the key of one append: keys[from:to].
type placed struct{ from, to, i int }

func newMailScratch() *mailScratch {
	return &mailScratch{appended: map[rowKey]struct{}{}, deleted: map[rowKey]struct{}{}}
}

func (s *mailScratch) reset() {
	clear(s.appended)
	clear(s.deleted)
	s.keys, s.order, s.parts = s.keys[:0], s.order[:0], s.parts[:0]
	s.locks = partitionSet{}
}

// Commit implements store.Mail.
func (m mail) Commit(b *store.Batch) (store.Result, error) {
	var res store.Result
	if err := b.Validate(); err != nil {
		return res, err
	}
	g := none
	if len(b.Appends) > 0 {
		g = large
	}
	if err := m.enter(g); err != nil {
		return res, err
	}
	defer m.leave()
	s := m.scratch.Get().(*mailScratch)
	defer m.scratch.Put(s)
	s.reset()
	size := 0
	for i := range b.Appends {
		a := &b.Appends[i]
		s.parts = append(s.parts, s.locks.add(a.Mailbox))
		size += len(a.Body) + 2*len(a.Mailbox) + len(a.Sender) + 100
	}
	for i := range b.Acks {
		s.parts = append(s.parts, s.locks.add(b.Acks[i].Mailbox))
		size += 2*len(b.Acks[i].Mailbox) + 60
	}
	batch := m.db.NewBatchWithSize(size)
	err := m.apply(batch, b, s, &res)
	switch {
	case err != nil:
		_ = batch.Close() // nothing was applied
	case len(b.Appends) > 0:
		err = syncWait(batch)
	default:
		err = batch.Close()
	}
	if err != nil {
		return store.Result{}, m.wrap(err)
	}
	return res, nil
}

// apply builds the batch and makes it visible, under the locks of its partitions.
func (m mail) apply(batch *pebble.Batch, b *store.Batch, s *mailScratch, res *store.Result) (err error) {
	m.lockMail(&s.locks)
	defer m.unlockMail(&s.locks)
	defer func() { err = errors.Join(err, s.rows.close()) }()
	s.rows.db = m.db
	partial := slices.ContainsFunc(b.Acks, func(a store.Ack) bool { return !a.Delete })
	if err := m.appends(batch, b.Appends, s, partial, res); err != nil {
		return err
	}
	if err := m.acks(batch, b.Acks, s.parts[len(b.Appends):], partial, s); err != nil {
		return err
	}
	if len(b.Appends) > 0 {
		return applyNoWait(m.db, batch)
	}
	return batch.Commit(pebble.NoSync)
}

// appends adds the messages whose rows are not there to the batch: first all rows in the order of their keys, then all
// bodies, because both finding and inserting are cheaper next to where the last one was.
func (m mail) appends(batch *pebble.Batch, appends []store.Append, s *mailScratch, partial bool, res *store.Result) error {
	for i := range appends {
		from := len(s.keys)
		s.keys = append(appendMailbox(s.keys, tagMail, s.parts[i], appends[i].Mailbox), appends[i].ID[:]...)
		s.order = append(s.order, placed{from, len(s.keys), i})
	}
	slices.SortFunc(s.order, func(a, b placed) int {
		return cmp.Or(bytes.Compare(s.keys[a.from:a.to], s.keys[b.from:b.to]), cmp.Compare(a.i, b.i))
	})
	now := m.o.Now()
	fresh := s.order[:0] // overtaken by the loop, which reads each place before it is written
	var last []byte
	for _, p := range s.order {
		key, a := s.keys[p.from:p.to], &appends[p.i]
		there := bytes.Equal(key, last)
		if last = key; !there {
			var err error
			if there, err = s.rows.has(key); err != nil {
				return err
			}
		}
		if there {
			res.Duplicates = append(res.Duplicates, p.i)
			continue
		}
		fresh = append(fresh, p)
		if partial {
			s.appended[rowKey{a.Mailbox, a.ID}] = struct{}{}
		}
		s.value = encodeRow(s.value[:0], a, store.ExpiryOf(now, a.TTL))
		if err := batch.Set(key, s.value, nil); err != nil {
			return err
		}
	}
	slices.Sort(res.Duplicates)
	for _, p := range fresh {
		key := s.keys[p.from:p.to]
		copy(key, tagBody)
		if err := batch.Set(key, appends[p.i].Body, nil); err != nil {
			return err
		}
	}
	return nil
}

// rowFinder answers for one Commit which rows are there. It uses one iterator instead of single reads because only an
// iterator can be told to ask the bloom filters of the lowest level too, where nearly all rows are: most rows that are
// asked for are new, and without the filter each would cost the reading of a block.
type rowFinder struct {
	db *pebble.DB
	it *pebble.Iterator
}

// has reports whether a key is there. The first call opens the iterator, so it must be made under the locks of all
// partitions that are asked about.
func (f *rowFinder) has(key []byte) (bool, error) {
	if f.it == nil {
		it, err := f.db.NewIter(&pebble.IterOptions{LowerBound: mailLower, UpperBound: mailUpper, UseL6Filters: true})
		if err != nil {
			return false, err
		}
		f.it = it
	}
	if f.it.SeekPrefixGE(key) {
		return bytes.Equal(f.it.Key(), key), nil
	}
	return false, f.it.Error()
}

func (f *rowFinder) close() error {
	if f.it == nil {
		return nil
	}
	it := f.it
	f.it = nil
	return it.Close()
}

var mailLower, mailUpper = []byte(tagMail), after([]byte(tagMail))

// acks adds acknowledgements to the batch. A row that any of them deletes has no partial ones, whatever their order.
func (m mail) acks(batch *pebble.Batch, acks []store.Ack, parts []ident.Partition, partial bool, s *mailScratch) error {
	for i := range acks {
		a := &acks[i]
		if !a.Delete {
			continue
		}
		if partial {
			s.deleted[rowKey{a.Mailbox, a.ID}] = struct{}{}
		}
		if err := m.deleteRow(batch, a.Mailbox, a.ID, parts[i], s); err != nil {
			return err
		}
	}
	if !partial {
		return nil
	}
	for i := range acks {
		a := &acks[i]
		if _, gone := s.deleted[rowKey{a.Mailbox, a.ID}]; gone || a.Delete {
			continue
		}
		if err := m.partialAck(batch, a, parts[i], s); err != nil {
			return err
		}
	}
	return nil
}

// deleteRow deletes a row with its body, and its acknowledgements if the mailbox ever had any.
func (m mail) deleteRow(batch *pebble.Batch, mailbox ident.UserID, id ident.MessageID, p ident.Partition, s *mailScratch) error {
	s.key = append(appendMailbox(s.key[:0], tagMail, p, mailbox), id[:]...)
	if err := batch.Delete(s.key, nil); err != nil {
		return err
	}
	copy(s.key, tagBody)
	if err := batch.Delete(s.key, nil); err != nil {
		return err
	}
	if !m.acked.has(p, mailbox) {
		return nil
	}
	return m.prefix(appendAck(nil, mailbox, id), func(k, _ []byte) (bool, error) {
		return true, batch.Delete(k, nil)
	})
}

// partialAck keeps a device's acknowledgement with a row that stays.
func (m mail) partialAck(batch *pebble.Batch, a *store.Ack, p ident.Partition, s *mailScratch) error {
	if _, ok := s.appended[rowKey{a.Mailbox, a.ID}]; !ok {
		s.key = append(appendMailbox(s.key[:0], tagMail, p, a.Mailbox), a.ID[:]...)
		if there, err := s.rows.has(s.key); err != nil || !there {
			return err
		}
	}
	m.acked.add(p, a.Mailbox)
	s.key = append(appendAck(s.key[:0], a.Mailbox, a.ID), a.Device...)
	return batch.Set(s.key, nil, nil)
}

func (e *Engine) lockMail(set *partitionSet) {
	for w, word := range set {
		for ; word != 0; word &= word - 1 {
			e.mailMu[w*64+bits.TrailingZeros64(word)].Lock()
		}
	}
}

func (e *Engine) unlockMail(set *partitionSet) {
	for w, word := range set {
		for ; word != 0; word &= word - 1 {
			e.mailMu[w*64+bits.TrailingZeros64(word)].Unlock()
		}
	}
}

// Load implements store.Mail.
func (m mail) Load(ctx context.Context, mailbox ident.UserID, page store.Page) (*store.Mailbox, error) {
	if err := m.enter(none); err != nil {
		return nil, err
	}
	defer m.leave()
	out := &store.Mailbox{}
	var err error
	if out.User, err = m.mailbox(mailbox); err != nil {
		return nil, m.wrap(err)
	}
	if out.Rows, err = m.index(mailbox); err != nil {
		return nil, m.wrap(err)
	}
	slices.SortFunc(out.Rows, store.CompareRows)
	if n := page.Of(out.Rows); n > 0 {
		ids := make([]ident.MessageID, n)
		for i := range ids {
			ids[i] = out.Rows[i].ID
		}
		if out.Bodies, err = m.bodies(ctx, mailbox, ids); err != nil {
			return nil, m.wrap(err)
		}
	}
	return out, nil
}

// index reads the rows of a mailbox in the order of their ids. Rows and acks come from one iterator, so from one moment.
func (e *Engine) index(mailbox ident.UserID) ([]store.Row, error) {
	lower := appendMailbox(nil, tagMail, store.MailPartition(mailbox), mailbox)
	it, err := e.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: after(lower)})
	if err != nil {
		return nil, err
	}
	var rows []store.Row
	var last ident.UserID
	err = walk(it, func(k, v []byte) (bool, error) {
		if len(k) != len(lower)+idLen {
			return false, corrupt("a mail key of %d bytes", len(k))
		}
		row, sender, err := decodeRow(v)
		if err != nil {
			return false, err
		}
		if string(last) != string(sender) {
			last = ident.UserID(sender)
		}
		row.ID, row.Sender = ident.MessageID(k[len(lower):]), last
		rows = append(rows, row)
		return true, nil
	})
	if err == nil && len(rows) > 0 {
		err = readAcks(it, mailbox, rows)
	}
	return rows, errors.Join(err, it.Close())
}

// readAcks adds the acknowledgements of a mailbox to its rows, which are in the order of their ids, as the acks are.
func readAcks(it *pebble.Iterator, mailbox ident.UserID, rows []store.Row) error {
	lower := pair(tagAck, string(mailbox), "")
	it.SetBounds(lower, after(lower))
	i := 0
	return walk(it, func(k, _ []byte) (bool, error) {
		rest := k[len(lower):]
		if len(rest) < idLen {
			return false, corrupt("an acknowledgement's key of %d bytes", len(k))
		}
		for i < len(rows) && bytes.Compare(rows[i].ID[:], rest[:idLen]) < 0 {
			i++
		}
		if i < len(rows) && rows[i].ID == ident.MessageID(rest[:idLen]) {
			rows[i].Acked = append(rows[i].Acked, ident.DeviceID(rest[idLen:]))
		}
		return true, nil
	})
}

// scanFrom is the number of bodies from which one iterator is cheaper than single reads.
const scanFrom = 8

// Read implements store.Mail.
func (m mail) Read(ctx context.Context, mailbox ident.UserID, ids []ident.MessageID) ([][]byte, error) {
	if err := m.enter(none); err != nil {
		return nil, err
	}
	defer m.leave()
	out, err := m.bodies(ctx, mailbox, ids)
	if err != nil {
		return nil, m.wrap(err)
	}
	return out, nil
}

func (m mail) bodies(ctx context.Context, mailbox ident.UserID, ids []ident.MessageID) ([][]byte, error) {
	out := make([][]byte, len(ids))
	prefix := appendMailbox(nil, tagBody, store.MailPartition(mailbox), mailbox)
	read := m.readOneByOne
	if len(ids) >= scanFrom {
		read = m.readScanning
	}
	return out, read(ctx, prefix, ids, out)
}

func (m mail) readOneByOne(_ context.Context, key []byte, ids []ident.MessageID, out [][]byte) error {
	n := len(key)
	for i, id := range ids {
		key = append(key[:n], id[:]...)
		if _, err := m.get(key, func(v []byte) error { out[i] = append([]byte{}, v...); return nil }); err != nil {
			return err
		}
	}
	return nil
}

// readScanning reads in the order of keys, which spares most of the seeking.
func (m mail) readScanning(ctx context.Context, key []byte, ids []ident.MessageID, out [][]byte) error {
	order := make([]int, len(ids))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return bytes.Compare(ids[a][:], ids[b][:]) })
	it, err := m.db.NewIterWithContext(ctx, &pebble.IterOptions{LowerBound: key, UpperBound: after(key)})
	if err != nil {
		return err
	}
	n := len(key)
	err = func() error {
		for _, i := range order {
			key = append(key[:n], ids[i][:]...)
			if !it.SeekGE(key) {
				return it.Error()
			}
			if !bytes.Equal(it.Key(), key) {
				continue
			}
			v, err := it.ValueAndErr()
			if err != nil {
				return err
			}
			out[i] = append([]byte{}, v...)
		}
		return nil
	}()
	return errors.Join(err, it.Close())
}

// ackedSet says which mailboxes may have acknowledgements stored, so that a delete needs to look for them only there. It
// errs towards yes. Each byte belongs to one partition and is guarded by its lock.
type ackedSet struct {
	all bool
	set [ident.Partitions][ackedSlots]bool
}

const (
	ackedSlots   = 64
	ackedScanMax = 100_000 // mailboxes looked at when a store is opened; beyond, every delete looks
)

func ackedSlot(mailbox ident.UserID) uint64 { return xxhash.Sum64String(string(mailbox)) % ackedSlots }

func (s *ackedSet) has(p ident.Partition, mailbox ident.UserID) bool {
	return s.all || s.set[p][ackedSlot(mailbox)]
}

func (s *ackedSet) add(p ident.Partition, mailbox ident.UserID) { s.set[p][ackedSlot(mailbox)] = true }

// loadAcked fills the set from the store, one seek for each mailbox that has acknowledgements.
func (e *Engine) loadAcked() error {
	lower := []byte(tagAck)
	it, err := e.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: after(lower)})
	if err != nil {
		return e.wrap(err)
	}
	err = func() error {
		n := 0
		for ok := it.First(); ok; {
			owner, _, err := splitPair(tagAck, it.Key())
			if err != nil {
				return err
			}
			mailbox := ident.UserID(owner)
			e.acked.add(store.MailPartition(mailbox), mailbox)
			if n++; n >= ackedScanMax {
				e.acked.all = true
				return nil
			}
			ok = it.SeekGE(after(pair(tagAck, string(mailbox), "")))
		}
		return it.Error()
	}()
	return e.wrap(errors.Join(err, it.Close()))
}
