package carrier

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/jackdaw-im/jackdaw/cluster/link"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is after how long a test gives up.
const patience = 20 * time.Second

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

var serial atomic.Int64

func newAuthority(t *testing.T) *authority {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(serial.Add(1)), Subject: pkix.Name{CommonName: "authority"}, IsCA: true,
		BasicConstraintsValid: true, NotAfter: time.Now().Add(time.Hour)}
	key, der := sign(t, template, template, nil)
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{cert, key, x509.NewCertPool()}
	a.pool.AddCert(cert)
	return a
}

func sign(t *testing.T, template, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*ecdsa.PrivateKey, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if signer == nil {
		signer = key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	return key, der
}

// issue makes a node's certificate.
func (a *authority) issue(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key, der := sign(t, &x509.Certificate{SerialNumber: big.NewInt(serial.Add(1)), DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}}, a.cert, a.key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// bundle is what a node has for TLS; it may be exchanged at any time.
type bundle struct {
	cert  tls.Certificate
	roots *x509.CertPool
}

func (b *bundle) server() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{b.cert}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: b.roots}
}

func (b *bundle) client(node string) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{b.cert}, RootCAs: b.roots, ServerName: node}
}

// testNode is a carrier with what it has received.
type testNode struct {
	*Carrier
	id     ident.NodeID
	got    chan *nodepb.Frame
	bundle atomic.Pointer[bundle]
	logs   *observer.ObservedLogs
}

func (n *testNode) peer() link.Peer { return link.Peer{ID: n.id, Addr: n.Addr()} }

// start starts a node; with changes its options may be.
func start(t *testing.T, ca *authority, id ident.NodeID, changes ...func(*Options)) *testNode {
	t.Helper()
	n := &testNode{id: id, got: make(chan *nodepb.Frame, 1<<16)}
	n.bundle.Store(&bundle{ca.issue(t, id.Name()), ca.pool})
	var core zapcore.Core
	core, n.logs = observer.New(zapcore.DebugLevel)
	o := Options{Self: id, Bind: "127.0.0.1:0", Logger: zap.New(core), Receive: func(f *nodepb.Frame) { n.got <- f },
		ServerTLS: func() *tls.Config { return n.bundle.Load().server() },
		ClientTLS: func(node string) *tls.Config { return n.bundle.Load().client(node) }}
	for _, change := range changes {
		change(&o)
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	n.Carrier = c
	return n
}

// frame is one from a to b that is told from others by its number.
func frame(from, to ident.NodeID, class nodepb.LinkClass, number int) *nodepb.Frame {
	return &nodepb.Frame{Version: 1, From: string(from), To: string(to), Class: class, Epoch: 1, First: uint64(number),
		Envelopes: [][]byte{[]byte("one"), []byte(fmt.Sprint(number))}}
}

// next is the next frame that a node receives.
func (n *testNode) next(t *testing.T) *nodepb.Frame {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case f := <-n.got:
		return f
	case <-timer.C:
		t.Fatalf("%s received nothing; %+v, %v", n.id, n.Stats(), n.logs.All())
		return nil
	}
}

// until sends a frame again and again until what is true, as a link would.
func until(t *testing.T, what func() bool, n *testNode, to link.Peer, f func() *nodepb.Frame) {
	t.Helper()
	var err error
	if !poll(func() bool {
		err = n.Send(to, f())
		return what()
	}) {
		t.Fatalf("it doesn't happen; the last Send: %v; %+v", err, n.Stats())
	}
}

// poll asks until the answer is yes, and returns it.
func poll(what func() bool) bool {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); time.Now().Before(end); <-tick.C {
		if what() {
			return true
		}
	}
	return what()
}

// loudest is the most severe log entry of a node.
func (n *testNode) loudest() zapcore.Level {
	level := zapcore.DebugLevel
	for _, e := range n.logs.All() {
		level = max(level, e.Level)
	}
	return level
}

func TestFramesArriveInOrder(t *testing.T) {
	ca := newAuthority(t)
	a, b := start(t, ca, "a@1"), start(t, ca, "b@1")
	const each = 300
	for i := range each {
		for class := range nodepb.LinkClass(classes) {
			if err := a.Send(b.peer(), frame(a.id, b.id, class, i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	var next [classes]int
	for range each * classes {
		f := b.next(t)
		if f.First != uint64(next[f.Class]) || string(f.Envelopes[1]) != fmt.Sprint(f.First) || f.From != "a@1" {
			t.Fatalf("%v instead of %d", f, next[f.Class])
		}
		next[f.Class]++
	}
	if err := b.Send(a.peer(), frame(b.id, a.id, nodepb.LinkClass_CONTROL, 7)); err != nil {
		t.Fatal(err)
	}
	if f := a.next(t); f.First != 7 || f.From != "b@1" {
		t.Errorf("%v", f)
	}
	if s := a.Stats(); !poll(func() bool { s = a.Stats(); return s.Sent == each*classes }) || s.Connected != 1 || s.Dials != 1 || s.Received != 1 {
		t.Errorf("%+v", s)
	}
}

func TestLargeFramesAreCutIntoBatches(t *testing.T) {
	ca := newAuthority(t)
	a, b := start(t, ca, "a@1"), start(t, ca, "b@1")
	const large, many = 3 << 20, 15
	for i := range many {
		f := frame(a.id, b.id, nodepb.LinkClass_MESSAGES, i)
		f.Envelopes = append(f.Envelopes, make([]byte, large))
		if err := a.Send(b.peer(), f); err != nil {
			t.Fatal(err)
		}
	}
	for i := range many {
		if f := b.next(t); f.First != uint64(i) || len(f.Envelopes[2]) != large {
			t.Fatalf("%d instead of %d", f.First, i)
		}
	}
	f := frame(a.id, b.id, nodepb.LinkClass_MESSAGES, 0)
	f.Envelopes = append(f.Envelopes, make([]byte, MaxFrame))
	if err := a.Send(b.peer(), f); err == nil {
		t.Error("a frame over the bound is taken")
	}
}

func TestAnEarlierIncarnationIsRefused(t *testing.T) {
	ca := newAuthority(t)
	a, b := start(t, ca, "a@1"), start(t, ca, "b@2")
	for i := range 3 {
		if err := a.Send(link.Peer{ID: "b@1", Addr: b.Addr()}, frame(a.id, "b@1", nodepb.LinkClass_PRESENCE, i)); err != nil {
			t.Fatal(err)
		}
		f := a.next(t)
		if f.From != "b@2" || f.To != "a@1" || f.Class != nodepb.LinkClass_PRESENCE || !strings.Contains(f.Refused, "b@2") || f.Version != 1 {
			t.Errorf("%v", f)
		}
	}
	if err := a.Send(b.peer(), frame(a.id, b.id, nodepb.LinkClass_MESSAGES, 5)); err != nil {
		t.Fatal(err)
	}
	if f := b.next(t); f.First != 5 {
		t.Errorf("%v", f)
	}
	if s := b.Stats(); s.Refused != 3 || s.Breaches != 0 {
		t.Errorf("%+v", s)
	}
}

func TestAPeerThatWasAwayIsDialledAgain(t *testing.T) {
	ca := newAuthority(t)
	a, b := start(t, ca, "a@1"), start(t, ca, "b@1")
	addr := b.Addr()
	ping := func() *nodepb.Frame { return frame(a.id, "b@1", nodepb.LinkClass_MESSAGES, 0) }
	until(t, func() bool { return len(b.got) > 0 }, a, b.peer(), ping)
	for round := range 3 {
		b.Close()
		dials := a.Stats().Dials
		sends := 0
		until(t, func() bool { sends++; return a.Stats().Dials >= dials+2 }, a, link.Peer{ID: "b@1", Addr: addr}, ping)
		if dials := a.Stats().Dials - dials; sends > 20 && int(dials) > sends/4 {
			t.Errorf("%d dials for %d sends", dials, sends)
		}
		id := ident.NodeID(fmt.Sprintf("b@%d", round+2))
		b = start(t, ca, id, func(o *Options) { o.Bind = addr })
		until(t, func() bool { return len(b.got) > 0 }, a, b.peer(), func() *nodepb.Frame { return frame(a.id, id, nodepb.LinkClass_MESSAGES, 0) })
	}
	if level := a.loudest(); level > zapcore.InfoLevel {
		t.Errorf("logged at %v: %v", level, a.logs.All())
	}
}

func TestANodeWithAnotherNameAtAnAddress(t *testing.T) {
	ca := newAuthority(t)
	a, b := start(t, ca, "a@1"), start(t, ca, "b@1")
	until(t, func() bool { return len(b.got) > 0 }, a, b.peer(), func() *nodepb.Frame { return frame(a.id, b.id, 0, 0) })
	other := link.Peer{ID: "other@1", Addr: b.Addr()}
	until(t, func() bool { return a.Stats().Dials >= 3 }, a, other, func() *nodepb.Frame { return frame(a.id, other.ID, 0, 0) })
	if s := a.Stats(); s.Connected != 1 {
		t.Errorf("it is connected with who has another name: %+v", s)
	}
	got := b.Stats().Received + b.Stats().Refused
	until(t, func() bool { return b.Stats().Received > got }, a, b.peer(), func() *nodepb.Frame { return frame(a.id, b.id, 0, 0) })
}

func TestSendNeverWaits(t *testing.T) {
	ca := newAuthority(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	stuck := make(chan struct{})
	b := start(t, ca, "b@1", func(o *Options) { o.Receive = func(*nodepb.Frame) { <-stuck } }) // never reads on
	t.Cleanup(func() { close(stuck) })
	a := start(t, ca, "a@1")
	big := make([]byte, 64<<10)
	for name, to := range map[string]link.Peer{"silent": {ID: "s@1", Addr: silent.Addr().String()}, "stuck": b.peer()} {
		refused := 0
		if !poll(func() bool {
			for range 500 {
				f := frame(a.id, to.ID, nodepb.LinkClass_MESSAGES, 1)
				f.Envelopes = append(f.Envelopes, big)
				if err := a.Send(to, f); errors.Is(err, ErrBusy) {
					refused++
				} else if err != nil {
					t.Fatal(err)
				}
			}
			return refused > 1000
		}) {
			t.Errorf("%s: nothing is refused", name)
		}
		p := a.known(to.Addr)
		p.mu.Lock()
		if p.mu.frames > PendingFrames || p.mu.bytes > PendingBytes || p.mu.frames < 0 || p.mu.bytes < 0 {
			t.Errorf("%s: %d frames, %d bytes", name, p.mu.frames, p.mu.bytes)
		}
		p.mu.Unlock()
	}
}

func TestWhatCannotBeSent(t *testing.T) {
	ca := newAuthority(t)
	a := start(t, ca, "a@1")
	good := func() *nodepb.Frame { return frame(a.id, "b@1", 0, 1) }
	for name, try := range map[string]func() error{
		"class":   func() error { return a.Send(link.Peer{ID: "b@1", Addr: "127.0.0.1:1"}, frame(a.id, "b@1", 3, 1)) },
		"below":   func() error { return a.Send(link.Peer{ID: "b@1", Addr: "127.0.0.1:1"}, frame(a.id, "b@1", -1, 1)) },
		"no text": func() error { return a.Send(link.Peer{ID: "b@1", Addr: "127.0.0.1:1"}, frame(a.id, "b\xff", 0, 1)) },
		"self":    func() error { return a.Send(link.Peer{ID: "b@1", Addr: a.Addr()}, good()) },
		"no addr": func() error { return a.Send(link.Peer{ID: "b@1"}, good()) },
		"no port": func() error { return a.Send(link.Peer{ID: "b@1", Addr: "b"}, good()) },
	} {
		if try() == nil {
			t.Errorf("%s: taken", name)
		}
	}
	a.Close()
	a.Close()
	if err := a.Send(link.Peer{ID: "b@1", Addr: "127.0.0.1:1"}, good()); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if s := a.Stats(); s.Dials != 0 {
		t.Errorf("%+v", s)
	}
}

func TestOptionsThatCannotBe(t *testing.T) {
	ca := newAuthority(t)
	a := start(t, ca, "a@1")
	o := a.opts
	for name, change := range map[string]func(*Options){
		"taken":      func(o *Options) { o.Bind = a.Addr() },
		"no address": func(o *Options) { o.Bind = "here" },
		"no port":    func(o *Options) { o.Bind = "127.0.0.1:x" },
		"self":       func(o *Options) { o.Self = "" },
		"receive":    func(o *Options) { o.Receive = nil },
		"tls":        func(o *Options) { o.ServerTLS = nil },
	} {
		other := o
		other.Bind = "127.0.0.1:0"
		change(&other)
		if c, err := New(other); err == nil {
			c.Close()
			t.Errorf("%s: started", name)
		}
	}
}

func TestCloseWhileEverythingHappens(t *testing.T) {
	ca := newAuthority(t)
	for range 10 {
		a, b := start(t, ca, "a@1"), start(t, ca, "b@1")
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := 0; ; i++ {
				err := a.Send(b.peer(), frame(a.id, b.id, nodepb.LinkClass(i%classes), i))
				_ = a.Send(link.Peer{ID: "c@1", Addr: "127.0.0.1:1"}, frame(a.id, "c@1", 0, i))
				if errors.Is(err, ErrClosed) {
					return
				}
			}
		}()
		b.next(t)
		go b.Close()
		a.Close()
		<-done
		b.Close()
	}
}
