package node

import (
	"cmp"
	"slices"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/cluster/member"
	"github.com/jackdaw-im/jackdaw/cluster/placement"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/adminpb"
)

const (
	// hotPartitions is how many of the busiest are told.
	hotPartitions = 10
	// lossesTold is of how many nodes it is told what their loss would leave: those with the greatest shares.
	lossesTold = 32
)

// hottest sums busy actors up by their partition, the busiest partition first.
func hottest(loads []*adminpb.ActorLoad, node string) []*adminpb.HotPartition {
	kinds, all := placedKinds(), map[uint32]*adminpb.HotPartition{}
	for _, l := range loads {
		ref, err := actors.ParseRef(l.GetRef())
		if err != nil || l.GetMessagesPerSecond() <= 0 || ref.Node != "" || !slices.Contains(kinds, ref.Kind) {
			continue
		}
		p := uint32(ident.PartitionOf(ref.Kind, ref.ID))
		h := all[p]
		if h == nil {
			h = &adminpb.HotPartition{Partition: p, Node: node}
			all[p] = h
		}
		h.MessagesPerSecond += l.GetMessagesPerSecond()
		if l.GetMessagesPerSecond() > h.GetActorPerSecond() {
			h.Actor, h.ActorPerSecond = l.GetRef(), l.GetMessagesPerSecond()
		}
	}
	var list []*adminpb.HotPartition
	for _, h := range all {
		list = append(list, h)
	}
	return hotter(list)
}

// hotter sorts partitions and keeps the first.
func hotter(list []*adminpb.HotPartition) []*adminpb.HotPartition {
	slices.SortFunc(list, func(a, b *adminpb.HotPartition) int {
		return cmp.Or(cmp.Compare(b.GetMessagesPerSecond(), a.GetMessagesPerSecond()), cmp.Compare(a.GetPartition(), b.GetPartition()), cmp.Compare(a.GetNode(), b.GetNode()))
	})
	return list[:min(len(list), hotPartitions)]
}

// losses says what the others would own without each node.
func losses(placed []placement.Node) map[ident.NodeID][]*adminpb.Share {
	now := placement.Make(placed).Share()
	byShare := slices.Clone(placed)
	slices.SortStableFunc(byShare, func(a, b placement.Node) int { return cmp.Compare(now[b.ID], now[a.ID]) })
	all := map[ident.NodeID][]*adminpb.Share{}
	for _, lost := range byShare[:min(len(byShare), lossesTold)] {
		rest := slices.DeleteFunc(slices.Clone(placed), func(n placement.Node) bool { return n.ID == lost.ID })
		then := placement.Make(rest).Share()
		for _, n := range rest {
			all[lost.ID] = append(all[lost.ID], &adminpb.Share{Name: n.ID.Name(), Partitions: int64(then[n.ID])})
		}
	}
	return all
}

// elsewhere picks a node for a client that is sent away, in the session's form: of those that clients can reach, each as often as its
// weight says. r is from 0 to below 1. "" if there is none.
func elsewhere(members []member.Member, self ident.NodeID, r float64) string {
	var sum float64
	fit := func(m *member.Member) bool {
		return m.ID != self && m.Client != "" && m.Placed() && !m.Suspect && m.Weight > 0
	}
	for i := range members {
		if fit(&members[i]) {
			sum += float64(members[i].Weight)
		}
	}
	host := ""
	for i, left := 0, r*sum; i < len(members); i++ {
		if m := &members[i]; fit(m) {
			host = m.Client
			if left -= float64(m.Weight); left < 0 {
				break
			}
		}
	}
	return host
}
