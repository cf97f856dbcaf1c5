package dump

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// fake is a system that can be sick in every way.
type fake struct {
	loads    []actors.Load
	facts    map[actors.Ref]actors.Facts
	children map[actors.Ref][]supervision.ChildInfo
	states   map[actors.Ref]any
	silent   map[actors.Ref]bool // waits as long as it may
	hangs    chan struct{}       // if set, Snapshot waits for it
	panics   any                 // if set, Metrics panics with it

	mu    sync.Mutex
	asked []actors.Ref
}

func (f *fake) Snapshot() actors.Snapshot {
	if f.hangs != nil {
		<-f.hangs
	}
	return actors.Snapshot{
		Live: map[string]int64{"mailbox": 3, "session": 1}, Handled: map[string]int64{"mailbox": 1000}, DeadLetters: map[string]int64{"session": 2, "gone": 1},
		Overloads: 1, Restarts: 4, LateReplies: 5, Stuck: 6, Spares: 1,
	}
}

func (f *fake) Busiest() []actors.Load { return f.loads }

func (f *fake) Each(look func(actors.Ref) bool) {
	for ref := range f.facts {
		if !look(ref) {
			return
		}
	}
}

func (f *fake) Facts(ref actors.Ref) (actors.Facts, error) {
	facts, ok := f.facts[ref]
	if !ok {
		return actors.Facts{}, actors.ErrNoProc
	}
	return facts, nil
}

func (f *fake) Recent() []actors.Handled {
	var all []actors.Handled
	for i := range 4 * maxRecent {
		all = append(all, actors.Handled{Worker: i / (2 * maxRecent), Ref: ref("mailbox", "romeo@localhost"), Kind: fmt.Sprint("*mailbox.Append", i)})
	}
	return append(all, actors.Handled{Worker: 2, Ref: ref("session", "1"), Kind: "*session.Stanza"})
}

func (f *fake) Children(ctx context.Context, of actors.Ref) ([]supervision.ChildInfo, error) {
	if f.silent[of] {
		<-ctx.Done()
		return nil, fmt.Errorf("actors: call to %v: %w", of, ctx.Err())
	}
	return f.children[of], nil
}

func (f *fake) State(ctx context.Context, of actors.Ref) (any, error) {
	f.mu.Lock()
	f.asked = append(f.asked, of)
	f.mu.Unlock()
	if f.silent[of] {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if v, ok := f.states[of]; ok {
		return v, nil
	}
	return map[string]int{"queue": 1}, nil
}

func (f *fake) Metrics() (string, error) {
	if f.panics != nil {
		panic(f.panics)
	}
	return "# HELP jackdaw_sessions Sessions alive.\njackdaw_sessions 3\njackdaw_connections 0\n=odd 1\n", nil
}

func ref(kind, id string) actors.Ref { return actors.Ref{Kind: kind, ID: id} }

// healthy is a small system in which all is well but for one long queue.
func healthy() *fake {
	romeo, lane := ref("mailbox", "romeo@localhost"), ref("mail", "mail-0")
	sup := func(id string) supervision.ChildInfo {
		return supervision.ChildInfo{ID: id, Ref: ref("supervisor", "jackdaw."+id), Type: supervision.SupervisorType, State: supervision.Running}
	}
	f := &fake{
		loads: []actors.Load{{Ref: romeo, PerSecond: 900, Queue: 40}, {Ref: lane, PerSecond: 100, Restarts: 2}, {Ref: ref("session", "ended")}, {Ref: ref("supervisor", "jackdaw.lanes"), PerSecond: 1}},
		facts: map[actors.Ref]actors.Facts{
			romeo:                              {Phase: "running", Queue: 40, Control: 1, Oldest: 3 * time.Second, Waiting: map[string]int{"*mailbox.Append": 39, "*mailbox.Ack": 1}, Last: "*mailbox.Append"},
			ref("supervisor", "jackdaw.lanes"): {Phase: "running"},
			lane:                               {Phase: "running", Running: "*lane.Append", For: 40 * time.Millisecond, Last: "*lane.Append"},
		},
		children: map[actors.Ref][]supervision.ChildInfo{},
		silent:   map[actors.Ref]bool{},
	}
	top := ref("root", "jackdaw")
	f.children[actors.Ref{}] = []supervision.ChildInfo{{ID: "jackdaw", Ref: top, Type: supervision.SupervisorType, State: supervision.Running}}
	f.children[top] = []supervision.ChildInfo{{ID: "admin", Ref: ref("service", "admin"), State: supervision.Running, Restarts: 1}, sup("lanes"), {ID: "late", Ref: ref("service", "late")}, sup("mailboxes")}
	f.children[ref("supervisor", "jackdaw.lanes")] = []supervision.ChildInfo{{ID: "mail-0", Ref: lane, State: supervision.Running}}
	for i := range 4 {
		f.children[ref("supervisor", "jackdaw.mailboxes")] = append(f.children[ref("supervisor", "jackdaw.mailboxes")],
			supervision.ChildInfo{ID: fmt.Sprint(i), Ref: ref("partition", fmt.Sprint("mailboxes.", i)), Type: supervision.SupervisorType + 1, State: supervision.Running, Live: int64(i), Restarted: 2})
	}
	return f
}

func about() About {
	return About{Node: "node@1", Domain: "localhost", Program: "v1.2.3", Revision: "abc", Go: "go1.26", PID: 42,
		Started: time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC), Config: "# Folder. (JACKDAW_DATA)\ndata: x\n\nlimits:\n  # Bytes.\n  bytes: 1MiB\n"}
}

func collected(t *testing.T, ctx context.Context, s Source) []part {
	t.Helper()
	var b bytes.Buffer
	if err := Collect(ctx, &b, Head{Reason: Request, When: time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC), About: about()}, s); err != nil {
		t.Fatal(err)
	}
	parts, err := split(&b)
	if err != nil {
		t.Fatal(err)
	}
	return parts
}

func find(t *testing.T, parts []part, name string) part {
	t.Helper()
	for _, p := range parts {
		if p.name == name {
			return p
		}
	}
	t.Fatalf("no section %s", name)
	return part{}
}

func body[T any](t *testing.T, parts []part, name string) T {
	t.Helper()
	v, err := decode[T](find(t, parts, name))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestCollect(t *testing.T) {
	f := healthy()
	parts := collected(t, t.Context(), f)
	var names []string
	for _, p := range parts {
		names = append(names, p.name)
		if p.made.Error != "" && p.name != sectionDescriptors { // which not every system has
			t.Errorf("%s: %s", p.name, p.made.Error)
		}
	}
	if got, want := strings.Join(names, " "), "dump memory kinds actors tree states metrics runtime goroutines descriptors config end"; got != want {
		t.Errorf("sections %s, want %s", got, want)
	}
	if h := headOf(parts); h.Version != Version || h.Reason != Request || h.Node != "node@1" || h.Started.IsZero() {
		t.Errorf("head %+v", h)
	}
	k := body[Kinds](t, parts, sectionKinds)
	if k.Kinds["mailbox"] != (Kind{3, 1000, 0}) || k.Kinds["gone"].DeadLetters != 1 || k.Stuck != 6 {
		t.Errorf("kinds %+v", k)
	}
	a := body[Actors](t, parts, sectionActors)
	if len(a.Longest) != 1 || a.Longest[0].Waiting["*mailbox.Ack"] != 1 || a.Longest[0].Oldest != Duration(3*time.Second) {
		t.Errorf("longest %+v", a.Longest)
	}
	if len(a.Running) != 1 || a.Running[0].Running != "*lane.Append" || len(a.Restarted) != 1 || len(a.Busiest) != 3 || a.Busiest[0].PerSecond != 900 {
		t.Errorf("actors %+v", a)
	}
	if len(a.Recent) != 2*maxRecent+1 || a.Recent[0].Kind != fmt.Sprint("*mailbox.Append", maxRecent) {
		t.Errorf("recent %+v", a.Recent)
	}
	tree := body[Child](t, parts, sectionTree)
	if tree.ID != "jackdaw" || len(tree.Children) != 4 || tree.Children[1].Children[0].Ref != "mail/mail-0" || tree.Children[3].Children[3].Live != 3 {
		t.Errorf("tree %+v", tree)
	}
	states := body[[]State](t, parts, sectionStates)
	if len(states) != 3 || string(states[0].State) == "" || states[0].Ref != "service/admin" || states[2].Ref != "mailbox/romeo@localhost" {
		t.Errorf("states %+v", states)
	}
	if u := body[Usage](t, parts, sectionMemory); u.Go == 0 || u.Heap == 0 || u.Used() == 0 {
		t.Errorf("memory %+v", u)
	}
	if all := body[[]Sample](t, parts, sectionRuntime); len(all) < 30 {
		t.Errorf("runtime %v", all)
	}
	if g := string(find(t, parts, sectionGoroutines).body); !strings.Contains(g, "dump.goroutines") {
		t.Errorf("goroutines %s", g)
	}
	if m := string(find(t, parts, sectionMetrics).body); !strings.HasSuffix(m, "\n =odd 1\n") {
		t.Errorf("metrics %q", m)
	}
}

// TestSick: whatever hangs, fails or panics, the rest is there.
func TestSick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := healthy()
		f.hangs = make(chan struct{})
		defer close(f.hangs)
		f.panics = "a message's body"
		f.silent[ref("supervisor", "jackdaw.lanes")] = true
		f.silent[ref("service", "admin")] = true
		f.states = map[actors.Ref]any{ref("mailbox", "romeo@localhost"): strings.Repeat("x", maxState+1)}
		begin := time.Now()
		parts := collected(t, t.Context(), f)
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
		for name, want := range map[string]string{sectionKinds: "no answer", sectionMetrics: "panic: a string"} {
			if got := find(t, parts, name).made.Error; !strings.Contains(got, want) {
				t.Errorf("%s: %q", name, got)
			}
		}
		tree := body[Child](t, parts, sectionTree)
		if lanes := tree.Children[1]; !strings.Contains(lanes.Error, "deadline") || len(tree.Children[3].Children) != 4 {
			t.Errorf("tree %+v", tree)
		}
		states := body[[]State](t, parts, sectionStates)
		if len(states) != 3 || states[0].Error == "" || !strings.Contains(states[1].Error, "too many") {
			t.Errorf("states %+v", states)
		}
		if parts[len(parts)-1].name != sectionEnd {
			t.Error("no end")
		}
	})
}

// TestNoTime: what the caller has no time for is missing, and said to be.
func TestNoTime(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f := healthy()
	parts := collected(t, ctx, f)
	for _, p := range parts[1 : len(parts)-1] {
		if !strings.Contains(p.made.Error, "no time for it: context canceled") || len(p.body) > 0 {
			t.Errorf("%s: %q", p.name, p.made.Error)
		}
	}
	c := &collector{source: f, tree: &Child{Type: worker, State: running, Ref: "service/admin"}}
	if _, err := c.states(ctx); err == nil || !strings.Contains(err.Error(), "1 were not asked") {
		t.Errorf("states: %v", err)
	}
	for i := range 1000 {
		f.facts[ref("session", fmt.Sprint(i))] = actors.Facts{}
	}
	if a, err := everybody(ctx, f); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "only 256 were") || len(a.Longest) != 1 {
		t.Errorf("actors: %v", err)
	}
	f.children = nil
	if p := find(t, collected(t, t.Context(), f), sectionTree); !strings.Contains(p.made.Error, "no supervision tree") {
		t.Errorf("without a tree: %q", p.made.Error)
	}
}

// TestHung: who doesn't heed the end of his time is left behind.
func TestHung(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/10)
		defer cancel()
		hang := make(chan struct{})
		defer close(hang)
		begin := time.Now()
		body, err := section{"x", time.Hour, func(context.Context) (any, error) { <-hang; return 1, nil }}.run(ctx)
		if body != nil || !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != time.Second/10+grace {
			t.Errorf("%v, %v after %v", body, err, time.Since(begin))
		}
	})
}

// TestStuckActorsAreNotAsked: they would not answer, and their time is others'.
func TestStuckActorsAreNotAsked(t *testing.T) {
	f := healthy()
	stuck := ref("mailbox", "juliet@localhost") // which nobody has noted
	f.facts[stuck] = actors.Facts{Queue: 7, Running: "*mailbox.Append", For: time.Hour}
	a := body[Actors](t, collected(t, t.Context(), f), sectionActors)
	if a.Running[0].Ref != stuck.String() {
		t.Errorf("running %+v", a.Running)
	}
	for _, asked := range f.asked {
		if asked == stuck {
			t.Error("it was asked")
		}
	}
}

// TestListsAreShort: of many actors, the worst.
func TestListsAreShort(t *testing.T) {
	f := healthy()
	for i := range 200 {
		r := ref("session", fmt.Sprint(i))
		if i%2 == 0 {
			f.loads = append(f.loads, actors.Load{Ref: r, Queue: i + 100})
		}
		f.facts[r] = actors.Facts{Queue: i + 100}
	}
	parts := collected(t, t.Context(), f)
	a := body[Actors](t, parts, sectionActors)
	if len(a.Longest) != maxRows {
		t.Errorf("%d", len(a.Longest))
	}
	for i, l := range a.Longest {
		if l.Queue != 299-i {
			t.Errorf("rank %d has %d", i, l.Queue)
		}
	}
	if states := body[[]State](t, parts, sectionStates); len(states) > maxStates {
		t.Errorf("%d states", len(states))
	}
}

// fullDisk takes some bytes and no more.
type fullDisk struct{ room int }

func (d *fullDisk) Write(p []byte) (int, error) {
	if d.room -= len(p); d.room < 0 {
		return 0, errors.New("no space left")
	}
	return len(p), nil
}

func TestDiskFull(t *testing.T) {
	for _, room := range []int{0, 600, 2000} {
		if err := Collect(t.Context(), &fullDisk{room}, Head{}, healthy()); err == nil || !strings.Contains(err.Error(), "no space left") {
			t.Errorf("room %d: %v", room, err)
		}
	}
}
