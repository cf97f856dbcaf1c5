package talk

import (
	"fmt"

	"github.com/jackdaw-im/jackdaw/xmpp"
)

// Report is what a crowd has seen.
type Report struct {
	// Sent, Acked and Arrived count messages, each once.
	Sent, Acked, Arrived int
	// Duplicates are arrivals of a message that had arrived, under the same id; Refused are errors that answered messages.
	Duplicates, Refused int
	// Resumed are streams that went on elsewhere or again, Anew those that could not.
	Resumed, Anew int
	// Reordered are those that have come after a later one of the same sender, which may happen while a cluster is parted.
	Reordered int
	// Faults are the broken promises, in words.
	Faults []string
}

// ledger is what a crowd knows of its messages. It belongs to one goroutine at a time.
type ledger struct {
	script                 Script
	check                  *Checker
	messages               map[Key]*message
	refused, resumed, anew int
	faults                 []string
}

func newLedger(s Script) *ledger {
	return &ledger{script: s, check: NewChecker(), messages: map[Key]*message{}}
}

// send makes a new message.
func (l *ledger) send(from, to int, jid string) *message {
	key := l.check.Next(from, to)
	l.check.Send(from, to, l.script.ID(key))
	m := &message{key: key, stanza: l.script.Stanza(key, jid)}
	l.messages[key] = m
	return m
}

// arrive notes a message that has come to somebody.
func (l *ledger) arrive(at int, e *xmpp.Element) {
	key, id, ok := l.script.Read(e)
	if !ok || key.Recipient != at {
		l.fault("user %d has got %q, which isn't for it", at, e.Attr("id"))
		return
	}
	l.check.Receive(key, id)
}

// refuse notes an error that answers a message, and returns that if it is to be sent again.
func (l *ledger) refuse(e *xmpp.Element) *message {
	l.refused++
	id, why := e.Attr("id"), reason(e)
	key, _ := l.script.Parse(id)
	m := l.messages[key]
	if m == nil {
		l.fault("an error (%s) answers %q, which nobody sent", why, id)
		return nil
	}
	if l.check.IsAcked(key) {
		l.fault("%s was acknowledged, and then refused: %s", id, why)
		return nil
	}
	l.check.Excuse(key)
	return m
}

// missing is how many are acknowledged and haven't arrived.
func (l *ledger) missing(users int) (n int) {
	for i := range users {
		n += l.check.Missing(i)
	}
	return n
}

// mostFaults bounds what is said of them.
const mostFaults = 20

func (l *ledger) fault(format string, args ...any) {
	if len(l.faults) < mostFaults {
		l.faults = append(l.faults, fmt.Sprintf(format, args...))
	}
}

// report is what has been seen. What is under way is no fault yet.
func (l *ledger) report() Report {
	f := l.check.Findings()
	f.Lost = nil
	return l.told(f)
}

// told makes a report of what the checker has found.
func (l *ledger) told(f Findings) Report {
	r := Report{Sent: f.Sent, Acked: f.Acked, Arrived: f.Received, Duplicates: f.Duplicates, Refused: l.refused, Resumed: l.resumed, Anew: l.anew,
		Reordered: len(f.Reordered)}
	f.Reordered = nil // its reader knows whether the cluster was parted
	r.Faults = append(append(r.Faults, l.faults...), f.Faults()...)
	return r
}

// judge is the report when nothing is under way any more.
func (l *ledger) judge() Report {
	r := l.told(l.check.Findings())
	if n := l.check.Open(); n > 0 {
		r.Faults = append(r.Faults, fmt.Sprintf("%d messages were neither acknowledged nor refused", n))
	}
	return r
}
