package actorstest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// Times of the kit, in the bubble's fake time.
const (
	// CallTime is how long Kit.Call waits for an answer.
	CallTime = 30 * time.Second
	// StopTime is how long everything may take to stop at the end of a test. Children have their own Shutdown times.
	StopTime = 10 * time.Minute
)

// DefaultNode is the identity of the kit's node unless Config names another.
const DefaultNode ident.NodeID = "test@1"

// TreeID is the ID of the supervisor that Start makes.
const TreeID = "test"

// Config says what kind of system a Kit runs. The zero value is usable.
type Config struct {
	// Node is the identity of the system; "" is DefaultNode.
	Node ident.NodeID
	// Workers is how many turns run at a time; 0 is 2. With 1 the order of turns is always the same.
	Workers int
	// Router, if set, gets what isn't for this node.
	Router actors.Router
	// Intensity is how many restarts within 5 s the supervisor made by Start bears; 0 is supervision.DefaultIntensity, below 0 none.
	Intensity int
}

// Kit is a running system under test. It belongs to the test's goroutine.
type Kit struct {
	tb     testing.TB
	cfg    Config
	sys    *actors.System
	logs   *observer.ObservedLogs
	begin  time.Time
	ended  bool
	before map[string]bool // goroutines of the bubble that aren't the kit's
	trees  []*tree
	probes []*Probe
	calls  callGraph
	faults []*fault

	mu struct {
		sync.Mutex
		dead []DeadLetter
	}
}

// tree is one supervision tree and what is known of its end.
type tree struct {
	id    string
	root  *supervision.Root
	ended *actors.Reason // by itself
	known bool           // the test has expected that
}

// DeadLetter is a message that nobody handled.
type DeadLetter struct {
	To  actors.Ref
	Msg any
}

// Run runs a test with a Kit in a bubble of its own.
func Run(t *testing.T, f func(t *testing.T, k *Kit)) {
	t.Helper()
	Config{}.Run(t, f)
}

// Run runs a test with a Kit of this configuration in a bubble of its own.
func (c Config) Run(t *testing.T, f func(t *testing.T, k *Kit)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		t.Helper()
		f(t, New(t, c))
	})
}

// New starts a system for a test that is in a bubble already; most use Run. It is stopped, and looked at for what is left, by
// tb.Cleanup.
func New(tb testing.TB, cfg Config) *Kit {
	tb.Helper()
	if cfg.Node == "" {
		cfg.Node = DefaultNode
	}
	if cfg.Workers == 0 {
		cfg.Workers = 2
	}
	core, logs := observer.New(zap.InfoLevel)
	k := &Kit{tb: tb, cfg: cfg, logs: logs, begin: time.Now(), before: goroutines()}
	k.sys = actors.NewSystem(actors.Config{Node: cfg.Node, Workers: cfg.Workers, Logger: zap.New(core), DeadLetter: k.deadLetter, OnCall: k.calls.note})
	if cfg.Router != nil {
		k.sys.SetRouter(cfg.Router)
	}
	if err := k.sys.Start(); err != nil {
		tb.Fatalf("actorstest: %v", err)
	}
	tb.Cleanup(k.Stop)
	return k
}

// System returns the system under test, for what the kit has no words for. The kit starts and stops it.
func (k *Kit) System() *actors.System { return k.sys }

// Start starts a supervisor called TreeID with these children, in their order, and returns once all have initialised. A child that
// can't be started fails the test.
func (k *Kit) Start(children ...supervision.ChildSpec) {
	k.tb.Helper()
	if err := k.StartTree(supervision.SupervisorSpec{ID: TreeID, Intensity: k.cfg.Intensity, Children: children}); err != nil {
		k.fatalf("the tree doesn't start: %v", err)
	}
}

// StartTree starts a tree of the test's own shape and returns the error of a child that can't be started. Several trees may run
// beside each other; they stop in reverse order.
func (k *Kit) StartTree(spec supervision.SupervisorSpec) error {
	root, err := supervision.StartRoot(k.sys, spec)
	if err != nil {
		return err
	}
	k.trees = append(k.trees, &tree{id: spec.ID, root: root})
	k.Wait()
	return nil
}

// Tree returns the supervision tree that was started last, as its supervisors tell it. Its String draws it.
func (k *Kit) Tree() supervision.Node {
	k.tb.Helper()
	if len(k.trees) == 0 {
		k.fatalf("no tree has been started")
	}
	k.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), CallTime)
	defer cancel()
	n, err := k.trees[len(k.trees)-1].root.Tree(ctx)
	if err != nil {
		k.fatalf("the tree can't be asked: %v", err)
	}
	return n
}

// Wait returns once all is at rest: no handler runs and no message waits for a turn. Time doesn't pass meanwhile.
func (k *Kit) Wait() { synctest.Wait() }

// Advance lets d pass, with all that is due within it, and waits until all is at rest. An hour takes about a second: the runtime looks
// at its clock every 10 ms.
func (k *Kit) Advance(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// Cast casts msg. A refusal fails the test; where it is what the test is about, use System().Cast.
func (k *Kit) Cast(to actors.Ref, msg any) {
	k.tb.Helper()
	if err := k.sys.Cast(to, msg); err != nil {
		k.fatalf("casting %s to %v: %v", show(msg), to, err)
	}
}

// Call asks from outside and waits for the answer, CallTime at most.
func (k *Kit) Call(to actors.Ref, req any) (any, error) {
	ctx, cancel := context.WithTimeout(context.Background(), CallTime)
	defer cancel()
	v, err := k.sys.Call(ctx, to, req)
	synctest.Wait() // what the request has started beside
	return v, err
}

// ExpectCall asks from outside and fails the test unless the answer matches want: a value, a Matcher, or the error that the
// answer is.
func (k *Kit) ExpectCall(to actors.Ref, req, want any) {
	k.tb.Helper()
	v, err := k.Call(to, req)
	if wantErr, ok := want.(error); ok && err != nil {
		if !errors.Is(err, wantErr) {
			k.fatalf("%v answers %s with the error %v\n   want: %v", to, show(req), err, wantErr)
		}
		return
	}
	switch {
	case err != nil:
		k.fatalf("%v answers %s with the error %v\n   want: %s", to, show(req), err, show(want))
	case !matches(want, v):
		k.fatalf("%v answers %s with\n    got: %s\n   want: %s", to, show(req), show(v), show(want))
	}
}

func (k *Kit) deadLetter(to actors.Ref, msg any) {
	if _, ours := msg.(do); ours {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.mu.dead = append(k.mu.dead, DeadLetter{to, msg})
}

// DeadLetters returns the messages that nobody has handled so far.
func (k *Kit) DeadLetters() []DeadLetter {
	k.Wait()
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]DeadLetter(nil), k.mu.dead...)
}

// fatalf ends the test with what is known beside: reports of supervisors, dead letters.
func (k *Kit) fatalf(format string, args ...any) {
	k.tb.Helper()
	k.tb.Fatalf("actorstest: %s%s", fmt.Sprintf(format, args...), k.circumstances())
}

func (k *Kit) errorf(format string, args ...any) {
	k.tb.Helper()
	k.tb.Errorf("actorstest: %s%s", fmt.Sprintf(format, args...), k.circumstances())
}

// circumstances are what a failure that isn't about them may be explained by.
func (k *Kit) circumstances() string {
	var b strings.Builder
	if lines := k.reports(); len(lines) > 0 {
		b.WriteString("\n  reports:\n")
		for _, l := range lines {
			fmt.Fprintf(&b, "    %s\n", l)
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.mu.dead) > 0 {
		b.WriteString("\n  dead letters:\n")
		for _, d := range k.mu.dead {
			fmt.Fprintf(&b, "    to %v: %s\n", d.To, show(d.Msg))
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// since is the fake time since the kit was made, as failures print it.
func (k *Kit) since(t time.Time) time.Duration { return t.Sub(k.begin) }
