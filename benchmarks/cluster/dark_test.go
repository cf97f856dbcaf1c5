package main

import (
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/internal/talk"
)

// TestTold: each message that was sent in the dark is looked at, and each answer but the right ones at the right time is a fault.
func TestTold(t *testing.T) {
	const dark = "a:1"
	for name, test := range map[string]struct {
		sent, answered time.Duration // since it was dark, which lasts for forty seconds; answered 0: never
		what           string
		wrong          string
	}{
		"in the dark":              {time.Second, 31 * time.Second, unknownOutcome, ""},
		"when it is light":         {10 * time.Second, 41 * time.Second, unknownOutcome, ""},
		"stored when it is light":  {10 * time.Second, 41 * time.Second, acknowledged, ""},
		"its recipient has it":     {time.Second, 2 * time.Second, acknowledged, ""}, // acked knows
		"at once":                  {time.Second, 2 * time.Second, unknownOutcome, "told within 25s"},
		"never":                    {time.Second, 0, "", "had no answer"},
		"something else":           {time.Second, 31 * time.Second, "wait resource-constraint", "answered with wait resource-constraint"},
		"only when it is light":    {time.Second, 41 * time.Second, unknownOutcome, "told nothing for 37s"},
		"stored, but nothing said": {time.Second, 41 * time.Second, acknowledged, "told nothing for 37s"},
	} {
		w, _ := small(t, nil)
		w.mu.sending = true
		w.darken(map[string]bool{dark: true})
		from := w.mu.darkened
		elsewhere, m, good := w.compose(0, 1), w.compose(0, 1), w.compose(0, 1)
		try(w, elsewhere, "b:1")
		for _, m := range []*message{m, good} {
			w.sent(&talk.Attempt{Message: m, At: from.Add(test.sent), Addr: dark})
		}
		w.darken(nil)
		w.mu.lit = from.Add(40 * time.Second)
		try(w, w.compose(0, 1), dark) // which isn't dark any more
		if n := w.unanswered(); n != 2 {
			t.Fatalf("%s: %d are without an answer", name, n)
		}
		w.mu.answers[good.last] = answer{from.Add(test.sent + 30*time.Second), unknownOutcome}
		if test.answered > 0 {
			w.mu.answers[m.last] = answer{from.Add(test.answered), test.what}
			w.answered(m.last, "too late") // the first one counts
		}
		got := w.told()
		if got.sent != 2 || (len(got.wrong) > 0) != (test.wrong != "") || test.wrong != "" && !strings.Contains(got.wrong[0], "1 of 2 messages sent where no store was") {
			t.Errorf("%s: %+v", name, got)
		}
		if test.wrong != "" && !strings.Contains(strings.Join(got.wrong, "\n"), test.wrong) {
			t.Errorf("%s: %q, want %q", name, got.wrong, test.wrong)
		}
	}
}
