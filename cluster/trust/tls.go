package trust

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"strings"
)

// Why a node isn't let in.
var (
	ErrRevoked = errors.New("trust: the node is revoked")
	ErrClosed  = errors.New("trust: closed")
	// ErrPeerRevoked says that it is the peer which this node's bundle revokes. It is ErrRevoked, too.
	ErrPeerRevoked = fmt.Errorf("%w", ErrRevoked)
	// ErrOtherAuthority says that the peer calls itself the node that was called, if a name was, of this cluster, and that its certificate is of an
	// authority which this node doesn't know and which was made after all that it knows: all keys have been rotated without it. Nothing
	// proves it. Of two nodes that don't know each other's authority one finds the other's later, and not both; with authorities made by hand,
	// which have no order, both do.
	ErrOtherAuthority = errors.New("trust: another authority")
)

// Peer is the node at the other end of a connection, as its certificate says.
type Peer struct {
	Name string
	// Certificate is what it has shown. What that says of who signed it isn't verified with it: see validAuthority.signed.
	Certificate *x509.Certificate
}

func pinOf(c *x509.Certificate) Pin { return sha256.Sum256(c.Raw) }

// PeerOf returns the node at the other end of a connection that ServerTLS or ClientTLS has verified.
func PeerOf(cs tls.ConnectionState) (Peer, error) {
	if len(cs.PeerCertificates) == 0 {
		return Peer{}, errors.New("trust: the peer has shown no certificate")
	}
	leaf := cs.PeerCertificates[0]
	name, _, err := NameOf(leaf)
	if err != nil {
		return Peer{}, err
	}
	return Peer{Name: name, Certificate: leaf}, nil
}

// ServerTLS returns the configuration of a server to which nodes of the cluster connect, for the given ALPN protocols. Each handshake
// uses the bundle of its time, so it needs to be made once only. Revoked nodes are refused.
func (l *Live) ServerTLS(protocols ...string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		NextProtos: protocols,
		ClientAuth: tls.RequireAndVerifyClientCert,
		ClientCAs:  x509.NewCertPool(), // nobody, but for the configuration of the moment:
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return l.serverNow(protocols), nil
		},
	}
}

func (l *Live) serverNow(protocols []string) *tls.Config {
	s := l.state.Load()
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		NextProtos:             protocols,
		Certificates:           []tls.Certificate{s.certs[0].Certificate},
		ClientAuth:             tls.RequireAndVerifyClientCert,
		ClientCAs:              s.pool,
		SessionTicketsDisabled: true, // a resumed connection would carry what was verified long ago
		Time:                   l.o.Now,
		VerifyConnection:       func(cs tls.ConnectionState) error { return l.admit(cs, "") },
	}
}

// ClientTLS returns the configuration for connecting to the node called peer, or to any node of the cluster if peer is empty. Each
// handshake uses the bundle of its time. The server's address plays no role: the certificate names the node.
func (l *Live) ClientTLS(peer string, protocols ...string) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		NextProtos:         protocols,
		ServerName:         "any" + nameSuffix,
		InsecureSkipVerify: true, // VerifyConnection does it, with the authorities of the moment
		VerifyConnection: func(cs tls.ConnectionState) error {
			if len(cs.PeerCertificates) == 0 {
				return errors.New("trust: the peer has shown no certificate")
			}
			between := x509.NewCertPool()
			for _, c := range cs.PeerCertificates[1:] {
				between.AddCert(c)
			}
			_, err := cs.PeerCertificates[0].Verify(x509.VerifyOptions{
				Roots: l.state.Load().pool, Intermediates: between, CurrentTime: l.o.Now(),
				KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
			})
			if err != nil {
				return l.unverified(cs, peer, fmt.Errorf("trust: the peer's certificate is none of this cluster: %w", err))
			}
			return l.admit(cs, peer)
		},
		GetClientCertificate: func(request *tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return l.state.Load().present(request.AcceptableCAs), nil
		},
	}
}

// unverified makes an error that is ErrOtherAuthority too, if it is that.
func (l *Live) unverified(cs tls.ConnectionState, peer string, err error) error {
	var unknown x509.UnknownAuthorityError
	leaf := cs.PeerCertificates[0]
	name, cluster, bad := NameOf(leaf)
	if bad != nil || peer != "" && name != peer || cluster != "" && cluster != l.Bundle().Cluster || !errors.As(err, &unknown) {
		return err
	}
	for _, v := range l.state.Load().valid {
		if l.o.Files == nil && !laterAuthority(leaf.Issuer, v.cert.Subject) {
			return err // the peer is the one that was away
		}
	}
	return otherAuthority{err}
}

// laterAuthority reports whether an authority was made after another one, by the numbers in their names; of two with one number, made in parts of a
// cluster that didn't know of each other, the one whose name is greater counts as later, everywhere.
func laterAuthority(a, b pkix.Name) bool {
	return cmp.Or(cmp.Compare(numberOf(a), numberOf(b)), strings.Compare(a.CommonName, b.CommonName)) > 0
}

// otherAuthority is an error that is also ErrOtherAuthority, which it needn't say in words.
type otherAuthority struct{ error }

// Unwrap implements the interface that errors.Is looks for.
func (e otherAuthority) Unwrap() []error { return []error{ErrOtherAuthority, e.error} }

// admit checks who a verified certificate names.
func (l *Live) admit(cs tls.ConnectionState, want string) error {
	p, err := PeerOf(cs)
	if err != nil {
		return err
	}
	b := l.Bundle()
	_, cluster, _ := NameOf(cs.PeerCertificates[0])
	switch {
	case cluster != "" && cluster != b.Cluster:
		return fmt.Errorf("%w: the peer's certificate is of cluster %s, and this is %s", ErrOtherCluster, short(cluster), short(b.Cluster))
	case b.IsRevoked(p.Name):
		return fmt.Errorf("%w: %s", ErrPeerRevoked, p.Name)
	case want != "" && want != p.Name:
		return fmt.Errorf("trust: the peer is %s, and %s was called", p.Name, want)
	}
	return nil
}

// present returns the certificate of the newest authority that the server accepts: who is a version behind doesn't know the newest yet,
// and who is ahead gives bundles to none but the newest.
func (s *state) present(acceptable [][]byte) *tls.Certificate {
	best := -1
	for i, c := range s.certs {
		if best >= 0 && c.authority.number <= s.certs[best].authority.number {
			continue
		}
		for _, subject := range acceptable {
			if bytes.Equal(subject, c.authority.cert.RawSubject) {
				best = i
				break
			}
		}
	}
	if best < 0 {
		best = 0
	}
	c := s.certs[best].Certificate
	return &c
}

// gives reports whether a peer may get and give bundles: not by an authority whose key a revoked node has, unless there is no other.
func (s *state) gives(p Peer) bool { return s.bundle.orphaned() || !s.isLeaving(p) }

// isLeaving reports whether a peer's certificate was signed by an authority whose key a revoked node has.
func (s *state) isLeaving(p Peer) bool {
	for _, v := range s.valid {
		if v.leaving && v.signed(p.Certificate) {
			return true
		}
	}
	return false
}
