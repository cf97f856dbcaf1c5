package cluster

import (
	"time"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/telemetry"
)

// What two nodes have both had, because neither knew of the other, the store has as that one's which claimed it last, and it tells that
// one of what the other stores. Mostly the one that lets go says so to the owner, which claims it again. But views that differ can make
// that word go astray, and a node that is lost says nothing. So each node looks from time to time whether the store has what it has.
const (
	// claimsAfter is for how long a view has to stand before claims of nodes in it are put right: those of a handoff are under way.
	claimsAfter = 3 * time.Second
	// strangersAfter is the same for claims of nodes that aren't in it: they are gone, or in the other half of a split cluster, and two
	// halves would take everything from each other for ever. So it is done again only after strangersEvery. Revoked nodes are no strangers.
	strangersAfter = 30 * time.Second
	strangersEvery = 10 * time.Minute
)

// checkClaims claims again what is open here and another's by the store. Only follow calls it.
func (c *Cluster) checkClaims(now time.Time) {
	age := now.Sub(c.viewed)
	if c.opts.Claim == nil || c.opts.Owners == nil || age < claimsAfter {
		return
	}
	owners := c.opts.Owners()
	var again []ident.Partition
	c.mu.Lock()
	st := c.mu.state
	for i, by := range owners[:min(len(owners), ident.Partitions)] {
		if p := ident.Partition(i); by != "" && by != c.self && st.parts[i].phase == mine {
			last := now.Sub(c.reclaimed[p])
			if st.yields(by) && last >= reclaimEvery || age >= strangersAfter && last >= strangersEvery {
				again = append(again, p)
				c.reclaimed[p] = now
			}
		}
	}
	c.mu.Unlock()
	if len(again) > 0 {
		c.log.Info("partitions of this node are claimed by others in the store; they are claimed again", zap.Int(telemetry.KeyPartitions, len(again)))
		c.opts.Claim(again, func([]ident.Partition) {})
	}
}
