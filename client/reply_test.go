package client

import (
	"context"
	"errors"
	"testing"

	"github.com/jackdaw-im/jackdaw/xmpp"
)

func TestRequestsAreAnswered(t *testing.T) {
	var seen []string
	note := func(_ *Conn, e *xmpp.Element) { seen = append(seen, e.Attr("id")) }
	const refusal = "<error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
	c := dial(t, play(t, Config{OnStanza: note}, func(s *script) {
		s.login()
		s.bind()
		s.send("<iq type='get' from='localhost' id='1'><ping xmlns='urn:xmpp:ping'/></iq>")
		s.expect("<iq to='localhost' id='1' type='result'/>")
		s.send("<iq type='get' from='a@b/c' id='2'><query xmlns='http://jabber.org/protocol/disco#info' node='n'/></iq>")
		s.expect("<iq to='a@b/c' id='2' type='result'><query xmlns='http://jabber.org/protocol/disco#info' node='n'>" +
			"<identity category='client' type='bot'/><feature var='http://jabber.org/protocol/disco#info'/><feature var='urn:xmpp:ping'/></query></iq>")
		s.send("<iq type='get' id='3'><query xmlns='jabber:iq:version'/></iq><iq type='set' id='4'/>")
		s.expect("<iq id='3' type='error'>" + refusal)
		s.expect("<iq id='4' type='error'><error type='modify'><bad-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>")
		s.send("<iq type='set' id='5'><query xmlns='jabber:iq:roster'/></iq><iq type='result' id='6'/>")
		s.expect("<iq id='5' type='result'/>")
		s.send("</stream:stream>")
		s.until("</stream:stream>")
	}))
	<-run(c)
	if len(seen) != 2 || seen[0] != "5" || seen[1] != "6" {
		t.Errorf("given to OnStanza: %q", seen)
	}
}

func TestManualLeavesRequestsAlone(t *testing.T) {
	seen := 0
	c := dial(t, play(t, Config{Manual: true, OnStanza: func(*Conn, *xmpp.Element) { seen++ }}, func(s *script) {
		s.login()
		s.bind()
		s.send("<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq></stream:stream>")
		s.expect("</stream:stream>")
	}))
	<-run(c)
	if seen != 1 {
		t.Errorf("%d given to OnStanza", seen)
	}
}

func TestRequest(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	c := dial(t, play(t, Config{}, func(s *script) {
		s.login()
		s.bind()
		s.expect("<iq type='get' to='localhost' id='q1'><ping xmlns='urn:xmpp:ping'/></iq>")
		s.send("<iq type='result' from='localhost' id='q1'/>")
		s.expect("<iq type='set' id='q2'><x xmlns='urn:x'/></iq>")
		s.send("<iq type='error' id='q2'><error type='wait'><internal-server-error xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>" +
			"<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>later</text></error></iq>")
		s.until("id='q3'></iq>")
		cancel()
		s.until("id='q4'></iq>") // and ends
	}))
	ended := run(c)
	if err := c.Ping(t.Context()); err != nil {
		t.Errorf("ping: %v", err)
	}
	_, err := c.Request(t.Context(), "set", "", []byte("<x xmlns='urn:x'/>"))
	var refused *RequestError
	if !errors.As(err, &refused) || *refused != (RequestError{Type: "wait", Condition: "internal-server-error", Text: "later"}) {
		t.Errorf("refused with %v", err)
	}
	if _, err := c.Request(cancelled, "get", "", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := c.Request(t.Context(), "get", "", nil); !errors.Is(err, ErrClosed) {
		t.Errorf("connection lost: %v", err)
	}
	<-ended
	if _, err := c.Request(t.Context(), "get", "", nil); !errors.Is(err, ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
}
