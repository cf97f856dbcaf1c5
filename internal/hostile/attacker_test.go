//go:build !race

package hostile

import (
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/xmpp/sasl"
)

const (
	header = "<?xml version='1.0'?><stream:stream to='localhost' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
	end    = "</stream:stream>"
	nsSASL = "urn:ietf:params:xml:ns:xmpp-sasl"
	nsTLS  = "urn:ietf:params:xml:ns:xmpp-tls"
	nsBind = "urn:ietf:params:xml:ns:xmpp-bind"
)

// attacker is a connection that says whatever it is told to.
type attacker struct {
	t    testing.TB
	conn net.Conn
	tcp  *net.TCPConn
	read []byte // and not yet looked at
	jid  string // once bound
}

// plain connects to one of the server's two ports for clients, without TLS.
func (s *server) plain(t testing.TB, addr string) *attacker {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	a := &attacker{t: t, conn: conn, tcp: conn.(*net.TCPConn)}
	t.Cleanup(a.close)
	return a
}

// secured connects with direct TLS.
func (s *server) secured(t testing.TB) *attacker {
	t.Helper()
	a := s.plain(t, s.C2STLS)
	a.handshake(s)
	return a
}

// opened is secured, and has its stream open.
func (s *server) opened(t testing.TB) *attacker {
	t.Helper()
	a := s.secured(t)
	a.send(header)
	a.until("</stream:features>")
	return a
}

// loggedIn is opened and has logged in, and its new stream is open.
func (s *server) loggedIn(t testing.TB, user string) *attacker {
	t.Helper()
	a := s.opened(t)
	if !strings.Contains(a.login(s, "SCRAM-SHA-256", user, password), "<success") {
		t.Fatalf("%s can't log in", user)
	}
	a.send(header)
	a.until("</stream:features>")
	return a
}

// bound is loggedIn and has an address.
func (s *server) bound(t testing.TB, user string) *attacker {
	t.Helper()
	a := s.loggedIn(t, user)
	a.send("<iq type='set' id='b'><bind xmlns='" + nsBind + "'/></iq>")
	_, after, _ := strings.Cut(a.until("</iq>"), "<jid>")
	a.jid, _, _ = strings.Cut(after, "</jid>")
	return a
}

// available is bound and gets messages.
func (s *server) available(t testing.TB, user string) *attacker {
	t.Helper()
	a := s.bound(t, user)
	a.send("<presence/><iq type='get' id='there' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>")
	a.until("id='there'")
	a.until(">")
	return a
}

func (a *attacker) handshake(s *server) {
	a.t.Helper()
	secured := tls.Client(a.conn, s.tls)
	a.deadline()
	if err := secured.Handshake(); err != nil {
		a.t.Fatal(err)
	}
	a.conn = secured
}

// login does one exchange and returns the server's answer: <success/> or <failure/>.
func (a *attacker) login(s *server, mechanism, user, password string) string {
	a.t.Helper()
	answers := a.exchange(s, mechanism, user, password)
	return answers[len(answers)-1]
}

// exchange does one exchange and returns all the server's answers.
func (a *attacker) exchange(s *server, mechanism, user, password string) (answers []string) {
	a.t.Helper()
	x, err := sasl.NewClient(mechanism, user, password, s.keys)
	if err != nil {
		a.t.Fatal(err)
	}
	element := "auth"
	var data []byte
	for {
		response, err := x.Step(data)
		if err != nil {
			a.t.Fatal(err)
		}
		a.send(fmt.Sprintf("<%s xmlns='%s' mechanism='%s'>%s</%s>", element, nsSASL, mechanism, base64.StdEncoding.EncodeToString(response), element))
		answer := a.until("</challenge>", "</success>", "</failure>")
		answers = append(answers, answer)
		if !strings.Contains(answer, "<challenge") {
			return answers
		}
		_, text, _ := strings.Cut(answer, ">")
		if data, err = base64.StdEncoding.DecodeString(strings.TrimSuffix(text, "</challenge>")); err != nil {
			a.t.Fatal(err)
		}
		element = "response"
	}
}

func (a *attacker) deadline() { _ = a.conn.SetDeadline(time.Now().Add(patience)) } // a dead connection fails soon enough

// send writes text as it is.
func (a *attacker) send(text string) {
	a.t.Helper()
	a.deadline()
	if _, err := io.WriteString(a.conn, text); err != nil {
		a.t.Fatalf("sending %.100s: %v", text, err)
	}
}

// until returns what the server says up to and with the first of the marks.
func (a *attacker) until(marks ...string) string {
	a.t.Helper()
	a.deadline()
	for {
		for _, mark := range marks {
			if before, after, found := strings.Cut(string(a.read), mark); found {
				a.read = []byte(after)
				return before + mark
			}
		}
		if err := a.more(); err != nil {
			a.t.Fatalf("waiting for %q, the server said %q: %v", marks, a.read, err)
		}
	}
}

func (a *attacker) more() error {
	buf := make([]byte, 16<<10)
	n, err := a.conn.Read(buf)
	a.read = append(a.read, buf[:n]...)
	if n > 0 {
		return nil // an error comes again
	}
	return err
}

// rest returns all that the server says until it closes the connection, and fails if it doesn't.
func (a *attacker) rest() string {
	a.t.Helper()
	a.deadline()
	for {
		err := a.more()
		var timeout net.Error
		switch {
		case err == nil:
		case errors.As(err, &timeout) && timeout.Timeout():
			a.t.Fatalf("the connection stays open; the server said %q", a.read)
		default:
			all := string(a.read)
			a.read = nil
			return all
		}
	}
}

// fails returns all that the server says until it closes the connection, which must end with this stream error.
func (a *attacker) fails(condition string) string {
	a.t.Helper()
	all := a.rest()
	wanted := "<stream:error><" + condition + " xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
	if strings.Count(all, "<stream:error>") != 1 || !strings.Contains(all, wanted) || !strings.HasSuffix(all, "</stream:error>"+end) {
		a.t.Errorf("the server said %q, which doesn't end with the stream error %s", all, condition)
	}
	return all
}

// close closes the socket, below TLS.
func (a *attacker) close() { _ = a.tcp.Close() } // nothing is owed to the server
