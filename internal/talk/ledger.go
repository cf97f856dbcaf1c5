package talk

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// entry is what is known of one message.
type entry struct {
	seq     int
	acked   bool
	excused bool // refused once: it comes out of turn
	arrived int
}

// pair is one direction of talk.
type pair struct{ from, to int }

// ledger holds who sent what, what was acknowledged, and what has arrived. It belongs to one goroutine at a time.
type ledger struct {
	run     string // makes its ids unlike those of any other
	entries map[string]*entry
	sent    map[pair]int // the last number
	latest  map[pair]int // the highest number that has arrived
	open    int          // sent, and not acknowledged
	missing int          // acknowledged, and not arrived
	report  Report
}

func newLedger(run string) *ledger {
	return &ledger{run: run, entries: map[string]*entry{}, sent: map[pair]int{}, latest: map[pair]int{}}
}

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

// send notes a new message and returns its id.
func (l *ledger) send(from, to int) string {
	p := pair{from, to}
	l.sent[p]++
	id := fmt.Sprintf("%s/%d/%d/%d", l.run, from, to, l.sent[p])
	l.entries[id] = &entry{seq: l.sent[p]}
	l.open++
	l.report.Sent++
	return id
}

// parse reads an id of this run.
func (l *ledger) parse(id string) (p pair, ok bool) {
	parts := strings.Split(id, "/")
	if len(parts) != 4 || parts[0] != l.run {
		return pair{}, false
	}
	from, err := strconv.Atoi(parts[1])
	to, err2 := strconv.Atoi(parts[2])
	return pair{from, to}, err == nil && err2 == nil
}

// ack notes that a server is responsible for a message.
func (l *ledger) ack(id string) {
	e := l.entries[id]
	if e == nil || e.acked {
		return
	}
	e.acked = true
	l.open--
	l.report.Acked++
	if e.arrived == 0 {
		l.missing++
	}
}

// refuse notes that a message was answered with an error, and reports whether it is to be sent again.
func (l *ledger) refuse(id, why string) bool {
	l.report.Refused++
	switch e := l.entries[id]; {
	case e == nil:
		l.fault("an error (%s) answers %q, which nobody sent", why, id)
		return false
	case e.acked:
		l.fault("%s was acknowledged, and then refused: %s", id, why)
		return false
	default:
		e.excused = true
		return true
	}
}

// arrive notes that a message has come to somebody.
func (l *ledger) arrive(at int, id string) {
	p, ok := l.parse(id)
	e := l.entries[id]
	if !ok || e == nil || p.to != at {
		l.fault("user %d has got %q, which isn't for it", at, id)
		return
	}
	if e.arrived++; e.arrived > 1 {
		l.report.Duplicates++
		return
	}
	l.report.Arrived++
	if e.acked {
		l.missing--
	}
	switch {
	case e.excused:
	case e.seq < l.latest[p]:
		l.report.Reordered++
	default:
		l.latest[p] = e.seq
	}
}

// mostFaults bounds what is said of them.
const mostFaults = 20

func (l *ledger) fault(format string, args ...any) {
	if len(l.report.Faults) < mostFaults {
		l.report.Faults = append(l.report.Faults, fmt.Sprintf(format, args...))
	}
}

// judge is the report with what is lost.
func (l *ledger) judge() Report {
	r := l.report
	r.Faults = slices.Clone(r.Faults)
	var lost []string
	for id, e := range l.entries {
		if e.acked && e.arrived == 0 {
			lost = append(lost, id)
		}
	}
	if slices.Sort(lost); len(lost) > 0 {
		r.Faults = append(r.Faults, fmt.Sprintf("%d messages were acknowledged and are lost: %s", len(lost), strings.Join(lost[:min(len(lost), mostFaults)], " ")))
	}
	if l.open > 0 {
		r.Faults = append(r.Faults, fmt.Sprintf("%d messages were neither acknowledged nor refused", l.open))
	}
	return r
}
