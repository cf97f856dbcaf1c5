package admin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/config"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/store/pebblestore"
)

// Folder manages the users of a server that isn't running, directly in its data folder. No server can start while it is open.
type Folder struct {
	engine store.Engine
	domain string // that the folder's server has served; empty: none has run yet
}

// OpenFolder opens the data folder of a configuration, and makes it if there is none. Errors a caller may branch on: store.ErrLocked,
// store.ErrNewer, store.ErrCorrupt.
func OpenFolder(cfg *config.Config, log *zap.Logger) (*Folder, error) {
	engine, err := pebblestore.Open(cfg.StoreURL(), pebblestore.Options{
		Logger: log, Ballast: -1, // a server makes it
		StopBelow: uint64(cfg.Store.StopBelow), ResumeAbove: uint64(cfg.Store.ResumeAbove),
	})
	if err != nil {
		return nil, err
	}
	f := &Folder{engine: engine}
	text, err := os.ReadFile(cfg.DomainFile())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(fmt.Errorf("admin: %w", err), engine.Close())
	}
	f.domain = strings.TrimSpace(string(text))
	return f, nil
}

func (f *Folder) accounts() store.Accounts { return f.engine.Directory().Accounts() }

// check refuses a user who could never log in at the folder's server.
func (f *Folder) check(u User) error {
	if f.domain == "" || u.ID.Domain() == f.domain {
		return nil
	}
	return otherDomain(u.ID, f.domain)
}

// Create implements Users.
func (f *Folder) Create(_ context.Context, u User) error {
	if err := f.check(u); err != nil {
		return err
	}
	a := u.account(time.Now())
	return fromStore(f.accounts().Create(&a))
}

// SetPassword implements Users.
func (f *Folder) SetPassword(ctx context.Context, u User) error {
	p, err := f.accounts().Account(ctx, u.ID)
	if err != nil {
		return fromStore(err)
	}
	p.Account.SHA1, p.Account.SHA256 = kept(u.SHA1), kept(u.SHA256)
	_, err = f.accounts().Update(&p.Account)
	return fromStore(err)
}

// Remove implements Users.
func (f *Folder) Remove(_ context.Context, user ident.UserID) error {
	return fromStore(f.accounts().Remove(user))
}

// List implements Users.
func (f *Folder) List(ctx context.Context, after ident.UserID, limit int) ([]Entry, error) {
	return list(ctx, f.accounts(), after, limit)
}

// Import implements Users.
func (f *Folder) Import(ctx context.Context, users []User) (int, error) {
	for _, u := range users {
		if err := f.check(u); err != nil {
			return 0, err
		}
	}
	return put(ctx, f.accounts(), users, time.Now())
}

// Close makes everything durable and gives the folder free.
func (f *Folder) Close() error {
	if err := f.engine.Close(); err != nil {
		return fmt.Errorf("admin: closing the data folder: %w", err)
	}
	return nil
}
