package transfer

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"github.com/jackdaw-im/jackdaw/store"
)

// Digest tells what a part of a store holds, whatever the order. The zero value is that of nothing.
type Digest struct {
	Entries int64 // how many
	Bytes   int64 // their size, bodies and ids mainly
	sum     [4]uint64
}

// Add adds one entry.
func (d *Digest) Add(part store.Part, e *store.Entry) {
	d.Entries++
	d.Bytes += int64(e.Size())
	h := sha256.Sum256(encode(nil, part, e))
	for i := range d.sum {
		d.sum[i] += binary.BigEndian.Uint64(h[8*i:])
	}
}

// add adds one entry of a store. Entries of groups' logs that are done don't count: their ids are known for some minutes
// only, and each engine forgets them in its own time.
func (d *Digest) add(part store.Part, e *store.Entry) {
	if e.Log == nil || e.Log.Done == 0 {
		d.Add(part, e)
	}
}

// String returns the sum as reports print it.
func (d Digest) String() string {
	var b []byte
	for _, w := range d.sum {
		b = binary.BigEndian.AppendUint64(b, w)
	}
	return hex.EncodeToString(b[:16])
}

// encoder appends the fields of an entry, each with its length, so that no two entries have one encoding.
type encoder []byte

func (b *encoder) num(v ...int64) {
	for _, v := range v {
		*b = binary.AppendVarint(*b, v)
	}
}

func (b *encoder) flag(v ...bool) {
	for _, v := range v {
		n := int64(0)
		if v {
			n = 1
		}
		b.num(n)
	}
}

func (b *encoder) text(v ...string) {
	for _, v := range v {
		b.num(int64(len(v)))
		*b = append(*b, v...)
	}
}

func (b *encoder) blob(v ...[]byte) {
	for _, v := range v {
		b.num(int64(len(v)))
		*b = append(*b, v...)
	}
}

func (b *encoder) scram(s *store.Scram) {
	b.blob(s.Salt, s.StoredKey, s.ServerKey)
	b.num(int64(s.Iterations))
}

// encode appends an entry of a part to dst.
func encode(dst []byte, part store.Part, e *store.Entry) []byte {
	b := encoder(append(dst, byte(part)))
	b.text(e.Owner)
	switch part {
	case store.PartAccounts:
		a := e.Account
		b.num(int64(a.Rev), int64(e.RosterRev), store.Micros(a.Created))
		b.flag(a.Disabled)
		b.scram(&a.SHA1)
		b.scram(&a.SHA256)
	case store.PartDevices:
		d := e.Device
		b.text(string(d.ID), d.Name)
		b.num(d.Since, store.Micros(d.LastSeen), int64(d.Logins))
	case store.PartContacts:
		i := e.Contact
		b.text(string(i.Contact), i.Name)
		b.num(int64(i.Subscription), int64(i.Rev), int64(len(i.Groups)))
		b.text(i.Groups...)
		b.flag(i.Listed, i.Ask, i.PendingIn)
		b.blob(i.Request)
	case store.PartBlocks:
		b.text(e.Block)
	case store.PartGroups:
		g := e.Group
		b.text(string(g.Owner), g.Subject)
		b.blob(g.Settings)
		b.num(store.Micros(g.Created), int64(g.Members), int64(g.Rev))
	case store.PartMembers:
		m := e.Member
		b.text(string(m.User), m.Role)
		b.num(int64(m.JoinedRev))
	case store.PartLog:
		l := e.Log
		b.blob(l.ID[:], l.Body)
		b.text(string(l.Sender))
		b.num(l.Ord, int64(l.Rev), l.Expiry, l.Done)
	case store.PartMail:
		m := e.Mail
		b.blob(m.ID[:], m.Body)
		b.text(string(m.Sender))
		b.num(m.Ord, int64(m.CSeq), m.Expiry, int64(m.Flags), int64(len(m.Acked)))
		for _, d := range m.Acked {
			b.text(string(d))
		}
	}
	return b
}
