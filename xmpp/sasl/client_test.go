package sasl

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/xdg-go/scram"

	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

func TestClientVectors(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.mechanism, func(t *testing.T) {
			c := v.client(t)
			for _, step := range []struct{ challenge, want string }{{"", v.first}, {v.challenge, v.response}, {v.success, ""}} {
				if c.Done() {
					t.Fatalf("done before %q", step.challenge)
				}
				got, err := c.Step([]byte(step.challenge))
				if err != nil || string(got) != step.want {
					t.Fatalf("%q was answered with %q, %v, want %q", step.challenge, got, err, step.want)
				}
			}
			if !c.Done() {
				t.Fatal("not done")
			}
			if _, err := c.Step(nil); err != nil {
				t.Fatalf("an empty success after the proof: %v", err)
			}
		})
	}
}

// client is the vector's client.
func (v vector) client(t *testing.T) *Client {
	t.Helper()
	known, err := hashes[v.mechanism].NewClient("user", "pencil", "")
	if err != nil {
		t.Fatal(err)
	}
	_, nonce, _ := strings.Cut(v.first, ",r=")
	known.WithNonceGenerator(func() string { return nonce })
	return &Client{exchange: known.NewConversation()}
}

// TestServersToDistrust: the client notices a server that doesn't prove that it knows the password, or asks for nonsense.
func TestServersToDistrust(t *testing.T) {
	v := vectors[1]
	tests := []struct {
		name       string
		challenges []string
	}{
		{"wrong proof", []string{"", v.challenge, "v=AAAA"}},
		{"no proof", []string{"", v.challenge, ""}},
		{"an error", []string{"", v.challenge, "e=other-error"}},
		{"success at once", []string{"", ""}},
		{"another nonce", []string{"", strings.Replace(v.challenge, "r=r", "r=x", 1)}},
		{"few iterations", []string{"", strings.Replace(v.challenge, "4096", "1000", 1)}},
		{"endless iterations", []string{"", strings.Replace(v.challenge, "4096", "2000000000", 1)}},
		{"countless iterations", []string{"", strings.Replace(v.challenge, "4096", "99999999999999999999", 1)}},
		{"no salt", []string{"", "r=x"}},
	}
	for _, tt := range tests {
		c := v.client(t)
		var err error
		for _, challenge := range tt.challenges {
			if err != nil {
				t.Fatalf("%s: too early: %v", tt.name, err)
			}
			_, err = c.Step([]byte(challenge))
		}
		if err == nil || c.Done() {
			t.Errorf("%s: %v, done %v", tt.name, err, c.Done())
		}
	}
	early := v.client(t)
	for _, challenge := range []string{"", v.challenge} { // the second as if it came with success
		if _, err := early.Step([]byte(challenge)); err != nil {
			t.Fatal(err)
		}
	}
	if early.Done() {
		t.Error("a success that proves nothing is one")
	}
}

func TestPlainClient(t *testing.T) {
	c, err := NewClient(Plain, "user", "pen\u00a0cil", nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Step(nil)
	if err != nil || string(got) != "\x00user\x00pen cil" {
		t.Fatalf("sent %q, %v", got, err)
	}
	if got, err := c.Step(nil); err != nil || len(got) != 0 || !c.Done() {
		t.Fatalf("success is answered with %q, %v", got, err)
	}
	if _, err := c.Step([]byte("more")); err == nil {
		t.Fatal("PLAIN takes a challenge")
	}
}

func TestUnusableClients(t *testing.T) {
	tests := []struct {
		mechanism, user, password string
		err                       error
	}{
		{"SCRAM-SHA-512", "user", "pencil", ErrMechanism},
		{"", "user", "pencil", ErrMechanism},
		{SCRAMSHA1, "user", "", ErrPassword},
		{Plain, "user", "a\x00b", ErrPassword},
		{Plain, "us\x00er", "pencil", nil},
		{SCRAMSHA256, "", "pencil", nil},
	}
	for _, tt := range tests {
		if _, err := NewClient(tt.mechanism, tt.user, tt.password, nil); err == nil || tt.err != nil && !errors.Is(err, tt.err) {
			t.Errorf("%+v: %v", tt, err)
		}
	}
}

// login runs an exchange of both sides and returns the server's verdict.
func login(t *testing.T, mechanism, user, password string, keys *KeyCache, creds *nodepb.Credentials) error {
	t.Helper()
	c, err := NewClient(mechanism, user, password, keys)
	if err != nil {
		t.Fatal(err)
	}
	first, err := c.Step(nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Begin(mechanism, first)
	if err != nil {
		return err
	}
	if s.User != user {
		t.Errorf("user %q arrives as %q", user, s.User)
	}
	kept := Kept(creds, mechanism)
	if kept == nil {
		kept = Fake([]byte("secret"), mechanism, user)
	}
	if s.OneStep() {
		return s.Check(kept)
	}
	challenge, err := s.Challenge(kept)
	if err != nil {
		return err
	}
	response, err := c.Step(challenge)
	if err != nil {
		t.Fatal(err)
	}
	proof, err := s.Finish(response)
	if err != nil {
		return err
	}
	if _, err := c.Step(proof); err != nil || !c.Done() {
		t.Errorf("the client isn't convinced: %v", err)
	}
	return nil
}

func TestBothSides(t *testing.T) {
	const password = "corvus ﬁlius \U0001f426"
	sha1, sha256, err := NewCredentials(password)
	if err != nil {
		t.Fatal(err)
	}
	all := &nodepb.Credentials{Known: true, Sha1: sha1, Sha256: sha256}
	keys := NewKeyCache()
	for _, mechanism := range []string{SCRAMSHA256, SCRAMSHA1, Plain} {
		for _, tt := range []struct {
			name     string
			keys     *KeyCache
			password string
			creds    *nodepb.Credentials
			want     error
		}{
			{"no cache", nil, password, all, nil},
			{"first login", keys, password, all, nil},
			{"second login", keys, password, all, nil},
			{"wrong password", keys, "corvus", all, ErrRefused},
			{"unknown user", keys, password, &nodepb.Credentials{}, ErrRefused},
			{"unknown, with credentials", keys, password, &nodepb.Credentials{Sha1: sha1, Sha256: sha256}, ErrRefused},
			{"no credentials", keys, password, &nodepb.Credentials{Known: true}, ErrRefused},
			{"nothing", keys, password, nil, ErrRefused},
		} {
			for _, user := range []string{"user", "a,b=c", "мария"} {
				if err := login(t, mechanism, user, tt.password, tt.keys, tt.creds); !errors.Is(err, tt.want) {
					t.Errorf("%s, %s, %s: %v, want %v", mechanism, tt.name, user, err, tt.want)
				}
			}
		}
	}
	if n := len(keys.mu.clients); n != 12 { // three users, two passwords, two mechanisms
		t.Errorf("%d entries are cached", n)
	}
}

func TestKeyCacheKeepsUsersApart(t *testing.T) {
	keys := NewKeyCache()
	seen := map[*scram.Client]bool{}
	for _, owner := range []keyOwner{{SCRAMSHA1, "a", "p"}, {SCRAMSHA256, "a", "p"}, {SCRAMSHA1, "b", "p"}, {SCRAMSHA1, "a", "q"}} {
		first, err := keys.client(owner.mechanism, owner.user, owner.password)
		if err != nil {
			t.Fatal(err)
		}
		again, err := keys.client(owner.mechanism, owner.user, owner.password)
		if err != nil || again != first || seen[first] {
			t.Fatalf("%v: kept %v, shared %v, %v", owner, again == first, seen[first], err)
		}
		seen[first] = true
	}
}

func TestKeyCacheConcurrently(t *testing.T) {
	_, sha256, err := NewCredentials("pencil")
	if err != nil {
		t.Fatal(err)
	}
	keys, creds := NewKeyCache(), &nodepb.Credentials{Known: true, Sha256: sha256}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := login(t, SCRAMSHA256, "user", "pencil", keys, creds); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func BenchmarkLogin(b *testing.B) {
	for _, mechanism := range []string{SCRAMSHA256, SCRAMSHA1, Plain} {
		sha1, sha256, err := NewCredentials("pencil")
		if err != nil {
			b.Fatal(err)
		}
		kept, keys := Kept(&nodepb.Credentials{Known: true, Sha1: sha1, Sha256: sha256}, mechanism), NewKeyCache()
		b.Run(mechanism, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c, err := NewClient(mechanism, "user", "pencil", keys)
				if err != nil {
					b.Fatal(err)
				}
				first, _ := c.Step(nil)
				s, err := Begin(mechanism, first)
				if err != nil {
					b.Fatal(err)
				}
				if s.OneStep() {
					if err := s.Check(kept); err != nil {
						b.Fatal(err)
					}
					continue
				}
				challenge, _ := s.Challenge(kept)
				response, _ := c.Step(challenge)
				if _, err := s.Finish(response); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
