package sasl

import (
	"bytes"
	"encoding/base64"
	"errors"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

func TestNewCredentials(t *testing.T) {
	sha1, sha256, err := NewCredentials("pencil")
	if err != nil {
		t.Fatal(err)
	}
	again, _, err := NewCredentials("pencil")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*nodepb.Scram{sha1, sha256} {
		if len(c.Salt) != 16 || c.Iterations != 4096 || bytes.Equal(c.StoredKey, c.ServerKey) {
			t.Errorf("made %v", c)
		}
	}
	if len(sha1.StoredKey) != 20 || len(sha256.StoredKey) != 32 || len(sha1.ServerKey) != 20 || len(sha256.ServerKey) != 32 {
		t.Errorf("keys of %d, %d, %d and %d bytes", len(sha1.StoredKey), len(sha256.StoredKey), len(sha1.ServerKey), len(sha256.ServerKey))
	}
	if bytes.Equal(sha1.Salt, sha256.Salt) || bytes.Equal(sha1.Salt, again.Salt) {
		t.Error("a salt was used twice")
	}
}

func TestPrepare(t *testing.T) {
	tests := []struct{ password, want string }{
		{"pencil", "pencil"},
		{" two  words ", " two  words "},
		{"I\u00adX", "IX"},                               // RFC 4013 section 3
		{"\u00aa", "a"},                                  // the same: NFKC
		{"\u2168", "IX"},                                 // the same
		{"a\u00a0b", "a b"},                              // spaces are one kind of space
		{"a\u0308", "\u00e4"},                            // composed
		{"\ufb01sh \U0001f41f", "\ufb01sh \U0001f41f"},   // emoji: OpaqueString, which keeps compatibility characters
		{"a\u0308\u00a0\U0001f41f", "\u00e4 \U0001f41f"}, // and composes, and maps spaces
		{"\u0627\u0031", "\u0627\u0031"},                 // RFC 4013 refuses the direction, OpaqueString doesn't
		{"", ""},
		{"\u00ad", ""}, // nothing is left
		{"\u0007", ""},
		{"a\x00b", ""},
		{"a\nb", ""},
		{"\xff", ""},
		{"\ue000", ""},
	}
	for _, tt := range tests {
		got, err := prepare(tt.password)
		if got != tt.want || (err != nil) != (tt.want == "") || err != nil && !errors.Is(err, ErrPassword) {
			t.Errorf("%q becomes %q, %v, want %q", tt.password, got, err, tt.want)
		}
		if _, _, err := NewCredentials(tt.password); (err != nil) != (tt.want == "") {
			t.Errorf("%q: credentials: %v", tt.password, err)
		}
	}
}

func TestKept(t *testing.T) {
	sha1, sha256, err := NewCredentials("pencil")
	if err != nil {
		t.Fatal(err)
	}
	all := &nodepb.Credentials{Known: true, Sha1: sha1, Sha256: sha256}
	for mechanism, want := range map[string]*nodepb.Scram{SCRAMSHA1: sha1, SCRAMSHA256: sha256, Plain: sha256} {
		if got := Kept(all, mechanism); got != want {
			t.Errorf("%s is checked with %v", mechanism, got)
		}
		swapped := &nodepb.Credentials{Known: true, Sha1: sha256, Sha256: sha1}
		if got := Kept(swapped, mechanism); got != nil {
			t.Errorf("%s is checked with the other hash's keys", mechanism)
		}
	}
	for name, spoil := range map[string]func(*nodepb.Scram){
		"no salt":            func(c *nodepb.Scram) { c.Salt = nil },
		"no iterations":      func(c *nodepb.Scram) { c.Iterations = 0 },
		"endless iterations": func(c *nodepb.Scram) { c.Iterations = 1 << 31 },
		"no stored key":      func(c *nodepb.Scram) { c.StoredKey = nil },
		"short server key":   func(c *nodepb.Scram) { c.ServerKey = c.ServerKey[:4] },
	} {
		c := proto.Clone(all).(*nodepb.Credentials)
		spoil(c.Sha256)
		if Kept(c, SCRAMSHA256) != nil || Kept(c, Plain) != nil || Kept(c, SCRAMSHA1) == nil {
			t.Errorf("%s: the credentials are taken", name)
		}
		s, err := Begin(Plain, []byte("\x00user\x00pencil"))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Check(c.Sha256); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: checked with %v", name, err)
		}
	}
}

// TestFake: an unknown user's challenge is like a known one's, and stays the same.
func TestFake(t *testing.T) {
	secret := []byte("0123456789abcdef")
	seen := map[string]string{}
	for _, mechanism := range []string{SCRAMSHA1, SCRAMSHA256} {
		for _, user := range []string{"a@example.org", "b@example.org", "a@example.net"} {
			f := Fake(secret, mechanism, user)
			if !usable(f, mechanism) || f.Iterations != Iterations || len(f.Salt) != saltBytes {
				t.Fatalf("%s, %s: %v", mechanism, user, f)
			}
			if !proto.Equal(f, Fake(secret, mechanism, user)) {
				t.Errorf("%s, %s: not the same at each try", mechanism, user)
			}
			if proto.Equal(f, Fake([]byte("another secret"), mechanism, user)) {
				t.Errorf("%s, %s: the secret has no part in it", mechanism, user)
			}
			for _, word := range [][]byte{f.Salt, f.StoredKey, f.ServerKey} {
				text := base64.StdEncoding.EncodeToString(word[:saltBytes])
				if other, ok := seen[text]; ok {
					t.Errorf("%s, %s shares a word with %s", mechanism, user, other)
				}
				seen[text] = mechanism + " " + user
			}
		}
	}
	if !proto.Equal(Fake(secret, Plain, "x"), Fake(secret, SCRAMSHA256, "x")) {
		t.Error("PLAIN is checked against other fakes than SCRAM-SHA-256")
	}
}
