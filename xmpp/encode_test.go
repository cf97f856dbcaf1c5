package xmpp_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/jackdaw-im/jackdaw/proto/chatpb"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

// TestAppendXML: foreign elements keep their names, and are complete in themselves under jabber:client.
func TestAppendXML(t *testing.T) {
	const same = ""
	tests := []struct{ in, want string }{
		{"<body>Grüße &amp; 🐦</body>", same},
		{"<x xmlns='some:ns'><y/></x>", same},
		{"<x xmlns='some:ns'><y xmlns='other'><z xmlns=''/></y></x>", same},
		{"<x xmlns='jabber:client'/>", "<x/>"},
		{"<m xml:lang='de'><b xml:space='preserve'/></m>", same},
		{"<a:x xmlns:a='u'><a:y/><z/></a:x>", "<x xmlns='u'><y/><z xmlns='jabber:client'/></x>"},
		{"<x xmlns:a='u' xmlns:b='v' a:c='1' b:c='2' a:d='3' c='4'/>", "<x xmlns:n0='u' n0:c='1' xmlns:n1='v' n1:c='2' n0:d='3' c='4'/>"},
		{"<stream:x/>", "<x xmlns='http://etherx.jabber.org/streams'/>"},
		{"<x a=\"&quot;it's&quot; &lt;&gt;&amp;&#9;&#10;&#13;\"/>", "<x a='&quot;it&apos;s&quot; &lt;&gt;&amp;&#9;&#10;&#13;'/>"},
		{"<x>\"it's\" &lt;&gt;&amp;\t\n&#13;]]&gt;</x>", same},
		{"<x><![CDATA[<&>]]></x>", "<x>&lt;&amp;&gt;</x>"},
		{"<x xmlns='a&amp;&apos;b'/>", same},
		{"<x></x>", "<x/>"},
		{"<xml:x xml:a='1'><y/><z xmlns='u'><xml:x><v/></xml:x></z></xml:x>", same},
	}
	for _, tt := range tests {
		e, err := xmpp.Parse([]byte(tt.in))
		if err != nil {
			t.Errorf("%s: %v", tt.in, err)
			continue
		}
		want := tt.want
		if want == same {
			want = tt.in
		}
		if got := string(e.AppendXML([]byte("="), xmpp.NSClient)); got != "="+want {
			t.Errorf("%s:\n%s, want\n%s", tt.in, got[1:], want)
		}
		roundTrip(t, e)
	}
	e, err := xmpp.Parse([]byte("<x xmlns='u'><y/></x>"))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(e.AppendXML(nil, "u")); got != "<x><y/></x>" {
		t.Errorf("under its own namespace: %s", got)
	}
}

// roundTrip writes an element and reads it again.
func roundTrip(t *testing.T, e *xmpp.Element) {
	t.Helper()
	out := e.AppendXML(nil, xmpp.NSClient)
	again, err := xmpp.Parse(out)
	if err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	if !reflect.DeepEqual(again, e) {
		t.Fatalf("%s became %s", out, again.AppendXML(nil, xmpp.NSClient))
	}
}

func TestAppendEscaped(t *testing.T) {
	for in, want := range map[string]string{
		"":                      "",
		"plain ü 🐦":             "plain ü 🐦",
		"<a href='x'>\"&\"</a>": "&lt;a href=&apos;x&apos;&gt;&quot;&amp;&quot;&lt;/a&gt;",
		"\t\n\r":                "&#9;&#10;&#13;",
		"a\x00b\x1fc\x7f":       "a\ufffdb\ufffdc\x7f",
		"\xff\xc3":              "\ufffd\ufffd",
		"\ufffd\ufffe\uffff":    "\ufffd\ufffd\ufffd",
		"\xed\xa0\x80":          "\ufffd\ufffd\ufffd",
		"￥ﾡ":                    "￥ﾡ",
	} {
		if got := string(xmpp.AppendEscaped(nil, in)); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func TestAppendMessage(t *testing.T) {
	full := &chatpb.Message{From: "a@b/c", To: "d@e", Type: chatpb.MessageType_CHAT, Id: "m'1", Lang: "de",
		Payload: []byte("<body>x</body>"), SentUs: 1031670505123456}
	typed := func(t chatpb.MessageType) *chatpb.Message { return &chatpb.Message{Type: t} }
	tests := []struct {
		m    *chatpb.Message
		by   xmpp.Delay
		want string
	}{
		{&chatpb.Message{}, xmpp.Delay{}, "<message/>"},
		{full, xmpp.Delay{}, "<message type='chat' id='m&apos;1' from='a@b/c' to='d@e' xml:lang='de'><body>x</body></message>"},
		{full, xmpp.Delay{By: "e"}, "<message type='chat' id='m&apos;1' from='a@b/c' to='d@e' xml:lang='de'><body>x</body>" +
			"<delay xmlns='urn:xmpp:delay' from='e' stamp='2002-09-10T15:08:25.123Z'/></message>"},
		{&chatpb.Message{SentUs: -1}, xmpp.Delay{By: "e"}, "<message><delay xmlns='urn:xmpp:delay' from='e' stamp='1969-12-31T23:59:59.999Z'/></message>"},
		{&chatpb.Message{}, xmpp.Delay{By: "e", Reason: "a < b"}, "<message><delay xmlns='urn:xmpp:delay' from='e' stamp='1970-01-01T00:00:00.000Z'>a &lt; b</delay></message>"},
		{typed(chatpb.MessageType_NORMAL), xmpp.Delay{}, "<message/>"},
		{typed(chatpb.MessageType_GROUPCHAT), xmpp.Delay{}, "<message type='groupchat'/>"},
		{typed(chatpb.MessageType_HEADLINE), xmpp.Delay{}, "<message type='headline'/>"},
		{typed(chatpb.MessageType_ERROR), xmpp.Delay{}, "<message type='error'/>"},
		{typed(99), xmpp.Delay{}, "<message/>"},
	}
	for _, tt := range tests {
		got := xmpp.AppendMessage(nil, tt.m, tt.by)
		if string(got) != tt.want {
			t.Errorf("%s, want %s", got, tt.want)
		}
		if _, err := xmpp.Parse(got); err != nil {
			t.Errorf("%s: %v", got, err)
		}
	}
}

func TestStreamHeaderAppend(t *testing.T) {
	tests := []struct {
		h    xmpp.StreamHeader
		want string
	}{
		{xmpp.StreamHeader{}, ">"},
		{xmpp.StreamHeader{From: "a", To: "b", ID: "c'", Lang: "en", Version: "1.0"}, " from='a' to='b' id='c&apos;' xml:lang='en' version='1.0'>"},
	}
	for _, tt := range tests {
		got := string(tt.h.Append(nil))
		if rest, ok := strings.CutPrefix(got, "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'"); !ok || rest != tt.want {
			t.Errorf("%+v became %s", tt.h, got)
		}
		var f xmpp.Framer
		if item, n, err := f.Next([]byte(got)); err != nil || item.Header != tt.h || n != len(got) {
			t.Errorf("%s was read as %+v, %v", got, item.Header, err)
		}
	}
}

func TestErrors(t *testing.T) {
	for _, tt := range []struct {
		err  *xmpp.StreamError
		xml  string
		text string
	}{
		{&xmpp.StreamError{Condition: xmpp.HostUnknown}, "<stream:error><host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
			"xmpp: stream error host-unknown"},
		{&xmpp.StreamError{Condition: xmpp.UndefinedCondition, Text: "a < b", Extra: "<x xmlns='y'/>"},
			"<stream:error><undefined-condition xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>" +
				"<text xmlns='urn:ietf:params:xml:ns:xmpp-streams' xml:lang='en'>a &lt; b</text><x xmlns='y'/></stream:error>",
			"xmpp: stream error undefined-condition: a < b"},
	} {
		got := string(tt.err.Append(nil))
		if got != tt.xml || tt.err.Error() != tt.text {
			t.Errorf("%s and %q", got, tt.err)
		}
		if _, err := xmpp.Parse([]byte(got)); err != nil {
			t.Errorf("%s: %v", got, err)
		}
	}
	busy := xmpp.ResourceConstraint
	busy.Text = "it's busy"
	for _, tt := range []struct {
		err  xmpp.StanzaError
		xml  string
		text string
	}{
		{xmpp.JIDMalformed, "<error type='modify'><jid-malformed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>", "xmpp: stanza error jid-malformed"},
		{busy, "<error type='wait'><resource-constraint xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>" +
			"<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas' xml:lang='en'>it&apos;s busy</text></error>",
			"xmpp: stanza error resource-constraint: it's busy"},
	} {
		if got := string(tt.err.Append(nil)); got != tt.xml || tt.err.Error() != tt.text {
			t.Errorf("%s and %q", got, tt.err)
		}
	}
	if xmpp.ResourceConstraint.Text != "" {
		t.Error("a copy changed the original")
	}
}
