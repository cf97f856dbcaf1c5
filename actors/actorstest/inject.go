package actorstest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/jackdaw-im/jackdaw/actors"
)

// CrashNext makes an actor crash with err on the next message that its behaviour would get: a cast, a call, whose asker hears
// actors.ErrCrashed, or a timer, a Down, a Reply. It fails the test if the actor isn't there, which one that starts on demand is only
// after its first message, and if no message has come by the end of the test.
func (k *Kit) CrashNext(ref actors.Ref, err error) {
	k.tb.Helper()
	k.CrashOn(ref, Any(), err)
}

// CrashOn is CrashNext for the next message that is want: a value or a Matcher, of a call its request. What comes before is handled
// as ever.
func (k *Kit) CrashOn(ref actors.Ref, want any, err error) {
	k.tb.Helper()
	k.inject(&fault{ref: ref, on: want, err: err})
}

// PanicNext is CrashNext with a panic.
func (k *Kit) PanicNext(ref actors.Ref, value any) {
	k.tb.Helper()
	k.inject(&fault{ref: ref, on: Any(), panics: value})
}

// Exit sends an actor an exit signal from outside, as erlang:exit/2 does: with actors.Killed it can't be trapped. It waits until all is
// at rest.
func (k *Kit) Exit(ref actors.Ref, reason actors.Reason) {
	k.tb.Helper()
	if err := k.sys.Exit(ref, reason); err != nil {
		k.fatalf("%v can't be told to exit: %v", ref, err)
	}
	k.Wait()
}

// Inspect waits until all is at rest and runs f on the actor's own turn.
func (k *Kit) Inspect(ref actors.Ref, f func(i *actors.Inspection)) {
	k.tb.Helper()
	k.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), CallTime)
	defer cancel()
	if err := k.sys.Inspect(ctx, ref, f); err != nil {
		k.fatalf("%v can't be inspected: %v", ref, err)
	}
}

// BehaviourOf waits until all is at rest and returns an actor's behaviour, for a test that knows what is in it. It is the value
// itself: it may be read until the test sends something or lets time pass.
func BehaviourOf[B actors.Behaviour](k *Kit, ref actors.Ref) B {
	k.tb.Helper()
	var b actors.Behaviour
	k.Inspect(ref, func(i *actors.Inspection) { b = i.Behaviour() })
	if f, ok := b.(*faulty); ok {
		b = f.Behaviour
	}
	found, ok := b.(B)
	if !ok {
		k.fatalf("the behaviour of %v is %T, not %T", ref, b, found)
	}
	return found
}

// ExpectIdle waits until all is at rest and fails the test if the actor still has something under way: messages, timers, calls,
// monitors or links.
func (k *Kit) ExpectIdle(ref actors.Ref) {
	k.tb.Helper()
	var f actors.Facts
	k.Inspect(ref, func(i *actors.Inspection) { f = i.Facts() })
	if f.Queue+f.Timers+f.Calls+f.Monitors+f.Links > 0 {
		k.fatalf("%v isn't idle: %d messages, %d timers, %d calls, %d monitors, %d links", ref, f.Queue, f.Timers, f.Calls, f.Monitors, f.Links)
	}
}

// fault is one crash to come.
type fault struct {
	ref    actors.Ref
	on     any
	err    error
	panics any // nil: the behaviour returns err
	done   atomic.Bool
}

// String tells which crash was to come and on what, as the test's failure at its end prints it.
func (f *fault) String() string {
	what := fmt.Sprint(f.err)
	if f.panics != nil {
		what = fmt.Sprint("panic: ", f.panics)
	}
	return fmt.Sprintf("%v was to crash (%s) on %s, which never came", f.ref, what, show(f.on))
}

func (k *Kit) inject(f *fault) {
	k.tb.Helper()
	replaced := false
	k.Inspect(f.ref, func(i *actors.Inspection) {
		if b := i.Behaviour(); b != nil {
			replaced = i.Replace(&faulty{b, f})
		}
	})
	if !replaced {
		k.fatalf("%v can't be made to crash: it has no life just now", f.ref)
	}
	k.faults = append(k.faults, f)
}

// faulty stands in for a behaviour until the message comes on which it crashes; the life after has an ordinary one. It has all
// abilities, and does without them what the runtime would do.
type faulty struct {
	actors.Behaviour
	fault *fault
}

// due reports whether this is the message.
func (f *faulty) due(msg any) bool {
	if f.fault.done.Load() || !matches(f.fault.on, msg) {
		return false
	}
	f.fault.done.Store(true)
	if f.fault.panics != nil {
		panic(f.fault.panics)
	}
	return true
}

// Handle implements actors.Behaviour: it crashes if this is the message, and else leaves it to the real behaviour.
func (f *faulty) Handle(ctx *actors.Context, msg any) error {
	if f.due(msg) {
		return f.fault.err
	}
	return f.Behaviour.Handle(ctx, msg)
}

// HandleCall implements actors.CallHandler: it crashes if this is the request, so that the asker hears actors.ErrCrashed, and else leaves
// it to the real behaviour.
func (f *faulty) HandleCall(ctx *actors.Context, from actors.From, req any) (any, error) {
	if f.due(req) {
		ctx.Stop(actors.Crashed(f.fault.err)) // an error would only be the answer
		return actors.NoReply, nil
	}
	if h, ok := f.Behaviour.(actors.CallHandler); ok {
		return h.HandleCall(ctx, from, req)
	}
	return nil, actors.ErrNoCall
}

// Terminate implements actors.Terminator for a real behaviour that does.
func (f *faulty) Terminate(ctx *actors.Context, reason actors.Reason) {
	if t, ok := f.Behaviour.(actors.Terminator); ok {
		t.Terminate(ctx, reason)
	}
}

// EndBatch implements actors.BatchEnder for a real behaviour that does.
func (f *faulty) EndBatch(ctx *actors.Context) error {
	if b, ok := f.Behaviour.(actors.BatchEnder); ok {
		return b.EndBatch(ctx)
	}
	return nil
}

// MayPassivate implements actors.Passivator: a real behaviour that doesn't may always be passivated.
func (f *faulty) MayPassivate(ctx *actors.Context) bool {
	p, ok := f.Behaviour.(actors.Passivator)
	return !ok || p.MayPassivate(ctx)
}

// FormatStatus implements actors.StatusFormatter: of a real behaviour that doesn't it tells the type.
func (f *faulty) FormatStatus() any {
	if s, ok := f.Behaviour.(actors.StatusFormatter); ok {
		return s.FormatStatus()
	}
	return fmt.Sprintf("%T", f.Behaviour)
}

// ReplaceState implements actors.StateReplacer for a real behaviour that does; the state of others can't be replaced.
func (f *faulty) ReplaceState(ctx *actors.Context, doc []byte) error {
	if r, ok := f.Behaviour.(actors.StateReplacer); ok {
		return r.ReplaceState(ctx, doc)
	}
	return errors.New("actorstest: this behaviour's state can't be replaced")
}
