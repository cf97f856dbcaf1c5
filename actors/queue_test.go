package actors

import (
	"fmt"
	"testing"
	"unsafe"

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
			"control":     func(*rapid.T) { v := next(); q.ctl.push(v, 0); m.ctl = append(m.ctl, v) },
			"hold":        func(*rapid.T) { v := next(); q.hold(v); m.held = append(m.held, v) },
			"takeUser":    func(*rapid.T) { same(q.popUser(), take(&m.user)) },
			"takeControl": func(*rapid.T) { same(q.ctl.pop(), take(&m.ctl)) },
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

// checkQueue compares lengths, and sees that what is empty holds no block, and that blocks hold nothing that was taken.
func checkQueue(t *rapid.T, q *queue, m *lanes) {
	if q.length() != len(m.user) {
		t.Fatalf("length %d, want %d", q.length(), len(m.user))
	}
	var waiting []any
	q.waiting(100, func(v any) { waiting = append(waiting, v) })
	if want := m.user[:min(len(m.user), 100)]; fmt.Sprint(waiting) != fmt.Sprint(want) && len(want) > 0 {
		t.Fatalf("there wait %v, want %v", waiting, want)
	}
	for name, f := range map[string]*fifo{"user": &q.user, "control": &q.ctl, "held": &q.held} {
		n, blocks := 0, 0
		for b := f.block; b != nil; b = b.next {
			blocks++
			for i, it := range b.items {
				if there := i >= int(b.read) && i < int(b.written); there != (it.msg != nil) {
					t.Fatalf("the %s lane: place %d of %d to %d holds %v", name, i, b.read, b.written, it.msg)
				} else if there {
					n++
				}
			}
			if b.next == nil && f.last != b {
				t.Fatalf("the %s lane has lost its end", name)
			}
		}
		if n != f.len() || blocks > n {
			t.Fatalf("the %s lane has %d messages in %d blocks, and counts %d", name, n, blocks, f.len())
		}
	}
	if len(m.ctl) != q.ctl.len() || len(m.held) != q.held.len() {
		t.Fatal("a lane's length is wrong")
	}
}

// TestOneMessageNeedsNoBlock: most queues hold one message at a time.
func TestOneMessageNeedsNoBlock(t *testing.T) {
	var q queue
	var msg any = "one"
	if n := testing.AllocsPerRun(100, func() {
		q.pushUser(msg, 0)
		if q.user.block != nil {
			t.Fatal("one message took a block")
		}
		q.popUser()
	}); n != 0 {
		t.Fatalf("%v allocations", n)
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
			n := 0
			for b := q.user.block; b != nil; b = b.next {
				n++
			}
			if n > 2 {
				t.Fatalf("2 messages wait in %d blocks", n)
			}
		})
	}
}

// TestBlockFitsItsSize: a block is a size that the allocator has.
func TestBlockFitsItsSize(t *testing.T) {
	if size := unsafe.Sizeof(block{}); size > 384 || size <= 352 {
		t.Errorf("a block is %d bytes: the sizes around are 352 and 384", size)
	}
}

// TestHoldAfterTheEnd: nothing is kept for a life that doesn't come.
func TestHoldAfterTheEnd(t *testing.T) {
	q := queue{phase: ended}
	if q.hold("answer") || q.held.len() != 0 {
		t.Fatal("an ended actor's queue keeps an answer")
	}
}
