package supervision_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// tallied counts its lives and what it is sent; a poisoned one panics on every message.
type tallied struct {
	poisoned       bool
	lives, handled atomic.Int64
}

func (c *tallied) Init(*actors.Context, any) error { c.lives.Add(1); return nil }

func (c *tallied) Handle(*actors.Context, any) error {
	if c.poisoned {
		panic("poison")
	}
	c.handled.Add(1)
	return nil
}

func (c *tallied) spec(id string) supervision.ChildSpec {
	return supervision.Actor(id, actors.Spec{Kind: id, QueueLen: 1 << 20, New: func() actors.Behaviour { return c }}, nil)
}

// wants compares lives and messages.
func (c *tallied) wants(t *testing.T, lives, handled int64) {
	t.Helper()
	if l, h := c.lives.Load(), c.handled.Load(); l != lives || h != handled {
		t.Errorf("%d lives handled %d, want %d and %d", l, h, lives, handled)
	}
}

// TestPoisonUnderLoad: while one actor panics on every message, nothing that its neighbours are sent is lost, those under the same
// supervisor included; the intensity is exact; and over it the supervisor above decides, and nobody beside hears of it.
func TestPoisonUnderLoad(t *testing.T) {
	const senders, each, intensity = 4, 5000, 50
	run(t, func(r *rig) {
		poison, near, far := &tallied{poisoned: true}, &tallied{}, &tallied{}
		sup := func(id string, children ...supervision.ChildSpec) supervision.ChildSpec {
			return supervision.Sup(supervision.SupervisorSpec{ID: id, Intensity: intensity, Period: time.Hour, Children: children})
		}
		var err error
		r.root, err = supervision.StartRoot(r.sys, supervision.SupervisorSpec{ID: "root", Intensity: 1, Period: time.Hour, Children: []supervision.ChildSpec{
			sup("sick", poison.spec("poison"), near.spec("near")), sup("sound", far.spec("far")),
		}})
		if err != nil {
			t.Fatal(err)
		}
		load := func(poisons int) {
			var all sync.WaitGroup
			for range senders {
				all.Go(func() {
					for i := range each {
						for _, id := range []string{"near", "far"} {
							if err := r.sys.Cast(actors.Ref{Kind: id, ID: id}, i); err != nil {
								t.Errorf("to %s: %v", id, err)
							}
						}
					}
				})
			}
			all.Go(func() {
				for i := range poisons {
					if err := r.sys.Cast(actors.Ref{Kind: "poison", ID: "poison"}, i); err != nil {
						t.Error(err)
					}
				}
			})
			all.Wait()
			synctest.Wait()
		}
		load(intensity)
		poison.wants(t, 1+intensity, 0)
		near.wants(t, 1, senders*each)
		far.wants(t, 1, senders*each)
		_ = r.sys.Cast(actors.Ref{Kind: "poison", ID: "poison"}, "one more")
		synctest.Wait() // while its supervisor is started again, near isn't there
		load(0)
		poison.wants(t, 2+intensity, 0)
		near.wants(t, 2, 2*senders*each)
		far.wants(t, 1, 2*senders*each)
	})
}

// hanger never returns from a message.
type hanger struct{ hang chan struct{} }

func (hanger) Init(*actors.Context, any) error     { return nil }
func (h hanger) Handle(*actors.Context, any) error { <-h.hang; return nil }

// TestAsManyHangAsThereAreCores: handlers that never return, one for each worker and more, stop neither their siblings, nor the
// supervisors, nor the shutdown, which names them.
func TestAsManyHangAsThereAreCores(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const cores = 2
		sys := actors.NewSystem(actors.Config{Workers: cores})
		if err := sys.Start(); err != nil {
			t.Fatal(err)
		}
		release := make(chan struct{})
		sound, crashes := &tallied{}, &child{id: "c", j: &journal{}}
		var children []supervision.ChildSpec
		for i := range 2 * cores {
			c := supervision.Actor(fmt.Sprint("hang", i), actors.Spec{Kind: "hang", New: func() actors.Behaviour { return hanger{release} }}, nil)
			c.Shutdown = time.Second
			children = append(children, c)
		}
		children = append(children, sound.spec("sound"), supervision.Actor("c", actors.Spec{Kind: "wc", New: func() actors.Behaviour { return crashes }}, nil))
		root, err := supervision.StartRoot(sys, supervision.SupervisorSpec{ID: "root", Children: children})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 2 * cores {
			_ = sys.Cast(actors.Ref{Kind: "hang", ID: fmt.Sprint("hang", i)}, "hang")
		}
		for range 1000 {
			_ = sys.Cast(actors.Ref{Kind: "sound", ID: "sound"}, 1)
		}
		_ = sys.Cast(actors.Ref{Kind: "wc", ID: "c"}, "crash")
		time.Sleep(time.Second)
		synctest.Wait()
		sound.wants(t, 1, 1000)
		if got := crashes.j.take(); got != "+c -c +c" {
			t.Errorf("the supervisor of those that hang did %q about one that crashed", got)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		tree, err := root.Tree(ctx)
		if err != nil || len(tree.Children) != len(children) {
			t.Errorf("the tree: %v, %v", tree, err)
		}
		if err := root.Stop(ctx); err != nil {
			t.Errorf("the shutdown: %v", err)
		}
		if err := sys.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("handlers hang, and the system says %v", err)
		}
		close(release)
	})
}
