package cluster

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// Receive takes an envelope that a link has brought. It never blocks. Nothing that another node sends makes it crash.
func (c *Cluster) Receive(from ident.NodeID, _ nodepb.LinkClass, b []byte) {
	var e envelope
	if err := e.decode(b); err != nil {
		c.counters.Unreadable.Add(1)
		return
	}
	if e.origin == "" {
		e.origin = from
	}
	e.via = from
	c.counters.Received.Add(1)
	switch e.how {
	case nodepb.Envelope_REPLY:
		c.replied(&e)
	case nodepb.Envelope_DOWN:
		if w := c.watches.take(e.ref); w != nil {
			w.Down(e.reason)
		}
	case nodepb.Envelope_BOUNCE:
		c.bounced(&e)
	case nodepb.Envelope_RELEASED:
		if e.ref == 0 || c.barriers.last(from, e.ref) {
			c.let(from, &e)
		}
	case nodepb.Envelope_ROUTED:
		if c.barriers.last(from, e.ref) {
			c.hear(from, &e)
		}
	case nodepb.Envelope_WANTED:
		c.receivePins(from, &e)
	case nodepb.Envelope_YIELDED:
		if e.hops == 0 || c.barriers.last(from, uint64(e.hops)) {
			c.receivePins(from, &e)
		}
	case nodepb.Envelope_GROUP:
		c.groups.receive(c, from, &e)
	case nodepb.Envelope_CAST, nodepb.Envelope_ANSWER, nodepb.Envelope_CALL, nodepb.Envelope_MONITOR, nodepb.Envelope_DEMONITOR, nodepb.Envelope_EXIT:
		more := e.more
		e.more = nil
		if len(more) > 0 {
			e.shared = c.read(&e)
		}
		c.route(e)
		for _, to := range more {
			e.to = to
			c.route(e)
		}
	default:
		c.counters.Unreadable.Add(1) // of a newer version
	}
}

// read makes the message of an envelope; nil if it can't be read, which is for handle to say.
func (c *Cluster) read(e *envelope) proto.Message {
	m := c.bodies.make(e.typ)
	if m == nil || proto.Unmarshal(e.body, m) != nil {
		return nil
	}
	return m
}

// route brings what another node sent to its actor, or on its way there.
func (c *Cluster) route(e envelope) {
	if e.how == nodepb.Envelope_DEMONITOR && c.watchers.unwatch(e.origin, e.ref) {
		return
	}
	if c.Local(e.to) {
		c.handleTheirs(&e, false)
		return
	}
	c.detour(e)
}

// backHops is how often at most something was sent on before it goes back to whom it came from: two nodes may each have let go of it.
const backHops = 2

// detour keeps what another node sent for an actor that isn't here, or sends it on. It isn't route itself, where the envelope needs no
// memory of its own.
func (c *Cluster) detour(e envelope) {
	switch owner := c.routes.Load().owner(e.to); {
	case owner == "":
		c.refuse(&e, actors.ErrNoConnection)
	case owner == c.self:
		h := held{env: &e, to: e.to}
		if err := c.hold(h); err != nil {
			c.refuse(&e, err)
		}
	case e.how == nodepb.Envelope_CAST && c.queuedFrom(&e):
	case e.to.Node != "": // of an earlier incarnation
		c.refuse(&e, actors.ErrNoProc)
	case owner == e.via && (e.hops >= backHops || !c.lately(e.to)): // of whom one knows what the other will know soon
		if !c.park(held{env: &e, to: e.to}) {
			c.refuse(&e, actors.ErrOverloaded)
		}
	default:
		c.sendOn(held{env: &e, to: e.to})
	}
}

// queuedFrom puts another node's cast into the queue of an actor that is leaving.
func (c *Cluster) queuedFrom(e *envelope) bool {
	r := c.routes.Load()
	if !r.stays(c, e.to) {
		return false
	}
	m := e.shared
	if m == nil {
		if m = c.read(e); m == nil {
			return false
		}
	}
	ok, err := c.queued(r, e.to, m)
	if ok && err != nil {
		c.refuse(e, err)
	}
	return ok
}

// handle gives a signal to an actor of this node.
func (c *Cluster) handle(h held) {
	if h.env == nil {
		c.handleOwn(h)
		return
	}
	c.handleTheirs(h.env, true)
}

// handleTheirs gives a signal of another node's to an actor of this one. It doesn't keep e. opening says that it was held until now.
func (c *Cluster) handleTheirs(e *envelope, opening bool) {
	msg := e.shared
	if e.typ != 0 && msg == nil {
		if msg = c.bodies.make(e.typ); msg == nil {
			c.counters.Unreadable.Add(1)
			c.refuse(e, fmt.Errorf("cluster: %s doesn't know the message that %s sent", c.self, e.origin))
			return
		}
		if err := proto.Unmarshal(e.body, msg); err != nil {
			c.counters.Unreadable.Add(1)
			c.refuse(e, fmt.Errorf("cluster: a message of %s can't be read: %w", e.origin, err))
			return
		}
	}
	sig := actors.Signal{From: e.from, Reason: e.reason, Opening: opening}
	if msg != nil {
		sig.Msg = msg
	}
	switch e.how {
	case nodepb.Envelope_CAST:
		sig.How = actors.HowCast
		c.take(e, sig)
	case nodepb.Envelope_ANSWER:
		sig.How = actors.HowAnswer
		c.take(e, sig)
	case nodepb.Envelope_EXIT:
		sig.How = actors.HowExit
		_ = c.sys.Receive(e.to, sig) // as to one that isn't there
	case nodepb.Envelope_CALL:
		ref, origin := e.ref, e.origin
		c.sys.Ask(e.to, sig.Msg, func(v any, err error) { c.reply(origin, ref, v, err) })
	case nodepb.Envelope_MONITOR:
		c.watchers.watch(c, e.origin, e.ref, e.to)
	case nodepb.Envelope_DEMONITOR:
		c.watchers.unwatch(e.origin, e.ref)
	}
}

// take gives a cast or an answer to an actor of this node, or sends it on if that has just left.
func (c *Cluster) take(e *envelope, sig actors.Signal) {
	switch err := c.sys.Receive(e.to, sig); {
	case err == nil:
	case errors.Is(err, actors.ErrNoProc) && !sig.Opening && !c.Local(e.to):
		c.detour(*e)
	default:
		c.refuse(e, err)
	}
}

// handleOwn gives a signal of this node's, which was held, to an actor of it.
func (c *Cluster) handleOwn(h held) {
	var err error
	switch h.sig.How {
	case actors.HowCall:
		c.sys.Ask(h.to, h.sig.Msg, h.sig.Call.Answer)
	case actors.HowMonitor:
		c.watchOwn(h.to, h.sig.Watch)
	default:
		h.sig.Opening = true
		err = c.sys.Receive(h.to, h.sig)
	}
	if err != nil && h.sig.How != actors.HowExit {
		c.undelivered(h, err)
	}
}

// undelivered tells an actor of this node that its cast was not taken.
func (c *Cluster) undelivered(h held, err error) {
	c.counters.Bounced.Add(1)
	_ = c.sys.Bounce(h.sig.From, actors.Undelivered{To: h.to, Msg: h.sig.Msg, Err: err})
}

// reply answers a call of another node.
func (c *Cluster) reply(origin ident.NodeID, ref uint64, v any, err error) {
	e := &envelope{how: nodepb.Envelope_REPLY, ref: ref}
	if m, ok := v.(proto.Message); ok && err == nil {
		e.msg, e.typ = m, c.bodies.number(m)
	} else if err == nil && v != nil {
		c.counters.Unsendable.Add(1)
		err = fmt.Errorf("cluster: the answer is a %T, which is no protobuf message", v)
	}
	if err != nil {
		e.fault, e.faultText = faultOf(err)
	}
	c.toNode(origin, nodepb.LinkClass_MESSAGES, true, e)
}

// replied gives a call of this node its answer.
func (c *Cluster) replied(e *envelope) {
	a := c.calls.take(e.ref)
	if a == nil {
		return // it waits no more
	}
	if err := e.error(); err != nil {
		a.Answer(nil, err)
		return
	}
	if e.typ == 0 {
		a.Answer(nil, nil)
		return
	}
	m := c.bodies.make(e.typ)
	if m == nil || proto.Unmarshal(e.body, m) != nil {
		c.counters.Unreadable.Add(1)
		a.Answer(nil, fmt.Errorf("cluster: the answer of %s can't be read", e.origin))
		return
	}
	a.Answer(m, nil)
}

// refuse gives back what another node sent.
func (c *Cluster) refuse(e *envelope, err error) {
	c.counters.Refused.Add(1)
	back := &envelope{ref: e.ref, to: e.from, from: e.to, typ: e.typ, body: e.body}
	back.fault, back.faultText = faultOf(err)
	switch e.how {
	case nodepb.Envelope_CAST, nodepb.Envelope_ANSWER:
		if e.from.IsZero() {
			c.counters.Lost.Add(1)
			return
		}
		back.how = nodepb.Envelope_BOUNCE
	case nodepb.Envelope_CALL:
		back.how, back.typ, back.body = nodepb.Envelope_REPLY, 0, nil
	case nodepb.Envelope_MONITOR:
		back = &envelope{how: nodepb.Envelope_DOWN, ref: e.ref, reason: actors.NoConnection}
	default:
		c.counters.Lost.Add(1)
		return
	}
	c.toNode(e.origin, nodepb.LinkClass_MESSAGES, true, back)
}

// bounced tells an actor of this node that its cast was not taken elsewhere.
func (c *Cluster) bounced(e *envelope) {
	c.counters.Bounced.Add(1)
	m := c.bodies.make(e.typ)
	if m == nil || proto.Unmarshal(e.body, m) != nil {
		c.counters.Unreadable.Add(1)
		return
	}
	_ = c.sys.Bounce(e.to, actors.Undelivered{To: e.from, Msg: m, Err: e.error()})
}

// sendOn sends a signal to the owner of its actor, which this node isn't.
func (c *Cluster) sendOn(h held) {
	if h.env == nil {
		if err := c.Send(h.to, h.sig); err != nil {
			c.giveUp(h, err)
		}
		return
	}
	e := h.env
	if e.how == nodepb.Envelope_MONITOR { // its watcher has to know which node it depends on
		c.refuse(e, actors.ErrNoConnection)
		return
	}
	if _, pinned := c.routes.Load().pin(e.to); e.hops >= c.opts.Hops && !h.waited {
		// It was certainly not taken, and views will agree soon. Nodes that have several versions of the override table may send it in circles.
		if !pinned || !c.park(h) {
			c.refuse(e, actors.ErrOverloaded)
		}
		return
	}
	if err := c.passOn(e); err != nil {
		c.refuse(e, err)
		return
	}
	c.counters.Forwarded.Add(1)
}

// passOn puts another node's envelope on the link to the owner of its actor.
func (c *Cluster) passOn(e *envelope) error {
	c.sending.RLock()
	defer c.sending.RUnlock()
	owner := c.routes.Load().owner(e.to)
	if owner == c.self || owner == "" {
		return actors.ErrOverloaded
	}
	on := *e
	on.hops++
	b, err := on.encode()
	if err == nil {
		class := nodepb.LinkClass_MESSAGES
		if e.typ != 0 && e.how == nodepb.Envelope_CAST {
			on.msg = c.bodies.make(e.typ)
			class = classOf(&on)
		}
		err = c.give(owner, class, b, e.how != nodepb.Envelope_CAST)
	}
	return err
}

// giveUp tells whoever sent a signal of this node's that it doesn't get there.
func (c *Cluster) giveUp(h held, err error) {
	switch h.sig.How {
	case actors.HowCast, actors.HowAnswer:
		c.undelivered(h, err)
	case actors.HowCall:
		h.sig.Call.Answer(nil, err)
	case actors.HowMonitor:
		h.sig.Watch.Down(actors.NoConnection)
	default:
		c.counters.Lost.Add(1)
	}
}

// Returned takes the envelopes that a node didn't acknowledge before it was given up, in order.
func (c *Cluster) Returned(_ ident.NodeID, _ nodepb.LinkClass, list [][]byte) {
	for _, b := range list {
		var e envelope
		if e.decode(b) != nil {
			continue
		}
		if e.origin == "" {
			e.origin = c.self
		}
		more := e.more
		e.more = nil
		c.refuse(&e, actors.ErrNoConnection)
		for _, to := range more {
			e.to = to
			c.refuse(&e, actors.ErrNoConnection)
		}
	}
}
