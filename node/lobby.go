package node

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/admin"
	"github.com/jackdaw-im/jackdaw/config"
	"github.com/jackdaw-im/jackdaw/store/pgstore"
)

const (
	// storePause is how long a node waits before it tries again to open a store that can't be reached; twice as long each time, up to
	// maxStorePause.
	storePause    = 200 * time.Millisecond
	maxStorePause = 5 * time.Second
)

// lobby is where a node of a cluster waits for what it needs to be opened: another node to join by, the store. Who asks for health is told
// meanwhile that the process runs and why the node isn't ready. It is used by one goroutine.
type lobby struct {
	log  *zap.Logger
	why  atomic.Pointer[error]
	said map[string]string // what was logged last, by whom it is about
	http *admin.HTTP       // nil: nobody can ask
}

func newLobby(log *zap.Logger) *lobby {
	l := &lobby{log: log, said: map[string]string{}}
	l.why.Store(&errStarting)
	return l
}

// open lets health be asked for, where the node will answer later.
func (l *lobby) open(cfg *config.Config) error {
	if cfg.Admin == "" {
		return nil
	}
	l.http = admin.NewHTTP(admin.HTTPConfig{Addr: cfg.Admin, Ready: func() error { return *l.why.Load() }, Logger: l.log})
	return l.http.Start()
}

// close leaves the address to the node.
func (l *lobby) close(ctx context.Context) {
	if l.http != nil {
		_ = l.http.Stop(context.WithoutCancel(ctx)) // what is asked for now is asked again
	}
}

// waits says why the node waits, in the log if it is another reason than the last.
func (l *lobby) waits(message, about string, err error, fields ...zap.Field) {
	l.why.Store(&err)
	if reason := stable(err); l.said[about] != reason {
		l.said[about] = reason
		l.log.Warn(message, append(fields, zap.Error(errors.New(oneLine(err))))...)
	}
}

// local is an address of this side, whose port is another at each try.
var local = regexp.MustCompile(`\S+->`)

// stable is an error's text without what differs from one try to the next.
func stable(err error) string { return local.ReplaceAllString(oneLine(err), "") }

// aboutStore is what is told about the store.
const aboutStore = "the store"

// patiently opens the store by try: it is tried until it can be reached, ctx is over, or something is wrong that time doesn't mend.
func (l *lobby) patiently(ctx context.Context, try func(context.Context) error) error {
	for pause := storePause; ; pause = min(2*pause, maxStorePause) {
		err := try(ctx)
		switch {
		case err == nil:
			if _, waited := l.said[aboutStore]; waited {
				delete(l.said, aboutStore)
				l.why.Store(&errStarting)
				l.log.Info("the store can be opened now")
			}
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("node: ended before the store could be opened: %w", err)
		case !pgstore.Passing(err):
			return err
		}
		l.waits("the store can't be opened yet: trying again until it can", aboutStore, fmt.Errorf("starting: the store can't be opened yet: %w", errors.New(oneLine(err))))
		select {
		case <-ctx.Done():
			return fmt.Errorf("node: ended before the store could be opened: %w", err)
		case <-time.After(pause):
		}
	}
}
