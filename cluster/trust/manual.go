package trust

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// maxPEM bounds a file of certificates or keys, in bytes.
const maxPEM = 256 << 10

// Files are a node's certificates made by hand, as PEM: instead of those made from the bundle. All nodes of a cluster have them, or
// none. They are read again when they change.
type Files struct {
	// Authorities holds the certificates of the authorities that are valid.
	Authorities string
	// Certificate is the node's, with intermediate ones behind it, and Key its key.
	Certificate, Key string
}

// read reads the three files.
func (f *Files) read() (certs []*x509.Certificate, pair tls.Certificate, err error) {
	text, err := readAtMost(f.Authorities, maxPEM)
	if err != nil {
		return nil, tls.Certificate{}, err
	}
	if certs, err = ParseCertificates(text); err != nil {
		return nil, tls.Certificate{}, fmt.Errorf("%s: %w", f.Authorities, err)
	}
	if pair, err = tls.LoadX509KeyPair(f.Certificate, f.Key); err != nil {
		return nil, tls.Certificate{}, fmt.Errorf("trust: the certificate %s with key %s can't be used: %w", f.Certificate, f.Key, err)
	}
	// A joining node has the pin of an authority only, so the authority goes with the certificate.
	for _, ca := range certs {
		last, err := x509.ParseCertificate(pair.Certificate[len(pair.Certificate)-1])
		if err == nil && !bytes.Equal(last.Raw, ca.Raw) && last.CheckSignatureFrom(ca) == nil {
			pair.Certificate = append(pair.Certificate, ca.Raw)
			break
		}
	}
	return certs, pair, nil
}

// ParseCertificates reads PEM certificates, at least one.
func ParseCertificates(text []byte) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("trust: a certificate can't be read: %w", err)
		}
		certs = append(certs, c)
	}
	if len(certs) == 0 {
		return nil, errors.New("trust: there is no certificate in it")
	}
	return certs, nil
}

// EncodeCertificates writes DER certificates as PEM.
func EncodeCertificates(der ...[]byte) []byte {
	var text []byte
	for _, d := range der {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: d})...)
	}
	return text
}

// EncodeKey writes a private key as PEM.
func EncodeKey(key any) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("trust: encode a key: %w", err)
	}
	return encodeKeys(der), nil
}

func encodeKeys(der ...[]byte) []byte {
	var text []byte
	for _, d := range der {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: d})...)
	}
	return text
}
