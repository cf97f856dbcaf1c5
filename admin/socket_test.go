package admin

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/proto/adminpb"
)

func TestStatus(t *testing.T) {
	users, _ := inMemory()
	_, path := openSocket(t, users)
	if got, want := dial(t, path).Status(), (Status{Domain: "localhost", Version: "v1", Started: time.UnixMicro(1), NotReady: "starting"}); got != want {
		t.Errorf("status %+v", got)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v: others can reach the socket", info.Mode(), err)
	}
}

func TestRefusedUsers(t *testing.T) {
	users, _ := inMemory()
	_, path := openSocket(t, users)
	c := dial(t, path)
	keyless := cheap("a@localhost")
	keyless.SHA1 = nil
	for name, u := range map[string]User{"another domain": cheap("a@example.org"), "not normalised": cheap("A@localhost"), "no user": cheap("localhost"), "no keys": keyless} {
		if err := c.Create(t.Context(), u); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := c.Import(t.Context(), []User{cheap("b@localhost"), u}); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s imported: %v", name, err)
		}
	}
	if page, err := c.List(t.Context(), "", 10); len(page) != 0 || err != nil {
		t.Errorf("there are %v, %v", page, err)
	}
	if err := c.Create(t.Context(), cheap("echo@localhost")); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "service") {
		t.Errorf("a service's address: %v", err)
	}
	if err := c.Create(t.Context(), cheap("a@example.org")); !strings.Contains(err.Error(), "this server serves localhost") {
		t.Errorf("the reason isn't told: %v", err)
	}
	if _, err := c.ask(t.Context(), &adminpb.Request{}); !errors.Is(err, ErrInvalid) {
		t.Errorf("an unknown request: %v", err)
	}
}

// TestBytesThatAreNoRequest: the connection ends, and the next one works.
func TestBytesThatAreNoRequest(t *testing.T) {
	users, _ := inMemory()
	_, path := openSocket(t, users)
	for name, bytes := range map[string]string{"text": "GET / HTTP/1.0\r\n\r\n", "too long": "\xff\xff\xff\xff\x7f", "cut off": "\x05a", "no varint": strings.Repeat("\xff", 12), "bad message": "\x02\xff\xff"} {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte(bytes)); err != nil {
			t.Fatal(err)
		}
		if err := conn.(*net.UnixConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if answer, err := io.ReadAll(conn); len(answer) > 0 && name != "text" {
			t.Errorf("%s: answered %q, %v", name, answer, err)
		}
		_ = conn.Close()
	}
	dial(t, path)
}

func TestStaleSocket(t *testing.T) {
	users, _ := inMemory()
	path := filepath.Join(t.TempDir(), "s.sock")
	left, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	left.(*net.UnixListener).SetUnlinkOnClose(false) // as after kill -9
	if err := left.Close(); err != nil {
		t.Fatal(err)
	}
	cfg := SocketConfig{Path: path, Users: users, Status: func() Status { return Status{Domain: "localhost"} }}
	s := NewSocket(cfg)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	dial(t, path)
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket stays after Stop: %v", err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := NewSocket(cfg).Start(); err == nil || !strings.Contains(err.Error(), "in the way") {
		t.Errorf("a file where the socket goes: %v", err)
	}
	cfg.Path = filepath.Join(t.TempDir(), "none", "s.sock")
	if err := NewSocket(cfg).Start(); err == nil {
		t.Error("a socket in a folder that isn't there")
	}
}

func TestStopWaitsForRequests(t *testing.T) {
	users, _ := inMemory()
	for _, c := range []struct {
		name string
		cut  bool
	}{{"in time", false}, {"cut off", true}} {
		t.Run(c.name, func(t *testing.T) {
			held := &slow{users, make(chan struct{}), make(chan struct{})}
			s := NewSocket(SocketConfig{Path: filepath.Join(t.TempDir(), "s.sock"), Users: held, Status: func() Status { return Status{} }})
			if err := s.Start(); err != nil {
				t.Fatal(err)
			}
			busy, idle := dial(t, s.cfg.Path), dial(t, s.cfg.Path)
			answered := make(chan error, 1)
			go func() { answered <- busy.Remove(context.Background(), "a@localhost") }()
			<-held.entered
			ctx, cancel := context.WithCancel(t.Context())
			stopped := make(chan error, 1)
			go func() { stopped <- s.Stop(ctx) }()
			// The idle connection ends at once, the busy one with its request.
			if _, err := idle.mu.r.ReadByte(); err == nil {
				t.Error("the idle connection stays")
			}
			if c.cut {
				cancel()
			} else {
				close(held.release)
			}
			if err := <-answered; (err == nil) == c.cut {
				t.Errorf("answered %v", err)
			}
			if err := <-stopped; (err == nil) == c.cut {
				t.Errorf("stopped %v", err)
			}
			cancel()
		})
	}
}

func TestClientGivesUp(t *testing.T) {
	users, _ := inMemory()
	held := &slow{users, make(chan struct{}), make(chan struct{})}
	_, path := openSocket(t, held)
	c := dial(t, path)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-held.entered
		cancel()
	}()
	if err := c.Remove(ctx, "a@localhost"); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	close(held.release)
	if _, err := Dial(t.Context(), filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no socket: %v", err)
	}
}

func TestLongPaths(t *testing.T) {
	deep := filepath.Join(t.TempDir(), strings.Repeat("d", 120))
	if err := os.Mkdir(deep, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(deep, "s.sock")
	if _, err := shorten(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a path that can't be shortened: %v", err)
	}
	users, _ := inMemory()
	cfg := SocketConfig{Path: path, Users: users, Status: func() Status { return Status{Domain: "localhost"} }}
	if err := NewSocket(cfg).Start(); err == nil {
		t.Error("started")
	}
	if _, err := Dial(t.Context(), path); err == nil {
		t.Error("dialled")
	}
	t.Chdir(filepath.Dir(deep))
	s := NewSocket(cfg)
	if _, err := shorten(path); err == nil {
		t.Error("120 bytes are still too many")
	}
	t.Chdir(deep)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	dial(t, path)
	if err := s.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func FuzzRequest(f *testing.F) {
	users, _ := inMemory()
	s := NewSocket(SocketConfig{Users: users, Status: func() Status { return Status{Domain: "localhost"} }})
	for _, req := range []*adminpb.Request{
		{Kind: &adminpb.Request_CreateUser{CreateUser: &adminpb.CreateUser{User: cheap("a@localhost").wire()}}},
		{Kind: &adminpb.Request_ImportUsers{ImportUsers: &adminpb.ImportUsers{Users: []*adminpb.User{nil, cheap("b@localhost").wire()}}}},
		{Kind: &adminpb.Request_ListUsers{ListUsers: &adminpb.ListUsers{After: "a", Limit: 1 << 31}}},
		{Kind: &adminpb.Request_RemoveUser{}},
	} {
		var b strings.Builder
		if err := writeMessage(&b, req); err != nil {
			f.Fatal(err)
		}
		f.Add([]byte(b.String()))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var req adminpb.Request
		if readMessage(bufio.NewReader(strings.NewReader(string(in))), &req) != nil {
			return
		}
		if resp := s.answer(&req); resp.GetFailure() == nil && resp.GetKind() == nil {
			t.Error("no answer")
		}
	})
}
