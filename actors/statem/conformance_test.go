package statem

import (
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
)

// rule is a sentence of gen_statem's documentation, in our words, and what shows that it holds.
type rule struct {
	says    string
	init    []opt
	change  func(m *tmachine) // the machine
	steps   []any             // do: a cast; ask: a call; time.Duration: time that passes
	lines   string
	answers string
}

const s = time.Second

var idle, other = Timeout("idle"), Timeout("other")

func enters(m *tmachine) { m.Enter = entered(nil) }

// enterAsks is an enter call of state b that asks for something once.
func enterAsks(f func(e *tentry)) func(m *tmachine) {
	return func(m *tmachine) {
		m.Enter = entered(func(e *tentry, _ string) error {
			if e.State() == "b" && e.Data.count == 0 {
				e.Data.count++
				f(e)
			}
			return nil
		})
	}
}

func failsIn(state string) func(*tentry, string) error {
	return entered(func(e *tentry, _ string) error {
		if e.State() == state {
			return errOnPurpose
		}
		return nil
	})
}

// TestConformance holds each rule against the engine alone and against an actor in fake time.
func TestConformance(t *testing.T) {
	for group, rules := range map[string][]rule{"events": events, "postpone": postpones, "next_event": nextEvents, "enter": enterCalls,
		"state_timeout": stateTimeouts, "timeout": eventTimeouts, "generic timeout": genericTimeouts, "stop": stops} {
		for _, r := range rules {
			t.Run(group+"/"+r.says, func(t *testing.T) {
				play := func(d driver) {
					t.Helper()
					rec := &record{}
					m := newMachine()
					if r.change != nil {
						r.change(m)
					}
					d.start(m, begin{rec, r.init})
					for _, x := range r.steps {
						d.step(x)
					}
					rec.wants(t, r.lines, r.answers)
				}
				play(&bench{})
				staged(t, func(s *stage) { play(s) })
			})
		}
	}
}

var events = []rule{
	{says: "events are handled in the order in which they arrive",
		steps: []any{ev("x"), call("y", reply(1)), ev("z")},
		lines: "a cast x; a call y; a cast z", answers: "1"},
	{says: "a call is answered by the handler that has it",
		steps: []any{call("x", reply("yes"))}, lines: "a call x", answers: "yes"},
	{says: "a call can be answered later, in another state",
		steps: []any{call("x", keepFrom), ev("y", next("b")), ev("z", replyKept("late"))},
		lines: "a call x; a cast y; b cast z", answers: "late"},
	{says: "one transition can answer many calls",
		steps: []any{call("x", keepFrom), call("y", reply(1), replyKept(2))},
		lines: "a call x; a call y", answers: "1; 2"},
	{says: "the handler is that of the state",
		change: func(m *tmachine) {
			m.States = map[string]State[string, journal]{"b": {Handle: func(c *tcontext, e Event) error {
				c.Data.note("b's own")
				return handle(c, e)
			}}, "c": {}}
		},
		steps: []any{ev("x", next("b")), ev("y", next("c")), ev("z")},
		lines: "a cast x; b's own; b cast y; c cast z"},
	{says: "the next state may be the current one, which is no change",
		change: enters, steps: []any{ev("x", postpone), ev("y", next("a"))},
		lines: "enter a from a; a cast x; a cast y"},
	{says: "data are kept beside the state, and a change of them is no change of the state",
		change: enters, steps: []any{ev("x", postpone), ev("y", count), ev("z", count)},
		lines: "enter a from a; a cast x; a cast y; count 1; a cast z; count 2"},
	{says: "the machine can be replaced, already for the enter call of the transition",
		change: func(m *tmachine) { m.Enter = entered(nil) },
		steps: []any{ev("x", next("b"), did(func(c *tcontext) {
			m := newMachine()
			m.Enter = func(e *tentry, old string) error { e.Data.note("newly enter %s from %s", e.State(), old); return nil }
			m.Handle = func(c *tcontext, e Event) error { c.Data.note("newly"); return handle(c, e) }
			c.ChangeMachine(m)
		})), ev("y", postpone), ev("z", next("c"))},
		lines: "enter a from a; a cast x; newly enter b from a; newly; b cast y; newly; b cast z; newly enter c from b; newly; c cast y"},
	{says: "replacing the machine is no change of the state",
		steps: []any{ev("x", postpone), ev("y", did(func(c *tcontext) { c.ChangeMachine(newMachine()) })), ev("z")},
		lines: "a cast x; a cast y; a cast z"},
}

var postpones = []rule{
	{says: "a postponed event is not handled again in the same state",
		steps: []any{ev("x", in("a", postpone)), ev("y"), ev("z")}, lines: "a cast x; a cast y; a cast z"},
	{says: "after a change of the state it is",
		steps: []any{ev("x", in("a", postpone)), ev("y", next("b")), ev("z")},
		lines: "a cast x; a cast y; b cast x; b cast z"},
	{says: "the oldest comes first",
		steps: []any{ev("x", in("a", postpone)), ev("y", in("a", postpone)), ev("z", in("a", postpone)), ev("go", next("b"))},
		lines: "a cast x; a cast y; a cast z; a cast go; b cast x; b cast y; b cast z"},
	{says: "a call keeps who asks",
		steps: []any{call("x", in("a", postpone), in("b", reply("at last"))), ev("go", next("b"))},
		lines: "a call x; a cast go; b call x", answers: "at last"},
	{says: "any event can be postponed, a timeout's too",
		init:  []opt{set(StateTimeout, s, ev("t", in("a", postpone)))},
		steps: []any{s, ev("go", next("b"))},
		lines: "a state_timeout t; a cast go; b state_timeout t"},
	{says: "it may be postponed again, and keeps its place",
		steps: []any{ev("x", in("a", postpone), in("b", postpone)), ev("y", in("a", postpone)), ev("b", next("b")), ev("z", in("b", postpone)), ev("c", next("c"))},
		lines: "a cast x; a cast y; a cast b; b cast x; b cast y; b cast z; b cast c; c cast x; c cast z"},
	{says: "an event may be postponed and change the state: it is the first in the new one",
		steps: []any{ev("x", in("a", postpone, next("b")))}, lines: "a cast x; b cast x"},
	{says: "after those postponed before it",
		steps: []any{ev("w", in("a", postpone)), ev("x", in("a", postpone, next("b")))}, lines: "a cast w; a cast x; b cast w; b cast x"},
	{says: "a retried event may change the state: then all that were postponed meanwhile come first",
		steps: []any{ev("x", in("a", postpone), in("b", postpone)), ev("y", in("a", postpone), in("b", next("c"))), ev("z", in("a", postpone)), ev("go", next("b"))},
		lines: "a cast x; a cast y; a cast z; a cast go; b cast x; b cast y; c cast x; c cast z"},
	{says: "retried events come before those that the machine has not received",
		steps: []any{ev("x", in("a", postpone)), ev("y", next("b"), insert(ev("i"))), ev("z")},
		lines: "a cast x; a cast y; b internal i; b cast x; b cast z"},
	{says: "there is nothing to postpone in Init",
		init: []opt{postpone}, steps: []any{ev("go", next("b"))}, lines: "a cast go"},
	{says: "a repeated state is not a changed one", change: enters,
		steps: []any{ev("x", in("a", postpone)), ev("y", repeat)}, lines: "enter a from a; a cast x; a cast y; enter a from a"},
	{says: "leaving and coming back are two changes",
		steps: []any{ev("x", in("a", postpone), in("b", postpone)), ev("y", next("b"), insert(ev("back", next("a")))), ev("z")},
		lines: "a cast x; a cast y; b internal back; a cast x; a cast z"},
}

var nextEvents = []rule{
	{says: "inserted events come in order, before those that wait",
		steps: []any{ev("x", insert(ev("1", insert(ev("3"))), ev("2"))), ev("y")},
		lines: "a cast x; a internal 1; a internal 3; a internal 2; a cast y"},
	{says: "and before those that are retried",
		steps: []any{ev("w", in("a", postpone)), ev("x", next("b"), insert(ev("1"), ev("2")))},
		lines: "a cast w; a cast x; b internal 1; b internal 2; b cast w"},
	{says: "they are inserted when all else is done, in the new state", change: enters,
		steps: []any{ev("x", insert(ev("1")), next("b"))},
		lines: "enter a from a; a cast x; enter b from a; b internal 1"},
	{says: "they may be of any type",
		steps: []any{ev("x", did(func(c *tcontext) {
			for _, t := range []Type{Cast, Info, Internal, StateTimeout, EventTimeout, idle} {
				c.NextEvent(t, "i")
			}
		}))},
		lines: "a cast x; a cast i; a info i; a internal i; a state_timeout i; a timeout i; a {timeout,idle} i"},
	{says: "a call may be inserted, and is answered as any",
		steps: []any{call("x", func(c *tcontext) error { c.NextCall(c.t.ev.From, ev("y", reply("both"))); return nil })},
		lines: "a call x; a call y", answers: "both"},
	{says: "Init's come before anything that is received",
		init: []opt{insert(ev("1"), ev("2", next("b")))}, steps: []any{ev("x")}, lines: "a internal 1; a internal 2; b cast x"},
	{says: "they can be postponed",
		steps: []any{ev("x", insert(ev("1", in("a", postpone)))), ev("y", next("b"))}, lines: "a cast x; a internal 1; a cast y; b internal 1"},
	{says: "an event type that is none is a crash",
		steps: []any{ev("x", did(func(c *tcontext) { c.NextEvent(Type{}, nil) }))},
		lines: "a cast x; terminate a crashed: statem: NextEvent of type none"},
	{says: "so is a call that nobody has made",
		steps: []any{ev("x", did(func(c *tcontext) { c.NextEvent(Call, nil) }))},
		lines: "a cast x; terminate a crashed: statem: NextEvent of type call"},
}

var enterCalls = []rule{
	{says: "the first state is entered from itself, before any event", change: enters,
		init: []opt{insert(ev("1"))}, lines: "enter a from a; a internal 1"},
	{says: "a change of the state is an enter call, before any event", change: enters,
		steps: []any{ev("w", in("a", postpone)), ev("x", next("b"), insert(ev("1")))},
		lines: "enter a from a; a cast w; a cast x; enter b from a; b internal 1; b cast w"},
	{says: "a kept state is none", change: enters, steps: []any{ev("x")}, lines: "enter a from a; a cast x"},
	{says: "a repeated state is one, from itself", change: enters,
		steps: []any{ev("x", next("b")), ev("y", repeat)},
		lines: "enter a from a; a cast x; enter b from a; b cast y; enter b from b"},
	{says: "without enter calls a repeated state is a kept one", steps: []any{ev("x", repeat)}, lines: "a cast x"},
	{says: "an enter call that repeats the state is made again, with the same old state",
		change: enterAsks(func(e *tentry) { e.Repeat() }), steps: []any{ev("x", next("b"))},
		lines: "enter a from a; a cast x; enter b from a; enter b from a"},
	{says: "each state may have its own",
		change: func(m *tmachine) {
			enters(m)
			m.States = map[string]State[string, journal]{"b": {Enter: func(e *tentry, old string) error {
				e.Data.note("b's own from %s", old)
				return nil
			}}}
		},
		steps: []any{ev("x", next("b")), ev("y", next("c"))},
		lines: "enter a from a; a cast x; b's own from a; b cast y; enter c from b"},
	{says: "what an enter call asks for comes after what the handler asked for",
		change: enterAsks(func(e *tentry) { e.SetTimeout(StateTimeout, s, "enter") }),
		steps:  []any{ev("x", set(StateTimeout, 2*s, "handler"), set(idle, 3*s, "handler"), next("b")), 10 * s},
		lines:  "enter a from a; a cast x; enter b from a; b state_timeout enter; b {timeout,idle} handler"},
	{says: "it may change the data", change: enterAsks(func(e *tentry) {}),
		steps: []any{ev("x", next("b")), ev("y", count)}, lines: "enter a from a; a cast x; enter b from a; b cast y; count 2"},
	{says: "it may answer a call", change: enterAsks(func(e *tentry) { e.Reply(e.t.ev.From, "entered", nil) }),
		steps: []any{call("x", next("b"))}, lines: "enter a from a; a call x; enter b from a", answers: "entered"},
	{says: "the handler's answers are sent before it",
		change: func(m *tmachine) { m.Enter = failsIn("b") },
		steps:  []any{call("x", reply("sent"), next("b"))}, answers: "sent",
		lines: "enter a from a; a call x; enter b from a; terminate b crashed: on purpose"},
	{says: "it may stop the machine, in the new state", change: enterAsks(func(e *tentry) { e.Stop(actors.Shutdown) }),
		steps: []any{ev("x", next("b"), insert(ev("never")))}, lines: "enter a from a; a cast x; enter b from a; terminate b shutdown"},
	{says: "if it fails the machine crashes, in the new state",
		change: func(m *tmachine) { m.Enter = failsIn("b") },
		steps:  []any{call("w", reply("before")), call("x", next("b")), ev("y")}, answers: "before; the actor crashed",
		lines: "enter a from a; a call w; a call x; enter b from a; terminate b crashed: on purpose"},
	{says: "one that repeats itself for ever is a crash",
		change: func(m *tmachine) { m.Enter = func(e *tentry, _ string) error { e.Repeat(); return nil } },
		lines:  "terminate a crashed: statem: the machine feeds itself without end"},
	{says: "it doesn't count as an event", change: enterAsks(func(e *tentry) {}),
		steps: []any{ev("x", next("b"), set(EventTimeout, s, "t")), s}, lines: "enter a from a; a cast x; enter b from a; b timeout t"},
}

var stateTimeouts = []rule{
	{says: "it comes when the machine has been in the state for that long",
		steps: []any{ev("x", set(StateTimeout, 2*s, "t")), s, ev("y"), s, 9 * s}, lines: "a cast x; a cast y; a state_timeout t"},
	{says: "events don't cancel it",
		steps: []any{ev("x", in("a", postpone), set(StateTimeout, 2*s, "t")), s, ev("y", insert(ev("i"))), ev("z", next("a")), s},
		lines: "a cast x; a cast y; a internal i; a cast z; a state_timeout t"},
	{says: "a change of the state does",
		steps: []any{ev("x", set(StateTimeout, 2*s, "t")), s, ev("y", next("b")), 9 * s}, lines: "a cast x; a cast y"},
	{says: "repeating the state doesn't",
		change: enters,
		steps:  []any{ev("x", set(StateTimeout, 2*s, "t")), s, ev("y", repeat), s}, lines: "enter a from a; a cast x; a cast y; enter a from a; a state_timeout t"},
	{says: "one that is set with a change belongs to the new state",
		steps: []any{ev("w", set(StateTimeout, s, "old")), ev("x", next("b"), set(StateTimeout, 2*s, "new")), 9 * s},
		lines: "a cast w; a cast x; b state_timeout new"},
	{says: "set again it runs for the new time",
		steps: []any{ev("x", set(StateTimeout, 2*s, "t")), s, ev("y", set(StateTimeout, 3*s, "u")), 2 * s, ev("z"), s},
		lines: "a cast x; a cast y; a cast z; a state_timeout u"},
	{says: "infinity cancels it",
		steps: []any{ev("x", set(StateTimeout, s, "t")), ev("y", set(StateTimeout, Infinity, "u")), 9 * s}, lines: "a cast x; a cast y"},
	{says: "it can be cancelled", steps: []any{ev("x", set(StateTimeout, s, "t")), ev("y", off(StateTimeout)), 9 * s}, lines: "a cast x; a cast y"},
	{says: "cancelling none is nothing", steps: []any{ev("y", off(StateTimeout), off(idle)), 9 * s}, lines: "a cast y"},
	{says: "its content can be changed, and its time remains",
		steps: []any{ev("x", set(StateTimeout, 2*s, "t")), s, ev("y", renew(StateTimeout, "u")), s, 9 * s}, lines: "a cast x; a cast y; a state_timeout u"},
	{says: "changing the content of none makes it come at once",
		steps: []any{ev("y", renew(StateTimeout, "u")), ev("z")}, lines: "a cast y; a state_timeout u; a cast z"},
	{says: "one of zero comes after the events that wait, and before any that is received",
		steps: []any{ev("w", in("a", postpone)), ev("x", set(StateTimeout, 0, "t"), next("b"), insert(ev("1"))), ev("y")},
		lines: "a cast w; a cast x; b internal 1; b cast w; b state_timeout t; b cast y"},
	{says: "a change of the state cancels one of zero that has not come",
		steps: []any{ev("x", set(StateTimeout, 0, "t"), insert(ev("1", next("b")))), 9 * s}, lines: "a cast x; a internal 1"},
	{says: "one of zero can be cancelled, set again, and be given another content",
		steps: []any{ev("x", set(StateTimeout, 0, "t"), set(idle, 0, "t"), set(other, 0, "t"), insert(ev("1", off(StateTimeout), set(idle, s, "late"), renew(other, "u")))), 9 * s},
		lines: "a cast x; a internal 1; a {timeout,other} u; a {timeout,idle} late"},
	{says: "a negative time is zero", steps: []any{ev("x", set(StateTimeout, -s, "t")), ev("y")}, lines: "a cast x; a state_timeout t; a cast y"},
	{says: "one set by Init belongs to the first state", init: []opt{set(StateTimeout, s, "t")}, steps: []any{s}, lines: "a state_timeout t"},
	{says: "it comes once, and may be set anew as it comes",
		steps: []any{ev("x", set(StateTimeout, s, ev("t", set(StateTimeout, s, "u")))), 9 * s}, lines: "a cast x; a state_timeout t; a state_timeout u"},
	{says: "what is no timeout can't be set", steps: []any{ev("x", set(Cast, s, "t"))},
		lines: "a cast x; terminate a crashed: statem: cast is no timeout"},
}

var eventTimeouts = []rule{
	{says: "it comes if nothing else does", steps: []any{ev("x", set(EventTimeout, s, "t")), 9 * s}, lines: "a cast x; a timeout t"},
	{says: "a cast cancels it", steps: []any{ev("x", set(EventTimeout, s, "t")), ev("y"), 9 * s}, lines: "a cast x; a cast y"},
	{says: "so does a call", steps: []any{ev("x", set(EventTimeout, s, "t")), call("y", reply(1)), 9 * s}, lines: "a cast x; a call y", answers: "1"},
	{says: "so does another timeout",
		steps: []any{ev("x", set(EventTimeout, 2*s, "t"), set(idle, s, "u")), 9 * s}, lines: "a cast x; a {timeout,idle} u"},
	{says: "so does one that is postponed", steps: []any{ev("x", set(EventTimeout, s, "t")), ev("y", in("a", postpone)), 9 * s}, lines: "a cast x; a cast y"},
	{says: "so does an inserted event", steps: []any{ev("x", set(EventTimeout, s, "t"), insert(ev("1"))), 9 * s}, lines: "a cast x; a internal 1"},
	{says: "so does a retried event",
		steps: []any{ev("w", in("a", postpone)), ev("x", set(EventTimeout, s, "t"), next("b")), 9 * s}, lines: "a cast w; a cast x; b cast w"},
	{says: "a change of the state alone doesn't", steps: []any{ev("x", next("b"), set(EventTimeout, s, "t")), 9 * s}, lines: "a cast x; b timeout t"},
	{says: "one of zero comes before any event that is received", steps: []any{ev("x", set(EventTimeout, 0, "t")), ev("y")}, lines: "a cast x; a timeout t; a cast y"},
	{says: "but not if an event waits",
		steps: []any{ev("x", set(EventTimeout, 0, "t"), insert(ev("1"))), 9 * s}, lines: "a cast x; a internal 1"},
	{says: "nor if one is retried",
		steps: []any{ev("w", in("a", postpone)), ev("x", set(EventTimeout, 0, "t"), next("b")), 9 * s}, lines: "a cast w; a cast x; b cast w"},
	{says: "another one of zero cancels it, if that was asked for before",
		steps: []any{ev("x", set(StateTimeout, 0, "u"), set(EventTimeout, 0, "t")), 9 * s}, lines: "a cast x; a state_timeout u"},
	{says: "not if that was asked for afterwards",
		steps: []any{ev("x", set(EventTimeout, 0, "t"), set(StateTimeout, 0, "u")), 9 * s}, lines: "a cast x; a timeout t; a state_timeout u"},
	{says: "no event leaves one to be updated: that makes it come at once",
		steps: []any{ev("x", set(EventTimeout, 9*s, "t")), ev("y", renew(EventTimeout, "u")), 20 * s}, lines: "a cast x; a cast y; a timeout u"},
	{says: "it can be set again as it comes",
		steps: []any{ev("x", set(EventTimeout, s, ev("t", set(EventTimeout, s, "u")))), 9 * s}, lines: "a cast x; a timeout t; a timeout u"},
}

var genericTimeouts = []rule{
	{says: "there may be many, by name",
		steps: []any{ev("x", set(idle, 2*s, "t"), set(other, s, "u")), 9 * s}, lines: "a cast x; a {timeout,other} u; a {timeout,idle} t"},
	{says: "neither events nor a change of the state cancel them",
		steps: []any{ev("x", set(idle, 2*s, "t")), s, ev("y", next("b")), ev("z", next("c")), s}, lines: "a cast x; a cast y; b cast z; c {timeout,idle} t"},
	{says: "set again one runs for the new time, and the others remain",
		steps: []any{ev("x", set(idle, 2*s, "t"), set(other, 2*s, "o")), ev("y", set(idle, 4*s, "u")), 3 * s, ev("z"), s},
		lines: "a cast x; a cast y; a {timeout,other} o; a cast z; a {timeout,idle} u"},
	{says: "one can be cancelled, and the others remain",
		steps: []any{ev("x", set(idle, s, "t"), set(other, s, "o")), ev("y", off(idle)), 9 * s}, lines: "a cast x; a cast y; a {timeout,other} o"},
	{says: "infinity cancels one", steps: []any{ev("x", set(idle, s, "t")), ev("y", set(idle, Infinity, nil)), 9 * s}, lines: "a cast x; a cast y"},
	{says: "in one transition the last word on a type counts",
		steps: []any{ev("x", set(idle, s, "t"), set(idle, 2*s, "u"), set(other, s, "o"), off(other)), 9 * s}, lines: "a cast x; a {timeout,idle} u"},
	{says: "also if that is another content for one that doesn't run",
		steps: []any{ev("x", set(idle, 5*s, "t"), renew(idle, "u")), ev("y")}, lines: "a cast x; a {timeout,idle} u; a cast y"},
	{says: "those of zero come in the order in which they were asked for",
		steps: []any{ev("x", set(other, 0, 1), set(idle, 0, 2), set(StateTimeout, 0, 3), set(other, 0, 4)), ev("y")},
		lines: "a cast x; a {timeout,idle} 2; a state_timeout 3; a {timeout,other} 4; a cast y"},
	{says: "another content leaves one of zero in its place",
		steps: []any{ev("x", set(other, 0, 1), set(idle, 0, 2), insert(ev("i", renew(other, 3))))}, lines: "a cast x; a internal i; a {timeout,other} 3; a {timeout,idle} 2"},
	{says: "an event that one of zero inserts comes before the next one of zero",
		steps: []any{ev("x", set(other, 0, ev("1", insert(ev("i")))), set(idle, 0, 2))},
		lines: "a cast x; a {timeout,other} 1; a internal i; a {timeout,idle} 2"},
	{says: "one is due while another one's event is handled",
		steps: []any{ev("x", set(idle, s, ev("t", off(other))), set(other, s, "never")), 9 * s}, lines: "a cast x; a {timeout,idle} t"},
}

var stops = []rule{
	{says: "a machine may end with a reason", steps: []any{ev("x", stop(actors.Normal)), ev("y")}, lines: "a cast x; terminate a normal"},
	{says: "what else it asks for is dropped", change: enters,
		steps: []any{ev("x", next("b"), insert(ev("never")), set(idle, 0, "never"), postpone, stop(actors.Shutdown))},
		lines: "enter a from a; a cast x; terminate a shutdown"},
	{says: "but for answers, which are sent first",
		steps: []any{call("x", keepFrom), call("y", reply(1), replyKept(2), stop(actors.Normal))}, lines: "a call x; a call y; terminate a normal", answers: "1; 2"},
	{says: "who waits hears of the end: the call itself, postponed ones, and those taken",
		steps: []any{call("x", in("a", postpone)), call("y"), call("z", stop(actors.Normal))}, lines: "a call x; a call y; a call z; terminate a normal",
		answers: "no such actor; no such actor; no such actor"},
	{says: "events that wait are lost with it, and calls among them hear of it",
		steps: []any{call("x", func(c *tcontext) error {
			c.NextEvent(Internal, ev("y", stop(actors.Normal)))
			c.NextCall(c.t.ev.From, ev("never"))
			return nil
		})},
		lines: "a call x; a internal y; terminate a normal", answers: "no such actor"},
	{says: "an error is a crash, and nothing of what was asked for happens",
		steps: []any{call("x", reply("never"), next("b"), set(idle, 0, "never"), crash)}, lines: "a call x; terminate a crashed: on purpose", answers: "the actor crashed"},
	{says: "who waits hears of the crash",
		steps: []any{call("x", in("a", postpone)), call("y"), ev("z", crash)}, lines: "a call x; a call y; a cast z; terminate a crashed: on purpose",
		answers: "the actor crashed; the actor crashed"},
	{says: "a stop with an error is a crash", steps: []any{ev("x", stop(actors.Crashed(errOnPurpose)))}, lines: "a cast x; terminate a crashed: on purpose"},
	{says: "a crash on an event that follows another takes back nothing of that one",
		steps: []any{call("x", reply("sent"), next("b"), insert(ev("y", crash)))}, lines: "a call x; b internal y; terminate b crashed: on purpose", answers: "sent"},
	{says: "Init may stop the machine, which is not there to be ended", init: []opt{stop(actors.Normal)}, steps: []any{ev("x")}, lines: ""},
	{says: "Init may fail", init: []opt{crash}, steps: []any{ev("x")}, lines: ""},
	{says: "Init that asks for what there isn't has failed", init: []opt{set(Cast, s, "t")}, steps: []any{ev("x")}, lines: ""},
	{says: "Init returns the state, and can't go to another", init: []opt{next("b")}, steps: []any{ev("x")}, lines: ""},
	{says: "a state without handler is a crash",
		change: func(m *tmachine) { m.Handle, m.States = nil, map[string]State[string, journal]{"b": {Handle: handle}} },
		steps:  []any{ev("x")}, lines: "terminate a crashed: statem: nothing handles events in state a"},
	{says: "a change to a machine that can't run is a crash",
		steps: []any{ev("x", did(func(c *tcontext) { c.ChangeMachine(nil) }))}, lines: "a cast x; terminate a crashed: statem: a machine needs Init"},
}
