//go:build linux

package interop

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	// patience is how long anything that has to happen may take. It is long, since many clients share the machine; tests that pass
	// never wait for it.
	patience = 40 * time.Second
	// pollEvery is how often a condition is looked at that can't wake its waiter.
	pollEvery = 10 * time.Millisecond
	// logShown is how much of a client's log a failure shows, in bytes.
	logShown = 64 << 10
)

// event is one thing that a client reports.
type event struct {
	kind string
	// from is the sender of a message, receipt or error, and the bound address of an online.
	from string
	// id is the stanza's id of a message, the id of the message that a receipt is for, and the reason of a failed.
	id      string
	delayed bool
	body    string
}

// The kinds of events.
const (
	online   = "online"   // logged in, and available
	resumed  = "resumed"  // the stream goes on after its socket was lost
	offline  = "offline"  // the socket is gone
	failed   = "failed"   // no login
	incoming = "message"  // a message with a body
	receipt  = "receipt"  // the answer to a request (XEP-0184)
	refusal  = "error"    // a message came back
	finished = "finished" // the process ended
)

// message is a message to send.
type message struct {
	to, id, body string
	// request asks for a receipt.
	request bool
}

// session is one running client, logged in as one account. What it reports is collected; tests wait until it has what they want.
type session struct {
	tb   testing.TB
	name string // of the client
	jid  string // the bare address
	// send gives the client a message to send. It must not be called before the session is online.
	send func(message) error
	// quit logs the client out as its user would, and waits until it has ended.
	quit func() error
	// settle waits until the server has acknowledged all that was sent. It is nil where nobody can tell.
	settle func()
	// request asks another client for its version and waits for its answer, whatever it is. It is nil where the client can't.
	request func(to string)
	// log is what the client said about its stanzas.
	log func() string

	mu struct {
		sync.Mutex
		events  []event
		changed chan struct{} // closed and replaced by every event
	}
}

// newSession returns a session without a client. When the test fails, it prints the client's log.
func newSession(tb testing.TB, name, jid string) *session {
	s := &session{tb: tb, name: name, jid: jid}
	s.mu.changed = make(chan struct{})
	tb.Cleanup(func() {
		if !tb.Failed() {
			return
		}
		log := s.log()
		tb.Logf("%s, %s: events: %s\nthe last of its log:\n%s", name, jid, summary(s.events()), log[max(0, len(log)-logShown):])
	})
	return s
}

// report takes an event from the client.
func (s *session) report(e event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.events = append(s.mu.events, e)
	close(s.mu.changed)
	s.mu.changed = make(chan struct{})
}

// events are those that came so far.
func (s *session) events() []event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.events[:len(s.mu.events):len(s.mu.events)]
}

// await waits until the events are as wanted, and fails the test if that takes too long or the client ends before.
func (s *session) await(what string, wanted func([]event) bool) {
	s.tb.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		s.mu.Lock()
		events, changed := s.mu.events, s.mu.changed
		s.mu.Unlock()
		if wanted(events) {
			return
		}
		if n := len(events); n > 0 && events[n-1].kind == finished {
			s.tb.Fatalf("%s ended; wanted %s", s.name, what)
		}
		select {
		case <-changed:
		case <-timeout.C:
			s.tb.Fatalf("%s: no %s within %v", s.name, what, patience)
		}
	}
}

// awaitEvent waits for the nth event of a kind, counted from 1, and returns it.
func (s *session) awaitEvent(kind string, n int) (e event) {
	s.tb.Helper()
	s.await(fmt.Sprintf("%s (%d.)", kind, n), func(events []event) bool {
		for seen, i := 0, 0; i < len(events); i++ {
			if events[i].kind == kind {
				if seen++; seen == n {
					e = events[i]
					return true
				}
			}
		}
		return false
	})
	return e
}

// awaitBodies waits for n messages and returns the bodies of all.
func (s *session) awaitBodies(n int) []string {
	s.tb.Helper()
	s.await(fmt.Sprintf("%d messages", n), func(events []event) bool { return len(bodies(events)) >= n })
	return bodies(s.events())
}

// mustSend sends, and fails the test if the client doesn't take the message.
func (s *session) mustSend(m message) {
	s.tb.Helper()
	if err := s.send(m); err != nil {
		s.tb.Fatalf("%s: send: %v", s.name, err)
	}
}

// mustQuit logs out, and fails the test if the client doesn't end.
func (s *session) mustQuit() {
	s.tb.Helper()
	if err := s.quit(); err != nil {
		s.tb.Fatalf("%s: quit: %v", s.name, err)
	}
}

// bodies are the bodies of the messages among the events.
func bodies(events []event) (all []string) {
	for _, e := range events {
		if e.kind == incoming {
			all = append(all, e.body)
		}
	}
	return all
}

// summary shows events in one line each.
func summary(events []event) string {
	var b strings.Builder
	for _, e := range events {
		fmt.Fprintf(&b, "\n\t%s %s %s %q", e.kind, e.from, e.id, e.body)
	}
	return b.String()
}

// poll waits for a condition that nothing announces.
func poll(tb testing.TB, what string, condition func() bool) {
	tb.Helper()
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for !condition() {
		select {
		case <-ticker.C:
		case <-timeout.C:
			tb.Fatalf("waited %v for %s", patience, what)
		}
	}
}

// bare is an address without its resource.
func bare(jid string) string {
	address, _, _ := strings.Cut(jid, "/")
	return address
}
