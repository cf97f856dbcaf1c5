package pebblestore

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/store"
)

// decoders reads a value as each kind of entry and writes it again.
var decoders = map[string]func(v []byte) ([]byte, error){
	"row": func(v []byte) ([]byte, error) {
		row, sender, err := decodeRow(v)
		a := store.Append{Ord: row.Ord, CSeq: row.CSeq, Flags: row.Flags, Sender: "", Body: make([]byte, min(row.Size, 1<<16))}
		return append(encodeRow(nil, &a, row.Expiry), sender...), err
	},
	"account": func(v []byte) ([]byte, error) { a, err := decodeAccount("u", v); return encodeAccount(&a), err },
	"device":  func(v []byte) ([]byte, error) { d, err := decodeDevice("d", v); return encodeDevice(&d), err },
	"item":    func(v []byte) ([]byte, error) { i, err := decodeItem("c", v); return encodeItem(&i), err },
	"group":   func(v []byte) ([]byte, error) { g, err := decodeGroup("g", v); return encodeGroup(&g), err },
	"member":  func(v []byte) ([]byte, error) { m, err := decodeMember("u", v); return encodeMember(&m), err },
	"entry":   func(v []byte) ([]byte, error) { e, err := decodeEntry([16]byte{}, v); return encodeEntry(&e), err },
	"rev":     func(v []byte) ([]byte, error) { r, err := decodeRev(v); return encodeRev(r), err },
}

func samples() map[string][]byte {
	s := store.Scram{Salt: []byte("salt"), Iterations: 4096, StoredKey: []byte("stored"), ServerKey: []byte("server")}
	at := time.UnixMicro(1_700_000_000_000_001).UTC()
	e := &logEntry{GroupEntry: store.GroupEntry{Rev: 3, Ord: -1, Expiry: 5, Sender: "s@x", Body: []byte("body")}, done: 9}
	return map[string][]byte{
		"row":     encodeRow(nil, &store.Append{Ord: -1, CSeq: 300, Flags: 7, Sender: "s@x", Body: make([]byte, 300)}, 1<<60),
		"account": encodeAccount(&store.Account{Rev: 300, Disabled: true, Created: at, SHA1: s, SHA256: s}),
		"device":  encodeDevice(&store.Device{Name: "n", Since: -5, LastSeen: at, Logins: 3}),
		"item":    encodeItem(&store.RosterItem{Name: "n", Groups: []string{"a", ""}, Listed: true, Subscription: 3, PendingIn: true, Request: []byte("r"), Rev: 5}),
		"group":   encodeGroup(&store.Group{Rev: 1, Members: 2, Owner: "o@x", Subject: "s", Settings: []byte{0}, Created: at}),
		"member":  encodeMember(&store.Member{Role: "r", JoinedRev: 1 << 40}),
		"entry":   encodeEntry(e),
		"rev":     encodeRev(1 << 63),
	}
}

// Every value comes back as it was written; cut short or lengthened it is refused (but a row, whose end is the sender).
func TestValuesComeBack(t *testing.T) {
	for name, v := range samples() {
		again, err := decoders[name](v)
		if err != nil || !bytes.Equal(again, v) {
			t.Errorf("%s: %x came back as %x, %v", name, v, again, err)
		}
		for n := range v {
			if name == "row" && n >= len(v)-len("s@x") {
				break
			}
			if _, err := decoders[name](v[:n]); !errors.Is(err, store.ErrCorrupt) {
				t.Errorf("%s cut to %d of %d bytes: %v", name, n, len(v), err)
			}
		}
		if _, err := decoders[name](append(bytes.Clone(v), 0)); name != "row" && !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("%s with a byte more: %v", name, err)
		}
	}
}

// The formats on disk never change: if this fails, the code is wrong, not the test.
func TestValuesAreAnOnDiskFormat(t *testing.T) {
	row := encodeRow(nil, &store.Append{Ord: 1, CSeq: 2, Flags: store.FlagError, Sender: "s@x", Body: []byte("hello")}, 3)
	if want := []byte("\x01\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x03\x02\x05s@x"); !bytes.Equal(row, want) {
		t.Errorf("row %q, want %q", row, want)
	}
	if key, want := appendMailbox(nil, tagMail, 0x0abc, "a@x"), []byte("m|\x0a\xbca@x\x00"); !bytes.Equal(key, want) {
		t.Errorf("key %q, want %q", key, want)
	}
}

func TestRowExpiry(t *testing.T) {
	v := encodeRow(nil, &store.Append{}, 42)
	if rowExpiry(v) != 42 || rowExpiry(v[:5]) != 0 {
		t.Error("the expiry is not where it was written")
	}
}

func TestSplitKeys(t *testing.T) {
	key := append(appendMailbox(nil, tagMail, 7, "a@x"), bytes.Repeat([]byte{0}, idLen)...)
	if u, id, err := splitMail(key); u != "a@x" || !id.IsZero() || err != nil {
		t.Errorf("%q, %v, %v", u, id, err)
	}
	for _, bad := range []string{"", "m|", "m|\x00\x00a@x", "m|\x00\x00a@x\x01aaaaaaaaaaaaaaaa", "m|\x00\x00\x00aaaaaaaaaaaaaaaa"} {
		if _, _, err := splitMail([]byte(bad)); !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("splitMail(%q): %v", bad, err)
		}
	}
	if o, n, err := splitPair(tagLog, pair(tagLog, "g@x", "name\x00")); string(o) != "g@x" || string(n) != "name\x00" || err != nil {
		t.Errorf("%q, %q, %v", o, n, err)
	}
	for _, bad := range []string{"", "l|", "l|g@x", "k|g@x\x00y"} {
		if _, _, err := splitPair(tagLog, []byte(bad)); !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("splitPair(%q): %v", bad, err)
		}
	}
	lower, upper := partitionRange(0xffff)
	if bytes.Compare(lower, upper) >= 0 {
		t.Error("the range of the last partition is empty")
	}
}

// No bytes make a decoder panic or allocate without end, and what is read without an error is written back so that it
// reads the same.
func FuzzDecode(f *testing.F) {
	for _, v := range samples() {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v []byte) {
		_, _ = entryDone(v)
		_ = rowExpiry(v)
		_, _, _ = splitMail(v)
		_, _, _ = splitPair(tagAck, v)
		for name, decode := range decoders {
			first, err := decode(v)
			if err != nil {
				if !errors.Is(err, store.ErrCorrupt) {
					t.Fatalf("%s: %v", name, err)
				}
				continue
			}
			if name == "row" {
				continue // the size of a body that the fuzzer does not have
			}
			second, err := decode(first)
			if err != nil || !reflect.DeepEqual(first, second) {
				t.Fatalf("%s: %x reads as %x, which reads as %x, %v", name, v, first, second, err)
			}
		}
	})
}
