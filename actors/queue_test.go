package actors

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// lanes is what a queue is, in the simplest words.
type lanes struct{ user, ctl, held []any }

func take(l *[]any) (v any) {
	if len(*l) > 0 {
		v, *l = (*l)[0], (*l)[1:]
	}
	return v
}

// TestQueueIsThreeFIFOs compares it with slices over random histories, bursts among them.
func TestQueueIsThreeFIFOs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q queue
		var m lanes
		n := 0
		next := func() any { n++; return n }
		same := func(got, want any) {
			if got != want {
				t.Fatalf("took %v, want %v", got, want)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"user":        func(*rapid.T) { v := next(); q.pushUser(v, 0); m.user = append(m.user, v) },
			"control":     func(*rapid.T) { v := next(); q.pushControl(v); m.ctl = append(m.ctl, v) },
			"hold":        func(*rapid.T) { v := next(); q.hold(v); m.held = append(m.held, v) },
			"takeUser":    func(*rapid.T) { same(q.popUser(), take(&m.user)) },
			"takeControl": func(*rapid.T) { same(q.popControl(), take(&m.ctl)) },
			"takeHeld":    func(*rapid.T) { same(q.unhold(), take(&m.held)) },
			"burst": func(t *rapid.T) {
				for range rapid.IntRange(1, 300).Draw(t, "burst") {
					v := next()
					q.pushUser(v, 0)
					m.user = append(m.user, v)
				}
			},
			"drain": func(t *rapid.T) {
				for range rapid.IntRange(1, 300).Draw(t, "drain") {
					same(q.popUser(), take(&m.user))
				}
			},
			"": func(t *rapid.T) { checkQueue(t, &q, &m) },
		})
	})
}

// checkQueue compares lengths, and sees that what is empty holds no slice.
func checkQueue(t *rapid.T, q *queue, m *lanes) {
	if q.length() != len(m.user) {
		t.Fatalf("length %d, want %d", q.length(), len(m.user))
	}
	if len(m.user) == 0 && (q.first != nil || q.user != nil) {
		t.Fatal("an empty user lane holds memory")
	}
	if (q.ctl == nil) != (len(m.ctl) == 0) || (q.held == nil) != (len(m.held) == 0) {
		t.Fatal("an empty lane holds a slice, or a lane is lost")
	}
	for name, f := range map[string]*fifo{"user": q.user, "control": q.ctl, "held": q.held} {
		if f == nil {
			continue
		}
		if f.len() == 0 {
			t.Fatalf("the %s lane has a slice and nothing in it", name)
		}
		for i, v := range f.items[:f.head] {
			if v.msg != nil {
				t.Fatalf("the %s lane keeps %v, taken already, at %d", name, v.msg, i)
			}
		}
		if spare := f.items[len(f.items):cap(f.items)]; slices.ContainsFunc(spare, func(v item) bool { return v.msg != nil }) {
			t.Fatalf("the %s lane keeps messages behind its end", name)
		}
	}
}

// TestOneMessageNeedsNoSlice: most queues hold one message at a time.
func TestOneMessageNeedsNoSlice(t *testing.T) {
	var q queue
	var msg any = "one"
	if n := testing.AllocsPerRun(100, func() {
		q.pushUser(msg, 0)
		if q.user != nil {
			t.Fatal("one message took a slice")
		}
		q.popUser()
	}); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

// TestBurstGivesItsMemoryBack: not to the pool either, where it would stay.
func TestBurstGivesItsMemoryBack(t *testing.T) {
	var q queue
	for i := range 10_000 {
		q.pushUser(i, 0)
		q.pushControl(-i)
	}
	for i := range 10_000 {
		if v := q.popUser(); v != i {
			t.Fatalf("took %v, want %d", v, i)
		}
		if v := q.popControl(); v != -i {
			t.Fatalf("took %v, want %d", v, -i)
		}
	}
	if q.first != nil || q.user != nil || q.ctl != nil {
		t.Fatalf("after the burst: %+v", &q)
	}
	for range 200 {
		if f := fifos.Get().(*fifo); cap(f.items) > keepCap || len(f.items) != 0 || f.head != 0 {
			t.Fatalf("the pool gives out a slice of %d of %d", len(f.items), cap(f.items))
		}
	}
}

// TestBacklogThatNeverEnds: a queue that is never empty neither grows with what went through it, nor keeps a burst's memory.
func TestBacklogThatNeverEnds(t *testing.T) {
	for _, burst := range []int{2, 100, 20_000} {
		t.Run(fmt.Sprint(burst), func(t *testing.T) {
			var q queue
			in, out := 0, 0
			push := func() { q.pushUser(in, 0); in++ }
			pop := func() {
				if v := q.popUser(); v != out {
					t.Fatalf("took %v, want %d", v, out)
				}
				out++
			}
			for range burst {
				push()
			}
			for q.length() > 2 {
				pop()
			}
			for range 50_000 {
				push()
				pop()
			}
			if c := cap(q.user.items); c > 4*keepCap {
				t.Fatalf("2 messages wait in a slice of %d", c)
			}
		})
	}
}

// TestHoldAfterTheEnd: nothing is kept for a life that doesn't come.
func TestHoldAfterTheEnd(t *testing.T) {
	q := queue{phase: ended}
	if q.hold("answer") || q.held != nil {
		t.Fatal("an ended actor's queue keeps an answer")
	}
}
