package trust

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The files of a HandFolder. AuthorityFile is what nodes need; AuthorityKeyFile is needed only to sign, and may be kept elsewhere.
const (
	AuthorityFile    = "ca.pem"
	AuthorityKeyFile = "ca.key"
)

// HandFolder is a folder with authorities made by hand: their certificates in one file, of which the first signs, and their keys in
// another. Like those of a bundle they change in steps, so that nodes with the files of neighbouring steps understand each other.
type HandFolder struct {
	Authorities []Authority
	folder      string
}

// MakeHandFolder makes the folder with a new authority. It refuses one that has any.
func MakeHandFolder(folder string, now time.Time) (*HandFolder, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("trust: %w", err)
	}
	for _, name := range []string{AuthorityFile, AuthorityKeyFile} {
		if _, err := os.Lstat(filepath.Join(folder, name)); !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("trust: there is a %s in %s already", name, folder)
		}
	}
	ca, err := NewAuthority("by hand", 1, now)
	if err != nil {
		return nil, err
	}
	h := &HandFolder{Authorities: []Authority{ca}, folder: folder}
	return h, h.save(false)
}

// OpenHandFolder reads a folder. An authority whose key isn't there can't sign, and is no error.
func OpenHandFolder(folder string) (*HandFolder, error) {
	text, err := readAtMost(filepath.Join(folder, AuthorityFile), maxPEM)
	if err != nil {
		return nil, err
	}
	certs, err := ParseCertificates(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(folder, AuthorityFile), err)
	}
	keys, err := readAtMost(filepath.Join(folder, AuthorityKeyFile), maxPEM)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	h := &HandFolder{folder: folder}
	for _, c := range certs {
		a := Authority{Number: numberOf(c.Subject), Certificate: c.Raw}
		if a.Key, err = keyFor(c, keys); err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Join(folder, AuthorityKeyFile), err)
		}
		if err := a.check(); err != nil {
			return nil, fmt.Errorf("%s: %w", folder, err)
		}
		h.Authorities = append(h.Authorities, a)
	}
	return h, nil
}

// numberOf reads the number that NewAuthority writes into a name; an authority of other making has 0.
func numberOf(authority pkix.Name) uint32 {
	var n uint32
	if _, err := fmt.Sscanf(authority.CommonName, "authority %d ", &n); err != nil {
		return 0
	}
	return n
}

// keyFor finds the key of a certificate among PEM keys; nil if it isn't there.
func keyFor(c *x509.Certificate, text []byte) (Secret, error) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			if key, err = x509.ParseECPrivateKey(block.Bytes); err != nil {
				continue // parameters of a curve, or a kind of key that nobody here uses
			}
		}
		ec, ok := key.(*ecdsa.PrivateKey)
		if !ok || !ec.PublicKey.Equal(c.PublicKey) {
			continue
		}
		der, err := x509.MarshalPKCS8PrivateKey(ec)
		if err != nil {
			return nil, fmt.Errorf("trust: encode an authority's key: %w", err)
		}
		return der, nil
	}
	return nil, nil
}

// save writes both files. Whoever reads between the two finds a key too many, and never one too few.
func (h *HandFolder) save(drops bool) error {
	var certs, keys [][]byte
	for _, a := range h.Authorities {
		certs = append(certs, a.Certificate)
		if len(a.Key) > 0 {
			keys = append(keys, a.Key)
		}
	}
	writeKeys := func() error { return WriteSecret(filepath.Join(h.folder, AuthorityKeyFile), encodeKeys(keys...)) }
	writeCerts := func() error {
		return replaceFile(filepath.Join(h.folder, AuthorityFile), EncodeCertificates(certs...), 0o644)
	}
	if drops {
		if err := writeCerts(); err != nil {
			return err
		}
		return writeKeys()
	}
	if err := writeKeys(); err != nil {
		return err
	}
	return writeCerts()
}

// HandStep says what Rotate has done.
type HandStep uint8

// The steps of a rotation by hand.
const (
	HandAdded    HandStep = iota // a new authority is valid beside the old one
	HandSwitched                 // the new one signs
	HandDropped                  // the old one is gone
)

// Rotate takes the next step of the authorities' rotation and writes the files.
func (h *HandFolder) Rotate(now time.Time) (HandStep, error) {
	if len(h.Authorities[0].Key) == 0 {
		return 0, fmt.Errorf("trust: the key of the authority that signs is not in %s", filepath.Join(h.folder, AuthorityKeyFile))
	}
	switch phaseOf(h.Authorities, authorityNumber) {
	case installed:
		newestFirst(h.Authorities, authorityNumber)
		return HandSwitched, h.save(false)
	case used:
		h.Authorities = h.Authorities[:1]
		return HandDropped, h.save(true)
	}
	ca, err := NewAuthority("by hand", newest(h.Authorities, authorityNumber)+1, now)
	if err != nil {
		return 0, err
	}
	h.Authorities = append(h.Authorities, ca)
	return HandAdded, h.save(false)
}

// IssueTo makes a certificate for the node name by the authority that signs, and writes NAME.pem and NAME.key into out, in place of those
// that may be there.
func (h *HandFolder) IssueTo(out, name, cluster string, life time.Duration, now time.Time) (*x509.Certificate, error) {
	if len(h.Authorities[0].Key) == 0 {
		return nil, fmt.Errorf("trust: the key of the authority that signs is not in %s", filepath.Join(h.folder, AuthorityKeyFile))
	}
	pair, err := h.Authorities[0].Issue(name, cluster, life, now)
	if err != nil {
		return nil, err
	}
	key, err := EncodeKey(pair.PrivateKey)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(out, 0o700); err != nil {
		return nil, fmt.Errorf("trust: %w", err)
	}
	if err := WriteSecret(filepath.Join(out, name+".key"), key); err != nil {
		return nil, err
	}
	return pair.Leaf, replaceFile(filepath.Join(out, name+".pem"), EncodeCertificates(pair.Certificate[0]), 0o644)
}

// Show describes a file in lines of text, without secrets: a node's bundle, or certificates in PEM, of which now says
// which have expired.
func Show(file string, now time.Time) (string, error) {
	text, err := readAtMost(file, MaxBundle+256)
	if err != nil {
		return "", err
	}
	if bytes.HasPrefix(text, []byte(fileMagic)) {
		b, err := Load(file)
		if err != nil {
			return "", err
		}
		return b.String(), nil
	}
	certs, err := ParseCertificates(text)
	if err != nil {
		return "", fmt.Errorf("%s: %w, and it is no bundle either", file, err)
	}
	var out bytes.Buffer
	for _, c := range certs {
		what := fmt.Sprintf("certificate of %q", c.Subject.CommonName)
		if name, cluster, err := NameOf(c); err == nil {
			what = "node " + name
			if cluster != "" {
				what += " of cluster " + cluster
			}
		} else if c.IsCA {
			what = "authority " + strings.TrimPrefix(c.Subject.CommonName, "authority ")
		}
		state := ""
		if now.After(c.NotAfter) {
			state = ", expired"
		} else if now.Before(c.NotBefore) {
			state = ", not yet valid"
		}
		_, _ = fmt.Fprintf(&out, "%s\n  valid       %s to %s%s\n  signed by   %s\n  pin         %s\n", what,
			c.NotBefore.UTC().Format(time.DateOnly), c.NotAfter.UTC().Format(time.DateOnly), state, c.Issuer.CommonName, pinOf(c))
	}
	return out.String(), nil
}
