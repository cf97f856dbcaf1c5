package node

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackdaw-im/jackdaw/config"
	"github.com/jackdaw-im/jackdaw/gateway"
)

// Names in the data folder, beside the store's.
const (
	certFile   = "certificate.pem"
	keyFile    = "key.pem"
	secretFile = "secret"
)

const secretBytes = 32

// loadCertificate reads the configured certificate, or the one in the data folder, which is made if there is none.
func loadCertificate(cfg *config.Config, now time.Time) (*gateway.Certificate, error) {
	if cfg.Certificate != "" {
		return gateway.LoadCertificate(cfg.Certificate, cfg.Key)
	}
	return gateway.EnsureCertificate(filepath.Join(cfg.Data, certFile), filepath.Join(cfg.Data, keyFile), cfg.Domain, now)
}

// rememberDomain leaves word of the served domain, for who adds users while no server runs.
func rememberDomain(cfg *config.Config) error {
	if old, err := os.ReadFile(cfg.DomainFile()); err == nil && strings.TrimSpace(string(old)) == cfg.Domain {
		return nil
	}
	if err := os.WriteFile(cfg.DomainFile(), []byte(cfg.Domain+"\n"), 0o600); err != nil {
		return fmt.Errorf("node: writing down the served domain: %w", err)
	}
	return nil
}

// loadSecret reads the secret that keys the fake salts of unknown users, and makes it first if it isn't there. It must
// outlive restarts: a salt that changes would tell who exists.
func loadSecret(folder string) ([]byte, error) {
	name := filepath.Join(folder, secretFile)
	b, err := os.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		b = make([]byte, secretBytes)
		_, _ = rand.Read(b) // it never fails: crypto/rand ends the process instead
		if err := os.WriteFile(name, b, 0o600); err != nil {
			return nil, fmt.Errorf("node: writing the server's secret: %w", err)
		}
		return b, nil
	case err != nil:
		return nil, fmt.Errorf("node: reading the server's secret: %w", err)
	case len(b) != secretBytes:
		return nil, fmt.Errorf("node: %s must hold %d bytes, not %d: delete it, and a new one is made", name, secretBytes, len(b))
	}
	return b, nil
}
