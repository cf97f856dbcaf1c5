package admin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/proto/adminpb"
)

// looked is an Inspector and Overview that knows one actor, counter/a.
type looked struct {
	mu    sync.Mutex
	did   []string
	state string
	// Of a trace: events come from here, and ended is closed when it ends.
	events chan *adminpb.TraceEvent
	ended  chan error
	dump   []byte
	// entered is closed when a dump begins; it goes on until its context is over.
	entered chan struct{}
}

var known = actors.Ref{Kind: "counter", ID: "a"}

func (l *looked) note(what string, ref actors.Ref) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.did = append(l.did, what+" "+RefText(ref))
	if ref != known && ref != (actors.Named("a")) {
		return fmt.Errorf("%w: %s; did you mean counter/a?", ErrNoActor, RefText(ref))
	}
	return nil
}

func (l *looked) State(_ context.Context, ref actors.Ref) ([]byte, error) {
	return []byte(l.state), l.note("state", ref)
}

func (l *looked) Replace(_ context.Context, ref actors.Ref, doc []byte) error {
	l.state = string(doc)
	return l.note("replace", ref)
}

func (l *looked) Suspend(_ context.Context, ref actors.Ref) error { return l.note("suspend", ref) }
func (l *looked) Resume(_ context.Context, ref actors.Ref) error  { return l.note("resume", ref) }

func (l *looked) ActorStatus(_ context.Context, ref actors.Ref) (*adminpb.ActorStatus, error) {
	return &adminpb.ActorStatus{Ref: ref.String(), Queue: 3}, l.note("status", ref)
}

func (l *looked) Trace(ctx context.Context, ref actors.Ref, n int, f func(*adminpb.TraceEvent) error) (err error) {
	if err := l.note("trace", ref); err != nil {
		return err
	}
	defer func() { l.ended <- err }()
	for range n {
		select {
		case e := <-l.events:
			if err := f(e); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (l *looked) Tree(context.Context) (*adminpb.TreeNode, error) {
	return &adminpb.TreeNode{Id: "jackdaw", Children: []*adminpb.TreeNode{{Id: "admin"}}}, nil
}

func (l *looked) Top(context.Context) (*adminpb.Top, error) { return &adminpb.Top{Node: "node@1"}, nil }

func (l *looked) Dump(context.Context) (*adminpb.Dumped, error) {
	return &adminpb.Dumped{File: "/data/a.dump", Bytes: 7}, nil
}

func (l *looked) DumpTo(ctx context.Context, w io.Writer) error {
	if l.entered != nil {
		close(l.entered)
		<-ctx.Done()
		return ctx.Err()
	}
	_, err := w.Write(l.dump)
	return err
}

func openLooked(t *testing.T) (*looked, *Client, *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zapcore.DebugLevel)
	l := &looked{events: make(chan *adminpb.TraceEvent), ended: make(chan error, 1)}
	users, _ := inMemory()
	s := NewSocket(SocketConfig{
		Path: filepath.Join(t.TempDir(), "s.sock"), Users: users, Inspector: l, Overview: l, Logger: zap.New(core),
		Status: func() Status { return Status{Domain: "localhost"} },
	})
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return l, dial(t, s.cfg.Path), logs
}

// TestInspect: each request reaches the server's Inspector, and its answer and its refusal come back.
func TestInspect(t *testing.T) {
	l, c, _ := openLooked(t)
	ctx, nobody := t.Context(), actors.Ref{Kind: "counter", ID: "b", Node: "node@7"}
	if err := c.Replace(ctx, known, []byte(`{"n":1}`)); err != nil {
		t.Error(err)
	}
	if doc, err := c.State(ctx, known); string(doc) != `{"n":1}` || err != nil {
		t.Errorf("state %s, %v", doc, err)
	}
	if err := errors.Join(c.Suspend(ctx, known), c.Resume(ctx, actors.Named("a"))); err != nil {
		t.Error(err)
	}
	if st, err := c.ActorStatus(ctx, known); st.GetRef() != "counter/a" || st.GetQueue() != 3 || err != nil {
		t.Errorf("status %v, %v", st, err)
	}
	for name, f := range map[string]func() error{
		"state":   func() error { _, err := c.State(ctx, nobody); return err },
		"replace": func() error { return c.Replace(ctx, nobody, nil) },
		"suspend": func() error { return c.Suspend(ctx, nobody) },
		"resume":  func() error { return c.Resume(ctx, nobody) },
		"status":  func() error { _, err := c.ActorStatus(ctx, nobody); return err },
		"trace":   func() error { return c.Trace(ctx, nobody, 1, nil) },
	} {
		if err := f(); !errors.Is(err, ErrNoActor) || !strings.HasSuffix(err.Error(), "counter/b@node@7; did you mean counter/a?") {
			t.Errorf("%s of nobody: %v", name, err)
		}
	}
	if err := c.Suspend(ctx, actors.Ref{}); !errors.Is(err, ErrInvalid) {
		t.Errorf("no ref: %v", err)
	}
	l.state = strings.Repeat("x", maxDoc+1)
	if _, err := c.State(ctx, known); !errors.Is(err, ErrInvalid) {
		t.Errorf("a state that doesn't fit: %v", err)
	}
	if len(l.did) != 12 || l.did[0] != "replace counter/a" || l.did[3] != "resume a" {
		t.Errorf("did %q", l.did)
	}
}

func TestOverview(t *testing.T) {
	l, c, logs := openLooked(t)
	tree, err := c.Tree(t.Context())
	if tree.GetId() != "jackdaw" || len(tree.GetChildren()) != 1 || err != nil {
		t.Errorf("tree %v, %v", tree, err)
	}
	if top, err := c.Top(t.Context()); top.GetNode() != "node@1" || err != nil {
		t.Errorf("top %v, %v", top, err)
	}
	if d, err := c.Dump(t.Context()); d.GetFile() != "/data/a.dump" || d.GetBytes() != 7 || err != nil {
		t.Errorf("dump %v, %v", d, err)
	}
	l.dump = bytes.Repeat([]byte("0123456789abcdef"), 20_000) // more than any one response
	var got bytes.Buffer
	if err := c.DumpTo(t.Context(), &got); err != nil || !bytes.Equal(got.Bytes(), l.dump) {
		t.Errorf("%d bytes of %d, %v", got.Len(), len(l.dump), err)
	}
	if _, err := c.Top(t.Context()); err != nil {
		t.Errorf("the connection is of no use after a dump: %v", err)
	}
	if n := logs.FilterMessage("admin: dump").FilterLevelExact(zapcore.InfoLevel).Len(); n != 2 {
		t.Errorf("%d dumps logged", n)
	}
}

func TestTrace(t *testing.T) {
	l, c, _ := openLooked(t)
	go func() {
		for i := range 3 {
			l.events <- &adminpb.TraceEvent{Kind: "tick", Queue: int64(i)}
		}
	}()
	var seen []int64
	if err := c.Trace(t.Context(), known, 3, func(e *adminpb.TraceEvent) error { seen = append(seen, e.GetQueue()); return nil }); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(seen) != "[0 1 2]" || <-l.ended != nil {
		t.Errorf("seen %v", seen)
	}
	if _, err := c.Top(t.Context()); err != nil {
		t.Errorf("the connection is of no use after a trace: %v", err)
	}
}

// TestTraceEnds: by its listener, by its context, by the connection's end: the server's side ends too.
func TestTraceEnds(t *testing.T) {
	full := errors.New("full")
	for name, run := range map[string]func(t *testing.T, l *looked, c *Client){
		"listener": func(t *testing.T, l *looked, c *Client) {
			go func() { l.events <- &adminpb.TraceEvent{} }()
			if err := c.Trace(t.Context(), known, 10, func(*adminpb.TraceEvent) error { return full }); !errors.Is(err, full) {
				t.Error(err)
			}
		},
		"context": func(t *testing.T, l *looked, c *Client) {
			ctx, cancel := context.WithCancel(t.Context())
			go func() { l.events <- &adminpb.TraceEvent{} }()
			if err := c.Trace(ctx, known, 10, func(*adminpb.TraceEvent) error { cancel(); return nil }); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			_ = c.Close()
		},
		"connection": func(t *testing.T, l *looked, c *Client) {
			go func() { l.events <- &adminpb.TraceEvent{} }()
			if err := c.Trace(t.Context(), known, 10, func(*adminpb.TraceEvent) error { return c.Close() }); !errors.Is(err, ErrUnknown) {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			l, c, _ := openLooked(t)
			run(t, l, c)
			if err := <-l.ended; err == nil {
				t.Error("the server's side ended in peace")
			}
		})
	}
}

// TestRequestBehindAStream: a client may send its next request before the stream is over.
func TestRequestBehindAStream(t *testing.T) {
	l, c, _ := openLooked(t)
	for _, req := range []*adminpb.Request{
		{Kind: &adminpb.Request_TraceActor{TraceActor: &adminpb.TraceActor{Ref: known.Proto(), Messages: 1}}},
		{Kind: &adminpb.Request_GetTop{GetTop: &adminpb.GetTop{}}},
	} {
		if err := writeMessage(c.mu.conn, req); err != nil {
			t.Fatal(err)
		}
	}
	l.events <- &adminpb.TraceEvent{}
	for i, want := range []string{"trace_event", "done", "top"} {
		var resp adminpb.Response
		if err := readMessage(c.mu.r, &resp); err != nil {
			t.Fatal(err)
		}
		m := resp.ProtoReflect()
		if kind := m.WhichOneof(m.Descriptor().Oneofs().ByName("kind")); string(kind.Name()) != want || resp.GetMore() != (i == 0) {
			t.Errorf("%v instead of %s", &resp, want)
		}
	}
}

// TestStopEndsStreams: a trace that waits for messages doesn't hold up the end of the server.
func TestStopEndsStreams(t *testing.T) {
	l := &looked{events: make(chan *adminpb.TraceEvent), ended: make(chan error, 1), entered: make(chan struct{})}
	users, _ := inMemory()
	s := NewSocket(SocketConfig{Path: filepath.Join(t.TempDir(), "s.sock"), Users: users, Inspector: l, Overview: l, Status: func() Status { return Status{} }})
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	c := dial(t, s.cfg.Path)
	answered := make(chan error, 1)
	go func() { answered <- c.DumpTo(context.Background(), io.Discard) }()
	<-l.entered
	if err := s.Stop(context.Background()); err != nil { // no deadline: it would wait for ever
		t.Error(err)
	}
	if err := <-answered; err == nil {
		t.Error("the dump ended in peace")
	}
}

// TestNotLookedInto: a server without an Inspector refuses.
func TestNotLookedInto(t *testing.T) {
	users, _ := inMemory()
	_, path := openSocket(t, users)
	c := dial(t, path)
	ctx := t.Context()
	for name, f := range map[string]func() error{
		"sys":     func() error { return c.Suspend(ctx, known) },
		"trace":   func() error { return c.Trace(ctx, known, 1, nil) },
		"tree":    func() error { _, err := c.Tree(ctx); return err },
		"dump":    func() error { _, err := c.Dump(ctx); return err },
		"dump to": func() error { return c.DumpTo(ctx, io.Discard) },
	} {
		if err := f(); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "can't be looked into") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestConnect(t *testing.T) {
	cfg := configFor(t)
	if _, err := Connect(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "no server runs on the data folder "+cfg.Data) {
		t.Errorf("no folder: %v", err)
	}
	users, _ := inMemory()
	_, path := openSocket(t, users)
	cfg.Data = filepath.Dir(path)
	if _, err := Connect(t.Context(), cfg); err == nil {
		t.Error("another file's socket")
	}
	left, err := net.Listen("unix", cfg.SocketFile())
	if err != nil {
		t.Fatal(err)
	}
	left.(*net.UnixListener).SetUnlinkOnClose(false)
	_ = left.Close() // as after kill -9
	if _, err := Connect(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "no server runs") {
		t.Errorf("a socket that was left behind: %v", err)
	}
}

func TestParseRef(t *testing.T) {
	for text, want := range map[string]actors.Ref{
		"mailbox/juliet@localhost": {Kind: "mailbox", ID: "juliet@localhost"},
		"session/7@node@12":        {Kind: "session", ID: "7", Node: "node@12"},
		"echo":                     actors.Named("echo"),
	} {
		ref, err := ParseRef(text)
		if ref != want || err != nil || RefText(ref) != text {
			t.Errorf("%s: %v, %v, %s", text, ref, err, RefText(ref))
		}
		if back := actors.RefOf(ref.Proto()); back != want {
			t.Errorf("%s travels as %v", text, back)
		}
	}
	for _, text := range []string{"", "/", "mailbox/", "/juliet"} {
		if ref, err := ParseRef(text); err == nil || !strings.Contains(err.Error(), "mailbox/juliet@localhost") {
			t.Errorf("%q: %v, %v", text, ref, err)
		}
	}
}

// TestRequestsOfAllKinds: each kind of request has an answer, whatever is missing in it.
func TestRequestsOfAllKinds(t *testing.T) {
	_, c, _ := openLooked(t)
	var kinds adminpb.Request
	fields := kinds.ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		req := &adminpb.Request{}
		m := req.ProtoReflect()
		m.Set(fields.Get(i), m.NewField(fields.Get(i)))
		_, err := c.ask(t.Context(), proto.Clone(req).(*adminpb.Request))
		if err != nil && strings.Contains(err.Error(), "doesn't know this request") {
			t.Errorf("%s: %v", fields.Get(i).Name(), err)
		}
	}
}
