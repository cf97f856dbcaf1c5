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
	waiting := map[ident.Partition]int{}
	seek := func() (here []actors.Ref) {
		c.sys.Each(func(ref actors.Ref) bool {
			if c.placed(ref) && left[ident.PartitionOf(ref.Kind, ref.ID)] && c.leaves(ref) {
				here = append(here, ref)
			}
			return true
		})
		return here
	}
	seek()
	if !c.pause(retirePoll) {
		return
	}
	here := seek() // and what was started by who had taken the partition for this node's just before
	for _, ref := range here {
		waiting[ident.PartitionOf(ref.Kind, ref.ID)]++
	}
	gone := func(list []ident.Partition) {
		if len(list) > 0 {
			c.post(func() { c.change(func(st *state) effects { return st.gone(time.Now(), list) }) })
		}
	}
	var empty []ident.Partition
	for _, p := range list {
		if waiting[p] == 0 {
			empty = append(empty, p)
		}
	}
	gone(empty)
	c.outlast(here, func(ended []actors.Ref) {
		var empty []ident.Partition
		for _, ref := range ended {
			p := ident.PartitionOf(ref.Kind, ref.ID)
			if waiting[p]--; waiting[p] == 0 {
				empty = append(empty, p)
			}
		}
		gone(empty)
	})
	if c.pause(retireGrace) { // a sender that stood still for long starts one as late as this
		seek()
	}
}

// leaves has an actor that isn't this node's retire, and reports whether it is still here.
func (c *Cluster) leaves(ref actors.Ref) bool {
	return !c.Local(ref) && c.sys.Retire(ref, c.opts.RetireTime)
}

// retirePins does the same for single actors.
func (c *Cluster) retirePins(list []leaver) {
	numbers := map[actors.Ref]leaver{}
	seek := func() (here, gone []actors.Ref) {
		for _, l := range list {
			if c.leaves(l.ref) {
				here = append(here, l.ref)
			} else {
				gone = append(gone, l.ref)
			}
		}
		return here, gone
	}
	ended := func(refs []actors.Ref) {
		if len(refs) == 0 {
			return
		}
		var all []leaver
		for _, ref := range refs {
			all = append(all, numbers[ref])
		}
		c.post(func() { c.change(func(st *state) effects { return st.ended(time.Now(), all) }) })
	}
	for _, l := range list {
		numbers[l.ref] = l
	}
	seek()
	if !c.pause(retirePoll) {
		return
	}
	here, gone := seek()
	ended(gone)
	c.outlast(here, ended)
	if c.pause(retireGrace) {
		seek()
	}
}

// outlast waits until actors that retire have gone, and says so of each. Those that take too long are taken for gone, too.
func (c *Cluster) outlast(here []actors.Ref, gone func([]actors.Ref)) {
	until := time.Now().Add(c.opts.RetireTime + retireGrace)
	for len(here) > 0 && time.Now().Before(until) {
		if !c.pause(retirePoll) {
			return
		}
		rest := here[:0]
		var ended []actors.Ref
		for _, ref := range here {
			if c.leaves(ref) {
				rest = append(rest, ref)
			} else {
				ended = append(ended, ref)
			}
		}
		here = rest
		gone(ended)
	}
	if len(here) > 0 {
		c.log.Warn("actors didn't leave in time: the next of their names begin without them", zap.Int(telemetry.KeyActors, len(here)), zap.Stringer(telemetry.KeyActor, here[0]))
		c.counters.Overdue.Add(int64(len(here)))
		gone(here)
	}
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
