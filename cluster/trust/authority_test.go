package trust

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestCheckName(t *testing.T) {
	for _, name := range []string{"a", "node-1", "db1.example.org", "7", "a_b", strings.Repeat("a", 63) + "." + strings.Repeat("b", 63)} {
		if err := CheckName(name); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"", "A", "a b", "a@1", "-a", "a-", ".a", "a.", "a..b", "ä", "a/b", "a\n", strings.Repeat("a", 64), strings.Repeat("a.", 64) + "a"} {
		if CheckName(name) == nil {
			t.Errorf("%q is a name", name)
		}
	}
}

func TestIssue(t *testing.T) {
	b := newBundle(t, epoch)
	ca := b.Authorities[0]
	root, err := ca.parse()
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(root)
	name := strings.Repeat("a", 63) + "." + strings.Repeat("b", 63)
	c, err := ca.Issue(name, b.Cluster, NodeLife, epoch)
	if err != nil {
		t.Fatal(err)
	}
	for at, good := range map[time.Duration]bool{0: true, -Backdate: true, NodeLife: true, -Backdate - time.Second: false, NodeLife + time.Second: false} {
		_, err := c.Leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: epoch.Add(at), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
		if (err == nil) != good {
			t.Errorf("after %v: %v", at, err)
		}
	}
	if err := c.Leaf.VerifyHostname(name + ".node.jackdaw"); err != nil {
		t.Error(err)
	}
	if n, cluster, err := NameOf(c.Leaf); n != name || cluster != b.Cluster || err != nil || c.Leaf.IsCA {
		t.Errorf("%s, %s, %v", n, cluster, err)
	}
	if _, _, err := NameOf(root); err == nil {
		t.Error("the authority is a node")
	}
	late, err := ca.Issue("a", "", NodeLife, epoch.Add(AuthorityLife-time.Hour))
	if err != nil || !late.Leaf.NotAfter.Equal(root.NotAfter) {
		t.Errorf("it outlives its authority: %v", err)
	}
	if _, err := ca.Issue("A", "", NodeLife, epoch); err == nil {
		t.Error("a certificate for an impossible name")
	}
	for name, bad := range map[string]Authority{"no certificate": {Key: ca.Key}, "no key": {Certificate: ca.Certificate}} {
		if _, err := bad.Issue("a", "", NodeLife, epoch); err == nil {
			t.Errorf("%s: it signed", name)
		}
	}
	next, err := NewAuthority(b.Cluster, 1, epoch)
	if err != nil {
		t.Fatal(err)
	}
	if other, err := next.parse(); err != nil || string(other.RawSubject) == string(root.RawSubject) || next.Pin() == ca.Pin() {
		t.Errorf("two authorities are alike: %v", err)
	}
	if text := ca.Pin().String(); len(text) != 95 || strings.Count(text, ":") != 31 {
		t.Error(text)
	}
}

func TestNamesInCertificates(t *testing.T) {
	for _, c := range []struct {
		dns  []string
		want string
	}{
		{[]string{"a.node.jackdaw"}, "a"},
		{[]string{"db1.example.org", "a.b.node.jackdaw"}, "a.b"},
		{[]string{"a.node.jackdaw", "b.node.jackdaw"}, ""},
		{[]string{"A.node.jackdaw"}, ""},
		{[]string{"*.node.jackdaw"}, ""},
		{[]string{".node.jackdaw"}, ""},
		{[]string{"a.node.jackdaw.evil.example"}, ""},
		{[]string{"node.jackdaw"}, ""},
		{nil, ""},
	} {
		if got, _, err := NameOf(&x509.Certificate{DNSNames: c.dns}); got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%q: %q, %v", c.dns, got, err)
		}
	}
}

// byHand writes an authority's and a node's files.
func byHand(t *testing.T, folder string, ca Authority, name string, now time.Time) *Files {
	t.Helper()
	pair, err := ca.Issue(name, "", NodeLife, now)
	if err != nil {
		t.Fatal(err)
	}
	key, err := EncodeKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	f := &Files{Authorities: filepath.Join(folder, "ca.pem"), Certificate: filepath.Join(folder, name+".pem"), Key: filepath.Join(folder, name+".key")}
	for file, text := range map[string][]byte{f.Authorities: EncodeCertificates(ca.Certificate), f.Certificate: EncodeCertificates(pair.Certificate[0]), f.Key: key} {
		if err := WriteSecret(file, text); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func TestCertificatesByHand(t *testing.T) {
	ca, err := NewAuthority("", 1, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	b := newBundle(t, time.Now())
	folder := t.TempDir()
	open := func(name string, f *Files) (*Live, error) {
		return Create(Options{File: filepath.Join(t.TempDir(), "trust"), Name: name, Files: f}, b)
	}
	x, err := open("x", byHand(t, folder, ca, "x", time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	y, err := open("y", byHand(t, folder, ca, "y", time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	made, err := open("z", nil) // from the bundle: not of theirs
	if err != nil {
		t.Fatal(err)
	}
	if server, client := shake(x.ServerTLS("t"), y.ClientTLS("x", "t")); server != nil || client != nil {
		t.Errorf("%v, %v", server, client)
	}
	if server, _ := shake(x.ServerTLS("t"), made.ClientTLS("x", "t")); server == nil {
		t.Error("a node of another authority was let in")
	}
	token, err := x.NewToken(time.Hour)
	if err != nil || token.Pins[0] != ca.Pin() {
		t.Errorf("the token pins another authority: %v", err)
	}
	before := x.state.Load().certs[0].Leaf
	byHand(t, folder, ca, "x", time.Now())
	if err := x.Tick(); err != nil {
		t.Error(err)
	}
	if x.state.Load().certs[0].Leaf.Equal(before) {
		t.Error("the new certificate isn't used")
	}
	if err := os.WriteFile(filepath.Join(folder, "x.pem"), []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := x.Tick(); err == nil || !strings.Contains(err.Error(), "x.pem") {
		t.Errorf("nonsense was read: %v", err)
	}
	if b, err := x.Change(func(b *Bundle) (*Bundle, error) { return b.Revoke("thief", "x", time.Now()) }); err != nil || !b.IsRevoked("thief") {
		t.Errorf("a bad file keeps the node from a revocation: %v", err)
	}
	if _, err := y.Merge(x.Bundle()); err != nil {
		t.Error(err)
	}
	other, err := y.Change(func(b *Bundle) (*Bundle, error) { return b.Revoke("another", "y", time.Now()) })
	if err == nil {
		_, err = x.Merge(other)
	}
	if err != nil || !x.Bundle().IsRevoked("another") {
		t.Errorf("a bad file keeps the node from another's revocation: %v", err)
	}
	if err := x.Tick(); err == nil {
		t.Error("nobody says any more that a file is bad")
	}
	if server, client := shake(x.ServerTLS("t"), y.ClientTLS("x", "t")); server != nil || client != nil {
		t.Errorf("a bad file took the good certificate away: %v, %v", server, client)
	}
	if _, err := open("x", byHand(t, folder, ca, "y", time.Now())); err == nil || !strings.Contains(err.Error(), "the certificate of y") {
		t.Errorf("another node's certificate: %v", err)
	}
	for _, text := range []string{"", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"} {
		if _, err := ParseCertificates([]byte(text)); err == nil {
			t.Errorf("%q was read", text)
		}
	}
	if _, err := tls.X509KeyPair(EncodeCertificates(ca.Certificate), encodeKeys(ca.Key)); err != nil {
		t.Error(err)
	}
}
