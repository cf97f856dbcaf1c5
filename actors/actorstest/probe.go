package actorstest

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
)

// ProbeKind is the kind of the probes that Kit.Probe makes.
const ProbeKind = "probe"

// Probe is an actor under the test's hand: it notes what it gets, and does what it is told. It belongs to the test's goroutine.
type Probe struct {
	k     *Kit
	ref   actors.Ref
	child *actors.Child
	up    atomic.Bool
	news  chan struct{} // holds one: something came

	mu struct {
		sync.Mutex
		got       []received
		taken     int // how many of them expectations have had
		onMessage func(*actors.Context, any) error
		onCall    func(*actors.Context, any) (any, error)
	}
}

// received is one message that a probe got.
type received struct {
	at  time.Duration
	msg any
}

// Call is a request that a probe got. Unless the probe has been told how to answer (OnCall), the asker waits for Reply or Fail.
type Call struct {
	// Req is what is asked.
	Req  any
	p    *Probe
	from actors.From
}

// Probe starts a probe with the Ref {ProbeKind, id}.
func (k *Kit) Probe(id string) *Probe {
	k.tb.Helper()
	return k.ProbeAt(actors.Ref{Kind: ProbeKind, ID: id})
}

// ProbeAt starts a probe with a Ref of the test's choice: it takes the place of a user's mailbox, say, or of a session if the Ref
// is pinned to the kit's node. Within one kit a kind is either played by probes or the real one.
func (k *Kit) ProbeAt(ref actors.Ref) *Probe {
	k.tb.Helper()
	p := &Probe{k: k, ref: ref, news: make(chan struct{}, 1)}
	spec := actors.Spec{Kind: ref.Kind, New: func() actors.Behaviour { return new(probing) }}
	var err error
	if p.child, err = k.sys.Spawn(spec, ref, p, probeOwner{}); err != nil {
		k.fatalf("the probe %v can't be started: %v", ref, err)
	}
	k.probes = append(k.probes, p)
	if k.Wait(); !p.up.Load() {
		k.fatalf("the probe %v can't be started: actors of kind %q are the real ones here", ref, ref.Kind)
	}
	return p
}

// probeOwner lets a probe that crashes end.
type probeOwner struct{}

// Exited implements actors.Owner: it asks for no new life, so that the end of a probe is final.
func (probeOwner) Exited(c *actors.Child, reason actors.Reason) {
	if !reason.Ended() {
		c.End(reason)
	}
}

// probing is the behaviour of a probe.
type probing struct{ p *Probe }

// do is what a probe is told to do on its turn.
type do func(*actors.Context)

// Init implements actors.Behaviour: its argument is the Probe that the test holds, which is up from here on.
func (b *probing) Init(_ *actors.Context, args any) error {
	p, ok := args.(*Probe)
	if !ok {
		return fmt.Errorf("actorstest: actors of this kind are probes here")
	}
	b.p = p
	p.up.Store(true)
	return nil
}

// Handle implements actors.Behaviour: it does what the test tells it, and notes every other message.
func (b *probing) Handle(ctx *actors.Context, msg any) error {
	if f, ok := msg.(do); ok {
		f(ctx)
		return nil
	}
	if f := b.p.note(msg); f != nil {
		return f(ctx, msg)
	}
	return nil
}

// HandleCall implements actors.CallHandler: it notes the request and answers as the test has told it, or leaves that for later.
func (b *probing) HandleCall(ctx *actors.Context, from actors.From, req any) (any, error) {
	b.p.note(&Call{req, b.p, from})
	b.p.mu.Lock()
	f := b.p.mu.onCall
	b.p.mu.Unlock()
	if f == nil {
		return actors.NoReply, nil
	}
	return f(ctx, req)
}

// note writes a message down and returns what the probe does about messages.
func (p *Probe) note(msg any) func(*actors.Context, any) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.got = append(p.mu.got, received{p.k.since(time.Now()), msg})
	select {
	case p.news <- struct{}{}:
	default:
	}
	return p.mu.onMessage
}

// Ref returns the probe's name.
func (p *Probe) Ref() actors.Ref { return p.ref }

// OnMessage makes the probe do f with each message from now on, after it has noted it: f runs on the probe's turn. An error of f
// is a crash of the probe, which ends it. nil ends it.
func (p *Probe) OnMessage(f func(ctx *actors.Context, msg any) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.onMessage = f
}

// OnCall makes the probe answer calls with what f returns, after it has noted them as *Call: f runs on the probe's turn. nil makes
// them wait for Call.Reply again.
func (p *Probe) OnCall(f func(ctx *actors.Context, req any) (any, error)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.onCall = f
}

// Do runs f on the probe's turn, with all that an actor's Context offers, and waits until all is at rest.
func (p *Probe) Do(f func(ctx *actors.Context)) {
	p.k.tb.Helper()
	if err := p.k.sys.Answer(p.ref, do(f)); err != nil {
		p.k.fatalf("the probe %v does nothing more: %v", p.ref, err)
	}
	p.k.Wait()
}

// Cast casts msg as the probe. A refusal fails the test.
func (p *Probe) Cast(to actors.Ref, msg any) {
	p.k.tb.Helper()
	var err error
	if p.Do(func(ctx *actors.Context) { err = ctx.Cast(to, msg) }); err != nil {
		p.k.fatalf("%v casts %s to %v: %v", p.ref, show(msg), to, err)
	}
}

// Call asks as the probe. The answer comes to the probe as *actors.Reply with the ID returned.
func (p *Probe) Call(to actors.Ref, req any, timeout time.Duration) (id actors.CallID) {
	p.k.tb.Helper()
	p.Do(func(ctx *actors.Context) { id = ctx.Call(to, req, timeout) })
	return id
}

// Monitor makes the probe hear of the end of an actor, as actors.Down.
func (p *Probe) Monitor(target actors.Ref) (m actors.MonitorRef) {
	p.k.tb.Helper()
	p.Do(func(ctx *actors.Context) { m = ctx.Monitor(target) })
	return m
}

// Link links the probe to an actor. The end of that comes as actors.Exit if the probe traps exits (TrapExit), and else ends the probe.
func (p *Probe) Link(to actors.Ref) {
	p.k.tb.Helper()
	p.Do(func(ctx *actors.Context) { ctx.Link(to) })
}

// TrapExit makes exit signals come as actors.Exit.
func (p *Probe) TrapExit() {
	p.k.tb.Helper()
	p.Do(func(ctx *actors.Context) { ctx.TrapExit(true) })
}

// Stop ends the probe with reason, as an actor that others monitor.
func (p *Probe) Stop(reason actors.Reason) {
	p.child.Stop(reason)
	p.k.Wait()
}

// Reply answers the call.
func (c *Call) Reply(v any) {
	c.p.k.tb.Helper()
	c.p.Do(func(ctx *actors.Context) { ctx.Reply(c.from, v, nil) })
}

// Fail answers the call with an error.
func (c *Call) Fail(err error) {
	c.p.k.tb.Helper()
	c.p.Do(func(ctx *actors.Context) { ctx.Reply(c.from, nil, err) })
}

// String writes the request, as failures print it.
func (c *Call) String() string { return show(c.Req) }

// firstLine leaves out a panic's stack.
func firstLine(s string) string {
	line, _, more := strings.Cut(s, "\n")
	if more {
		line += " ..."
	}
	return line
}
