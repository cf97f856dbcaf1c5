package supervision_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap/zaptest/observer"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// one makes children of one kind that write their id's first letter to the journal.
func (r *rig) one(blocking bool) actors.Spec {
	return actors.Spec{Kind: "m", Blocking: blocking, New: func() actors.Behaviour { return &child{id: "x", j: r.j, hang: r.hang} }}
}

// startMany starts children 0 to n-1.
func startMany(t *testing.T, d *supervision.Dynamic, n int) (refs []actors.Ref) {
	t.Helper()
	for i := range n {
		ref, err := d.StartChild(fmt.Sprint(i), nil)
		if err != nil {
			t.Fatal(err)
		}
		refs = append(refs, ref)
	}
	synctest.Wait()
	return refs
}

// TestFaultsStayInTheirPartition: over its intensity one ends with its children, and none of another's; the others have their own
// whole intensity.
func TestFaultsStayInTheirPartition(t *testing.T) {
	run(t, func(r *rig) {
		const n = 100
		d := r.dynamic(supervision.DynamicSpec{ID: "many", Partitions: 10, Intensity: 5, Period: time.Minute, Child: r.one(false)})
		refs := startMany(t, d, n)
		live := func() (parts map[string]int64, restarts int) {
			t.Helper()
			tree, err := r.root.Tree(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			parts = map[string]int64{}
			for _, p := range tree.Children[0].Children[0].Children {
				parts[p.ID] = p.Live
				restarts += p.Restarts
			}
			return parts, restarts
		}
		before, _ := live()
		for range 6 {
			_ = r.sys.Cast(refs[0], "crash")
			synctest.Wait()
		}
		after, restarts := live()
		var lost []string
		for id, had := range before {
			if after[id] != had {
				lost = append(lost, id)
				if after[id] != 0 {
					t.Errorf("%s had %d children, and has %d", id, had, after[id])
				}
			}
		}
		if len(before) != 10 || len(lost) != 1 || restarts != 1 || d.Live() != n-before[lost[0]] {
			t.Fatalf("children before %v, after %v, %d restarts of partitions", before, after, restarts)
		}
		gone := 0
		for _, ref := range refs { // one crash of each of the others is borne
			if err := r.sys.Cast(ref, "hello"); err != nil {
				gone++
			}
		}
		if int64(gone) != before[lost[0]] {
			t.Errorf("%d children are gone, want %d", gone, before[lost[0]])
		}
		if _, err := d.StartChild("0", nil); err != nil { // there again
			t.Error(err)
		}
	})
}

// TestDynamicIntensityBoundary: as with a supervisor, a restart counts for exactly the period; it is one count for all children.
func TestDynamicIntensityBoundary(t *testing.T) {
	for _, c := range []struct {
		after time.Duration
		live  int64
	}{{time.Minute - time.Nanosecond, 0}, {time.Minute, 3}} {
		run(t, func(r *rig) {
			d := r.dynamic(supervision.DynamicSpec{ID: "many", Partitions: 1, Intensity: 2, Period: time.Minute, Child: r.one(false)})
			refs := startMany(t, d, 3)
			for i := range 3 {
				_ = r.sys.Cast(refs[i], "crash")
				synctest.Wait()
				if i == 1 {
					time.Sleep(c.after)
				}
			}
			if n := d.Live(); n != c.live {
				t.Errorf("%d live %v later, want %d", n, c.after, c.live)
			}
		})
	}
}

// TestThousandsStopTogether: each takes a second, and so do they all.
func TestThousandsStopTogether(t *testing.T) {
	observed(t, func(r *rig, logs *observer.ObservedLogs) {
		var ended atomic.Int64
		d := r.dynamic(supervision.DynamicSpec{ID: "many", Shutdown: 2 * time.Second, Child: actors.Spec{Kind: "m", Blocking: true, New: func() actors.Behaviour {
			return &lingering{&ended}
		}}})
		const n = 3000
		startMany(t, d, n)
		if took := r.stop(); took < time.Second || took > 1500*time.Millisecond {
			t.Errorf("the stop took %v", took)
		}
		if ended.Load() != n || d.Live() != 0 || logs.Len() != 0 {
			t.Errorf("%d ended, %d live; the log says %v", ended.Load(), d.Live(), logs.All())
		}
	})
}

// lingering takes a second to end.
type lingering struct{ ended *atomic.Int64 }

func (*lingering) Init(*actors.Context, any) error   { return nil }
func (*lingering) Handle(*actors.Context, any) error { return nil }
func (l *lingering) Terminate(*actors.Context, actors.Reason) {
	<-time.After(time.Second)
	l.ended.Add(1)
}

// TestSomeHang: those are left behind after the time of all, counted in the log, and no more counted as live, neither then nor when
// they come back.
func TestSomeHang(t *testing.T) {
	observed(t, func(r *rig, logs *observer.ObservedLogs) {
		d := r.dynamic(supervision.DynamicSpec{ID: "many", Partitions: 1, Shutdown: 3 * time.Second, Child: r.one(true)})
		refs := startMany(t, d, 10)
		for _, ref := range refs[:4] {
			_ = r.sys.Cast(ref, "hang")
		}
		synctest.Wait()
		if took := r.stop(); took < 3*time.Second || took > 3100*time.Millisecond {
			t.Errorf("the stop took %v", took)
		}
		left := logs.FilterMessageSnippet("left behind").All()
		if len(left) != 1 || left[0].ContextMap()["children"] != int64(4) {
			t.Errorf("the log says %v", logs.All())
		}
		if n := d.Live(); n != 0 {
			t.Errorf("%d live", n)
		}
		close(r.hang)
		synctest.Wait()
		if r.hang = make(chan struct{}); d.Live() != 0 {
			t.Errorf("%d live when they came back", d.Live())
		}
		if got := strings.Count(r.j.take(), "-x"); got != 6 {
			t.Errorf("%d ended in order, want 6", got)
		}
	})
}

// TestOneThatHangsAsItEnds comes back from Terminate when it has been given up: it was counted already.
func TestOneThatHangsAsItEnds(t *testing.T) {
	run(t, func(r *rig) {
		spec := r.one(true)
		spec.New = func() actors.Behaviour { return &slow{child{id: "x", j: r.j}, time.Minute} }
		d := r.dynamic(supervision.DynamicSpec{ID: "many", Partitions: 1, Shutdown: time.Second, Child: spec})
		startMany(t, d, 2)
		r.stop()
		if n := d.Live(); n != 0 {
			t.Errorf("%d live", n)
		}
		time.Sleep(2 * time.Minute)
		if r.want("+x +x -x -x"); d.Live() != 0 {
			t.Errorf("%d live when they came back", d.Live())
		}
	})
}

// TestErrStopped: before it runs, while it ends, and after; entities' senders hear it as their own error.
func TestErrStopped(t *testing.T) {
	run(t, func(r *rig) {
		d := supervision.NewDynamic(r.sys, supervision.DynamicSpec{ID: "many", Entities: true, Shutdown: 2 * time.Second, Child: r.one(true)})
		stopped := func(when string) {
			t.Helper()
			if _, err := d.StartChild("late", nil); !errors.Is(err, supervision.ErrStopped) {
				t.Errorf("%s: %v", when, err)
			}
			if d.Live() > 1 {
				t.Errorf("%s: %d live", when, d.Live())
			}
		}
		stopped("before")
		r.start(supervision.SupervisorSpec{ID: "sup", Children: []supervision.ChildSpec{d.Child()}})
		hung := actors.Ref{Kind: "m", ID: "hung"}
		for range 2 {
			if err := r.sys.Cast(hung, "hang"); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := d.StartChild("hung", nil); !errors.Is(err, actors.ErrExists) {
			t.Errorf("a second one of the name: %v", err)
		}
		r.want("+x")
		done := make(chan time.Duration)
		go func() { done <- r.stop() }()
		synctest.Wait()
		stopped("while it ends")
		<-done
		stopped("after")
		if err := r.sys.Cast(actors.Ref{Kind: "m", ID: "another"}, "hello"); !errors.Is(err, supervision.ErrStopped) {
			t.Errorf("an entity's sender: %v", err)
		}
	})
}

// TestEntitiesActivateOnce: of many senders at a time each is heard, by one child of the name, with its id as its args.
func TestEntitiesActivateOnce(t *testing.T) {
	run(t, func(r *rig) {
		var lives, heard atomic.Int64
		d := r.dynamic(supervision.DynamicSpec{ID: "many", Entities: true, Child: actors.Spec{Kind: "e", New: func() actors.Behaviour { return &named{t: t, lives: &lives, heard: &heard} }}})
		const names, senders = 100, 20
		var wg sync.WaitGroup
		for i := range names * senders {
			wg.Go(func() {
				id := fmt.Sprint(i % names)
				if err := r.sys.Cast(actors.Ref{Kind: "e", ID: id}, id); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		if lives.Load() != names || heard.Load() != names*senders || d.Live() != names {
			t.Fatalf("%d lives, %d heard, %d live", lives.Load(), heard.Load(), d.Live())
		}
		r.stop()
		if d.Live() != 0 {
			t.Errorf("%d live", d.Live())
		}
	})
}

// named wants every message to be its own id.
type named struct {
	t            *testing.T
	id           any
	lives, heard *atomic.Int64
}

func (n *named) Init(_ *actors.Context, args any) error { n.id = args; n.lives.Add(1); return nil }

func (n *named) Handle(ctx *actors.Context, msg any) error {
	if n.heard.Add(1); msg != n.id || ctx.Self().ID != n.id {
		n.t.Errorf("%v of args %v got %v", ctx.Self(), n.id, msg)
	}
	return nil
}

// TestDynamicRestartKeepsRefAndQueue: as a supervisor's does.
func TestDynamicRestartKeepsRefAndQueue(t *testing.T) {
	run(t, func(r *rig) {
		d := r.dynamic(supervision.DynamicSpec{ID: "many", Child: r.one(true)})
		ref := startMany(t, d, 1)[0]
		_ = r.sys.Cast(ref, "hang")
		for _, m := range []string{"1", "crash", "2", "crash", "3"} {
			_ = r.sys.Cast(ref, m)
		}
		r.want("+x")
		close(r.hang)
		r.want("x:1 -x +x x:2 -x +x x:3")
		if r.hang = make(chan struct{}); d.Live() != 1 {
			t.Errorf("%d live", d.Live())
		}
	})
}

// TestDynamicInitFails: one that can't start is tried again within the intensity; a temporary one is gone at once.
func TestDynamicInitFails(t *testing.T) {
	for restart, want := range map[supervision.Restart]int{supervision.Permanent: 4, supervision.Transient: 4, supervision.Temporary: 1} {
		run(t, func(r *rig) {
			tries := 0
			d := r.dynamic(supervision.DynamicSpec{ID: "many", Restart: restart, Partitions: 1, Intensity: 3, Child: actors.Spec{Kind: "m", New: func() actors.Behaviour {
				return &child{id: "x", j: r.j, fail: func() error { tries++; return errors.New("no") }}
			}}})
			startMany(t, d, 1)
			if tries != want || d.Live() != 0 {
				t.Errorf("%v: %d tries, %d live", restart, tries, d.Live())
			}
		})
	}
}

// TestPartitionThatCrashes: a fault of the partition's own actor leaves no child without a supervisor.
func TestPartitionThatCrashes(t *testing.T) {
	run(t, func(r *rig) {
		d := r.dynamic(supervision.DynamicSpec{ID: "many", Partitions: 1, Child: r.one(false)})
		refs := startMany(t, d, 5)
		tree, err := r.root.Tree(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		part := tree.Children[0].Children[0].Children[0]
		if part.Live != 5 {
			t.Fatalf("the tree is %+v", part)
		}
		_ = r.sys.Cast(part.Ref, supervision.Fault())
		synctest.Wait()
		if d.Live() != 0 {
			t.Errorf("%d live", d.Live())
		}
		for _, ref := range refs {
			if err := r.sys.Cast(ref, "hello"); err != actors.ErrNoProc {
				t.Errorf("%v answers %v", ref, err)
			}
		}
		if startMany(t, d, 5); d.Live() != 5 {
			t.Errorf("%d live afterwards", d.Live())
		}
	})
}
