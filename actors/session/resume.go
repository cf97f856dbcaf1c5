package session

import (
	"crypto/subtle"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

const (
	// handingTime is how long a session that is resumed waits for the outcomes of what its client sent.
	handingTime = 5 * time.Second
	// takeoverTime is how long the resuming session waits for one session's state, and resumeTime for everything.
	takeoverTime = 8 * time.Second
	resumeTime   = 15 * time.Second
	// findTime is how long it waits for the account's word who has the stream.
	findTime = 3 * time.Second
	// forwardTime is how long a session that was resumed passes on what still comes to its address, and says where the stream is.
	forwardTime = 10 * time.Second
)

// resumption is a client's wish to go on with an earlier stream. The session that enabled it is asked first, which the client
// names: its id, a secret and its node. Who has handed the stream over says so for a while; after that, or without that node, the
// user's account knows which session has it.
type resumption struct {
	previd string // as the client wrote it
	size   int    // of its stanza
	req    *nodepb.Takeover
	old    actors.Ref // whom req was sent to
	gone   actors.Ref // who of these can't be reached, or can't be resumed any more
	until  time.Time
	sought bool // the account was asked
}

// previd is what the client names to resume.
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
	case err != nil || len(parts) != 3 || parts[2] == "":
		st.smFailed(fx, "item-not-found", "")
		fx.credit(size)
		return
	}
	r := &resumption{previd: e.Attr("previd"), size: size, until: fx.now.Add(resumeTime), req: &nodepb.Takeover{
		User: string(st.user), Id: parts[0], Secret: parts[1], H: uint32(h), Heir: st.ref}}
	st.busy, st.resuming, st.taking = true, true, r
	old, here := st.heirs.find(parts[0])
	if !here {
		old = actors.Ref{Kind: Kind, ID: parts[0], Node: ident.NodeID(parts[2])}
	}
	st.fetch(fx, r, old)
}

// fetch asks a session for the stream.
func (st *state) fetch(fx *effects, r *resumption, old actors.Ref) {
	patience := min(takeoverTime, r.until.Sub(fx.now))
	if patience <= 0 || old == st.self || old == r.old {
		st.notResumed(fx, r, "")
		return
	}
	r.old = old
	fx.call(old, r.req, patience, func(fx *effects, v any, err error) {
		var given *nodepb.Handover
		if err == nil {
			given, _ = v.(*nodepb.Handover)
		}
		if err != nil || given.GetVerdict() == nodepb.Handover_OVER {
			r.gone = old
		}
		switch v := given.GetVerdict(); {
		case v == nodepb.Handover_GRANTED:
			st.rebind(fx, r, given)
		case st.phase != binding: // its client has gone, and may have the stream elsewhere by now: it isn't taken from there
			st.notResumed(fx, r, "")
		case v == nodepb.Handover_OVER:
			st.notResumed(fx, r, handledBy(given))
		case v == nodepb.Handover_TOO_HIGH:
			st.resuming = false
			st.taken(fx)
			st.tooHigh(fx, r.req.GetH(), given.GetSent())
		case v == nodepb.Handover_MOVED:
			st.fetch(fx, r, actors.RefOf(given.GetHeir()))
		default:
			st.seek(fx, r)
		}
	})
}

// seek asks the account who has the stream.
func (st *state) seek(fx *effects, r *resumption) {
	if r.sought {
		st.notResumed(fx, r, "")
		return
	}
	r.sought = true
	a := &attempt{call: call{to: st.account(), req: &nodepb.FindStream{Id: r.req.GetId()}, timeout: findTime}, until: fx.now.Add(findTime), pause: minPause}
	a.done = func(fx *effects, v any, err error) {
		switch code := codeOf(v, err); {
		case st.phase != binding:
			st.notResumed(fx, r, "")
		case code == nodepb.Code_OK:
			st.fetch(fx, r, actors.RefOf(v.(*nodepb.StreamFound).GetSession()))
		case code == nodepb.Code_LATER && st.Moving != nil && st.Moving() && fx.now.Add(a.pause).Before(a.until): // it has just begun, and not all sessions have told it of themselves
			a.again, a.due = true, fx.now.Add(a.pause)
			st.attempts = append(st.attempts, a)
		default:
			st.notResumed(fx, r, "")
		}
	}
	fx.call(a.to, a.req, a.timeout, a.done)
}

// handledBy is how much of the client's stream was handled, for the client.
func handledBy(given *nodepb.Handover) string { return number(uint64(uint32(given.GetReceived()))) }

// notResumed lets the client bind a fresh resource. h, if it is known, saves the client from sending again what was handled. The mailbox
// may not know yet that the old session is gone, and what that one held goes before what is new.
func (st *state) notResumed(fx *effects, r *resumption, h string) {
	st.resuming, st.early = false, nil
	st.taken(fx)
	if !r.gone.IsZero() {
		st.replaces = r.gone.Proto()
	}
	if st.phase == binding {
		st.smFailed(fx, "item-not-found", h)
		fx.credit(r.size)
		st.ready(fx)
	}
}

// rebind takes the old session's place at the account, and then goes on where it stopped.
func (st *state) rebind(fx *effects, r *resumption, given *nodepb.Handover) {
	st.since = fx.now
	bind := &nodepb.Bind{Session: st.ref, Resource: given.GetResource(), Resumed: true, Stream: r.req.GetId(),
		Replaces: r.old.Proto(), Since: st.since.UnixMicro(), Interested: given.GetInterested()}
	var a *attempt
	a = st.insist(fx, st.account(), bind, readTime, func(fx *effects, v any, err error) {
		if code := codeOf(v, err); code != nodepb.Code_OK {
			st.notResumed(fx, r, handledBy(given))
			return
		}
		st.resuming = false
		connected := st.phase == binding
		st.adopt(fx, r, given)
		st.restorePresence(fx, !st.toldWithin(hearTime, st.since) && !(a.again && st.toldWithin(doubtTime, st.since)))
		if given.GetRefresh() {
			st.reunited(fx, reunited{})
		}
		if connected {
			st.castAcks(fx)
			st.attach(fx)
			fx.out = attr(append(fx.out, "<resumed xmlns='"+nsSM+"'"...), "previd", r.previd)
			fx.text(" h='", number(uint64(st.sm.h(st.in.handled))), "'/>")
		} else {
			st.detach(fx) // the socket is lost already: the client may try again, and what it hasn't got is kept
		}
		for _, stanza := range given.GetStanzas() {
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
			if st.repeats != nil {
				st.repeats.until = fx.now.Add(repeatTime)
			}
			fx.credit(r.size)
			st.ready(fx)
		}
		st.taken(fx)
	})
}

// adopt makes the old session's state this one's. The mailbox pushes the rows anew.
func (st *state) adopt(fx *effects, r *resumption, given *nodepb.Handover) {
	st.become(fx, given.GetResource())
	st.replaces = r.old.Proto()
	st.sm = counters{on: true, resumable: true, id: r.req.GetId(), secret: r.req.GetSecret()}
	st.in = inbound{received: given.GetReceived(), handled: given.GetReceived()}
	st.out = outgoing{sent: given.GetDelivered(), acked: given.GetDelivered()}
	st.out.restore(given)
	st.acks.ids = given.GetAcked()
	st.presence, st.interested, st.roster = given.GetPresence(), given.GetInterested(), given.GetRoster()
	if prints := given.GetRepeatable(); len(prints) > 0 {
		st.repeats = &repeats{after: st.in.received, prints: prints}
	}
	if given.GetUntold() != nil {
		st.untold = proto.CloneOf(given.GetUntold())
		st.untold.Session, st.untold.Quiet = st.ref, false
		if st.untold.GetAvailable() {
			st.presence = st.untold
		}
	}
	for _, address := range given.GetDirected() {
		if st.directed == nil {
			st.directed = map[string]struct{}{}
		}
		st.directed[address] = struct{}{}
	}
	came := st.arriving.list
	st.arriving = presences{}
	for _, p := range slices.Concat(given.GetArriving(), came) {
		if p != nil {
			st.arriving.add(p)
		}
	}
	if told := given.GetToldAgo(); told > 0 {
		st.toldAt = fx.now.Add(-time.Duration(told) * time.Millisecond)
	}
	st.heirs.set(r.req.GetId(), st.self)
}

// detach waits for the client to come back: the mailbox takes back what isn't acknowledged.
func (st *state) detach(fx *effects) {
	st.castAcks(fx)
	st.phase, st.until = detached, fx.now.Add(st.ResumeTime)
	st.ask, st.blocked, st.sm.asked = asking{}, false, false
	st.begins()
	st.held, st.unreturned = nil, 0
	st.attach(fx)
}

// handOver is asked by the session that resumes this one. The answer waits until everything read has its outcome.
func (st *state) handOver(fx *effects, from actors.From, req *nodepb.Takeover) {
	if req.GetUser() != string(st.user) || st.sm.secret == "" || req.GetId() != st.sm.id ||
		subtle.ConstantTimeCompare([]byte(req.GetSecret()), []byte(st.sm.secret)) != 1 {
		if st.claimed(fx, from, req) {
			return
		}
		fx.reply(from, &nodepb.Handover{Verdict: nodepb.Handover_UNKNOWN})
		return
	}
	known := st.phase == bound || st.phase == detached || st.phase == handing
	switch {
	case st.phase == given:
		fx.reply(from, &nodepb.Handover{Verdict: nodepb.Handover_MOVED, Heir: st.heir.ref.Proto()})
		return
	case req.GetKeep() && st.phase != detached:
		fx.reply(from, &nodepb.Handover{Verdict: nodepb.Handover_UNKNOWN})
		return
	case !known || !st.sm.resumable:
		fx.reply(from, &nodepb.Handover{Verdict: nodepb.Handover_OVER, Received: st.handledSince()})
		return
	}
	if !req.GetKeep() {
		n, ok := st.sm.covered(req.GetH(), &st.out)
		if !ok {
			fx.reply(from, &nodepb.Handover{Verdict: nodepb.Handover_TOO_HIGH, Sent: uint32(st.out.sent - st.sm.outBase)})
			return
		}
		st.acks.ids = st.out.ack(n, st.acks.ids)
	}
	switch st.phase {
	case bound:
		fx.out = (&xmpp.StreamError{Condition: xmpp.Conflict, Text: "resumed by another connection"}).Append(fx.out)
		fx.text(streamEnd)
		fx.close = true
	case handing:
		fx.reply(*st.heir.from, &nodepb.Handover{Verdict: nodepb.Handover_UNKNOWN})
	}
	if st.phase != handing {
		st.phase, st.until = handing, fx.now.Add(handingTime)
		st.held = nil
	}
	st.heir = &heir{from: &from, ref: actors.RefOf(req.GetHeir()), keeps: req.GetKeep()}
}

// handledSince is the longest handled prefix, counted from <enable/> on.
func (st *state) handledSince() uint64 { return max(st.in.handled, st.sm.inBase) - st.sm.inBase }

// heir is the session that resumes this one.
type heir struct {
	from  *actors.From // nil once answered
	ref   actors.Ref
	keeps bool // no client asks: what that has is not known
}

// give answers the heir. The account isn't told: the heir takes this session's place there.
func (st *state) give(fx *effects) {
	acked := st.castAllAcks(fx)
	fx.answer(st.mail(), &nodepb.Detach{Session: st.ref})
	h := &nodepb.Handover{
		Acked:   acked,
		Verdict: nodepb.Handover_GRANTED, Resource: st.resource, Received: st.handledSince(),
		Delivered: max(st.out.acked, st.sm.outBase) - st.sm.outBase,
		Presence:  st.presence, Interested: st.interested, Roster: st.roster, Directed: slices.Sorted(maps.Keys(st.directed)),
		Repeatable: st.repeatable(), Untold: st.untold,
	}
	if !st.toldAt.IsZero() {
		h.ToldAgo = max(uint64(fx.now.Sub(st.toldAt).Milliseconds()), 1)
	}
	if h.Untold == nil && st.doubts() {
		h.Untold = st.presence
	}
	h.Refresh = !st.refreshAt.IsZero() || st.untold.GetRefresh()
	if st.heir.keeps {
		h.Written, h.Kept = st.out.sent-st.sm.outBase, st.out.kept(st.sm.outBase)
	} else {
		h.Stanzas = st.out.stanzas()
	}
	for _, p := range st.arriving.list {
		if p != nil {
			h.Arriving = append(h.Arriving, p)
		}
	}
	fx.reply(*st.heir.from, h)
	st.heir.from = nil
	st.outbox, st.sending, st.subs, st.directed, st.arriving, st.attempts = nil, nil, nil, nil, presences{}, nil
	st.out, st.presence, st.untold, st.retryAt, st.refreshAt = outgoing{sent: st.out.sent, acked: st.out.sent}, nil, nil, time.Time{}, time.Time{}
	st.late, st.repeats = nil, nil
	if st.heir.ref.Node != st.self.Node {
		st.forgetResumption() // who resumes again finds it by its account
	}
	st.phase, st.until = given, fx.now.Add(forwardTime)
}

// forgetResumption makes the stream one that can't be resumed any more.
func (st *state) forgetResumption() {
	if st.sm.resumable && st.sm.id != st.self.ID {
		st.heirs.remove(st.sm.id, st.self)
	}
	st.sm.resumable = false
}
