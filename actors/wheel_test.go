package actors

import (
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// bench is a wheel that is turned by hand, and an actor without a life whose control lane gathers what fires.
type bench struct {
	w *wheel
	p *process
	// want is a sorted list in place of the wheel.
	want []alarm
	n    int
}

type alarm struct {
	due, n int
	id     timerID
}

// newBench returns a wheel that has run for a while.
func newBench(age time.Duration) *bench {
	b := &bench{w: newWheel(), p: &process{kind: &kind{run: func(*process, *worker) {}}}}
	b.w.start = b.w.start.Add(-age)
	return b
}

func (b *bench) ticks() int { return int(time.Since(b.w.start) / tick) }

// add sets a timer in both; the model counts in whole ticks, rounded up, and fires at the next tick at the earliest.
func (b *bench) add(d time.Duration) alarm {
	b.n++
	a := alarm{due: max(int((time.Since(b.w.start)+max(d, 0)+tick-1)/tick), b.ticks()+1), n: b.n}
	a.id = b.w.add(d, b.p, a.n)
	at, _ := slices.BinarySearchFunc(b.want, a, func(x, y alarm) int {
		if x.due != y.due {
			return x.due - y.due
		}
		return x.n - y.n
	})
	b.want = slices.Insert(b.want, at, a)
	return a
}

func (b *bench) cancel(i int) {
	b.w.cancel(b.want[i].id)
	b.want = slices.Delete(b.want, i, i+1)
}

// turn runs the wheel up to now and compares what fires, in order.
func (b *bench) turn(t interface{ Fatalf(string, ...any) }) {
	b.w.advance(b.w.now())
	for len(b.want) > 0 && b.want[0].due <= b.ticks() {
		if got := b.p.q.ctl.pop(); got != b.want[0].n {
			t.Fatalf("at tick %d fired %v, want timer %d, due at %d", b.ticks(), got, b.want[0].n, b.want[0].due)
		}
		b.want = b.want[1:]
	}
	if got := b.p.q.ctl.pop(); got != nil {
		t.Fatalf("at tick %d timer %v fired early", b.ticks(), got)
	}
	if b.w.live != len(b.want) {
		t.Fatalf("%d timers live, want %d", b.w.live, len(b.want))
	}
}

// ages are wheels about to pass from one span of a level to the next, and from the last tick to the first.
var ages = []time.Duration{0, 250 * tick, 65_500 * tick, (1<<24 - 300) * tick, (1<<31 - 300) * tick, (1<<32 - 300) * tick}

// TestWheelIsASortedList compares over random histories: three levels, cancels, times between two ticks.
func TestWheelIsASortedList(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		inBubble(t, rt, func(t *rapid.T) {
			b := newBench(rapid.SampledFrom(ages).Draw(t, "age"))
			span := func(t *rapid.T, name string) time.Duration {
				bits := rapid.IntRange(0, 16).Draw(t, name+" bits")
				return time.Duration(rapid.IntRange(-1, 1<<bits).Draw(t, name))*tick + time.Duration(rapid.IntRange(0, 9).Draw(t, "ms"))*time.Millisecond
			}
			t.Repeat(map[string]func(*rapid.T){
				"add": func(t *rapid.T) {
					for range rapid.IntRange(1, 5).Draw(t, "n") {
						b.add(span(t, "after"))
					}
				},
				"cancel": func(t *rapid.T) {
					if len(b.want) > 0 {
						b.cancel(rapid.IntRange(0, len(b.want)-1).Draw(t, "which"))
					}
				},
				"pass": func(t *rapid.T) {
					time.Sleep(max(span(t, "pass"), 0))
					b.turn(t)
				},
			})
			for len(b.want) > 0 {
				time.Sleep(time.Duration(b.want[0].due-b.ticks()) * tick)
				b.turn(t)
			}
		})
	})
}

// TestHundredThousandTimers go over all four levels, up to three days; a third is cancelled, some after they have fired.
func TestHundredThousandTimers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rnd := rand.New(rand.NewPCG(1, 2))
		b := newBench(0)
		all := make([]alarm, 0, 100_000)
		for range cap(all) {
			d := time.Duration(rnd.Int64N(int64(1)<<(1+rnd.IntN(25)))) * tick
			a := alarm{n: len(all), due: max(int(d/tick), 1)}
			a.id = b.w.add(d, b.p, a.n)
			all = append(all, a)
		}
		canceled := map[int]bool{}
		cancelSome := func() {
			for range len(all) / 6 {
				a := all[rnd.IntN(len(all))]
				b.w.cancel(a.id)
				if a.due > b.ticks() {
					canceled[a.n] = true
				}
			}
		}
		var fired int
		last := alarm{}
		collect := func() {
			b.w.advance(b.w.now())
			for m := b.p.q.ctl.pop(); m != nil; m = b.p.q.ctl.pop() {
				a := all[m.(int)]
				if canceled[a.n] || a.due > b.ticks() || a.due < last.due || a.due == last.due && a.n < last.n {
					t.Fatalf("%+v fired at %d after %+v; canceled: %v", a, b.ticks(), last, canceled[a.n])
				}
				last = a
				fired++
			}
		}
		cancelSome()
		time.Sleep(time.Hour)
		collect()
		cancelSome()
		time.Sleep(4 * 24 * time.Hour)
		collect()
		if want := len(all) - len(canceled); fired != want || b.w.live != 0 {
			t.Fatalf("%d fired and %d live, want %d and 0", fired, b.w.live, want)
		}
	})
}

// TestTimerIsNeverEarly: also when it is set between two ticks.
func TestTimerIsNeverEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(15 * time.Millisecond)
		b.w.add(10*time.Millisecond, b.p, "ring")
		time.Sleep(9 * time.Millisecond)
		if b.w.advance(b.w.now()); b.p.q.ctl.pop() != nil {
			t.Fatal("a timer of 10 ms fired within 9")
		}
		time.Sleep(6 * time.Millisecond)
		if b.w.advance(b.w.now()); b.p.q.ctl.pop() != "ring" {
			t.Fatal("it did not fire at the tick after it was due")
		}
	})
}

// TestTimersWithoutEnd: what is too long for the wheel is not taken for the past.
func TestTimersWithoutEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, d := range []time.Duration{longest, 300 * 24 * time.Hour, 1<<63 - 1} {
			b := newBench(time.Hour)
			id := b.w.add(d, b.p, "ring")
			time.Sleep(6 * time.Hour)
			if b.w.advance(b.w.now()); b.p.q.ctl.pop() != nil || b.w.live != 1 {
				t.Fatalf("a timer of %v fired within hours", d)
			}
			if b.w.cancel(id); b.w.live != 0 {
				t.Fatalf("a timer of %v can't be cancelled", d)
			}
		}
	})
}

// TestLateCancel: a timer's id means nothing once it has fired or been cancelled, whoever has its place.
func TestLateCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(0)
		fired, canceled := b.add(tick), b.add(2*tick)
		b.cancel(1)
		time.Sleep(tick)
		b.turn(t)
		b.add(tick)
		b.add(tick)
		if b.w.used != 2 {
			t.Fatalf("%d entries for 2 timers at a time", b.w.used)
		}
		b.w.cancel(fired.id)
		b.w.cancel(canceled.id)
		time.Sleep(tick)
		b.turn(t)
	})
}

// TestIdleWheelSleeps: it has no timer of its own while nothing is set, and is right when it wakes after days.
func TestIdleWheelSleeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(0)
		b.w.launch()
		defer b.w.halt()
		for range 3 {
			time.Sleep(72*time.Hour + 3*time.Millisecond)
			begin := time.Now()
			b.w.add(35*time.Millisecond, b.p, "ring")
			for b.p.queued() == 0 && b.ringing() == nil {
				time.Sleep(time.Millisecond)
				synctest.Wait()
			}
			if d := time.Since(begin); d < 35*time.Millisecond || d > 35*time.Millisecond+2*tick {
				t.Fatalf("35 ms took %v", d)
			}
			synctest.Wait()
			if b.w.mu.Lock(); b.w.live != 0 || int(b.w.now()-b.w.at) > 2 {
				t.Fatalf("%d live, at %d of %d", b.w.live, b.w.at, b.w.now())
			}
			b.w.mu.Unlock()
		}
	})
}

// inBubble checks a property in fake time. rapid tells a failure by a panic, which mustn't leave the bubble's own test.
func inBubble(t *testing.T, rt *rapid.T, property func(*rapid.T)) {
	var failure any
	synctest.Test(t, func(*testing.T) {
		defer func() { failure = recover() }()
		property(rt)
	})
	if failure != nil {
		panic(failure)
	}
}

// ringing takes what has fired.
func (b *bench) ringing() any {
	b.p.q.mu.Lock()
	defer b.p.q.mu.Unlock()
	b.p.q.state = idle
	return b.p.q.ctl.pop()
}
