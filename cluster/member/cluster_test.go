package member

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/internal/simnet"
)

func TestJoinOfTen(t *testing.T) {
	bubble(t, func(r *rig) {
		start := time.Now()
		r.cluster(10)
		t.Logf("10 nodes agree after %v", time.Since(start))
		for _, n := range r.nodes {
			if len(n.View().Members) != 10 || n.Self().State != Active || n.Self().Rejected != "" {
				t.Errorf("%s: %d members, self %+v", n.id, len(n.View().Members), n.Self())
			}
			m, ok := n.View().Find(r.nodes[3].id)
			want := Member{ID: "n4@4", Name: "n4", Gossip: "10.0.0.4:7946", Carriage: "10.0.0.4:7946", Proto: 1, Oldest: 1, Release: "1.0", State: Active, Weight: 100}
			if !ok || m != want {
				t.Errorf("%s sees %+v, want %+v", n.id, m, want)
			}
			h := n.heard()
			if last := h.views[len(h.views)-1]; last != n.View().ID {
				t.Errorf("%s was told of view %x last, and has %x", n.id, last, n.View().ID)
			}
			if len(h.kept) != 9 {
				t.Errorf("%s remembers %v", n.id, h.kept)
			}
		}
	})
}

func TestCrash(t *testing.T) {
	bubble(t, func(r *rig) {
		r.cluster(5)
		r.nodes[4].sim.Crash()
		suspected := r.until("n5 is lost", time.Minute, func() bool {
			m, ok := r.nodes[0].View().Find(r.nodes[4].id)
			return ok && m.Suspect && m.Placed()
		})
		gone := r.agree(time.Minute, r.nodes[:4]...)
		if gone < 500*time.Millisecond {
			t.Errorf("without grace: %v after it was lost", gone)
		}
		t.Logf("lost after %v, given up by all %v later", suspected, gone)
		if n := r.nodes[0]; n.said("a node is lost") != 1 || n.said("a lost node is given up") != 1 {
			t.Error("n1 has not said what happened, once")
		}
	})
}

// A node that is killed and started again at once keeps its partitions: nobody else gets them in between.
func TestRestart(t *testing.T) {
	bubble(t, func(r *rig) {
		r.cluster(3)
		old := r.nodes[2]
		old.sim.Crash()
		time.Sleep(500 * time.Millisecond)
		again := r.start("n3")
		others := []*node{r.nodes[0], r.nodes[1]}
		for _, n := range others {
			n.heard()
		}
		took := r.agree(time.Minute, append(slices.Clone(others), again)...)
		t.Logf("the restarted node is placed after %v", took)
		for _, n := range others {
			views := n.heard().views
			if len(views) == 0 || slices.ContainsFunc(views, func(id uint64) bool { return id == newView(without(n.View(), again)).ID }) {
				t.Errorf("%s had views %x", n.id, views)
			}
		}
	})
}

// without returns a view's members but for one.
func without(v *View, n *node) []Member {
	return slices.DeleteFunc(slices.Clone(v.Members), func(m Member) bool { return m.ID == n.id })
}

func TestLeave(t *testing.T) {
	bubble(t, func(r *rig) {
		r.cluster(5)
		n := r.nodes[4]
		n.SetState(Draining)
		r.agree(time.Minute, r.nodes[:4]...)
		if m, _ := r.nodes[0].View().Find(n.id); m.State != Draining || m.Placed() {
			t.Errorf("n1 sees %+v", m)
		}
		n.SetState(Active)
		r.agree(time.Minute, r.nodes...)

		start := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := n.Leave(ctx); err != nil {
			t.Error(err)
		}
		t.Logf("left after %v", time.Since(start))
		if err := n.Close(); err != nil {
			t.Error(err)
		}
		n.ended = true
		r.until("n5 is gone everywhere", 5*time.Second, func() bool {
			return !slices.ContainsFunc(r.nodes[:4], func(o *node) bool { return len(o.View().Members) != 4 })
		})
		for _, o := range r.nodes[:4] {
			if o.said("a node is lost") != 0 || o.said("a node has left") != 1 {
				t.Errorf("%s: lost %d, left %d", o.id, o.said("a node is lost"), o.said("a node has left"))
			}
			if slices.Contains(o.heard().kept, Past{n.id.Name(), n.sim.Addr()}) {
				t.Errorf("%s goes on remembering who has left", o.id)
			}
		}
		r.nodes[3].sim.Crash()
		r.until("n4 is given up", time.Minute, func() bool { return len(r.nodes[0].View().Members) == 3 })
		if got := r.nodes[0].Missing(); !slices.Equal(got, []Past{{r.nodes[3].id.Name(), r.nodes[3].sim.Addr()}}) {
			t.Errorf("n1 misses %v, and only n4 is lost", got)
		}
	})
}

// TestTwoChangesAtOnce: what a node changes while an earlier change of it is still being told, and others change as well, is known to all shortly
// after: memberlist may lose the later one.
func TestTwoChangesAtOnce(t *testing.T) {
	bubble(t, func(r *rig) {
		for i := range 4 { // the first gossip first
			r.start(fmt.Sprintf("n%d", i+1))
			time.Sleep(5 * time.Millisecond)
		}
		r.agree(time.Minute, r.nodes...)
		var took time.Duration
		for i := range 10 {
			time.Sleep(3 * time.Second)
			for _, n := range r.nodes {
				n.SetTrust(uint64(i + 1))
			}
			time.Sleep(60 * time.Millisecond)
			n, state := r.nodes[2], []State{Draining, Active}[i%2]
			n.SetState(state)
			took += r.until("all know of it", 12*time.Second, func() bool {
				return !slices.ContainsFunc(r.nodes, func(o *node) bool {
					m, _ := o.View().Find(n.id)
					return m.State != state || m.Trust != uint64(i+1)
				})
			})
		}
		if t.Logf("ten times: %v", took); took > 10*time.Second {
			t.Errorf("ten times took %v", took)
		}
	})
}

func TestPartitions(t *testing.T) {
	for _, c := range []struct{ a, b int }{{2, 2}, {1, 2}, {4, 5}} {
		bubble(t, func(r *rig) {
			r.cluster(c.a + c.b)
			left, right := r.nodes[:c.a], r.nodes[c.a:]
			r.net.Partition(names(left...), names(right...))
			split := max(r.agree(2*time.Minute, left...), r.agree(2*time.Minute, right...))
			time.Sleep(20 * time.Second)
			r.net.Heal()
			t.Logf("%d|%d: split after %v, healed after %v", c.a, c.b, split, r.agree(3*time.Minute, r.nodes...))
		})
	}
}

// The dead are forgotten after 30 s, so that memberlist by itself never heals this.
func TestALongCutHealsByItself(t *testing.T) {
	bubble(t, func(r *rig) {
		r.cluster(10)
		left, right := r.nodes[:4], r.nodes[4:]
		r.net.Partition(names(left...), names(right...))
		r.agree(2*time.Minute, left...)
		r.agree(2*time.Minute, right...)
		time.Sleep(10 * time.Minute)
		r.agree(time.Second, left...)
		r.agree(time.Second, right...)
		r.net.Heal()
		took := r.agree(2*time.Minute, r.nodes...)
		t.Logf("after a cut of 10 minutes healed after %v", took)
		if n := r.nodes[0].Stats(); n.JoinsFailed == 0 || n.JoinsFailed > 200 {
			t.Errorf("n1 tried %d times in vain", n.JoinsFailed)
		}
	})
}

// A cut in one direction: others can still reach both nodes, so that nobody has to be given up.
func TestAOneWayCut(t *testing.T) {
	bubble(t, func(r *rig) {
		r.cluster(5)
		r.net.Cut("n1", "n2")
		for range 60 {
			time.Sleep(time.Second)
			for _, n := range r.nodes {
				if len(n.placed()) != 5 {
					r.show()
					t.Fatalf("%s places %v", n.id, n.placed())
				}
			}
		}
		// Nothing from n1 arrives anywhere: it is given up, though it hears everybody.
		for _, n := range r.nodes[1:] {
			r.net.Cut("n1", n.sim.Name())
		}
		t.Logf("unheard: given up after %v", r.agree(2*time.Minute, r.nodes[1:]...))
		r.net.Heal()
		t.Logf("heard again: back after %v", r.agree(2*time.Minute, r.nodes...))
	})
}

func TestAPauseOf30Seconds(t *testing.T) {
	bubble(t, func(r *rig) {
		r.cluster(5)
		n := r.nodes[2]
		n.sim.Pause()
		others := slices.Concat(r.nodes[:2], r.nodes[3:])
		r.agree(30*time.Second, others...)
		time.Sleep(15 * time.Second)
		n.sim.Resume()
		t.Logf("back after %v", r.agree(time.Minute, r.nodes...))
		if h := n.heard(); len(h.conflicts) != 0 {
			t.Error(h.conflicts)
		}
	})
}

// All links flap at once: what that costs is bounded, and at the end all is as it was.
func TestAFlapStormIsBounded(t *testing.T) {
	bubble(t, func(r *rig) {
		const nodes, flaps = 10, 20
		r.cluster(nodes)
		time.Sleep(time.Minute)
		quiet := r.sent(time.Minute)
		start := r.net.Count(simnet.Packet).Sent + r.net.Count(simnet.Stream).Sent
		views := 0
		for _, n := range r.nodes {
			n.heard()
		}
		begun := time.Now()
		for range flaps {
			var all [][]string
			for _, n := range r.nodes {
				all = append(all, names(n))
			}
			r.net.Partition(all...)
			time.Sleep(10 * time.Second) // long enough for all to take all for dead
			r.net.Heal()
			time.Sleep(5 * time.Second)
		}
		took := r.agree(5*time.Minute, r.nodes...)
		count := r.net.Count(simnet.Packet).Sent + r.net.Count(simnet.Stream).Sent - start
		for _, n := range r.nodes {
			views += len(n.heard().views)
		}
		minutes := time.Since(begun).Minutes()
		t.Logf("%d flaps of %d nodes: %d packets in %.1f minutes (quiet: %d), %d views, all agree %v after the last", flaps, nodes, count, minutes, int(float64(quiet)*minutes), views, took)
		if bound := 3*int(float64(quiet)*minutes) + flaps*nodes*nodes*20; int(count) > bound {
			t.Errorf("%d packets, at most %d", count, bound)
		}
		if calm := r.sent(time.Minute); calm > quiet*3/2 {
			t.Errorf("a minute later %d packets a minute, before it were %d", calm, quiet)
		}
	})
}

// sent counts the packets of all for a while.
func (r *rig) sent(while time.Duration) int {
	before := r.net.Count(simnet.Packet).Sent + r.net.Count(simnet.Stream).Sent
	time.Sleep(while)
	synctest.Wait()
	return int(r.net.Count(simnet.Packet).Sent + r.net.Count(simnet.Stream).Sent - before)
}

// A node that comes and goes is waited for longer each time, so that its partitions don't move to and fro.
func TestAFlappingNodeGetsMoreGrace(t *testing.T) {
	bubble(t, func(r *rig) {
		r.cluster(4)
		n, other := r.nodes[3], r.nodes[0]
		var graces []time.Duration
		for range 5 {
			var lost, gone time.Time
			for _, o := range r.nodes[:3] {
				r.net.CutBoth(n.sim.Name(), o.sim.Name())
			}
			r.until("n4 is lost", time.Minute, func() bool {
				m, ok := other.View().Find(n.id)
				return ok && m.Suspect
			})
			lost = time.Now()
			r.until("n4 is gone", time.Minute, func() bool { _, ok := other.View().Find(n.id); return !ok })
			gone = time.Now()
			graces = append(graces, gone.Sub(lost).Round(time.Second))
			r.net.Heal()
			r.agree(2*time.Minute, r.nodes...)
		}
		if want := []time.Duration{2, 4, 8, 16, 16}; !slices.EqualFunc(graces, want, func(a, b time.Duration) bool { return a == b*time.Second }) {
			t.Errorf("graces %v", graces)
		}
	})
}

func TestFiftyNodes(t *testing.T) {
	bubble(t, func(r *rig) {
		start := time.Now()
		r.cluster(50)
		joined := time.Since(start)
		for _, n := range r.nodes[45:] {
			n.sim.Crash()
		}
		t.Logf("50 nodes agree after %v, and without five of them after %v", joined, r.agree(3*time.Minute, r.nodes[:45]...))
	})
}
