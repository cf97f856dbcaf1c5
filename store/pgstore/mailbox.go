package pgstore

import (
	"encoding/binary"
	"slices"
	"strings"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

// mailboxSQL is what a mailbox needs to know of its user. It is one statement, so that it is of one moment. Each row is of one kind.
const mailboxSQL = `SELECT 0::smallint, ''::bytea, ''::bytea, disabled::integer::bigint, 0::bigint, 0::bigint FROM account WHERE user_id = $1
	UNION ALL SELECT 1::smallint, contact, ''::bytea, 0, 0, 0 FROM roster WHERE user_id = $1 AND (listed OR ask OR subscription <> 0)
	UNION ALL SELECT 2::smallint, address, ''::bytea, 0, 0, 0 FROM block WHERE user_id = $1
	UNION ALL SELECT 3::smallint, id, name, since, last_seen, logins FROM device WHERE user_id = $1`

// infoReader makes a MailboxInfo of the rows of mailboxSQL.
type infoReader struct{ found store.MailboxInfo }

// row takes a row in the binary format.
func (r *infoReader) row(v [][]byte) error {
	key, name, a, b, c := v[1], v[2], getInt64(v[3]), getInt64(v[4]), getInt64(v[5])
	switch kind := binary.BigEndian.Uint16(v[0]); kind {
	case 0:
		r.found.Exists, r.found.Disabled = true, a != 0
	case 1:
		r.found.Contacts = append(r.found.Contacts, ident.UserID(key))
	case 2:
		r.found.Blocks = append(r.found.Blocks, string(key))
	case 3:
		r.found.Devices = append(r.found.Devices, store.Device{ID: ident.DeviceID(key), Name: string(name), Since: a, LastSeen: store.FromMicros(b), Logins: int(c)})
	default:
		return damaged("a row of kind %d", kind)
	}
	return nil
}

// info returns what was read, in order.
func (r *infoReader) info() *store.MailboxInfo {
	if !r.found.Exists {
		return &store.MailboxInfo{}
	}
	slices.Sort(r.found.Contacts)
	slices.Sort(r.found.Blocks)
	slices.SortFunc(r.found.Devices, func(a, b store.Device) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return &r.found
}

// together reports whether the shard's database is the directory's too.
func (s *shard) together() bool {
	return s.conf.at().ConnString() == s.dir.conf.at().ConnString()
}
