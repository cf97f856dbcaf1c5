package simcluster

import (
	"fmt"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/mailbox"
	"github.com/jackdaw-im/jackdaw/ident"
)

// TestClocksThatJump: the wall clock of one node jumps 31 days ahead, and that of another an hour back, while messages wait for users who
// aren't there. The two go out, what they had opens on the others, and they come back once their clocks are right. Nothing is lost by it,
// and nothing expires.
func TestClocksThatJump(t *testing.T) {
	run(t, *first, options{users: 12, ttl: 30 * 24 * time.Hour, walk: 10 * time.Second}, func(w *world) {
		for i := range 5 {
			w.start(nameOf(i + 1))
		}
		w.agree(time.Minute)
		all, half := w.living(), len(w.users)/2
		right := all[2:]
		for i, u := range w.users[:half] {
			w.login(u, right[i%len(right)], nil)
		}
		w.pause.Store(int64(*pace))
		w.wait(10 * time.Second)
		begin, waits := time.Now(), len(w.left())
		if waits < 10 {
			t.Fatalf("%d messages wait", waits)
		}

		all[0].off.Store(int64(31 * 24 * time.Hour))
		all[1].off.Store(-int64(time.Hour))
		out := w.until("they are out", time.Minute, func() string { return without(right, all[:2]) })
		w.wait(2 * time.Minute)
		if why := without(right, all[:2]); why != "" {
			t.Error(why)
		}
		before := w.book.outcomes()
		w.wait(5 * time.Second)
		if n := w.book.outcomes() - before; n < 50 {
			t.Errorf("while they are out the others accept %d messages in five seconds", n)
		}

		all[0].off.Store(0)
		all[1].off.Store(0)
		back := w.agree(2 * time.Minute)
		w.wait(5 * time.Second)
		w.book.part(begin, time.Now())
		w.wait(20 * time.Second) // in which order is promised again
		w.pause.Store(0)
		w.wait(5 * time.Second)

		if n := len(w.left()); n < waits {
			t.Errorf("%d messages wait, after %d before", n, waits)
		}
		for i, u := range w.users[half:] {
			w.login(u, all[i%len(all)], nil)
		}
		w.settle()
		s := w.judge(fault{parts: true})
		t.Logf("out after %v, back after %v: %v", out, back, s)
		for _, n := range all {
			if k := n.lanes.Counters.Expired.Load() + n.boxes.Expired.Load(); k != 0 {
				t.Errorf("%s: %d have expired", n.id, k)
			}
		}
		if len(w.book.errors) > 0 {
			t.Errorf("users got errors: %v", w.book.errors)
		}
		w.proof()
		w.empty()
	})
}

// without says what is missing until some nodes have everything between them, and others no mailbox; "" if nothing is.
func without(these, others []*node) string {
	open := 0
	for _, n := range these {
		if v := n.member.View(); len(v.Placed()) != len(these) {
			return fmt.Sprintf("%s places %d nodes of %d", n.id, len(v.Placed()), len(these))
		}
		open += len(n.c.Owned())
	}
	if open != ident.Partitions {
		return fmt.Sprintf("%d partitions are open", open)
	}
	for _, n := range others {
		why := ""
		n.sys.Each(func(ref actors.Ref) bool {
			if ref.Kind == mailbox.Kind {
				why = fmt.Sprintf("%s has %v", n.id, ref)
			}
			return why == ""
		})
		if why != "" {
			return why
		}
	}
	return ""
}
