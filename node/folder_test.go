package node

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackdaw-im/jackdaw/config"
)

func TestSecretOutlivesRestarts(t *testing.T) {
	dir := t.TempDir()
	first, err := loadSecret(dir)
	if err != nil {
		t.Fatal(err)
	}
	again, err := loadSecret(dir)
	if err != nil || !bytes.Equal(first, again) || len(first) != secretBytes {
		t.Fatalf("%x, then %x (%v)", first, again, err)
	}
	if info, err := os.Stat(filepath.Join(dir, secretFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v: others can read the secret", info, err)
	}
}

func TestBrokenSecretIsNamed(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, secretFile), []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := loadSecret(dir); err == nil || !strings.Contains(err.Error(), filepath.Join(dir, secretFile)) {
		t.Fatalf("the error doesn't name the file: %v", err)
	}
	if _, err := loadSecret(filepath.Join(dir, "nowhere")); err == nil {
		t.Fatal("a secret was made in a folder that isn't there")
	}
}

func TestDomainIsRemembered(t *testing.T) {
	cfg := config.Default()
	cfg.Data = t.TempDir()
	for _, domain := range []string{"one.example", "one.example", "two.example"} {
		cfg.Domain = domain
		if err := rememberDomain(cfg); err != nil {
			t.Fatal(err)
		}
		if text, err := os.ReadFile(cfg.DomainFile()); err != nil || string(text) != domain+"\n" {
			t.Fatalf("%q, %v", text, err)
		}
	}
}
