package session

import (
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/mailbox"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

// phase is where in its life a session is.
type phase uint8

const (
	// opening waits for the first stream header, login for a successful SASL exchange, reopening for the header after it.
	opening phase = iota
	login
	reopening
	// binding has a user and no resource, bound has both.
	binding
	bound
	// closing has an ended stream: what was read is still being handled before the end tag is written.
	closing
	// detached has lost its socket and may be resumed.
	detached
	// handing gives its state to the session that resumes it; given has done so and passes on what still comes.
	handing
	given
	// lingering is over for client, account and mailbox: messages without outcome are still tried.
	lingering
)

// The patience of a session with its client and with itself.
const (
	loginTime   = 30 * time.Second // from the start to a bound resource; the gateway has a little more, so that the client is told
	closingTime = 5 * time.Second  // for the outcomes of what was read, once the stream has ended
	lingerTime  = 40 * time.Second // for the outcomes of messages, once everything else has ended
	retryTime   = time.Second      // between two tries of what a session must tell its account or mailbox
)

// state is everything a session knows. Its methods take values and put effects into fx; they know no clock, no
// goroutine, no socket and no other actor.
type state struct {
	*shared
	self  actors.Ref
	ref   *nodepb.Ref // self, as it travels
	phase phase
	// busy is set while an answer decides what the next stanza means (login, bind, resumption); waiting holds what came. A bound
	// session is busy until its client is told its address.
	busy    bool
	waiting []Stanza
	// until is when the phase's patience is over; zero: never.
	until time.Time
	heard time.Time // when the client was last heard

	headed  bool   // the header of the present stream is answered
	written uint64 // bytes of data given to the outlet
	blocked bool   // the outlet's backlog is high: rows and presence are held back
	end     []byte // phase closing: what the stream ends with

	auth     *authentication // nil once authenticated
	user     ident.UserID
	resource string
	full     string // user/resource

	in    inbound
	out   outgoing
	sm    counters
	ask   asking
	pings uint64 // number of the last request that asks what the client has

	epoch      uint64 // of the attachment
	pushed     uint64 // number of the newest push of the epoch
	rewritten  uint64 // rows up to this number were written before the present attachment
	held       []*nodepb.PushedRow
	acks       acks
	unreturned uint32 // credit of rows that are written and may still be in the outlet

	presence   *nodepb.SetPresence // what the account was last told; nil: not available
	interested bool                // the roster was read
	roster     uint64              // digest of the roster that the client knows; 0: none
	directed   map[string]struct{} // full or bare JIDs that got directed presence
	arriving   presences           // presence on its way to the client
	untold     *nodepb.SetPresence // what the account had no room for
	repeats    *repeats            // nil: whatever the client sends is new
	toldAt     time.Time           // when the account was last told what others have to hear
	lostAt     time.Time           // when the account's node was lost after that; zero: it was told since
	refreshAt  time.Time           // when others' presence is asked for anew; zero: it isn't
	refreshing bool                // what the account was told last has asked for it

	lostAccount, lostMail loss      // what they know of this session, and whether it hears of their end
	retryAt               time.Time // when they are told again
	unheard               [][]byte  // acknowledged rows of which the mailbox has not heard
	late                  *lately   // those of which it may not have heard in time
	since                 time.Time // when the client bound or resumed its resource
	replaces              *nodepb.Ref
	attached              uint64          // how often the mailbox was told of this session
	stood                 standing        // of what
	standAt, stoodUntil   time.Time       // when it hears of what presence has changed for it, zero: it has; and from when it may
	parked                []*nodepb.Relay // came while bound and busy
	attempts              []*attempt      // calls that wait to be made again

	outbox  *mailbox.Outbox
	sending map[flight]uint64 // the inbound numbers of messages without outcome
	subs    map[string][]*subscription
	relayed []relayed
	tag     uint64

	resuming bool                 // the state of an older session is awaited
	taking   *resumption          // which; nil once it is here, or known not to come
	claim    *claim               // who wants it from here
	early    []*nodepb.RosterPush // came while resuming
	heir     *heir                // phases handing and given: who has the state
}

// flight names one message without outcome.
type flight struct {
	to  actors.Ref
	seq uint64
}

func newState(sh *shared, self actors.Ref, now time.Time) *state {
	return &state{shared: sh, self: self, ref: self.Proto(), heard: now, until: now.Add(loginTime), auth: &authentication{}}
}

// tells reports whether the account hears from this session what its client's presence is.
func (st *state) tells() bool {
	return st.phase == bound || st.phase == detached || st.phase == handing
}

// live reports whether stanzas can be written to the client.
func (st *state) live() bool { return st.phase <= closing }

// account and mail are the user's own actors.
func (st *state) account() actors.Ref { return actors.Ref{Kind: accountKind, ID: string(st.user)} }
func (st *state) mail() actors.Ref    { return actors.Ref{Kind: mailboxKind, ID: string(st.user)} }

// stanza takes one child of the client's stream.
func (st *state) stanza(fx *effects, s Stanza) {
	st.heard = fx.now
	switch {
	case st.phase != login && st.phase != binding && st.phase != bound:
		fx.credit(s.Size) // read before the gateway heard that the stream is over
	case st.busy:
		st.waiting = append(st.waiting, s)
	default:
		st.dispatch(fx, s)
	}
}

// ready goes on with the stanzas that came while an answer was awaited.
func (st *state) ready(fx *effects) {
	st.busy = false
	for len(st.waiting) > 0 && !st.busy {
		s := st.waiting[0]
		st.waiting[0] = Stanza{}
		st.waiting = st.waiting[1:]
		st.stanza(fx, s)
	}
	if len(st.waiting) == 0 {
		st.waiting = nil
	}
}

func (st *state) dispatch(fx *effects, s Stanza) {
	e := s.Elem
	switch e.Space {
	case nsClient:
		if take := stanzaHandler(e.Name); take != nil {
			if st.phase == login {
				st.fail(fx, xmpp.NotAuthorized, "")
				return
			}
			st.counted(fx, s, take)
			return
		}
	case nsSASL:
		if st.phase == login {
			st.sasl(fx, s)
			return
		}
	case nsSM:
		if st.management(fx, s) {
			return
		}
	}
	st.fail(fx, xmpp.UnsupportedStanzaType, "")
}

// stanzaHandler knows the three kinds of stanzas, which XEP-0198 counts. It takes one with its inbound number, which must be
// handed to done once it is handled.
func stanzaHandler(name string) func(st *state, fx *effects, e *xmpp.Element, n uint64) {
	switch name {
	case "message":
		return (*state).message
	case "presence":
		return (*state).presenceStanza
	case "iq":
		return (*state).iq
	}
	return nil
}

func (st *state) counted(fx *effects, s Stanza, take func(*state, *effects, *xmpp.Element, uint64)) {
	if from := s.Elem.Attr("from"); from != "" && !st.isSelf(from) {
		st.fail(fx, xmpp.InvalidFrom, "")
		return
	}
	n := st.in.add(s.Size)
	if grows(s) {
		if s.Elem.Name == "message" {
			st.Counters.Refused.Add(1)
		}
		st.refuse(fx, s.Elem, tooLong)
		st.done(fx, n)
		return
	}
	if !st.sentAgain(fx, s.Elem, n) {
		take(st, fx, s.Elem, n)
	}
}

// bigStanza is the size from which it matters how much longer a stanza becomes when it is written anew: what a smaller one
// may become is no trouble to anybody.
const bigStanza = 16 << 10

// tooLong refuses a stanza that grows.
var tooLong = xmpp.StanzaError{Type: xmpp.NotAcceptable.Type, Condition: xmpp.NotAcceptable.Condition, Text: "written out in full, it is too long"}

// grows reports whether a big stanza becomes more than twice as long for its recipient, by the escapes and the namespaces
// that are written anew. The bound on what clients send would then be none on what they are sent: those with a bound of their
// own would lose their stream to it, as often as a stored message comes again.
func grows(s Stanza) bool {
	return s.Size > bigStanza && len(s.Elem.AppendXML(nil, nsClient)) > 2*s.Size
}

// isSelf reports whether the address is the client's own, full or bare (RFC 6120 section 8.1.2.1).
func (st *state) isSelf(from string) bool {
	if from == st.full || from == string(st.user) {
		return true
	}
	j, err := xmpp.ParseJID(from)
	return err == nil && j.Bare() == st.user && (j.Resource == "" || j.Resource == st.resource)
}

// done marks an inbound stanza as handled.
func (st *state) done(fx *effects, n uint64) {
	stanzas, bytes := st.in.done(n)
	fx.stanzas += stanzas
	fx.bytes += bytes
}

// closed takes the end of what is read.
func (st *state) closed(fx *effects, c Closed) {
	switch {
	case c.Reason == SocketLost:
		st.lost(fx)
	case !st.live() || st.phase == closing:
	case c.Reason == StreamFault:
		st.failWith(fx, c.Err)
	case c.Reason == Shutdown && st.resuming:
		st.failWith(fx, &xmpp.StreamError{Condition: xmpp.SystemShutdown}) // what it is given waits for the client's next try
	case c.Reason == Shutdown:
		st.wind(fx, (&xmpp.StreamError{Condition: xmpp.SystemShutdown}).Append(nil))
	default:
		if c.AllSent && !st.sm.on {
			st.acks.ids = st.out.ack(st.out.upTo(c.Written), st.acks.ids)
		}
		st.wind(fx, nil)
	}
}

// lost goes on without a socket: bound sessions with a resumable stream wait for their client, others end.
func (st *state) lost(fx *effects) {
	switch {
	case st.phase == bound && st.sm.resumable:
		st.detach(fx)
	case st.live():
		st.leave(fx)
	}
}

// wind ends a stream in good order: nothing new is taken or delivered, what was read gets its outcome, and then the
// stream ends with last and its end tag.
func (st *state) wind(fx *effects, last []byte) {
	st.allRepeated(fx)
	st.openHeader(fx)
	st.unregister(fx)
	st.end = append(last, streamEnd...)
	st.phase, st.until, st.busy, st.waiting = closing, fx.now.Add(closingTime), false, nil
}

// finishClosing writes the end of the stream once nothing is left to wait for.
func (st *state) finishClosing(fx *effects) {
	if st.sm.on {
		st.writeAnswer(fx)
	}
	fx.out = append(fx.out, st.end...)
	fx.close, st.end = true, nil
	st.leave(fx)
}

// fail ends the stream with an error. What the client was told before still goes out.
func (st *state) fail(fx *effects, condition xmpp.StreamCondition, text string) {
	st.failWith(fx, &xmpp.StreamError{Condition: condition, Text: text})
}

func (st *state) failWith(fx *effects, err *xmpp.StreamError) {
	if !st.live() {
		return
	}
	st.Counters.StreamErrors.Add(1)
	st.openHeader(fx)
	fx.out = err.Append(fx.out)
	fx.text(streamEnd)
	fx.close = true
	st.leave(fx)
}

// leave ends the session for everyone but the messages that have no outcome yet.
func (st *state) leave(fx *effects) {
	st.unregister(fx)
	st.phase, st.until = lingering, fx.now.Add(lingerTime)
	st.busy, st.waiting, st.auth = false, nil, nil
	if !st.resuming { // else what was given to this session has to have its place
		st.attempts = nil
	}
	st.out, st.ask = outgoing{sent: st.out.sent, acked: st.out.sent}, asking{}
	st.arriving, st.relayed, st.late, st.repeats = presences{}, nil, nil, nil
}

// unregister says goodbye to the account, the mailbox and those who got directed presence.
func (st *state) unregister(fx *effects) {
	if st.phase != bound && st.phase != detached {
		return
	}
	st.castAllAcks(fx)
	st.leaveDirected(fx, nil)
	fx.answer(st.account(), &nodepb.Unbind{Session: st.ref, Resource: st.resource, Available: st.presence != nil})
	fx.answer(st.mail(), &nodepb.Detach{Session: st.ref})
	st.presence, st.untold, st.held, st.retryAt, st.refreshAt = nil, nil, nil, time.Time{}, time.Time{}
	parked := st.parked
	st.parked = nil
	for _, m := range parked {
		st.relayMissed(fx, m)
	}
	st.forgetResumption()
}

// endSession is the account's word that this session is over (a newer one has its resource, or the user is gone).
func (st *state) endSession(fx *effects, m *nodepb.EndSession) {
	if st.live() {
		st.fail(fx, xmpp.StreamCondition(m.GetCondition()), m.GetText())
		return
	}
	if st.phase == detached {
		st.leave(fx)
	}
}
