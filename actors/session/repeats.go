package session

import (
	"hash/fnv"
	"time"

	"github.com/jackdaw-im/jackdaw/xmpp"
)

// A client that goes on with a stream sends again what the answer's h doesn't count (XEP-0198 section 5). That is the longest handled prefix, so
// behind a message that had no outcome yet there may be presence of which others know. Were it told once more, others would see it go back to what
// it was, and then forth again. So who hands a stream over says which these are, by their places.

// repeatTime is how long a client that has resumed may take to send all of it again. Most begin at once.
const repeatTime = 10 * time.Second

// repeats are stanzas that were handled, and may be sent again.
type repeats struct {
	after uint64 // inbound number of the stanza before the first of them
	// prints are fingerprints of presence that was handled; 0: whatever comes in that place is new.
	prints []uint64
	again  []again   // those that came again; they aren't done before it is certain that they are that
	until  time.Time // when no more are expected; zero: the client isn't there
}

// again is a stanza that came again, and its inbound number.
type again struct {
	n uint64
	e *xmpp.Element
}

// at returns the fingerprint of the stanza in a place, 0: none.
func (r *repeats) at(n uint64) uint64 {
	if r == nil || n <= r.after || n-r.after > uint64(len(r.prints)) {
		return 0
	}
	return r.prints[n-r.after-1]
}

// sentAgain takes a stanza of a client that repeats what was handled, and reports whether it is that.
func (st *state) sentAgain(fx *effects, e *xmpp.Element, n uint64) bool {
	r, known := st.repeats, st.repeats.at(n)
	var print uint64
	if repeatableKind(e) && (r != nil || n > st.in.handled+1) {
		print = fingerprint(e)
		st.in.mark(n, print)
	}
	switch {
	case r == nil:
		return false
	case known != print:
		st.unfaithful(fx)
		return false
	case known == 0:
		return false
	}
	r.again = append(r.again, again{n, e})
	if n-r.after == uint64(len(r.prints)) { // the last is presence
		st.allRepeated(fx)
	}
	return true
}

// allRepeated ends the wait for more that comes again.
func (st *state) allRepeated(fx *effects) {
	r := st.repeats
	if r == nil {
		return
	}
	st.repeats = nil
	for _, a := range r.again {
		st.done(fx, a.n)
	}
}

// unfaithful ends the wait, too: the client has left something out, or has not repeated anything. So what was taken for a repetition may be new, as
// when it is what the client said before it said the last.
func (st *state) unfaithful(fx *effects) {
	r := st.repeats
	st.repeats = nil
	for _, a := range r.again {
		st.presenceStanza(fx, a.e, a.n)
	}
}

// allHandled reports whether all that the client sent is handled, or was before it was sent again.
func (st *state) allHandled() bool {
	waits := st.in.undone()
	if st.repeats != nil {
		waits -= len(st.repeats.again)
	}
	return waits == 0
}

// repeatableKind reports whether others are told of a stanza what they must not hear twice. Subscriptions may be made twice, and have to where what
// they go with is made twice.
func repeatableKind(e *xmpp.Element) bool {
	t := e.Attr("type")
	return e.Name == "presence" && (t == "" || t == "unavailable")
}

// repeatable are the fingerprints for who has the stream next: of what this session has handled behind the prefix, and of what an earlier one had and
// the client has not sent again yet.
func (st *state) repeatable() []uint64 {
	from := max(st.in.handled, st.sm.inBase)
	prints := st.in.prints(from)
	if r := st.repeats; r != nil {
		for n := st.in.received + 1; n-r.after <= uint64(len(r.prints)); n++ {
			prints = append(prints, r.at(n))
		}
	}
	for len(prints) > 0 && prints[len(prints)-1] == 0 {
		prints = prints[:len(prints)-1]
	}
	return prints
}

// fingerprint tells stanzas of one client apart; it isn't 0.
func fingerprint(e *xmpp.Element) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(e.AppendXML(nil, nsClient))
	return max(h.Sum64(), 1)
}
