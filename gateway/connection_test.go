package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/session"
)

// ends fails unless the server closes the connection.
func (r *rig) ends(c net.Conn) {
	r.t.Helper()
	_, err := io.Copy(io.Discard, c)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		r.t.Fatal("the connection stays open")
	}
}

// TestSilentClients: whoever says nothing, or stops in the middle, loses the connection.
func TestSilentClients(t *testing.T) {
	impatient := func(c *Config) { c.HandshakeTime = 10 * time.Millisecond }
	for name, in := range map[string]string{"says nothing": "", "half a header": header[:40], "no STARTTLS": header,
		"no TLS after STARTTLS": header + "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, impatient)
			c := r.dialPlain(0)
			r.write(c, in)
			said, _ := io.ReadAll(c)
			if told := strings.HasSuffix(string(said), "</stream:error></stream:stream>") && strings.Contains(string(said), "<connection-timeout "); told == strings.Contains(in, "<starttls") {
				t.Fatalf("the client is told %s", said)
			}
		})
	}
	t.Run("direct TLS: says nothing", func(t *testing.T) {
		r := newRig(t, impatient)
		r.ends(r.dialPlain(1))
	})
	t.Run("direct TLS: half a handshake", func(t *testing.T) {
		r := newRig(t, impatient)
		c := r.dialPlain(1)
		r.write(c, string(clientHello(t)))
		r.ends(c)
		if len(r.outlets) != 0 {
			t.Fatal("a session was started")
		}
	})
	t.Run("no login", func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.LoginTime = 10 * time.Millisecond })
		c, _ := r.dial()
		r.ends(c)
		r.want("closed(0)")
	})
	t.Run("half a stanza", func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.StanzaTime = 10 * time.Millisecond })
		c, _ := r.login()
		r.write(c, "<message><body>")
		r.ends(c)
		r.want("closed(0)")
	})
}

// TestHalfOpenHandshakesHoldNoPlace: with a single place, clients that stop in mid-handshake keep nobody out.
func TestHalfOpenHandshakesHoldNoPlace(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Handshakes = 1 })
	hello := string(clientHello(t))
	for _, in := range []string{"", hello[:1], hello[:len(hello)-1], hello} {
		r.write(r.dialPlain(1), in)
	}
	for range 3 {
		c, _ := r.login()
		c.Close()
		r.want("closed(0)")
	}
}

// TestHandshakesQueue: when no place is free, as many wait as may, and the others are turned away.
func TestHandshakesQueue(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Handshakes, c.HandshakeQueue = 1, 1 })
	taken := &turn{admission: r.srv.admission, ctx: t.Context()}
	if err := taken.begin(); err != nil {
		t.Fatal(err)
	}
	hello := string(clientHello(t))
	ended := make(chan net.Conn)
	for range 3 {
		c := r.dialPlain(1)
		r.write(c, hello)
		go func() {
			_, _ = io.Copy(io.Discard, c) // until it is turned away, or the test ends
			ended <- c
		}()
	}
	<-ended
	<-ended
	if n, waiting := r.srv.count.HandshakesRefused.Load(), r.srv.count.HandshakesWaiting.Load(); n != 2 || waiting != 1 {
		t.Fatalf("%d refused and %d waiting, want 2 and 1", n, waiting)
	}
	taken.pause()
	for r.srv.count.HandshakesWaiting.Load() > 0 { // the one that waits has the place next, and then another one may wait
		runtime.Gosched()
	}
	if c, _ := r.login(); c.ConnectionState().Version != tls.VersionTLS13 {
		t.Fatal("not TLS 1.3")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = r.srv.Stop(ctx) // it closes the one that waited
	<-ended
}

// TestTurn: a handshake that has begun goes on even if the queue is full, but not after the end.
func TestTurn(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	srv := New(Config{Certificate: &Certificate{}, Handshakes: 1, HandshakeQueue: 1})
	one := &turn{admission: srv.admission, ctx: ctx}
	other := &turn{admission: srv.admission, ctx: ctx}
	if err := one.begin(); err != nil {
		t.Fatal(err)
	}
	one.pause()
	one.pause()
	if err := other.begin(); err != nil {
		t.Fatal(err)
	}
	went := make(chan error)
	go func() { went <- one.resume() }()
	other.pause()
	if err := <-went; err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := other.resume(); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

// TestInjectedLater: what a man in the middle adds behind <starttls/>, in whatever segment, never reaches a stream.
func TestInjectedLater(t *testing.T) {
	r := newRig(t, nil)
	c := r.dialPlain(0)
	r.write(c, header+"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
	answer := make([]byte, 0, 2000)
	for !strings.Contains(string(answer), "<proceed ") {
		n, err := c.Read(answer[len(answer):cap(answer)])
		if answer = answer[:len(answer)+n]; err != nil {
			t.Fatalf("%s, %v", answer, err)
		}
	}
	r.write(c, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGEAYg==</auth>")
	r.ends(c)
	if len(r.outlets) != 0 || r.srv.count.HandshakesFailed.Load() != 1 {
		t.Fatal("the handshake didn't fail")
	}
}

func TestOtherALPN(t *testing.T) {
	r := newRig(t, nil)
	c, err := tls.Dial("tcp", r.srv.Addrs()[1].String(), &tls.Config{RootCAs: r.roots, ServerName: "localhost", NextProtos: []string{"http/1.1"}})
	if err == nil {
		c.Close()
		t.Fatal("HTTP was agreed on")
	}
}

func TestByteByByte(t *testing.T) {
	r := newRig(t, nil)
	c, out := r.login()
	for _, b := range []byte("<message><body>Grüße</body></message>\n<r/>") {
		r.write(c, string([]byte{b}))
	}
	r.want("message", "r")
	r.put(out, session.Out{Stanzas: 2})
}

// TestRateIsHeldButNothingIsLost: over its rate a client waits, and all it sent arrives.
func TestRateIsHeldButNothingIsLost(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Rate = RateLimit{Stanzas: 20, Bytes: 1e6} })
	c, _ := r.login()
	const n = 202 // in one record; the burst is 200
	r.write(c, strings.Repeat("<message/>", n)+"<end/>")
	for range n {
		r.want("message")
	}
	r.want("end")
	r.write(c, "<more/>")
	r.want("more")
	if r.srv.count.RateLimited.Load() == 0 {
		t.Error("nobody had to wait")
	}
}

// TestLongStanzaToClient: one stanza longer than all that may pile up gets through to a client that reads.
func TestLongStanzaToClient(t *testing.T) {
	r := newRig(t, nil)
	c, out := r.login()
	long := strings.Repeat("x", 8*maxTail)
	r.put(out, session.Out{Data: []byte(long)})
	got := make([]byte, len(long))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != long {
		t.Fatalf("the client got something else, %v", err)
	}
	if backlog, err := out.Write(session.Out{Data: []byte("y")}); err != nil {
		t.Fatalf("backlog %d, %v", backlog, err)
	}
}

// TestWritable: a session that was told of a high backlog hears when it has gone.
func TestWritable(t *testing.T) {
	r := newRig(t, nil)
	c, out := r.login()
	sent, backlog := 0, 0
	for backlog <= highMark {
		var err error
		if backlog, err = out.Write(session.Out{Data: make([]byte, 64<<10)}); err != nil {
			t.Fatal(err)
		}
		sent += 64 << 10
	}
	if _, err := io.CopyN(io.Discard, c, int64(sent)); err != nil {
		t.Fatal(err)
	}
	r.want("session.Writable")
}

// TestNotDelivered: what the client's system hasn't acknowledged isn't called delivered.
func TestNotDelivered(t *testing.T) {
	r := newRig(t, nil)
	c, out := r.login()
	backlog := 0
	for backlog == 0 {
		var err error
		if backlog, err = out.Write(session.Out{Data: make([]byte, 64<<10)}); err != nil {
			t.Fatal(err)
		}
	}
	r.write(c, "</stream:stream>")
	if m, ok := (<-r.msgs).(session.Closed); !ok || m.Reason != session.ClientClosed || m.AllSent || m.Written == 0 {
		t.Fatalf("%+v", m)
	}
}

// TestClosedWhileNotRead: the session's last words reach a client that isn't read any more, and the connection ends.
func TestClosedWhileNotRead(t *testing.T) {
	r := newRig(t, nil)
	c, out := r.login()
	r.write(c, strings.Repeat("<message/>", session.MaxUncounted+1))
	for range session.MaxUncounted {
		r.want("message")
	}
	r.put(out, session.Out{Data: []byte("bye"), Close: true})
	if got, err := io.ReadAll(c); err != nil || string(got) != "bye" {
		t.Fatalf("the client read %q, %v", got, err)
	}
	c.Close()
	r.want("closed(0)")
}

// TestSessionsThatDontStart: the client is let go, and nothing is left behind.
func TestSessionsThatDontStart(t *testing.T) {
	r := newRig(t, func(c *Config) {
		c.Start = func(session.Args) (actors.Ref, error) { return actors.Ref{}, actors.ErrOverloaded }
	})
	c, err := tls.Dial("tcp", r.srv.Addrs()[1].String(), &tls.Config{RootCAs: r.roots, ServerName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r.ends(c)
	if err := r.srv.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestStopWaitsNoLongerThanItMay: a session that doesn't end is cut off, and Stop can be called again.
func TestStopWaitsNoLongerThanItMay(t *testing.T) {
	r := newRig(t, nil)
	c, _ := r.login()
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan error)
	go func() { stopped <- r.srv.Stop(ctx) }()
	r.want("closed(3)")
	cancel()
	if err := <-stopped; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	r.want("closed(0)")
	r.ends(c)
	if err := r.srv.Stop(t.Context()); err != nil {
		t.Fatalf("stopped again: %v", err)
	}
	if n := r.srv.count.Open.Load(); n != 0 {
		t.Fatalf("%d connections are counted as open", n)
	}
}
