package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"time"

	"github.com/jackdaw-im/jackdaw/ident"
)

// The two nodes.
const (
	senderID   ident.NodeID = "sender@1"
	receiverID ident.NodeID = "receiver@1"
)

// keys are what one node has for TLS.
type keys struct {
	Cert, Key, Root []byte
}

// pairOfKeys makes an authority and what both nodes have of it.
func pairOfKeys() (sender, receiver *keys, err error) {
	root := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true, NotAfter: time.Now().Add(24 * time.Hour)}
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, root, root, rootKey.Public(), rootKey)
	if err != nil {
		return nil, nil, err
	}
	issue := func(id ident.NodeID) (*keys, error) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		leaf := &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{id.Name()}, NotAfter: root.NotAfter,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}}
		cert, err := x509.CreateCertificate(rand.Reader, leaf, root, key.Public(), rootKey)
		if err != nil {
			return nil, err
		}
		secret, err := x509.MarshalPKCS8PrivateKey(key)
		return &keys{cert, secret, der}, err
	}
	if sender, err = issue(senderID); err != nil {
		return nil, nil, err
	}
	receiver, err = issue(receiverID)
	return sender, receiver, err
}

// configs are the configurations of a server and of a client that expects the other node.
func (k *keys) configs(other ident.NodeID) (server, client *tls.Config, err error) {
	secret, err := x509.ParsePKCS8PrivateKey(k.Key)
	if err != nil {
		return nil, nil, err
	}
	root, err := x509.ParseCertificate(k.Root)
	if err != nil {
		return nil, nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(root)
	certs := []tls.Certificate{{Certificate: [][]byte{k.Cert}, PrivateKey: secret}}
	return &tls.Config{Certificates: certs, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, MinVersion: tls.VersionTLS13},
		&tls.Config{Certificates: certs, RootCAs: pool, ServerName: other.Name(), MinVersion: tls.VersionTLS13}, nil
}

// hello is what the receiver tells the sender.
type hello struct {
	Addr string
	Keys *keys
}

func (h hello) String() string {
	text, err := json.Marshal(h)
	if err != nil {
		return ""
	}
	return base64.StdEncoding.EncodeToString(text)
}

func parseHello(text string) (h hello, err error) {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return h, fmt.Errorf("hello: %w", err)
	}
	if err := json.Unmarshal(raw, &h); err != nil {
		return h, fmt.Errorf("hello: %w", err)
	}
	if h.Keys == nil {
		return h, fmt.Errorf("hello: no keys")
	}
	return h, nil
}
