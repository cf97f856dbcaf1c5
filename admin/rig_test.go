package admin

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/config"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/store/memstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cheap is a user whose keys cost nothing to make.
func cheap(id string) User {
	scram := func(b byte) *nodepb.Scram {
		return &nodepb.Scram{Salt: []byte{b}, Iterations: 4096, StoredKey: []byte{b, 1}, ServerKey: []byte{b, 2}}
	}
	return User{ident.UserID(id), scram(1), scram(2)}
}

func inMemory() (*Folder, *memstore.Engine) {
	engine := memstore.New(memstore.Options{})
	return &Folder{engine: engine}, engine
}

// open starts a socket of users at localhost and returns it with its path.
func openSocket(t *testing.T, users Users) (*Socket, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s.sock")
	s := NewSocket(SocketConfig{
		Path: path, Users: users, Logger: zap.NewNop(), Reserved: func(u ident.UserID) bool { return u == "echo@localhost" },
		Status: func() Status {
			return Status{Domain: "localhost", Version: "v1", Started: time.UnixMicro(1), NotReady: "starting"}
		},
	})
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s, path
}

func dial(t *testing.T, path string) *Client {
	t.Helper()
	c, err := Dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func configFor(t *testing.T) *config.Config {
	cfg := config.Default()
	cfg.Data = filepath.Join(t.TempDir(), "data")
	return cfg
}

// slow is Users whose Remove waits for its context or for release.
type slow struct {
	*Folder
	entered, release chan struct{}
}

func (s *slow) Remove(ctx context.Context, _ ident.UserID) error {
	close(s.entered)
	select {
	case <-s.release:
		return nil
	case <-ctx.Done():
		return ErrUnknown
	}
}

// batches is Users that only import, and may refuse.
type batches struct {
	*Folder
	mu    sync.Mutex
	users map[ident.UserID]bool
	sizes []int
	fail  error
}

func (b *batches) Import(_ context.Context, users []User) (created int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fail != nil {
		return 0, b.fail
	}
	if b.users == nil {
		b.users = map[ident.UserID]bool{}
	}
	for _, u := range users {
		if !b.users[u.ID] {
			created++
		}
		b.users[u.ID] = true
	}
	b.sizes = append(b.sizes, len(users))
	return created, nil
}

func numbered(n int) (ids []string) {
	for i := range n {
		ids = append(ids, fmt.Sprintf("u%03d@localhost", i))
	}
	return ids
}
