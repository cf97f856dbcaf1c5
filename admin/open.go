package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/config"
	"github.com/jackdaw-im/jackdaw/store"
)

// Access is a way to the users of one data folder. Close ends it.
type Access struct {
	Users
	// Domain is where users without one belong: the running server's, the one it served last, or the configured one.
	Domain string
	// Certain says that users of other domains can't log in: the server runs, or has run, with this one.
	Certain bool

	close func() error
}

// Close gives the way up.
func (a *Access) Close() error { return a.close() }

// How long Open waits for a server that holds the folder and doesn't answer yet, and how often it asks.
const (
	openPatience = 5 * time.Second
	openPoll     = 50 * time.Millisecond
)

// Open finds the way to the users of a configuration's data folder: the server that runs on it, or if none does the folder itself.
// The folder is made only if create is set.
func Open(ctx context.Context, cfg *config.Config, create bool, log *zap.Logger) (*Access, error) {
	ctx, cancel := context.WithTimeout(ctx, openPatience)
	defer cancel()
	if _, err := os.Stat(cfg.Data); errors.Is(err, fs.ErrNotExist) && !create {
		return nil, fmt.Errorf("admin: there is no data folder %s: say with --data where the server keeps its data", cfg.Data)
	}
	ticker := time.NewTicker(openPoll)
	defer ticker.Stop()
	var last error
	for {
		a, err := open(ctx, cfg, log)
		switch {
		case errors.Is(err, store.ErrLocked), errors.Is(err, ErrUnknown):
			last = err // a server that starts takes the folder first and answers later; one that stops keeps it a little longer
		case errors.Is(err, context.DeadlineExceeded):
			last = cmp.Or(last, err)
		default:
			return a, err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("admin: the data folder is in use, and nobody answers at its socket: %w", last)
		}
	}
}

// open tries both ways once.
func open(ctx context.Context, cfg *config.Config, log *zap.Logger) (*Access, error) {
	client, err := Dial(ctx, cfg.SocketFile())
	switch {
	case err == nil:
		return &Access{Users: client, Domain: client.Status().Domain, Certain: true, close: client.Close}, nil
	case errors.Is(err, os.ErrPermission):
		return nil, noPermission(err)
	case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ECONNREFUSED):
		return nil, err
	}
	folder, err := OpenFolder(cfg, log)
	if err != nil {
		return nil, err
	}
	domain := folder.domain
	if domain == "" {
		domain = cfg.Domain
	}
	return &Access{Users: folder, Domain: domain, Certain: folder.domain != "", close: folder.Close}, nil
}
