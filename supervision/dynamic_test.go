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

func (r *rig) dynamic(spec supervision.DynamicSpec) *supervision.Dynamic {
	r.t.Helper()
	d := supervision.NewDynamic(r.sys, spec)
	r.start(supervision.SupervisorSpec{ID: "sup", Children: []supervision.ChildSpec{d.Child()}})
	return d
}

func TestDynamicRestartsAndForgets(t *testing.T) {
	for _, c := range []struct {
		restart supervision.Restart
		msg     string
		after   string
		live    int64
	}{
		{supervision.Permanent, "crash", "-x +x", 1},
		{supervision.Permanent, "stop", "-x +x", 1},
		{supervision.Transient, "crash", "-x +x", 1},
		{supervision.Transient, "stop", "-x", 0},
		{supervision.Temporary, "crash", "-x", 0},
		{supervision.Temporary, "stop", "-x", 0},
	} {
		run(t, func(r *rig) {
			d := r.dynamic(supervision.DynamicSpec{ID: "many", Restart: c.restart, Child: actors.Spec{Kind: "m", New: func() actors.Behaviour { return &child{id: "x", j: r.j} }}})
			ref, err := d.StartChild("x", nil)
			if err != nil {
				t.Fatal(err)
			}
			if ref.Node != "n@1" {
				t.Fatalf("%v is not pinned", ref)
			}
			r.want("+x")
			_ = r.sys.Cast(ref, c.msg)
			r.want(c.after)
			if d.Live() != c.live {
				t.Fatalf("%d live, want %d", d.Live(), c.live)
			}
		})
	}
}

func TestDynamicIntensityEndsOnePartition(t *testing.T) {
	run(t, func(r *rig) {
		d := r.dynamic(supervision.DynamicSpec{ID: "many", Partitions: 1, Intensity: 2, Child: actors.Spec{Kind: "m", New: func() actors.Behaviour { return &child{id: "x", j: r.j} }}})
		ref, _ := d.StartChild("x", nil)
		for range 3 {
			_ = r.sys.Cast(ref, "crash")
			synctest.Wait()
		}
		r.want("+x -x +x -x +x -x")
		if _, err := d.StartChild("y", nil); err != nil {
			t.Fatalf("the partition was not started again: %v", err)
		}
		r.want("+x")
	})
}

func TestDynamicStopsAll(t *testing.T) {
	run(t, func(r *rig) {
		d := r.dynamic(supervision.DynamicSpec{ID: "many", Partitions: 2, Child: actors.Spec{Kind: "m", New: func() actors.Behaviour { return &child{id: "x", j: r.j, hang: r.hang} }}})
		for i := range 3 {
			_, _ = d.StartChild(fmt.Sprint(i), nil)
		}
		ref, _ := d.StartChild("hung", nil)
		_ = r.sys.Cast(ref, "hang")
		r.want("+x +x +x +x")
		if err := r.root.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		r.root = nil
		r.want("-x -x -x")
		if _, err := d.StartChild("late", nil); !errors.Is(err, supervision.ErrStopped) {
			t.Fatalf("a stopped supervisor answered %v", err)
		}
	})
}

// entity counts what it got over all its lives.
type entity struct{ total *atomic.Int64 }

func (e *entity) Init(*actors.Context, any) error       { return nil }
func (e *entity) Handle(_ *actors.Context, _ any) error { e.total.Add(1); return nil }

func TestEntitiesComeAndGoWithoutLoss(t *testing.T) {
	run(t, func(r *rig) {
		var total, lives atomic.Int64
		d := r.dynamic(supervision.DynamicSpec{ID: "many", Entities: true, Child: actors.Spec{Kind: "e", IdleTimeout: 20 * time.Millisecond,
			New: func() actors.Behaviour { lives.Add(1); return &entity{&total} }}})
		const senders, each = 8, 500
		var wg sync.WaitGroup
		for i := range senders {
			wg.Go(func() {
				for n := range each {
					if err := r.sys.Cast(actors.Ref{Kind: "e", ID: "one"}, n); err != nil {
						t.Error(err)
					}
					if n%10 == 0 {
						time.Sleep(time.Duration(i+1) * 7 * time.Millisecond)
					}
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		if total.Load() != senders*each {
			t.Fatalf("%d of %d messages arrived", total.Load(), senders*each)
		}
		time.Sleep(time.Second)
		if d.Live() != 0 {
			t.Fatalf("%d idle entities are not passivated", d.Live())
		}
		if lives.Load() < 2 {
			t.Fatal("the test never saw a second life")
		}
	})
}
