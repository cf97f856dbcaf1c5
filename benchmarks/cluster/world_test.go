package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/benchmarks/load"
	"github.com/jackdaw-im/jackdaw/benchmarks/load/loadtest"
	"github.com/jackdaw-im/jackdaw/internal/talk"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

// small is a world on a server in memory.
func small(t *testing.T, fault loadtest.Fault) (*world, *loadtest.Server) {
	t.Helper()
	server := loadtest.New(t, fault)
	cfg := defaults()
	cfg.users, cfg.sleepers, cfg.interval, cfg.grace = 6, 2, 5*time.Millisecond, 300*time.Millisecond
	accounts := load.Accounts{Domain: "localhost", Prefix: "u", Password: loadtest.Password}
	addrs := []string{server.Addr}
	w := newWorld(t.Context(), cfg, accounts, func() []string { return addrs })
	t.Cleanup(w.close)
	return w, server
}

// until waits until the world has acknowledged so many.
func until(t *testing.T, w *world, acked int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for w.ackedSoFar() < acked {
		if err := load.Rest(ctx, time.Millisecond); err != nil {
			t.Fatal(err, w.troubled())
		}
	}
}

// ended settles and drains a world, and judges it.
func ended(t *testing.T, w *world) (r result) {
	t.Helper()
	if err := w.settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	var err error
	if r.Stuck, err = w.drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.judge(w)
	return r
}

// TestUsersComeBack kills the server twice: users come back, and send again what may be lost.
func TestUsersComeBack(t *testing.T) {
	w, server := small(t, nil)
	begin := time.Now()
	w.start()
	for i := range 2 {
		until(t, w, 100*(i+1))
		server.Kill()
		if err := server.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for n := 400; n == 400 || w.served() < w.cfg.users; n++ { // some come back later than others
		until(t, w, n)
	}
	if w.ackedSince(begin) < 400 || w.ackedSince(time.Now().Add(time.Hour)) != 0 {
		t.Errorf("%d acknowledged", w.ackedSince(begin))
	}
	r := ended(t, w)
	if r.failed() || r.Acked < 400 || r.Longest == 0 || len(r.Troubles) == 0 || w.troubled() == "" {
		t.Errorf("%+v", r)
	}
	w.forgetWaits()
	if w.served() != 0 {
		t.Error("waits aren't forgotten")
	}
}

func TestLossIsFound(t *testing.T) {
	w, _ := small(t, func(n int, raw []byte) [][]byte {
		switch {
		case n == 50:
			return nil
		case n == 60:
			return [][]byte{raw, raw}
		case n == 70:
			return [][]byte{bytes.Replace(raw, []byte("origin-id xmlns='urn:xmpp:sid:0' id='"), []byte("origin-id xmlns='urn:xmpp:sid:0' id='x"), 1)}
		}
		return [][]byte{raw}
	})
	w.start()
	until(t, w, 100)
	if r := ended(t, w); r.Lost != 1 || r.Duplicates != 1 || r.Altered != 1 || len(r.Broken) != 2 {
		t.Errorf("%+v", r)
	}
}

// TestSettleGivesUp has a server that is gone.
func TestSettleGivesUp(t *testing.T) {
	w, server := small(t, nil)
	w.start()
	until(t, w, 20)
	server.Kill()
	for w.composed() < 40 {
		if err := load.Rest(t.Context(), time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := w.settle(ctx); err == nil || !strings.Contains(err.Error(), "never acknowledged") {
		t.Errorf("settle: %v", err)
	}
}

// try is a message's next attempt.
func try(w *world, m *message, addr string) {
	w.sent(&talk.Attempt{Message: m, At: time.Now(), Addr: addr})
}

// TestRefusals follows messages that are refused before and after they are acknowledged, on a node that may acknowledge nothing.
func TestRefusals(t *testing.T) {
	w, _ := small(t, nil)
	w.mu.sending = true
	refusal := func(m *message, child string) *xmpp.Element {
		e, err := xmpp.Parse([]byte("<message type='error' id='" + w.script.ID(m.key) + "'>" + child + "</message>"))
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	const unknown = "<error type='wait'><remote-server-timeout xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
	w.darken(map[string]bool{"a:1": true})
	one, two := w.compose(0, 1), w.compose(0, 1)
	try(w, one, "a:1")
	try(w, two, "a:1")
	if again := w.refused(refusal(one, unknown)); again != one {
		t.Error("it isn't sent again")
	}
	w.acked([]*talk.Attempt{two.last})
	w.trouble("a:1", io.EOF)
	got := w.darken(nil)
	if !strings.HasPrefix(got.first, w.script.ID(two.key)+" at a:1") {
		t.Errorf("the first in the dark: %q", got.first)
	}
	if w.mu.answers[one.last].what != unknownOutcome || w.mu.answers[two.last].what != acknowledged {
		t.Errorf("answers %v", w.mu.answers)
	}
	got.first = ""
	if want := (darkness{acked: 1, ended: 1}); got != want {
		t.Errorf("in the dark: %+v", got)
	}
	late := w.compose(0, 1)
	try(w, late, "c:1")
	w.darken(map[string]bool{"c:1": true})
	w.acked([]*talk.Attempt{late.last})
	if w.darken(nil).acked != 1 {
		t.Error("what was sent before the dark counts")
	}
	if w.refused(refusal(two, "")) != nil {
		t.Error("a message that was acknowledged is sent again")
	}
	try(w, one, "b:1")
	w.acked([]*talk.Attempt{one.last})
	var r result
	r.judge(w)
	if !one.acked || r.Withdrawn != 1 || r.Resent != 1 || r.Refused["wait remote-server-timeout"] != 1 || r.Refused["without a reason"] != 1 {
		t.Errorf("%+v", r)
	}
	if !slices.ContainsFunc(r.Broken, func(s string) bool { return strings.Contains(s, "1 refused after") }) {
		t.Errorf("broken: %q", r.Broken)
	}
	w.mu.sending = false
	if w.compose(0, 1) != nil {
		t.Error("a message although the load is over")
	}
}

func TestReason(t *testing.T) {
	for want, err := range map[string]error{
		"a login took too long":        context.DeadlineExceeded,
		"stream error conflict":        &xmpp.StreamError{Condition: "conflict"},
		"read: file already closed":    &net.OpError{Op: "read", Err: os.ErrClosed},
		"something else":               errors.New("something else"),
		"dial: i/o timeout":            &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded},
		"stream error system-shutdown": &xmpp.StreamError{Condition: "system-shutdown"},
	} {
		if got := reason(err); got != want {
			t.Errorf("%v is %q, want %q", err, got, want)
		}
	}
}

// TestOrderIsExcused only while the cluster is parted, and for those who may have sent through both parts.
func TestOrderIsExcused(t *testing.T) {
	begin := time.Now()
	second := func(n int) time.Time { return begin.Add(time.Duration(n) * time.Second) }
	from, to := second(10), second(20)
	for _, test := range []struct {
		due, at int // seconds
		cut     string
		by      []string
		excused bool
	}{
		{due: 1, at: 5}, {due: 21, at: 22},
		{due: 1, at: 12, excused: true}, {due: 9, at: 30, excused: true}, {due: 15, at: 15, excused: true},
		{due: 15, at: 15, cut: "a:1", by: []string{"a:1", "b:1"}, excused: true}, // it went away from there
		{due: 15, at: 15, cut: "a:1", by: []string{"b:1", "a:1"}, excused: true},
		{due: 15, at: 15, cut: "a:1", by: []string{"b:1", "c:1"}}, // from one that wasn't cut to another
		{due: 1, at: 5, cut: "a:1", by: []string{"a:1"}},
		{due: 21, at: 22, cut: "a:1", by: []string{"a:1"}},
	} {
		w := newWorld(t.Context(), settings{users: 2}, load.Accounts{Domain: "localhost"}, nil)
		var cut map[string]bool
		if test.cut != "" {
			cut = map[string]bool{test.cut: true}
		}
		w.excuse(from, to, cut)
		w.mu.sending = true
		m := w.compose(0, 1)
		for i, addr := range test.by {
			w.sent(&talk.Attempt{Message: m, At: second(test.due + i), Addr: addr})
		}
		m.due, m.at, m.arrived = second(test.due), second(test.at), true
		if got := w.excused(m.key); got != test.excused {
			t.Errorf("%+v: excused %v", test, got)
		}
	}
	// Who was on the node before, and has left it, has sent nothing through it meanwhile.
	w := newWorld(t.Context(), settings{users: 2}, load.Accounts{Domain: "localhost"}, nil)
	w.excuse(from, to, map[string]bool{"a:1": true})
	w.mu.sending = true
	before, m := w.compose(0, 1), w.compose(0, 1)
	w.sent(&talk.Attempt{Message: before, At: second(5), Addr: "a:1"})
	w.sent(&talk.Attempt{Message: m, At: second(15), Addr: "b:1"})
	m.due, m.at, m.arrived = second(15), second(16), true
	if w.excused(m.key) {
		t.Error("excused for what was sent before")
	}
}
