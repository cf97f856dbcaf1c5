package pgstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

// load writes entries of the directory's database that are not there. Entries of a page are in the order of their keys,
// so no two loads lock each other out.
func (d *dirDB) load(p *store.WalkPage) error {
	if len(p.Entries) == 0 {
		return nil
	}
	return d.write(func(ctx context.Context, tx pgx.Tx) error {
		b := &pgx.Batch{}
		for i := range p.Entries {
			if err := queueEntry(b, p.Part, &p.Entries[i]); err != nil {
				return err
			}
		}
		return tx.SendBatch(ctx, b).Close()
	})
}

// queueEntry adds the insertion of one entry of the directory to a batch.
func queueEntry(b *pgx.Batch, part store.Part, e *store.Entry) error {
	owner := []byte(e.Owner)
	switch part {
	case store.PartAccounts:
		b.Queue(`INSERT INTO account (`+accountColumns+`, roster_rev) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
			ON CONFLICT DO NOTHING`, append(accountArgs(e.Account, e.Account.Rev), e.RosterRev)...)
	case store.PartDevices:
		d := e.Device
		b.Queue(`INSERT INTO device (user_id, `+deviceColumns+`) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
			owner, raw(d.ID), raw(d.Name), d.Since, store.Micros(d.LastSeen), d.Logins)
	case store.PartContacts:
		i := e.Contact
		b.Queue(`INSERT INTO roster (user_id, `+contactColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING`,
			owner, raw(i.Contact), raw(i.Name), raws(i.Groups), i.Listed, int16(i.Subscription), i.Ask, i.PendingIn, blob(i.Request), i.Rev)
	case store.PartBlocks:
		b.Queue(`INSERT INTO block (user_id, address) VALUES ($1, $2) ON CONFLICT DO NOTHING`, owner, raw(e.Block))
	case store.PartGroups:
		g := e.Group
		b.Queue(`INSERT INTO groups (`+groupColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`,
			owner, raw(g.Owner), raw(g.Subject), blob(g.Settings), store.Micros(g.Created), g.Members, g.Rev)
	case store.PartMembers:
		m := e.Member
		b.Queue(`INSERT INTO member (gid, user_id, role, joined_rev) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
			owner, raw(m.User), raw(m.Role), m.JoinedRev)
	case store.PartLog:
		l := e.Log
		b.Queue(`INSERT INTO group_log (gid, id, ord, rev, exp, done, sender, body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING`,
			owner, l.ID[:], l.Ord, l.Rev, l.Expiry, l.Done, raw(l.Sender), blob(l.Body))
	default:
		return fmt.Errorf("pgstore: %w: there is no part %d of a store to load", store.ErrInvalid, part)
	}
	return nil
}

// mailRows are columns of messages of one shard, and of their acknowledgements.
type mailRows struct {
	parts             []int16
	mailboxes, ids    [][]byte
	ords, exps, cseqs []int64
	flags             []int16
	senders, bodies   [][]byte

	ackParts                     []int16
	ackMailboxes, ackIDs, ackers [][]byte
}

// add adds one message.
func (m *mailRows) add(e *store.Entry) {
	p := int16(store.MailPartition(ident.UserID(e.Owner)))
	r := e.Mail
	m.parts, m.mailboxes, m.ids = append(m.parts, p), append(m.mailboxes, []byte(e.Owner)), append(m.ids, r.ID[:])
	m.ords, m.exps, m.cseqs = append(m.ords, r.Ord), append(m.exps, r.Expiry), append(m.cseqs, int64(r.CSeq))
	m.flags, m.senders, m.bodies = append(m.flags, int16(r.Flags)), append(m.senders, raw(r.Sender)), append(m.bodies, blob(r.Body))
	for _, d := range r.Acked {
		m.ackParts, m.ackMailboxes = append(m.ackParts, p), append(m.ackMailboxes, []byte(e.Owner))
		m.ackIDs, m.ackers = append(m.ackIDs, r.ID[:]), append(m.ackers, raw(d))
	}
}

// rowsOf sorts messages into the shards they belong to.
func rowsOf(entries []store.Entry, shardOf func(ident.Partition) int) map[int]*mailRows {
	sorted := slices.Clone(entries)
	slices.SortFunc(sorted, func(a, b store.Entry) int {
		return cmp.Or(cmp.Compare(store.MailPartition(ident.UserID(a.Owner)), store.MailPartition(ident.UserID(b.Owner))),
			cmp.Compare(a.Owner, b.Owner))
	})
	out := map[int]*mailRows{}
	for i := range sorted {
		n := shardOf(store.MailPartition(ident.UserID(sorted[i].Owner)))
		if out[n] == nil {
			out[n] = &mailRows{}
		}
		out[n].add(&sorted[i])
	}
	return out
}

// insert writes the messages that are not there.
func (m *mailRows) insert(ctx context.Context, tx pgx.Tx) error {
	b := &pgx.Batch{}
	b.Queue(`INSERT INTO mail (p, mailbox, msgid, ord, exp, cseq, flags, sender, body)
		SELECT * FROM unnest($1::smallint[], $2::bytea[], $3::bytea[], $4::bigint[], $5::bigint[], $6::bigint[], $7::smallint[], $8::bytea[], $9::bytea[])
		ON CONFLICT DO NOTHING`, m.parts, m.mailboxes, m.ids, m.ords, m.exps, m.cseqs, m.flags, m.senders, m.bodies)
	if len(m.ackers) > 0 {
		b.Queue(`INSERT INTO mail_ack (p, mailbox, msgid, device) SELECT * FROM unnest($1::smallint[], $2::bytea[], $3::bytea[], $4::bytea[])
			ON CONFLICT DO NOTHING`, m.ackParts, m.ackMailboxes, m.ackIDs, m.ackers)
	}
	return tx.SendBatch(ctx, b).Close()
}

// loading reads how far the loading of another store's content has come.
func (d *dirDB) loading(ctx context.Context) (at store.LoadPlace, err error) {
	err = d.read(ctx, func(q querier) error {
		at, err = readLoading(ctx, q)
		return err
	})
	return at, err
}

func readLoading(ctx context.Context, q querier) (at store.LoadPlace, err error) {
	var part int16
	var after []byte
	err = q.QueryRow(ctx, `SELECT source, part, after FROM loading`).Scan(&at.Source, &part, &after)
	if errors.Is(err, pgx.ErrNoRows) {
		return store.LoadPlace{}, nil
	}
	at.Part, at.After = store.Part(part), string(after)
	return at, err
}

// refuseLoading returns an error if a database isn't to be used yet because another store's content is loaded into it.
func refuseLoading(ctx context.Context, q querier) error {
	at, err := readLoading(ctx, q)
	if err == nil && at.Source != "" {
		err = fmt.Errorf("pgstore: the store is being filled from %s: let `jackdaw store move` come to its end, or repeat it if it was interrupted", at.Source)
	}
	return err
}

// setLoading stores it; a place without a source ends the loading.
func (d *dirDB) setLoading(at store.LoadPlace) error {
	return d.write(func(ctx context.Context, tx pgx.Tx) error {
		if at.Source == "" {
			_, err := tx.Exec(ctx, `DELETE FROM loading`)
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO loading (source, part, after) VALUES ($1, $2, $3)
			ON CONFLICT (one) DO UPDATE SET source = excluded.source, part = excluded.part, after = excluded.after`,
			at.Source, int16(at.Part), []byte(at.After))
		return err
	})
}

// markStep is how many partitions are marked in one transaction, so that none is long.
const markStep = 64

// markRestored marks the messages of some partitions of one shard and says how many there are.
func markRestored(ctx context.Context, tx pgx.Tx, from int) (n int, err error) {
	if _, err := tx.Exec(ctx, `UPDATE mail SET flags = flags | $3 WHERE p >= $1 AND p < $2 AND flags & $3 = 0`,
		from, from+markStep, int16(store.FlagRestored)); err != nil {
		return 0, err
	}
	err = tx.QueryRow(ctx, `SELECT count(*) FROM mail WHERE p >= $1 AND p < $2`, from, from+markStep).Scan(&n)
	return n, err
}
