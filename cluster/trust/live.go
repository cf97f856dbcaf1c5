package trust

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/telemetry"
)

// Options says what a Live holds.
type Options struct {
	// File is where the bundle is kept.
	File string
	// Name is this node's.
	Name string
	// Files are certificates made by hand; nil: they are made from the bundle.
	Files *Files
	// Logger hears of changes and of what was lost; nil is silence.
	Logger *zap.Logger
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Dial connects to other nodes for Fetch and Push; nil is TCP.
	Dial func(ctx context.Context, addr string) (net.Conn, error)
}

// Live is a node's current bundle, with the certificates made from it. Open and Create make one, Close ends it. Safe for concurrent
// use; reading takes no lock.
type Live struct {
	o       Options
	log     *zap.Logger
	state   atomic.Pointer[state]
	dropped atomic.Pointer[[]validAuthority] // the list of mu.dropped

	mu struct {
		sync.Mutex
		listeners []*listener
		dropped   dropped
		unsaved   bool
		closed    bool
	}
}

type listener struct{ f func(from, to *Bundle) }

// state is what is made from one bundle; immutable.
type state struct {
	bundle *Bundle
	stamp  Stamp
	since  time.Time
	made   bool // here, by who asked for it, so that this node tells the others
	valid  []validAuthority
	pool   *x509.CertPool
	certs  []nodeCertificate // the first is what a server shows
}

type validAuthority struct {
	cert    *x509.Certificate
	number  uint32
	leaving bool
}

// signed reports whether the authority has signed a certificate itself.
func (v *validAuthority) signed(c *x509.Certificate) bool { return c.CheckSignatureFrom(v.cert) == nil }

// same reports whether two have one key: one may have been renewed.
func (v *validAuthority) same(other validAuthority) bool {
	return bytes.Equal(v.cert.RawSubjectPublicKeyInfo, other.cert.RawSubjectPublicKeyInfo)
}

type nodeCertificate struct {
	tls.Certificate
	authority validAuthority
	made      time.Time
}

// Open loads the node's bundle. Callers may branch on fs.ErrNotExist: the node has joined no cluster.
func Open(o Options) (*Live, error) {
	b, err := Load(o.File)
	if err != nil {
		return nil, err
	}
	return open(o, b)
}

// Create keeps the bundle that New or Join gave a node, and opens it. One that is there already stays if it is newer, and is an error
// if it is of another cluster.
func Create(o Options, b *Bundle) (*Live, error) {
	old, err := Load(o.File)
	switch {
	case err == nil && old.Cluster != b.Cluster:
		return nil, fmt.Errorf("%w: %s is of cluster %s, and the bundle of %s: move the file away if this node is to leave the one for the other",
			ErrOtherCluster, o.File, short(old.Cluster), short(b.Cluster))
	case err == nil && old.Stamp().Compare(b.Stamp()) > 0:
		return open(o, old)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	if err := b.check(); err != nil {
		return nil, err
	}
	if err := Save(o.File, b); err != nil {
		return nil, err
	}
	return open(o, b)
}

func open(o Options, b *Bundle) (*Live, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if err := CheckName(o.Name); err != nil {
		return nil, err
	}
	l := &Live{o: o, log: o.Logger}
	if b.IsRevoked(o.Name) {
		return nil, fmt.Errorf("%w: %s is revoked in its own bundle", ErrRevoked, o.Name)
	}
	s, err := l.build(b, nil)
	if err != nil {
		return nil, err
	}
	l.state.Store(s)
	return l, nil
}

// build makes the certificates of a bundle, or takes those of before as long as they are good.
func (l *Live) build(b *Bundle, before *state) (*state, error) {
	now := l.o.Now()
	s := &state{bundle: b, stamp: b.Stamp(), since: now, pool: x509.NewCertPool()}
	if l.o.Files != nil {
		return s, l.buildByHand(s)
	}
	for i := range b.Authorities {
		a := &b.Authorities[i]
		cert, err := a.parse()
		if err != nil {
			return nil, err
		}
		valid := validAuthority{cert, a.Number, a.Leaving}
		s.valid = append(s.valid, valid)
		s.pool.AddCert(cert)
		if len(a.Key) == 0 {
			continue
		}
		if old, ok := before.good(cert, now); ok {
			old.authority = valid
			s.certs = append(s.certs, old)
			continue
		}
		pair, err := a.Issue(l.o.Name, b.Cluster, NodeLife, now)
		if err != nil {
			return nil, err
		}
		s.certs = append(s.certs, nodeCertificate{*pair, valid, now})
	}
	if len(s.certs) == 0 {
		return nil, errors.New("trust: the bundle has no authority with a key, and there is no certificate made by hand")
	}
	return s, nil
}

// next is build for a bundle that is to follow the one of before. Files made by hand that can't be used, as while somebody replaces them one after the
// other, don't keep a node from a revocation: it goes on with what it has read of them before, and Tick says what is wrong.
func (l *Live) next(b *Bundle, before *state) (*state, error) {
	s, err := l.build(b, before)
	if err != nil && l.o.Files != nil {
		s.valid, s.pool, s.certs = before.valid, before.pool, before.certs
		return s, nil
	}
	return s, err
}

func (l *Live) buildByHand(s *state) error {
	certs, pair, err := l.o.Files.read()
	if err != nil {
		return err
	}
	if pair.Leaf == nil {
		if pair.Leaf, err = x509.ParseCertificate(pair.Certificate[0]); err != nil {
			return fmt.Errorf("trust: %s: %w", l.o.Files.Certificate, err)
		}
	}
	name, _, err := NameOf(pair.Leaf)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", l.o.Files.Certificate, err)
	case name != l.o.Name:
		return fmt.Errorf("trust: %s is the certificate of %s, and this node is %s", l.o.Files.Certificate, name, l.o.Name)
	}
	for _, c := range certs {
		s.valid = append(s.valid, validAuthority{cert: c})
		s.pool.AddCert(c)
	}
	s.certs = []nodeCertificate{{pair, s.valid[0], pair.Leaf.NotBefore}}
	return nil
}

// good returns the certificate that an authority has signed, if two thirds of its life are not yet over.
func (s *state) good(authority *x509.Certificate, now time.Time) (nodeCertificate, bool) {
	if s == nil {
		return nodeCertificate{}, false
	}
	for _, c := range s.certs {
		if c.authority.cert.Equal(authority) && !nearEnd(c.Leaf, c.made, now) {
			return c, true
		}
	}
	return nodeCertificate{}, false
}

// Bundle returns the current bundle.
func (l *Live) Bundle() *Bundle { return l.state.Load().bundle }

// Stamp names the current bundle, for other nodes to see.
func (l *Live) Stamp() Stamp { return l.state.Load().stamp }

// Name is this node's.
func (l *Live) Name() string { return l.o.Name }

// Held is how long this node has had the current bundle.
func (l *Live) Held() time.Duration { return l.o.Now().Sub(l.state.Load().since) }

// ByHand reports whether this node's certificate and the authorities that it trusts are made by hand; those of the bundle sign nothing then.
func (l *Live) ByHand() bool { return l.o.Files != nil }

// NotAfter is when the certificate that the node shows ends.
func (l *Live) NotAfter() time.Time { return l.state.Load().certs[0].Leaf.NotAfter }

// NewToken makes a join token that is good for life.
func (l *Live) NewToken(life time.Duration) (Token, error) {
	s := l.state.Load()
	var pins []Pin
	for _, v := range s.valid {
		pins = append(pins, pinOf(v.cert))
	}
	return s.bundle.newToken(pins[:min(len(pins), maxKeys)], life, l.o.Now())
}

// OnChange makes f hear of each change, one at a time and in order, from the goroutine that makes it: f must not block for long, and must
// not change the bundle itself. Both are the same if only files made by hand have. It does not hear of the bundle that is there. cancel ends it; f may still be running then.
func (l *Live) OnChange(f func(from, to *Bundle)) (cancel func()) {
	entry := &listener{f}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.listeners = append(l.mu.listeners, entry)
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.mu.listeners = slices.DeleteFunc(l.mu.listeners, func(o *listener) bool { return o == entry })
	}
}

// Change makes the next bundle by f, which gets the current one and may be any of Bundle's changes; returning the same changes nothing.
// When Change returns, the new one is on disk and in use here. After an error nothing has changed.
func (l *Live) Change(f func(*Bundle) (*Bundle, error)) (*Bundle, error) { return l.change(f, true) }

func (l *Live) change(f func(*Bundle) (*Bundle, error), made bool) (*Bundle, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.closed {
		return nil, ErrClosed
	}
	old := l.Bundle()
	b, err := f(old)
	switch {
	case err != nil:
		return nil, err
	case b == old:
		return old, nil
	case b.Cluster != old.Cluster || b.Version != old.Version+1:
		return nil, errors.New("trust: what was made isn't the next version of this bundle")
	}
	if err := b.check(); err != nil {
		return nil, err
	}
	s, err := l.next(b, l.state.Load())
	if err != nil {
		return nil, err
	}
	if err := Save(l.o.File, b); err != nil {
		return nil, err
	}
	l.mu.unsaved, s.made = false, made
	l.use(s, "the bundle has changed")
	return b, nil
}

// Merge takes up a bundle that another node gave, if it wins over this node's. It is in use even if it couldn't be written, which the
// error says and Tick tries again: a full disk must not keep a node from a revocation.
func (l *Live) Merge(other *Bundle) (Merged, error) {
	if err := other.check(); err != nil {
		return Merged{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.closed {
		return Merged{}, ErrClosed
	}
	old := l.Bundle()
	m, err := Merge(old, other)
	if err != nil {
		return Merged{}, err
	}
	if m.Lost != nil {
		l.log.Warn("two bundles were made beside each other", zap.String(telemetry.KeyReason, m.Conflict()))
	}
	if m.Bundle == old {
		return m, nil
	}
	if m.Bundle.IsRevoked(l.o.Name) {
		return m, fmt.Errorf("%w: %s", ErrRevoked, l.o.Name)
	}
	s, err := l.next(m.Bundle, l.state.Load())
	if err != nil {
		return Merged{}, err
	}
	err = Save(l.o.File, m.Bundle)
	l.mu.unsaved = err != nil
	l.use(s, "a newer bundle has come")
	return m, err
}

// use makes a state the current one and tells everybody. l.mu is held.
func (l *Live) use(s *state, message string) {
	old := l.state.Swap(s)
	l.log.Info(message, zap.Stringer(telemetry.KeyVersion, s.stamp), zap.String(telemetry.KeyOperator, s.bundle.Last.By),
		zap.String(telemetry.KeyReason, s.bundle.Last.What))
	l.compare(old, s)
	for _, f := range l.mu.listeners {
		f.f(old.bundle, s.bundle)
	}
}

// Tick does what time asks for: it makes the node's certificates anew when two thirds of their life are over, reads those made by hand
// again, makes the day's session-ticket key, and writes a bundle that couldn't be written. A Keeper calls it.
func (l *Live) Tick() error {
	if err := l.renew(); err != nil {
		return err
	}
	_, err := l.change(func(b *Bundle) (*Bundle, error) { return b.RotateTickets(l.o.Now()), nil }, false) // all make the same
	return err
}

func (l *Live) renew() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.closed {
		return ErrClosed
	}
	old := l.state.Load()
	if l.mu.unsaved {
		if err := Save(l.o.File, old.bundle); err != nil {
			return err
		}
		l.mu.unsaved = false
	}
	s, err := l.build(old.bundle, old)
	if err != nil {
		return err
	}
	s.since, s.made = old.since, old.made
	l.state.Store(s)
	if l.compare(old, s) {
		l.log.Info("the authorities that are trusted have changed")
		for _, f := range l.mu.listeners {
			f.f(old.bundle, s.bundle)
		}
	}
	return nil
}

// Close ends all changes; the bundle can still be read.
func (l *Live) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.closed = true
}
