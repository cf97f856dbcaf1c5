package pgstore

import (
	"context"
	"encoding/binary"
	"slices"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

// query sends some reading statements together. build puts them into the pipe.
func (s *shard) query(ctx context.Context, build func(p *pipe)) error {
	c, err := s.acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	pc := c.Conn().PgConn()
	l := linkOf(pc)
	if l.stmts == nil {
		if err := s.prepareAll(ctx, pc, l); err != nil {
			return s.fail(err)
		}
	}
	p := newPipe(ctx, pc, l)
	build(p)
	if err := p.run(); err != nil {
		return s.fail(err)
	}
	return nil
}

// Load implements store.Mail. All statements go to the server together, one to the directory only if that is there as well. They are
// run one after the other: what was acknowledged between is taken as well, and what came or went is put right by ids.
func (m mail) Load(ctx context.Context, mailbox ident.UserID, page store.Page) (*store.Mailbox, error) {
	if err := m.enter(); err != nil {
		return nil, err
	}
	defer m.leave()
	part := store.MailPartition(mailbox)
	s := m.shards[m.byPart[part]]
	key := [][]byte{int16Param(part), []byte(mailbox)}
	r, info, there, bodies := rowReader{}, infoReader{}, false, map[ident.MessageID][]byte{}
	err := s.query(ctx, func(p *pipe) {
		if there = s.together() && p.has(stMailbox); there {
			p.send(stMailbox, info.row, []byte(mailbox))
		}
		p.send(stIndex, r.row, key...)
		p.send(stIndexAcks, r.ack, key...)
		if page.Rows > 0 && page.Bytes > 0 {
			p.send(stFirst, func(v [][]byte) error {
				id, err := ident.MessageIDFrom(v[0])
				if err != nil {
					return damaged("a message's id: %v", err)
				}
				bodies[id] = append([]byte{}, v[1]...)
				return nil
			}, append(key, int64Param(int64(page.Rows)), int64Param(int64(page.Bytes)))...)
		}
	})
	if err != nil {
		return nil, wrapSQL(err)
	}
	slices.SortFunc(r.rows, store.CompareRows)
	out := &store.Mailbox{Rows: r.rows}
	if there {
		out.User = info.info()
	}
	if len(bodies) > 0 {
		out.Bodies = make([][]byte, page.Of(out.Rows))
		for i := range out.Bodies {
			out.Bodies[i] = bodies[out.Rows[i].ID]
		}
	}
	return out, nil
}

// rowReader makes rows of a mailbox, which come in the order of their ids, as their acknowledgements do.
type rowReader struct {
	rows []store.Row
	next int
	last ident.UserID // senders repeat
}

func (r *rowReader) row(v [][]byte) error {
	row, err := r.decode(v)
	if err == nil {
		r.rows = append(r.rows, row)
	}
	return err
}

// decode reads msgid, ord, exp, cseq, flags, size, sender.
func (r *rowReader) decode(v [][]byte) (row store.Row, err error) {
	if row.ID, err = ident.MessageIDFrom(v[0]); err != nil {
		return row, damaged("a message's id: %v", err)
	}
	row.Ord, row.Expiry, row.CSeq = getInt64(v[1]), getInt64(v[2]), uint64(getInt64(v[3]))
	row.Flags, row.Size = store.Flags(binary.BigEndian.Uint16(v[4])), int(binary.BigEndian.Uint32(v[5]))
	if string(r.last) != string(v[6]) {
		r.last = ident.UserID(v[6])
	}
	row.Sender = r.last
	return row, nil
}

func (r *rowReader) ack(v [][]byte) error {
	for r.next < len(r.rows) && string(r.rows[r.next].ID[:]) < string(v[0]) {
		r.next++
	}
	if r.next < len(r.rows) && string(r.rows[r.next].ID[:]) == string(v[0]) {
		row := &r.rows[r.next]
		row.Acked = append(row.Acked, ident.DeviceID(v[1]))
	}
	return nil
}

// Read implements store.Mail.
func (m mail) Read(ctx context.Context, mailbox ident.UserID, ids []ident.MessageID) ([][]byte, error) {
	if err := m.enter(); err != nil {
		return nil, err
	}
	defer m.leave()
	out := make([][]byte, len(ids))
	if len(ids) == 0 {
		return out, nil
	}
	at := make(map[ident.MessageID][]int, len(ids))
	for i, id := range ids {
		at[id] = append(at[id], i)
	}
	var list array // of each id once
	list.strings(len(at))
	for id := range at {
		list.bytes(id[:])
	}
	part := store.MailPartition(mailbox)
	err := m.shards[m.byPart[part]].query(ctx, func(p *pipe) {
		p.send(stRead, func(v [][]byte) error {
			id, err := ident.MessageIDFrom(v[0])
			if err != nil {
				return damaged("a message's id: %v", err)
			}
			for _, i := range at[id] {
				out[i] = append([]byte{}, v[1]...)
			}
			return nil
		}, int16Param(part), []byte(mailbox), list.buf)
	})
	if err != nil {
		return nil, wrapSQL(err)
	}
	return out, nil
}

func getInt64(v []byte) int64 { return int64(binary.BigEndian.Uint64(v)) }
