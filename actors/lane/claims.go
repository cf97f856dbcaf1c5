package lane

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/telemetry"
)

// claims are what is asked of one shard about who owns its partitions. They outlive the actor that does it.
type claims struct {
	id string
	mu struct {
		sync.Mutex
		waiting []*claim // none of them is claimed yet
		done    []int64  // notices that are to be removed
		// removing are those, and what is being removed: the store may still show them.
		removing map[int64]struct{}
		wake     func() // nil: the actor doesn't run
	}
}

// claim is one shard's part of a request.
type claim struct {
	partitions []ident.Partition
	whole      *claimed
}

// claimed tells who asked, once all shards have answered.
type claimed struct {
	left atomic.Int32
	done func(error)
}

func (c *claimed) answer(err error) {
	switch {
	case err != nil && c.left.Swap(0) > 0: // the parts that are left count below zero
		c.done(err)
	case err == nil && c.left.Add(-1) == 0:
		c.done(nil)
	}
}

// Claim makes this node the owner of partitions in a shared store. It may be called from anywhere and returns at once. done is
// called once, when all of them are claimed; mailboxes of them that run already are told to load what there is. It runs on an
// actor that others wait for, so it must not block. A claim is repeated until the store takes it: an error says that the
// store is closed, or that such partitions can't be. Requests are gathered, and one shard's don't wait for another's; who wants
// partitions as early as they are to be had asks for each of them apart. If the engine isn't shared there is nothing to do, and
// done is called at once.
func (l *Lanes) Claim(partitions []ident.Partition, done func(error)) {
	if len(l.claims) == 0 || len(partitions) == 0 {
		done(nil)
		return
	}
	parts := l.places.split(partitions)
	whole := &claimed{done: done}
	for _, p := range parts {
		if len(p) > 0 {
			whole.left.Add(1)
		}
	}
	for shard, p := range parts {
		if len(p) > 0 {
			c := &claim{slices.Clone(p), whole}
			l.claims[shard].ask(func(x *claims) { x.mu.waiting = append(x.mu.waiting, c) })
		}
	}
}

// ask notes a request and wakes the actor.
func (c *claims) ask(note func(*claims)) {
	c.mu.Lock()
	note(c)
	wake := c.mu.wake
	c.mu.Unlock()
	if wake != nil {
		wake()
	}
}

// remove has notices removed.
func (c *claims) remove(ns []int64) {
	c.ask(func(c *claims) {
		if c.mu.removing == nil {
			c.mu.removing = map[int64]struct{}{}
		}
		for _, n := range ns {
			c.mu.removing[n] = struct{}{}
		}
		c.mu.done = append(c.mu.done, ns...)
	})
}

// removed notes that a removal was tried: what is still there is found again.
func (c *claims) removed(ns []int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range ns {
		delete(c.mu.removing, n)
	}
}

// leaving reports whether a notice is being removed.
func (c *claims) leaving(n int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, yes := c.mu.removing[n]
	return yes
}

// start notes how the actor is woken; nil: it doesn't run.
func (c *claims) start(wake func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.wake = wake
}

// take returns what is to be done now; the claims stay until they are answered.
func (c *claims) take() (waiting []*claim, done []int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	done, c.mu.done = c.mu.done, nil
	return slices.Clone(c.mu.waiting), done
}

// answer ends claims that take has returned.
func (c *claims) answer(taken []*claim, err error) {
	c.mu.Lock()
	c.mu.waiting = slices.DeleteFunc(c.mu.waiting, func(x *claim) bool { return slices.Contains(taken, x) })
	c.mu.Unlock()
	for _, x := range taken {
		x.whole.answer(err)
	}
}

// claimer claims the partitions of one shard, and removes notices from it.
type claimer struct {
	lanes *Lanes
	of    *claims
	pause time.Duration // before the next try
	armed bool
}

// claimDue says that there is something to claim or to remove.
type claimDue struct{}

// Init implements actors.Behaviour; args are *Lanes. What an earlier life has left undone is done.
func (c *claimer) Init(ctx *actors.Context, args any) error {
	c.lanes = args.(*Lanes)
	for _, x := range c.lanes.claims {
		if x.id == ctx.Self().ID {
			c.of = x
		}
	}
	sys, self := ctx.System(), ctx.Self()
	c.of.start(func() { _ = sys.Answer(self, claimDue{}) })
	return ctx.Answer(self, claimDue{})
}

// Handle implements actors.Behaviour.
func (c *claimer) Handle(ctx *actors.Context, msg any) error {
	switch msg.(type) {
	case claimAgain:
		c.armed = false
	case claimDue:
		if c.armed {
			return nil // it goes along with the next try
		}
	default:
		return nil
	}
	waiting, done := c.of.take()
	c.remove(ctx, done)
	if len(waiting) == 0 {
		return nil
	}
	var all []ident.Partition
	for _, x := range waiting {
		all = append(all, x.partitions...)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	err := guarded(func() error { return c.lanes.engine.Claims().Claim(all) })
	switch {
	case err == nil:
		c.pause = 0
		c.lanes.Counters.Claimed.Add(int64(len(all)))
		_ = ctx.Answer(pollerRef, &claimedNow{all, c.lanes.taken.note(all, ctx.Now())})
		c.of.answer(waiting, nil)
	case errors.Is(err, store.ErrClosed), errors.Is(err, store.ErrInvalid):
		c.of.answer(waiting, err)
	default:
		ctx.Log().Warn("partitions could not be claimed; it is tried again", zap.Error(err), zap.Int(telemetry.KeyItems, len(all)))
		c.pause = min(max(2*c.pause, retryMin), retryMax)
		c.armed = true
		ctx.SendAfter(c.pause, claimAgain{})
	}
	return nil
}

// claimAgain is the timer's message.
type claimAgain struct{}

// remove deletes notices. If that fails, or its outcome isn't known, they are found again.
func (c *claimer) remove(ctx *actors.Context, ns []int64) {
	if len(ns) == 0 {
		return
	}
	err := guarded(func() error { return c.lanes.engine.Claims().Done(ns) })
	c.of.removed(ns)
	if err != nil {
		ctx.Log().Warn("notices of other nodes' messages could not be removed", zap.Error(err), zap.Int(telemetry.KeyItems, len(ns)))
	}
}

// Terminate implements actors.Terminator.
func (c *claimer) Terminate(*actors.Context, actors.Reason) {
	if c.of != nil {
		c.of.start(nil)
	}
}
