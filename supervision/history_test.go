package supervision_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// model is a supervisor in the words of OTP's manual: it says which children end and start, and in which order.
type model struct {
	spec     supervision.SupervisorSpec
	up       []bool
	restarts []time.Time
	did      []string
}

func (m *model) start(i int) { m.up[i] = true; m.did = append(m.did, "+"+m.spec.Children[i].ID) }

func (m *model) end(i int) {
	if m.up[i] {
		m.up[i] = false
		m.did = append(m.did, "-"+m.spec.Children[i].ID)
	}
}

// ended is told of a child that crashes or stops by itself.
func (m *model) ended(i int, crash bool) {
	m.end(i)
	if r := m.spec.Children[i].Restart; r == supervision.Temporary || r == supervision.Transient && !crash {
		return
	}
	recent := 0
	m.restarts = append(m.restarts, time.Now())
	for _, t := range m.restarts {
		if time.Since(t) < m.spec.Period {
			recent++
		}
	}
	from, to := i, i+1
	exhausted := recent > max(m.spec.Intensity, 0)
	if exhausted || m.spec.Strategy == supervision.OneForAll {
		from = 0
	}
	if exhausted || m.spec.Strategy != supervision.OneForOne {
		to = len(m.up)
	}
	for k := to - 1; k >= from; k-- {
		m.end(k)
	}
	for k := from; k < to; k++ {
		if exhausted || m.spec.Children[k].Restart != supervision.Temporary {
			m.start(k)
		}
	}
	if exhausted { // the one above has started it anew
		m.restarts = nil
	}
}

// TestHistories compares a supervisor with the model over random trees, crashes, ends and times.
func TestHistories(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		spec := supervision.SupervisorSpec{
			ID:        "sup",
			Strategy:  supervision.Strategy(rapid.IntRange(0, 2).Draw(rt, "strategy")),
			Intensity: rapid.SampledFrom([]int{-1, 1, 2, 5}).Draw(rt, "intensity"),
			Period:    time.Duration(rapid.IntRange(1, 4).Draw(rt, "period")) * time.Second,
		}
		types := rapid.SliceOfN(rapid.IntRange(0, 2), 1, 6).Draw(rt, "restart types")
		inBubble(t, rt, func(rt *rapid.T, r *rig) {
			for i, restart := range types {
				c := r.worker(string(rune('a' + i)))
				c.Restart = supervision.Restart(restart)
				spec.Children = append(spec.Children, c)
			}
			var err error
			r.root, err = supervision.StartRoot(r.sys, supervision.SupervisorSpec{ID: "root", Intensity: 1000, Children: []supervision.ChildSpec{supervision.Sup(spec)}})
			if err != nil {
				rt.Fatal(err)
			}
			m := &model{spec: spec, up: make([]bool, len(types))}
			for i := range types {
				m.start(i)
			}
			check := func() {
				synctest.Wait()
				if got, want := r.j.take(), strings.Join(m.did, " "); got != want {
					rt.Fatalf("did %q, want %q", got, want)
				}
				m.did = nil
			}
			check()
			tell := func(rt *rapid.T, crash bool) {
				i := rapid.IntRange(0, len(types)-1).Draw(rt, "child")
				msg := map[bool]string{true: "crash", false: "stop"}[crash]
				err := r.sys.Cast(actors.Ref{Kind: "w" + spec.Children[i].ID, ID: spec.Children[i].ID}, msg)
				if (err == nil) != m.up[i] {
					rt.Fatalf("%s answers %v; up: %v", spec.Children[i].ID, err, m.up[i])
				}
				if m.up[i] {
					m.ended(i, crash)
				}
				check()
			}
			rt.Repeat(map[string]func(*rapid.T){
				"crash": func(rt *rapid.T) { tell(rt, true) },
				"stop":  func(rt *rapid.T) { tell(rt, false) },
				"pass": func(rt *rapid.T) {
					time.Sleep(time.Duration(rapid.IntRange(0, 5).Draw(rt, "half seconds")) * time.Second / 2)
				},
			})
			for i := len(types) - 1; i >= 0; i-- {
				m.end(i)
			}
			if err := r.root.Stop(context.Background()); err != nil {
				rt.Fatal(err)
			}
			r.root = nil
			check()
		})
	})
}

// inBubble checks a property with a rig in fake time. rapid tells a failure by a panic, which mustn't leave the bubble's own test.
func inBubble(t *testing.T, rt *rapid.T, property func(*rapid.T, *rig)) {
	var failure any
	run(t, func(r *rig) {
		defer func() { failure = recover() }()
		property(rt, r)
	})
	if failure != nil {
		panic(failure)
	}
}

// TestHistoriesBelow: crashes at random leaves of a deep tree, within the intensity of all: exactly what crashed starts again, and
// the tree stays whole.
func TestHistoriesBelow(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		inBubble(t, rt, func(rt *rapid.T, r *rig) {
			var leaves []string
			var build func(depth int, id string) supervision.ChildSpec
			build = func(depth int, id string) supervision.ChildSpec {
				spec := supervision.SupervisorSpec{ID: id, Intensity: 1000}
				for i := range rapid.IntRange(1, 3).Draw(rt, "children of "+id) {
					if depth > 0 && rapid.Bool().Draw(rt, "a supervisor") {
						spec.Children = append(spec.Children, build(depth-1, fmt.Sprint(id, i)))
						continue
					}
					leaf := fmt.Sprintf("%s%dx", id, i)
					leaves = append(leaves, leaf)
					spec.Children = append(spec.Children, r.worker(leaf))
				}
				return supervision.Sup(spec)
			}
			top := build(3, "s")
			var err error
			if r.root, err = supervision.StartRoot(r.sys, supervision.SupervisorSpec{ID: "root", Children: []supervision.ChildSpec{top}}); err != nil {
				rt.Fatal(err)
			}
			if got, want := r.j.take(), "+"+strings.Join(leaves, " +"); got != want {
				rt.Fatalf("started %q, want %q", got, want)
			}
			for range rapid.IntRange(0, 20).Draw(rt, "crashes") {
				leaf := rapid.SampledFrom(leaves).Draw(rt, "leaf")
				_ = r.sys.Cast(actors.Ref{Kind: "w" + leaf, ID: leaf}, "crash")
				synctest.Wait()
				if got, want := r.j.take(), fmt.Sprintf("-%s +%[1]s", leaf); got != want {
					rt.Fatalf("did %q, want %q", got, want)
				}
			}
			tree, err := r.root.Tree(context.Background())
			if err != nil || strings.Contains(tree.String(), "down") || strings.Count(tree.String(), "(permanent)") != len(leaves) {
				rt.Fatalf("%v; the tree is\n%s", err, tree)
			}
		})
	})
}
