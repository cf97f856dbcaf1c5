package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/admin"
	"github.com/jackdaw-im/jackdaw/internal/golden"
	"github.com/jackdaw-im/jackdaw/proto/adminpb"
)

// fakeServer is an Inspector and an Overview that knows counter/a.
type fakeServer struct {
	state  string
	tops   int64
	did    []string
	broken error // of the next answer
	dump   string
}

func (f *fakeServer) at(what string, ref actors.Ref) error {
	f.did = append(f.did, what+" "+admin.RefText(ref))
	switch {
	case f.broken != nil:
		return f.broken
	case ref.ID != "a":
		return fmt.Errorf("%w: %s; did you mean counter/a?", admin.ErrNoActor, admin.RefText(ref))
	}
	return nil
}

func (f *fakeServer) State(_ context.Context, ref actors.Ref) ([]byte, error) {
	return []byte(f.state), f.at("state", ref)
}

func (f *fakeServer) Replace(_ context.Context, ref actors.Ref, doc []byte) error {
	f.state = string(doc)
	return f.at("replace", ref)
}

func (f *fakeServer) Suspend(_ context.Context, ref actors.Ref) error { return f.at("suspend", ref) }
func (f *fakeServer) Resume(_ context.Context, ref actors.Ref) error  { return f.at("resume", ref) }

func (f *fakeServer) ActorStatus(_ context.Context, ref actors.Ref) (*adminpb.ActorStatus, error) {
	return &adminpb.ActorStatus{
		Ref: ref.String(), Behaviour: "*counter.counter", Phase: "running", Queue: 12, Control: 1, OldestUs: 340_000,
		Waiting: []*adminpb.KindCount{{Kind: "counter.add", Count: 9}, {Kind: "counter.get", Count: 3}},
		Running: "counter.add", RunningUs: 12_345, Last: "counter.add", Restarts: 2, Timers: 1, Monitors: 3, Links: 4, Calls: 5, MemoryBytes: 2150,
	}, f.at("status", ref)
}

func (f *fakeServer) Trace(ctx context.Context, ref actors.Ref, n int, report func(*adminpb.TraceEvent) error) error {
	if err := f.at("trace", ref); err != nil {
		return err
	}
	for i := range n {
		if i == 3 { // there are no more
			<-ctx.Done()
			return ctx.Err()
		}
		if err := report(event(int64(i))); err != nil {
			return err
		}
	}
	return nil
}

func event(i int64) *adminpb.TraceEvent {
	e := &adminpb.TraceEvent{Time: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.Local).UnixMicro() + i, Kind: "counter.add", How: "cast", TookUs: 17 + i}
	switch i {
	case 1:
		e.Queue = 2
		e.Sent = []*adminpb.Sent{{To: "lane/mail-0", Kind: "lane.append"}, {To: "session/7", Kind: "\x1b[2Jpush"}}
	case 2:
		e.Error = "counter: broken\nstack"
	}
	return e
}

func (f *fakeServer) Tree(context.Context) (*adminpb.TreeNode, error) {
	if f.broken != nil {
		return nil, f.broken
	}
	child := func(id, typ string, below ...*adminpb.TreeNode) *adminpb.TreeNode {
		return &adminpb.TreeNode{Id: id, Ref: typ + "/" + id, Type: typ, Restart: "permanent", State: "running", Children: below}
	}
	mailboxes := child("mailboxes", "supervisor", child("mailboxes-0", "partition"), child("mailboxes-1", "partition"))
	mailboxes.Children[0].Live, mailboxes.Children[1].Live, mailboxes.Children[1].Restarted = 600, 603, 5
	echo := child("echo", "worker")
	echo.Restarts, echo.State, echo.Restart = 2, "restarting", "transient"
	stuck := child("stuck", "supervisor")
	stuck.Silent = true
	messaging := child("messaging", "supervisor", child("lanes", "supervisor", child("mail-0", "worker"), child("mail-1", "worker")),
		mailboxes, child("services", "supervisor", echo), child("lanes2", "supervisor", child("mail-0", "worker")), stuck)
	messaging.Restarts, messaging.Strategy, messaging.Intensity, messaging.RecentRestarts, messaging.PeriodMs = 1, "rest_for_one", 3, 2, 5000
	return child("jackdaw", "supervisor", child("admin", "worker"), messaging), nil
}

func (f *fakeServer) Top(context.Context) (*adminpb.Top, error) {
	f.tops++
	return &adminpb.Top{
		Node: "node@1", Domain: "localhost", Version: "v1", Started: 1_000_000, Time: f.tops * 1_000_000, Cores: 2, Workers: 2,
		Kinds:  []*adminpb.KindLoad{{Kind: "counter", Live: 1, Handled: f.tops * 70}},
		Actors: []*adminpb.ActorLoad{{Ref: "counter/a", Phase: "running", Queue: 12, MessagesPerSecond: 70}},
	}, f.broken
}

func (f *fakeServer) Dump(context.Context) (*adminpb.Dumped, error) {
	return &adminpb.Dumped{File: "/data/dumps/a.dump", Bytes: 7}, f.broken
}

func (f *fakeServer) DumpTo(_ context.Context, w io.Writer) error {
	_, err := io.WriteString(w, f.dump)
	return errors.Join(err, f.broken)
}

// live is a running fake server with a data folder.
type live struct {
	*fakeServer
	t    *testing.T
	data string
}

// serveSocket serves the administration of a data folder until the test ends.
func serveSocket(t *testing.T, data string, cfg admin.SocketConfig) {
	t.Helper()
	cfg.Path = filepath.Join(data, "jackdaw.sock")
	cfg.Status = func() admin.Status { return admin.Status{Domain: "localhost"} }
	s := admin.NewSocket(cfg)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

func newLive(t *testing.T) *live {
	t.Helper()
	l := &live{fakeServer: &fakeServer{state: `{"n":1,"last":"2026"}`}, t: t, data: t.TempDir()}
	serveSocket(t, l.data, admin.SocketConfig{Inspector: l, Overview: l})
	return l
}

// run runs a command, given as one line, on the server's folder.
func (l *live) run(stdin, line string) (code int, stdout, stderr string) {
	l.t.Helper()
	c := newTyped(stdin)
	code = run(append(strings.Fields(line), "--data", l.data), &c.console)
	return code, c.stdout.String(), c.stderr.String()
}

// ok is what a command that succeeds prints.
func (l *live) ok(stdin, line string) string {
	l.t.Helper()
	code, out, stderr := l.run(stdin, line)
	if code != exitOK || stderr != "" {
		l.t.Errorf("%s: %d %q", line, code, stderr)
	}
	return out
}

func TestSysCommands(t *testing.T) {
	l := newLive(t)
	if out := l.ok("", "sys state counter/a"); out != "{\n  \"n\": 1,\n  \"last\": \"2026\"\n}\n" {
		t.Errorf("state %q", out)
	}
	if out := l.ok("", "sys state counter/a --json"); out != l.state+"\n" {
		t.Errorf("state as JSON %q", out)
	}
	file := filepath.Join(t.TempDir(), "new.json")
	write(t, file, `{"n": 2}`)
	if out := l.ok("", "sys replace counter/a "+file); out != "replaced the state of counter/a\n" || l.state != `{"n": 2}` {
		t.Errorf("replace %q: %s", out, l.state)
	}
	if out := l.ok("[3]\n", "sys replace a - --json"); out != `{"done":"replaced","ref":"a"}`+"\n" || l.state != "[3]\n" && l.state != "[3]" {
		t.Errorf("replace %q: %s", out, l.state)
	}
	if out := l.ok("", "sys suspend counter/a@node@7") + l.ok("", "sys resume counter/a --json"); out != "suspended counter/a@node@7\n"+`{"done":"resumed","ref":"counter/a"}`+"\n" {
		t.Errorf("suspend and resume %q", out)
	}
	if got := strings.Join(l.did, ", "); got != "state counter/a, state counter/a, replace counter/a, replace a, suspend counter/a@node@7, resume counter/a" {
		t.Errorf("did %s", got)
	}
	for _, c := range []struct {
		stdin, line string
		code        int
		want        string
	}{
		{"", "sys state counter/b", exitFailure, "admin: no such actor is alive: counter/b; did you mean counter/a?"},
		{"", "sys status counter/", exitUsage, `"counter/" names no actor: write kind/id as in mailbox/juliet@localhost`},
		{"", "sys suspend", exitUsage, "one actor is needed, such as mailbox/juliet@localhost"},
		{"", "sys trace a b", exitUsage, "one actor is needed"},
		{"", "sys trace a -n 0", exitUsage, "-n is 1 to 100000"},
		{"", "sys replace counter/a", exitUsage, "an actor and a file are needed, as in `jackdaw sys replace counter/a new.json`"},
		{`{"n": }`, "sys replace counter/a -", exitFailure, "the new state is no JSON: invalid character '}' looking for beginning of value, at byte 7"},
		{"", "sys replace counter/a -", exitFailure, "the new state is no JSON: unexpected end"},
		{`"` + strings.Repeat("x", maxDocument) + `"`, "sys replace counter/a -", exitFailure, "the new state is larger"},
		{"", "sys replace counter/a " + file + ".none", exitFailure, "the new state can't be read"},
		{"", "sys stat counter/a", exitUsage, "unknown command"},
	} {
		if code, out, stderr := l.run(c.stdin, c.line); code != c.code || out != "" || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: %d %q %q", c.line, code, out, stderr)
		}
	}
	l.state = "no JSON"
	if code, _, stderr := l.run("", "sys state counter/a"); code != exitFailure || !strings.Contains(stderr, "is no JSON") {
		t.Errorf("a state that is no JSON: %d %q", code, stderr)
	}
	l.state = "\"\u009b31m\""
	if out := l.ok("", "sys state counter/a"); out != "\"?31m\"\n" {
		t.Errorf("a terminal's command comes through: %q", out)
	}
}

func TestStatusAndTrace(t *testing.T) {
	l := newLive(t)
	stuck := &adminpb.ActorStatus{Ref: "counter/a", Phase: "running", Queue: 1, OldestUs: 9e6, Running: "counter.add", RunningUs: 10e6, Last: "counter.add", Stuck: true}
	events := l.ok("", "sys trace counter/a -n 3")
	golden.File(t, "testdata/status.txt", l.ok("", "sys status counter/a")+"\n"+statusText(stuck)+"\n"+events)
	var st map[string]any
	if err := json.Unmarshal([]byte(l.ok("", "sys status counter/a --json")), &st); err != nil || st["oldest_us"] != 340_000.0 || st["stuck"] != false ||
		fmt.Sprint(st["waiting"]) != "[map[count:9 kind:counter.add] map[count:3 kind:counter.get]]" {
		t.Errorf("%v, %v", st, err)
	}
	lines := strings.Split(l.ok("", "sys trace counter/a -n 3 --json"), "\n")
	if len(lines) != 4 || !strings.HasPrefix(lines[1], `{"time":`) || !strings.Contains(lines[1], `"sent":[{"to":"lane/mail-0","kind":"lane.append"},`) {
		t.Errorf("%q", lines)
	}
}

func TestTreeCommand(t *testing.T) {
	l := newLive(t)
	var all strings.Builder
	for _, line := range []string{"", "--depth 2", "--depth 1", "--fold messaging/lanes --fold mailboxes", "--partitions mailboxes", "services", "messaging/services/echo", "jackdaw/messaging/lanes/mail-0", "messaging --depth 2"} {
		fmt.Fprintf(&all, "$ jackdaw tree %s\n%s\n", line, l.ok("", "tree "+line))
	}
	golden.File(t, "testdata/tree.txt", all.String())
	for _, c := range []struct {
		line string
		code int
		want string
	}{
		{"tree nowhere", exitFailure, "the tree has no nowhere; it has, for instance, jackdaw, jackdaw/admin, jackdaw/messaging, jackdaw/messaging/lanes"},
		{"tree mail-0", exitFailure, "mail-0 is several: jackdaw/messaging/lanes/mail-0, jackdaw/messaging/lanes2/mail-0"},
		{"tree --fold nowhere", exitFailure, "the tree has no nowhere"},
		{"tree --depth -1", exitUsage, "--depth is 0 or more"},
		{"tree a b", exitUsage, "accepts at most 1 arg"},
	} {
		if code, out, stderr := l.run("", c.line); code != c.code || out != "" || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: %d %q %q", c.line, code, out, stderr)
		}
	}
	var tree struct {
		ID       string `json:"id"`
		Live     *int   `json:"live"`
		Children []struct {
			ID   string `json:"id"`
			Live int    `json:"live"`
		} `json:"children"`
	}
	if err := json.Unmarshal([]byte(l.ok("", "tree mailboxes --json")), &tree); err != nil || tree.ID != "mailboxes" || len(tree.Children) != 2 || tree.Children[1].Live != 603 {
		t.Errorf("%v, %v", tree, err)
	}
}

func TestTopWithoutATerminal(t *testing.T) {
	l := newLive(t)
	for _, line := range []string{"top", "top --once", "top --batch --sort age", "top -b"} {
		out := l.ok("", line+" -d 100ms")
		if !strings.Contains(out, "counter/a") || !strings.Contains(out, "load    70 msg/s") || strings.ContainsAny(out, "\x1b\r") {
			t.Errorf("%s: %q", line, out)
		}
	}
	var top struct {
		Rate   float64 `json:"messages_per_second"`
		Time   int64   `json:"time"`
		Actors []struct {
			Ref string `json:"ref"`
		} `json:"actors"`
	}
	if err := json.Unmarshal([]byte(l.ok("", "top --json -d 100ms")), &top); err != nil || top.Rate != 70 || len(top.Actors) != 1 || top.Time < 2e6 {
		t.Errorf("%v, %v", top, err)
	}
	for line, want := range map[string]string{"top --sort size": "--sort is queue", "top -d 1ms": "--interval is 100ms or more", "top 5": "unknown command"} {
		if code, out, stderr := l.run("", line); code != exitUsage || out != "" || !strings.Contains(stderr, want) {
			t.Errorf("%s: %d %q %q", line, code, out, stderr)
		}
	}
}

func TestDumpCommand(t *testing.T) {
	l := newLive(t)
	if out := l.ok("", "dump"); out != "/data/dumps/a.dump\n" {
		t.Errorf("dump %q", out)
	}
	l.dump = strings.Repeat("0123456789", 20_000)
	file := filepath.Join(t.TempDir(), "a.dump")
	if out := l.ok("", "dump -o "+file); out != file+"\n" {
		t.Errorf("dump %q", out)
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != l.dump {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others can read it: %v, %v", info.Mode(), err)
	}
	if code, _, stderr := l.run("", "dump -o "+file); code != exitFailure || !strings.Contains(stderr, "exists") {
		t.Errorf("over another one: %d %q", code, stderr)
	}
	l.broken = admin.ErrFull
	if code, _, stderr := l.run("", "dump -o "+file+"2"); code != exitFailure || !strings.Contains(stderr, "nearly full") {
		t.Errorf("half of one: %d %q", code, stderr)
	}
	if _, err := os.Stat(file + "2"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("half of a dump is left: %v", err)
	}
	for line, want := range map[string]string{"dump view": "one file is needed", "dump view a b": "one file is needed"} {
		if code, _, stderr := call(strings.Fields(line)...); code != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("%s: %d %q", line, code, stderr)
		}
	}
	if code, _, stderr := call("dump", "view", file+"none"); code != exitFailure || !strings.Contains(stderr, "the dump can't be read") {
		t.Errorf("no dump: %d %q", code, stderr)
	}
	if code, out, stderr := call("dump", "view", file); code != exitFailure || out != "" || !strings.Contains(stderr, "dump") {
		t.Errorf("what is no dump: %d %q %q", code, out, stderr)
	}
}

// TestNoServer: what needs a server that runs says so.
func TestNoServer(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	for _, line := range []string{"sys status a/b", "sys trace a/b", "tree", "top", "dump", "cluster", "cluster token", "cluster rotate", "drain", "undrain"} {
		code, out, stderr := call(append(strings.Fields(line), "--data", data)...)
		if code != exitFailure || out != "" || !strings.Contains(stderr, "no server runs on the data folder "+data) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: %d %q %q", line, code, out, stderr)
		}
	}
}
