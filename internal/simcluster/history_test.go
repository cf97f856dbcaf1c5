package simcluster

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/mailbox"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store/storetest"
)

var (
	seeds    = flag.Int("seeds", 0, "how many histories of each fault; 0: one, the first seed and the one after it in turn")
	first    = flag.Uint64("seed", 1, "the first seed")
	crowd    = flag.Int("users", 8, "how many users a history has")
	pace     = flag.Duration("pace", 200*time.Millisecond, "the mean time between two messages of a user")
	withKeys = flag.Bool("keys", false, "have keys and certificates in all histories")
	debug    = flag.Bool("debug", false, "write what nodes log for debugging to the log of events, too")
)

// TestHistories: whatever happens to nodes and network, nothing that was accepted is lost, the order is kept while the cluster is
// one, and afterwards all is as before. The sessions are played.
func TestHistories(t *testing.T) { histories(t, false) }

// TestSessions is the same with clients, whose sessions and accounts are real: what a client was told that it was handled isn't lost, and
// afterwards everybody sees everybody's presence as it is.
func TestSessions(t *testing.T) { histories(t, true) }

func histories(t *testing.T, devices bool) {
	for i, f := range faults {
		t.Run(strings.ReplaceAll(f.name, " ", "-"), func(t *testing.T) {
			list := seedsOf(i)
			if f.slow {
				list = list[:min(len(list), 5)]
			}
			for _, seed := range list {
				t.Run(fmt.Sprint(seed), func(t *testing.T) { history(t, seed, f, devices) })
			}
		})
	}
}

// seedsOf are those of the i-th history. What a history does after its fault depends on whether its seed is even.
func seedsOf(i int) []uint64 {
	if *seeds == 0 {
		return []uint64{*first + uint64(i%2)}
	}
	var list []uint64
	for n := range uint64(*seeds) {
		list = append(list, *first+n)
	}
	return list
}

// history is one fault under load.
func history(t *testing.T, seed uint64, f fault, devices bool) {
	run(t, seed, options{users: *crowd, noDetours: f.noDetours, devices: devices, trust: f.trust || *withKeys}, func(w *world) {
		w.begin(f.nodes)
		w.pause.Store(int64(*pace))
		if f.trust { // it is about something else, and takes longer
			w.pause.Store(int64(2 * *pace))
		}
		if f.slow {
			w.pause.Store(int64(2 * time.Second))
		}
		w.wait(5 * time.Second)
		begin := time.Now()
		f.do(w)
		if seed%2 == 1 {
			w.pause.Store(0)
		}
		took := w.agree(2 * time.Minute)
		if f.parts { // whoever was suspected may be taken for dead only now
			w.wait(30 * time.Second)
			took += w.agree(2 * time.Minute)
			w.book.part(begin, time.Now().Add(5*time.Second))
		}
		if seed%2 == 0 { // else what follows would wake those who have missed something
			w.wait(10 * time.Second)
		}
		w.pause.Store(0)
		w.settle()
		s := w.judge(f)
		w.Logf("agreed after %v: %v", took, s)
		w.judgeDevices(f)
		w.proof()
		w.empty()
	})
}

// settle waits until all that was said has its outcome and was delivered.
func (w *world) settle() time.Duration {
	w.Helper()
	return w.until("all is answered and delivered", 2*time.Minute, func() string {
		w.book.mu.Lock()
		open := 0
		for _, e := range w.book.all {
			if e.code == 0 && w.present(e.from) {
				open++
			}
		}
		w.book.mu.Unlock()
		if left := w.left(); open+len(left) > 0 {
			return fmt.Sprintf("%d messages without outcome, %d rows in the store: %v", open, len(left), w.stuck())
		}
		return ""
	})
}

// stuck says whose rows are left, where their mailboxes ought to be and are, and whom the store has.
func (w *world) stuck() (list []string) {
	for _, u := range w.users {
		rows, err := storetest.Rows(w.Context(), w.mem, u)
		if err != nil {
			w.Fatal(err)
		}
		if len(rows) == 0 {
			continue
		}
		p := ident.PartitionOf(mailbox.Kind, string(u))
		text := fmt.Sprintf("%d of %s (partition %d),", len(rows), u.Local(), p)
		for _, n := range w.living() {
			if slices.Contains(n.c.Owned(), p) {
				text += fmt.Sprintf(" owned by %s,", n.id)
			}
			if n.sys.Alive(mailbox.Ref(u)) {
				text += fmt.Sprintf(" alive on %s,", n.id)
			}
		}
		list = append(list, text+fmt.Sprintf(" claimed by %s", w.living()[0].store.Owners()[p]))
	}
	return list
}

// present reports whether a sender still lives. Devices always do.
func (w *world) present(id string) bool {
	if w.opts.devices {
		return true
	}
	for _, n := range w.living() {
		if n.sys.Alive(actors.Ref{Kind: "peer", ID: id, Node: n.id}) {
			return true
		}
	}
	return false
}

// judge fails if the book says that something was lost or reordered.
func (w *world) judge(f fault) summary {
	w.Helper()
	s, wrong := w.book.judge(w.left())
	for _, x := range wrong[:min(len(wrong), 20)] {
		w.Error(x)
	}
	if !f.parts && !f.waits && len(s.codes) > 0 {
		w.Errorf("outcomes %v though the cluster was one", s.codes)
	}
	if f.within > 0 && s.slowest.took > f.within {
		w.Errorf("the last outcome took too long: %v", s)
	}
	for _, n := range w.living() {
		if n.fatal.Load() {
			w.Errorf("%s was told to end", n.id)
		}
	}
	return s
}

// proof: each user says something to each, and it gets there at once; by then the store knows each mailbox's owner.
func (w *world) proof() {
	w.Helper()
	for last := range 2 {
		before := w.staleCommits()
		w.toAll()
		w.wait(time.Second)
		s, wrong := w.book.judge(w.left())
		if left := w.left(); len(left) > 0 || len(wrong) > 0 {
			w.Errorf("not served: %v, %d rows, %v, %v", s, len(left), wrong[:min(3, len(wrong))], w.stuck())
		}
		if n := w.staleCommits() - before; n > 0 && last > 0 && w.table().Empty() {
			w.Errorf("%d commits to partitions that are claimed by others", n)
		} else if n > 0 {
			w.Logf("%d commits to partitions that are claimed by others", n)
		}
		w.wait(6 * time.Second)
	}
}

// toAll has every user say something to each.
func (w *world) toAll() {
	for _, d := range w.devices {
		d.toAll()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.seats {
		s.tell(func(ctx *actors.Context, p *peer) {
			for _, u := range w.users {
				p.say(ctx, u)
			}
		})
	}
}

func (w *world) staleCommits() (n int64) {
	for _, x := range w.living() {
		n += x.lanes.Counters.Stale.Load()
	}
	return n
}

// empty: once the users have gone, nothing is left anywhere.
func (w *world) empty() {
	w.Helper()
	w.wait(3 * time.Second)
	for _, n := range w.living() {
		n.sys.Each(func(ref actors.Ref) bool {
			if ref.Kind == mailbox.Kind && !n.c.Local(ref) {
				w.Errorf("%v lives on %s, and belongs elsewhere", ref, n.id)
			}
			return true
		})
	}
	w.mu.Lock()
	for _, s := range w.seats {
		s.tell(func(ctx *actors.Context, p *peer) { p.leave(ctx) })
	}
	w.mu.Unlock()
	w.quit()
	w.wait(3 * time.Second)
	for _, n := range w.living() {
		if s := n.c.Status(); s.Held+s.Calls+s.Watches+s.Watchers > 0 {
			w.Errorf("%s: %+v", n.id, s)
		}
		for _, st := range n.links.Stats() {
			if st.Queue+st.Unacked+st.Tries > 0 {
				w.Errorf("%s: %+v", n.id, st)
			}
		}
	}
}
