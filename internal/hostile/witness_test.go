//go:build !race

package hostile

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/client"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

// witness is a well-behaved client, which notes the messages that it gets and what the server acknowledges.
type witness struct {
	*client.Conn
	t testing.TB

	mu struct {
		sync.Mutex
		bodies  []string
		senders []string
		errors  []string // the ids and conditions of messages that came back
		acked   int
		changed chan struct{} // closed and replaced by every change
	}
}

// witness logs in and becomes available.
func (s *server) witness(t testing.TB, user string) *witness {
	t.Helper()
	w := &witness{t: t}
	w.mu.changed = make(chan struct{})
	conn, err := client.Dial(t.Context(), &client.Config{
		Addr: s.C2STLS, JID: user + "@" + domain, Password: password, TLS: s.tls, Keys: s.keys, Management: true,
		OnStanza: w.stanza,
		OnAck:    func(_ *client.Conn, sent []client.Sent) { w.note(func() { w.mu.acked += len(sent) }) },
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Conn = conn
	go func() { _ = conn.Run() }() // Done tells
	t.Cleanup(w.Cut)
	if err := w.Presence(0); err != nil {
		t.Fatal(err)
	}
	if err := w.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

// leave logs out, and waits until the server has seen it.
func (w *witness) leave() {
	w.t.Helper()
	if err := w.Close(); err != nil {
		w.t.Fatal(err)
	}
	<-w.Done()
}

func (w *witness) stanza(_ *client.Conn, e *xmpp.Element) {
	if e.Name != "message" {
		return
	}
	w.note(func() {
		if e.Attr("type") != "error" {
			w.mu.bodies, w.mu.senders = append(w.mu.bodies, bodyOf(e)), append(w.mu.senders, e.Attr("from"))
			return
		}
		condition := "none"
		if failure := e.Child(xmpp.NSClient, "error"); failure != nil && failure.First() != nil {
			condition = failure.Attr("type") + " " + failure.First().Name
		}
		w.mu.errors = append(w.mu.errors, e.Attr("id")+": "+condition)
	})
}

func bodyOf(e *xmpp.Element) string {
	if body := e.Child(xmpp.NSClient, "body"); body != nil {
		return body.Text()
	}
	return ""
}

func (w *witness) note(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
	close(w.mu.changed)
	w.mu.changed = make(chan struct{})
}

// await waits until what was noted is as wanted.
func (w *witness) await(what string, wanted func() bool) {
	w.t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		w.mu.Lock()
		ok, changed := wanted(), w.mu.changed
		state := fmt.Sprintf("%d messages, %d errors, %d acknowledged", len(w.mu.bodies), len(w.mu.errors), w.mu.acked)
		w.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-w.Done():
			w.t.Fatalf("the client of %s has ended (%v) before %s: %s", w.JID(), w.Err(), what, state)
		case <-timeout.C:
			w.t.Fatalf("%s has not got %s: %s", w.JID(), what, state)
		}
	}
}

// gets waits for exactly these messages, in order, and forgets them.
func (w *witness) gets(bodies ...string) {
	w.t.Helper()
	w.await(fmt.Sprintf("%d messages", len(bodies)), func() bool { return len(w.mu.bodies) >= len(bodies) })
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Equal(w.mu.bodies, bodies) {
		for i, got := range w.mu.bodies {
			if i >= len(bodies) || got != bodies[i] {
				w.t.Fatalf("%s got %d messages, of which number %d is %.100q", w.JID(), len(w.mu.bodies), i, got)
			}
		}
	}
	w.mu.bodies = nil
}

// says sends a message with this body; its id is the body, too, if it is short.
func (w *witness) says(to, body string) {
	w.t.Helper()
	m := &client.Message{To: to, ID: body[:min(len(body), 20)], Body: body, OriginID: client.NewID()}
	if err := w.SendMessage(m, nil); err != nil {
		w.t.Fatal(err)
	}
}

// settles waits until the server has acknowledged all that was sent.
func (w *witness) settles() {
	w.t.Helper()
	if err := w.RequestAck(); err != nil {
		w.t.Fatal(err)
	}
	w.await("an acknowledgement of everything", func() bool { return len(w.Unacked()) == 0 })
}

// refusals waits until n messages have come back, and returns and forgets them.
func (w *witness) refusals(n int) []string {
	w.t.Helper()
	w.await(fmt.Sprintf("%d errors", n), func() bool { return len(w.mu.errors) >= n })
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.mu.errors
	w.mu.errors = nil
	return all
}

// numbered are n bodies of at least this size.
func numbered(prefix string, n, size int) []string {
	bodies := make([]string, n)
	for i := range bodies {
		bodies[i] = fmt.Sprintf("%s %d", prefix, i)
		bodies[i] += strings.Repeat(".", max(0, size-len(bodies[i])))
	}
	return bodies
}

// works checks that others are served: two clients log in and chat, both ways.
func (s *server) works(t testing.TB) {
	t.Helper()
	one, other := s.witness(t, s.chatting[0]), s.witness(t, s.chatting[1])
	one.says(other.JID(), "are you there?")
	other.gets("are you there?")
	other.says(one.JID(), "always")
	one.gets("always")
	one.leave()
	other.leave()
}
