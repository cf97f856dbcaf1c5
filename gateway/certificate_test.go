package gateway

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestEnsureCertificateMakesOneThatVerifies(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	c, err := EnsureCertificate(certFile, keyFile, "chat.example", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	pem, err := os.ReadFile(certFile)
	if err != nil || !roots.AppendCertsFromPEM(pem) {
		t.Fatalf("the file is no certificate: %v", err)
	}
	leaf := c.current.Load().Leaf
	for _, name := range []string{"chat.example", "localhost", "127.0.0.1"} {
		if _, err := leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots}); err != nil {
			t.Errorf("as %s: %v", name, err)
		}
	}
	if _, err := leaf.Verify(x509.VerifyOptions{DNSName: "other.example", Roots: roots}); err == nil {
		t.Error("it passes for another name")
	}
	if info, err := os.Stat(keyFile); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's mode is %v, %v", info.Mode(), err)
	}
	if f := c.Fingerprint(); len(f) != 95 || strings.Count(f, ":") != 31 {
		t.Errorf("fingerprint %q", f)
	}

	again, err := EnsureCertificate(certFile, keyFile, "chat.example", time.Now())
	if err != nil || again.Fingerprint() != c.Fingerprint() {
		t.Fatalf("the second start has another certificate (%v)", err)
	}
}

func TestReloadKeepsTheOldCertificateOnAnError(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	c, err := EnsureCertificate(certFile, keyFile, "localhost", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	before := c.Fingerprint()
	if err := os.WriteFile(certFile, []byte("nonsense"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := c.Reload(); err == nil || !strings.Contains(err.Error(), certFile) {
		t.Fatalf("the error %v doesn't name the file", err)
	}
	if c.Fingerprint() != before {
		t.Fatal("the certificate in use changed")
	}
	if err := makeCertificate(certFile, keyFile, "localhost", time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := c.Reload(); err != nil || c.Fingerprint() == before {
		t.Fatalf("a good pair was not taken: %v", err)
	}
	if _, err := EnsureCertificate(certFile, filepath.Join(dir, "missing.pem"), "localhost", time.Now()); err == nil {
		t.Fatal("half a pair was overwritten or taken")
	}
}
