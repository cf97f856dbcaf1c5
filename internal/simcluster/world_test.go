package simcluster

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/jackdaw-im/jackdaw/cluster/member"
	"github.com/jackdaw-im/jackdaw/cluster/placement"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/internal/simnet"
	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/store/memstore"
)

// options are what worlds differ in.
type options struct {
	users int
	// devices: users have devices, whose sessions and accounts are real; else their sessions are played.
	devices bool
	// manual: nobody gossips; the test says who sees whom.
	manual bool
	// noDetours: nobody passes frames on, as before anybody could.
	noDetours bool
	// keys encrypt the gossip.
	keys [][]byte
	// ttl is how long messages wait, and walk how often is looked for those that have waited for too long; 0: as usual.
	ttl, walk time.Duration
	// trust: nodes have bundles of keys and certificates, which keep out whoever hasn't.
	trust bool
}

// world is a cluster in one bubble.
type world struct {
	*testing.T
	opts  options
	net   *simnet.Net
	mem   *memstore.Engine
	users []ident.UserID
	book  *book
	log   *zap.Logger
	// pause is the mean time between two messages of one user; 0: nobody sends.
	pause atomic.Int64
	lives atomic.Int64 // of peers

	mu         sync.Mutex
	rng        *rand.Rand
	nodes      map[string]*node // the present process of each name
	remembered map[string][]member.Past
	seats      map[ident.UserID]*seat
	passwords  map[ident.UserID]string // those that have changed
	devices    []*device
	pins       placement.Pins
	vault      *vault         // nil: nobody has keys
	ending     sync.WaitGroup // processes that are gone and being cleaned up
	over       bool
}

// run gives a test a world of its own.
func run(t *testing.T, seed uint64, opts options, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, opts: opts, net: simnet.New(seed, t), mem: memstore.New(memstore.Options{Shared: true, Apart: seed%2 == 0}), book: newBook(),
			nodes: map[string]*node{}, remembered: map[string][]member.Past{}, seats: map[ident.UserID]*seat{}, passwords: map[ident.UserID]string{}}
		w.rng = rand.New(rand.NewPCG(seed, 1))
		w.log = w.logger()
		if opts.trust {
			w.vault = newVault(w)
		}
		for i := range opts.users {
			w.create(ident.UserID(fmt.Sprintf("u%d@%s", i, domain)))
		}
		if opts.devices {
			w.introduce()
		}
		t.Cleanup(w.end)
		test(w)
	})
}

// create makes an account.
func (w *world) create(u ident.UserID) {
	if err := w.mem.Directory().Accounts().Create(&store.Account{User: u}); err != nil {
		w.Fatal(err)
	}
	w.users = append(w.users, u)
}

// logger writes what nodes say to the network's log of events.
func (w *world) logger() *zap.Logger {
	cfg := zapcore.EncoderConfig{MessageKey: "m", NameKey: "n", LineEnding: "\n"}
	level := zap.InfoLevel
	if *debug {
		level = zap.DebugLevel
	}
	return zap.New(zapcore.NewCore(zapcore.NewConsoleEncoder(cfg), notes{w.net}, level))
}

type notes struct{ net *simnet.Net }

// Write implements io.Writer.
func (n notes) Write(b []byte) (int, error) {
	n.net.Note("%s", strings.TrimSpace(string(b)))
	return len(b), nil
}

// Sync implements zapcore.WriteSyncer.
func (notes) Sync() error { return nil }

// end stops what still runs.
func (w *world) end() {
	w.mu.Lock()
	w.over = true
	w.mu.Unlock()
	for _, n := range w.living() {
		n.kill()
	}
	w.ending.Wait()
	w.wait(time.Minute) // what memberlist has under way ends by itself
}

// wait lets time pass.
func (w *world) wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// until waits until something is so, and returns how long that took.
func (w *world) until(what string, atMost time.Duration, so func() string) time.Duration {
	w.Helper()
	start := time.Now()
	for why := so(); why != ""; why = so() {
		if time.Since(start) > atMost {
			w.Fatalf("not within %v: %s: %s", atMost, what, why)
		}
		w.wait(50 * time.Millisecond)
	}
	return time.Since(start)
}

// draw is a number from 0 to below n.
func (w *world) draw(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rng.IntN(n)
}

// between is a duration from least to most.
func (w *world) between(least, most time.Duration) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return least + time.Duration(w.rng.Int64N(int64(most-least)+1))
}

// living are the processes that run, by name.
func (w *world) living() (list []*node) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := 1; i <= len(w.nodes); i++ {
		if n := w.nodes[nameOf(i)]; n != nil && !n.dead.Load() {
			list = append(list, n)
		}
	}
	return list
}

func nameOf(i int) string { return fmt.Sprint("n", i) }

// some is one of the living that take users.
func (w *world) some() *node { return w.towards("") }

// towards is the one of that name among the living that take users, or any; nil if there is none.
func (w *world) towards(name string) *node {
	list := slices.DeleteFunc(w.living(), func(n *node) bool { return n.leaving.Load() })
	for _, n := range list {
		if n.name == name {
			return n
		}
	}
	if len(list) == 0 {
		return nil
	}
	return list[w.draw(len(list))]
}

// begin starts n nodes at once, waits until they agree, and logs every user in.
func (w *world) begin(n int) {
	w.Helper()
	for i := range n {
		w.start(nameOf(i + 1))
	}
	w.agree(time.Minute)
	for i, u := range w.users {
		if w.opts.devices {
			w.connect(u, "x", w.living()[i%n])
			if i < 2 { // has another one, on another node
				w.connect(u, "y", w.living()[(i+1)%n])
			}
		} else {
			w.login(u, w.living()[i%n], nil)
		}
	}
	w.wait(time.Second)
}

// ended reports whether the world is at its end.
func (w *world) ended() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.over
}

// agree waits until all living nodes see each other and nobody else, all partitions are open, each on one node.
func (w *world) agree(atMost time.Duration) time.Duration {
	w.Helper()
	return w.until("agreement", atMost, w.disagreement)
}

// disagreement says what is missing; "" if nothing is.
func (w *world) disagreement() string {
	list := w.living()
	var owner [ident.Partitions]string
	open := 0
	for _, n := range list {
		v, s := n.member.View(), n.c.Status()
		switch {
		case len(v.Placed()) != len(list):
			return fmt.Sprintf("%s places %d nodes of %d", n.id, len(v.Placed()), len(list))
		case v.ID != list[0].member.View().ID || s.View != v.ID:
			return fmt.Sprintf("%s acts upon view %x, knows %x; %s has %x", n.id, s.View, v.ID, list[0].id, list[0].member.View().ID)
		case s.Waiting+s.Leaving > 0:
			return fmt.Sprintf("%s waits for %d partitions, and %d leave it", n.id, s.Waiting, s.Leaving)
		case !n.member.Agreed():
			return fmt.Sprintf("%s has heard of other views: %v", n.id, n.member.Agreement())
		}
		for _, p := range n.c.Owned() {
			if owner[p] != "" {
				return fmt.Sprintf("partition %d is %s's and %s's", p, owner[p], n.id)
			}
			owner[p] = string(n.id)
			open++
		}
	}
	if open != ident.Partitions {
		return fmt.Sprintf("%d partitions are open", open)
	}
	return ""
}
