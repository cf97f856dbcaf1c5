package cluster

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/cluster/link"
	"github.com/jackdaw-im/jackdaw/cluster/placement"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/telemetry"
)

// Defaults of Options.
const (
	DefaultHold       = 2 * time.Second
	DefaultHoldLen    = 100_000
	DefaultHoldBytes  = 64 << 20
	DefaultRetireTime = 2 * time.Second
	DefaultHops       = 4
)

// Links take envelopes to other nodes: *link.Links.
type Links interface {
	// Send queues an envelope, which it owns from then on. It never blocks. A reserved one is the answer to an earlier one.
	Send(to ident.NodeID, class nodepb.LinkClass, envelope []byte, reserved bool) error
	// PeerUp says that a node can be reached, and where.
	PeerUp(p link.Peer)
	// PeerDown gives a node up: what it has not acknowledged is Returned.
	PeerDown(id ident.NodeID)
}

// Options say how a node takes part in a cluster.
type Options struct {
	// System is the node's actors. Its Router is this cluster, which the caller sets.
	System *actors.System
	// Placed are the kinds whose Refs without a node belong to whoever owns their partition.
	Placed []string
	// Claim makes this node the owner of partitions in the store, again and again until it has succeeded, and calls done, from any goroutine,
	// with those that are claimed: with all at once, or in parts. nil: there is nothing to claim.
	Claim func(list []ident.Partition, done func(claimed []ident.Partition))
	// Owners says who has claimed each partition in the store, as far as is known without asking it; nil: there is nobody to be seen.
	Owners func() []ident.NodeID
	// Hold is how long a partition's actors wait for the release by the owner before. 0 is DefaultHold.
	Hold time.Duration
	// HoldLen and HoldBytes bound what is held meanwhile, of all partitions; bytes are those of other nodes' messages.
	HoldLen, HoldBytes int
	// RetireTime is how long an actor may take to leave.
	RetireTime time.Duration
	// Hops is how often a message is sent on before it is given back.
	Hops uint32
	// Reunited, if set, hears that a node is back that this one had lost, or that had lost this one: meanwhile both may have had the same
	// actors. It must be quick.
	Reunited func()
	// GivenUp, if set, hears that a node is back that had lost this one, whether this one has noticed or not: that one may have had this one's
	// actors. It hears so before anything comes that the other has sent since. It must be quick.
	GivenUp func()
	// Moved, if set, hears of partitions that came or went, after the fact, in order.
	Moved func(came, went []ident.Partition)
}

// Cluster is one node's part in the cluster: the Router of its actors. New makes it, Start launches it, Stop ends it.
type Cluster struct {
	opts     Options
	sys      *actors.System
	self     ident.NodeID
	log      *zap.Logger
	bodies   *bodies
	counters Counters
	links    Links
	routes   atomic.Pointer[routes]
	calls    calls
	watches  watches
	watchers watchers
	groups   groups
	barriers barriers
	missing  missing // of the goroutine that follows
	// sending is held by who sends by the routes, and taken by who replaces them.
	sending sync.RWMutex

	mu struct {
		sync.Mutex
		state *state
		held  map[place][]held
		// parked is what nodes have sent here for partitions that are theirs, as this node sees it: its view is behind, or theirs is.
		parked []parked
		n      int // of held and parked, and their bytes
		bytes  int
	}
	events struct {
		sync.Mutex
		list []func()
		wake chan struct{}
	}
	reclaimed map[ident.Partition]time.Time // of the goroutine that follows
	viewed    time.Time                     // when the view became what it is; its, too
	stop      chan struct{}
	wg        sync.WaitGroup
}

var _ actors.Router = (*Cluster)(nil)

// New returns the part of a node that is in no view yet: until SetView no placed actor can be reached.
func New(opts Options) (*Cluster, error) {
	for _, d := range []struct{ v, usual *time.Duration }{{&opts.Hold, ptr(DefaultHold)}, {&opts.RetireTime, ptr(DefaultRetireTime)}} {
		if *d.v <= 0 {
			*d.v = *d.usual
		}
	}
	if opts.HoldLen <= 0 {
		opts.HoldLen = DefaultHoldLen
	}
	if opts.HoldBytes <= 0 {
		opts.HoldBytes = DefaultHoldBytes
	}
	if opts.Hops == 0 {
		opts.Hops = DefaultHops
	}
	b, err := newBodies()
	if err != nil {
		return nil, err
	}
	c := &Cluster{opts: opts, sys: opts.System, self: opts.System.Node(), log: opts.System.Log(), bodies: b, stop: make(chan struct{}), reclaimed: map[ident.Partition]time.Time{}}
	c.mu.state = newState(c.self, opts.Hold)
	c.mu.held = map[place][]held{}
	c.events.wake = make(chan struct{}, 1)
	c.publish()
	return c, nil
}

func ptr[T any](v T) *T { return &v }

// SetLinks installs the links, which give what comes to Receive and what comes back to Returned; before Start, once. Without links a
// node is alone.
func (c *Cluster) SetLinks(l Links) { c.links = l }

// Start launches what follows views.
func (c *Cluster) Start() error {
	c.stop = make(chan struct{})
	c.groups.alone()
	c.mu.Lock()
	pins := c.mu.state.pins
	c.mu.state = newState(c.self, c.opts.Hold) // as it is started again, its links know nobody
	c.mu.state.setPins(time.Now(), pins)
	c.mu.held, c.mu.parked, c.mu.n, c.mu.bytes = map[place][]held{}, nil, 0, 0
	c.publish()
	c.mu.Unlock()
	c.wg.Go(c.follow)
	c.wg.Go(c.sweep)
	return nil
}

// Stop ends it and waits for it until ctx is over. Links are closed afterwards.
func (c *Cluster) Stop(ctx context.Context) error {
	close(c.stop)
	done := make(chan struct{})
	go func() { c.wg.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// SetView takes a new view. It returns at once; views are acted upon in order.
func (c *Cluster) SetView(v View) {
	c.post(func() {
		c.mu.Lock()
		was := c.mu.state.view.ID
		c.mu.Unlock()
		c.alter(true, func(st *state) effects {
			fx := st.look(time.Now(), v)
			if was != v.ID || len(fx.up)+len(fx.down) > 0 {
				c.viewed = time.Now()
			}
			if was != v.ID {
				c.log.Debug("a view of the cluster is acted upon", zap.Uint64(telemetry.KeyView, v.ID), zap.Int(telemetry.KeyNodes, len(v.Placed)), zap.Int(telemetry.KeyLeft, len(fx.left)))
			}
			return fx
		})
		c.recheck()
	})
}

// SetPins takes the override table: actors of kinds that are placed, each on a node of its own. Who has one lets it go, and the node that
// has it next waits for that, as with a partition.
func (c *Cluster) SetPins(pins placement.Pins) {
	pins = placement.MakePins(slices.DeleteFunc(pins.List(), func(p placement.Pin) bool { return !slices.Contains(c.opts.Placed, p.Kind) }))
	c.post(func() {
		c.mu.Lock()
		same := slices.Equal(c.mu.state.pins.List(), pins.List())
		c.mu.Unlock()
		if same {
			return
		}
		c.alter(true, func(st *state) effects { return st.setPins(time.Now(), pins) })
		c.recheck()
	})
}

// post has f run, in order, by the one goroutine that changes who owns what.
func (c *Cluster) post(f func()) {
	c.events.Lock()
	c.events.list = append(c.events.list, f)
	c.events.Unlock()
	select {
	case c.events.wake <- struct{}{}:
	default:
	}
}

// follow runs what is posted, and what becomes due.
func (c *Cluster) follow() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		c.events.Lock()
		list := c.events.list
		c.events.list = nil
		c.events.Unlock()
		for _, f := range list {
			f()
		}
		c.mu.Lock()
		next := c.mu.state.next
		c.mu.Unlock()
		wait := time.Hour
		if !next.IsZero() {
			wait = max(time.Until(next), 0)
		}
		timer.Reset(wait)
		select {
		case <-c.events.wake:
		case <-timer.C:
			c.change(func(st *state) effects { return st.tick(time.Now()) })
		case <-c.stop:
			return
		}
	}
}

// change applies an event and does what follows. Only follow calls it.
func (c *Cluster) change(f func(*state) effects) { c.alter(false, f) }

// alter is change; unpark says that the event may tell where things belong that have waited for just that.
func (c *Cluster) alter(unpark bool, f func(*state) effects) {
	var on []held
	c.mu.Lock()
	fx := f(c.mu.state)
	c.regroup(fx.tracked)
	if unpark {
		on = c.unpark()
	}
	back := c.begin(fx) // before anybody is told that it is open: nothing overtakes what was held
	c.publish()
	c.mu.Unlock()
	for _, h := range back {
		c.refuse(h.env, actors.ErrNoConnection)
	}
	c.run(fx)
	for _, h := range on {
		if c.Local(h.to) {
			c.handle(h)
		} else {
			c.sendOn(h)
		}
	}
	if c.opts.Moved != nil && len(fx.opened) > 0 {
		c.opts.Moved(fx.opened, nil)
	}
}

// begin lets the actors of partitions, and others, run here, with what was held for them. It returns what is given back, and is called
// with the lock held.
func (c *Cluster) begin(fx effects) (back []held) {
	for _, p := range fx.opened {
		for _, h := range inOrder(c.unhold(place{p: p}), c.mu.state.parts[p].from) {
			c.handle(h)
		}
	}
	for _, o := range fx.openers {
		for _, h := range inOrder(c.unhold(placeOf(o.ref)), o.from) {
			if !o.released && h.env != nil && h.env.hops > 0 {
				back = append(back, h) // what came before may be lost with whoever has sent it on
				continue
			}
			c.handle(h)
		}
	}
	return back
}

// run does what an event leads to.
func (c *Cluster) run(fx effects) {
	for _, id := range slices.SortedFunc(maps.Keys(fx.up), func(a, b ident.NodeID) int { return cmp.Compare(a.Incarnation(), b.Incarnation()) }) {
		addr := fx.up[id]
		if c.missing.back(id) { // which is known before anything comes from it
			c.reunited()
		}
		c.barriers.met(id)
		if c.links != nil {
			c.links.PeerUp(link.Peer{ID: id, Addr: addr})
		}
		c.groups.peer(id, true)
	}
	for _, id := range fx.down {
		c.missing.lost(id)
		if c.links != nil {
			c.links.PeerDown(id)
		}
		c.lost(id)
		c.barriers.gone(id)
	}
	if len(fx.left) > 0 {
		c.leave(fx.left)
	}
	c.giveBack(fx.unreleased)
	if len(fx.claim) > 0 {
		if c.opts.Claim == nil {
			c.open(fx.claim, fx.number)
		} else {
			c.opts.Claim(fx.claim, func(claimed []ident.Partition) { c.post(func() { c.open(claimed, fx.number) }) })
		}
	}
	for id, list := range fx.routed {
		c.tellRoutes(id, list)
	}
	for to, list := range fx.released {
		c.release(to, list)
	}
	c.runPins(fx)
}

// lost ends what was between this node and another that is gone.
func (c *Cluster) lost(id ident.NodeID) {
	c.calls.lost(id)
	c.watches.lost(id)
	c.watchers.lost(id)
	c.barriers.lost(id)
	c.groups.peer(id, false)
}

// Anew takes that another node has given this one up, and has come back: the monitors and calls between the two are no more.
func (c *Cluster) Anew(from ident.NodeID) {
	c.log.Info("another node has given this one up and is back", zap.String(telemetry.KeyPeer, string(from)))
	c.givenUp() // before anything comes of after that
	c.reunited()
	c.withdraw(from)
	c.lost(from)
	c.post(func() {
		c.mu.Lock()
		known := c.mu.state.known[from]
		c.mu.Unlock()
		if known {
			c.groups.peer(from, true)
		}
		c.change(func(st *state) effects { return st.returned(time.Now(), from) })
	})
}

// Mutual takes that another node has come back, and that it and this one had given each other up.
func (c *Cluster) Mutual(ident.NodeID) { c.givenUp() }

// reclaimEvery is how often at most a partition that another node has claimed is claimed again.
const reclaimEvery = 5 * time.Second

// Stale takes that a partition of this node is another's by the store: a claim of earlier came late. It is claimed again, if that node is
// one that this one sees, which knows better by now, or is revoked; two halves of a split cluster would take it from each other for ever.
func (c *Cluster) Stale(p ident.Partition, claimer ident.NodeID) {
	if c.opts.Claim == nil || claimer == c.self {
		return
	}
	c.post(func() {
		now := time.Now()
		c.mu.Lock()
		st := c.mu.state
		again := st.parts[p].phase == mine && st.yields(claimer) && now.Sub(c.reclaimed[p]) >= reclaimEvery
		c.mu.Unlock()
		if again {
			c.reclaimed[p] = now
			c.opts.Claim([]ident.Partition{p}, func([]ident.Partition) {})
		}
	})
}

// open takes that the store knows of partitions.
func (c *Cluster) open(list []ident.Partition, claim uint64) {
	c.change(func(st *state) effects { return st.claimed(time.Now(), list, claim) })
}

// leave lets go of partitions: what comes for them goes on, and so does what was held.
func (c *Cluster) leave(list []ident.Partition) {
	c.mu.Lock()
	var on []held
	for _, p := range list {
		on = append(on, c.unhold(place{p: p})...)
	}
	c.mu.Unlock()
	for _, h := range on {
		c.sendOn(h)
	}
	set := make(map[ident.Partition]bool, len(list))
	for _, p := range list {
		set[p] = true
	}
	c.sys.Disconnect(func(ref actors.Ref) bool {
		return c.placed(ref) && set[ident.PartitionOf(ref.Kind, ref.ID)] && !c.Local(ref)
	})
	c.wg.Go(func() { c.retire(list, set) })
	if c.opts.Moved != nil {
		c.opts.Moved(nil, list)
	}
}
