package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackdaw-im/jackdaw/benchmarks/load"
)

// result is what one round has shown.
type result struct {
	Fault   string  `json:"fault"`
	Seed    uint64  `json:"seed"`
	Seconds float64 `json:"seconds"`
	// Acked is how many messages were acknowledged, Lost how many of them didn't arrive.
	Acked int `json:"acked"`
	Lost  int `json:"lost"`
	// Stuck did arrive, but only when their recipient, who had been online, logged in anew.
	Stuck int `json:"stuck"`
	// Duplicates came again with their own id, which the promise allows; Altered came with another, so that a client can't tell.
	Duplicates int `json:"duplicates"`
	Altered    int `json:"altered"`
	// Reordered came after a later one of their sender; Excused of them were on their way while the cluster was parted, which is allowed.
	Reordered int `json:"reordered"`
	Excused   int `json:"reordering_allowed"`
	Unknown   int `json:"unknown"`
	// Resent and Refused count what clients sent again, and what they were told could not be done, or is unknown. Withdrawn is what was
	// refused after it had been acknowledged.
	Resent    int            `json:"resent"`
	Refused   map[string]int `json:"refused,omitempty"`
	Withdrawn int            `json:"withdrawn"`
	// Longest is for how long at most a message of anybody waited for its acknowledgement; Longest99 leaves out the unluckiest hundredth
	// of the users. Arrival is how long it took at most to reach a recipient who was online. All in seconds.
	Longest   float64 `json:"longest_wait_seconds"`
	Longest99 float64 `json:"longest_wait_p99_seconds"`
	Arrival   float64 `json:"longest_arrival_seconds"`
	// Troubles are the ends of connections, by reason.
	Troubles map[string]int `json:"troubles,omitempty"`
	// Notes are measurements of this fault, Broken what it found wrong.
	Notes  []string `json:"notes,omitempty"`
	Broken []string `json:"broken,omitempty"`
}

// judge fills in what the world knows now.
func (r *result) judge(w *world) {
	w.mu.Lock()
	defer w.mu.Unlock()
	report := w.mu.check.Findings()
	r.Acked, r.Lost, r.Duplicates, r.Altered, r.Reordered, r.Unknown = report.Acked, len(report.Lost), report.Duplicates, len(report.Altered), len(report.Reordered), report.Unknown
	r.Resent, r.Refused, r.Withdrawn, r.Troubles = report.Resent, maps.Clone(w.mu.refused), w.mu.withdrawn, maps.Clone(w.mu.troubles)
	report.Reordered = slices.DeleteFunc(report.Reordered, w.excused)
	r.Excused = r.Reordered - len(report.Reordered)
	r.Broken = append(r.Broken, report.Faults()...)
	if w.mu.withdrawn > 0 {
		r.Broken = append(r.Broken, fmt.Sprintf("%d refused after they had been acknowledged", w.mu.withdrawn))
	}
	if r.Stuck > 0 {
		r.broken("%d arrived only when their recipients had logged in anew", r.Stuck)
	}
	var waits load.Latencies
	for i := range w.cfg.users {
		waits.Add(w.mu.wait[i])
		r.Arrival = max(r.Arrival, w.mu.arrival[i].Seconds())
	}
	r.Longest, r.Longest99 = waits.Percentile(100).Seconds(), waits.Percentile(99).Seconds()
}

// failed says whether a promise was broken.
func (r *result) failed() bool { return len(r.Broken) > 0 }

// note adds a measurement.
func (r *result) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

// broken adds something found wrong.
func (r *result) broken(format string, args ...any) {
	r.Broken = append(r.Broken, fmt.Sprintf(format, args...))
}

// head prints the table's first line.
func head(out io.Writer) {
	fmt.Fprintln(out, "fault                         seed seconds   acked   lost  stuck  dupl.  altered  reordered  unknown  resent  refused  longest     p99  arrival")
}

// print prints a line of the table, and what there is to say.
func (r *result) print(out io.Writer) {
	reordered := fmt.Sprint(r.Reordered - r.Excused)
	if r.Excused > 0 {
		reordered = fmt.Sprintf("(%d) %s", r.Excused, reordered)
	}
	refused := 0
	for _, n := range r.Refused {
		refused += n
	}
	fmt.Fprintf(out, "%-13s %20d %6.0fs %7d %6d %6d %6d %8d %10s %8d %7d %8d %7.1fs %6.1fs %7.1fs", r.Fault, r.Seed, r.Seconds, r.Acked, r.Lost, r.Stuck, r.Duplicates, r.Altered, reordered,
		r.Unknown, r.Resent, refused, r.Longest, r.Longest99, r.Arrival)
	if len(r.Notes) > 0 {
		fmt.Fprintf(out, "  %s", strings.Join(r.Notes, "; "))
	}
	fmt.Fprintln(out)
	for _, b := range r.Broken {
		fmt.Fprintf(out, "    BROKEN (seed %d): %s\n", r.Seed, b)
	}
	if r.failed() {
		fmt.Fprintf(out, "    refused %v; connections: %v\n", r.Refused, r.Troubles)
	}
}

// served is how many users have been acknowledged something.
func (w *world) served() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range w.mu.wait {
		if d > 0 {
			n++
		}
	}
	return n
}

// forgetWaits begins to measure anew how long things take: logins at the beginning don't count.
func (w *world) forgetWaits() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.mu.wait)
	clear(w.mu.arrival)
	now := time.Now()
	for _, m := range w.mu.messages {
		m.due = later(m.due, now)
	}
}

// troubled is why connections ended.
func (w *world) troubled() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []string
	for _, reason := range slices.Sorted(maps.Keys(w.mu.troubles)) {
		list = append(list, fmt.Sprintf("%d x %s", w.mu.troubles[reason], reason))
	}
	return strings.Join(list, ", ")
}
