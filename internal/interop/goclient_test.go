//go:build linux

package interop

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/client"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

const (
	nsReceipts = "urn:xmpp:receipts"
	nsDelay    = "urn:xmpp:delay"
)

// goClient keeps one login of this module's own client, over as many connections as it takes.
type goClient struct {
	session *session
	cfg     client.Config
	log     logbook

	mu struct {
		sync.Mutex
		conn    *client.Conn
		waiting [][]byte // what is to be sent once there is a connection
	}
}

// startGoClient logs in with this module's own client. It is the peer of the others in most tests.
func startGoClient(tb testing.TB, l login) *session {
	tb.Helper()
	pool, err := roots(l.ca)
	if err != nil {
		tb.Fatal(err)
	}
	g := &goClient{session: newSession(tb, "jackdaw/client", l.jid)}
	g.cfg = client.Config{
		Addr: l.addr, JID: l.full(), Password: l.password, Security: client.StartTLS, TLS: client.TLSConfig("localhost", pool),
		Management: !l.unmanaged, OnStanza: g.stanza,
	}
	if l.direct {
		g.cfg.Security = client.DirectTLS
	}
	g.session.log = g.log.String
	g.session.send = g.send
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { g.run(ctx) })
	tb.Cleanup(func() {
		cancel()
		running.Wait()
	})
	g.session.quit = func() error { return g.quit(&running) }
	g.session.settle = g.settle
	g.session.request = g.request
	return g.session
}

// run connects, and connects again when the socket is lost, until the end.
func (g *goClient) run(ctx context.Context) {
	defer g.session.report(event{kind: finished})
	for cfg := g.cfg; ; {
		conn, err := g.dial(ctx, &cfg)
		if err != nil {
			g.session.report(event{kind: failed, id: err.Error()})
			return
		}
		stop := context.AfterFunc(ctx, conn.Cut)
		err = conn.Run()
		stop()
		g.mu.Lock()
		g.mu.conn = nil
		g.mu.Unlock()
		g.note("-- the connection ended: %v", err)
		g.session.report(event{kind: offline})
		resumption, ok := conn.Resumption()
		if err == nil || ctx.Err() != nil || !ok {
			return
		}
		cfg.Resume = &resumption
		if end := (*xmpp.StreamError)(nil); errors.As(err, &end) && end.Condition == xmpp.SeeOtherHost {
			cfg.Addr, cfg.Security = end.Host, client.StartTLS
		}
	}
}

// dial makes one connection and sends what waits for it.
func (g *goClient) dial(ctx context.Context, cfg *client.Config) (*client.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := client.Dial(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if !conn.Resumed() {
		if err := conn.Presence(0); err != nil {
			return nil, err
		}
		for _, s := range conn.Carried() { // of a stream that is gone
			_ = conn.Send(s.Stanza, nil) // as below
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, stanza := range g.mu.waiting {
		_ = conn.Send(stanza, nil) // a connection that is lost again has it among the unacknowledged
	}
	g.mu.conn, g.mu.waiting = conn, nil
	if conn.Resumed() {
		g.session.report(event{kind: resumed})
	} else {
		g.session.report(event{kind: online, from: conn.JID()})
	}
	return conn, nil
}

// stanza is called for each stanza.
func (g *goClient) stanza(c *client.Conn, e *xmpp.Element) {
	g.note("RECV %s", e.AppendXML(nil, ""))
	if e.Name != "message" {
		return
	}
	from, id := e.Attr("from"), e.Attr("id")
	request, received := e.Child(nsReceipts, "request"), e.Child(nsReceipts, "received")
	body := e.Child(xmpp.NSClient, "body")
	switch {
	case e.Attr("type") == "error":
		g.session.report(event{kind: refusal, from: from, id: id})
	case received != nil:
		g.session.report(event{kind: receipt, from: from, id: received.Attr("id")})
	case body != nil:
		delayed := e.Child(nsDelay, "delay") != nil
		g.session.report(event{kind: incoming, from: from, id: id, delayed: delayed, body: strings.TrimSuffix(body.Text(), "\n")})
		if request != nil {
			answer := client.Message{To: from, Payload: fmt.Appendf(nil, "<received xmlns='%s' id='%s'/>", nsReceipts, id)}
			if err := g.write(answer.Append(nil)); err != nil {
				g.note("-- receipt: %v", err)
			}
		}
	}
}

func (g *goClient) send(m message) error {
	out := client.Message{To: m.to, ID: m.id, OriginID: client.NewID(), Body: m.body}
	if m.request {
		out.Payload = []byte("<request xmlns='" + nsReceipts + "'/>")
	}
	return g.write(out.Append(nil))
}

// write sends a stanza, now or when there is a connection again.
func (g *goClient) write(stanza []byte) error {
	g.note("SEND %s", stanza)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.mu.conn == nil {
		g.mu.waiting = append(g.mu.waiting, stanza)
		return nil
	}
	if err := g.mu.conn.Send(stanza, nil); errors.Is(err, client.ErrClosed) {
		g.mu.waiting = append(g.mu.waiting, stanza) // the connection has just ended
	} // after any other error, the connection has the stanza among the unacknowledged
	return nil
}

func (g *goClient) note(format string, args ...any) {
	_, _ = fmt.Fprintf(&g.log, time.Now().Format("15:04:05.000 ")+format+"\n", args...) // never fails
}

// settle waits until the server has acknowledged all that was sent.
func (g *goClient) settle() {
	g.session.tb.Helper()
	g.mu.Lock()
	conn := g.mu.conn
	g.mu.Unlock()
	if conn == nil {
		g.session.tb.Fatal("jackdaw/client: not connected")
	}
	if err := conn.RequestAck(); err != nil {
		g.session.tb.Fatalf("jackdaw/client: request for an acknowledgement: %v", err)
	}
	poll(g.session.tb, "the acknowledgement of what was sent", func() bool { return len(conn.Unacked()) == 0 })
}

// request asks another client for its version and waits for the answer, which may be an error. It fails the test if none comes.
func (g *goClient) request(to string) {
	g.session.tb.Helper()
	g.mu.Lock()
	conn := g.mu.conn
	g.mu.Unlock()
	if conn == nil {
		g.session.tb.Fatal("jackdaw/client: not connected")
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, err := conn.Request(ctx, "get", to, []byte("<query xmlns='jabber:iq:version'/>"))
	if refused := (*client.RequestError)(nil); err != nil && !errors.As(err, &refused) {
		g.session.tb.Fatalf("jackdaw/client: request to %s: %v", to, err)
	}
}

func (g *goClient) quit(running *sync.WaitGroup) error {
	g.mu.Lock()
	conn := g.mu.conn
	g.mu.Unlock()
	if conn == nil {
		return errors.New("not connected")
	}
	// A stanza counts as handled when its callback has returned: with the answer to a later request, all before it have.
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := conn.Ping(ctx); err != nil {
		return err
	}
	if err := conn.Close(); err != nil {
		return err
	}
	running.Wait()
	return nil
}
