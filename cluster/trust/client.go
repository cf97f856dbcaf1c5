package trust

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"time"
)

// JoinRequest says how a node joins.
type JoinRequest struct {
	// Seed is the cluster address of any node, HOST:PORT.
	Seed  string
	Token Token
	// Name is the joining node's; Advertise and Release are told to the seed.
	Name, Advertise, Release string
	// Dial connects; nil is TCP.
	Dial func(ctx context.Context, addr string) (net.Conn, error)
}

// ErrNotPinned says that the seed is not of the token's cluster, or that somebody stands in between.
var ErrNotPinned = errors.New("trust: the node that answers isn't of the cluster that made the join token, or its authority was rotated since: make a new one with `jackdaw cluster token`")

// Join asks a node of a cluster for its bundle. It takes at most 10 s. Errors that a caller may branch on: those of tokens, ErrNotPinned,
// ErrRevoked, ErrBusy, ErrRefused; with any other the same seed may answer later.
func Join(ctx context.Context, r JoinRequest) (*Bundle, error) {
	if err := CheckName(r.Name); err != nil {
		return nil, err
	}
	cfg := &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{JoinProtocol}, ServerName: "any" + nameSuffix,
		InsecureSkipVerify: true, // VerifyConnection does it, by the token's pins
		VerifyConnection:   func(cs tls.ConnectionState) error { return r.Token.verify(cs, time.Now()) },
	}
	a, err := ask(ctx, r.Dial, r.Seed, cfg, request{Op: "join", Token: r.Token.Text(), Name: r.Name, Advertise: r.Advertise, Release: r.Release})
	if err != nil {
		return nil, err
	}
	b, err := Decode(a.Bundle)
	if err != nil {
		return nil, err
	}
	if b.Cluster != r.Token.Cluster {
		return nil, ErrNotPinned
	}
	return b, nil
}

// verify checks a server by the pins.
func (t Token) verify(cs tls.ConnectionState, now time.Time) error {
	roots := x509.NewCertPool()
	pinned := false
	for _, c := range cs.PeerCertificates {
		if slices.Contains(t.Pins, pinOf(c)) {
			roots.AddCert(c)
			pinned = true
		}
	}
	if !pinned {
		return ErrNotPinned
	}
	between := x509.NewCertPool()
	for _, c := range cs.PeerCertificates[1:] {
		between.AddCert(c)
	}
	_, err := cs.PeerCertificates[0].Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	if err != nil {
		return fmt.Errorf("trust: the seed's certificate doesn't hold: %w", err)
	}
	_, cluster, err := NameOf(cs.PeerCertificates[0])
	if err == nil && cluster != "" && cluster != t.Cluster {
		err = ErrNotPinned
	}
	return err
}

// Member is another node that is alive, as gossip says.
type Member struct {
	Name string
	// Addr is its cluster address, HOST:PORT.
	Addr string
	// Stamp is its bundle's; zero if it isn't known yet.
	Stamp Stamp
	// Since orders members by when they began; 0: it goes by names.
	Since uint64
}

// Fetch asks a member for its bundle and takes it up if it wins. It takes at most 10 s.
func (l *Live) Fetch(ctx context.Context, from Member) (Merged, error) {
	a, err := ask(ctx, l.o.Dial, from.Addr, l.ClientTLS(from.Name, TrustProtocol), request{Op: "fetch"})
	if err != nil {
		return Merged{}, fmt.Errorf("fetch the bundle of %s: %w", from.Name, refusedByTLS(err))
	}
	b, err := Decode(a.Bundle)
	if err != nil {
		return Merged{}, fmt.Errorf("fetch the bundle of %s: %w", from.Name, err)
	}
	return l.Merge(b)
}

// Push gives a member this node's bundle, and returns the stamp of what the member has then. It takes at most 10 s.
func (l *Live) Push(ctx context.Context, to Member) (Stamp, error) {
	a, err := ask(ctx, l.o.Dial, to.Addr, l.ClientTLS(to.Name, TrustProtocol), request{Op: "push", Bundle: l.Bundle().Encode()})
	if err != nil {
		return Stamp{}, fmt.Errorf("push the bundle to %s: %w", to.Name, refusedByTLS(err))
	}
	return ParseStamp(a.Stamp)
}

// verified is what went wrong after the server had shown who it is.
type verified struct{ error }

// Unwrap implements the interface that errors.Is looks for.
func (v verified) Unwrap() error { return v.error }

// refusedByTLS explains the alert of a server that doesn't take this node's certificate. One that comes before the server has shown its own may be
// anybody's.
func refusedByTLS(err error) error {
	var remote *net.OpError // crypto/tls puts an alert into one
	if !errors.As(err, &verified{}) {
		return err
	}
	if errors.As(err, &remote) && remote.Op == "remote error" || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
		return fmt.Errorf("%w: this node's certificate isn't accepted there; if it isn't revoked, join again with a token (%w)", ErrRefused, err)
	}
	return err
}

// ask connects, sends one request and reads the answer, which is no refusal if there is no error.
func ask(ctx context.Context, dial func(context.Context, string) (net.Conn, error), addr string, cfg *tls.Config, r request) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, exchange)
	defer cancel()
	if dial == nil {
		dial = func(ctx context.Context, addr string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "tcp", addr)
		}
	}
	raw, err := dial(ctx, addr)
	if err != nil {
		return nil, fmt.Errorf("trust: %w", err)
	}
	defer func() { _ = raw.Close() }() // all that counts has been read
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	defer stop()
	conn := tls.Client(raw, cfg)
	var a answer
	if err = conn.HandshakeContext(ctx); err == nil {
		sent := writeFrame(conn, r)
		// A server that doesn't take the certificate says so when the handshake is over here already, and closes.
		if err = readFrame(conn, maxFrame, &a); err != nil && errors.Is(err, io.EOF) {
			err = cmp.Or(sent, err)
		}
		if err != nil {
			err = verified{err}
		}
	}
	switch {
	case err == nil:
		return &a, a.err()
	case ctx.Err() != nil:
		return nil, fmt.Errorf("trust: no answer: %w", ctx.Err())
	case errors.Is(err, io.EOF):
		return nil, errors.New("trust: the connection was closed without an answer: that is no cluster address of Jackdaw, or it has had too many attempts")
	case strings.HasPrefix(err.Error(), "trust: "):
		return nil, err // a check of the peer's certificate, as crypto/tls passes it on
	}
	return nil, fmt.Errorf("trust: %w", err)
}
