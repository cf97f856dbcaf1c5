package session

import (
	"strconv"
	"time"

	"github.com/jackdaw-im/jackdaw/xmpp"
)

// management takes an element of XEP-0198. It reports false for one that the XEP doesn't know.
func (st *state) management(fx *effects, s Stanza) bool {
	e := s.Elem
	switch {
	case st.phase == login:
		st.smFailed(fx, "unexpected-request", "")
	case e.Name == "enable":
		st.enable(fx, e)
	case e.Name == "resume":
		st.resume(fx, e, s.Size)
		return true // it is credited when the answer is known
	case e.Name == "r":
		if st.sm.on {
			st.sm.ask(fx.now, &st.in)
			st.writeAnswer(fx)
		}
	case e.Name == "a":
		if st.sm.on {
			st.acknowledged(fx, e.Attr("h"))
		}
	default:
		return false
	}
	fx.credit(s.Size)
	return true
}

// enable begins counting (XEP-0198 section 3).
func (st *state) enable(fx *effects, e *xmpp.Element) {
	if st.phase != bound || st.sm.on {
		st.smFailed(fx, "unexpected-request", "")
		return
	}
	st.sm = counters{on: true, id: st.self.ID, inBase: st.in.received, outBase: st.out.sent}
	resume := e.Attr("resume")
	if (resume == "true" || resume == "1") && st.ResumeTime > 0 {
		st.sm.resumable, st.sm.secret = true, st.random()
		seconds := strconv.Itoa(int(st.ResumeTime / time.Second))
		fx.out = attr(append(fx.out, "<enabled xmlns='"+nsSM+"' resume='true'"...), "id", st.previd())
		fx.text(" max='", seconds, "'")
		fx.out = attr(fx.out, "location", st.Location)
		fx.text("/>")
		return
	}
	fx.text("<enabled xmlns='" + nsSM + "'/>")
}

// smFailed refuses an element of XEP-0198. The stream goes on.
func (st *state) smFailed(fx *effects, condition, h string) {
	fx.out = attr(append(fx.out, "<failed xmlns='"+nsSM+"'"...), "h", h)
	fx.text("><", condition, " xmlns='"+nsStanzaErrors+"'/></failed>")
}

// writeAnswer writes <a/> with the present h.
func (st *state) writeAnswer(fx *effects) {
	st.sm.answered(fx.now, st.in.handled)
	fx.text("<a xmlns='"+nsSM+"' h='", number(uint64(st.sm.h(st.in.handled))), "'/>")
}

// acknowledged takes the client's <a/>.
func (st *state) acknowledged(fx *effects, attribute string) {
	h, err := strconv.ParseUint(attribute, 10, 32)
	if err != nil {
		st.fail(fx, xmpp.BadFormat, "")
		return
	}
	n, ok := st.sm.covered(uint32(h), &st.out)
	if !ok {
		st.tooHigh(fx, uint32(h), uint32(st.out.sent-st.sm.outBase))
		return
	}
	if n == st.sm.outBase && (st.ask.opened.IsZero() || st.ask.upTo < st.sm.outBase) {
		return // no answer to a question since counting began: it says nothing of what was written before
	}
	st.ask.opened = time.Time{}
	st.acks.ids = st.out.ack(n, st.acks.ids)
}

// tooHigh ends the stream of a client that acknowledges what was never sent (XEP-0198 section 4).
func (st *state) tooHigh(fx *effects, h, sent uint32) {
	body := "<handled-count-too-high xmlns='" + nsSM + "' h='" + number(uint64(h)) + "' send-count='" + number(uint64(sent)) + "'/>"
	st.failWith(fx, &xmpp.StreamError{Condition: xmpp.UndefinedCondition, Extra: body})
}

// number is n in decimal.
func number(n uint64) string { return strconv.FormatUint(n, 10) }
