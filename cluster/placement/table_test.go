package placement

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/jackdaw-im/jackdaw/ident"
)

// someNodes draws between least and 12 nodes with different names and weights up to 300.
func someNodes(t *rapid.T, least int) []Node {
	names := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z][a-z0-9-]{0,8}`), least, 12, rapid.ID[string]).Draw(t, "names")
	nodes := make([]Node, len(names))
	for i, name := range names {
		nodes[i] = Node{id(name, rapid.Uint32Range(0, 1<<30).Draw(t, "incarnation")), rapid.Uint32Range(0, 300).Draw(t, "weight")}
	}
	return nodes
}

func id(name string, incarnation uint32) ident.NodeID {
	return ident.NodeID(fmt.Sprintf("%s@%d", name, incarnation))
}

func TestTheSameTableFromAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes := someNodes(t, 0)
		other := rapid.Permutation(nodes).Draw(t, "permutation")
		if all := moves(Make(nodes), Make(other)); len(all) != 0 {
			t.Fatalf("%v and %v differ in %d partitions: %v", nodes, other, len(all), all[0])
		}
	})
}

// Only what a node gains or loses moves: a node that came takes, one that went gives, one with another weight does one of both.
func TestMovesAreMinimal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := someNodes(t, 1)
		after := slices.Clone(before)
		i := rapid.IntRange(0, len(before)-1).Draw(t, "which")
		was := before[i].Weight
		switch rapid.SampledFrom([]string{"goes", "comes", "another weight"}).Draw(t, "what") {
		case "goes":
			after = slices.Delete(after, i, i+1)
		case "comes":
			before, after = after, before
			before = slices.Delete(slices.Clone(before), i, i+1)
			was = 0
		default:
			after[i].Weight = rapid.Uint32Range(0, 300).Draw(t, "another weight")
		}
		changed, now := id("", 0), uint32(0)
		if slices.ContainsFunc(after, func(n Node) bool { return n.Weight > 0 }) == false {
			return // all go
		}
		for _, n := range slices.Concat(before, after) {
			if !slices.Contains(before, n) || !slices.Contains(after, n) {
				changed = n.ID
			}
		}
		for _, n := range after {
			if n.ID == changed {
				now = n.Weight
			}
		}
		for _, m := range moves(Make(before), Make(after)) {
			switch {
			case m.From == "":
			case now > was && m.To != changed:
				t.Fatalf("%s gained weight (%d to %d), and yet %v", changed, was, now, m)
			case now < was && m.From != changed:
				t.Fatalf("%s lost weight (%d to %d), and yet %v", changed, was, now, m)
			case now == was:
				t.Fatalf("nothing changed, and yet %v", m)
			}
		}
	})
}

func TestARestartMovesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes := someNodes(t, 1)
		i := rapid.IntRange(0, len(nodes)-1).Draw(t, "which")
		before := Make(nodes)
		again := slices.Clone(nodes)
		again[i].ID = id(nodes[i].ID.Name(), 4_000_000_000)
		for _, m := range moves(before, Make(again)) {
			if m.From != nodes[i].ID || m.To != again[i].ID {
				t.Fatalf("%s restarted as %s, and yet %v", nodes[i].ID, again[i].ID, m)
			}
		}
		// While both are listed, the later one counts.
		if moves := moves(Make(again), Make(append(again, nodes[i]))); again[i].Weight > 0 && len(moves) > 0 && nodes[i].ID != again[i].ID {
			t.Fatalf("an earlier incarnation beside the later one moves %d partitions", len(moves))
		}
	})
}

func TestSharesFollowTheWeights(t *testing.T) {
	for _, c := range []struct {
		nodes   int
		weights []uint32 // repeated
	}{
		{1, []uint32{100}}, {2, []uint32{100}}, {3, []uint32{100}}, {5, []uint32{100}}, {10, []uint32{100}}, {50, []uint32{100}},
		{2, []uint32{100, 200}}, {4, []uint32{100, 0}}, {6, []uint32{50, 100, 200}}, {10, []uint32{1, 2, 3, 4}}, {3, []uint32{4_000_000_000, 1}},
	} {
		var nodes []Node
		total := 0.0
		for i := range c.nodes {
			n := Node{id(fmt.Sprintf("node-%d", i), 1), c.weights[i%len(c.weights)]}
			nodes = append(nodes, n)
			total += float64(n.Weight)
		}
		share := Make(nodes).Share()
		sum := 0
		for _, n := range nodes {
			got := share[n.ID]
			sum += got
			p := float64(n.Weight) / total
			want := p * ident.Partitions
			// Each partition falls to the node independently: the deviation is that of 4096 tosses of a coin.
			if deviation := math.Sqrt(want * (1 - p)); math.Abs(float64(got)-want) > 4*deviation+0.5 {
				t.Errorf("%d nodes of weights %v: %s owns %d, want %.0f (deviation %.0f)", c.nodes, c.weights, n.ID, got, want, deviation)
			}
		}
		if sum != ident.Partitions {
			t.Errorf("%d nodes own %d partitions", c.nodes, sum)
		}
	}
}

// A join among equals moves the joining node's share and nothing else: the ideal is 4096/n.
func TestAJoinMovesItsShare(t *testing.T) {
	var nodes []Node
	for n := range 10 {
		before := Make(nodes)
		nodes = append(nodes, Node{id(fmt.Sprintf("n%d", n+1), 1), UsualWeight})
		moves := moves(before, Make(nodes))
		ideal := float64(ident.Partitions) / float64(n+1)
		if got := float64(len(moves)); math.Abs(got-ideal) > ideal*0.2 {
			t.Errorf("node %d joins: %.0f partitions move, ideal %.0f", n+1, got, ideal)
		}
		t.Logf("node %2d joins: %4d partitions move, ideal %4.0f", n+1, len(moves), ideal)
	}
}

// The table is part of the protocol between nodes: if this test fails, the code is wrong, not the test.
func TestTheTableNeverChanges(t *testing.T) {
	table := Make([]Node{{"alpha@1", 100}, {"beta@2", 50}, {"gamma@3", 200}})
	const goldenSum, goldenShare = 0xd0a60da6b9e023ba, "map[alpha@1:1174 beta@2:572 gamma@3:2350]"
	sum := uint64(0)
	for p := range ident.Partition(ident.Partitions) {
		sum = sum*31 + uint64(table.Owner(p)[0])
	}
	if share := table.Share(); sum != goldenSum || fmt.Sprint(share) != goldenShare {
		t.Errorf("the table of alpha, beta and gamma has the sum %#x and the shares %v, want %#x and %v", sum, share, uint64(goldenSum), goldenShare)
	}
}

func TestTablesWithoutNodes(t *testing.T) {
	var none *Table
	for _, table := range []*Table{none, Make(nil), Make([]Node{{"a@1", 0}})} {
		if table.Owner(1) != "" || len(table.Share()) != 0 || table.Named("a") != "" {
			t.Error("a table without nodes has an owner")
		}
	}
	one := Make([]Node{{"a@1", 1}})
	if one.Owner(ident.Partitions) != "" {
		t.Error("a partition that doesn't exist has an owner")
	}
	if one.Named("a") != "a@1" || one.Named("b") != "" {
		t.Error("a node is not found by its name")
	}
	if len(moves(nil, one)) != ident.Partitions || len(moves(one, one)) != 0 {
		t.Error("the first node does not get all partitions")
	}
}

func BenchmarkMake(b *testing.B) {
	for _, n := range []int{3, 10, 100} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var nodes []Node
			for i := range n {
				nodes = append(nodes, Node{id(fmt.Sprintf("n%d", i), 1), UsualWeight})
			}
			b.ReportAllocs()
			for b.Loop() {
				Make(nodes)
			}
		})
	}
}

// move is a partition whose owner differs between two tables.
type move struct {
	Partition ident.Partition
	// From and To are "" where there is nobody.
	From, To ident.NodeID
}

// moves returns what changes hands from one table to the next, in the order of the partitions. A node's next incarnation is another
// owner: what the node had in memory is gone.
func moves(from, to *Table) []move {
	var list []move
	for p := range ident.Partition(ident.Partitions) {
		if a, b := from.Owner(p), to.Owner(p); a != b {
			list = append(list, move{p, a, b})
		}
	}
	return list
}
