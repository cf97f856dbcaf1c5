package trust

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestHandFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "folder")
	if _, err := MakeHandFolder(dir, epoch); err != nil {
		t.Fatal(err)
	}
	for i, want := range []HandStep{HandAdded, HandSwitched, HandDropped, HandAdded} {
		h, err := OpenHandFolder(dir)
		if err != nil {
			t.Fatal(err)
		}
		step, err := h.Rotate(epoch)
		if err != nil || step != want {
			t.Errorf("step %d: %v, %v", i, step, err)
		}
	}
	h, err := OpenHandFolder(dir)
	if err != nil || len(h.Authorities) != 2 || h.Authorities[0].Number != 2 || h.Authorities[1].Number != 3 {
		t.Fatalf("%v, %v", h, err)
	}
	// Between the two files of a step there may be a key too many, in any order.
	text, err := os.ReadFile(filepath.Join(dir, AuthorityKeyFile))
	if err != nil {
		t.Fatal(err)
	}
	other, err := MakeHandFolder(t.TempDir(), epoch)
	if err != nil {
		t.Fatal(err)
	}
	if err := WriteSecret(filepath.Join(dir, AuthorityKeyFile), append(encodeKeys(other.Authorities[0].Key), text...)); err != nil {
		t.Fatal(err)
	}
	if again, err := OpenHandFolder(dir); err != nil || string(again.Authorities[0].Key) != string(h.Authorities[0].Key) || string(again.Authorities[1].Key) != string(h.Authorities[1].Key) {
		t.Errorf("%v", err)
	}
	if _, err := MakeHandFolder(dir, epoch); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("%v", err)
	}
	for _, name := range []string{AuthorityKeyFile, AuthorityFile} {
		if err := WriteSecret(filepath.Join(dir, name), []byte("nonsense")); err != nil {
			t.Fatal(err)
		}
		h, err := OpenHandFolder(dir)
		if err == nil {
			_, err = h.IssueTo(dir, "a", "", NodeLife, epoch)
		}
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("nonsense in %s: %v", name, err)
		}
	}
}

// TestAuthorityOfAnotherTool: one made by openssl, with its key in the older form, signs and is rotated.
func TestAuthorityOfAnotherTool(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{Subject: pkix.Name{CommonName: "Example CA"}, NotBefore: epoch, NotAfter: epoch.AddDate(1, 0, 0), IsCA: true, BasicConstraintsValid: true}
	der, err := sign(template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string][]byte{
		AuthorityFile:    EncodeCertificates(der),
		AuthorityKeyFile: append([]byte("-----BEGIN EC PARAMETERS-----\nBgUrgQQAIg==\n-----END EC PARAMETERS-----\n"), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1})...),
	} {
		if err := WriteSecret(filepath.Join(dir, name), text); err != nil {
			t.Fatal(err)
		}
	}
	h, err := OpenHandFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := h.IssueTo(dir, "a", "", NodeLife, epoch)
	if err != nil || leaf.NotBefore.Before(epoch) {
		t.Errorf("%v", err)
	}
	for range 2 {
		if _, err := h.Rotate(epoch); err != nil {
			t.Fatal(err)
		}
	}
	if h.Authorities[0].Number != 1 || h.Authorities[1].Number != 0 {
		t.Errorf("%v", h.Authorities)
	}
}

func TestShow(t *testing.T) {
	dir := t.TempDir()
	h, err := MakeHandFolder(dir, epoch)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.IssueTo(dir, "a", strings.Repeat("ab", 16), 24*time.Hour, epoch); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		file  string
		after time.Duration
		want  string
	}{
		{AuthorityFile, 0, "authority 1 "},
		{"a.pem", 0, "node a of cluster abab"},
		{"a.pem", 0, "2026-01-20 to 2026-03-02\n"},
		{"a.pem", 25 * time.Hour, "2026-03-02, expired\n"},
		{"a.pem", -Backdate - time.Hour, ", not yet valid\n"},
		{"a.pem", 0, "signed by   authority 1 "},
	} {
		text, err := Show(filepath.Join(dir, c.file), epoch.Add(c.after))
		if err != nil || !strings.Contains(text, c.want) {
			t.Errorf("%s: %q, %v; want %q", c.file, text, err, c.want)
		}
	}
	if _, err := Show(filepath.Join(dir, "a.key"), epoch); err == nil {
		t.Error("a key was shown")
	}
	b := newBundle(t, epoch)
	if err := Save(filepath.Join(dir, "bundle"), b); err != nil {
		t.Fatal(err)
	}
	if text, err := Show(filepath.Join(dir, "bundle"), epoch); err != nil || text != b.String() {
		t.Errorf("%q, %v", text, err)
	}
}
