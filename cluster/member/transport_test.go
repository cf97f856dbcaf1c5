package member

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/jackdaw-im/jackdaw/ident"
)

func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: k}
}

// Two nodes on real sockets, and a TLS connection to the same port.
func TestOneAddressForGossipAndJoiners(t *testing.T) {
	defer goleak.VerifyNone(t)
	transport, err := Listen("localhost:0", "")
	if err != nil {
		t.Fatal(err)
	}
	placed := make(chan int, 100)
	start := func(id ident.NodeID, transport memberlist.NodeAwareTransport, bind string, seeds ...string) *Membership {
		m, err := Start(Config{Self: Member{ID: id, Proto: 1, State: Active, Weight: 100}, Bind: bind, Transport: transport, Seeds: seeds,
			Label: "test", Keys: [][]byte{key('k')}, OnView: func(v *View) { placed <- len(v.Placed()) }})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	a := start("a@1", transport, "")
	b := start("b@2", nil, "127.0.0.1:0", a.Self().Gossip)
	timeout := time.After(20 * time.Second)
	for both := 0; both < 2; {
		select {
		case n := <-placed:
			if n == 2 {
				both++
			}
		case <-timeout:
			t.Fatalf("a sees %+v, b sees %+v", a.View(), b.View())
		}
	}

	server := tls.NewListener(transport.Joiners(), &tls.Config{Certificates: []tls.Certificate{certificate(t)}})
	if server.Addr().String() != a.Self().Gossip {
		t.Errorf("joiners come to %s, gossip to %s", server.Addr(), a.Self().Gossip)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := server.Accept()
			if err != nil {
				if !errors.Is(err, net.ErrClosed) {
					t.Error(err)
				}
				return
			}
			_, _ = io.Copy(c, c)
			_ = c.Close()
		}
	})
	c, err := tls.Dial("tcp", a.Self().Gossip, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	text := bytes.Repeat([]byte("let me in "), 1000)
	if _, err := c.Write(text); err != nil {
		t.Error(err)
	}
	_ = c.CloseWrite()
	if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, text) {
		t.Errorf("%d bytes came back, %v", len(got), err)
	}
	_ = c.Close()

	silent, err := net.Dial("tcp", a.Self().Gossip) // says nothing, and must not keep Close waiting
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := b.Leave(ctx); err != nil {
		t.Error(err)
	}
	for _, m := range []*Membership{b, a} {
		if s := m.Stats(); s.PacketsOut == 0 || s.BytesIn == 0 || s.StreamIn == 0 || s.StreamOut == 0 || s.Dials+s.Accepts == 0 {
			t.Errorf("counted %+v", s)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		if err := m.Close(); err != nil {
			t.Error("twice:", err)
		}
	}
	_ = silent.Close()
	serving.Wait()
}

func TestAddressesThatCantWork(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	for _, c := range [][2]string{{"nowhere", ""}, {"127.0.0.1:x", ""}, {"127.0.0.1:99999", ""}, {"127.0.0.1:0", "nowhere"}, {taken.Addr().String(), ""}} {
		if got, err := Listen(c[0], c[1]); err == nil {
			_ = got.Shutdown()
			t.Errorf("%q and %q can be listened on", c[0], c[1])
		}
	}
	got, err := Listen("127.0.0.1:0", "192.0.2.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = got.Shutdown() }()
	if ip, port, err := got.FinalAdvertiseAddr("", 0); err != nil || ip.String() != "192.0.2.1" || port != got.GetAutoBindPort() {
		t.Errorf("others are told %s:%d, %v", ip, port, err)
	}
}

// Readers of the keys hold the library's slice: removing one must not move the others in it.
func TestRemoveKeyMovesNothing(t *testing.T) {
	ring, err := memberlist.NewKeyring([][]byte{key('a'), key('b'), key('c'), key('d')}, key('a'))
	if err != nil {
		t.Fatal(err)
	}
	m := &Membership{ring: ring}
	held := ring.GetKeys()
	before := append([][]byte(nil), held...)
	if err := m.RemoveKey(key('b')); err != nil {
		t.Fatal(err)
	}
	for i := range before {
		if !bytes.Equal(before[i], held[i]) {
			t.Errorf("key %d has moved", i)
		}
	}
	keys := ring.GetKeys()
	if len(keys) != 3 || !bytes.Equal(keys[0], key('a')) || bytes.Contains(bytes.Join(keys, nil), key('b')) {
		t.Errorf("left: %q", keys)
	}
	if err := m.RemoveKey(key('x')); err != nil {
		t.Error("a key that isn't there can't be removed:", err)
	}
	if err := (&Membership{}).InstallKey(key('a')); err == nil {
		t.Error("gossip without encryption takes a key")
	}
}

// The lines are the library's own words: another version of it may have others.
func TestRefusalsAreSaidOncePerHost(t *testing.T) {
	core, logs := observer.New(zap.DebugLevel)
	l := newLines(zap.New(core))
	for range 3 {
		for _, line := range []string{
			`[ERR] memberlist: discarding packet with unacceptable label "x": from=10.0.0.1:7946`,
			`[ERR] memberlist: discarding stream with unacceptable label "x": from=10.0.0.1:40000`,
			`[ERR] memberlist: discarding stream with unacceptable label "x": from=10.0.0.2:40000`,
			`[ERR] memberlist: Decrypt packet failed: no installed keys could decrypt the message from=[fe80::1]:7946`,
			`[ERR] memberlist: failed to receive: no installed keys could decrypt the message from=10.0.0.1:1`,
			`[ERR] memberlist: failed to receive: encryption is configured but remote state is not encrypted from=10.0.0.1:1`,
			`[DEBUG] memberlist: Stream connection from=10.0.0.1:1`,
		} {
			l.logger().Print(line)
		}
	}
	if l.foreign.Load() != 9 || l.wrongKey.Load() != 9 {
		t.Errorf("counted %d and %d", l.foreign.Load(), l.wrongKey.Load())
	}
	if n := logs.FilterLevelExact(zap.InfoLevel).Len(); n != 4 {
		t.Errorf("said %d times: %v", n, logs.All())
	}
	for range 1000 {
		l.once("x", "from=h"+string(rune(len(l.mu.said)))+":1")
	}
	if len(l.mu.said) > saidMost {
		t.Error("not bounded")
	}
}
