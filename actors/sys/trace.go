package sys

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
)

// MaxTrace bounds the messages of one Trace.
const MaxTrace = 100_000

// aliveEvery is how often Trace looks whether its actor is still there.
const aliveEvery = time.Second

// ErrTraced: another trace of the same actor has begun.
var ErrTraced = errors.New("sys: another trace of the actor has taken over")

// Trace calls f, on the caller's goroutine, with each of the next n messages that the actor handles, 1 to MaxTrace, until f returns
// an error, which Trace then returns, or ctx is over, or the actor has ended, which is actors.ErrNoProc. The actor doesn't wait
// for f: what f hasn't seen yet is kept. An actor has one trace; a later one ends the earlier with ErrTraced.
//
// Events hold the types of messages. Of a handler's error they hold the type; its text is in the log of the crash. The address
// of a user whom the actor has sent something is left out, but for the actor's own.
func Trace(ctx context.Context, s *actors.System, ref actors.Ref, by string, n int, f func(actors.TraceEvent) error) error {
	if n < 1 || n > MaxTrace {
		return fmt.Errorf("sys: a trace is of 1 to %d messages, not %d", MaxTrace, n)
	}
	log(s, ref, by, "an actor's messages are traced")
	t := &trace{left: n, came: make(chan struct{}, 1), over: make(chan struct{})}
	err := onTurn(ctx, s, ref, func(i *actors.Inspection) error {
		t.ref = i.Context().Self()
		running.begin(place{s, t.ref}, t)
		i.Trace(n, t.put)
		return nil
	})
	if err != nil {
		return err
	}
	err = t.run(ctx, s, f)
	t.close()
	if t.left > 0 { // of a stuck actor it ends by itself, at the last message
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), statusTime)
		defer cancel()
		_ = onTurn(end, s, t.ref, func(i *actors.Inspection) error {
			if running.end(place{s, t.ref}, t) {
				i.Trace(0, nil)
			}
			return nil
		})
	}
	running.end(place{s, t.ref}, t)
	return err
}

// running are the traces of all systems in this process.
var running traces

// traces knows the trace of each actor that has one. Safe for concurrent use.
type traces struct {
	mu struct {
		sync.Mutex
		of map[place]*trace
	}
}

// place names an actor of one of the process's systems.
type place struct {
	sys *actors.System
	ref actors.Ref
}

// begin notes a trace, and ends the one before.
func (ts *traces) begin(at place, t *trace) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.mu.of == nil {
		ts.mu.of = map[place]*trace{}
	}
	if before := ts.mu.of[at]; before != nil {
		close(before.over)
	}
	ts.mu.of[at] = t
}

// end forgets a trace and reports whether it still was its actor's.
func (ts *traces) end(at place, t *trace) bool {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.mu.of[at] != t {
		return false
	}
	delete(ts.mu.of, at)
	return true
}

// trace is what was seen and not told yet.
type trace struct {
	ref  actors.Ref
	left int           // messages that f is still to be told of
	came chan struct{} // that there are events
	over chan struct{} // closed when another trace takes over

	mu struct {
		sync.Mutex
		events []actors.TraceEvent
		closed bool // nobody takes them any more
	}
}

// put takes an event on the actor's turn.
func (t *trace) put(e actors.TraceEvent) {
	e = t.clean(e)
	t.mu.Lock()
	if !t.mu.closed {
		t.mu.events = append(t.mu.events, e)
	}
	t.mu.Unlock()
	select {
	case t.came <- struct{}{}:
	default:
	}
}

func (t *trace) take() []actors.TraceEvent {
	t.mu.Lock()
	defer t.mu.Unlock()
	events := t.mu.events
	t.mu.events = nil
	return events
}

func (t *trace) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.closed, t.mu.events = true, nil
}

// run tells f until there is an end.
func (t *trace) run(ctx context.Context, s *actors.System, f func(actors.TraceEvent) error) error {
	alive := time.NewTicker(aliveEvery)
	defer alive.Stop()
	for {
		var end error
		select {
		case <-t.came:
		case <-ctx.Done():
			return ctx.Err()
		case <-t.over:
			end = ErrTraced
		case <-alive.C:
			if _, err := s.Facts(t.ref); errors.Is(err, actors.ErrNoProc) {
				end = fmt.Errorf("sys: %v: %w", t.ref, err)
			}
		}
		for _, e := range t.take() {
			if err := f(e); err != nil {
				return err
			}
			if t.left--; t.left == 0 {
				return nil
			}
		}
		if end != nil {
			return end
		}
	}
}

// clean takes out of an event what users may have written.
func (t *trace) clean(e actors.TraceEvent) actors.TraceEvent {
	if e.Err != nil {
		e.Err = fault(fmt.Sprintf("%T", cause(e.Err)))
	}
	e.Sent = slices.Clone(e.Sent)
	for i := range e.Sent {
		if id := &e.Sent[i].To.ID; strings.Contains(*id, "@") && *id != t.ref.ID {
			*id = "..."
		}
	}
	return e
}

// fault is the type of an error.
type fault string

// Error implements error.
func (f fault) Error() string { return "sys: an error of type " + string(f) }

// cause is the innermost of an error that wraps others: what wraps says nothing by its type.
func cause(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}
