package session

import "time"

// counters is the arithmetic of XEP-0198. Stanzas are numbered over the whole stream and without wrapping; what a client
// sees counts from <enable/> on, modulo 2^32.
type counters struct {
	on        bool
	resumable bool
	// id is the stream management id, which outlives resumptions, and secret what proves a client's claim to it.
	id, secret string
	// inBase and outBase are the numbers of the last stanzas before counting began.
	inBase, outBase uint64

	asked   bool   // an <r/> came whose count isn't reached yet
	askedAt uint64 // what had been received at the last <r/>
	told    uint64 // the handled prefix at the last <a/>
	toldAt  time.Time
}

// answerEvery is how often a moving h is told while it is below what the client asked about.
const answerEvery = time.Second

// h is what the client is told for a handled prefix.
func (c *counters) h(handled uint64) uint32 {
	if handled <= c.inBase {
		return 0
	}
	return uint32(handled - c.inBase)
}

// ask takes an <r/>, which is answered at once. While not all that was received is handled, more answers follow.
func (c *counters) ask(now time.Time, in *inbound) {
	c.askedAt, c.asked = in.received, in.handled < in.received
	c.told, c.toldAt = in.handled, now
}

// answerDue reports whether an unasked <a/> is due now; if not, when it may become due (zero: never, as things stand).
func (c *counters) answerDue(now time.Time, handled uint64) (bool, time.Time) {
	if !c.on || !c.asked || handled == c.told {
		return false, time.Time{}
	}
	if handled >= c.askedAt {
		return true, time.Time{}
	}
	at := c.toldAt.Add(answerEvery)
	return !at.After(now), at
}

// answered notes an <a/>.
func (c *counters) answered(now time.Time, handled uint64) {
	c.told, c.toldAt = handled, now
	c.asked = c.asked && handled < c.askedAt
}

// covered turns a client's h into the number of the last stanza it has. An h that the client had left behind already
// changes nothing. It reports false for an h beyond what was sent (XEP-0198 section 4).
func (c *counters) covered(h uint32, out *outgoing) (uint64, bool) {
	had := max(out.acked, c.outBase)
	ahead := int64(int32(h - uint32(had-c.outBase)))
	switch {
	case ahead >= 0:
		n := had + uint64(ahead)
		return n, n <= out.sent
	case uint64(-ahead) <= had-c.outBase:
		return had, true
	}
	return 0, false
}

// asking paces the questions by which the server finds out what the client has: <r/> with stream management, a
// request without (state.question). At most one is open at a time.
type asking struct {
	opened time.Time // when the open question was written; zero: none is open
	last   time.Time // when the last question was written
	upTo   uint64    // the number of the last stanza before the last question
}

// askEvery is the least time between two requests, and between two <r/> about the same stanzas.
const askEvery = time.Second

// keptUnasked is how many stanzas other than rows are kept for a resumption before the client is asked about them.
const (
	keptUnasked      = 4
	keptUnaskedBytes = 2 << 10
)

// due reports whether a question is due now; if not, when it will be (zero: never, as things stand). With quick, rows that
// no question covers yet needn't wait for their turn.
func (a *asking) due(now time.Time, out *outgoing, quick bool) (bool, time.Time) {
	if !a.opened.IsZero() {
		return false, time.Time{}
	}
	kept := len(out.items) - out.head - out.rows
	if out.rows == 0 && kept < keptUnasked && out.bytes < keptUnaskedBytes {
		return false, time.Time{}
	}
	if quick && (a.last.IsZero() || out.lastRow > a.upTo) {
		return true, time.Time{}
	}
	at := a.last.Add(askEvery)
	return !at.After(now), at
}

// wrote notes a question written now, after stanza number sent.
func (a *asking) wrote(now time.Time, sent uint64) {
	a.opened, a.last, a.upTo = now, now, sent
}

// overdue is when the open question counts as unanswered; zero if none is open.
func (a *asking) overdue(timeout time.Duration) time.Time {
	if a.opened.IsZero() {
		return time.Time{}
	}
	return a.opened.Add(timeout)
}
