package pgstore

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

// walkMax bounds the rows of one page, which is read whole.
const walkMax = 1000

// pageWalk is one page while it is read.
type pageWalk struct {
	q    store.WalkQuery
	page *store.WalkPage
	size int
}

func newPageWalk(q store.WalkQuery) *pageWalk {
	if q.Limit <= 0 || q.Limit > walkMax {
		q.Limit = walkMax
	}
	return &pageWalk{q: q, page: &store.WalkPage{Part: q.Part}}
}

// read adds rows to the page until it is full. scan says where a row stands.
func (w *pageWalk) read(rows pgx.Rows, err error, scan func(pgx.Rows) (e store.Entry, place string, err error)) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for n := 1; rows.Next(); n++ {
		e, place, err := scan(rows)
		switch {
		case err != nil && store.IsOwn(err):
			text := strings.TrimPrefix(err.Error(), "pgstore: "+store.ErrCorrupt.Error()+": ")
			w.page.Damage = append(w.page.Damage, fmt.Sprintf("%s of %q: %s", w.q.Part, e.Owner, text))
		case err != nil:
			return err
		default:
			w.size += e.Size()
			w.page.Entries = append(w.page.Entries, e)
		}
		if w.q.Full(n, w.size) {
			w.page.Next = place
			break
		}
	}
	rows.Close()
	return rows.Err()
}

// Places of a walk: an owner, or an owner and a name, which is behind a zero byte because no owner holds one.
func placeOf(owner, name string) string { return owner + "\x00" + name }

func splitPlace(place string) (owner, name []byte) {
	o, n, _ := strings.Cut(place, "\x00")
	return []byte(o), []byte(n)
}

// walk reads one page of the directory's database.
func (d *dirDB) walk(ctx context.Context, q store.WalkQuery) (*store.WalkPage, error) {
	w := newPageWalk(q)
	owner, name := splitPlace(q.After)
	err := d.read(ctx, func(db querier) error {
		var rows pgx.Rows
		var err error
		switch q.Part {
		case store.PartAccounts:
			rows, err = db.Query(ctx, `SELECT `+accountColumns+`, roster_rev FROM account WHERE user_id > $1 ORDER BY user_id LIMIT $2`, owner, w.q.Limit)
			return w.read(rows, err, scanAccountEntry)
		case store.PartDevices:
			rows, err = db.Query(ctx, `SELECT user_id, `+deviceColumns+` FROM device WHERE (user_id, id) > ($1, $2) ORDER BY user_id, id LIMIT $3`,
				owner, name, w.q.Limit)
			return w.read(rows, err, scanDeviceEntry)
		case store.PartContacts:
			rows, err = db.Query(ctx, `SELECT user_id, `+contactColumns+` FROM roster WHERE (user_id, contact) > ($1, $2) ORDER BY user_id, contact LIMIT $3`,
				owner, name, w.q.Limit)
			return w.read(rows, err, scanContactEntry)
		case store.PartBlocks:
			rows, err = db.Query(ctx, `SELECT user_id, address FROM block WHERE (user_id, address) > ($1, $2) ORDER BY user_id, address LIMIT $3`,
				owner, name, w.q.Limit)
			return w.read(rows, err, scanBlockEntry)
		case store.PartGroups:
			rows, err = db.Query(ctx, `SELECT `+groupColumns+` FROM groups WHERE gid > $1 ORDER BY gid LIMIT $2`, owner, w.q.Limit)
			return w.read(rows, err, scanGroupEntry)
		case store.PartMembers:
			rows, err = db.Query(ctx, `SELECT gid, user_id, role, joined_rev FROM member WHERE (gid, user_id) > ($1, $2) ORDER BY gid, user_id LIMIT $3`,
				owner, name, w.q.Limit)
			return w.read(rows, err, scanMemberEntry)
		case store.PartLog:
			rows, err = db.Query(ctx, `SELECT gid, id, ord, rev, exp, done, sender, body FROM group_log WHERE (gid, id) > ($1, $2) ORDER BY gid, id LIMIT $3`,
				owner, name, w.q.Limit)
			return w.read(rows, err, scanLogEntry)
		}
		return fmt.Errorf("pgstore: %w: there is no part %d of a store", store.ErrInvalid, q.Part)
	})
	if err != nil {
		return nil, err
	}
	return w.page, nil
}

// extraRow is a row whose first column, if first is set, and last ones are scanned apart.
type extraRow struct {
	pgx.Row
	first any
	last  []any
}

// Scan implements pgx.Row.
func (r extraRow) Scan(dest ...any) error {
	if r.first != nil {
		dest = append([]any{r.first}, dest...)
	}
	return r.Row.Scan(append(dest, r.last...)...)
}

func scanAccountEntry(rows pgx.Rows) (e store.Entry, place string, err error) {
	e.Account = &store.Account{}
	err = scanAccount(extraRow{Row: rows, last: []any{&e.RosterRev}}, e.Account)
	e.Owner = string(e.Account.User)
	return e, e.Owner, err
}

func scanDeviceEntry(rows pgx.Rows) (e store.Entry, place string, err error) {
	var user []byte
	e.Device = &store.Device{}
	err = scanDevice(extraRow{Row: rows, first: &user}, e.Device)
	e.Owner = string(user)
	return e, placeOf(e.Owner, string(e.Device.ID)), err
}

func scanContactEntry(rows pgx.Rows) (e store.Entry, place string, err error) {
	var user []byte
	e.Contact = &store.RosterItem{}
	err = scanContact(extraRow{Row: rows, first: &user}, e.Contact)
	e.Owner = string(user)
	return e, placeOf(e.Owner, string(e.Contact.Contact)), err
}

func scanBlockEntry(rows pgx.Rows) (e store.Entry, place string, err error) {
	var user, address []byte
	err = rows.Scan(&user, &address)
	e.Owner, e.Block = string(user), string(address)
	return e, placeOf(e.Owner, e.Block), err
}

func scanGroupEntry(rows pgx.Rows) (e store.Entry, place string, err error) {
	e.Group = &store.Group{}
	err = scanGroup(rows, e.Group)
	e.Owner = string(e.Group.ID)
	return e, e.Owner, err
}

func scanMemberEntry(rows pgx.Rows) (e store.Entry, place string, err error) {
	var gid, user, role []byte
	e.Member = &store.Member{}
	err = rows.Scan(&gid, &user, &role, &e.Member.JoinedRev)
	e.Owner, e.Member.User, e.Member.Role = string(gid), ident.UserID(user), string(role)
	return e, placeOf(e.Owner, string(user)), err
}

func scanLogEntry(rows pgx.Rows) (e store.Entry, place string, err error) {
	var gid, id, sender []byte
	l := &store.LogEntry{}
	if err := rows.Scan(&gid, &id, &l.Ord, &l.Rev, &l.Expiry, &l.Done, &sender, &l.Body); err != nil {
		return e, "", err
	}
	e.Owner, e.Log, l.Sender = string(gid), l, ident.UserID(sender)
	if l.ID, err = ident.MessageIDFrom(id); err != nil {
		err = damaged("an id of %d bytes", len(id))
	}
	return e, placeOf(e.Owner, string(id)), err
}

// mailPlace is where a walk over the mail of all shards stands.
type mailPlace struct {
	shard   int
	p       int16
	mailbox []byte
	msgid   []byte
}

func (at mailPlace) String() string {
	b := binary.BigEndian.AppendUint16(nil, uint16(at.shard))
	b = binary.BigEndian.AppendUint16(b, uint16(at.p))
	return string(b) + placeOf(string(at.mailbox), string(at.msgid))
}

func parseMailPlace(s string) (at mailPlace, err error) {
	at.p, at.mailbox, at.msgid = -1, []byte{}, []byte{}
	switch {
	case s == "":
		return at, nil
	case len(s) < 4:
		return at, fmt.Errorf("pgstore: %w: no place of a walk over mail", store.ErrInvalid)
	}
	at.shard, at.p = int(binary.BigEndian.Uint16([]byte(s))), int16(binary.BigEndian.Uint16([]byte(s[2:]))) // -1 is before the first
	at.mailbox, at.msgid = splitPlace(s[4:])
	return at, nil
}

// walkShard reads one page of the mail of one shard, and notes rows that belong elsewhere.
func (w *pageWalk) walkShard(ctx context.Context, db querier, at mailPlace, owns func(ident.Partition) bool) error {
	rows, err := db.Query(ctx, `SELECT p, mailbox, msgid, ord, exp, cseq, flags, sender, body,
		ARRAY(SELECT device FROM mail_ack a WHERE a.p = m.p AND a.mailbox = m.mailbox AND a.msgid = m.msgid ORDER BY device)
		FROM mail m WHERE (p, mailbox, msgid) > ($1, $2, $3) ORDER BY p, mailbox, msgid LIMIT $4`, at.p, at.mailbox, at.msgid, w.q.Limit)
	return w.read(rows, err, func(rows pgx.Rows) (e store.Entry, place string, err error) {
		var p, flags int16
		var cseq int64
		var mailbox, id, sender []byte
		var acked [][]byte
		m := &store.MailEntry{}
		if err := rows.Scan(&p, &mailbox, &id, &m.Ord, &m.Expiry, &cseq, &flags, &sender, &m.Body, &acked); err != nil {
			return e, "", err
		}
		e.Owner, e.Mail = string(mailbox), m
		m.CSeq, m.Flags, m.Sender, m.Size, m.Acked = uint64(cseq), store.Flags(flags), ident.UserID(sender), len(m.Body), texts[ident.DeviceID](acked)
		at := mailPlace{shard: at.shard, p: p, mailbox: mailbox, msgid: id}
		if m.ID, err = ident.MessageIDFrom(id); err != nil {
			return e, at.String(), damaged("an id of %d bytes", len(id))
		}
		switch want := store.MailPartition(ident.UserID(mailbox)); {
		case want != ident.Partition(p):
			return e, at.String(), damaged("a message in partition %d that belongs to %d", p, want)
		case !owns(want):
			return e, at.String(), damaged("a message of partition %d in shard %d, which is not its", p, at.shard)
		}
		return e, at.String(), nil
	})
}

// walkAcks notes acknowledgements of messages that are not there.
func (w *pageWalk) walkAcks(ctx context.Context, db querier, shard int) error {
	rows, err := db.Query(ctx, `SELECT a.mailbox, a.msgid FROM mail_ack a
		WHERE NOT EXISTS (SELECT 1 FROM mail m WHERE m.p = a.p AND m.mailbox = a.mailbox AND m.msgid = a.msgid) LIMIT $1`, walkMax)
	found, err := collect(rows, err, func(r pgx.Rows, v *string) error {
		var mailbox, id []byte
		err := r.Scan(&mailbox, &id)
		*v = fmt.Sprintf("shard %d: an acknowledgement of message %x of %q, which is not there", shard, id, mailbox)
		return err
	})
	w.page.Damage = append(w.page.Damage, found...)
	return err
}
