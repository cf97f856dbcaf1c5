package session

import (
	"slices"
	"time"

	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

// chunk is how much is rendered before it is written: the outlet's backlog is looked at in between.
const chunk = 32 << 10

// push takes rows from the mailbox.
func (st *state) push(m *nodepb.Push) {
	if st.phase != bound || m.GetEpoch() != st.epoch {
		return // the mailbox has them, and pushes them where they belong
	}
	if n := m.GetNumber(); n != 0 {
		if m.GetAfter() != st.pushed {
			return // it has overtaken one that had no room here: both come again
		}
		st.pushed = n
	}
	for _, row := range m.GetRows() {
		if st.repeated(row) {
			st.acks.credit += row.GetCost()
			continue
		}
		st.held = append(st.held, row)
	}
}

// repeated reports whether a row was written to the client before, and comes again because the mailbox has moved or restarted. One that is
// acknowledged already is so once more: maybe this mailbox hasn't heard of it.
func (st *state) repeated(row *nodepb.PushedRow) bool {
	id := row.GetId()
	if len(id) == 0 { // it is no row
		return false
	}
	if slices.ContainsFunc(st.acks.ids, func(now []byte) bool { return string(now) == string(id) }) {
		return true
	}
	if st.late.has(id) {
		st.acks.ids = append(st.acks.ids, id)
		return true
	}
	return st.out.acked < st.rewritten && st.out.has(id)
}

// writable hears that the outlet has room again.
func (st *state) writable() {
	st.blocked = false
	st.acks.credit += st.unreturned
	st.unreturned = 0
}

// fill renders what is due to the client, as much as one write takes, and reports whether there is anything to write.
func (st *state) fill(fx *effects) bool {
	switch st.phase {
	case bound:
		st.fillBound(fx)
	case closing:
		if st.in.pending() == 0 || !st.until.After(fx.now) {
			st.finishClosing(fx)
		}
	}
	return len(fx.out) > 0 || fx.stanzas > 0 || fx.authed || fx.restart || fx.close
}

func (st *state) fillBound(fx *effects) {
	if !st.blocked && !st.busy {
		for len(st.arriving.list) > 0 && len(fx.out) < chunk {
			for _, p := range st.arriving.take(coalesceFrom) {
				if p != nil {
					st.writePresence(fx, p)
				}
			}
		}
		st.fillRows(fx)
	}
	st.tooMuch(fx)
	if st.phase != bound {
		return
	}
	if st.blocked || len(st.held) == 0 {
		st.askWhenDue(fx)
	}
	if due, _ := st.sm.answerDue(fx.now, st.in.handled); due {
		st.writeAnswer(fx)
	}
}

func (st *state) fillRows(fx *effects) {
	n := 0
	for n < len(st.held) && len(fx.out) < chunk {
		st.writeRow(fx, st.held[n])
		n++
	}
	if n == 0 {
		return
	}
	clear(st.held[:n])
	if st.held = st.held[n:]; len(st.held) == 0 {
		st.held = nil
	}
}

// restoredText is said of messages that come from a backup.
const restoredText = "restored from a backup; it may have been delivered before"

// writeRow renders one message for the client.
func (st *state) writeRow(fx *effects, row *nodepb.PushedRow) {
	start := len(fx.out)
	var delay xmpp.Delay
	if row.GetDelayed() {
		delay.By = st.Domain
	}
	if row.GetRestored() {
		delay.Reason = restoredText
	}
	fx.out = xmpp.AppendMessage(fx.out, row.GetMessage(), delay)
	if len(row.GetId()) > 0 {
		st.out.row(row.GetId(), st.written+uint64(len(fx.out)))
	} else {
		st.wrote(fx, start)
	}
	st.unreturned += row.GetCost()
	st.Counters.MessagesOut.Add(1)
}

// flushed takes what the outlet said about a write.
func (st *state) flushed(fx *effects, n, backlog int, err error) {
	if err != nil {
		st.lost(fx)
		return
	}
	st.written += uint64(n)
	if st.blocked = backlog > HighMark; !st.blocked {
		st.writable()
	}
}

// settle ends a turn: the mailbox hears what its rows came to, and a session with nothing left to do stops.
func (st *state) settle(fx *effects) {
	if st.phase == handing && st.allHandled() {
		st.give(fx)
	}
	st.castAcks(fx)
	if st.phase == lingering && (st.idle() || !st.until.After(fx.now)) {
		fx.stop = true
	}
}

// idle reports whether nothing waits for an answer of another actor.
func (st *state) idle() bool {
	return len(st.sending) == 0 && len(st.subs) == 0 && !st.resuming
}

// creditShare is how much credit, in bytes, waits for an acknowledgement of rows that takes it along: the mailbox keeps the rest of the
// window meanwhile.
const creditShare = creditWindow / 4

// castAcks returns credit and acknowledges rows. An acknowledgement is no request: its room was reserved by the push. While the client
// still has rows to acknowledge, a little credit waits for that, so that a row costs one acknowledgement and not two.
func (st *state) castAcks(fx *effects) {
	if len(st.acks.ids) == 0 && (st.acks.credit == 0 || st.acks.credit < creditShare && st.out.rows > 0) {
		return
	}
	st.late = st.late.add(fx.now, st.acks.ids)
	st.castThese(fx, st.acks.ids)
}

// castThese acknowledges rows with the credit that is due.
func (st *state) castThese(fx *effects, ids [][]byte) {
	fx.casts = append(fx.casts, cast{to: st.mail(), room: true, refused: func(fx *effects) { st.ackUndelivered(fx, ids) },
		msg: &nodepb.Ack{Session: st.ref, Epoch: st.epoch, Ids: ids, Credit: st.acks.credit, Pushed: st.pushed}})
	st.acks = acks{}
}

// castAllAcks is castAcks with those that may not have been heard, and returns all of them.
func (st *state) castAllAcks(fx *effects) [][]byte {
	fresh := slices.Concat(st.unheard, st.acks.ids)
	st.unheard = nil
	ids := st.late.with(fx.now, fresh)
	st.late = st.late.add(fx.now, fresh)
	if len(ids) > 0 {
		st.castThese(fx, ids)
	} else {
		st.castAcks(fx)
	}
	return ids
}

// ackUndelivered keeps what the client has acknowledged for whoever is the mailbox next: else the client would get it again.
func (st *state) ackUndelivered(fx *effects, ids [][]byte) {
	if st.phase == bound || st.phase == detached {
		st.unheard = append(st.unheard, ids...)
		st.forgotten(fx, &st.lostMail)
	}
}

// askWhenDue asks the client what it has, after the rows just written or because it has been silent for long.
func (st *state) askWhenDue(fx *effects) {
	due, _ := st.ask.due(fx.now, &st.out, st.sm.on)
	if due || st.ask.opened.IsZero() && !st.heard.Add(st.IdlePing).After(fx.now) {
		st.question(fx)
	}
}

// question asks the client for a sign of life, which also tells what it has: <r/>, or a request that every client must answer,
// be it with an error (RFC 6120 section 8.2.3). It asks for disco#info and not for a ping (XEP-0199), since there are clients
// in use that die of a ping and take what they have just read with them (go-sendxmpp 0.5.6).
func (st *state) question(fx *effects) {
	if st.sm.on {
		fx.text("<r xmlns='" + nsSM + "'/>")
		st.ask.wrote(fx.now, st.out.sent)
		return
	}
	st.ask.wrote(fx.now, st.out.sent)
	st.pings++
	fx.out = open(fx.out, "iq", "get", st.pingID(), st.Domain, st.full)
	fx.text("><query xmlns='" + nsDiscoInfo + "'/></iq>")
	st.out.skip()
}

// pingID is the id of the open request.
func (st *state) pingID() string { return "ping-" + number(st.pings) }

// pong takes a result or an error that the client sent to the server or to its own account: if it answers the open request,
// the client has everything written before that.
func (st *state) pong(fx *effects, id string) {
	if st.ask.opened.IsZero() || st.pings == 0 || id != st.pingID() {
		return
	}
	st.ask.opened = time.Time{}
	st.acks.ids = st.out.ack(st.ask.upTo, st.acks.ids)
}
