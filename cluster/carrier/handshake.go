package carrier

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"

	"go.uber.org/zap"
	"google.golang.org/grpc/credentials"

	"github.com/jackdaw-im/jackdaw/telemetry"
)

// handshakes is how many handshakes of others may be under way. One more ends the oldest: who means it is done in milliseconds, and who
// only holds connections open keeps nobody out.
const handshakes = 128

// identity is who is at the other end of a connection, as gRPC keeps it.
type identity struct {
	credentials.TLSInfo
	node string
}

// security is gRPC's view of both sides' TLS.
type security struct {
	c        *Carrier
	mu       sync.Mutex
	underWay []net.Conn // the oldest first
}

func newSecurity(c *Carrier) *security { return &security{c: c} }

// ClientHandshake dials the node that is expected at authority, the address.
func (s *security) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	p := s.c.known(authority)
	if p == nil {
		return nil, nil, fmt.Errorf("carrier: nothing was sent to %q", authority)
	}
	name := p.expects()
	cfg := s.c.opts.ClientTLS(name)
	if cfg == nil {
		return nil, nil, errors.New("carrier: no certificate yet")
	}
	server := cfg.ServerName // gRPC would take the address instead
	if server == "" {
		server = name
	}
	tlsConn, info, err := credentials.NewTLS(modern(cfg)).ClientHandshake(ctx, server, raw)
	if err != nil {
		return nil, nil, err
	}
	id, cert, err := s.identify(info)
	if err == nil && id.node != name {
		err = fmt.Errorf("carrier: %q is there instead of %q", id.node, name)
	}
	if err != nil {
		_ = tlsConn.Close()
		return nil, nil, err
	}
	conn, err := s.keep(tlsConn, id, cert)
	return conn, id, err
}

// ServerHandshake lets in whom TLS and Admit let in.
func (s *security) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, id, err := s.welcome(raw)
	if err != nil {
		s.c.count.strangers.Add(1)
		s.c.log.Debug("a connection is refused", zap.Stringer(telemetry.KeyRemote, raw.RemoteAddr()), zap.Error(err))
		_ = raw.Close()
		return nil, nil, err
	}
	return conn, id, nil
}

func (s *security) welcome(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	s.begin(raw)
	defer s.done(raw)
	cfg := s.c.opts.ServerTLS()
	if cfg == nil {
		return nil, nil, errors.New("carrier: no certificate yet")
	}
	tlsConn, info, err := credentials.NewTLS(modern(cfg)).ServerHandshake(raw)
	if err != nil {
		return nil, nil, err
	}
	id, cert, err := s.identify(info)
	if err != nil {
		return nil, nil, err
	}
	conn, err := s.keep(tlsConn, id, cert)
	return conn, id, err
}

// keep adds a connection. Admit is asked once more: Recheck may have looked after it was asked and before the connection was there.
func (s *security) keep(raw net.Conn, id identity, cert *x509.Certificate) (net.Conn, error) {
	conn := s.c.conns.add(raw, id.node, cert)
	if err := s.admit(id.node, cert); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

func (s *security) admit(node string, cert *x509.Certificate) error {
	if admit := s.c.opts.Admit; admit != nil {
		if err := admit(node, cert); err != nil {
			return fmt.Errorf("carrier: %q is not admitted: %w", node, err)
		}
	}
	return nil
}

// begin notes a handshake.
func (s *security) begin(raw net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.underWay) == handshakes {
		_ = s.underWay[0].Close() // its own handshake tells
		s.underWay = s.underWay[1:]
	}
	s.underWay = append(s.underWay, raw)
}

// done notes the end of one.
func (s *security) done(raw net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.underWay, raw); i >= 0 {
		s.underWay = slices.Delete(s.underWay, i, i+1)
	}
}

// identify returns who is at the other end, if it is somebody.
func (s *security) identify(info credentials.AuthInfo) (identity, *x509.Certificate, error) {
	t, ok := info.(credentials.TLSInfo)
	if !ok || len(t.State.PeerCertificates) == 0 {
		return identity{}, nil, errors.New("carrier: no certificate")
	}
	cert := t.State.PeerCertificates[0]
	node, err := s.c.opts.NodeOf(cert)
	if err == nil && node == "" {
		err = errors.New("carrier: the certificate names no node")
	}
	if err != nil {
		return identity{}, nil, err
	}
	return identity{t, node}, cert, s.admit(node, cert)
}

// Info describes the protocol to gRPC.
func (s *security) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls"}
}

// Clone returns s itself, which has no state of a connection.
func (s *security) Clone() credentials.TransportCredentials { return s }

// OverrideServerName does nothing: a server's name is its node's.
func (s *security) OverrideServerName(string) error { return nil }

var _ credentials.TransportCredentials = (*security)(nil)

// modern is a configuration that speaks nothing older than TLS 1.3.
func modern(cfg *tls.Config) *tls.Config {
	if cfg.MinVersion < tls.VersionTLS13 {
		cfg = cfg.Clone()
		cfg.MinVersion = tls.VersionTLS13
	}
	return cfg
}

// conns are the connections that are open, in both directions.
type conns struct {
	mu   sync.Mutex
	open map[*conn]struct{}
}

// conn is a connection to or from a node.
type conn struct {
	net.Conn
	all  *conns
	node string
	cert *x509.Certificate
}

func (a *conns) add(raw net.Conn, node string, cert *x509.Certificate) net.Conn {
	c := &conn{raw, a, node, cert}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.open[c] = struct{}{}
	return c
}

// Close ends the connection.
func (c *conn) Close() error {
	c.all.mu.Lock()
	delete(c.all.open, c)
	c.all.mu.Unlock()
	return c.Conn.Close()
}

// recheck closes the connections of those who are not admitted any more.
func (a *conns) recheck(admit func(string, *x509.Certificate) error) {
	a.mu.Lock()
	var bad []*conn
	for c := range a.open {
		if admit(c.node, c.cert) != nil {
			bad = append(bad, c)
		}
	}
	a.mu.Unlock()
	for _, c := range bad {
		_ = c.Close() // it is gone in any case
	}
}
