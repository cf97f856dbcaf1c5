package trust

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"strings"
	"time"
)

const (
	// AuthorityLife is how long an authority's certificate is valid.
	AuthorityLife = 10 * 365 * 24 * time.Hour
	// NodeLife is how long a node's is, which is made anew when two thirds of it are over.
	NodeLife = 180 * 24 * time.Hour
	// Backdate is how long before they were made certificates begin, so that a clock which is wrong is found by those who compare
	// clocks, and not by handshakes that fail without a word.
	Backdate = 40 * 24 * time.Hour

	nameSuffix = ".node.jackdaw"
	uriScheme  = "jackdaw"
	maxName    = 128
)

// Authority is a certificate authority of the cluster: its certificate (DER) and key (PKCS #8). Without a key it only verifies.
type Authority struct {
	Number      uint32
	Certificate []byte
	Key         Secret
	// Leaving says that a revoked node has the key: its certificates get no bundle any more, and it goes as soon as possible.
	Leaving bool
}

// Pin is the SHA-256 of an authority's certificate.
type Pin [sha256.Size]byte

// String returns the pin as tools print fingerprints: upper-case hexadecimal pairs behind colons.
func (p Pin) String() string { return strings.ReplaceAll(fmt.Sprintf("% X", p[:]), " ", ":") }

// Pin returns the authority's.
func (a *Authority) Pin() Pin { return sha256.Sum256(a.Certificate) }

// CheckName refuses names that no node can have: 1 to 128 lower-case letters, digits, dots, dashes and underscores, as in the name of
// a host.
func CheckName(name string) error {
	if name == "" || len(name) > maxName {
		return fmt.Errorf("trust: a node's name has 1 to %d characters, not %d", maxName, len(name))
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return fmt.Errorf("trust: %q can't be a node's name: write lower-case letters, digits, dashes and dots, as in a host's name", name)
		}
	}
	return nil
}

// NewAuthority makes an authority with a P-256 key. Its name has its number and a part of its key, so that no two are alike.
func NewAuthority(cluster string, number uint32, now time.Time) (Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Authority{}, fmt.Errorf("trust: make an authority's key: %w", err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return Authority{}, fmt.Errorf("trust: encode an authority's key: %w", err)
	}
	id := sha256.Sum256(public)
	template := &x509.Certificate{
		Subject: pkix.Name{
			CommonName:   fmt.Sprintf("authority %d %s", number, hex.EncodeToString(id[:4])),
			Organization: []string{"Jackdaw cluster " + cluster},
		},
		NotBefore: now.Add(-Backdate), NotAfter: now.Add(AuthorityLife),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
		SubjectKeyId: id[:20],
	}
	der, err := sign(template, template, &key.PublicKey, key)
	if err != nil {
		return Authority{}, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Authority{}, fmt.Errorf("trust: encode an authority's key: %w", err)
	}
	return Authority{Number: number, Certificate: der, Key: private}, nil
}

// sign gives the template a serial number and signs it.
func sign(template, parent *x509.Certificate, public, key any) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, fmt.Errorf("trust: make a serial number: %w", err)
	}
	template.SerialNumber = serial
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		return nil, fmt.Errorf("trust: sign a certificate: %w", err)
	}
	return der, nil
}

// parse reads the certificate.
func (a *Authority) parse() (*x509.Certificate, error) {
	c, err := x509.ParseCertificate(a.Certificate)
	if err != nil {
		return nil, fmt.Errorf("trust: an authority's certificate can't be read: %w", err)
	}
	return c, nil
}

// private reads the key.
func (a *Authority) private() (*ecdsa.PrivateKey, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(a.Key)
	if err != nil {
		return nil, errors.New("trust: an authority's key can't be read") // without what was read
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return nil, errors.New("trust: an authority's key must be an ECDSA key")
	}
	return key, nil
}

func (a *Authority) check() error {
	c, err := a.parse()
	switch {
	case err != nil:
		return err
	case !c.IsCA:
		return fmt.Errorf("trust: the certificate of %q is no authority's", c.Subject.CommonName)
	case len(a.Key) == 0:
		return nil
	}
	key, err := a.private()
	if err != nil {
		return err
	}
	if !key.PublicKey.Equal(c.PublicKey) {
		return fmt.Errorf("trust: the key of the authority %q belongs to another certificate", c.Subject.CommonName)
	}
	return nil
}

// describe is the authority in a line of text.
func (a *Authority) describe(signs bool) string {
	c, err := a.parse()
	if err != nil {
		return "unreadable"
	}
	text := fmt.Sprintf("number %d until %s, pin %s", a.Number, c.NotAfter.Format(time.DateOnly), a.Pin())
	switch {
	case signs && len(a.Key) == 0:
		text += ", first, its key is elsewhere"
	case signs:
		text += ", signs"
	}
	if a.Leaving {
		text += ", leaving: a revoked node has its key"
	}
	return text
}

// Issue makes a certificate and a P-256 key for the node name. It is valid for life, at most as long as the authority's. cluster, if it
// isn't empty, is written into it, and nodes of another cluster refuse it.
func (a *Authority) Issue(name, cluster string, life time.Duration, now time.Time) (*tls.Certificate, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	parent, err := a.parse()
	if err != nil {
		return nil, err
	}
	signer, err := a.private()
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("trust: make a node's key: %w", err)
	}
	template := &x509.Certificate{
		Subject:   pkix.Name{CommonName: commonName(name)},
		NotBefore: latest(now.Add(-Backdate), parent.NotBefore), NotAfter: now.Add(life),
		DNSNames:    []string{name + nameSuffix},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if cluster != "" {
		template.URIs = []*url.URL{{Scheme: uriScheme, Host: cluster, Path: "/" + name}}
	}
	if template.NotAfter.After(parent.NotAfter) {
		template.NotAfter = parent.NotAfter
	}
	der, err := sign(template, parent, &key.PublicKey, signer)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("trust: read a certificate just made: %w", err)
	}
	// The authority's certificate goes with it: a joining node has nothing but the pin.
	return &tls.Certificate{Certificate: [][]byte{der, a.Certificate}, PrivateKey: key, Leaf: leaf}, nil
}

// commonName is a name cut to what X.509 allows there; the whole name is among the certificate's DNS names.
func commonName(name string) string { return name[:min(len(name), 64)] }

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// nearEnd reports whether two thirds of a certificate's life since now are over, when it was made Backdate after its beginning.
func nearEnd(c *x509.Certificate, made, now time.Time) bool {
	return now.Sub(made) >= c.NotAfter.Sub(made)*2/3
}

// NameOf returns the node's name and, if it has one, the cluster's id in a certificate, which is taken as it is.
func NameOf(c *x509.Certificate) (name, cluster string, err error) {
	for _, dns := range c.DNSNames {
		n, ours := strings.CutSuffix(dns, nameSuffix)
		switch {
		case !ours:
			continue
		case name != "":
			return "", "", errors.New("trust: the certificate names two nodes")
		case CheckName(n) != nil:
			return "", "", errors.New("trust: the certificate names a node by an impossible name")
		}
		name = n
	}
	if name == "" {
		return "", "", errors.New("trust: the certificate names no node")
	}
	for _, u := range c.URIs {
		if u.Scheme == uriScheme {
			cluster = u.Host
		}
	}
	return name, cluster, nil
}
