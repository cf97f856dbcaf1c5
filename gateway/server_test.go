package gateway

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/session"
)

// rig is a gateway whose one session is the test itself.
type rig struct {
	t       testing.TB
	srv     *Server
	roots   *x509.CertPool
	outlets chan session.Outlet
	msgs    chan any
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newRig(t testing.TB, change func(*Config)) *rig {
	t.Helper()
	dir := t.TempDir()
	certFile := filepath.Join(dir, "cert.pem")
	cert, err := EnsureCertificate(certFile, filepath.Join(dir, "key.pem"), "localhost", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, roots: x509.NewCertPool(), outlets: make(chan session.Outlet, 4), msgs: make(chan any, 4096)}
	pem, err := os.ReadFile(certFile)
	if err != nil || !r.roots.AppendCertsFromPEM(pem) {
		t.Fatal("no certificate", err)
	}
	cfg := Config{
		Domain: "localhost", C2S: "127.0.0.1:0", C2STLS: "127.0.0.1:0", Certificate: cert,
		Start: func(a session.Args) (actors.Ref, error) {
			r.outlets <- a.Outlet
			return actors.Ref{Kind: session.Kind, ID: "1", Node: "n@1"}, nil
		},
		Cast: func(_ actors.Ref, msg any) error { r.msgs <- msg; return nil },
	}
	if change != nil {
		change(&cfg)
	}
	r.srv = New(cfg)
	if err := r.srv.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = r.srv.Stop(ctx) // the test has seen what it wanted
	})
	return r
}

// dial connects by direct TLS and returns the connection and its Outlet.
func (r *rig) dial() (*tls.Conn, session.Outlet) {
	r.t.Helper()
	c, err := tls.Dial("tcp", r.srv.Addrs()[1].String(), &tls.Config{RootCAs: r.roots, ServerName: "localhost", NextProtos: []string{"xmpp-client"}})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Close() })
	if got := c.ConnectionState().NegotiatedProtocol; got != "xmpp-client" {
		r.t.Fatalf("ALPN gave %q", got)
	}
	return c, <-r.outlets
}

// dialPlain connects without TLS: to the port for STARTTLS, or to the one for direct TLS.
func (r *rig) dialPlain(port int) net.Conn {
	r.t.Helper()
	c, err := net.Dial("tcp", r.srv.Addrs()[port].String())
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Close() })
	return c
}

// login lets the session say that the client is authenticated.
func (r *rig) login() (*tls.Conn, session.Outlet) {
	r.t.Helper()
	c, out := r.dial()
	r.write(c, header+"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>")
	r.want("opened by localhost", "auth")
	r.put(out, session.Out{Stanzas: 1, Authed: true})
	return c, out
}

func (r *rig) write(w io.Writer, s string) {
	r.t.Helper()
	if _, err := io.WriteString(w, s); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) put(o session.Outlet, out session.Out) {
	r.t.Helper()
	if _, err := o.Write(out); err != nil {
		r.t.Fatal(err)
	}
}

// stanza waits for the next message and returns the name of its element.
func (r *rig) stanza() string {
	r.t.Helper()
	switch m := (<-r.msgs).(type) {
	case session.Stanza:
		return m.Elem.Name
	case session.Closed:
		if m.Err != nil {
			return m.Err.Condition
		}
		return fmt.Sprintf("closed(%d)", m.Reason)
	case session.Opened:
		return "opened by " + m.Header.To
	default:
		return fmt.Sprintf("%T", m)
	}
}

func (r *rig) want(names ...string) {
	r.t.Helper()
	for _, want := range names {
		if got := r.stanza(); got != want {
			r.t.Fatalf("the session heard %q, want %q", got, want)
		}
	}
}

const header = `<?xml version='1.0'?><stream:stream to='localhost' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>`

func TestDirectTLS(t *testing.T) {
	r := newRig(t, nil)
	c, out := r.dial()
	r.write(c, header+"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/><early/>")
	r.want("opened by localhost", "auth")
	r.put(out, session.Out{Data: []byte("<success/>"), Stanzas: 1, Authed: true})
	r.want("early")
	got := make([]byte, 10)
	if _, err := io.ReadFull(c, got); err != nil || string(got) != "<success/>" {
		t.Fatalf("the client read %q, %v", got, err)
	}
	r.write(c, "</stream:stream>")
	r.want("closed(1)")
	r.put(out, session.Out{Data: []byte("</stream:stream>"), Close: true})
	if rest, err := io.ReadAll(c); err != nil || string(rest) != "</stream:stream>" {
		t.Fatalf("the client read %q, %v", rest, err)
	}
	c.Close()
	r.want("closed(0)")
}

// TestGuard: whoever wants to know of panics sees every goroutine: two that accept, one for the handshake, one that reads.
func TestGuard(t *testing.T) {
	var guarded atomic.Int64
	r := newRig(t, func(c *Config) {
		c.Guard = func(run func()) { guarded.Add(1); run() }
	})
	r.login()
	if n := guarded.Load(); n != 4 {
		t.Errorf("%d goroutines are guarded", n)
	}
}

func TestRestartReadsANewHeader(t *testing.T) {
	r := newRig(t, nil)
	c, out := r.dial()
	r.write(c, header+"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"+header+"<iq type='get' id='1'/>")
	r.want("opened by localhost", "auth")
	r.put(out, session.Out{Stanzas: 1, Authed: true, Restart: true})
	r.want("opened by localhost", "iq")
}

func TestUncountedStanzasStopTheReading(t *testing.T) {
	r := newRig(t, nil)
	c, out := r.login()
	r.write(c, strings.Repeat("<message/>", session.MaxUncounted+2))
	for range session.MaxUncounted {
		r.want("message")
	}
	r.put(out, session.Out{Stanzas: 1, Bytes: 10})
	r.want("message")
	if len(r.msgs) != 0 {
		t.Fatalf("more than %d stanzas are uncounted: %s", session.MaxUncounted, r.stanza())
	}
	r.put(out, session.Out{Stanzas: 1, Bytes: 10})
	r.want("message")
}

func TestFaultsAreTold(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{header + "<a><b></a>", "not-well-formed"},
		{header + "<!-- hello -->", "restricted-xml"},
		{header + "<message>" + strings.Repeat("x", DefaultStanzaBytesBeforeAuth), "policy-violation"},
	} {
		r := newRig(t, nil)
		conn, _ := r.dial()
		r.write(conn, c.in)
		r.want("opened by localhost", c.want)
	}
}

func TestSlowClientLosesItsConnection(t *testing.T) {
	r := newRig(t, nil)
	_, out := r.dial()
	chunk := make([]byte, 64<<10)
	for {
		if _, err := out.Write(session.Out{Data: chunk}); err != nil {
			break
		}
	}
	heard := r.stanza()
	for heard == "session.Writable" { // as long as the kernel takes it
		heard = r.stanza()
	}
	if heard != "closed(0)" {
		t.Fatalf("the session heard %q", heard)
	}
	if r.srv.count.Slow.Load() != 1 {
		t.Fatal("nobody counted it")
	}
}

func TestStartTLS(t *testing.T) {
	r := newRig(t, nil)
	raw := r.dialPlain(0)
	br := bufio.NewReader(raw)
	readTo := func(mark string) string {
		t.Helper()
		var sb strings.Builder
		for !strings.HasSuffix(sb.String(), mark) {
			b, err := br.ReadByte()
			if err != nil {
				t.Fatalf("after %q: %v", sb.String(), err)
			}
			sb.WriteByte(b)
		}
		return sb.String()
	}
	r.write(raw, header)
	if f := readTo("</stream:features>"); !strings.Contains(f, "<required/>") || strings.Contains(f, "mechanism") {
		t.Fatalf("features before TLS: %s", f)
	}
	r.write(raw, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>x</auth>")
	if f := readTo("</failure>"); !strings.Contains(f, "encryption-required") {
		t.Fatalf("PLAIN without TLS got %s", f)
	}
	r.write(raw, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>\r\n")
	readTo("/>")
	c := tls.Client(raw, &tls.Config{RootCAs: r.roots, ServerName: "localhost"})
	r.write(c, header)
	<-r.outlets
	r.want("opened by localhost")
}

func TestBeforeTLS(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"injection", header + "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/><auth/>", "policy-violation"},
		{"injection on the next line", header + "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>\n <auth/>", "policy-violation"},
		{"a stanza", header + "<message/>", "policy-violation"},
		{"another host", strings.Replace(header, "localhost", "example.org", 1), "host-unknown"},
		{"a comment", header + "<!-- x -->", "restricted-xml"},
		{"too much", header + "<a b='" + strings.Repeat("x", DefaultStanzaBytesBeforeAuth), "policy-violation"},
		{"the end", header + "</stream:stream>", "</stream:stream>"},
		{"no XML", "GET / HTTP/1.1\r\n\r\n", "stream:error"},
	} {
		r := newRig(t, nil)
		raw := r.dialPlain(0)
		r.write(raw, c.in)
		answer, _ := io.ReadAll(raw)
		if !strings.Contains(string(answer), c.want) || strings.Contains(string(answer), "<proceed") {
			t.Errorf("%s: answered %s", c.name, answer)
		}
		if len(r.outlets) != 0 {
			t.Errorf("%s: a session was started", c.name)
		}
	}
}

func TestStopTellsSessions(t *testing.T) {
	r := newRig(t, nil)
	c, out := r.dial()
	stopped := make(chan error)
	go func() { stopped <- r.srv.Stop(t.Context()) }()
	r.want("closed(3)")
	r.put(out, session.Out{Data: []byte("bye"), Close: true})
	if b, err := io.ReadAll(c); err != nil || string(b) != "bye" {
		t.Fatalf("the client read %q, %v", b, err)
	}
	c.Close()
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	if n := r.srv.count.Open.Load(); n != 0 {
		t.Fatalf("%d connections are counted as open", n)
	}
}

func TestPortInUse(t *testing.T) {
	r := newRig(t, nil)
	taken := r.srv.Addrs()[0].String()
	err := New(Config{C2S: taken, Certificate: r.srv.cfg.Certificate}).Start()
	if err == nil || !strings.Contains(err.Error(), taken) || !strings.Contains(err.Error(), "--c2s") {
		t.Fatalf("the error %v names neither address nor flag", err)
	}
}
