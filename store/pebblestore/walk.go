package pebblestore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

// partTags are the ranges of keys in which the parts are.
var partTags = [store.Parts]string{
	store.PartAccounts: tagAccount, store.PartDevices: tagDevice, store.PartContacts: tagRoster, store.PartBlocks: tagBlock,
	store.PartGroups: tagGroup, store.PartMembers: tagMember, store.PartLog: tagLog, store.PartMail: tagMail,
}

// indexTags are the ranges of keys that accompany entries, in the order of their names.
var indexTags = []string{tagBody, tagAck, tagJoined}

// Walk implements store.Walker. The place is the key of the last entry.
func (e *Engine) Walk(ctx context.Context, q store.WalkQuery) (*store.WalkPage, error) {
	if err := e.enter(none); err != nil {
		return nil, err
	}
	defer e.leave()
	w := &pageWalk{Engine: e, ctx: ctx, q: q, page: &store.WalkPage{Part: q.Part}}
	var err error
	switch {
	case q.Part == store.PartIndexes:
		err = w.indexes()
	case q.Part < store.PartIndexes:
		err = w.over(partTags[q.Part], w.entry)
	default:
		return nil, fmt.Errorf("pebblestore: %w: there is no part %d of a store", store.ErrInvalid, q.Part)
	}
	if err != nil {
		return nil, e.wrap(err)
	}
	return w.page, nil
}

// pageWalk is one page while it is read.
type pageWalk struct {
	*Engine
	ctx    context.Context
	q      store.WalkQuery
	page   *store.WalkPage
	size   int
	looked int
}

// over passes the keys of a range behind the query's place to each, until the page is full, which over reports as
// page.Next.
func (w *pageWalk) over(tag string, each func(k, v []byte) error) error {
	lower, upper := []byte(tag), after([]byte(tag))
	if from := []byte(w.q.After); bytes.Compare(from, lower) >= 0 {
		lower = append(from, 0)
	}
	if bytes.Compare(lower, upper) >= 0 {
		return nil // a walk over several ranges that has come to a later one
	}
	it, err := w.db.NewIterWithContext(w.ctx, &pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return err
	}
	err = walk(it, func(k, v []byte) (bool, error) {
		if err := w.ctx.Err(); err != nil {
			return false, err
		}
		if err := each(k, v); err != nil {
			return false, err
		}
		w.looked++
		if w.q.Full(w.looked, w.size) {
			w.page.Next = string(k)
			return false, nil
		}
		return true, nil
	})
	return errors.Join(err, it.Close())
}

// damage notes an error of one entry and goes on; other errors are returned.
func (w *pageWalk) damage(k []byte, err error) error {
	if errors.Is(err, store.ErrCorrupt) {
		text := strings.TrimPrefix(err.Error(), "pebblestore: "+store.ErrCorrupt.Error()+": ")
		w.page.Damage = append(w.page.Damage, fmt.Sprintf("key %q: %s", k, text))
		return nil
	}
	return err
}

// entry adds the entry of a key to the page.
func (w *pageWalk) entry(k, v []byte) error {
	if w.q.Part == store.PartContacts && bytes.HasSuffix(k, []byte{0}) {
		return nil // a roster's revision
	}
	e, err := w.decode(k, v)
	if err != nil {
		return w.damage(k, err)
	}
	w.size += e.Size()
	w.page.Entries = append(w.page.Entries, e)
	return nil
}

func (w *pageWalk) decode(k, v []byte) (e store.Entry, err error) {
	switch w.q.Part {
	case store.PartAccounts:
		return w.account(string(k[len(tagAccount):]), v)
	case store.PartGroups:
		e.Owner = string(k[len(tagGroup):])
		g, err := decodeGroup(ident.GroupID(e.Owner), v)
		e.Group = &g
		return e, err
	case store.PartMail:
		return w.message(k, v)
	}
	owner, name, err := splitPair(partTags[w.q.Part], k)
	if err != nil {
		return e, err
	}
	e.Owner = string(owner)
	switch w.q.Part {
	case store.PartDevices:
		d, err := decodeDevice(ident.DeviceID(name), v)
		e.Device = &d
		return e, err
	case store.PartContacts:
		i, err := decodeItem(ident.UserID(name), v)
		e.Contact = &i
		return e, err
	case store.PartBlocks:
		e.Block = string(name)
	case store.PartMembers:
		m, err := decodeMember(ident.UserID(name), v)
		e.Member = &m
		if err != nil {
			return e, err
		}
		return e, w.companion(pair(tagJoined, string(name), e.Owner))
	case store.PartLog:
		if len(name) != idLen {
			return e, corrupt("an id of %d bytes", len(name))
		}
		l, err := decodeEntry(ident.MessageID(name), v)
		l.Body = append([]byte{}, l.Body...)
		e.Log = &store.LogEntry{GroupEntry: l.GroupEntry, Done: l.done}
		return e, err
	}
	return e, nil
}

func (w *pageWalk) account(user string, v []byte) (store.Entry, error) {
	e := store.Entry{Owner: user}
	a, err := decodeAccount(ident.UserID(user), v)
	if err != nil {
		return e, err
	}
	e.Account = &a
	_, err = w.get(pair(tagRoster, user, ""), func(v []byte) (err error) { e.RosterRev, err = decodeRev(v); return err })
	return e, err
}

// message reads a row with its body and its acknowledgements.
func (w *pageWalk) message(k, v []byte) (store.Entry, error) {
	mailbox, id, err := splitMail(k)
	if err != nil {
		return store.Entry{}, err
	}
	e := store.Entry{Owner: string(mailbox), Mail: &store.MailEntry{}}
	if !bytes.HasPrefix(k, appendMailbox(nil, tagMail, store.MailPartition(mailbox), mailbox)) {
		return e, corrupt("a message of %s in another's partition", mailbox)
	}
	row, sender, err := decodeRow(v)
	if err != nil {
		return e, err
	}
	row.ID, row.Sender = id, ident.UserID(sender)
	there, err := w.get(append([]byte(tagBody), k[len(tagMail):]...), func(v []byte) error {
		e.Mail.Body = append([]byte{}, v...)
		return nil
	})
	switch {
	case err != nil:
		return e, err
	case !there:
		return e, corrupt("a message without its body")
	case len(e.Mail.Body) != row.Size:
		return e, corrupt("a body of %d bytes where %d were written", len(e.Mail.Body), row.Size)
	}
	if w.acked.all || (mail{w.Engine}).ackedLocked(mailbox) {
		prefix := appendAck(nil, mailbox, id)
		err = w.prefix(prefix, func(k, _ []byte) (bool, error) {
			row.Acked = append(row.Acked, ident.DeviceID(k[len(prefix):]))
			return true, nil
		})
	}
	e.Mail.Row = row
	return e, err
}

// companion returns an ErrCorrupt if a key that accompanies another isn't there.
func (w *pageWalk) companion(key []byte) error {
	there, err := w.has(key)
	if err == nil && !there {
		err = corrupt("key %q is missing beside it", key)
	}
	return err
}

// indexes looks for keys that accompany nothing.
func (w *pageWalk) indexes() error {
	for _, tag := range indexTags {
		if err := w.over(tag, func(k, _ []byte) error { return w.damage(k, w.accompanied(tag, k)) }); err != nil || w.page.Next != "" {
			return err
		}
	}
	return nil
}

// accompanied returns an ErrCorrupt if a key of an index belongs to no entry.
func (w *pageWalk) accompanied(tag string, k []byte) error {
	switch tag {
	case tagBody:
		return w.companion(append([]byte(tagMail), k[len(tagBody):]...))
	case tagAck:
		owner, rest, err := splitPair(tag, k)
		if err != nil {
			return err
		}
		if len(rest) < idLen {
			return corrupt("an id of %d bytes", len(rest))
		}
		mailbox := ident.UserID(owner)
		return w.companion(append(appendMailbox(nil, tagMail, store.MailPartition(mailbox), mailbox), rest[:idLen]...))
	}
	user, gid, err := splitPair(tag, k)
	if err != nil {
		return err
	}
	return w.companion(pair(tagMember, string(gid), string(user)))
}

// restoredBatch is how many messages MarkRestored marks at a time.
const restoredBatch = 4096

// MarkRestored implements store.Restored. No server may use the store.
func (e *Engine) MarkRestored(ctx context.Context) (int, error) {
	total := 0
	for from := mailLower; from != nil; {
		var next []byte
		err := e.update(some, e.allMail(), func(b *pebble.Batch) error {
			n := 0
			return e.scan(from, mailUpper, func(k, v []byte) (bool, error) {
				if len(v) < rowFixed || v[0] != formatV1 {
					return false, corrupt("unreadable message row")
				}
				marked := bytes.Clone(v)
				marked[1] |= byte(store.FlagRestored)
				n++
				total++
				if n == restoredBatch {
					next = append(bytes.Clone(k), 0)
				}
				return n < restoredBatch, b.Set(k, marked, nil)
			})
		})
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return total, err
		}
		from = next
	}
	return total, nil
}

// everyMailbox locks the mail of all partitions.
type everyMailbox struct{ *Engine }

func (e *Engine) allMail() everyMailbox { return everyMailbox{e} }

// Lock implements sync.Locker.
func (e everyMailbox) Lock() {
	for i := range e.mailMu {
		e.mailMu[i].Lock()
	}
}

// Unlock implements sync.Locker.
func (e everyMailbox) Unlock() {
	for i := range e.mailMu {
		e.mailMu[i].Unlock()
	}
}
