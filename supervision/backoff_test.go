package supervision_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// restartsAt crashes on each start and returns when it was started again, in seconds, for a while.
func restartsAt(r *rig, spec supervision.SupervisorSpec, lasts time.Duration) string {
	r.t.Helper()
	begin := time.Now()
	crashing := false
	var at []string
	c := r.worker("a")
	c.Spec.New = func() actors.Behaviour {
		return &child{id: "a", j: r.j, fail: func() error {
			if !crashing {
				return nil
			}
			at = append(at, fmt.Sprint(time.Since(begin).Round(time.Second).Seconds()))
			return errors.New("poison")
		}}
	}
	spec.Children = append(spec.Children, c)
	r.top(spec)
	crashing = true
	r.cast("a", "crash")
	time.Sleep(lasts)
	synctest.Wait()
	return strings.Join(at, " ")
}

// TestBackoff is exponential and capped: the delays are 1, 2, 4, 8, 8, ... seconds.
func TestBackoff(t *testing.T) {
	run(t, func(r *rig) {
		got := restartsAt(r, supervision.SupervisorSpec{Intensity: 1, Period: time.Second, Backoff: supervision.Backoff{Min: time.Second, Max: 8 * time.Second}}, 33*time.Second)
		if want := "1 3 7 15 23 31"; got != want {
			t.Errorf("started again at %s, want %s", got, want)
		}
		r.wantOver("") // each restart was alone in its period
	})
}

// TestBackoffIsNoPardon: restarts that come too often in spite of it end the supervisor.
func TestBackoffIsNoPardon(t *testing.T) {
	run(t, func(r *rig) {
		begin := time.Now()
		got := restartsAt(r, supervision.SupervisorSpec{Intensity: 3, Period: time.Minute, Backoff: supervision.Backoff{Min: time.Second, Max: 2 * time.Second}}, time.Minute)
		if want := "1 3 5"; got != want || time.Since(begin) < time.Minute {
			t.Errorf("started again at %s, want %s", got, want)
		}
		r.wantOver("shutdown")
	})
}

// TestBackoffForgets: a child that has lived for a while starts at the shortest delay again.
func TestBackoffForgets(t *testing.T) {
	run(t, func(r *rig) {
		r.of(supervision.SupervisorSpec{Backoff: supervision.Backoff{Min: time.Second, Max: time.Minute, Reset: 10 * time.Second}}, nil, "a")
		down := func() time.Duration {
			t.Helper()
			r.cast("a", "crash")
			begin := time.Now()
			for r.list() != "a:running" {
				time.Sleep(100 * time.Millisecond)
			}
			return time.Since(begin).Round(time.Second)
		}
		for i, want := range []time.Duration{1, 2, 4, 8} {
			if got := down(); got != want*time.Second {
				t.Errorf("crash %d: down for %v, want %v s", i+1, got, want)
			}
		}
		time.Sleep(9 * time.Second)
		if got := down(); got != 16*time.Second {
			t.Errorf("after nine seconds down for %v", got)
		}
		time.Sleep(10 * time.Second)
		if got := down(); got != time.Second {
			t.Errorf("after ten seconds down for %v", got)
		}
	})
}

// TestBackoffOfAGroup: those that go along are stopped at once, and started when the delay is over; who is terminated meanwhile isn't.
func TestBackoffOfAGroup(t *testing.T) {
	for strategy, want := range map[supervision.Strategy][3]string{
		supervision.OneForOne:  {"-b", "a:running b:restarting c:running d:running", "+b"},
		supervision.RestForOne: {"-b -d -c", "a:running b:restarting c:restarting d:restarting", "+b +d"},
		supervision.OneForAll:  {"-b -d -c -a", "a:restarting b:restarting c:restarting d:restarting", "+a +b +d"},
	} {
		run(t, func(r *rig) {
			r.of(supervision.SupervisorSpec{Strategy: strategy, Backoff: supervision.Backoff{Min: time.Minute}}, nil, "a", "b", "c", "d")
			r.cast("b", "crash")
			r.want(want[0])
			r.wantList(want[1])
			if err := r.terminate("c"); err != nil {
				t.Error(err)
			}
			if strategy == supervision.OneForOne {
				r.want("-c")
			} else {
				_, err := r.restart("d")
				r.wantErr(err, supervision.ErrRestarting)
				r.wantErr(r.delete("d"), supervision.ErrRestarting)
			}
			time.Sleep(59 * time.Second)
			r.want("")
			time.Sleep(2 * time.Second)
			r.want(want[2])
		})
	}
}

// TestBackoffWithoutTheCulprit: when the child that failed is terminated while its group waits, the others start, and it has had no restart.
func TestBackoffWithoutTheCulprit(t *testing.T) {
	run(t, func(r *rig) {
		r.of(supervision.SupervisorSpec{Strategy: supervision.OneForAll, Backoff: supervision.Backoff{Min: time.Minute}}, nil, "a", "b", "c")
		r.cast("b", "crash")
		if err := r.terminate("b"); err != nil {
			t.Error(err)
		}
		time.Sleep(61 * time.Second)
		r.want("-b -c -a +a +c")
		r.wantList("a:running b:stopped c:running")
		children, err := supervision.WhichChildren(bg, r.sys, r.root.Ref())
		if err != nil || children[1].Restarts != 0 {
			t.Errorf("%v: %+v", err, children)
		}
	})
}

// TestBackoffIsActive: a significant child that waits for its restart is one that is active.
func TestBackoffIsActive(t *testing.T) {
	run(t, func(r *rig) {
		r.of(supervision.SupervisorSpec{AutoShutdown: supervision.AllSignificant, Backoff: supervision.Backoff{Min: time.Minute}}, changes{"a": significant, "b": significant}, "a", "b")
		r.cast("a", "crash")
		r.cast("b", "stop")
		r.wantOver("")
		time.Sleep(61 * time.Second)
		r.want("-a -b +a")
		r.cast("a", "stop")
		r.wantOver("shutdown")
	})
}

// TestBackoffEndsWithTheWish: a child that is terminated while it waits isn't started; nor one whose supervisor ends.
func TestBackoffEndsWithTheWish(t *testing.T) {
	run(t, func(r *rig) {
		r.of(supervision.SupervisorSpec{Backoff: supervision.Backoff{Min: time.Minute}}, changes{"b": temporary}, "a", "b")
		r.cast("a", "crash")
		if err := r.terminate("a"); err != nil {
			t.Error(err)
		}
		r.wantList("a:stopped b:running")
		time.Sleep(2 * time.Minute)
		r.want("-a")
		if _, err := r.restart("a"); err != nil {
			t.Error(err)
		}
		r.cast("a", "crash")
		r.cast("a", "waits in the queue")
		if took := r.stop(); took > time.Second {
			t.Errorf("the stop took %v", took)
		}
		r.want("+a -a -b")
	})
}

// TestBackoffKeepsTheQueue of the child that waits.
func TestBackoffKeepsTheQueue(t *testing.T) {
	run(t, func(r *rig) {
		r.of(supervision.SupervisorSpec{Backoff: supervision.Backoff{Min: time.Second}}, nil, "a")
		r.cast("a", "crash")
		r.cast("a", "1")
		r.cast("a", "2")
		r.want("-a")
		time.Sleep(1100 * time.Millisecond)
		r.want("+a a:1 a:2")
	})
}

// TestBackoffJitter spreads restarts over its share of the delay.
func TestBackoffJitter(t *testing.T) {
	run(t, func(r *rig) {
		const n = 200
		d, _ := r.many(supervision.DynamicSpec{Backoff: supervision.Backoff{Min: 10 * time.Second, Jitter: 0.5}, Child: r.one(false)}, 0)
		refs := startMany(t, d, n)
		for _, ref := range refs {
			_ = r.sys.Cast(ref, "crash")
		}
		time.Sleep(4900 * time.Millisecond)
		synctest.Wait()
		if got := d.Restarted(); got != 0 {
			t.Errorf("%d restarts before half of the delay", got)
		}
		last := int64(0)
		for i := range 5 {
			time.Sleep(1050 * time.Millisecond)
			synctest.Wait()
			if got := d.Restarted(); got-last < n/20 || got-last > n/2 {
				t.Errorf("%d restarts in part %d of the second half", got-last, i+1)
			} else {
				last = got
			}
		}
		if last != n {
			t.Errorf("%d restarts after the delay", last)
		}
	})
}

// TestPoisonRow: an entity that crashes at every activation doesn't use up its partition: the others never notice, and its own
// intensity counts what is restarted, not what waits.
func TestPoisonRow(t *testing.T) {
	run(t, func(r *rig) {
		starts := 0
		d, _ := r.many(supervision.DynamicSpec{Entities: true, Intensity: 2, Period: 10 * time.Second, Backoff: supervision.Backoff{Min: 4 * time.Second, Max: time.Minute},
			Child: actors.Spec{Kind: "m", New: func() actors.Behaviour { return &poisonable{&starts} }}}, 0)
		cast := func(id string) { _ = r.sys.Cast(actors.Ref{Kind: "m", ID: id}, "hello") }
		for range 100 {
			cast("poison")
			cast("sound")
			time.Sleep(3 * time.Second)
			synctest.Wait()
			if d.Live() != 2 {
				t.Fatalf("%d live", d.Live())
			}
		}
		if starts < 5 || starts > 9 { // after 0, 4, 12, 28, 60, 120, 180, 240, 300 s
			t.Errorf("started %d times", starts)
		}
		state := ""
		d.WhichChildren(func(c supervision.ChildInfo) bool {
			if c.ID == "poison" {
				state = c.State.String()
			}
			return true
		})
		if state != "restarting" || d.CountChildren() != (supervision.Counts{Specs: 1, Active: 1, Workers: 2}) {
			t.Errorf("it is %s, of %+v", state, d.CountChildren())
		}
		if err := d.TerminateChild(bg, actors.Ref{Kind: "m", ID: "poison"}); err != nil || d.Live() != 1 {
			t.Errorf("%v, %d live", err, d.Live())
		}
	})
}

// poisonable can't start under the name poison.
type poisonable struct{ starts *int }

func (p *poisonable) Init(ctx *actors.Context, _ any) error {
	if ctx.Self().ID != "poison" {
		return nil
	}
	*p.starts++
	return errors.New("a bad row")
}
func (*poisonable) Handle(*actors.Context, any) error { return nil }

// TestBackoffOfThoseThatEnd: a permanent child of a dynamic supervisor that ends in order waits, too; and isn't lost with its partition's
// end, nor counted after it.
func TestBackoffOfThoseThatEnd(t *testing.T) {
	run(t, func(r *rig) {
		d, refs := r.many(supervision.DynamicSpec{Backoff: supervision.Backoff{Min: time.Second}}, 4)
		r.j.take()
		_ = r.sys.Cast(refs[0], "stop")
		r.want("-a1")
		if d.Live() != 4 {
			t.Errorf("%d live", d.Live())
		}
		time.Sleep(1100 * time.Millisecond)
		r.want("+a1")
		_ = r.sys.Cast(refs[0], "stop")
		r.want("-a1")
		if err := d.TerminateChild(bg, refs[0]); err != nil || d.Live() != 3 {
			t.Errorf("%v, %d live", err, d.Live())
		}
		_ = r.sys.Cast(refs[1], "stop")
		_ = r.sys.Cast(refs[2], "crash")
		synctest.Wait()
		if took := r.stop(); took > time.Second || d.Live() != 0 {
			t.Errorf("the stop took %v, %d live", took, d.Live())
		}
	})
}

// TestBackoffOfAnotherOfTheName: a delay is over for the child whose it was, and not for another that has its name now.
func TestBackoffOfAnotherOfTheName(t *testing.T) {
	run(t, func(r *rig) {
		d, refs := r.many(supervision.DynamicSpec{Backoff: supervision.Backoff{Min: 2 * time.Second, Max: 8 * time.Second}}, 1)
		_ = r.sys.Cast(refs[0], "crash")
		time.Sleep(time.Second)
		if _, err := d.StartChild("a", nil); !errors.Is(err, actors.ErrExists) {
			t.Errorf("while it waits: %v", err)
		}
		if err := d.TerminateChild(bg, refs[0]); err != nil {
			t.Error(err)
		}
		if _, err := d.StartChild("a", nil); err != nil {
			t.Error(err)
		}
		_ = r.sys.Cast(refs[0], "crash")
		time.Sleep(1500 * time.Millisecond)
		if got := fmt.Sprint(names(d)); got != "[a?]" {
			t.Errorf("after the first one's delay: %s", got)
		}
		time.Sleep(time.Second)
		if got := fmt.Sprint(names(d)); got != "[a]" {
			t.Errorf("after its own: %s", got)
		}
	})
}
