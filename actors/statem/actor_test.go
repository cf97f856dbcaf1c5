package statem

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/jackdaw-im/jackdaw/actors"
)

// TestInfo: what the runtime sends is an Info, what others send a Cast, though they look alike.
func TestInfo(t *testing.T) {
	staged(t, func(st *stage) {
		r := &record{}
		m := newMachine()
		m.Handle = func(c *tcontext, e Event) error {
			switch x := e.Content.(type) {
			case actors.Down:
				c.Data.note("%v down %v", e.Type, x.Reason)
			case *actors.Reply:
				c.Data.note("%v reply %v %v", e.Type, x.ID, x.Err)
			default:
				return handle(c, e)
			}
			return nil
		}
		st.start(m, begin{r, []opt{did(func(c *tcontext) {
			c.Monitor(actors.Ref{Kind: "nobody", ID: "x"})
			c.Call(actors.Ref{Kind: "nobody", ID: "x"}, "?", time.Second)
			c.SendAfter(time.Second, "tick")
			c.CancelTimer(c.SendAfter(time.Second, "never"))
		})}})
		r.wants(t, "info down noproc; info reply 2 actors: no such actor", "")
		st.step(ev("x"))
		st.step(time.Second)
		r.wants(t, "a cast x; a info tick", "")
	})
}

// TestAbsoluteTimeouts: one of a time that has passed is no timeout of zero.
func TestAbsoluteTimeouts(t *testing.T) {
	staged(t, func(st *stage) {
		r := &record{}
		at := func(d time.Duration) opt {
			return did(func(c *tcontext) { c.SetTimeoutAt(idle, c.Now().Add(d), d) })
		}
		st.start(newMachine(), begin{r, []opt{at(3 * s)}})
		st.step(2 * s)
		r.wants(t, "", "")
		st.step(s)
		r.wants(t, "a {timeout,idle} 3s", "")
		st.step(ev("x", at(-s), did(func(c *tcontext) { _ = c.Cast(c.Self(), ev("y")) })))
		st.step(20 * time.Millisecond)
		r.wants(t, "a cast x; a cast y; a {timeout,idle} -1s", "")
		st.step(ev("x", did(func(c *tcontext) { c.SetTimeoutAt(idle, time.Time{}, "long ago") })))
		st.step(20 * time.Millisecond)
		r.wants(t, "a cast x; a {timeout,idle} long ago", "")
	})
}

// TestCancelledTimers: a timeout that was cancelled or set again leaves no timer behind.
func TestCancelledTimers(t *testing.T) {
	staged(t, func(st *stage) {
		r := &record{}
		timers := func(want int) {
			t.Helper()
			if err := st.sys.Inspect(st.t.Context(), st.ref(), func(i *actors.Inspection) {
				if got := i.Facts().Timers; got != want {
					t.Errorf("%d timers, want %d", got, want)
				}
			}); err != nil {
				t.Fatal(err)
			}
		}
		st.start(newMachine(), begin{r, []opt{set(idle, s, 1), set(other, s, 1), set(StateTimeout, s, 1), set(EventTimeout, s, 1)}})
		timers(4)
		st.step(ev("event"))
		timers(3)
		st.step(ev("set again", set(idle, 2*s, 2)))
		timers(3)
		st.step(ev("cancel", off(other)))
		timers(2)
		st.step(ev("go", next("b")))
		timers(1)
		st.step(ev("zero", set(idle, 0, 3)))
		timers(0)
	})
}

// TestZeroBeforeTheQueue: a timeout of zero comes before what was sent before it was set.
func TestZeroBeforeTheQueue(t *testing.T) {
	staged(t, func(st *stage) {
		r := &record{}
		st.start(newMachine(), begin{r, nil})
		st.step(ev("x", did(func(c *tcontext) {
			_ = c.Cast(c.Self(), ev("y"))
			_ = c.System().Answer(c.Self(), ev("answer"))
			c.SetTimeout(StateTimeout, 0, "t")
			c.NextEvent(Internal, "i")
		})))
		r.wants(t, "a cast x; a internal i; a state_timeout t; a cast answer; a cast y", "")
	})
}

// TestCrashAndRestart: the next life begins with Init, and knows nothing of events, timeouts and calls of the one before; what is
// queued remains.
func TestCrashAndRestart(t *testing.T) {
	for name, end := range map[string]opt{"error": crash, "panic": did(func(*tcontext) { panic(errOnPurpose) })} {
		t.Run(name, func(t *testing.T) {
			staged(t, func(st *stage) {
				r := &record{}
				st.lives = true
				m := newMachine()
				m.Terminate = nil
				m.Enter = entered(nil)
				st.start(m, begin{r, []opt{set(other, 9*s, "o")}})
				st.step(call("postponed", postpone))
				st.step(call("taken"))
				st.step(ev("x", set(StateTimeout, s, "t"), set(idle, s, "t")))
				r.wants(t, "enter a from a; a call postponed; a call taken; a cast x", "")
				st.step(call("last", did(func(c *tcontext) { _ = c.Cast(c.Self(), ev("queued")) }), next("b"), reply("never"), end))
				st.calls.Wait()
				r.wants(t, "a call last; enter a from a; a cast queued", "the actor crashed; the actor crashed; the actor crashed")
				st.step(9 * s)
				r.wants(t, "a {timeout,other} o", "")
			})
		})
	}
}

// TestPanicInEnterCall: a call whose reply was not sent hears of the crash, one whose reply was sent does not.
func TestPanicInEnterCall(t *testing.T) {
	staged(t, func(st *stage) {
		r := &record{}
		m := newMachine()
		m.States = map[string]State[string, journal]{"b": {Enter: func(*tentry, string) error { panic("on purpose") }}}
		m.Terminate = func(*actors.Context, string, *journal, actors.Reason) { panic("again") }
		st.start(m, begin{r, nil})
		st.step(call("x", keepFrom))
		st.step(call("y", replyKept("sent"), next("b")))
		st.calls.Wait()
		r.wants(t, "a call x; a call y", "sent; the actor crashed")
		if len(st.ends) != 1 || st.ends[0].Code != actors.CodeCrashed {
			t.Errorf("ended %v", st.ends)
		}
	})
}

// TestPostponeLen: beyond the bound a call is refused, and the machine goes on; anything else is a crash. What is postponed
// while the state changes doesn't pile up.
func TestPostponeLen(t *testing.T) {
	staged(t, func(st *stage) {
		r := &record{}
		m := newMachine()
		m.PostponeLen = 2
		st.start(m, begin{r, nil})
		later := []opt{in("a", postpone), in("b", reply("b"))}
		st.step(call("1", later...))
		st.step(ev("2", in("a", postpone)))
		st.step(call("3", later...))
		st.step(call("4", reply("also"), in("a", postpone)))
		r.wants(t, "a call 1; a cast 2; a call 3; a call 4", "also; the queue is full")
		st.step(ev("5", in("a", postpone, next("b"))))
		r.wants(t, "a cast 5; b call 1; b cast 2; b cast 5", "b")
		st.step(ev("6", next("a")))
		st.step(ev("7", in("a", postpone)))
		st.step(ev("8", in("a", postpone)))
		st.step(ev("9", in("a", postpone)))
		r.wants(t, "b cast 6; a cast 7; a cast 8; a cast 9; terminate a crashed: statem: too many postponed events", "")
	})
}

// TestInsertedWithoutEnd: a machine that feeds itself more and more is a crash.
func TestInsertedWithoutEnd(t *testing.T) {
	staged(t, func(st *stage) {
		r := &record{}
		m := newMachine()
		m.Handle = func(c *tcontext, e Event) error {
			for range 3 {
				c.NextEvent(Internal, "more")
			}
			return nil
		}
		st.start(m, begin{r, nil})
		st.step(ev("x"))
		r.wants(t, "terminate a crashed: statem: the machine feeds itself without end", "")
	})
}

// TestCallsHandedOn: a call that is inserted again and again has one caller, who hears once.
func TestCallsHandedOn(t *testing.T) {
	staged(t, func(st *stage) {
		r := &record{}
		st.start(newMachine(), begin{r, nil})
		st.step(call("x", keepFrom))
		st.step(call("y", did(func(c *tcontext) { c.NextCall(kept, ev("x again")) })))
		st.step(ev("z", did(func(c *tcontext) { c.NextCall(kept, ev("and again")) })))
		st.step(ev("end", crash))
		r.wants(t, "a call x; a call y; a call x again; a cast z; a call and again; a cast end; terminate a crashed: on purpose", "the actor crashed; the actor crashed")
		if n := st.sys.Snapshot().LateReplies; n != 0 {
			t.Errorf("%d answers came twice", n)
		}
	})
}

// TestPassivation: a machine that would lose something stays; else its own word counts.
func TestPassivation(t *testing.T) {
	staged(t, func(st *stage) {
		r := &record{}
		var may atomic.Bool // time that passes orders nothing
		st.spec = func(s *actors.Spec) { s.IdleTimeout = time.Minute }
		m := newMachine()
		m.MayPassivate = func(_ *actors.Context, s string, d *journal) bool { d.note("asked in %s", s); return may.Load() }
		st.start(m, begin{r, []opt{set(idle, 90*s, "t")}})
		st.step(61 * s)
		r.wants(t, "", "") // a timeout runs
		st.step(30 * s)
		r.wants(t, "a {timeout,idle} t", "")
		st.step(call("x", keepFrom))
		st.step(2 * time.Minute)
		r.wants(t, "a call x; asked in a; asked in a", "")
		st.step(ev("y", replyKept("z")))
		st.step(ev("later", in("a", postpone)))
		st.step(2 * time.Minute)
		r.wants(t, "a cast y; a cast later", "z") // an event is postponed
		st.step(ev("go", next("b")))
		st.step(61 * s)
		r.wants(t, "a cast go; b cast later; asked in b", "")
		may.Store(true)
		st.step(61 * s)
		r.wants(t, "asked in b; terminate b normal", "")
		if len(st.ends) != 1 || st.ends[0] != actors.Normal {
			t.Errorf("ended %v", st.ends)
		}
	})
}

// TestPassivationWithoutAWord: a machine that says nothing of it is passivated.
func TestPassivationWithoutAWord(t *testing.T) {
	staged(t, func(st *stage) {
		r := &record{}
		st.spec = func(s *actors.Spec) { s.IdleTimeout = time.Minute }
		st.start(newMachine(), begin{r, nil})
		st.step(61 * s)
		r.wants(t, "terminate a normal", "")
	})
}

// TestHibernate: a machine at rest gives back what its data can do without, also while a timeout runs.
func TestHibernate(t *testing.T) {
	staged(t, func(st *stage) {
		r := &record{}
		st.spec = func(s *actors.Spec) { s.HibernateAfter = time.Minute }
		m := newMachine()
		st.start(m, begin{r, nil})
		st.step(2 * time.Minute)
		r.wants(t, "", "") // it has nothing to give back
		m.Hibernate = func(_ *actors.Context, s string, d *journal) { d.note("hibernates in %s", s) }
		st.step(ev("x", next("b"), set(idle, 2*time.Minute, "t")))
		st.step(90 * s)
		st.step(90 * s)
		r.wants(t, "a cast x; hibernates in b; b {timeout,idle} t", "")
	})
}

// TestStoppedFromOutside: as a supervisor does.
func TestStoppedFromOutside(t *testing.T) {
	staged(t, func(st *stage) {
		r := &record{}
		st.start(newMachine(), begin{r, nil})
		st.step(call("x", in("a", postpone)))
		st.child.Stop(actors.Shutdown)
		synctest.Wait()
		r.wants(t, "a call x; terminate a shutdown", "no such actor")
	})
	staged(t, func(st *stage) { // brutally
		r := &record{}
		st.start(newMachine(), begin{r, nil})
		st.step(call("x", in("a", postpone)))
		st.child.End(actors.Killed)
		synctest.Wait()
		r.wants(t, "a call x", "the actor crashed")
	})
}

// secret is what must never be shown.
const secret = "canary"

type named struct{ key string }

func (n named) String() string { return "named" }

// TestStatus shows names and numbers, and no content.
func TestStatus(t *testing.T) {
	b := &bench{}
	rec := &record{}
	b.start(newMachine(), begin{rec, nil})
	b.step(ask{secret, []opt{in("a", postpone)}})
	b.step(ask{secret, nil})
	b.step(do{secret, []opt{set(Timeout(secret), s, secret), set(StateTimeout, s, secret)}})
	want := Status{State: "a", Data: "statem.journal", Postponed: 1, Timeouts: 2}
	if got := b.status(); got != want {
		t.Errorf("shows %+v, want %+v", got, want)
	}
	if doc, err := json.Marshal(b.status()); err != nil || strings.Contains(string(doc), secret) {
		t.Errorf("shows %s, %v", doc, err)
	}
	b.def.FormatStatus = func(s string, d *journal) any { return fmt.Sprint(s, d.count) }
	if got := b.status(); got.Data != "a0" {
		t.Errorf("shows %+v", got)
	}
	b.def.FormatStatus = func(string, *journal) any { panic(secret) }
	if got := b.status(); got.Data != "FormatStatus has failed" || got.State != "a" {
		t.Errorf("shows %+v", got)
	}
	for want, state := range map[string]any{"a": "a", "7": uint8(7), "true": true, "named": named{secret}, "struct { a string }": struct{ a string }{secret},
		"[1]string": [1]string{secret}, "*string": new(string), "<nil>": error(nil)} {
		if got := nameOf(state); got != want {
			t.Errorf("a state is called %q, want %q", got, want)
		}
	}
}

// TestReplaceState: an operator's document takes the place of state and data; nothing else happens.
func TestReplaceState(t *testing.T) {
	m := newMachine()
	m.Enter = entered(nil)
	beh := New(m).(*machine[string, journal])
	if err := beh.ReplaceState(nil, []byte("{}")); err != errNoReplace {
		t.Errorf("a machine without a way to replace its state: %v", err)
	}
	m.ReplaceState = func(_ *actors.Context, old string, d *journal, doc []byte) (string, error) {
		if err := json.Unmarshal(doc, &d.count); err != nil {
			return "", err
		}
		return old + "b", nil
	}
	beh.state = "a"
	if err := beh.ReplaceState(nil, []byte("17")); err != nil || beh.state != "ab" || beh.data.count != 17 {
		t.Errorf("now in %q with %d, %v", beh.state, beh.data.count, err)
	}
	var bad *json.SyntaxError
	if err := beh.ReplaceState(nil, []byte("}")); !errors.As(err, &bad) || !strings.HasPrefix(err.Error(), "statem: ") || beh.state != "ab" {
		t.Errorf("a bad document: %v, in %q", err, beh.state)
	}
}

// TestInspected: a live machine shows its Status and takes a new state, on its own turn.
func TestInspected(t *testing.T) {
	staged(t, func(st *stage) {
		r := &record{}
		m := newMachine()
		m.ReplaceState = func(_ *actors.Context, _ string, _ *journal, doc []byte) (string, error) { return string(doc), nil }
		st.start(m, begin{r, []opt{set(StateTimeout, s, "t")}})
		st.step(ev("x", in("a", postpone)))
		var before, after any
		err := st.sys.Inspect(st.t.Context(), st.ref(), func(i *actors.Inspection) {
			before = i.Behaviour().(actors.StatusFormatter).FormatStatus()
			if err := i.Behaviour().(actors.StateReplacer).ReplaceState(i.Context(), []byte("b")); err != nil {
				t.Error(err)
			}
			after = i.Behaviour().(actors.StatusFormatter).FormatStatus()
		})
		want := Status{State: "a", Data: "statem.journal", Postponed: 1, Timeouts: 1}
		if err != nil || before != want {
			t.Errorf("shows %+v, %v", before, err)
		}
		if want.State = "b"; after != want {
			t.Errorf("then shows %+v", after)
		}
		st.step(s)
		st.step(ev("y", next("a")))
		r.wants(t, "a cast x; b state_timeout t; b cast y; a cast x", "")
	})
}

// TestExitSignals come as Info if they are trapped, and end the machine if they are not.
func TestExitSignals(t *testing.T) {
	staged(t, func(st *stage) {
		r := &record{}
		m := newMachine()
		m.Handle = func(c *tcontext, e Event) error {
			if x, ok := e.Content.(actors.Exit); ok {
				c.Data.note("%v exit %v", e.Type, x.Reason)
				c.TrapExit(false)
				c.Exit(c.Self(), actors.Shutdown)
				return nil
			}
			return handle(c, e)
		}
		st.start(m, begin{r, []opt{did(func(c *tcontext) { c.TrapExit(true) })}})
		if err := st.sys.Exit(st.ref(), actors.Shutdown); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		r.wants(t, "info exit shutdown; terminate a shutdown", "")
	})
}

// TestForgottenTimeout: one that the machine knows nothing of is no event.
func TestForgottenTimeout(t *testing.T) {
	if err := New(newMachine()).Handle(nil, &timeout{typ: idle}); err != nil {
		t.Error(err)
	}
}

// TestUnusableMachines can't begin.
func TestUnusableMachines(t *testing.T) {
	for name, m := range map[string]*tmachine{
		"nil":        nil,
		"no Init":    {Handle: handle},
		"no handler": {Init: func(*tcontext, any) (string, error) { return "a", nil }},
	} {
		if err := New(m).Init(nil, nil); err == nil {
			t.Errorf("%s: it begins", name)
		}
	}
}

// TestTypes: they are what they are called, and equal by name.
func TestTypes(t *testing.T) {
	for want, typ := range map[string]Type{"none": {}, "cast": Cast, "call": Call, "info": Info, "internal": Internal,
		"state_timeout": StateTimeout, "timeout": EventTimeout, "{timeout,x}": Timeout("x")} {
		if got := typ.String(); got != want {
			t.Errorf("%q is called %q", want, got)
		}
	}
	if x := Timeout("x"); x != Timeout("xy"[:1]) || x == Timeout("y") || Timeout("timeout") == EventTimeout || Timeout("") == (Type{}) {
		t.Error("types don't differ by name")
	}
}

// TestSize: what a machine takes at rest, as the package's comment says, and that it keeps nothing of what it has done.
func TestSize(t *testing.T) {
	if n := unsafe.Sizeof(machine[uint8, struct{}]{}); n > 32 {
		t.Errorf("a machine at rest takes %d bytes", n)
	}
	if n := unsafe.Sizeof(timeout{}); n != 64 {
		t.Errorf("a timeout takes %d bytes", n)
	}
	b := &bench{}
	b.start(newMachine(), begin{&record{}, nil})
	b.step(ev("x", insert(ev("1"), ev("2")), set(StateTimeout, 0, "t"), set(idle, s, "t")))
	b.step(ask{"y", []opt{in("a", postpone), in("b", reply(1))}})
	if b.ext == nil || cap(b.ext.queue) != 0 || len(b.ext.postponed) != 1 {
		t.Errorf("with one event postponed it keeps %+v", b.ext)
	}
	b.step(ev("go", next("b")))
	b.step(2 * s)
	if b.ext != nil || b.timers != nil {
		t.Errorf("at rest it keeps %+v, %+v", b.ext, b.timers)
	}
}

// TestEventsAllocateNothing, but what they carry.
func TestEventsAllocateNothing(t *testing.T) {
	m := &Machine[int, int]{
		Init: func(*Context[int, int], any) (int, error) { return 0, nil },
		Handle: func(c *Context[int, int], ev Event) error {
			*c.Data++
			c.Next(1 - c.State())
			return nil
		},
		Enter: func(e *Entry[int, int], old int) error { *e.Data++; return nil },
	}
	beh := New(m)
	if err := beh.Init(nil, nil); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(1000, func() {
		if err := beh.Handle(nil, "x"); err != nil {
			t.Fatal(err)
		}
	}); n >= 1 { // the pool may be emptied meanwhile
		t.Errorf("an event allocates %v times", n)
	}
}

// TestPoolKeepsNoContent: what a machine has handled can be collected.
func TestPoolKeepsNoContent(t *testing.T) {
	m := newMachine()
	c := m.pool.get(nil)
	b := &bench{}
	b.start(m, begin{&record{}, nil})
	b.settle(c, b.engine.event(c, Event{Type: Call, Content: ask{"x", []opt{reply(secret), insert(ev(secret)), set(idle, s, secret), set(other, 0, secret)}}}))
	m.pool.put(c)
	if c.Data != nil || c.Context != nil || c.t.eng != nil || c.t.ev.Content != nil {
		t.Errorf("keeps %+v", c.t)
	}
	clean := !slices.ContainsFunc(c.t.replies[:cap(c.t.replies)], func(a answer) bool { return a.v != nil }) &&
		!slices.ContainsFunc(c.t.inserted[:cap(c.t.inserted)], func(e Event) bool { return e.Content != nil }) &&
		!slices.ContainsFunc(c.t.requests[:cap(c.t.requests)], func(r request) bool { return r.content != nil }) &&
		!slices.ContainsFunc(c.t.starts[:cap(c.t.starts)], func(s start) bool { return s.t != nil })
	if !clean {
		t.Error("content of the last event remains")
	}
	big := &tcontext{}
	big.t.inserted = make([]Event, maxKept+1)
	m.pool.put(big)
	if got := m.pool.get(nil); got == big {
		t.Error("a large context is kept")
	}
}

func BenchmarkCast(b *testing.B) {
	m := &Machine[int, int]{
		Init:   func(*Context[int, int], any) (int, error) { return 0, nil },
		Handle: func(c *Context[int, int], ev Event) error { *c.Data++; c.Next(1 - c.State()); return nil },
	}
	beh := New(m)
	if err := beh.Init(nil, nil); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := beh.Handle(nil, "x"); err != nil {
			b.Fatal(err)
		}
	}
}
