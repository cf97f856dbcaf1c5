package trust

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestEncoding(t *testing.T) {
	b := must(t)(newBundle(t, epoch).Revoke("eve", "ada", epoch))
	back, err := Decode(b.Encode())
	if err != nil || !reflect.DeepEqual(b, back) {
		t.Fatalf("%v\n%v\n%v", err, b, back)
	}
	if b.Stamp() != back.Stamp() || b.Stamp() == newBundle(t, epoch).Stamp() {
		t.Error("the stamp isn't the content's")
	}
	stamp, err := ParseStamp(b.Stamp().String())
	if err != nil || stamp != b.Stamp() || len(Stamp{1<<64 - 1, 1<<32 - 1}.String()) > 29 {
		t.Errorf("%v, %v", stamp, err)
	}
	for _, bad := range []string{"", "-", "1", "1-", "-1", "x-1", "1-x", "1-123456789", "-1-1"} {
		if s, err := ParseStamp(bad); err == nil {
			t.Errorf("%q is %v", bad, s)
		}
	}
}

// TestUnknownParts: a bundle of a later release comes through this one as it was.
func TestUnknownParts(t *testing.T) {
	b := newBundle(t, epoch)
	var all map[string]json.RawMessage
	if err := json.Unmarshal(b.Encode(), &all); err != nil {
		t.Fatal(err)
	}
	all["zebra"], all["abacus"] = json.RawMessage(`{"a":[1,2,"<>"]}`), json.RawMessage(`7`)
	later, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	back, err := Decode(later)
	if err != nil {
		t.Fatal(err)
	}
	if got := back.Encode(); !bytes.Equal(got, later) {
		t.Errorf("got\n%s\nwant\n%s", got, later)
	}
	next := back.RotateToken("ada", epoch)
	if !bytes.Contains(next.Encode(), []byte(`"abacus":7`)) {
		t.Error("a change loses what it doesn't know")
	}
	if again, err := Decode([]byte(strings.Replace(string(later), `"abacus"`, `"VERSION"`, 1))); err == nil && !bytes.Equal(again.Encode(), must(t)(Decode(again.Encode())).Encode()) {
		t.Error("a part in capitals isn't stable")
	}
}

func TestBadBundles(t *testing.T) {
	b := newBundle(t, epoch)
	other := newBundle(t, epoch)
	for name, change := range map[string]func(*Bundle){
		"no version":           func(b *Bundle) { b.Version = 0 },
		"no cluster":           func(b *Bundle) { b.Cluster = "" },
		"another id":           func(b *Bundle) { b.Cluster = strings.ToUpper(b.Cluster[:30]) + "AB" },
		"no authority":         func(b *Bundle) { b.Authorities = nil },
		"many authorities":     func(b *Bundle) { b.Authorities = slices.Repeat(b.Authorities, 9) },
		"no gossip":            func(b *Bundle) { b.Gossip = nil },
		"many gossip keys":     func(b *Bundle) { b.Gossip = slices.Repeat(b.Gossip, 9) },
		"a short key":          func(b *Bundle) { b.Gossip[0].Secret = b.Gossip[0].Secret[:31] },
		"no seed":              func(b *Bundle) { b.Tickets.Seed = nil },
		"no ticket key":        func(b *Bundle) { b.Tickets.Keys = nil },
		"no token key":         func(b *Bundle) { b.Token = Key{} },
		"many stores":          func(b *Bundle) { b.Stores = slices.Repeat(b.Stores, maxStores+1) },
		"a long store":         func(b *Bundle) { b.Stores[0] = DSN(strings.Repeat("x", maxDSN+1)) },
		"a long directory":     func(b *Bundle) { b.Directory = DSN(strings.Repeat("x", maxDSN+1)) },
		"many revoked":         func(b *Bundle) { b.Revoked = slices.Repeat([]string{"a"}, maxRevoked+1) },
		"revoked out of order": func(b *Bundle) { b.Revoked = []string{"b", "a"} },
		"revoked nonsense":     func(b *Bundle) { b.Revoked = []string{"A B"} },
		"a long history":       func(b *Bundle) { b.History = make([]Change, keptChanges+1) },
		"no certificate":       func(b *Bundle) { b.Authorities[0].Certificate = []byte("x") },
		"no key":               func(b *Bundle) { b.Authorities[0].Key = Secret("x") },
		"another's key":        func(b *Bundle) { b.Authorities[0].Key = other.Authorities[0].Key },
		"a node's certificate": func(b *Bundle) {
			c, err := b.Authorities[0].Issue("a", b.Cluster, NodeLife, epoch)
			if err != nil {
				t.Fatal(err)
			}
			b.Authorities[0].Certificate = c.Certificate[0]
		},
	} {
		c := b.clone()
		change(c)
		if got, err := Decode(c.Encode()); err == nil {
			t.Errorf("%s: %v", name, got)
		} else if found := seen(b, err.Error()); len(found) > 0 {
			t.Errorf("%s: the error shows %v", name, found)
		}
	}
	for _, text := range []string{"", "{}", "[]", "null", "{", `{"version":"x"}`, strings.Repeat(" ", MaxBundle+1)} {
		if got, err := Decode([]byte(text)); err == nil {
			t.Errorf("%.20q: %v", text, got)
		}
	}
}

func TestFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "trust")
	if _, err := Load(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	b := newBundle(t, epoch)
	for range 2 {
		if err := Save(file, b); err != nil {
			t.Fatal(err)
		}
		back, err := Load(file)
		if err != nil || !reflect.DeepEqual(b, back) {
			t.Fatalf("%v\n%v", err, back)
		}
		b = b.RotateToken("ada", epoch)
	}
	if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(file); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
		t.Errorf("others may still read it: %v, %v", info.Mode(), err)
	}
	if left, err := os.ReadDir(filepath.Dir(file)); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		text []byte
		want string
	}{
		"empty":         {nil, "no bundle"},
		"cut":           {whole[:len(whole)-10], "damaged"},
		"a bit flipped": {slices.Concat(whole[:500], []byte{whole[500] ^ 1}, whole[501:]), "damaged"},
		"another form":  {[]byte("jackdaw-trust 2 x\n{}"), "no bundle"},
		"too long":      {make([]byte, MaxBundle+1000), "longer"},
	} {
		if err := os.WriteFile(file, c.text, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(file); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := Save(filepath.Join(t.TempDir(), "none", "trust"), b); err == nil {
		t.Error("a file in no folder was written")
	}
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, "trust"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Save(filepath.Join(folder, "trust"), b); err == nil {
		t.Error("a folder was replaced")
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) != 1 {
		t.Errorf("left behind after an error: %v, %v", left, err)
	}
}

func FuzzDecode(f *testing.F) {
	b := newBundle(f, epoch)
	f.Add(b.Encode())
	f.Add(must(f)(b.Revoke("eve", "ada", epoch)).Encode())
	f.Add([]byte(`{"version":1,"VERSION":2,"x":{}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		b, err := Decode(text)
		if err != nil {
			return
		}
		again, err := Decode(b.Encode())
		if err != nil || !bytes.Equal(b.Encode(), again.Encode()) {
			t.Errorf("%v: what was read can't be read again", err)
		}
		_ = b.String()
		_, _ = Merge(b, again)
	})
}
