package trust

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// shake makes a TLS connection between two configurations and passes a byte each way. It returns what either side met.
func shake(server, client *tls.Config) (atServer, atClient error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err, err
	}
	var wg sync.WaitGroup
	defer func() {
		_ = listener.Close()
		wg.Wait()
	}()
	wg.Go(func() {
		raw, err := listener.Accept()
		if err == nil {
			atServer = pass(tls.Server(raw, server))
			return
		}
		atServer = err
	})
	raw, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		return nil, err
	}
	atClient = pass(tls.Client(raw, client))
	wg.Wait()
	return atServer, atClient
}

// pass passes a byte each way.
func pass(c *tls.Conn) error {
	defer func() { _ = c.Close() }()
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return err
	}
	if _, err := c.Write([]byte{1}); err != nil {
		return err
	}
	_, err := c.Read(make([]byte, 1))
	return err
}

// nodeOf returns a node with the bundle whose clock is told.
func nodeOf(t *testing.T, name string, b *Bundle, now *time.Time) *Live {
	t.Helper()
	l, err := Create(Options{File: filepath.Join(t.TempDir(), "trust"), Name: name, Now: func() time.Time { return *now }}, b)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

func TestOpenAndCreate(t *testing.T) {
	file := filepath.Join(t.TempDir(), "trust")
	o := Options{File: file, Name: "a"}
	if _, err := Open(o); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no bundle: %v", err)
	}
	b := newBundle(t, time.Now())
	newer := b.RotateToken("ada", time.Now())
	for _, c := range []struct {
		b    *Bundle
		want uint64
	}{{b, 1}, {newer, 2}, {b, 2}} {
		if l, err := Create(o, c.b); err != nil || l.Bundle().Version != c.want {
			t.Errorf("%v: %v", c.b.Stamp(), err)
		}
	}
	l, err := Open(o)
	if err != nil || l.Stamp() != newer.Stamp() || l.Name() != "a" {
		t.Errorf("%v", err)
	}
	if _, err := Create(o, newBundle(t, time.Now())); !errors.Is(err, ErrOtherCluster) || !strings.Contains(err.Error(), file) {
		t.Errorf("a bundle of another cluster: %v", err)
	}
	if _, err := Open(Options{File: file, Name: "No Name"}); err == nil {
		t.Error("an impossible name")
	}
	revoked := must(t)(newer.Revoke("a", "ada", time.Now()))
	if _, err := Create(o, revoked); !errors.Is(err, ErrRevoked) {
		t.Errorf("its own revocation: %v", err)
	}
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(o, b); err == nil {
		t.Error("a damaged file was overwritten")
	}
}

func TestChange(t *testing.T) {
	now := epoch
	l := nodeOf(t, "a", newBundle(t, epoch), &now)
	var heard []string
	cancel := l.OnChange(func(from, to *Bundle) { heard = append(heard, fmt.Sprint(from.Version, " ", to.Version)) })
	rotate := func(b *Bundle) (*Bundle, error) { return b.RotateToken("ada", now), nil }
	for range 2 {
		must(t)(l.Change(rotate))
	}
	now = now.Add(time.Minute)
	if l.Held() != time.Minute {
		t.Errorf("held for %v", l.Held())
	}
	must(t)(l.Change(func(b *Bundle) (*Bundle, error) { return b, nil }))
	oops := errors.New("oops")
	for name, f := range map[string]func(*Bundle) (*Bundle, error){
		"an error":        func(*Bundle) (*Bundle, error) { return nil, oops },
		"two versions":    func(b *Bundle) (*Bundle, error) { return rotate(b.RotateToken("ada", now)) },
		"another cluster": func(*Bundle) (*Bundle, error) { return newBundle(t, now), nil },
		"a bad bundle": func(b *Bundle) (*Bundle, error) {
			n := b.RotateToken("ada", now)
			n.Gossip = nil
			return n, nil
		},
	} {
		if _, err := l.Change(f); err == nil || l.Bundle().Version != 3 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if saved := must(t)(Load(l.o.File)); saved.Stamp() != l.Stamp() {
		t.Error("what is in use isn't on disk")
	}
	cancel()
	must(t)(l.Change(rotate))
	if strings.Join(heard, ", ") != "1 2, 2 3" {
		t.Errorf("heard %q", heard)
	}
	l.Close()
	if _, err := l.Change(rotate); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if _, err := l.Merge(l.Bundle()); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if err := l.Tick(); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

// TestFullDisk: a change is refused if it can't be kept, but what others have decided counts, and is written later.
func TestFullDisk(t *testing.T) {
	now := epoch
	b := newBundle(t, epoch)
	l := nodeOf(t, "a", b, &now)
	folder := filepath.Dir(l.o.File)
	gone := folder + ".gone"
	if err := os.Rename(folder, gone); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Change(func(b *Bundle) (*Bundle, error) { return b.RotateToken("ada", now), nil }); err == nil || l.Bundle() != b {
		t.Errorf("a change that isn't on disk: %v", err)
	}
	revoked := must(t)(b.Revoke("eve", "ada", now))
	if _, err := l.Merge(revoked); err == nil || !l.Bundle().IsRevoked("eve") {
		t.Errorf("%v, revoked: %v", err, l.Bundle().IsRevoked("eve"))
	}
	if err := l.Tick(); err == nil {
		t.Error("it was written into no folder")
	}
	if err := os.Rename(gone, folder); err != nil {
		t.Fatal(err)
	}
	if err := l.Tick(); err != nil || must(t)(Load(l.o.File)).Stamp() != revoked.Stamp() {
		t.Errorf("it isn't written later: %v", err)
	}
}

func TestCertificatesAreRenewed(t *testing.T) {
	now := epoch
	b := newBundle(t, epoch)
	x, y := nodeOf(t, "x", b, &now), nodeOf(t, "y", b, &now)
	server, client := x.ServerTLS("t"), y.ClientTLS("x", "t")
	first := x.NotAfter()
	renewed := 0
	for range 80 { // times 5 days
		now = now.Add(5 * 24 * time.Hour)
		for _, l := range []*Live{x, y} {
			if err := l.Tick(); err != nil {
				t.Fatal(err)
			}
		}
		if left := x.NotAfter().Sub(now); left < NodeLife/3-5*24*time.Hour {
			t.Fatalf("only %v are left", left)
		}
		if !x.NotAfter().Equal(first) {
			first = x.NotAfter()
			renewed++
		}
	}
	if renewed != 3 {
		t.Errorf("renewed %d times", renewed)
	}
	if s, c := shake(server, client); s != nil || c != nil {
		t.Errorf("the same configurations, years later: %v, %v", s, c)
	}
	if x.Stamp() != y.Stamp() {
		t.Error("the daily ticket keys differ")
	}
}

// TestClocksThatAreWrong: a clock that is off by a month breaks no handshake; others find it.
func TestClocksThatAreWrong(t *testing.T) {
	b := newBundle(t, epoch)
	for _, off := range []time.Duration{-31 * 24 * time.Hour, -time.Hour, time.Hour, 31 * 24 * time.Hour} {
		now, wrong := epoch, epoch.Add(off)
		x, y := nodeOf(t, "x", b, &now), nodeOf(t, "y", b, &wrong)
		if s, c := shake(x.ServerTLS("t"), y.ClientTLS("x", "t")); s != nil || c != nil {
			t.Errorf("off by %v: %v, %v", off, s, c)
		}
	}
}

func TestHandshakes(t *testing.T) {
	now := epoch
	b := newBundle(t, epoch)
	posing := newBundle(t, epoch)
	posing.Cluster = b.Cluster
	sister := must(t)(Decode(b.Encode())) // the same authority, another cluster
	sister.Cluster = strings.Repeat("ab", 16)
	revoked := must(t)(b.Revoke("eve", "ada", epoch))
	x := nodeOf(t, "x", b, &now)
	knowing := nodeOf(t, "k", revoked, &now)
	node := func(name string, b *Bundle) *Live { return nodeOf(t, name, b, &now) }
	noCertificate := node("y", b).ClientTLS("x", "t")
	noCertificate.GetClientCertificate = nil
	old := node("y", b).ClientTLS("x", "t")
	old.MaxVersion = tls.VersionTLS12
	old.MinVersion = tls.VersionTLS12
	for _, c := range []struct {
		name           string
		server, client *tls.Config
		good           bool
		want           string // in either side's error
	}{
		{"a member", x.ServerTLS("t"), node("y", b).ClientTLS("x", "t"), true, ""},
		{"a member, whoever answers", x.ServerTLS("t"), node("y", b).ClientTLS("", "t"), true, ""},
		{"grpc's protocol", x.ServerTLS("h2"), node("y", b).ClientTLS("", "h2"), true, ""},
		{"another was called", x.ServerTLS("t"), node("y", b).ClientTLS("z", "t"), false, "the peer is x, and z was called"},
		{"another protocol", x.ServerTLS("t"), node("y", b).ClientTLS("x", "u"), false, "protocol"},
		{"no certificate", x.ServerTLS("t"), noCertificate, false, "certificate"},
		{"an old version of TLS", x.ServerTLS("t"), old, false, "version"},
		{"another authority, as client", x.ServerTLS("t"), node("y", posing).ClientTLS("", "t"), false, "unknown authority"},
		{"another cluster of one authority", x.ServerTLS("t"), node("y", sister).ClientTLS("", "t"), false, "is of cluster"},
		{"a revoked client", knowing.ServerTLS("t"), node("eve", b).ClientTLS("", "t"), false, "revoked: eve"},
		{"a revoked server", node("eve", b).ServerTLS("t"), knowing.ClientTLS("", "t"), false, "revoked: eve"},
		{"one who doesn't know of it", knowing.ServerTLS("t"), node("y", b).ClientTLS("", "t"), true, ""},
		{"and the other way", node("y", b).ServerTLS("t"), knowing.ClientTLS("", "t"), true, ""},
	} {
		s, cl := shake(c.server, c.client)
		if good := s == nil && cl == nil; good != c.good || !good && !strings.Contains(fmt.Sprint(s, cl), c.want) {
			t.Errorf("%s: server %v, client %v", c.name, s, cl)
		}
	}
}

// TestHandshakesThroughARotation: nodes at neighbouring versions always come together, with configurations made before.
func TestHandshakesThroughARotation(t *testing.T) {
	now := epoch
	b := newBundle(t, epoch)
	x, y := nodeOf(t, "x", b, &now), nodeOf(t, "y", b, &now)
	xs, xc, ys, yc := x.ServerTLS("t"), x.ClientTLS("y", "t"), y.ServerTLS("t"), y.ClientTLS("x", "t")
	both := func(what string) {
		t.Helper()
		if s, c := shake(xs, yc); s != nil || c != nil {
			t.Errorf("%s: %v, %v", what, s, c)
		}
		if s, c := shake(ys, xc); s != nil || c != nil {
			t.Errorf("%s, the other way: %v, %v", what, s, c)
		}
	}
	step := func(b *Bundle) (*Bundle, error) { return b.RotateAll("ada", now) }
	for b.Version == 1 || b.Rotating() {
		b = must(t)(x.Change(step))
		both(b.Last.What + ", at x only")
		if _, err := y.Merge(b); err != nil {
			t.Fatal(err)
		}
		both(b.Last.What)
		step = func(b *Bundle) (*Bundle, error) { return b.Advance(now) }
	}
	if b.Version != 4 {
		t.Errorf("version %d", b.Version)
	}
	late := nodeOf(t, "z", newBundle(t, epoch), &now)
	if s, _ := shake(xs, late.ClientTLS("", "t")); s == nil {
		t.Error("anybody is let in")
	}
}

// TestAdmit: who is revoked is admitted no more, nor is anybody by an authority whose key it has. A usual rotation changes nothing.
func TestAdmit(t *testing.T) {
	now := epoch
	l := nodeOf(t, "a", newBundle(t, epoch), &now)
	certificate := func() *x509.Certificate { return l.state.Load().certs[0].Leaf }
	cert := certificate()
	admits := func(name string, cert *x509.Certificate, want error) {
		t.Helper()
		if err := l.Admit(name, cert); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	admits("eve", cert, nil)
	must(t)(l.Change(func(b *Bundle) (*Bundle, error) { return b.Revoke("eve", "ada", now) }))
	admits("eve", cert, ErrRevoked)
	admits("bob", cert, nil)
	must(t)(l.Change(func(b *Bundle) (*Bundle, error) { return b.Advance(now) }))
	admits("bob", cert, nil) // until the old authority is dropped
	must(t)(l.Change(func(b *Bundle) (*Bundle, error) { return b.Advance(now) }))
	admits("bob", cert, ErrDropped) // eve may have made herself bob's certificate
	silent := *cert
	silent.AuthorityKeyId = nil // which she may leave out
	admits("bob", &silent, ErrDropped)
	cert = certificate()
	admits("bob", cert, nil)
	for range 3 {
		step := func(b *Bundle) (*Bundle, error) { return b.Advance(now) }
		if !l.Bundle().Rotating() {
			step = func(b *Bundle) (*Bundle, error) { return b.RotateAll("ada", now) }
		}
		must(t)(l.Change(step))
	}
	if bytes.Equal(certificate().AuthorityKeyId, cert.AuthorityKeyId) {
		t.Error("the authority wasn't rotated")
	}
	admits("bob", cert, nil)

	// Another node was away for all steps of the next revocation.
	away, cert := nodeOf(t, "b", l.Bundle(), &now), certificate()
	for _, step := range []func(b *Bundle) (*Bundle, error){
		func(b *Bundle) (*Bundle, error) { return b.Revoke("mallory", "ada", now) },
		func(b *Bundle) (*Bundle, error) { return b.Advance(now) },
		func(b *Bundle) (*Bundle, error) { return b.Advance(now) },
	} {
		must(t)(l.Change(step))
	}
	if _, err := away.Merge(l.Bundle()); err != nil {
		t.Fatal(err)
	}
	if err := away.Admit("bob", cert); !errors.Is(err, ErrDropped) {
		t.Errorf("who was away admits by the old authority: %v", err)
	}
}

// TestAuthorityTakenOut: an authority that is missing from the files is dropped if it stays missing, and whoever holds connections hears of it.
func TestAuthorityTakenOut(t *testing.T) {
	now := time.Now()
	first, err := NewAuthority("", 1, now)
	if err != nil {
		t.Fatal(err)
	}
	second, err := NewAuthority("", 2, now)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	byHand(t, folder, first, "b", now)
	old, err := tls.LoadX509KeyPair(filepath.Join(folder, "b.pem"), filepath.Join(folder, "b.key"))
	if err != nil {
		t.Fatal(err)
	}
	trusted := func(list ...Authority) {
		t.Helper()
		var text []byte
		for _, a := range list {
			text = append(text, EncodeCertificates(a.Certificate)...)
		}
		if err := os.WriteFile(filepath.Join(folder, "ca.pem"), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f := byHand(t, folder, second, "a", now)
	trusted(second, first)
	l, err := Create(Options{File: filepath.Join(t.TempDir(), "trust"), Name: "a", Files: f, Now: func() time.Time { return now }}, newBundle(t, now))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	told := 0
	defer l.OnChange(func(from, to *Bundle) {
		if from == to {
			told++
		}
	})()
	look := func(after time.Duration, want error, times int) {
		t.Helper()
		now = now.Add(after)
		if err := l.Tick(); err != nil {
			t.Fatal(err)
		}
		if err := l.Admit("b", old.Leaf); !errors.Is(err, want) || told != times {
			t.Errorf("%v, want %v; told %d times, want %d", err, want, told, times)
		}
	}
	look(0, nil, 0)
	trusted(second) // half of it was written
	look(time.Second, nil, 0)
	trusted(second, first)
	look(goneTime, nil, 0)
	trusted(second)
	look(time.Second, nil, 0)
	look(goneTime-time.Second, nil, 0)
	look(time.Second, ErrDropped, 1)
	look(time.Second, ErrDropped, 1)
	trusted(second, first) // it wasn't meant
	look(time.Second, nil, 2)
}
