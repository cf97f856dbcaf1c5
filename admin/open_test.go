package admin

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/store"
)

func TestOpenWithoutServer(t *testing.T) {
	cfg := configFor(t)
	if _, err := Open(t.Context(), cfg, false, zap.NewNop()); err == nil || !strings.Contains(err.Error(), "--data") {
		t.Errorf("no folder: %v", err)
	}
	if _, err := os.Stat(cfg.Data); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder was made: %v", err)
	}
	a, err := Open(t.Context(), cfg, true, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	if a.Certain || a.Domain != "localhost" {
		t.Errorf("%+v", a)
	}
	if err := a.Create(t.Context(), cheap("a@localhost")); err != nil {
		t.Error(err)
	}
	// Somebody else has the folder now, and doesn't answer.
	ctx, cancel := context.WithTimeout(t.Context(), 2*openPoll)
	defer cancel()
	if _, err := Open(ctx, cfg, false, zap.NewNop()); !errors.Is(err, store.ErrLocked) {
		t.Errorf("a folder in use: %v", err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if a, err = Open(t.Context(), cfg, false, zap.NewNop()); err != nil {
		t.Fatal(err)
	}
	if page, err := a.List(t.Context(), "", 10); len(page) != 1 || err != nil {
		t.Errorf("%v, %v", page, err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}

func TestOpenWithServer(t *testing.T) {
	cfg := configFor(t)
	if err := os.Mkdir(cfg.Data, 0o700); err != nil {
		t.Fatal(err)
	}
	users, _ := inMemory()
	s := New(Config{Addr: "127.0.0.1:0", Socket: cfg.SocketFile(), Users: users, Ready: func() error { return nil },
		Status: func() Status { return Status{Domain: "example.org", Started: time.Now()} }})
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	a, err := Open(t.Context(), cfg, false, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	if !a.Certain || a.Domain != "example.org" {
		t.Errorf("%+v", a)
	}
	if err := a.Create(t.Context(), cheap("a@example.org")); err != nil {
		t.Error(err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if page, err := users.List(t.Context(), "", 10); len(page) != 1 || err != nil {
		t.Errorf("%v, %v", page, err)
	}
}

// TestOpenAfterServer: once a server has run, the folder knows which users could log in there.
func TestOpenAfterServer(t *testing.T) {
	cfg := configFor(t)
	a, err := Open(t.Context(), cfg, true, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Create(t.Context(), cheap("before@localhost")); err != nil {
		t.Error(err)
	}
	if err := errors.Join(a.Close(), os.WriteFile(cfg.DomainFile(), []byte("example.org\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if a, err = Open(t.Context(), cfg, false, zap.NewNop()); err != nil {
		t.Fatal(err)
	}
	if !a.Certain || a.Domain != "example.org" {
		t.Errorf("%+v", a)
	}
	if err := a.Create(t.Context(), cheap("a@localhost")); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "example.org") {
		t.Errorf("a user of another domain: %v", err)
	}
	if _, err := a.Import(t.Context(), []User{cheap("b@example.org"), cheap("c@localhost")}); !errors.Is(err, ErrInvalid) {
		t.Errorf("an import of another domain: %v", err)
	}
	if err := a.Remove(t.Context(), "before@localhost"); err != nil {
		t.Errorf("what is there can be removed: %v", err)
	}
	if page, err := a.List(t.Context(), "", 10); len(page) != 0 || err != nil {
		t.Errorf("%v, %v", page, err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}
