package testcluster_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/client"
	"github.com/jackdaw-im/jackdaw/internal/testcluster"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

const (
	password = "secret"
	// patience is how long anything that has to happen may take, the loss of a node included. Tests that pass never wait for it.
	patience = 40 * time.Second
	// again is the pause before what was refused is tried once more.
	again = 100 * time.Millisecond
)

// strangers trusts whatever certificate a node has made for itself.
func strangers() *tls.Config {
	cfg := client.TLSConfig("localhost", nil)
	cfg.InsecureSkipVerify = true
	return cfg
}

// guest is one resource of a user, on one node after the other. What it gets is kept.
type guest struct {
	t    *testing.T
	cfg  client.Config
	conn *client.Conn
	sent int

	mu struct {
		sync.Mutex
		got     []*xmpp.Element
		changed chan struct{} // closed and replaced whenever something has come
	}
}

// visit logs in on a node, with stream management.
func visit(t *testing.T, n *testcluster.Node, jid string) *guest {
	t.Helper()
	g := &guest{t: t}
	g.mu.changed = make(chan struct{})
	g.cfg = client.Config{JID: jid, Password: password, TLS: strangers(), Management: true, OnStanza: func(_ *client.Conn, e *xmpp.Element) {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.mu.got = append(g.mu.got, e)
		close(g.mu.changed)
		g.mu.changed = make(chan struct{})
	}}
	if err := g.dial(n.C2STLS); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		g.conn.Cut()
		<-g.conn.Done()
	})
	g.available(0)
	return g
}

// dial makes the connection.
func (g *guest) dial(addr string) error {
	ctx, cancel := context.WithTimeout(g.t.Context(), patience)
	defer cancel()
	cfg := g.cfg
	cfg.Addr = addr
	conn, err := client.Dial(ctx, &cfg)
	if err != nil {
		return err
	}
	g.conn = conn
	go func() { _ = conn.Run() }() // Done and Err tell
	return nil
}

func (g *guest) available(priority int) {
	g.t.Helper()
	if err := g.conn.Presence(priority); err != nil {
		g.t.Fatal(err)
	}
}

// end waits until the connection has ended, and returns why.
func (g *guest) end() error {
	g.t.Helper()
	select {
	case <-g.conn.Done():
		return g.conn.Err()
	case <-time.After(patience):
		g.t.Fatalf("%s: the connection doesn't end", g.conn.JID())
		return nil
	}
}

// resume goes on with the stream at an address, and reports false if the server has refused that and bound anew. A node that doesn't
// let anybody in for the moment is asked again.
func (g *guest) resume(addr string, security client.Security) bool {
	g.t.Helper()
	g.end()
	r, ok := g.conn.Resumption()
	if !ok {
		g.t.Fatalf("%s: nothing to resume", g.conn.JID())
	}
	g.cfg.Resume, g.cfg.Security = &r, security
	g.insist(func() error { return g.dial(addr) })
	if g.conn.Resumed() {
		return true
	}
	g.available(0)
	for _, s := range g.conn.Carried() {
		if err := g.conn.Send(s.Stanza, nil); err != nil {
			g.t.Fatal(err)
		}
	}
	return false
}

func (g *guest) write(stanza string) {
	g.t.Helper()
	if err := g.conn.Send([]byte(stanza), nil); err != nil {
		g.t.Fatal(err)
	}
}

// insist does something again until there is no error.
func (g *guest) insist(f func() error) {
	g.t.Helper()
	over := time.NewTimer(patience)
	defer over.Stop()
	next := time.NewTicker(again)
	defer next.Stop()
	for err := f(); err != nil; err = f() {
		select {
		case <-next.C:
		case <-over.C:
			g.t.Fatalf("%s: %v", g.cfg.JID, err)
		}
	}
}

// say sends n numbered messages.
func (g *guest) say(to string, n int) {
	g.t.Helper()
	for range n {
		g.sent++
		id := fmt.Sprintf("%s %d", g.cfg.JID, g.sent)
		// One that a connection doesn't take any more is among what it leaves unacknowledged.
		_ = g.conn.SendMessage(&client.Message{To: to, ID: id, OriginID: id, Body: fmt.Sprint(g.sent)}, nil)
	}
}

// await waits until what has come is as wanted.
func (g *guest) await(what string, wanted func([]*xmpp.Element) bool) {
	g.t.Helper()
	over := time.NewTimer(patience)
	defer over.Stop()
	for {
		g.mu.Lock()
		got, changed := g.mu.got, g.mu.changed
		g.mu.Unlock()
		if wanted(got) {
			return
		}
		select {
		case <-changed:
		case <-over.C:
			g.t.Fatalf("%s: no %s; it has got:%s", g.cfg.JID, what, shown(got))
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

// bodies are those of all messages that have come, in order; once says that one which came again with its id counts the first time only.
func (g *guest) bodies(once bool) (all []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	seen := map[string]bool{}
	for _, e := range g.mu.got {
		body := e.Child(xmpp.NSClient, "body")
		if e.Name != "message" || body == nil || once && seen[e.Attr("id")] {
			continue
		}
		seen[e.Attr("id")] = true
		all = append(all, body.Text())
	}
	return all
}

// hears waits until it has got as many messages as the other has sent, and checks that they are these, in order and each once; again says
// that some may have come twice, with the same id.
func (g *guest) hears(from *guest, again bool) {
	g.t.Helper()
	var want []string
	for i := range from.sent {
		want = append(want, fmt.Sprint(i+1))
	}
	g.await(fmt.Sprintf("%d messages", len(want)), func([]*xmpp.Element) bool { return len(g.bodies(again)) >= len(want) })
	if got := g.bodies(again); !slices.Equal(got, want) {
		g.t.Fatalf("%s has got %q", g.cfg.JID, got)
	}
}

// presence waits until the latest presence of another resource is of a kind: "" is available.
func (g *guest) presence(of, kind string) {
	g.t.Helper()
	g.await(fmt.Sprintf("presence %q of %s", kind, of), func(got []*xmpp.Element) bool {
		for _, e := range slices.Backward(got) {
			if e.Name == "presence" && e.Attr("from") == of {
				return e.Attr("type") == kind
			}
		}
		return false
	})
}

// ask sends an IQ to an address and returns its answer's error, if it is one.
func (g *guest) ask(to, payload string) error {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(g.t.Context(), patience)
	defer cancel()
	_, err := g.conn.Request(ctx, "get", to, []byte(payload))
	return err
}
