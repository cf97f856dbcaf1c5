package pebblestore

import (
	"encoding/binary"
	"fmt"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

// Every stored value begins with the version of its format. A value is either read whole or refused with ErrCorrupt.
const formatV1 = 1

func corrupt(format string, args ...any) error {
	return fmt.Errorf("pebblestore: %w: "+format, append([]any{store.ErrCorrupt}, args...)...)
}

// writer appends the parts of a value.
type writer struct{ b []byte }

func newWriter(room int) *writer { return &writer{append(make([]byte, 0, room), formatV1)} }

func (w *writer) byte(v byte)     { w.b = append(w.b, v) }
func (w *writer) uint(v uint64)   { w.b = binary.AppendUvarint(w.b, v) }
func (w *writer) int(v int64)     { w.b = binary.AppendVarint(w.b, v) }
func (w *writer) bytes(v []byte)  { w.uint(uint64(len(v))); w.b = append(w.b, v...) }
func (w *writer) string(v string) { w.uint(uint64(len(v))); w.b = append(w.b, v...) }
func (w *writer) bool(v bool) {
	if v {
		w.byte(1)
	} else {
		w.byte(0)
	}
}

// reader takes a value apart. The first fault sticks; the parts read after it are zero.
type reader struct {
	b   []byte
	bad bool
}

func newReader(b []byte) *reader {
	r := &reader{b: b}
	if r.byte() != formatV1 {
		r.bad = true
	}
	return r
}

func (r *reader) byte() byte {
	if r.bad || len(r.b) == 0 {
		r.bad = true
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

func (r *reader) bool() bool {
	v := r.byte()
	r.bad = r.bad || v > 1
	return v == 1
}

func (r *reader) uint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || r.bad {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) int() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 || r.bad {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return v
}

// raw returns the next counted bytes without copying them.
func (r *reader) raw() []byte {
	n := r.uint()
	if r.bad || n > uint64(len(r.b)) {
		r.bad = true
		return nil
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) string() string { return string(r.raw()) }

// bytes returns a copy of the next counted bytes; nil if there are none.
func (r *reader) bytes() []byte { return append([]byte(nil), r.raw()...) }

// count returns a number of elements of at least one byte each that follow.
func (r *reader) count() int {
	n := r.uint()
	if n > uint64(len(r.b)) {
		r.bad = true
		return 0
	}
	return int(n)
}

// end returns an ErrCorrupt that names what if the value wasn't read whole and clean.
func (r *reader) end(what string) error {
	if r.bad || len(r.b) != 0 {
		return corrupt("unreadable %s", what)
	}
	return nil
}

// encodeRow appends a row without id, body and acks. Ord and expiry are fixed so that a row's place never depends on the
// length of a varint when it is read by eye.
func encodeRow(dst []byte, a *store.Append, expiry int64) []byte {
	dst = append(dst, formatV1, byte(a.Flags))
	dst = binary.BigEndian.AppendUint64(dst, uint64(a.Ord))
	dst = binary.BigEndian.AppendUint64(dst, uint64(expiry))
	dst = binary.AppendUvarint(dst, a.CSeq)
	dst = binary.AppendUvarint(dst, uint64(len(a.Body)))
	return append(dst, a.Sender...)
}

const rowFixed = 1 + 1 + 8 + 8

// decodeRow reads a row; sender is returned as bytes so that the caller can share equal strings.
func decodeRow(v []byte) (row store.Row, sender []byte, err error) {
	if len(v) < rowFixed || v[0] != formatV1 {
		return row, nil, corrupt("unreadable message row")
	}
	row.Flags = store.Flags(v[1])
	row.Ord = int64(binary.BigEndian.Uint64(v[2:]))
	row.Expiry = int64(binary.BigEndian.Uint64(v[10:]))
	v = v[rowFixed:]
	cseq, n := binary.Uvarint(v)
	if n <= 0 {
		return row, nil, corrupt("unreadable message row")
	}
	v = v[n:]
	size, n := binary.Uvarint(v)
	if n <= 0 || size > store.MaxBody {
		return row, nil, corrupt("unreadable message row")
	}
	row.CSeq, row.Size = cseq, int(size)
	return row, v[n:], nil
}

// rowExpiry returns only the expiry of a stored row, or 0 if it can't be read.
func rowExpiry(v []byte) int64 {
	if len(v) < rowFixed {
		return 0
	}
	return int64(binary.BigEndian.Uint64(v[10:]))
}

func encodeScram(w *writer, s *store.Scram) {
	w.bytes(s.Salt)
	w.uint(uint64(s.Iterations))
	w.bytes(s.StoredKey)
	w.bytes(s.ServerKey)
}

func decodeScram(r *reader) store.Scram {
	return store.Scram{Salt: r.bytes(), Iterations: int(r.uint()), StoredKey: r.bytes(), ServerKey: r.bytes()}
}

func encodeAccount(a *store.Account) []byte {
	w := newWriter(200)
	w.uint(a.Rev)
	w.bool(a.Disabled)
	w.int(store.Micros(a.Created))
	encodeScram(w, &a.SHA1)
	encodeScram(w, &a.SHA256)
	return w.b
}

func decodeAccount(user ident.UserID, v []byte) (store.Account, error) {
	r := newReader(v)
	a := store.Account{User: user, Rev: r.uint(), Disabled: r.bool(), Created: store.FromMicros(r.int()),
		SHA1: decodeScram(r), SHA256: decodeScram(r)}
	return a, r.end("account")
}

func encodeDevice(d *store.Device) []byte {
	w := newWriter(32 + len(d.Name))
	w.string(d.Name)
	w.int(d.Since)
	w.int(store.Micros(d.LastSeen))
	w.uint(uint64(d.Logins))
	return w.b
}

func decodeDevice(id ident.DeviceID, v []byte) (store.Device, error) {
	r := newReader(v)
	d := store.Device{ID: id, Name: r.string(), Since: r.int(), LastSeen: store.FromMicros(r.int()), Logins: int(r.uint())}
	return d, r.end("device")
}

func encodeItem(i *store.RosterItem) []byte {
	w := newWriter(64 + len(i.Request))
	w.uint(i.Rev)
	w.string(i.Name)
	w.bool(i.Listed)
	w.byte(byte(i.Subscription))
	w.bool(i.Ask)
	w.bool(i.PendingIn)
	w.bytes(i.Request)
	w.uint(uint64(len(i.Groups)))
	for _, g := range i.Groups {
		w.string(g)
	}
	return w.b
}

func decodeItem(contact ident.UserID, v []byte) (store.RosterItem, error) {
	r := newReader(v)
	i := store.RosterItem{Contact: contact, Rev: r.uint(), Name: r.string(), Listed: r.bool(),
		Subscription: store.Subscription(r.byte()), Ask: r.bool(), PendingIn: r.bool(), Request: r.bytes()}
	for n := r.count(); n > 0 && !r.bad; n-- {
		i.Groups = append(i.Groups, r.string())
	}
	r.bad = r.bad || i.Subscription > store.SubscriptionBoth
	return i, r.end("roster item")
}

func encodeGroup(g *store.Group) []byte {
	w := newWriter(64 + len(g.Settings))
	w.uint(g.Rev)
	w.uint(uint64(g.Members))
	w.string(string(g.Owner))
	w.string(g.Subject)
	w.bytes(g.Settings)
	w.int(store.Micros(g.Created))
	return w.b
}

func decodeGroup(id ident.GroupID, v []byte) (store.Group, error) {
	r := newReader(v)
	g := store.Group{ID: id, Rev: r.uint(), Members: int(r.uint()), Owner: ident.UserID(r.string()), Subject: r.string(),
		Settings: r.bytes(), Created: store.FromMicros(r.int())}
	return g, r.end("group")
}

func encodeMember(m *store.Member) []byte {
	w := newWriter(24)
	w.string(m.Role)
	w.uint(m.JoinedRev)
	return w.b
}

func decodeMember(user ident.UserID, v []byte) (store.Member, error) {
	r := newReader(v)
	m := store.Member{User: user, Role: r.string(), JoinedRev: r.uint()}
	return m, r.end("member")
}

// logEntry is an entry of a group's log; done is when it was marked so in microseconds since 1970, or 0.
type logEntry struct {
	store.GroupEntry
	done int64
}

func encodeEntry(e *logEntry) []byte {
	w := newWriter(48 + len(e.Sender) + len(e.Body))
	w.int(e.done)
	w.uint(e.Rev)
	w.int(e.Ord)
	w.int(e.Expiry)
	w.string(string(e.Sender))
	w.bytes(e.Body)
	return w.b
}

// decodeEntry reads an entry. Its body is a part of v.
func decodeEntry(id ident.MessageID, v []byte) (logEntry, error) {
	r := newReader(v)
	e := logEntry{done: r.int()}
	e.ID, e.Rev, e.Ord, e.Expiry, e.Sender, e.Body = id, r.uint(), r.int(), r.int(), ident.UserID(r.string()), r.raw()
	return e, r.end("entry of a group's log")
}

// entryDone returns only when an entry was marked as done.
func entryDone(v []byte) (int64, error) {
	r := newReader(v)
	done := r.int()
	if r.bad {
		return 0, corrupt("unreadable entry of a group's log")
	}
	return done, nil
}

func encodeRev(rev uint64) []byte {
	w := newWriter(10)
	w.uint(rev)
	return w.b
}

func decodeRev(v []byte) (uint64, error) {
	r := newReader(v)
	rev := r.uint()
	return rev, r.end("revision")
}
