//go:build !race

package hostile

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// stages are the points at which a client can begin to misbehave.
var stages = map[string]func(s *server, t testing.TB, user string) *attacker{
	"before the header": func(s *server, t testing.TB, _ string) *attacker { return s.secured(t) },
	"before TLS": func(s *server, t testing.TB, _ string) *attacker {
		a := s.plain(t, s.C2S)
		a.send(header)
		a.until("</stream:features>")
		return a
	},
	"before TLS and the header": func(s *server, t testing.TB, _ string) *attacker { return s.plain(t, s.C2S) },
	"before the login":          func(s *server, t testing.TB, _ string) *attacker { return s.opened(t) },
	"before binding":            (*server).loggedIn,
	"bound":                     (*server).available,
}

func message(to, body string) string {
	return "<message type='chat' to='" + to + "'><body>" + body + "</body></message>"
}

func attributes(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, " a%d='1'", i)
	}
	return b.String()
}

// illegal is what a stream is ended for, and with which error. What comes behind the illegal bytes must not matter.
var illegal = []struct{ stage, name, in, want string }{
	{"bound", "mismatched tags", "<message><body></message></body>", "not-well-formed"},
	{"bound", "an end too many", "</message>", "not-well-formed"},
	{"bound", "a bare ampersand", "<message><body>a & b</body></message>", "not-well-formed"},
	{"bound", "an attribute twice", "<message id='1' id='2'/>", "not-well-formed"},
	{"bound", "no quotes", "<message id=1/>", "not-well-formed"},
	{"bound", "an undeclared prefix", "<x:message/>", "not-well-formed"},
	{"bound", "xmlns rebound", "<message xmlns:xmlns='urn:x'/>", "not-well-formed"},
	{"bound", "U+0000", "<message><body>\x00</body></message>", "not-well-formed"},
	{"bound", "U+0001 referred to", "<message><body>&#1;</body></message>", "not-well-formed"},
	{"bound", "U+FFFF", "<message><body>\uffff</body></message>", "not-well-formed"},
	{"bound", "no UTF-8 in text", "<message><body>\xff\xfe</body></message>", "not-well-formed"},
	{"bound", "no UTF-8 in an attribute", "<message id='\xc3'/>", "not-well-formed"},
	{"bound", "no UTF-8 in a name", "<message><\xc3/></message>", "not-well-formed"},
	{"bound", "no UTF-8 in a section", "<message><body><![CDATA[\xc3]]></body></message>", "not-well-formed"},
	{"bound", "an overlong form", "<message><body>\xc0\xbc</body></message>", "not-well-formed"},
	{"bound", "a surrogate", "<message><body>\xed\xa0\x80</body></message>", "not-well-formed"},
	{"bound", "ISO 8859-1", "<message><body>Gr\xfc\xdfe</body></message>", "not-well-formed"},
	{"bound", "a comment", "<message><!-- x --></message>", "restricted-xml"},
	{"bound", "a processing instruction", "<message><?php x?></message>", "restricted-xml"},
	{"bound", "a DTD", "<!DOCTYPE m [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;&a;&a;'>]><message><body>&b;</body></message>", "restricted-xml"},
	{"bound", "an undefined entity", "<message><body>&nbsp;</body></message>", "restricted-xml"},
	{"bound", "text between stanzas", "hello", "bad-format"},
	{"bound", "a stream in the stream", header, "restricted-xml"}, // its declaration comes first
	{"bound", "another header", header[len("<?xml version='1.0'?>"):], "bad-format"},
	{"bound", "another namespace", "<message xmlns='jabber:server'><body>x</body></message>", "unsupported-stanza-type"},
	{"bound", "no namespace", "<message xmlns=''><body>x</body></message>", "unsupported-stanza-type"},
	{"bound", "an unknown stanza", "<letter/>", "unsupported-stanza-type"},
	{"bound", "an element of the stream's", "<stream:message/>", "unsupported-stanza-type"},
	{"bound", "SASL again", "<auth xmlns='" + nsSASL + "' mechanism='PLAIN'>AGEAYg==</auth>", "unsupported-stanza-type"},
	{"bound", "too deep", "<message>" + strings.Repeat("<a>", 64), "policy-violation"},
	{"bound", "deep as a mine", "<message>" + strings.Repeat("<a>", 50_000), "policy-violation"},
	{"bound", "too many attributes", "<message" + attributes(65) + "/>", "policy-violation"},
	{"bound", "too long a text", "<message><body>" + strings.Repeat("x", 256<<10) + "</body></message>", "policy-violation"},
	{"bound", "too long an attribute", "<message id='" + strings.Repeat("x", 256<<10), "policy-violation"},
	{"bound", "too long a name", "<" + strings.Repeat("x", 256<<10), "policy-violation"},
	{"bound", "a namespace spelled too often", "<message xmlns:p='" + strings.Repeat("u", 20_000) + "'>" + strings.Repeat("<p:b/>", 30_000) + "</message>", "policy-violation"},

	{"before the header", "another stream", "<stream:stream xmlns='jabber:client' xmlns:stream='urn:x' to='localhost' version='1.0'>", "invalid-namespace"},
	{"before the header", "another content", strings.Replace(header, "jabber:client", "jabber:server", 1), "invalid-namespace"},
	{"before the header", "no content", strings.Replace(header, " xmlns='jabber:client'", "", 1), "invalid-namespace"},
	{"before the header", "another prefix", strings.ReplaceAll(strings.ReplaceAll(header, "xmlns:stream", "xmlns:s"), "<stream:", "<s:"), "bad-namespace-prefix"},
	{"before the header", "another element", strings.Replace(header, "stream:stream", "stream:features", 1), "bad-format"},
	{"before the header", "another host", strings.Replace(header, "localhost", "example.org", 1), "host-unknown"},
	{"before the header", "no host", strings.Replace(header, "to='localhost'", "", 1), "host-unknown"},
	{"before the header", "no version", strings.Replace(header, " version='1.0' ", " ", 1), "unsupported-version"},
	{"before the header", "version 0.9", strings.Replace(header, " version='1.0' ", " version='0.9' ", 1), "unsupported-version"},
	{"before the header", "UTF-16", "\xff\xfe<\x00?\x00x\x00", "unsupported-encoding"},
	{"before the header", "a declared encoding", strings.Replace(header, "?>", " encoding='ISO-8859-1'?>", 1), "unsupported-encoding"},
	{"before the header", "a comment", "<!-- x -->" + header, "restricted-xml"},
	{"before the header", "HTTP", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "not-well-formed"},
	{"before the header", "an endless header", "<stream:stream to='" + strings.Repeat("x", 9<<10), "policy-violation"},

	{"before the login", "a message", "<message to='u0@localhost'><body>x</body></message>", "not-authorized"},
	{"before the login", "presence", "<presence/>", "not-authorized"},
	{"before the login", "a request", "<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>", "not-authorized"},
	{"before the login", "a resource", "<iq type='set' id='1'><bind xmlns='" + nsBind + "'/></iq>", "not-authorized"},
	{"before the login", "STARTTLS inside of TLS", "<starttls xmlns='" + nsTLS + "'/>", "unsupported-stanza-type"},
	{"before the login", "a long stanza", "<auth xmlns='" + nsSASL + "' mechanism='PLAIN'>" + strings.Repeat("A", 9<<10) + "</auth>", "policy-violation"},
	{"before the login", "no UTF-8", "<auth xmlns='" + nsSASL + "' mechanism='\xff'/>", "not-well-formed"},
	{"before binding", "a message", "<message to='u0@localhost'><body>x</body></message>", "not-authorized"},
	{"before binding", "presence", "<presence/>", "not-authorized"},

	{"before TLS", "a message", "<message to='u0@localhost'><body>x</body></message>", "policy-violation"},
	{"before TLS", "a request", "<iq type='get' id='1'><query xmlns='jabber:iq:register'/></iq>", "policy-violation"},
	{"before TLS", "another namespace", "<starttls xmlns='urn:x'/>", "policy-violation"},
	{"before TLS", "a long element", "<starttls xmlns='" + strings.Repeat("x", 9<<10), "policy-violation"},
	{"before TLS", "a comment", "<!-- x -->", "restricted-xml"},
	{"before TLS", "no UTF-8", "<starttls xmlns='\xff'/>", "not-well-formed"},
	{"before TLS and the header", "another host", strings.Replace(header, "localhost", "example.org", 1), "host-unknown"},
	{"before TLS and the header", "another content", strings.Replace(header, "jabber:client", "jabber:server", 1), "invalid-namespace"},
	{"before TLS and the header", "HTTP", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "not-well-formed"},
	{"before TLS and the header", "TLS", "\x16\x03\x01\x00\x05hello", "not-well-formed"},
}

// TestIllegalStreams: each ends with the right error; what came before it is delivered, what comes behind it is not.
func TestIllegalStreams(t *testing.T) {
	s := usual.get(t)
	friend, user := s.witness(t, s.account(t)), s.account(t)
	var sent []string
	for i, c := range illegal {
		t.Run(c.stage+"/"+c.name, func(t *testing.T) {
			a := stages[c.stage](s, t, user)
			before, behind := "", "<message/>"
			if c.stage == "bound" {
				body := fmt.Sprint("before ", i)
				before, behind = message(friend.JID(), body), message(friend.JID(), "behind")
				sent = append(sent, body)
			}
			go func() { _, _ = a.conn.Write([]byte(before + c.in + behind)) }() // the server may close before it has read it all
			a.fails(c.want)
		})
	}
	friend.await("what came before the illegal bytes", func() bool { return len(friend.mu.bodies) >= len(sent) })
	s.works(t)
	friend.mu.Lock()
	defer friend.mu.Unlock()
	if slices.Sort(friend.mu.bodies); !slices.Equal(friend.mu.bodies, slices.Sorted(slices.Values(sent))) {
		t.Errorf("delivered %q, and not %q", friend.mu.bodies, sent)
	}
}

// TestInPieces: bytes that come one by one are read as if they came at once.
func TestInPieces(t *testing.T) {
	s := usual.get(t)
	friend := s.witness(t, s.account(t))
	a := s.available(t, s.account(t))
	for _, b := range []byte(message(friend.JID(), "Grüße 😀")) {
		a.send(string([]byte{b}))
	}
	friend.gets("Grüße 😀")
	a.send("<message><body>\xf0\x9f")
	a.send("\x98</body></message>")
	a.fails("not-well-formed")
}
