package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"

	"github.com/jackdaw-im/jackdaw/xmpp"
	"github.com/jackdaw-im/jackdaw/xmpp/sasl"
)

// Security is how a connection gets TLS. There is no login without it.
type Security uint8

const (
	// DirectTLS starts with the TLS handshake (XEP-0368).
	DirectTLS Security = iota
	// StartTLS upgrades a plain stream (RFC 6120 section 5).
	StartTLS
)

// DefaultMechanisms is the order of preference where a Config has none.
var DefaultMechanisms = []string{"SCRAM-SHA-256", "SCRAM-SHA-1"}

// Config says how to log in and what to do with what arrives. Several connections may share one; Dial doesn't change it.
type Config struct {
	// Addr is the server's host:port.
	Addr string
	// JID is the account, user@domain, with the wanted resource if any. Without one the server chooses.
	JID string
	// Password is the account's.
	Password string

	// Security is how TLS starts.
	Security Security
	// TLS is used as it is; nil means TLSConfig(domain, nil). Connections that share one share its session cache.
	TLS *tls.Config
	// DialContext opens the connection; nil means net.Dialer's.
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)

	// Mechanisms are the SASL mechanisms allowed, best first; nil means DefaultMechanisms.
	Mechanisms []string
	// Keys caches what SCRAM derives from passwords, which costs more than the rest of a login; nil means no cache.
	Keys *sasl.KeyCache

	// Management enables stream management (XEP-0198), with resumption if the server offers it. A server that doesn't know it
	// fails the login.
	Management bool
	// Resume goes on with the stream of an earlier connection. It implies Management.
	Resume *Resumption

	// OnStanza gets every stanza except those the Conn deals with itself: answers to Request, and unless Manual is set, IQ
	// requests. It may be nil. Nothing changes the element later.
	OnStanza func(c *Conn, e *xmpp.Element)
	// OnAck gets what the server has newly acknowledged, oldest first. It may be nil. It must not keep the slice.
	OnAck func(c *Conn, sent []Sent)
	// Manual leaves IQ requests to OnStanza. Otherwise pings and disco#info are answered, and all else is refused with
	// service-unavailable; a roster push is answered and given to OnStanza, too.
	Manual bool
}

// TLSConfig is what a client at this domain needs: the domain's certificate, signed by one of the roots (nil: the system's), TLS 1.2
// at least, and the protocol name of XEP-0368.
func TLSConfig(domain string, roots *x509.CertPool) *tls.Config {
	return &tls.Config{ServerName: domain, RootCAs: roots, MinVersion: tls.VersionTLS12, NextProtos: []string{"xmpp-client"}}
}
