package talk

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/client"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

const (
	// Password is that of all users here.
	Password = "secret"
	// Patience is how long anything that has to happen may take, the loss of a node included. What goes well never waits for it.
	Patience = 40 * time.Second
	// again is the pause before a login that was refused is tried once more.
	again = 100 * time.Millisecond
)

// TLS trusts whatever certificate a node has made for itself.
func TLS(domain string) *tls.Config {
	cfg := client.TLSConfig(domain, nil)
	cfg.InsecureSkipVerify = true
	return cfg
}

// Guest is one resource of a user, on one node after the other. What it gets is kept. It belongs to its test's goroutine; whatever fails
// ends the test.
type Guest struct {
	tb   testing.TB
	cfg  client.Config
	conn *client.Conn
	sent int

	mu struct {
		sync.Mutex
		got     []*xmpp.Element
		acked   int
		changed chan struct{} // closed and replaced whenever something has come
	}
}

// Visit logs in with stream management at an address for direct TLS, and is available there until the test ends.
func Visit(tb testing.TB, addr, jid string) *Guest {
	tb.Helper()
	_, domain, _ := strings.Cut(jid, "@")
	domain, _, _ = strings.Cut(domain, "/")
	g := &Guest{tb: tb}
	g.mu.changed = make(chan struct{})
	g.cfg = client.Config{JID: jid, Password: Password, TLS: TLS(domain), Management: true}
	g.cfg.OnStanza = func(_ *client.Conn, e *xmpp.Element) { g.note(func() { g.mu.got = append(g.mu.got, e) }) }
	g.cfg.OnAck = func(_ *client.Conn, sent []client.Sent) {
		n := 0
		for _, s := range sent {
			if s.Tag != nil {
				n++
			}
		}
		g.note(func() { g.mu.acked += n })
	}
	g.dial(addr)
	tb.Cleanup(func() {
		g.conn.Cut()
		<-g.conn.Done()
	})
	g.Available(0)
	return g
}

func (g *Guest) note(f func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f()
	close(g.mu.changed)
	g.mu.changed = make(chan struct{})
}

// dial makes the connection. A node that doesn't let anybody in for the moment is asked again.
func (g *Guest) dial(addr string) {
	g.tb.Helper()
	ctx, cancel := context.WithTimeout(g.tb.Context(), Patience)
	defer cancel()
	cfg := g.cfg
	cfg.Addr = addr
	for {
		conn, err := client.Dial(ctx, &cfg)
		if err == nil {
			g.conn = conn
			go func() { _ = conn.Run() }() // Done and Err tell
			return
		}
		select {
		case <-time.After(again):
		case <-ctx.Done():
			g.tb.Fatalf("%s: %v", g.cfg.JID, err)
		}
	}
}

// Available announces the resource with a priority, -128 to 127.
func (g *Guest) Available(priority int) {
	g.tb.Helper()
	if err := g.conn.Presence(priority); err != nil {
		g.tb.Fatal(err)
	}
}

// JID is its full address.
func (g *Guest) JID() string { return g.conn.JID() }

// Cut ends the connection as a lost network does.
func (g *Guest) Cut() { g.conn.Cut() }

// Leave ends the stream in order.
func (g *Guest) Leave() {
	g.tb.Helper()
	if err := errors.Join(g.conn.Close(), g.End()); err != nil {
		g.tb.Fatalf("%s: left with %v", g.cfg.JID, err)
	}
}

// End waits until the connection has ended, and returns why.
func (g *Guest) End() error {
	g.tb.Helper()
	select {
	case <-g.conn.Done():
		return g.conn.Err()
	case <-time.After(Patience):
		g.tb.Fatalf("%s: the connection doesn't end", g.cfg.JID)
		return nil
	}
}

// Resumption is what there is to go on with, once the connection has ended.
func (g *Guest) Resumption() client.Resumption {
	g.tb.Helper()
	_ = g.End() // why is the caller's business
	r, ok := g.conn.Resumption()
	if !ok {
		g.tb.Fatalf("%s: nothing to resume", g.cfg.JID)
	}
	return r
}

// Resume goes on with the stream at an address and by its kind of TLS, once the connection has ended. It reports false if the server has refused that and
// bound anew; what may be lost is sent again then.
func (g *Guest) Resume(addr string, security client.Security) bool {
	g.tb.Helper()
	r := g.Resumption()
	g.cfg.Resume, g.cfg.Security = &r, security
	g.dial(addr)
	g.cfg.Resume = nil
	if g.conn.Resumed() {
		return true
	}
	g.Available(0)
	for _, s := range g.conn.Carried() {
		if err := g.conn.Send(s.Stanza, s.Tag); err != nil {
			g.tb.Fatal(err)
		}
	}
	return false
}

// Write sends one stanza as it is.
func (g *Guest) Write(stanza string) {
	g.tb.Helper()
	if err := g.conn.Send([]byte(stanza), nil); err != nil {
		g.tb.Fatal(err)
	}
}

// Say sends n messages, whose bodies are numbers that go on from call to call.
func (g *Guest) Say(to string, n int) {
	g.tb.Helper()
	for range n {
		g.sent++
		id := fmt.Sprintf("%s %d", g.cfg.JID, g.sent)
		// One that a connection doesn't take any more is among what it leaves unacknowledged.
		_ = g.conn.SendMessage(&client.Message{To: to, ID: id, OriginID: id, Body: fmt.Sprint(g.sent)}, g.sent)
	}
	_ = g.conn.RequestAck() // as above
}

// Ask sends an IQ and returns its answer.
func (g *Guest) Ask(kind, to, payload string) (*xmpp.Element, error) {
	g.tb.Helper()
	ctx, cancel := context.WithTimeout(g.tb.Context(), Patience)
	defer cancel()
	return g.conn.Request(ctx, kind, to, []byte(payload))
}

// Await waits until what has come is as wanted.
func (g *Guest) Await(what string, wanted func(got []*xmpp.Element) bool) {
	g.tb.Helper()
	g.until(what, func() bool { return wanted(g.mu.got) })
}

// Acked waits until the server is responsible for all that was said.
func (g *Guest) Acked() {
	g.tb.Helper()
	g.until(fmt.Sprintf("acknowledgement of %d messages", g.sent), func() bool { return g.mu.acked >= g.sent })
}

func (g *Guest) until(what string, ok func() bool) {
	g.tb.Helper()
	over := time.NewTimer(Patience)
	defer over.Stop()
	for {
		g.mu.Lock()
		done, got, changed := ok(), g.mu.got, g.mu.changed
		g.mu.Unlock()
		if done {
			return
		}
		select {
		case <-changed:
		case <-over.C:
			g.tb.Fatalf("%s: no %s; it has got:%s", g.cfg.JID, what, shown(got))
		}
	}
}

func shown(list []*xmpp.Element) string {
	var b strings.Builder
	for _, e := range list {
		fmt.Fprintf(&b, "\n\t%s", e.AppendXML(nil, ""))
	}
	return b.String()
}

// Bodies are those of the messages among what has come, without errors.
func Bodies(got []*xmpp.Element) (all []string) {
	for _, e := range got {
		if body := e.Child(xmpp.NSClient, "body"); e.Name == "message" && body != nil && e.Attr("type") != "error" {
			all = append(all, body.Text())
		}
	}
	return all
}

// once leaves out what had come before with the same id.
func once(got []*xmpp.Element) (first []*xmpp.Element) {
	seen := map[string]bool{}
	for _, e := range got {
		if id := e.Attr("id"); e.Name == "message" && !seen[id] {
			seen[id] = true
			first = append(first, e)
		}
	}
	return first
}

// Hears waits until all that another has said is here, and checks that it is, in order and nothing else. What comes again with
// its id is no fault.
func (g *Guest) Hears(from *Guest) {
	g.tb.Helper()
	g.hears(from, once)
}

// HearsOnce is Hears where nothing may come again.
func (g *Guest) HearsOnce(from *Guest) {
	g.tb.Helper()
	g.hears(from, func(got []*xmpp.Element) []*xmpp.Element { return got })
}

func (g *Guest) hears(from *Guest, of func([]*xmpp.Element) []*xmpp.Element) {
	g.tb.Helper()
	var want []string
	for i := range from.sent {
		want = append(want, fmt.Sprint(i+1))
	}
	var all []string
	g.Await(fmt.Sprintf("%d messages", len(want)), func(got []*xmpp.Element) bool {
		all = Bodies(of(got))
		return len(all) >= len(want)
	})
	if !slices.Equal(all, want) {
		g.tb.Fatalf("%s has got %q of %d", g.cfg.JID, all, len(want))
	}
}

// Sees waits until the latest presence of another resource is of a kind: "" is available.
func (g *Guest) Sees(of, kind string) {
	g.tb.Helper()
	g.Await(fmt.Sprintf("presence %q of %s", kind, of), func(got []*xmpp.Element) bool {
		for _, e := range slices.Backward(got) {
			if e.Name == "presence" && e.Attr("from") == of {
				return e.Attr("type") == kind
			}
		}
		return false
	})
}

// Errors are type, condition and text of the errors that have come for messages.
func (g *Guest) Errors() (why []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, e := range g.mu.got {
		if e.Name == "message" && e.Attr("type") == "error" {
			why = append(why, reason(e))
		}
	}
	return why
}

// reason is type, condition and text of an error stanza.
func reason(e *xmpp.Element) string {
	err := e.Child(xmpp.NSClient, "error")
	if err == nil || err.First() == nil {
		return "without a reason"
	}
	s := err.Attr("type") + " " + err.First().Name
	if text := err.Child("urn:ietf:params:xml:ns:xmpp-stanzas", "text"); text != nil {
		s += ": " + text.Text()
	}
	return s
}

// Got is all that has come, the oldest first.
func (g *Guest) Got() []*xmpp.Element {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.mu.got
}

// Said is how many messages it has said.
func (g *Guest) Said() int { return g.sent }

// Unanswered is how many of the messages that were said the server has not acknowledged.
func (g *Guest) Unanswered() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.sent - g.mu.acked
}
