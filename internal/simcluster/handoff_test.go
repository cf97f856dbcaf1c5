package simcluster

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/mailbox"
	"github.com/jackdaw-im/jackdaw/cluster"
	"github.com/jackdaw-im/jackdaw/cluster/placement"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

var every = flag.Bool("every", false, "try every interleaving of a handoff, not some")

// What a handoff depends on: when each node sees the new view, when the release leaves, and how long other envelopes take on each way that
// matters.
const (
	viewOld = iota
	viewNew
	viewThird
	theRelease
	toOld   // from the third, with its messages
	toNew   // the same
	forward // from the old owner to the new
	dimensions
)

// delays are what each of them may be, and late is what a release may be, too: nobody waits for that one. Messages go out every few
// milliseconds all the time.
var delays = []time.Duration{0, 7 * time.Millisecond, 40 * time.Millisecond}

const late = 2500 * time.Millisecond

// interleaving is one choice of them.
type interleaving [dimensions]time.Duration

// TestHandoffInterleavings: two senders, one with the old owner and one on a third node, send to a mailbox all the time while it moves, to
// and fro, with every combination of delays. Everything is accepted, arrives once, and in its sender's order, without waiting for a
// sender's patience. Without -every it is a hundred combinations, drawn anew by each run; -seed draws those of a run again.
func TestHandoffInterleavings(t *testing.T) {
	all := []interleaving{{}}
	for d := range dimensions {
		var more []interleaving
		for _, x := range all {
			choice := delays
			if d == theRelease {
				choice = append(choice[:len(choice):len(choice)], late)
			}
			for _, x[d] = range choice {
				more = append(more, x)
			}
		}
		all = more
	}
	seed := rand.Uint64N(1e6)
	flag.Visit(func(f *flag.Flag) {
		if f.Name == "seed" {
			seed = *first
		}
	})
	t.Logf("the same again: go test ./internal/simcluster -run TestHandoffInterleavings -every=%v -seed %d", *every, seed)
	rng := rand.New(rand.NewPCG(seed, 7))
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	if !*every {
		all = all[:100]
	}
	run(t, seed, options{users: 3, manual: true}, func(w *world) {
		h := newHandoff(w)
		for i, x := range all {
			if h.move(x); t.Failed() {
				t.Fatalf("interleaving %d of %d: %v", i, len(all), x)
			}
		}
		t.Logf("%d handoffs, %d messages, each answered within %v, %d came again", len(all), h.sent, h.slowest, h.again)
	})
}

// handoff is a mailbox that moves between two nodes, and a third that looks on.
type handoff struct {
	*world
	a, b, c *node // a has it while b isn't in the view, then b
	user    ident.UserID
	senders []*seat
	both    bool // b is in the view
	now     interleaving
	views   uint64

	sent, again int
	slowest     time.Duration
}

func newHandoff(w *world) *handoff {
	h := &handoff{world: w}
	h.a, h.b, h.c = w.start("n1"), w.start("n2"), w.start("n3")
	for _, n := range []*node{h.a, h.b, h.c} {
		n.hold = func(to ident.NodeID, e *nodepb.Envelope) time.Duration { return h.delay(n, to, e) }
	}
	h.view(h.a, false)
	h.view(h.b, false)
	h.view(h.c, false)
	w.wait(3 * time.Second)
	// The user's mailbox is on n1 without n2, on n2 with it.
	for i := 0; ; i++ {
		u := ident.UserID(fmt.Sprintf("u%d@example.org", i))
		if i == len(w.users) {
			w.create(u)
		}
		if p := ident.PartitionOf(mailbox.Kind, string(u)); h.owner(p, false) == h.a.id && h.owner(p, true) == h.b.id {
			h.user = u
			break
		}
	}
	w.login(h.user, h.c, nil)
	for i, n := range []*node{h.a, h.c} {
		u := w.users[(i+1)%len(w.users)]
		if u == h.user {
			u = w.users[0]
		}
		w.login(u, n, nil)
		h.senders = append(h.senders, w.seats[u])
	}
	w.wait(time.Second)
	return h
}

func (h *handoff) placed(both bool) (list []placement.Node) {
	for _, n := range []*node{h.a, h.b, h.c} {
		if n != h.b || both {
			list = append(list, placement.Node{ID: n.id, Weight: placement.UsualWeight})
		}
	}
	return list
}

func (h *handoff) owner(p ident.Partition, both bool) ident.NodeID {
	return placement.Make(h.placed(both)).Owner(p)
}

// view tells a node who is there.
func (h *handoff) view(n *node, both bool) {
	v := cluster.View{ID: h.views + 1, Placed: h.placed(both), Peers: map[ident.NodeID]string{}, Hears: map[ident.NodeID]bool{}}
	for _, other := range []*node{h.a, h.b, h.c} {
		if other != n {
			v.Peers[other.id], v.Hears[other.id] = other.sim.Addr(), true
		}
	}
	n.c.SetView(v)
}

// delay is how long an envelope waits before it is sent.
func (h *handoff) delay(from *node, to ident.NodeID, e *nodepb.Envelope) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	old, next := h.a, h.b
	if !h.both { // it moves back
		old, next = h.b, h.a
	}
	switch {
	case from == old && e.How == nodepb.Envelope_RELEASED:
		return h.now[theRelease] + h.now[forward]
	case from == old && to == next.id:
		return h.now[forward]
	case from == h.c && to == old.id:
		return h.now[toOld]
	case from == h.c && to == next.id:
		return h.now[toNew]
	}
	return 0
}

// move lets the mailbox move once while both senders send.
func (h *handoff) move(x interleaving) {
	h.mu.Lock()
	h.now, h.both = x, !h.both
	h.views++
	both := h.both
	h.mu.Unlock()
	old, next := h.a, h.b
	if !both {
		old, next = h.b, h.a
	}
	for i, n := range []*node{old, next, h.c} {
		time.AfterFunc(20*time.Millisecond+x[viewOld+i], func() { h.view(n, both) })
	}
	for range 30 {
		for _, s := range h.senders {
			s.tell(func(ctx *actors.Context, p *peer) { p.say(ctx, h.user) })
		}
		h.wait(5 * time.Millisecond)
	}
	h.quiet()
}

// quiet waits until everything that was said has come, which takes no sender's patience, and looks whether it came in order.
func (h *handoff) quiet() {
	h.Helper()
	h.until("all is answered and delivered", 4*time.Second, func() string {
		h.book.mu.Lock()
		open := ""
		for _, e := range h.book.all {
			if e.code != nodepb.Code_OK || e.times == 0 {
				open = e.String()
			}
		}
		h.book.mu.Unlock()
		if left := h.left(); open == "" && len(left) > 0 {
			open = fmt.Sprintf("%d rows in the store: %v", len(left), h.stuck())
		}
		for _, n := range []*node{h.a, h.b, h.c} { // a copy that comes after its message was acknowledged, and moved since, is another message
			n.mu.Lock()
			for w, l := range n.waiting {
				if len(l.list) > 0 {
					open = fmt.Sprintf("%d envelopes wait at %s for %v", len(l.list), n.id, w)
				}
			}
			n.mu.Unlock()
		}
		return open
	})
	s, wrong := h.book.judge(nil)
	if len(wrong) > 0 {
		h.Error(wrong)
	}
	h.sent, h.again, h.slowest = h.sent+s.sent, h.again+s.again, max(h.slowest, s.slowest.took)
	h.until("the partition is open on one node", 4*time.Second, func() string {
		p := ident.PartitionOf(mailbox.Kind, string(h.user))
		want := h.owner(p, h.both)
		for _, n := range []*node{h.a, h.b, h.c} {
			s, open := n.c.Status(), false
			for _, q := range n.c.Owned() {
				open = open || q == p
			}
			if open != (n.id == want) || s.Waiting+s.Leaving+s.Held > 0 {
				return fmt.Sprintf("%s: open %v, %+v", n.id, open, s)
			}
		}
		return ""
	})
	h.book.mu.Lock()
	defer h.book.mu.Unlock()
	clear(h.book.all) // the next handoff is judged alone
}
