package node

import (
	"fmt"
	"testing"

	"github.com/jackdaw-im/jackdaw/cluster/member"
	"github.com/jackdaw-im/jackdaw/cluster/placement"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/adminpb"
)

func TestHottest(t *testing.T) {
	load := func(ref string, rate float64) *adminpb.ActorLoad {
		return &adminpb.ActorLoad{Ref: ref, MessagesPerSecond: rate}
	}
	partition := func(user string) uint32 { return uint32(ident.PartitionOf("mailbox", user)) }
	// Two users of one partition.
	first, second := "u0@localhost", ""
	for i := 1; second == ""; i++ {
		if u := fmt.Sprintf("u%d@localhost", i); partition(u) == partition(first) {
			second = u
		}
	}
	got := hottest([]*adminpb.ActorLoad{
		load("mailbox/"+first, 5), load("mailbox/"+second, 7), load("mailbox/other@localhost", 11), load("account/"+first, 3),
		load("lane/mail-0", 1000), load("session/1@n1@5", 1000), load("mailbox/quiet@localhost", 0), load("", 1000), load("mailbox", 1000),
	}, "n1")
	if len(got) != 3 || got[0].GetPartition() != partition(first) || got[0].GetMessagesPerSecond() != 12 || got[0].GetActor() != "mailbox/"+second ||
		got[0].GetActorPerSecond() != 7 || got[0].GetNode() != "n1" || got[1].GetMessagesPerSecond() != 11 || got[2].GetActor() != "account/"+first {
		t.Errorf("%v", got)
	}
	var many []*adminpb.ActorLoad
	for i := range 100 {
		many = append(many, load(fmt.Sprintf("mailbox/m%d@localhost", i), float64(i+1)))
	}
	if got := hottest(many, "n1"); len(got) != hotPartitions || got[0].GetMessagesPerSecond() < 100 {
		t.Errorf("%v", got)
	}
}

func TestLosses(t *testing.T) {
	nodes := []placement.Node{{ID: "a@1", Weight: 100}, {ID: "b@1", Weight: 100}, {ID: "c@1", Weight: 200}}
	got := losses(nodes)
	for _, n := range nodes {
		sum := int64(0)
		for _, s := range got[n.ID] {
			if sum += s.GetPartitions(); s.GetName() == n.ID.Name() {
				t.Errorf("%s is lost and there", s.GetName())
			}
		}
		if len(got[n.ID]) != 2 || sum != ident.Partitions {
			t.Errorf("without %s: %v", n.ID, got[n.ID])
		}
	}
	if a := got["c@1"][0].GetPartitions(); a < 1800 || a > 2300 {
		t.Errorf("of two alike one has %d", a)
	}
	if got := losses(nodes[:1]); len(got["a@1"]) != 0 {
		t.Errorf("the only one: %v", got)
	}
	var many []placement.Node
	for i := range lossesTold + 8 {
		many = append(many, placement.Node{ID: ident.NodeID(fmt.Sprintf("n%d@1", i)), Weight: 100})
	}
	if got := losses(many); len(got) != lossesTold {
		t.Errorf("%d are told", len(got))
	}
}

func TestElsewhere(t *testing.T) {
	members := []member.Member{
		{ID: "self@1", Client: "self:1", State: member.Active, Weight: 100},
		{ID: "a@1", Client: "a:1", State: member.Active, Weight: 100},
		{ID: "b@1", Client: "b:1", State: member.Active, Weight: 300},
		{ID: "c@1", Client: "c:1", State: member.Draining, Weight: 100},
		{ID: "d@1", State: member.Active, Weight: 100},
		{ID: "e@1", Client: "e:1", State: member.Active, Weight: 100, Suspect: true},
		{ID: "f@1", Client: "f:1", State: member.Active, Weight: 100, Rejected: "its clock"},
		{ID: "g@1", Client: "g:1", State: member.Active},
	}
	for r, want := range map[float64]string{0: "a:1", .2: "a:1", .3: "b:1", .9999: "b:1"} {
		if got := elsewhere(members, "self@1", r); got != want {
			t.Errorf("%v: %q, not %s", r, got, want)
		}
	}
	if got := elsewhere(members[:1], "self@1", .5); got != "" {
		t.Errorf("nobody else: %q", got)
	}
}
