package trust

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestKeepersSpreadAChange(t *testing.T) {
	r := newRig(t, "a", "b", "c")
	r.keep()
	must(t)(r.nodes["b"].Change(func(b *Bundle) (*Bundle, error) {
		return b.WithStores([]DSN{"postgres://a:new@db/"}, "", "ada", time.Now())
	}))
	r.until("all have the new password", func() bool {
		b, ok := r.agreed("a", "b", "c")
		return ok && b.Stores[0] == "postgres://a:new@db/"
	})
}

func TestKeepersRotateAll(t *testing.T) {
	r := newRig(t, "a", "b", "c")
	first := r.nodes["a"].Bundle()
	r.keep()
	must(t)(r.nodes["c"].Change(func(b *Bundle) (*Bundle, error) { return b.RotateAll("ada", time.Now()) }))
	r.until("the rotation's end", func() bool {
		b, ok := r.agreed("a", "b", "c")
		return ok && b.Version == 4 && !b.Rotating()
	})
	last := r.nodes["a"].Bundle()
	if last.Pins()[0] == first.Pins()[0] || string(last.GossipKeys()[0]) == string(first.GossipKeys()[0]) {
		t.Error("the old keys are used")
	}
	for _, server := range []string{"a", "b", "c"} {
		for _, client := range []string{"a", "b", "c"} {
			if s, c := shake(r.nodes[server].ServerTLS("t"), r.nodes[client].ClientTLS(server, "t")); s != nil || c != nil {
				t.Errorf("%s to %s: %v, %v", client, server, s, c)
			}
		}
	}
}

// TestKeepersWaitForWhoIsSlow: a rotation's next step waits for a member that hasn't come to the last.
func TestKeepersWaitForWhoIsSlow(t *testing.T) {
	r := newRig(t, "a", "b")
	k := NewKeeper(KeeperConfig{Live: r.nodes["a"].Live, Members: func() []Member { return []Member{{Name: "b", Addr: "127.0.0.1:1", Stamp: r.nodes["b"].Stamp()}} }})
	now := time.Now()
	r.nodes["a"].o.Now = func() time.Time { return now }
	must(t)(r.nodes["a"].Change(func(b *Bundle) (*Bundle, error) { return b.RotateAll("ada", now) }))
	for range 5 {
		now = now.Add(time.Minute)
		k.round(t.Context())
	}
	if got := r.nodes["a"].Bundle(); got.Version != 2 {
		t.Errorf("version %d, and b has %d", got.Version, r.nodes["b"].Bundle().Version)
	}
	must(t)(r.nodes["a"].Change(func(b *Bundle) (*Bundle, error) { return b.Revoke("eve", "ada", now) }))
	for range 5 {
		now = now.Add(RevocationPatience)
		k.round(t.Context())
	}
	if got := r.nodes["a"].Bundle(); got.Rotating() {
		t.Errorf("a revocation waits for ever: %v", got)
	}
}

// TestKeepersWaitForWhoIsMissing: a rotation's next step waits for a member that was lost before it had the last, as long as that may only be cut
// off; not for one that had it, that has another address now, or is revoked.
func TestKeepersWaitForWhoIsMissing(t *testing.T) {
	const addr, unknown = "192.0.2.2:1", "192.0.2.3:1"
	start := func() (a *rigNode, k *Keeper, there *[]Member, missing *[]Member, pass func(time.Duration)) {
		r := newRig(t, "a")
		a, there, missing = r.nodes["a"], &[]Member{}, &[]Member{}
		k = NewKeeper(KeeperConfig{Live: a.Live, Logger: a.log, Members: func() []Member { return *there }, Missing: func() []Member { return *missing }})
		now := time.Now()
		a.o.Now = func() time.Time { return now }
		return a, k, there, missing, func(d time.Duration) {
			for ; d > 0; d -= time.Second {
				now = now.Add(time.Second)
				k.round(t.Context())
			}
		}
	}
	for name, c := range map[string]struct {
		lost     string // its address
		name     string // as an earlier life of this node remembers it
		had      uint64 // the version that it had when it was lost
		back     bool   // it has another address
		revoked  bool
		waits    time.Duration
		versions uint64 // after a minute
	}{
		"nobody":                     {versions: 4},
		"one without the first step": {lost: addr, had: 1, waits: 2 * AwayPatience, versions: 2},
		"one with the first step":    {lost: addr, had: 2, waits: AwayPatience, versions: 3},
		"one with all steps":         {lost: addr, had: 4, versions: 4},
		"one of an earlier life":     {lost: unknown, waits: 2 * AwayPatience, versions: 2},
		"one that is back":           {lost: addr, had: 1, back: true, versions: 4},
		"one that is revoked":        {lost: addr, had: 1, revoked: true, versions: 5},
		"one of before, revoked":     {lost: unknown, name: "b", revoked: true, versions: 5},
	} {
		t.Run(name, func(t *testing.T) {
			a, k, there, missing, pass := start()
			if c.lost == addr {
				*there = []Member{{Name: "b", Addr: addr, Stamp: Stamp{Version: c.had, Digest: 1}}}
				k.failed["b"] = a.o.Now().Add(time.Hour) // what it has isn't asked for
				k.round(t.Context())
				*there = nil
			}
			if c.lost != "" {
				*missing = []Member{{Name: c.name, Addr: c.lost}}
			}
			if c.back {
				*there = []Member{{Name: "b", Addr: "192.0.2.9:1", Stamp: Stamp{Version: 9}}}
			}
			now := a.o.Now()
			if c.revoked {
				must(t)(a.Change(func(b *Bundle) (*Bundle, error) { return b.Revoke("b", "ada", now) }))
				pass(time.Minute)
			}
			must(t)(a.Change(func(b *Bundle) (*Bundle, error) { return b.RotateAll("ada", a.o.Now()) }))
			pass(time.Minute)
			want := c.versions
			if c.revoked {
				want += 2
			}
			if got := a.Bundle().Version; got != want {
				t.Errorf("after a minute: version %d, want %d", got, want)
			}
			if said := a.logs.FilterMessage("the rotation of keys waits for members that are missing").Len(); (said > 0) != (c.waits > 0) {
				t.Errorf("it said %d times that it waits", said)
			}
			pass(c.waits + time.Minute)
			if a.Bundle().Rotating() {
				t.Errorf("it waits longer than %v", c.waits)
			}
		})
	}
}

// TestRevocation: within 10 s of a revocation the node is admitted nowhere any more, and the keys that it has count no more, though
// one member is away meanwhile; that one joins again with a token.
func TestRevocation(t *testing.T) {
	r := newRig(t, "a", "b", "c", "eve", "late")
	r.setAway("late", true)
	r.keep()
	began := time.Now()
	cert := r.nodes["eve"].state.Load().certs[0].Leaf
	must(t)(r.nodes["b"].Change(func(b *Bundle) (*Bundle, error) { return b.Revoke("eve", "ada", time.Now()) }))
	r.until("the end of the old keys", func() bool {
		b, ok := r.agreed("a", "b", "c")
		return ok && !b.Rotating() && !b.leaving()
	})
	for _, name := range []string{"a", "b", "c"} {
		for peer, want := range map[string]error{"eve": ErrRevoked, "bob": ErrDropped} { // she may have made herself his
			if err := r.nodes[name].Admit(peer, cert); !errors.Is(err, want) {
				t.Errorf("%s of %s: %v", name, peer, err)
			}
		}
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	if eve := r.nodes["eve"].Bundle(); eve.Version != 1 {
		t.Errorf("eve has version %d", eve.Version)
	}
	if s, c := shake(r.nodes["a"].ServerTLS("t"), r.nodes["eve"].ClientTLS("", "t")); s == nil || c == nil {
		t.Errorf("eve comes in: %v, %v", s, c)
	}
	if _, err := r.nodes["late"].Fetch(t.Context(), r.member("a")); err == nil {
		t.Error("who was away can fetch by the old authority, and so could eve")
	}
	again, err := join(r.nodes["a"], "late")
	if err != nil {
		t.Fatal(err)
	}
	late, err := Create(r.nodes["late"].o, again) // over the old file
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close()
	if s, c := shake(r.nodes["a"].ServerTLS("t"), late.ClientTLS("a", "t")); s != nil || c != nil {
		t.Errorf("late doesn't come in again: %v, %v", s, c)
	}
}

// TestKeepersUnite: two halves of a cluster each revoke a node; when they meet, both are revoked and the keys are rotated once more.
func TestKeepersUnite(t *testing.T) {
	r := newRig(t, "a", "b", "x", "y")
	must(t)(r.nodes["a"].Change(func(b *Bundle) (*Bundle, error) { return b.Revoke("x", "ada", time.Now()) }))
	must(t)(r.nodes["b"].Change(func(b *Bundle) (*Bundle, error) { return b.Revoke("y", "bob", time.Now()) }))
	if _, err := r.nodes["a"].Merge(r.nodes["b"].Bundle()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.nodes["b"].Merge(r.nodes["a"].Bundle()); err != nil {
		t.Fatal(err)
	}
	r.keep()
	r.until("one bundle that revokes both", func() bool {
		b, ok := r.agreed("a", "b")
		return ok && b.IsRevoked("x") && b.IsRevoked("y") && !b.Rotating() && !b.leaving()
	})
}

func TestKeepersLog(t *testing.T) {
	r := newRig(t, "a")
	a := r.nodes["a"]
	k := NewKeeper(KeeperConfig{Live: a.Live, Logger: a.log, Members: func() []Member {
		return []Member{{Name: "b", Addr: "127.0.0.1:1", Stamp: Stamp{Version: 9}}, {Name: "c", Addr: "127.0.0.1:1", Stamp: Stamp{Version: 9}}}
	}})
	for range 5 {
		k.round(t.Context())
	}
	if entries := a.logs.FilterMessage("a newer bundle of keys can't be fetched").All(); len(entries) != 1 || fmt.Sprint(entries[0].ContextMap()["node"]) == "" {
		t.Errorf("%d entries in a moment: %v", len(entries), entries)
	}
	k.Stop() // never started
}

// TestWhoLeads: the node that began first takes the steps of a rotation, unless some go by names.
func TestWhoLeads(t *testing.T) {
	a := newRig(t, "m").nodes["m"]
	for _, c := range []struct {
		what    string
		since   uint64
		members []Member
		want    bool
	}{
		{"nobody else", 5, nil, true},
		{"the oldest", 5, []Member{{Name: "a", Since: 6}, {Name: "z", Since: 7}}, true},
		{"not the oldest", 5, []Member{{Name: "a", Since: 6}, {Name: "z", Since: 4}}, false},
		{"at the same time", 5, []Member{{Name: "a", Since: 5}}, false},
		{"some go by names, one lower", 5, []Member{{Name: "a", Since: 6}, {Name: "z"}}, false},
		{"some go by names, all higher", 5, []Member{{Name: "z"}, {Name: "n", Since: 1}}, true},
	} {
		if got := NewKeeper(KeeperConfig{Live: a.Live, Since: c.since}).leads(c.members); got != c.want {
			t.Errorf("%s: %v", c.what, got)
		}
	}
}
