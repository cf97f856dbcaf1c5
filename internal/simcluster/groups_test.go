package simcluster

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/pg"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// club is one process's part in a scope of process groups: who has joined there, and what a monitor has told.
type club struct {
	n     *node
	scope *pg.Scope
	mu    sync.Mutex
	mine  map[seatIn]int
	told  map[seatIn]int
}

// seatIn is a member of a group.
type seatIn struct {
	group string
	ref   actors.Ref
}

// resting starts nothing: members need not run.
type resting struct{}

func (resting) Activate(actors.Ref) error { return errors.New("it rests") }

// clubs gives each process a scope, the ones that are started later as well, and has members come and go on all of them until stopped.
type clubs struct {
	w    *world
	all  map[*node]*club
	rng  *rand.Rand
	stop chan struct{}
	done sync.WaitGroup
}

func newClubs(w *world, seed uint64) *clubs {
	cs := &clubs{w: w, all: map[*node]*club{}, rng: rand.New(rand.NewPCG(seed, 2)), stop: make(chan struct{})}
	cs.done.Go(cs.run)
	return cs
}

func (cs *clubs) run() {
	for {
		select {
		case <-cs.stop:
			return
		case <-time.After(time.Duration(cs.rng.IntN(100)) * time.Millisecond):
		}
		list := cs.w.living()
		for _, n := range list {
			cs.of(n)
		}
		if len(list) > 0 {
			cs.of(list[cs.rng.IntN(len(list))]).change(cs.rng)
		}
	}
}

// of is the club of a process, founded if need be.
func (cs *clubs) of(n *node) *club {
	c := cs.all[n]
	if c == nil {
		c = &club{n: n, scope: pg.New(n.sys, "club"), mine: map[seatIn]int{}, told: map[seatIn]int{}}
		cs.all[n] = c
		n.sys.SetActivator("member", resting{})
		n.c.Share(c.scope)
		if _, err := supervision.StartRoot(n.sys, supervision.SupervisorSpec{ID: "club", Children: []supervision.ChildSpec{pg.Spec(c.scope),
			supervision.Actor("ear", actors.Spec{Kind: "ear", New: func() actors.Behaviour { return c }}, nil)}}); err != nil && !n.dead.Load() {
			cs.w.Error(err)
		}
	}
	return c
}

// Init implements actors.Behaviour: that of the one who monitors.
func (c *club) Init(ctx *actors.Context, _ any) error {
	_, err := c.scope.MonitorScope(ctx)
	return err
}

// Handle implements actors.Behaviour.
func (c *club) Handle(_ *actors.Context, msg any) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	book := func(group string, refs []actors.Ref, n int) {
		for _, ref := range refs {
			if c.told[seatIn{group, ref}] += n; c.told[seatIn{group, ref}] == 0 {
				delete(c.told, seatIn{group, ref})
			}
		}
	}
	switch m := msg.(type) {
	case *pg.Current:
		clear(c.told)
		for g, refs := range m.Groups {
			book(g, refs, 1)
		}
	case *pg.Change:
		n := 1
		if m.Left {
			n = -1
		}
		book(m.Group, m.Members, n)
	}
	return nil
}

// change has somebody join or leave.
func (c *club) change(rng *rand.Rand) {
	at := seatIn{fmt.Sprint("g", rng.IntN(3)), actors.Ref{Kind: "member", ID: fmt.Sprint(rng.IntN(5))}}
	switch {
	case c.mine[at] == 0 || rng.IntN(2) == 0:
		if c.scope.CastJoin(c.n.sys, at.group, at.ref) == nil {
			c.mine[at]++
		}
	default:
		if c.scope.CastLeave(c.n.sys, at.group, at.ref) == nil {
			c.mine[at]--
		}
	}
}

// wrong says what a process doesn't see as it is; "" if it sees everything.
func (cs *clubs) wrong() string {
	list := cs.w.living()
	for _, viewer := range list {
		c, want := cs.of(viewer), map[seatIn]int{}
		for _, n := range list {
			for at, k := range cs.of(n).mine {
				if n != viewer {
					at.ref.Node = n.id
				}
				if k > 0 {
					want[at] = k
				}
			}
		}
		seen := map[seatIn]int{}
		for _, g := range c.scope.WhichGroups() {
			for _, ref := range c.scope.Members(g) {
				seen[seatIn{g, ref}]++
			}
		}
		c.mu.Lock()
		told := maps.Clone(c.told)
		c.mu.Unlock()
		if !maps.Equal(seen, want) || !maps.Equal(told, want) {
			return fmt.Sprintf("%s sees %v\nwas told %v\nwant %v", viewer.id, seen, told, want)
		}
	}
	return ""
}

// TestGroups: whatever happens to nodes and network while members come and go, in the end all see the members of all who live, each as often as
// it has joined, and nobody else; and so does who monitors.
func TestGroups(t *testing.T) {
	of := []string{"none", "crash and restart", "restart at once", "short pause", "cut 1|2", "cut 2|2", "one way cut", "deaf", "lossy crash", "many join", "rolling restart", "flap"}
	for i, f := range faults {
		if !slices.Contains(of, f.name) {
			continue
		}
		t.Run(strings.ReplaceAll(f.name, " ", "-"), func(t *testing.T) {
			for _, seed := range seedsOf(i) {
				t.Run(fmt.Sprint(seed), func(t *testing.T) { groupHistory(t, seed, f) })
			}
		})
	}
}

func groupHistory(t *testing.T, seed uint64, f fault) {
	run(t, seed, options{noDetours: f.noDetours}, func(w *world) {
		w.begin(f.nodes)
		cs := newClubs(w, seed)
		w.wait(3 * time.Second)
		f.do(w)
		close(cs.stop)
		cs.done.Wait()
		w.agree(2 * time.Minute)
		if f.parts { // whoever was suspected may be taken for dead only now
			w.wait(30 * time.Second)
			w.agree(2 * time.Minute)
		}
		took := w.until("all see the same members", 10*time.Second, cs.wrong)
		w.Logf("after %v", took)
	})
}
