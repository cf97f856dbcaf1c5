package pgstore

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// statement is one of the statements of mail, which each connection prepares when it first needs one.
type statement int

const (
	stBegin statement = iota
	stLazy
	stLock
	stInsert
	stNotice
	stDelete
	stDeleteAcks
	stPartial
	stMark
	stCommit
	stNames
	stIndex
	stIndexAcks
	stRead
	stFirst
	stMailbox
	stExpired
	stExpiredAcks
	statementCount
)

// lockClass is the first half of a shard's advisory lock; the second is the shard's number.
const lockClass = 0x4a44

// Arrays come sorted by key, so that transactions lock rows in one order. Each is unnested beside the others, once.
var statements = [statementCount]struct {
	sql    string
	params []uint32
}{
	stBegin: {`BEGIN ISOLATION LEVEL READ COMMITTED`, nil},
	// Losing an acknowledgement only delivers a message again, so it waits for no disk.
	stLazy: {`SELECT set_config('synchronous_commit', 'off', true), ` + byKeys, nil},
	stLock: {`SELECT pg_advisory_xact_lock_shared($1, $2), ` + byKeys, []uint32{pgtype.Int4OID, pgtype.Int4OID}},
	stInsert: {`INSERT INTO mail (p, mailbox, msgid, ord, exp, cseq, flags, sender, body)
		SELECT p, mailbox, msgid, ord, CASE WHEN ttl <= 0 THEN 0 ELSE greatest(ttl + (SELECT ` + clockExpr + ` + $10), 1) END, cseq, flags, sender, body
		FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9) AS u (p, mailbox, msgid, ord, ttl, cseq, flags, sender, body)
		ON CONFLICT DO NOTHING RETURNING mailbox, msgid`,
		[]uint32{pgtype.Int2ArrayOID, pgtype.ByteaArrayOID, pgtype.ByteaArrayOID, pgtype.Int8ArrayOID, pgtype.Int8ArrayOID, pgtype.Int8ArrayOID,
			pgtype.Int2ArrayOID, pgtype.ByteaArrayOID, pgtype.ByteaArrayOID, pgtype.Int8OID}},
	// The join is skipped if the claims are still those of which the node knows that all partitions of the batch are its own; it
	// passes -1 if it knows no such thing. The lock keeps claims from changing between this look and the commit.
	stNotice: {`INSERT INTO foreign_writes (p, mailbox)
		SELECT u.p, u.mailbox FROM unnest($1, $2) AS u (p, mailbox) JOIN part ON part.p = u.p
		WHERE part.owner <> $3 AND part.owner <> '' AND ($4 < 0 OR $4 <> (SELECT version FROM claims)) RETURNING p`,
		[]uint32{pgtype.Int2ArrayOID, pgtype.ByteaArrayOID, pgtype.TextOID, pgtype.Int8OID}},
	stDelete: {`DELETE FROM mail m USING unnest($1, $2, $3) AS u (p, mailbox, msgid)
		WHERE m.p = u.p AND m.mailbox = u.mailbox AND m.msgid = u.msgid`,
		[]uint32{pgtype.Int2ArrayOID, pgtype.ByteaArrayOID, pgtype.ByteaArrayOID}},
	// A statement of its own behind the other: it must see acknowledgements that were committed while the other waited for their row.
	stDeleteAcks: {`DELETE FROM mail_ack m USING unnest($1, $2, $3) AS u (p, mailbox, msgid)
		WHERE m.p = u.p AND m.mailbox = u.mailbox AND m.msgid = u.msgid`,
		[]uint32{pgtype.Int2ArrayOID, pgtype.ByteaArrayOID, pgtype.ByteaArrayOID}},
	// The row is locked against deletion until the commit, so that no acknowledgement outlives its row.
	stPartial: {`INSERT INTO mail_ack (p, mailbox, msgid, device)
		SELECT m.p, m.mailbox, m.msgid, u.device FROM unnest($1, $2, $3, $4) AS u (p, mailbox, msgid, device)
		JOIN mail m ON m.p = u.p AND m.mailbox = u.mailbox AND m.msgid = u.msgid FOR KEY SHARE OF m ON CONFLICT DO NOTHING`,
		[]uint32{pgtype.Int2ArrayOID, pgtype.ByteaArrayOID, pgtype.ByteaArrayOID, pgtype.ByteaArrayOID}},
	stMark:   {markSQL, []uint32{pgtype.TextOID, pgtype.Int4OID, pgtype.Int8OID}},
	stCommit: {`COMMIT`, nil},
	stNames:  {namesSQL, nil},
	stIndex: {`SELECT msgid, ord, exp, cseq, flags, octet_length(body), sender FROM mail WHERE p = $1 AND mailbox = $2 ORDER BY p, mailbox, msgid`,
		[]uint32{pgtype.Int2OID, pgtype.ByteaOID}},
	stIndexAcks: {`SELECT msgid, device FROM mail_ack WHERE p = $1 AND mailbox = $2 ORDER BY p, mailbox, msgid, device`,
		[]uint32{pgtype.Int2OID, pgtype.ByteaOID}},
	stRead: {`SELECT msgid, body FROM mail WHERE p = $1 AND mailbox = $2 AND msgid = ANY ($3)`,
		[]uint32{pgtype.Int2OID, pgtype.ByteaOID, pgtype.ByteaArrayOID}},
	// The bodies of the first rows in the order of delivery, up to the one with which they are $4 bytes.
	stFirst: {`SELECT msgid, body FROM (
			SELECT msgid, body, sum(octet_length(body)) OVER (ORDER BY ord, sender, cseq, msgid ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
			FROM (SELECT msgid, body, ord, sender, cseq FROM mail WHERE p = $1 AND mailbox = $2 ORDER BY ord, sender, cseq, msgid LIMIT $3) AS f) AS s
		WHERE coalesce(before, 0) < $4`,
		[]uint32{pgtype.Int2OID, pgtype.ByteaOID, pgtype.Int8OID, pgtype.Int8OID}},
	stMailbox: {mailboxSQL, []uint32{pgtype.ByteaOID}},
	// Rows that were looked at and are over, and the last that was looked at if there may be more behind it. $7 is how late it is at most: see
	// expiredAhead.
	stExpired: {`WITH looked AS MATERIALIZED (
			SELECT p, mailbox, msgid, ord, exp, cseq, flags, octet_length(body) AS size, sender FROM mail
			WHERE p = ANY ($1) AND (mailbox, msgid) > ($2, $3) ORDER BY p, mailbox, msgid LIMIT $4)
		(SELECT *, false FROM looked WHERE exp <> 0 AND exp <= (SELECT least(` + clockExpr + ` + $5, $7)) ORDER BY p, mailbox, msgid LIMIT $6)
		UNION ALL (SELECT *, true FROM looked WHERE (SELECT count(*) FROM looked) = $4 ORDER BY p DESC, mailbox DESC, msgid DESC LIMIT 1)`,
		[]uint32{pgtype.Int2ArrayOID, pgtype.ByteaOID, pgtype.ByteaOID, pgtype.Int8OID, pgtype.Int8OID, pgtype.Int8OID, pgtype.Int8OID}},
	stExpiredAcks: {`SELECT u.mailbox, u.msgid, a.device FROM unnest($1, $2, $3) AS u (p, mailbox, msgid),
		LATERAL (SELECT device FROM mail_ack m WHERE m.p = u.p AND m.mailbox = u.mailbox AND m.msgid = u.msgid OFFSET 0) AS a
		ORDER BY u.p, u.mailbox, u.msgid, a.device`,
		[]uint32{pgtype.Int2ArrayOID, pgtype.ByteaArrayOID, pgtype.ByteaArrayOID}},
}

// byKeys makes the planner look up each given key, whatever it believes about the tables: while one is, or was when it was last looked
// at, nearly empty, reading it whole and comparing each row with each key seems cheaper. A bitmap scan is possible for a key only.
const byKeys = `set_config('enable_indexscan', 'off', true), set_config('enable_indexonlyscan', 'off', true)`

// clockExpr is the store's clock, the database's: microseconds since 1970.
const clockExpr = `(extract(epoch FROM clock_timestamp()) * 1000000)::bigint`

// prepareAll prepares a connection's statements, those on the directory only if it is there.
func (s *shard) prepareAll(ctx context.Context, pc *pgconn.PgConn, l *link) error {
	all := make([]*pgconn.StatementDescription, statementCount)
	for i, st := range statements {
		if statement(i) == stMailbox && !s.together() {
			continue
		}
		sd, err := pc.Prepare(ctx, fmt.Sprintf("jackdaw_%d", i), st.sql, st.params)
		if err != nil {
			return fmt.Errorf("statement %d: %w", i, err)
		}
		all[i] = sd
	}
	l.stmts = all
	return nil
}

// pipe is a series of statements that are sent to a server together. Everything travels in the binary format.
type pipe struct {
	pl    *pgconn.Pipeline
	stmts []*pgconn.StatementDescription
	sent  []func(row [][]byte) error // what each one's rows are passed to; nil for none
	last  pgconn.CommandTag          // of COMMIT
	sentC int                        // which one COMMIT is
}

var binaryFormat = []int16{1}

func newPipe(ctx context.Context, pc *pgconn.PgConn, l *link) *pipe {
	return &pipe{pl: pc.StartPipeline(ctx), stmts: l.stmts, sentC: -1}
}

// has reports whether a statement is prepared.
func (p *pipe) has(st statement) bool { return p.stmts[st] != nil }

func (p *pipe) send(st statement, each func(row [][]byte) error, params ...[]byte) {
	if st == stCommit {
		p.sentC = len(p.sent)
	}
	p.pl.SendQueryStatement(p.stmts[st], params, binaryFormat, binaryFormat)
	p.sent = append(p.sent, each)
}

// run sends all statements and reads their results. It returns the first error; the statements behind it were not run.
func (p *pipe) run() error {
	first := p.pl.Sync()
	for i := 0; first == nil || i < len(p.sent); {
		results, err := p.pl.GetResults()
		if err != nil {
			if first == nil {
				first = err
			}
			if p.broken(err) {
				break
			}
			continue
		}
		if rr, ok := results.(*pgconn.ResultReader); ok {
			if err := p.read(i, rr); err != nil && first == nil {
				first = err
			}
			i++
			continue
		}
		break // the end of the pipeline
	}
	if err := p.pl.Close(); first == nil {
		first = err
	}
	return first
}

// broken reports whether nothing more is to be read after an error.
func (p *pipe) broken(err error) bool { return sqlState(err) == "" }

func (p *pipe) read(i int, rr *pgconn.ResultReader) error {
	var first error
	for rr.NextRow() {
		if first == nil && p.sent[i] != nil {
			first = p.sent[i](rr.Values())
		}
	}
	tag, err := rr.Close()
	if i == p.sentC {
		p.last = tag
	}
	if err != nil {
		return err
	}
	return first
}
