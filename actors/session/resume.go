package session

import (
	"crypto/subtle"
	"strconv"
	"strings"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

const (
	// handingTime is how long a session that is resumed waits for the outcomes of what its client sent.
	handingTime = 5 * time.Second
	// takeoverTime is how long the resuming session waits for the old one's state.
	takeoverTime = 10 * time.Second
	// forwardTime is how long a session that was resumed passes on what still comes to its address.
	forwardTime = 2 * time.Second
)

// takeover is the call by which a resuming session asks the old one for its state.
type takeover struct {
	user       ident.UserID
	id, secret string
	h          uint32
	heir       actors.Ref
}

// handover answers takeover.
type handover struct {
	refusal    refusal
	sent       uint32 // with tooManyHandled: what the client was really sent
	over       bool   // with unknownSession: it was the client's, and received says how much of it was handled
	resource   string
	received   uint64 // the longest handled prefix, counted from <enable/>
	delivered  uint64 // what the client has, counted from <enable/>
	stanzas    [][]byte
	presence   *nodepb.SetPresence
	interested bool
	directed   map[string]struct{}
	arriving   presences
}

// refusal says why a session isn't handed over.
type refusal uint8

const (
	granted refusal = iota
	unknownSession
	tooManyHandled
)

// previd is what the client names to resume: the session, a secret, and the node where both are known.
func (st *state) previd() string { return st.sm.id + "." + st.sm.secret + "." + string(st.self.Node) }

// resume takes the client's wish to go on with an earlier stream (XEP-0198 section 5).
func (st *state) resume(fx *effects, e *xmpp.Element, size int) {
	h, err := strconv.ParseUint(e.Attr("h"), 10, 32)
	parts := strings.SplitN(e.Attr("previd"), ".", 3)
	switch {
	case st.phase != binding:
		st.smFailed(fx, "unexpected-request", "")
		fx.credit(size)
		return
	case err != nil || len(parts) != 3:
		st.smFailed(fx, "item-not-found", "")
		fx.credit(size)
		return
	}
	req := &takeover{user: st.user, id: parts[0], secret: parts[1], h: uint32(h), heir: st.self}
	old, moved := st.heirs.find(req.id)
	if !moved {
		old = actors.Ref{Kind: Kind, ID: req.id, Node: ident.NodeID(parts[2])}
	}
	st.busy, st.resuming = true, true
	fx.call(old, req, takeoverTime, func(fx *effects, v any, err error) {
		given, _ := v.(*handover)
		switch {
		case err != nil || given == nil || given.refusal == unknownSession && !given.over:
			st.notResumed(fx, size, "")
		case given.refusal == unknownSession:
			st.notResumed(fx, size, given.h())
		case given.refusal == tooManyHandled:
			st.resuming = false
			st.tooHigh(fx, uint32(h), given.sent)
		default:
			st.rebind(fx, req, given, size)
		}
	})
}

// h is how much of the client's stream was handled, for the client.
func (g *handover) h() string { return number(uint64(uint32(g.received))) }

// notResumed lets the client bind a fresh resource. h, if it is known, saves the client from sending again what was handled.
func (st *state) notResumed(fx *effects, size int, h string) {
	st.resuming, st.early = false, nil
	if st.phase == binding {
		st.smFailed(fx, "item-not-found", h)
		fx.credit(size)
		st.ready(fx)
	}
}

// rebind takes the old session's place at the account, and then goes on where it stopped.
func (st *state) rebind(fx *effects, req *takeover, given *handover, size int) {
	bind := &nodepb.Bind{Session: st.ref, Resource: given.resource, Resumed: true}
	fx.call(st.account(), bind, accountTimeout, func(fx *effects, v any, err error) {
		if code := codeOf(v, err); code != nodepb.Code_OK {
			st.notResumed(fx, size, given.h())
			return
		}
		st.resuming = false
		connected := st.phase == binding
		st.adopt(fx, req, given)
		if connected {
			st.attach(fx)
			fx.out = attr(append(fx.out, "<resumed xmlns='"+nsSM+"'"...), "previd", st.previd())
			fx.text(" h='", number(uint64(st.sm.h(st.in.handled))), "'/>")
		} else {
			st.detach(fx) // the socket is lost already: the client may try again, and what it hasn't got is kept
		}
		for _, stanza := range given.stanzas {
			start := len(fx.out)
			fx.out = append(fx.out, stanza...)
			st.wrote(fx, start)
		}
		early := st.early
		st.early = nil
		for _, m := range early {
			st.rosterPush(fx, m)
		}
		if connected {
			st.Counters.Resumed.Add(1)
			fx.credit(size)
			st.ready(fx)
		}
	})
}

// adopt makes the old session's state this one's. The mailbox pushes the rows anew.
func (st *state) adopt(fx *effects, req *takeover, given *handover) {
	st.become(fx, given.resource)
	st.sm = counters{on: true, resumable: true, id: req.id, secret: req.secret}
	st.in = inbound{received: given.received, handled: given.received}
	st.out = outgoing{sent: given.delivered, acked: given.delivered}
	st.presence, st.interested, st.directed = given.presence, given.interested, given.directed
	given.arriving.list = append(given.arriving.list, st.arriving.list...)
	st.arriving = presences{list: given.arriving.list}
	st.restorePresence(fx)
	st.heirs.set(req.id, st.self)
}

// detach waits for the client to come back: the mailbox takes back what isn't acknowledged.
func (st *state) detach(fx *effects) {
	st.castAcks(fx)
	st.phase, st.until = detached, fx.now.Add(st.ResumeTime)
	st.ask, st.blocked, st.sm.asked = asking{}, false, false
	st.epoch++
	st.held, st.unreturned = nil, 0
	st.attach(fx)
}

// handOver is asked by the session that resumes this one. The answer waits until everything read has its outcome.
func (st *state) handOver(fx *effects, from actors.From, req *takeover) {
	if req.user != st.user || st.sm.secret == "" || req.id != st.sm.id ||
		subtle.ConstantTimeCompare([]byte(req.secret), []byte(st.sm.secret)) != 1 {
		fx.reply(from, &handover{refusal: unknownSession})
		return
	}
	if known := st.phase == bound || st.phase == detached || st.phase == handing; !known || !st.sm.resumable {
		// What another session has since taken over it knows better.
		fx.reply(from, &handover{refusal: unknownSession, over: st.phase != given, received: st.handledSince()})
		return
	}
	n, ok := st.sm.covered(req.h, &st.out)
	if !ok {
		fx.reply(from, &handover{refusal: tooManyHandled, sent: uint32(st.out.sent - st.sm.outBase)})
		return
	}
	st.acks.ids = st.out.ack(n, st.acks.ids)
	switch st.phase {
	case bound:
		fx.out = (&xmpp.StreamError{Condition: xmpp.Conflict, Text: "resumed by another connection"}).Append(fx.out)
		fx.text(streamEnd)
		fx.close = true
	case handing:
		fx.reply(*st.heir.from, &handover{refusal: unknownSession})
	}
	if st.phase != handing {
		st.phase, st.until = handing, fx.now.Add(handingTime)
		st.held = nil
	}
	st.heir = &heir{from: &from, ref: req.heir}
}

// handledSince is the longest handled prefix, counted from <enable/> on.
func (st *state) handledSince() uint64 { return max(st.in.handled, st.sm.inBase) - st.sm.inBase }

// heir is the session that resumes this one.
type heir struct {
	from *actors.From // nil once answered
	ref  actors.Ref
}

// give answers the heir. The account isn't told: the heir takes this session's place there.
func (st *state) give(fx *effects) {
	st.castAcks(fx)
	fx.answer(st.mail(), &nodepb.Detach{Session: st.ref})
	fx.reply(*st.heir.from, &handover{
		resource: st.resource, received: st.handledSince(),
		delivered: max(st.out.acked, st.sm.outBase) - st.sm.outBase, stanzas: st.out.stanzas(),
		presence: st.presence, interested: st.interested, directed: st.directed, arriving: st.arriving,
	})
	st.heir.from = nil
	st.outbox, st.sending, st.subs, st.directed, st.arriving = nil, nil, nil, nil, presences{}
	st.phase, st.until = given, fx.now.Add(forwardTime)
}

// forgetResumption makes the stream one that can't be resumed any more.
func (st *state) forgetResumption() {
	if st.sm.resumable && st.sm.id != st.self.ID {
		st.heirs.remove(st.sm.id, st.self)
	}
	st.sm.resumable = false
}
