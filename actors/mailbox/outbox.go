package mailbox

import (
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// The patience of an Outbox.
const (
	// ResendTime is how long the oldest message of a Ref waits for its outcome before it is cast again.
	ResendTime = 5 * time.Second
	// GiveUpTime is how long a message is tried at all.
	GiveUpTime = 30 * time.Second
	// laterMin and laterMax bound the pause after a refusal that passes; it doubles from one to the other.
	laterMin = 50 * time.Millisecond
	laterMax = time.Second
)

// Outbox is the sender's half of the protocol between an actor that sends messages and the mailboxes (or services) that
// take them: it numbers messages per Ref, keeps each until its outcome, and says what is cast again and when, so that the
// messages of one sender to one Ref are taken in order and none is lost to a full queue, a crash or a passivation.
//
// It is a value of its actor's state: it has no clock and casts nothing itself. The actor casts what Send, Outcome and Tick
// ask for, in that order, and calls Refused for each cast that returned an error. Where actors live on several nodes it also
// calls Bounced for what comes back from the way there, and Moved when it hears that the addressee did.
type Outbox struct {
	streams map[actors.Ref]*stream
	// floor is at least the highest number of every stream that was forgotten: numbers of one Ref never come twice.
	floor uint64
	count int
	next  time.Time
	steps Steps
}

// Cast is a message to be cast.
type Cast struct {
	To      actors.Ref
	Deliver *nodepb.Deliver
}

// Settled is a message with its final outcome. LATER means that it was certainly not taken and is not tried any more;
// OUTCOME_UNKNOWN that it may have been.
type Settled struct {
	To      actors.Ref
	Deliver *nodepb.Deliver
	Code    nodepb.Code
}

// Steps is what follows from an event. The slices are the outbox's own: they are good until its next method is called.
type Steps struct {
	Casts   []Cast
	Settled []Settled
}

// NewOutbox returns an empty outbox, whose numbers begin above floor. A sender whose Ref is never used again after it ended
// may pass 0; one that lives again under the same Ref passes its clock, in microseconds.
func NewOutbox(floor uint64) *Outbox {
	return &Outbox{streams: map[actors.Ref]*stream{}, floor: floor}
}

// stream is what is under way to one Ref: the messages without outcome, in order, the first of them unsettled.
type stream struct {
	items []parcel
	last  uint64 // number of the newest
	cast  int    // how many of items have been cast since the last time the stream was rewound
	// probing says that only the first is cast until it is answered: the Ref has missed something, and what it says about
	// the rest is old.
	probing bool
	// until is when casting goes on after a refusal that passes; zero: it wasn't refused.
	until time.Time
	delay time.Duration
}

// parcel is one message.
type parcel struct {
	d           *nodepb.Deliver
	since       time.Time
	sent        time.Time // when it was last cast
	outstanding int       // how many casts of it were neither refused nor answered
	crashed     bool      // the addressee crashed on it once
	twice       bool      // it went to the addressee's old place and to its new one: a refusal of one says nothing about the other
	settled     bool
}

// Len is how many messages have no outcome.
func (o *Outbox) Len() int { return o.count }

// Next is when Tick should be called; zero: nothing is under way. It may be too early, but never too late.
func (o *Outbox) Next() time.Time { return o.next }

// Send takes a message for to and sets its Seq and Base; everything else of d is set by the caller, and d is not changed
// afterwards. It reports whether d is to be cast now; if not, it comes in later Steps.
func (o *Outbox) Send(now time.Time, to actors.Ref, d *nodepb.Deliver) bool {
	s := o.streams[to]
	if s == nil {
		s = &stream{last: o.floor}
		o.streams[to] = s
	}
	s.last++
	d.Seq = s.last
	s.items = append(s.items, parcel{d: d, since: now})
	d.Base = s.items[0].d.Seq
	o.count++
	o.wake(now.Add(ResendTime))
	if s.probing || !s.until.IsZero() || s.cast != len(s.items)-1 {
		return false
	}
	s.cast++
	it := &s.items[len(s.items)-1]
	it.sent, it.outstanding = now, 1
	return true
}

// Outcome takes what a mailbox or service has answered. An answer about a message that has its outcome already changes
// nothing.
func (o *Outbox) Outcome(now time.Time, m *nodepb.Outcome) Steps {
	o.begin()
	to := actors.RefOf(m.GetFrom())
	s := o.streams[to]
	if s == nil {
		return o.steps
	}
	i := s.find(m.GetSeq())
	switch code := m.GetCode(); {
	case code == nodepb.Code_GAP:
		o.gap(now, to, s, i, m.GetSeq() == 0)
	case i < 0:
	case code == nodepb.Code_LATER:
		s.items[i].answered()
		s.pause(now, i)
		o.wake(s.until)
	case code == nodepb.Code_OUTCOME_UNKNOWN && !s.items[i].crashed:
		// The addressee crashed on it. Once may be an accident of the moment: it is tried again.
		s.items[i].crashed = true
		o.probe(now, to, s)
	default:
		if s.items[i].twice && code != nodepb.Code_OK && code != nodepb.Code_DROPPED {
			code = nodepb.Code_OUTCOME_UNKNOWN
		}
		o.settle(to, s, i, code)
		if len(s.items) > 0 && code == nodepb.Code_OUTCOME_UNKNOWN {
			o.probe(now, to, s)
		}
		o.pump(now, to, s)
	}
	return o.steps
}

// Refused takes that a cast asked for was refused: it is repeated a little later, and what follows it waits.
func (o *Outbox) Refused(now time.Time, to actors.Ref, seq uint64) {
	s := o.streams[to]
	if s == nil {
		return
	}
	if i := s.find(seq); i >= 0 {
		s.items[i].answered()
		s.pause(now, i)
		o.wake(s.until)
	}
}

// Bounced takes that a cast asked for came back from the way to another node, or was lost there: unlike one that was refused it
// may have been taken. It is repeated a little later, in order with all that follows it.
func (o *Outbox) Bounced(now time.Time, to actors.Ref, seq uint64) {
	s := o.streams[to]
	if s == nil {
		return
	}
	if i := s.find(seq); i >= 0 {
		s.pause(now, i)
		o.wake(s.until)
	}
}

// Moved takes that the Ref's actor is, or will be, another one than before, because it went to another node or its node was lost:
// everything to it without outcome is cast again at once, in order, with the same numbers. What the old place may have taken and
// the new one refuses, or the other way round, has an unknown outcome.
func (o *Outbox) Moved(now time.Time, to actors.Ref) Steps {
	o.begin()
	if s := o.streams[to]; s != nil {
		for i := range s.items[:s.cast] {
			s.items[i].twice = s.items[i].twice || s.items[i].outstanding > 0
		}
		s.cast, s.probing, s.until, s.delay = 0, false, time.Time{}, 0
		o.pump(now, to, s)
	}
	return o.steps
}

// Tick does what has become due.
func (o *Outbox) Tick(now time.Time) Steps {
	o.begin()
	o.next = time.Time{}
	for to, s := range o.streams {
		for len(s.items) > 0 && !s.items[0].since.Add(GiveUpTime).After(now) {
			code := nodepb.Code_OUTCOME_UNKNOWN
			if it := &s.items[0]; it.outstanding == 0 && !it.crashed {
				code = nodepb.Code_LATER
			}
			o.settle(to, s, 0, code)
		}
		if len(s.items) == 0 {
			continue
		}
		switch {
		case !s.until.IsZero():
			if s.until.After(now) {
				break
			}
			s.until = time.Time{}
			o.pump(now, to, s)
		case s.cast > 0 && !s.items[0].sent.Add(ResendTime).After(now):
			o.probe(now, to, s)
		default:
			o.pump(now, to, s)
		}
		o.wake(s.due())
	}
	return o.steps
}

// gap takes that the addressee misses something. While that is being mended, what it still says about earlier casts is old, but
// for the word that it has crashed with all it had.
func (o *Outbox) gap(now time.Time, to actors.Ref, s *stream, i int, crashed bool) {
	if i >= 0 {
		s.items[i].answered()
	}
	switch {
	case !s.until.IsZero() || s.probing && i != 0 && !crashed:
	case s.probing && crashed, i == 0 && s.items[0].d.GetBase() == s.items[0].d.GetSeq():
		// It may crash again and again. And the first is never what comes too early, unless two actors answer to one Ref: no haste.
		s.pause(now, 0)
		s.probing = true
		o.wake(s.until)
	default:
		o.probe(now, to, s)
	}
}

// probe goes back to the first message and casts that one alone.
func (o *Outbox) probe(now time.Time, to actors.Ref, s *stream) {
	s.cast, s.probing, s.until = 0, true, time.Time{}
	o.pump(now, to, s)
}

// pump casts what may be cast.
func (o *Outbox) pump(now time.Time, to actors.Ref, s *stream) {
	if !s.until.IsZero() || len(s.items) == 0 {
		return
	}
	for s.cast < len(s.items) && (!s.probing || s.cast == 0) {
		it := &s.items[s.cast]
		s.cast++
		if it.settled {
			continue
		}
		it.sent = now
		it.outstanding++
		if base := s.items[0].d.GetSeq(); it.d.GetBase() != base {
			// What was cast may be read by others: it is never changed.
			it.d = &nodepb.Deliver{SenderRef: it.d.SenderRef, Seq: it.d.Seq, Base: base, Id: it.d.Id, Sender: it.d.Sender,
				Resource: it.d.Resource, Store: it.d.Store, Message: it.d.Message}
		}
		o.steps.Casts = append(o.steps.Casts, Cast{to, it.d})
	}
	o.wake(s.due())
}

// settle gives a message its outcome, and forgets what is settled at the front.
func (o *Outbox) settle(to actors.Ref, s *stream, i int, code nodepb.Code) {
	it := &s.items[i]
	o.steps.Settled = append(o.steps.Settled, Settled{to, it.d, code})
	it.settled = true
	o.count--
	if s.until.IsZero() {
		s.delay = 0
	}
	n := 0
	for n < len(s.items) && s.items[n].settled {
		n++
	}
	if n == 0 {
		return
	}
	s.probing = false
	s.cast = max(s.cast-n, 0)
	if n == len(s.items) {
		o.floor = max(o.floor, s.last)
		s.items = nil
		if delete(o.streams, to); len(o.streams) == 0 {
			o.next = time.Time{}
		}
		return
	}
	clear(s.items[:n])
	s.items = s.items[n:]
}

// find is the place of a message that has no outcome yet; -1 if there is none of that number.
func (s *stream) find(seq uint64) int {
	first := s.items[0].d.GetSeq()
	if seq < first || seq > s.last || s.items[seq-first].settled {
		return -1
	}
	return int(seq - first)
}

// answered notes that one cast of the message is known not to have been taken.
func (p *parcel) answered() {
	if p.outstanding > 0 {
		p.outstanding--
	}
}

// pause waits a little before the message at i is cast again, and all after it.
func (s *stream) pause(now time.Time, i int) {
	if s.until.IsZero() {
		s.delay = min(max(2*s.delay, laterMin), laterMax)
		s.until = now.Add(s.delay)
	}
	s.cast = min(s.cast, i)
	s.probing = false
}

// due is when the stream has something to do.
func (s *stream) due() time.Time {
	head := &s.items[0]
	at := head.since.Add(GiveUpTime)
	next := s.until
	if next.IsZero() && s.cast > 0 {
		next = head.sent.Add(ResendTime)
	}
	if !next.IsZero() && next.Before(at) {
		at = next
	}
	return at
}

// wake makes Next no later than at.
func (o *Outbox) wake(at time.Time) {
	if o.next.IsZero() || at.Before(o.next) {
		o.next = at
	}
}

func (o *Outbox) begin() {
	clear(o.steps.Casts)
	clear(o.steps.Settled)
	o.steps = Steps{o.steps.Casts[:0], o.steps.Settled[:0]}
}
