package carrier

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"sync/atomic"
	"testing"
	"time"
)

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	der  []byte
}

var serial atomic.Int64

func newAuthority(t *testing.T) *authority {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(serial.Add(1)), Subject: pkix.Name{CommonName: "authority"}, IsCA: true,
		BasicConstraintsValid: true, NotAfter: time.Now().Add(time.Hour)}
	key, der := signed(t, template, template, nil)
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{cert, key, der}
}

// signed makes a key and a certificate for it; without a signer it signs itself.
func signed(t *testing.T, template, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*ecdsa.PrivateKey, []byte) {
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

// bundle is what a node has for TLS.
type bundle struct {
	Cert, Key []byte
	Roots     [][]byte
}

// issue makes a node's bundle; it trusts the authority and others.
func (a *authority) issue(t *testing.T, name string, others ...*authority) *bundle {
	t.Helper()
	key, der := signed(t, &x509.Certificate{SerialNumber: big.NewInt(serial.Add(1)), DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}}, a.cert, a.key)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	b := &bundle{Cert: der, Key: secret, Roots: [][]byte{a.der}}
	for _, o := range others {
		b.Roots = append(b.Roots, o.der)
	}
	return b
}

func (b *bundle) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	for _, der := range b.Roots {
		if cert, err := x509.ParseCertificate(der); err == nil {
			pool.AddCert(cert)
		}
	}
	return pool
}

func (b *bundle) certificates() []tls.Certificate {
	key, err := x509.ParsePKCS8PrivateKey(b.Key)
	if err != nil {
		return nil
	}
	return []tls.Certificate{{Certificate: [][]byte{b.Cert}, PrivateKey: key}}
}

func (b *bundle) server() *tls.Config {
	return &tls.Config{Certificates: b.certificates(), ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: b.pool()}
}

func (b *bundle) client(string) *tls.Config {
	return &tls.Config{Certificates: b.certificates(), RootCAs: b.pool()}
}
