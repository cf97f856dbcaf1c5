package session

import (
	"math"
	"testing"
	"time"
)

var epoch0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func TestCovered(t *testing.T) {
	const wrap = 1 << 32
	tests := []struct {
		name              string
		base, acked, sent uint64
		h                 uint32
		n                 uint64
		ok                bool
	}{
		{"nothing yet", 0, 0, 0, 0, 0, true},
		{"all", 0, 0, 7, 7, 7, true},
		{"some", 0, 2, 7, 5, 5, true},
		{"again", 0, 5, 7, 5, 5, true},
		{"old", 0, 5, 7, 3, 5, true},
		{"beyond", 0, 5, 7, 8, 0, false},
		{"far beyond", 0, 0, 7, math.MaxUint32, 0, false},
		{"counting began late", 10, 0, 17, 7, 17, true},
		{"beyond, counting began late", 10, 4, 17, 8, 0, false},
		{"nothing since", 10, 4, 17, 0, 10, true},
		{"before the wrap", 0, wrap - 5, wrap + 5, math.MaxUint32, wrap - 1, true},
		{"at the wrap", 0, wrap - 5, wrap + 5, 0, wrap, true},
		{"after the wrap", 0, wrap - 5, wrap + 5, 5, wrap + 5, true},
		{"beyond, after the wrap", 0, wrap - 5, wrap + 5, 6, 0, false},
		{"old, before the wrap", 0, wrap + 3, wrap + 5, math.MaxUint32, wrap + 3, true},
	}
	for _, tt := range tests {
		c := counters{on: true, outBase: tt.base}
		n, ok := c.covered(tt.h, &outgoing{acked: tt.acked, sent: tt.sent})
		if ok != tt.ok || ok && n != tt.n {
			t.Errorf("%s: covered(%d) = %d, %v, want %d, %v", tt.name, tt.h, n, ok, tt.n, tt.ok)
		}
	}
}

func TestHCountsFromEnable(t *testing.T) {
	c := counters{inBase: 10}
	for handled, want := range map[uint64]uint32{0: 0, 9: 0, 10: 0, 11: 1, 10 + 1<<32: 0, 13 + 1<<32: 3} {
		if h := c.h(handled); h != want {
			t.Errorf("h(%d) = %d, want %d", handled, h, want)
		}
	}
}

// TestAnswers follows one <r/> until h reaches what it asked about.
func TestAnswers(t *testing.T) {
	now := epoch0
	c, in := counters{on: true}, &inbound{received: 10, handled: 4}
	if due, at := c.answerDue(now, in.handled); due || !at.IsZero() {
		t.Fatal("an answer is due that nobody asked for")
	}
	c.ask(now, in)
	if due, at := c.answerDue(now, 4); due || !at.IsZero() {
		t.Fatal("an answer is due though h hasn't moved")
	}
	if due, at := c.answerDue(now, 6); due || !at.Equal(now.Add(time.Second)) {
		t.Fatalf("h moved below the count: due %v at %v, want in one second", due, at)
	}
	now = now.Add(time.Second)
	if due, _ := c.answerDue(now, 6); !due {
		t.Fatal("no answer after one second of moving")
	}
	c.answered(now, 6)
	if due, _ := c.answerDue(now, 10); !due {
		t.Fatal("no answer when h reaches the count")
	}
	c.answered(now, 10)
	if due, at := c.answerDue(now.Add(time.Hour), 12); due || !at.IsZero() {
		t.Fatal("answers go on after h reached the count")
	}
	c.ask(now, &inbound{received: 12, handled: 12})
	if due, at := c.answerDue(now, 13); due || !at.IsZero() {
		t.Fatal("an <r/> that was answered in full wants more answers")
	}
}

func TestAsking(t *testing.T) {
	now := epoch0
	var a asking
	o := &outgoing{}
	check := func(when string, quick, want bool, wantAt time.Time) {
		t.Helper()
		if due, at := a.due(now, o, quick); due != want || !at.Equal(wantAt) && !due {
			t.Fatalf("%s: due %v at %v, want %v at %v", when, due, at, want, wantAt)
		}
	}
	never := time.Time{}
	check("nothing sent", true, false, never)
	o.stanza(nil)
	check("one stanza that is no row", true, false, never)
	o.row([]byte("a"), 0)
	check("a row", true, true, never)
	check("a row, never asked before", false, true, never)
	a.wrote(now, o.sent)
	check("a question is open", true, false, never)
	if at := a.overdue(time.Minute); !at.Equal(now.Add(time.Minute)) {
		t.Fatalf("overdue at %v", at)
	}
	a.opened = never
	check("answered, but not about the row", true, false, now.Add(time.Second))
	o.row([]byte("b"), 0)
	check("a new row with <r/>", true, true, never)
	check("a new row with pings", false, false, now.Add(time.Second))
	now = now.Add(time.Second)
	check("a second later", false, true, never)
	o.ack(o.sent, nil)
	check("everything acknowledged", true, false, never)
	for range keptUnasked {
		o.stanza([]byte("<iq/>"))
	}
	check("many stanzas kept", true, true, never)
}
