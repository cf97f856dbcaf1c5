package client

import (
	"context"
	"encoding/base64"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/xdg-go/scram"

	"github.com/jackdaw-im/jackdaw/xmpp"
	"github.com/jackdaw-im/jackdaw/xmpp/sasl"
)

func TestLogin(t *testing.T) {
	for name, test := range map[string]struct {
		security Security
		act      func(s *script)
	}{
		"direct TLS": {DirectTLS, func(s *script) {
			s.login()
			s.bind()
		}},
		"STARTTLS, SHA-256": {StartTLS, func(s *script) {
			s.open("<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls></stream:features>")
			s.expect("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
			s.send("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
			s.secure()
			s.open(mechanisms("SCRAM-SHA-1", "SCRAM-SHA-256", "PLAIN"))
			s.scram("SCRAM-SHA-256", scram.SHA256, honest)
			s.open(bindFeatures)
			s.bind()
		}},
		"a server that asks for a session": {DirectTLS, func(s *script) {
			s.secure()
			s.open(mechanisms("SCRAM-SHA-1"))
			s.scram("SCRAM-SHA-1", scram.SHA1, honest)
			s.open(strings.Replace(bindFeatures, "<optional/>", "", 1))
			s.bind()
			s.expect("<iq type='set' id='session'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>")
			s.send("<iq type='result' id='session'/>")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, play(t, Config{Security: test.security, Keys: sasl.NewKeyCache()}, test.act))
			if c.JID() != "romeo@localhost/garden" || c.Resumed() || len(c.Carried()) != 0 {
				t.Errorf("logged in as %q, resumed %v, carried %v", c.JID(), c.Resumed(), c.Carried())
			}
		})
	}
}

func TestLoginFails(t *testing.T) {
	const tlsNS, saslNS = "urn:ietf:params:xml:ns:xmpp-tls", "urn:ietf:params:xml:ns:xmpp-sasl"
	secured := func(then func(s *script)) func(s *script) {
		return func(s *script) { s.secure(); then(s) }
	}
	for name, test := range map[string]struct {
		cfg Config
		act func(s *script)
		ok  func(err error) bool
	}{
		"no STARTTLS": {Config{Security: StartTLS}, func(s *script) { s.open("<stream:features/>") }, says("offers no STARTTLS")},
		"STARTTLS refused": {Config{Security: StartTLS}, func(s *script) {
			s.open("<stream:features><starttls xmlns='" + tlsNS + "'/></stream:features>")
			s.until("/>")
			s.send("<failure xmlns='" + tlsNS + "'/>")
		}, says("refuses STARTTLS")},
		"wrong password": {Config{}, secured(func(s *script) {
			s.open(mechanisms("SCRAM-SHA-1"))
			s.until("</auth>")
			s.send("<failure xmlns='" + saslNS + "'><not-authorized/><text>no</text></failure>")
		}), func(err error) bool {
			var refused *AuthError
			return errors.As(err, &refused) && refused.Condition == "not-authorized"
		}},
		"a server that doesn't know the password": {Config{}, secured(func(s *script) {
			s.open(mechanisms("SCRAM-SHA-1"))
			s.scram("SCRAM-SHA-1", scram.SHA1, func(string) string { return base64.StdEncoding.EncodeToString([]byte("v=AAAA")) })
		}), says("")},
		"a server without proof": {Config{}, secured(func(s *script) {
			s.open(mechanisms("SCRAM-SHA-1"))
			s.until("</auth>")
			s.send("<success xmlns='" + saslNS + "'/>")
		}), says("")},
		"a server that asks and calls it a success": {Config{}, secured(func(s *script) {
			s.open(mechanisms("SCRAM-SHA-1"))
			s.expect("<auth xmlns='" + saslNS + "' mechanism='SCRAM-SHA-1'>")
			first, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(s.until("</auth>"), "</auth>"))
			if err != nil {
				panic(scriptError{err})
			}
			_, nonce, _ := strings.Cut(string(first), ",r=")
			challenge := base64.StdEncoding.EncodeToString([]byte("r=" + nonce + "x,s=c2FsdA==,i=4096"))
			s.send("<success xmlns='" + saslNS + "'>" + challenge + "</success>")
		}), says("before it has proved itself")},
		"no common mechanism":  {Config{}, secured(func(s *script) { s.open(mechanisms("PLAIN")) }), says("no common")},
		"no mechanisms":        {Config{}, secured(func(s *script) { s.open("<stream:features/>") }), says("no authentication")},
		"a stream error":       {Config{}, secured(func(s *script) { s.open(streamErrorXML("host-unknown")) }), isStreamError("host-unknown")},
		"not what was asked":   {Config{}, secured(func(s *script) { s.open("<message/>") }), says("message while waiting for features")},
		"the stream's end":     {Config{}, secured(func(s *script) { s.open("</stream:stream>") }), is(ErrServerClosed)},
		"no TLS on the server": {Config{}, func(s *script) { _ = s.conn.Close() }, says("TLS")},
		"bind refused": {Config{}, func(s *script) {
			s.login()
			s.until("</iq>")
			s.send("<iq type='error' id='bind'><error type='cancel'><conflict xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>")
		}, func(err error) bool {
			var refused *RequestError
			return errors.As(err, &refused) && refused.Condition == "conflict" && refused.Type == "cancel"
		}},
		"management refused": {Config{Management: true}, func(s *script) {
			s.login()
			s.bind()
			s.until("/>")
			s.send("<failed xmlns='urn:xmpp:sm:3'/>")
		}, says("refuses stream management")},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Dial(t.Context(), play(t, test.cfg, test.act))
			if err == nil || !test.ok(err) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func streamErrorXML(condition string) string {
	return "<stream:error><" + condition + " xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>"
}

func says(text string) func(error) bool {
	return func(err error) bool { return strings.Contains(err.Error(), text) }
}

func is(target error) func(error) bool { return func(err error) bool { return errors.Is(err, target) } }

func isStreamError(condition string) func(error) bool {
	return func(err error) bool {
		var se *xmpp.StreamError
		return errors.As(err, &se) && se.Condition == condition
	}
}

func TestDialNeedsAnAccount(t *testing.T) {
	for _, jid := range []string{"", "localhost", "@localhost", "romeo@", "romeo@/garden"} {
		if _, err := Dial(t.Context(), &Config{JID: jid}); err == nil {
			t.Errorf("no error for %q", jid)
		}
	}
	refused := errors.New("refused")
	cfg := &Config{JID: "a@b", DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, refused }}
	if _, err := Dial(t.Context(), cfg); !errors.Is(err, refused) {
		t.Errorf("error %v", err)
	}
}

func TestDialCanBeCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Dial(ctx, play(t, Config{}, func(s *script) {
		s.secure()
		s.until("<stream:stream ")
		s.until(">")
		cancel() // instead of an answer
		s.eof()
	}))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
