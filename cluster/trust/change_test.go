package trust

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestGossipRotation(t *testing.T) {
	b := newBundle(t, epoch)
	old := b.GossipKeys()[0]
	if _, err := b.Advance(epoch); err == nil {
		t.Error("a step of no rotation")
	}
	in := must(t)(b.InstallGossip("ada", epoch))
	fresh := in.GossipKeys()[1]
	use := must(t)(in.Advance(epoch))
	out := must(t)(use.Advance(epoch))
	for i, c := range []struct {
		b    *Bundle
		want [][]byte
	}{{b, [][]byte{old}}, {in, [][]byte{old, fresh}}, {use, [][]byte{fresh, old}}, {out, [][]byte{fresh}}} {
		if got := c.b.GossipKeys(); !reflect.DeepEqual(got, c.want) || c.b.Version != uint64(i+1) {
			t.Errorf("version %d: %d keys, the wrong ones", c.b.Version, len(got))
		}
	}
	if _, err := in.InstallGossip("ada", epoch); !errors.Is(err, ErrRotating) {
		t.Errorf("two rotations at once: %v", err)
	}
	for _, c := range []struct {
		from, to *Bundle
		want     GossipDiff
	}{
		{b, in, GossipDiff{Install: [][]byte{fresh}, Use: old}}, {in, use, GossipDiff{Use: fresh}}, {use, out, GossipDiff{Use: fresh, Remove: [][]byte{old}}},
		{b, out, GossipDiff{Install: [][]byte{fresh}, Use: fresh, Remove: [][]byte{old}}}, {b, b, GossipDiff{Use: old}},
	} {
		if got := DiffGossip(c.from, c.to); !reflect.DeepEqual(got, c.want) {
			t.Errorf("from %d to %d: %v", c.from.Version, c.to.Version, got)
		}
	}
	want := []string{"the new key of gossip is used", "a new key of gossip is installed", "the cluster was made"}
	for i, c := range out.History {
		if c.What != want[i] || c.Version != uint64(3-i) || c.Digest == "" || !c.At.Equal(epoch) {
			t.Errorf("history %d: %+v", i, c)
		}
	}
}

func TestAuthorityRotation(t *testing.T) {
	b := newBundle(t, epoch)
	both := must(t)(b.AddAuthority("ada", epoch))
	if _, err := both.AddAuthority("ada", epoch); !errors.Is(err, ErrRotating) {
		t.Error(err)
	}
	signs := must(t)(both.Advance(epoch))
	only := must(t)(signs.Advance(epoch))
	pins := both.Pins()
	if !slices.Equal(b.Pins(), pins[:1]) || !slices.Equal(signs.Pins(), []Pin{pins[1], pins[0]}) || !slices.Equal(only.Pins(), pins[1:]) {
		t.Error("the wrong authorities")
	}
	if only.Authorities[0].Number != 2 {
		t.Errorf("number %d", only.Authorities[0].Number)
	}
}

func TestRevoke(t *testing.T) {
	b := newBundle(t, epoch)
	r := must(t)(b.Revoke("eve", "ada", epoch))
	r = must(t)(r.Revoke("bob", "ada", epoch)) // in the midst of the first
	if !slices.Equal(r.Revoked, []string{"bob", "eve"}) || !r.IsRevoked("eve") || r.IsRevoked("ada") || b.IsRevoked("eve") {
		t.Errorf("%v", r.Revoked)
	}
	if len(r.Authorities) != 3 || !r.Authorities[0].Leaving || !r.Authorities[1].Leaving || r.Authorities[2].Leaving || len(r.Gossip) != 3 {
		t.Errorf("%v", r)
	}
	if bytes.Equal(r.Token.Secret, b.Token.Secret) || bytes.Equal(r.Tickets.Seed, b.Tickets.Seed) || len(r.Tickets.Keys) != 1 {
		t.Error("keys that the revoked node has are still used")
	}
	for r.Rotating() {
		r = must(t)(r.Advance(epoch))
	}
	if r.Version != 5 || len(r.Authorities) != 1 || r.Authorities[0].Number != 3 || r.leaving() || r.Gossip[0].Number != 3 {
		t.Errorf("%v", r)
	}
	if _, err := r.Advance(epoch); err == nil {
		t.Error("a step of no rotation")
	}
	if _, err := r.Revoke("eve", "ada", epoch); err == nil {
		t.Error("revoked twice")
	}
	if _, err := r.Revoke("No Name", "ada", epoch); err == nil {
		t.Error("no name was revoked")
	}
	if _, err := r.Readmit("carol", "ada", epoch); err == nil {
		t.Error("readmitted without having been revoked")
	}
	if r = must(t)(r.Readmit("eve", "ada", epoch)); !slices.Equal(r.Revoked, []string{"bob"}) {
		t.Errorf("%v", r.Revoked)
	}
	for i := range maxKeys {
		var err error
		if r, err = r.Revoke(fmt.Sprint("n", i), "ada", epoch); err != nil {
			if i < maxKeys-1 {
				t.Errorf("revocation %d: %v", i, err)
			}
			break
		}
	}
}

func TestDue(t *testing.T) {
	b := newBundle(t, epoch)
	rotating := must(t)(b.RotateAll("ada", epoch))
	if _, err := rotating.RotateAll("ada", epoch); !errors.Is(err, ErrRotating) {
		t.Error(err)
	}
	revoking := must(t)(b.Revoke("eve", "ada", epoch))
	for _, c := range []struct {
		name    string
		b       *Bundle
		members map[string]uint64
		held    time.Duration
		due     bool
		lagging string
	}{
		{"nothing is rotated", b, nil, time.Hour, false, ""},
		{"alone", rotating, nil, Settle, true, ""},
		{"too early", rotating, nil, Settle - 1, false, ""},
		{"all have it", rotating, map[string]uint64{"a": 2, "b": 3}, Settle, true, ""},
		{"two lag", rotating, map[string]uint64{"c": 0, "a": 2, "b": 1}, 1000 * time.Hour, false, "b c"},
		{"a revocation waits", revoking, map[string]uint64{"b": 1}, RevocationPatience - 1, false, "b"},
		{"but not for ever", revoking, map[string]uint64{"b": 1}, RevocationPatience, true, "b"},
		{"and not for the revoked", revoking, map[string]uint64{"b": 2, "eve": 1}, Settle, true, ""},
	} {
		if got := c.b.Due(c.members, c.held); got != c.due {
			t.Errorf("%s: %v", c.name, got)
		}
		if got := strings.Join(c.b.Lagging(c.members), " "); got != c.lagging {
			t.Errorf("%s: %s lag", c.name, got)
		}
	}
}

func TestStores(t *testing.T) {
	b := newBundle(t, epoch)
	n := must(t)(b.WithStores([]DSN{"postgres://a:new@db/x"}, "postgres://a:new@db/y", "ada", epoch))
	if n.Version != 2 || n.Stores[0].Reveal() != "postgres://a:new@db/x" || len(b.Stores) != 1 || b.Stores[0] == n.Stores[0] {
		t.Errorf("%v", n)
	}
	if want := "stores postgres://a:(secret)@db/x; directory postgres://a:(secret)@db/y"; n.StoresText() != want {
		t.Error(n.StoresText())
	}
	if _, err := b.WithStores(make([]DSN, maxStores+1), "", "ada", epoch); err == nil {
		t.Error("too many stores")
	}
}

func TestTicketKeys(t *testing.T) {
	b := newBundle(t, epoch)
	if b.RotateTickets(epoch.Add(11*time.Hour)) != b || b.RotateTickets(epoch.AddDate(0, 0, -31)) != b {
		t.Error("a new key within a day, or of the past")
	}
	at := epoch
	for i := range 10 {
		before := b.TicketKeys()
		at = at.AddDate(0, 0, 1)
		n := b.RotateTickets(at)
		same := b.RotateTickets(at.Add(3 * time.Hour)) // another node, later that day
		if n.Stamp() != same.Stamp() || n.Version != b.Version+1 {
			t.Fatal("two nodes make two bundles")
		}
		keys := n.TicketKeys()
		if keys[0] != before[len(before)-1] || keys[1] != before[0] || len(keys) != min(i+2, ticketKeys)+1 {
			t.Fatalf("day %d: the order isn't current, earlier, next", i)
		}
		var cfg tls.Config
		cfg.SetSessionTicketKeys(keys)
		b = n
	}
	jumped := b.RotateTickets(at.AddDate(0, 0, 31))
	if jumped.Version != b.Version+1 || jumped.TicketKeys()[1] != b.TicketKeys()[0] {
		t.Error("after a jump of the clock all tickets are void")
	}
	if jumped.RotateTickets(at.AddDate(0, 0, 1)) != jumped {
		t.Error("after a jump back there are new keys again")
	}
}

// TestNeighboursUnderstandEachOther: nodes that fall behind by chance, through rotations that wait for them as Due says, never meet one
// whose gossip they can't read or whose certificate they don't know.
func TestNeighboursUnderstandEachOther(t *testing.T) {
	const nodes = 4
	for seed := range uint64(30) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		newestB := newBundle(t, epoch)
		has := slices.Repeat([]*Bundle{newestB}, nodes)
		for range 60 {
			switch rnd.IntN(6) {
			case 0:
				newestB = change(newestB, func(b *Bundle) (*Bundle, error) { return b.InstallGossip("ada", epoch) })
			case 1:
				newestB = change(newestB, func(b *Bundle) (*Bundle, error) { return b.AddAuthority("ada", epoch) })
			case 2:
				newestB = change(newestB, func(b *Bundle) (*Bundle, error) { return b.RotateAll("ada", epoch) })
			case 3:
				newestB = newestB.RotateToken("ada", epoch)
			default:
				versions := map[string]uint64{}
				for i, b := range has {
					versions[fmt.Sprint(i)] = b.Version
				}
				if newestB.Due(versions, time.Hour) {
					newestB = must(t)(newestB.Advance(epoch))
				}
			}
			has[rnd.IntN(nodes)] = newestB
			for i := range has {
				for j := range has {
					if a, b := has[i], has[j]; !slices.Contains(keysOf(b), string(a.Gossip[0].Secret)) || !slices.Contains(b.Pins(), a.Pins()[0]) {
						t.Fatalf("seed %d: %d is not understood by %d:\n%v\n%v", seed, i, j, a, b)
					}
				}
			}
		}
	}
}

// change takes a step if it is possible.
func change(b *Bundle, f func(*Bundle) (*Bundle, error)) *Bundle {
	if n, err := f(b); err == nil {
		return n
	}
	return b
}

func keysOf(b *Bundle) []string {
	var keys []string
	for _, k := range b.Gossip {
		keys = append(keys, string(k.Secret))
	}
	return keys
}

func TestMerge(t *testing.T) {
	b := newBundle(t, epoch)
	tokens := b.RotateToken("ada", epoch)
	stores := must(t)(b.WithStores(nil, "x", "bob", epoch))
	revoked := must(t)(b.Revoke("eve", "ada", epoch))
	tickets := b.RotateTickets(epoch.AddDate(0, 0, 1))
	longer := tickets.RotateTickets(epoch.AddDate(0, 0, 2))
	ahead := b
	for range keptChanges + 5 {
		ahead = ahead.RotateToken("ada", epoch)
	}
	for _, c := range []struct {
		name   string
		a, b   *Bundle
		winner *Bundle // nil: a union
		lost   bool
	}{
		{"the same", b, must(t)(Decode(b.Encode())), b, false},
		{"a newer one", b, tokens, tokens, false},
		{"beside each other", tokens, stores, nil, true},
		{"one that came by itself", tickets, stores, stores, true},
		{"a longer way", tokens, longer, longer, true},
		{"longer than history", b, ahead, ahead, false},
		{"a revocation lost", longer, revoked, nil, true},
		{"a revocation won", tickets, revoked, revoked, true},
	} {
		m, err := Merge(c.a, c.b)
		n, err2 := Merge(c.b, c.a)
		if err != nil || err2 != nil || m.Bundle.Stamp() != n.Bundle.Stamp() {
			t.Errorf("%s: the order counts: %v, %v, %v, %v", c.name, m, n, err, err2)
			continue
		}
		if c.winner != nil && m.Bundle.Stamp() != c.winner.Stamp() || (m.Lost != nil) != c.lost || (m.Conflict() != "") != c.lost {
			t.Errorf("%s: %v won, %v, %q", c.name, m.Bundle.Stamp(), m.Lost != nil, m.Conflict())
		}
		if c.lost && (!strings.Contains(m.Conflict(), m.Lost.Stamp().String()) || !strings.Contains(m.Conflict(), m.Bundle.Stamp().String())) {
			t.Errorf("%s: %q doesn't say both", c.name, m.Conflict())
		}
		for _, name := range slices.Concat(c.a.Revoked, c.b.Revoked) {
			if !m.Bundle.IsRevoked(name) {
				t.Errorf("%s: %s is no longer revoked", c.name, name)
			}
		}
		// It has come to an end: meeting either of them again changes nothing.
		for _, old := range []*Bundle{c.a, c.b} {
			if again, err := Merge(m.Bundle, old); err != nil || again.Bundle.Stamp() != m.Bundle.Stamp() {
				t.Errorf("%s: merged again it is %v, %v", c.name, again.Bundle.Stamp(), err)
			}
		}
	}
	union, _ := Merge(longer, revoked)
	if union.Bundle.Version != longer.Version+1 || !union.Bundle.orphaned() {
		t.Errorf("the keys that the revoked node has stay: %v", union.Bundle)
	}
	if _, err := Merge(b, newBundle(t, epoch)); !errors.Is(err, ErrOtherCluster) {
		t.Errorf("another cluster: %v", err)
	}
}

// TestMergesConverge: nodes that change, hear of each other in any order and merge, all come to one bundle that revokes all.
func TestMergesConverge(t *testing.T) {
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		first := newBundle(t, epoch)
		has := slices.Repeat([]*Bundle{first}, 4)
		revoked := map[string]bool{}
		for range 12 {
			i := rnd.IntN(len(has))
			switch rnd.IntN(3) {
			case 0:
				name := fmt.Sprint("n", rnd.IntN(5))
				has[i] = change(has[i], func(b *Bundle) (*Bundle, error) { return b.Revoke(name, "ada", epoch) })
				revoked[name] = revoked[name] || has[i].IsRevoked(name)
			case 1:
				has[i] = has[i].RotateToken("ada", epoch)
			default:
				m, err := Merge(has[i], has[rnd.IntN(len(has))])
				if err != nil {
					t.Fatal(err)
				}
				has[i] = m.Bundle
			}
		}
		for range 4 {
			for i := range has {
				for j := range has {
					m, err := Merge(has[i], has[j])
					if err != nil {
						t.Fatal(err)
					}
					has[i] = m.Bundle
				}
			}
		}
		for i, b := range has {
			if b.Stamp() != has[0].Stamp() {
				t.Errorf("seed %d: %d has %v, and 0 has %v", seed, i, b.Stamp(), has[0].Stamp())
			}
		}
		for name := range maps.Keys(revoked) {
			if revoked[name] && !has[0].IsRevoked(name) {
				t.Errorf("seed %d: %s is forgotten", seed, name)
			}
		}
	}
}
