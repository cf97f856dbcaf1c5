package supervision_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// inBubble checks a property with a rig in fake time.
func inBubble(t *testing.T, rt *rapid.T, property func(*rapid.T, *rig)) {
	rapid.SyncTest(rt, func(rt *rapid.T) { within(t, actors.Config{}, func(r *rig) { property(rt, r) }) })
}

// history is a supervision tree and its model, side by side.
type history struct {
	r    *rig
	m    *mtree
	fail atomic.Int64 // starts that fail from now on
}

// Times of histories. All that is done begins on a grid of half seconds; periods end between, and so far off that the few hundredths of
// a second in which some children hang don't matter.
const (
	grid     = 500 * time.Millisecond
	hangTime = 10 * time.Millisecond
)

func (h *history) worker(rt *rapid.T, auto supervision.AutoShutdown) supervision.ChildSpec {
	h.m.seq++
	id := fmt.Sprint("w", h.m.seq)
	c := supervision.Actor(id, actors.Spec{Kind: "k" + id, Blocking: true, New: func() actors.Behaviour {
		return &child{id: id, j: h.r.j, hang: h.r.hang, fail: func() error {
			if h.fail.Load() > 0 {
				h.fail.Add(-1)
				return errors.New("not now")
			}
			return nil
		}}
	}}, nil)
	c.Shutdown = hangTime
	h.attributes(rt, &c, auto)
	return c
}

func (h *history) attributes(rt *rapid.T, c *supervision.ChildSpec, auto supervision.AutoShutdown) {
	c.Restart = supervision.Restart(rapid.IntRange(0, 2).Draw(rt, "restart type of "+c.ID))
	c.Significant = auto != supervision.Never && c.Restart != supervision.Permanent && rapid.Bool().Draw(rt, c.ID+" is significant")
}

// plant draws a supervisor and what is below it.
func (h *history) plant(rt *rapid.T, path string, depth int, declared map[string]*supervision.SupervisorSpec) supervision.SupervisorSpec {
	spec := supervision.SupervisorSpec{
		ID:        path,
		Strategy:  supervision.Strategy(rapid.IntRange(0, 2).Draw(rt, "strategy of "+path)),
		Intensity: rapid.SampledFrom([]int{-1, 1, 2, 4}).Draw(rt, "intensity of "+path),
		Period:    time.Duration(rapid.IntRange(1, 4).Draw(rt, "period of "+path))*time.Second + grid/2,
	}
	if depth > 0 {
		spec.AutoShutdown = supervision.AutoShutdown(rapid.IntRange(0, 2).Draw(rt, "auto_shutdown of "+path))
	} else {
		spec.Intensity = 1000
	}
	for range rapid.IntRange(1, 4).Draw(rt, "children of "+path) {
		if depth < 3 && rapid.IntRange(0, 2).Draw(rt, "a supervisor") == 0 {
			h.m.seq++
			id := fmt.Sprint("s", h.m.seq)
			below := h.plant(rt, path+"."+id, depth+1, declared)
			declared[path+"."+id] = &below
			below.ID = id
			c := supervision.Sup(below)
			h.attributes(rt, &c, spec.AutoShutdown)
			spec.Children = append(spec.Children, c)
			continue
		}
		spec.Children = append(spec.Children, h.worker(rt, spec.AutoShutdown))
	}
	return spec
}

// begin starts the tree.
func (h *history) begin(rt *rapid.T) {
	declared := map[string]*supervision.SupervisorSpec{}
	spec := h.plant(rt, "root", 0, declared)
	var err error
	if h.r.root, err = supervision.StartRoot(h.r.sys, spec); err != nil {
		rt.Fatal(err)
	}
	h.m.root = h.m.grow(spec, h.r.root.Ref(), declared)
	none := 0
	for _, n := range h.m.root.kids {
		h.m.start(h.m.root, n, &none)
	}
	h.check(rt)
}

// check compares what was done and what is there.
func (h *history) check(rt *rapid.T) {
	if synctest.Wait(); h.m.hung > 0 {
		time.Sleep(grid) // they are waited for
		synctest.Wait()
	}
	got, want := strings.Fields(h.r.j.take()), h.m.did
	if h.m.loose {
		slices.Sort(got)
		slices.Sort(want)
	}
	if !slices.Equal(got, want) {
		rt.Fatalf("did %v, want %v", got, want)
	}
	h.m.did, h.m.hung, h.m.loose = nil, 0, false
	h.fail.Store(0)
	tree, err := h.r.root.Tree(bg)
	if err != nil {
		rt.Fatal(err)
	}
	h.compare(rt, tree, h.m.root)
}

func (h *history) compare(rt *rapid.T, n supervision.Node, s *msup) {
	var got, want []string
	for _, c := range n.Children {
		got = append(got, fmt.Sprintf("%s up=%v restarts=%d", c.ID, c.Up, c.Restarts))
	}
	for _, k := range s.kids {
		want = append(want, fmt.Sprintf("%s up=%v restarts=%d", k.spec.ID, k.up, k.restarts))
	}
	if !slices.Equal(got, want) {
		rt.Fatalf("below %v are %q, want %q", s.ref, got, want)
	}
	for i, k := range s.kids {
		if k.sup != nil {
			h.compare(rt, n.Children[i], k.sup)
		}
	}
}

// pick draws one of the children that are so.
func (h *history) pick(rt *rapid.T, so func(place) bool) (place, bool) {
	all := slices.DeleteFunc(h.m.places(), func(p place) bool { return !so(p) })
	if len(all) == 0 {
		rt.Skip("nobody")
	}
	return rapid.SampledFrom(all).Draw(rt, "child"), true
}

func lively(p place) bool { return p.n.below == nil && p.n.up && !p.n.hang }

// tell makes a worker end.
func (h *history) tell(rt *rapid.T, msg string, fails int) {
	p, _ := h.pick(rt, lively)
	h.fail.Store(int64(fails))
	h.m.now = time.Now()
	if err := h.r.sys.Cast(p.s.refOf(p.n), msg); err != nil {
		rt.Fatal(err)
	}
	h.m.stop(p.n)
	h.m.ended(p.s, p.n, msg == "crash", &fails)
	h.check(rt)
}

func (h *history) crash(rt *rapid.T) { h.tell(rt, "crash", 0) }
func (h *history) end(rt *rapid.T)   { h.tell(rt, "stop", 0) }

// relapse is a crash after which some starts fail.
func (h *history) relapse(rt *rapid.T) {
	h.tell(rt, "crash", rapid.IntRange(1, 4).Draw(rt, "failures"))
}

func (h *history) hang(rt *rapid.T) {
	p, _ := h.pick(rt, lively)
	_ = h.r.sys.Cast(p.s.refOf(p.n), "hang")
	synctest.Wait()
	p.n.hang = true
}

// kill ends an actor by a signal.
func (h *history) kill(rt *rapid.T) {
	p, _ := h.pick(rt, func(p place) bool { return p.n.up && !p.n.hang })
	h.m.now = time.Now()
	if err := h.r.sys.Exit(p.s.refOf(p.n), actors.Killed); err != nil {
		rt.Fatal(err)
	}
	none := 0
	if p.n.sup != nil {
		h.m.killed(p.n.sup, &none)
	} else {
		h.m.stop(p.n)
		h.m.ended(p.s, p.n, true, &none)
	}
	h.check(rt)
}

func (h *history) pass(rt *rapid.T) {
	h.r.pass(time.Duration(rapid.IntRange(0, 6).Draw(rt, "half seconds")) * grid)
}

func (h *history) terminate(rt *rapid.T) {
	p, _ := h.pick(rt, func(place) bool { return true })
	h.m.stop(p.n)
	if p.n.spec.Restart == supervision.Temporary {
		p.s.forget(p.n)
	}
	if err := supervision.TerminateChild(bg, h.r.sys, p.s.ref, p.n.spec.ID); err != nil {
		rt.Fatal(err)
	}
	h.check(rt)
}

func (h *history) restart(rt *rapid.T) {
	p, _ := h.pick(rt, func(place) bool { return true })
	var want error
	fails := rapid.IntRange(0, 1).Draw(rt, "failures")
	h.fail.Store(int64(fails))
	if p.n.up {
		want = supervision.ErrRunning
	} else if !h.m.start(p.s, p.n, &fails) {
		want = errors.New("it fails")
	}
	_, err := supervision.RestartChild(bg, h.r.sys, p.s.ref, p.n.spec.ID)
	if (err == nil) != (want == nil) || want == supervision.ErrRunning && err != want {
		rt.Fatalf("restart of %s: %v, want %v", p.n.spec.ID, err, want)
	}
	h.check(rt)
}

func (h *history) remove(rt *rapid.T) {
	p, _ := h.pick(rt, func(place) bool { return true })
	err := supervision.DeleteChild(bg, h.r.sys, p.s.ref, p.n.spec.ID)
	if p.n.up != errors.Is(err, supervision.ErrRunning) {
		rt.Fatalf("delete of %s, up %v: %v", p.n.spec.ID, p.n.up, err)
	}
	if !p.n.up {
		p.s.forget(p.n)
	}
	h.check(rt)
}

func (h *history) add(rt *rapid.T) {
	s := rapid.SampledFrom(h.m.sups()).Draw(rt, "supervisor")
	c := h.worker(rt, s.spec.AutoShutdown)
	old := (*mnode)(nil)
	if len(s.kids) > 0 && rapid.Bool().Draw(rt, "an id that is there") {
		old = rapid.SampledFrom(s.kids).Draw(rt, "whose")
		c.ID = old.spec.ID
	}
	fails := rapid.IntRange(0, 1).Draw(rt, "failures")
	h.fail.Store(int64(fails))
	_, err := supervision.StartChild(bg, h.r.sys, s.ref, c)
	n := &mnode{spec: c}
	switch {
	case old != nil && old.up:
		if !errors.Is(err, supervision.ErrAlreadyStarted) {
			rt.Fatalf("%s is there: %v", c.ID, err)
		}
	case old != nil:
		if !errors.Is(err, supervision.ErrAlreadyPresent) {
			rt.Fatalf("%s is there: %v", c.ID, err)
		}
	case h.m.start(s, n, &fails) != (err == nil):
		rt.Fatalf("start of %s: %v", c.ID, err)
	case err == nil:
		s.kids = append(s.kids, n)
	}
	h.check(rt)
}

// TestHistories compares supervision trees with the model: random trees of supervisors with random strategies, intensities, restart types
// and significant children, whose workers crash, end, hang and fail to start at random, whose supervisors are killed, and whose children are
// started, terminated, restarted and deleted at run time.
func TestHistories(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		inBubble(t, rt, func(rt *rapid.T, r *rig) {
			h := &history{r: r, m: &mtree{}}
			h.begin(rt)
			rt.Repeat(map[string]func(*rapid.T){
				"crash": h.crash, "end": h.end, "relapse": h.relapse, "hang": h.hang, "kill": h.kill, "pass": h.pass,
				"terminate": h.terminate, "restart": h.restart, "delete": h.remove, "add": h.add,
			})
			h.m.endAll(h.m.root)
			r.stop()
			if got, want := strings.Join(strings.Fields(r.j.take()), " "), strings.Join(h.m.did, " "); got != want {
				rt.Fatalf("at the end it did %q, want %q", got, want)
			}
			left := 0
			r.sys.Each(func(actors.Ref) bool { left++; return true })
			if left > 0 {
				rt.Fatalf("%d actors are left", left)
			}
		})
	})
}
