package cluster

import (
	"time"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/telemetry"
)

const (
	// retirePoll is how often it is looked whether actors have gone.
	retirePoll = 10 * time.Millisecond
	// retireGrace is how long a handler that hangs is waited for after RetireTime.
	retireGrace = 500 * time.Millisecond
)

// retire lets the actors of partitions that have left go, and says so once they have. Partitions whose actors have gone don't wait for
// others.
func (c *Cluster) retire(list []ident.Partition, left map[ident.Partition]bool) {
	until := time.Now().Add(c.opts.RetireTime + retireGrace)
	waiting := map[ident.Partition]int{}
	var here []actors.Ref
	seek := func() {
		c.sys.Each(func(ref actors.Ref) bool {
			if c.placed(ref) && left[ident.PartitionOf(ref.Kind, ref.ID)] && !c.Local(ref) && c.sys.Retire(ref, c.opts.RetireTime) {
				here = append(here, ref)
				waiting[ident.PartitionOf(ref.Kind, ref.ID)]++
			}
			return true
		})
	}
	gone := func(list []ident.Partition) {
		if len(list) > 0 {
			c.post(func() { c.change(func(st *state) effects { return st.gone(time.Now(), list) }) })
		}
	}
	seek()
	var empty []ident.Partition
	for _, p := range list {
		if waiting[p] == 0 {
			empty = append(empty, p)
		}
	}
	gone(empty)
	for len(here) > 0 && time.Now().Before(until) {
		if !c.pause(retirePoll) {
			return
		}
		rest := here[:0]
		empty = nil
		for _, ref := range here {
			if c.sys.Alive(ref) && !c.Local(ref) {
				rest = append(rest, ref)
				continue
			}
			p := ident.PartitionOf(ref.Kind, ref.ID)
			if waiting[p]--; waiting[p] == 0 {
				empty = append(empty, p)
			}
		}
		here = rest
		gone(empty)
	}
	if len(here) > 0 {
		c.log.Warn("actors didn't leave in time: the next of their names begin without them", zap.Int(telemetry.KeyActors, len(here)), zap.Stringer(telemetry.KeyActor, here[0]))
		c.counters.Overdue.Add(int64(len(here)))
		empty = nil
		for p, n := range waiting {
			if n > 0 {
				empty = append(empty, p)
			}
		}
		gone(empty)
	}
	// Who sent something just as the partition left may have started one anew.
	if c.pause(retireGrace) {
		here = here[:0]
		seek()
	}
}

// retireStrays lets those go that the override table puts elsewhere.
func (c *Cluster) retireStrays() {
	c.sys.Disconnect(func(ref actors.Ref) bool { return c.placed(ref) && !c.Local(ref) })
	c.sys.Each(func(ref actors.Ref) bool {
		if c.placed(ref) && !c.Local(ref) {
			c.sys.Retire(ref, c.opts.RetireTime)
		}
		return true
	})
}

// refreshPinned lets the actors that only the override table puts here begin anew, once those that other nodes may have had are gone: the
// store tells the owner of their partition, which isn't this node, of what others have written.
func (c *Cluster) refreshPinned() {
	c.wg.Go(func() {
		if !c.pause(c.opts.Hold + c.opts.RetireTime) {
			return
		}
		r := c.routes.Load()
		c.sys.Each(func(ref actors.Ref) bool {
			if c.placed(ref) && r.pinned(ref) == c.self && r.table.Owner(ident.PartitionOf(ref.Kind, ref.ID)) != c.self {
				c.sys.Retire(ref, c.opts.RetireTime)
			}
			return true
		})
	})
}

// pause waits, and reports false if the cluster stops meanwhile.
func (c *Cluster) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-c.stop:
		return false
	}
}
