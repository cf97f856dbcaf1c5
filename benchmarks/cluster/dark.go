package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackdaw-im/jackdaw/benchmarks/load"
	"github.com/jackdaw-im/jackdaw/internal/talk"
)

// darkness is what happened on nodes without a store while they had none: messages acknowledged although nobody had them, messages acknowledged
// because their recipient had them already, and connections ended.
type darkness struct {
	acked, arrived, ended int
	first                 string // of the acknowledged that nobody had
}

// answer is what a client was told of one attempt: acknowledged, or the condition of an error.
type answer struct {
	at   time.Time // zero: nothing yet
	what string
}

// acknowledged is an answer; the others are conditions.
const acknowledged = "acknowledged"

// unknownOutcome is how a server says that a message may or may not have been taken.
const unknownOutcome = "wait remote-server-timeout"

// darken says which nodes may acknowledge nothing from now on, by their addresses, and returns what happened so far. Each attempt that is made
// there until darken is called again is kept, with its answer, whenever that comes.
func (w *world) darken(addrs map[string]bool) darkness {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	if addrs == nil {
		w.mu.lit = now
	} else {
		w.mu.darkened, w.mu.answers = now, map[*talk.Attempt]answer{}
	}
	w.mu.dark = addrs
	return w.mu.inDark
}

// answered notes the first answer to an attempt, if it was made in the dark. The caller holds mu.
func (w *world) answered(a *talk.Attempt, what string) {
	if a == nil {
		return
	}
	if was, kept := w.mu.answers[a]; kept && was.at.IsZero() {
		w.mu.answers[a] = answer{time.Now(), what}
	}
}

// unanswered counts the attempts of the dark that have no answer.
func (w *world) unanswered() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range w.mu.answers {
		if a.at.IsZero() {
			n++
		}
	}
	return n
}

// The server gives a message up after 30 s, and says then that its outcome is unknown. soonest is what no such answer comes before; what was
// sent longer than latest ago has it. Neither measures how fast the server is: it has to wait, and then it has to say so.
const (
	soonest = 25 * time.Second
	latest  = 37 * time.Second
)

// told is what clients were told of all that they sent in the dark.
type told struct {
	sent, unknown, acked int
	first, last          time.Duration // the ages at which outcomes were called unknown
	wrong                []string
}

// told judges the answers to each attempt that was made in the dark. Each is told that its outcome is unknown, unless it was acknowledged: in
// the light again, or because its recipient had it already, which acked sees to. Who had waited long enough was told in the dark.
func (w *world) told() (t told) {
	w.mu.Lock()
	defer w.mu.Unlock()
	wrong, example := map[string]int{}, map[string]string{}
	note := func(what string, a *talk.Attempt) {
		wrong[what]++
		m := a.Message.(*message)
		example[what] = cmp.Or(example[what], fmt.Sprintf("%s, sent at %s %.1f s after it was dark", w.script.ID(m.key), a.Addr, a.At.Sub(w.mu.darkened).Seconds()))
	}
	for a, got := range w.mu.answers {
		t.sent++
		age := got.at.Sub(a.At)
		switch {
		case got.at.IsZero():
			note("had no answer", a)
			continue
		case got.what == acknowledged:
			t.acked++
		case got.what != unknownOutcome:
			note("were answered with "+got.what, a)
			continue
		default:
			t.unknown++
			if t.first == 0 || age < t.first {
				t.first = age
			}
			if t.last = max(t.last, age); age < soonest {
				note(fmt.Sprintf("were told within %v that their outcome is unknown", soonest), a)
			}
		}
		if got.at.After(w.mu.lit) && w.mu.lit.Sub(a.At) > latest {
			note(fmt.Sprintf("were told nothing for %v in the dark", latest), a)
		}
	}
	for what, n := range wrong {
		t.wrong = append(t.wrong, fmt.Sprintf("%d of %d messages sent where no store was %s, one of them %s", n, t.sent, what, example[what]))
	}
	slices.SortFunc(t.wrong, strings.Compare)
	return t
}

// answerTime is how long the last answers may take when it is light again: what was sent just before is given up only half a minute later.
const answerTime = time.Minute

// answers waits until everything that was sent in the dark has its answer, and judges.
func (r *round) answers(ctx context.Context) error {
	for end := time.Now().Add(answerTime); r.w.unanswered() > 0 && time.Now().Before(end); {
		if err := load.Rest(ctx, lookPause); err != nil {
			return err
		}
	}
	t := r.w.told()
	for _, what := range t.wrong {
		r.result.broken("%s", what)
	}
	if t.unknown == 0 {
		r.result.broken("nobody was told that an outcome is unknown")
	}
	r.result.note("%d were sent there: of %d the outcome was called unknown, after %.1f to %.1f s, and %d were acknowledged when it was over", t.sent, t.unknown,
		t.first.Seconds(), t.last.Seconds(), t.acked)
	return nil
}
