package simcluster

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/mailbox"
	"github.com/jackdaw-im/jackdaw/cluster/placement"
	"github.com/jackdaw-im/jackdaw/ident"
)

// newsTime is within which all nodes hear of a change of the override table.
const newsTime = 500 * time.Millisecond

// table is the override table of now.
func (w *world) table() placement.Pins {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pins
}

// pin puts a user's mailbox on a node; "": on its partition's. The nodes hear of it one after the other.
func (w *world) pin(u ident.UserID, node string) {
	w.mu.Lock()
	w.pins = w.pins.With(placement.Pin{Kind: mailbox.Kind, ID: string(u), Node: node})
	w.mu.Unlock()
	w.net.Note("%s is pinned to %q", u, node)
	if w.vault != nil {
		w.override(u, node)
		return
	}
	for _, n := range w.living() {
		time.AfterFunc(w.between(0, newsTime), func() {
			if !n.dead.Load() {
				n.viewed.Store(time.Now().UnixNano())
				n.c.SetPins(w.table())
			}
		})
	}
}

// pinSome pins one of some users to any node, or takes the pin away.
func (w *world) pinSome(users []ident.UserID) {
	list := w.living()
	node := ""
	if i := w.draw(len(list) + 1); i < len(list) {
		node = list[i].name
	}
	w.pin(users[w.draw(len(users))], node)
}

// pinAll pins all users to one node, which it returns once they are there.
func (w *world) pinAll() *node {
	n := w.some()
	for _, u := range w.users {
		w.pin(u, n.name)
	}
	w.wait(3 * time.Second)
	return n
}

// watchTwins fails if a mailbox may act on one node while another one has it still. What it returns ends that.
func (w *world) watchTwins() (end func()) {
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() {
		tick := time.NewTicker(3 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			for _, u := range w.users {
				acts, there := "", 0
				for _, n := range w.living() {
					if n.sys.Alive(mailbox.Ref(u)) {
						there++
						if n.c.Local(mailbox.Ref(u)) {
							acts = string(n.id)
						}
					}
				}
				if acts != "" && there > 1 {
					w.Errorf("%s: %v acts on %s, and another node has it", time.Now().Format("04:05.000"), u, acts)
				}
			}
		}
	})
	return func() { close(stop); wg.Wait() }
}

// TestPinnedExpiry: messages for a mailbox that a pin puts elsewhere than its partition expire where it is: their sender hears of each,
// nothing of them is left, and nobody else begins to have that mailbox.
func TestPinnedExpiry(t *testing.T) {
	run(t, *first, options{users: 2, ttl: time.Minute, walk: time.Minute}, func(w *world) {
		for i := range 3 {
			w.start(nameOf(i + 1))
		}
		w.agree(time.Minute)
		from, to := w.users[0], w.users[1]
		var n *node // another than its partition's
		for _, x := range w.living() {
			if !slices.Contains(x.c.Owned(), ident.PartitionOf(mailbox.Kind, string(to))) {
				n = x
			}
		}
		w.login(from, w.living()[0], nil)
		w.wait(time.Second)
		const said = 5
		say := func() {
			w.seats[from].tell(func(ctx *actors.Context, p *peer) {
				for range said {
					p.say(ctx, to)
				}
			})
			w.wait(time.Second)
			if left := w.left(); len(left) != said {
				t.Fatalf("%d rows are stored", len(left))
			}
		}
		expire := func(times int) {
			w.until("all have expired", 5*time.Minute, func() string {
				for _, x := range w.living() {
					if x != n && x.sys.Alive(mailbox.Ref(to)) {
						t.Fatalf("%s has the mailbox, which is pinned to %s", x.id, n.id)
					}
				}
				if w.told(from) < times*said || len(w.left()) > 0 {
					return "not yet"
				}
				return ""
			})
			if got := n.boxes.Expired.Load(); got != int64(times*said) || w.told(from) != times*said {
				t.Errorf("%d expired on its node, and its sender was told %d times", got, w.told(from))
			}
		}
		w.pin(to, n.name)
		w.wait(3 * time.Second)
		say()
		expire(1)
		say() // what comes later has nothing of it in its way
		w.wait(10 * time.Minute)
		expire(2)
	})
}

// told is how many messages came back to a user as errors.
func (w *world) told(u ident.UserID) int {
	w.book.mu.Lock()
	defer w.book.mu.Unlock()
	return w.book.errors[u]
}
