package trust

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	// goneTime is for how long an authority must be missing from files made by hand until it counts as taken out of them: a file may be read while it
	// is being written.
	goneTime = 3 * time.Second
	// maxDropped is how many dropped authorities are remembered, the newest.
	maxDropped = 64
)

// ErrDropped says that the authority of a node's certificate was dropped: a revoked node has its key, or it was taken out of the files.
var ErrDropped = errors.New("trust: the authority of the peer's certificate was dropped")

// dropped are the authorities whose certificates are good for no connection any more. What a usual rotation ends isn't among
// them: connections that were made before stay.
type dropped struct {
	list []validAuthority
	gone []goneAuthority
}

// goneAuthority is one made by hand that was missing when the files were read last.
type goneAuthority struct {
	validAuthority
	since time.Time
}

// Admit reports why a node whose certificate was verified in the handshake may not be connected any more, if so: it is revoked, or its
// authority was dropped. Whoever holds connections asks when OnChange says that something has changed. Of a certificate that isn't signed
// by an authority directly it is only asked who it is for.
func (l *Live) Admit(node string, cert *x509.Certificate) error {
	if l.Bundle().IsRevoked(node) {
		return fmt.Errorf("%w: %s", ErrPeerRevoked, node)
	}
	if list := l.dropped.Load(); list != nil && slices.ContainsFunc(*list, func(v validAuthority) bool { return v.signed(cert) }) {
		return fmt.Errorf("%w: %s", ErrDropped, node)
	}
	return nil
}

// compare notes the authorities that are dropped from one state to the next, and reports whether there are any. l.mu is held.
func (l *Live) compare(from, to *state) (news bool) {
	d, now := &l.mu.dropped, l.o.Now()
	before := len(d.list)
	d.list = slices.DeleteFunc(d.list, to.has)
	news = len(d.list) != before
	drop := func(v validAuthority) {
		d.list = append(d.list, v)
		d.list, news = d.list[max(len(d.list)-maxDropped, 0):], true
	}
	// A node that was away may see all steps of a revocation as one.
	revokes := slices.ContainsFunc(to.bundle.Revoked, func(name string) bool { return !from.bundle.IsRevoked(name) })
	for _, v := range from.valid {
		switch {
		case to.has(v):
		case l.o.Files != nil:
			d.gone = append(d.gone, goneAuthority{v, now})
		case v.leaving, revokes:
			drop(v)
		}
	}
	d.gone = slices.DeleteFunc(d.gone, func(g goneAuthority) bool {
		back, over := to.has(g.validAuthority), now.Sub(g.since) >= goneTime
		if over && !back {
			drop(g.validAuthority)
		}
		return back || over
	})
	if news {
		list := slices.Clone(d.list)
		l.dropped.Store(&list)
	}
	return news
}

// has reports whether an authority's key is valid, or by hand that of one that has signed it.
func (s *state) has(v validAuthority) bool {
	return slices.ContainsFunc(s.valid, func(o validAuthority) bool { return v.same(o) || o.signed(v.cert) })
}
