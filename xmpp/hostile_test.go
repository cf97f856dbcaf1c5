package xmpp_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackdaw-im/jackdaw/xmpp"
)

// read feeds the pieces of a stream to a framer, as a connection would, and tells what came of it: each item as text, and
// at the end the condition of the error, if there was one.
func read(limit int, pieces ...string) (events []string) {
	var f xmpp.Framer
	if limit > 0 {
		f.SetLimit(limit)
	}
	var rest []byte
	for _, piece := range pieces {
		data := append(rest, piece...)
		for len(data) > 0 {
			item, n, err := f.Next(data)
			if err != nil {
				return append(events, condition(err))
			}
			if item.Kind == xmpp.NeedMore {
				data = data[n:]
				break
			}
			event, err := describe(item)
			if err != nil {
				return append(events, condition(err))
			}
			events = append(events, event)
			data = data[n:]
		}
		rest = slices.Clone(data) // elsewhere, so that nothing can depend on the old place
	}
	return events
}

func describe(item xmpp.Item) (string, error) {
	switch item.Kind {
	case xmpp.StreamOpen:
		return fmt.Sprintf("open %+v", item.Header), nil
	case xmpp.StreamClose:
		return "close", nil
	}
	e, err := xmpp.Parse(item.Raw)
	if err != nil {
		return "", err
	}
	for i := range item.Raw {
		item.Raw[i] = 'x' // the element owns its strings
	}
	return string(e.AppendXML(nil, xmpp.NSClient)), nil
}

// hostile is what must be refused, or, with an empty condition, must not be. in follows a stream header.
var hostile = []struct{ name, in, want string }{
	{"plain", "<m xmlns='jabber:client' a='1'><b>x</b></m>", ""},
	{"CDATA", "<m><b><![CDATA[x<y]]></b></m>", ""},
	{"two CDATA", "<m>a<![CDATA[]]]]><![CDATA[>]]>b</m>", ""},
	{"character references", "<m><b>&#x1F600;&#233;&#x9;</b></m>", ""},
	{"greater in an attribute", "<m a='x>y/>'><b/></m>", ""},
	{"prefixes", "<a:m xmlns:a='u'><a:b a:c='1' c='2'/></a:m>", ""},
	{"xml declared as it is", "<m xmlns:xml='http://www.w3.org/XML/1998/namespace' xml:lang='en'/>", ""},
	{"spaces in tags", "<m  a = '1'\n\tb\r=\r\n\"2\" ><b\n/></m\n>", ""},
	{"names beyond ASCII", "<grüße ä='1'><日本/></grüße>", ""},
	{"the longest depth", strings.Repeat("<a>", 64) + strings.Repeat("</a>", 64), ""},
	{"the most attributes", "<m" + attributes(64) + "/>", ""},
	{"a default namespace undone", "<m xmlns='u'><b xmlns=''/></m>", ""},
	{"another use of stream", "<stream:m xmlns:stream='u'/>", ""},
	{"keepalives", " \n\t\r\n<m/>\n\n<m/> ", ""},

	{"comment", "<m><!-- c --><b/></m>", xmpp.RestrictedXML},
	{"comment between stanzas", "<!-- c --><m/>", xmpp.RestrictedXML},
	{"the beginning of a comment", "<m><!-", xmpp.RestrictedXML},
	{"processing instruction", "<m><?php x?><b/></m>", xmpp.RestrictedXML},
	{"processing instruction between stanzas", "<?php x?>", xmpp.RestrictedXML},
	{"declaration in the stream", "<?xml version='1.0'?><m/>", xmpp.RestrictedXML},
	{"DTD", "<!DOCTYPE m [<!ENTITY x 'y'>]><m>z</m>", xmpp.RestrictedXML},
	{"DTD in a stanza", "<m><!DOCTYPE m></m>", xmpp.RestrictedXML},
	{"conditional section", "<m><![INCLUDE[x]]></m>", xmpp.RestrictedXML},
	{"undefined entity", "<m><b>&foo;</b></m>", xmpp.RestrictedXML},
	{"undefined entity in an attribute", "<m a='&foo;'/>", xmpp.RestrictedXML},

	{"U+0000 referred to", "<m><b>&#0;</b></m>", xmpp.NotWellFormed},
	{"U+FFFF referred to", "<m><b>&#xFFFF;</b></m>", xmpp.NotWellFormed},
	{"U+FFFE itself", "<m>\ufffe</m>", xmpp.NotWellFormed},
	{"U+FFFF in CDATA", "<m><![CDATA[\uffff]]></m>", xmpp.NotWellFormed},
	{"U+FFFF in an attribute", "<m a='\uffff'/>", xmpp.NotWellFormed},
	{"a surrogate referred to", "<m>&#xd800;</m>", xmpp.NotWellFormed},
	{"beyond Unicode", "<m>&#x110000;</m>", xmpp.NotWellFormed},
	{"far beyond Unicode", "<m>&#x100000000000000041;</m>", xmpp.NotWellFormed},
	{"an empty number", "<m>&#;</m>", xmpp.NotWellFormed},
	{"an empty hexadecimal number", "<m>&#x;</m>", xmpp.NotWellFormed},
	{"a big X", "<m>&#X41;</m>", xmpp.NotWellFormed},
	{"a negative number", "<m>&#-1;</m>", xmpp.NotWellFormed},
	{"U+0001", "<m><b>\x01</b></m>", xmpp.NotWellFormed},
	{"U+0000", "<m><b>\x00</b></m>", xmpp.NotWellFormed},
	{"U+0000 in a tag", "<m \x00/>", xmpp.NotWellFormed},
	{"U+001F in CDATA", "<m><![CDATA[\x1f]]></m>", xmpp.NotWellFormed},
	{"U+0007 in an attribute", "<m a='\x07'/>", xmpp.NotWellFormed},
	{"no UTF-8 in text", "<m><b>\xff\xfe</b></m>", xmpp.NotWellFormed},
	{"no UTF-8 in an attribute", "<m a='\xc3'/>", xmpp.NotWellFormed},
	{"no UTF-8 in a name", "<m\xc3/>", xmpp.NotWellFormed},
	{"no UTF-8 in CDATA", "<m><![CDATA[\xc3]]></m>", xmpp.NotWellFormed},
	{"a surrogate in UTF-8", "<m><b>\xed\xa0\x80</b></m>", xmpp.NotWellFormed},
	{"an overlong form", "<m>\xc0\xbc</m>", xmpp.NotWellFormed},
	{"an attribute twice", "<m a='1' a='2'/>", xmpp.NotWellFormed},
	{"an attribute twice by two prefixes", "<m xmlns:a='u' xmlns:b='u' a:c='1' b:c='2'/>", xmpp.NotWellFormed},
	{"an attribute twice by xml", "<m xml:lang='a' xml:lang='b'/>", xmpp.NotWellFormed},
	{"a default namespace twice", "<m xmlns='u' xmlns='v'/>", xmpp.NotWellFormed},
	{"a prefix declared twice", "<m xmlns:a='u' xmlns:a='v'/>", xmpp.NotWellFormed},
	{"unbound prefix", "<x:m/>", xmpp.NotWellFormed},
	{"unbound prefix of an attribute", "<m x:a='1'/>", xmpp.NotWellFormed},
	{"a prefix out of scope", "<m><a:b xmlns:a='u'/><a:b/></m>", xmpp.NotWellFormed},
	{"mismatched end", "<m><b></m></b>", xmpp.NotWellFormed},
	{"mismatched end at once", "<m><b></m>", xmpp.NotWellFormed},
	{"mismatched end of a stanza", "<m></n>", xmpp.NotWellFormed},
	{"an end that is longer", "<m></mm>", xmpp.NotWellFormed},
	{"an end that is shorter", "<mm></m>", xmpp.NotWellFormed},
	{"an empty end", "<m></>", xmpp.NotWellFormed},
	{"a mismatched prefix", "<a:m xmlns:a='u' xmlns:b='u'></b:m>", xmpp.NotWellFormed},
	{"an end with attributes", "<m></m a='1'>", xmpp.NotWellFormed},
	{"an end too many", "</m>", xmpp.NotWellFormed},
	{"another end of the stream", "</stream:features>", xmpp.NotWellFormed},
	{"more after the end", "</stream:stream><m/>", xmpp.NotWellFormed},
	{"no quotes", "<m a=1/>", xmpp.NotWellFormed},
	{"less in an attribute", "<m a='<'/>", xmpp.NotWellFormed},
	{"less in a tag", "<m <b/></m>", xmpp.NotWellFormed},
	{"no value", "<m a/>", xmpp.NotWellFormed},
	{"no name", "<m ='1'/>", xmpp.NotWellFormed},
	{"a slash in a tag", "<m / a='1'>", xmpp.NotWellFormed},
	{"']]>' in text", "<m><b>a]]>b</b></m>", xmpp.NotWellFormed},
	{"']]]>' in text", "<m>]]]></m>", xmpp.NotWellFormed},
	{"a bare ampersand", "<m><b>a & b</b></m>", xmpp.NotWellFormed},
	{"a reference without end", "<m><b>&amp b</b></m>", xmpp.NotWellFormed},
	{"no space between attributes", "<m a='1'b='2'/>", xmpp.NotWellFormed},
	{"a name from a digit", "<1m/>", xmpp.NotWellFormed},
	{"an attribute from a hyphen", "<m -a='1'/>", xmpp.NotWellFormed},
	{"a name from a combining character", "<\u0301m/>", xmpp.NotWellFormed},
	{"a multiplication sign in a name", "<a×b/>", xmpp.NotWellFormed},
	{"space before a name", "< m/>", xmpp.NotWellFormed},
	{"space before the name of an end", "<m></ m>", xmpp.NotWellFormed},
	{"two colons", "<a:b:c xmlns:a='u'/>", xmpp.NotWellFormed},
	{"nothing before the colon", "<:c/>", xmpp.NotWellFormed},
	{"nothing behind the colon", "<a: xmlns:a='u'/>", xmpp.NotWellFormed},
	{"a digit behind the colon", "<a:1 xmlns:a='u'/>", xmpp.NotWellFormed},
	{"xml rebound", "<m xmlns:xml='urn:x'/>", xmpp.NotWellFormed},
	{"xmlns rebound", "<m xmlns:xmlns='urn:x'/>", xmpp.NotWellFormed},
	{"xmlns bound to what it is", "<m xmlns:xmlns='http://www.w3.org/2000/xmlns/'/>", xmpp.NotWellFormed},
	{"xmlns as an element's prefix", "<xmlns:m/>", xmpp.NotWellFormed},
	{"another prefix for xml", "<m xmlns:p='http://www.w3.org/XML/1998/namespace'/>", xmpp.NotWellFormed},
	{"xml by default", "<m xmlns='http://www.w3.org/XML/1998/namespace'/>", xmpp.NotWellFormed},
	{"another prefix for xmlns", "<m xmlns:p='http://www.w3.org/2000/xmlns/'/>", xmpp.NotWellFormed},
	{"a prefix undone", "<m xmlns:p=''><p:b/></m>", xmpp.NotWellFormed},
	{"declared in another spelling", "<m xmlns:p='&#x68;ttp://www.w3.org/2000/xmlns/'/>", xmpp.NotWellFormed},
	{"a stanza in a broken section", "<m><![CDATA[x]]</m>]]></m></m>", xmpp.NotWellFormed},

	{"text between stanzas", "hello", xmpp.BadFormat},
	{"a reference between stanzas", "&#32;<m/>", xmpp.BadFormat},
	{"a section between stanzas", "<![CDATA[ ]]>", xmpp.BadFormat},
	{"a stream in the stream", "<stream:stream xmlns='jabber:client' to='localhost'>", xmpp.BadFormat},

	{"too deep", strings.Repeat("<a>", 65), xmpp.PolicyViolation},
	{"deep as a mine", strings.Repeat("<a>", 100000), xmpp.PolicyViolation},
	{"too many attributes", "<m" + attributes(65) + "/>", xmpp.PolicyViolation},
	{"too many declarations", "<m" + strings.ReplaceAll(attributes(65), " a", " xmlns:a") + "/>", xmpp.PolicyViolation},
	{"too many attributes once prefixes are gone", "<m xmlns:p='u'><b" + strings.ReplaceAll(attributes(33), " a", " p:a") + "/></m>", xmpp.PolicyViolation},
	{"as many as possible without prefixes", "<m xmlns:p='u'><b" + strings.ReplaceAll(attributes(32), " a", " p:a") + "/></m>", ""},
	{"a short name for a long one", "<m xmlns:p='" + strings.Repeat("u", 2000) + "'>" + strings.Repeat("<p:b/>", 200) + "</m>", xmpp.PolicyViolation},
	{"too long a text", "<m>" + strings.Repeat("x", limit), xmpp.PolicyViolation},
	{"too long an attribute", "<m a='" + strings.Repeat("x", limit), xmpp.PolicyViolation},
	{"too long a name", "<" + strings.Repeat("m", limit), xmpp.PolicyViolation},
	{"too long an end", "<m></m" + strings.Repeat(" ", limit), xmpp.PolicyViolation},
	{"too long a section", "<m><![CDATA[" + strings.Repeat("]", limit), xmpp.PolicyViolation},
	{"longer by one byte, and complete", "<m>" + strings.Repeat("x", limit-6) + "</m>", xmpp.PolicyViolation},
	{"of full length", "<m>" + strings.Repeat("x", limit-7) + "</m>", ""},
}

const limit = 4000

func attributes(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, " a%d='1'", i)
	}
	return b.String()
}

func TestHostile(t *testing.T) {
	for _, tt := range hostile {
		t.Run(tt.name, func(t *testing.T) {
			want := read(limit, header+tt.in)
			if len(want) == 0 || !strings.HasPrefix(want[0], "open ") {
				t.Fatalf("the header: %q", want)
			}
			if last := want[len(want)-1]; tt.want != "" && last != tt.want || tt.want == "" && !strings.HasPrefix(last, "<") {
				t.Fatalf("%q, want %q", want, tt.want)
			}
			everySplit(t, limit, header+tt.in, want)
		})
	}
}

// everySplit reads the input byte by byte, and in two pieces cut at every byte, which must change nothing.
func everySplit(t *testing.T, limit int, in string, want []string) {
	t.Helper()
	bytes := make([]string, len(in))
	for i := range len(in) {
		bytes[i] = in[i : i+1]
	}
	if len(in) <= 2*limit {
		if got := read(limit, bytes...); !slices.Equal(got, want) {
			t.Fatalf("byte by byte: %q, want %q", got, want)
		}
	}
	step := 1 + len(in)/500
	for i := 0; i < len(in); i += step {
		if got := read(limit, in[:i], in[i:]); !slices.Equal(got, want) {
			t.Fatalf("cut at %d: %q, want %q", i, got, want)
		}
	}
}

// TestHeaders is what a stream may begin with.
func TestHeaders(t *testing.T) {
	const ns = "xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'"
	const open = "<stream:stream " + ns + ">"
	tests := []struct{ name, in, want string }{
		{"plain", open, "open {From: To: ID: Lang: Version:}"},
		{"all there is", "<?xml version='1.0'?>\n<stream:stream from='a@b' to='c' id='d' xml:lang='e' version='1.0' " + ns + ">",
			"open {From:a@b To:c ID:d Lang:e Version:1.0}"},
		{"escapes", "<stream:stream to='a&amp;b' " + ns + ">", "open {From: To:a&b ID: Lang: Version:}"},
		{"other attributes and prefixes", "<stream:stream stream:to='x' xmlns:db='jabber:server:dialback' db:x='1' " + ns + ">",
			"open {From: To: ID: Lang: Version:}"},
		{"a full declaration", "<?xml version=\"1.0\" encoding='utf-8' standalone='yes' ?>" + open, "open {From: To: ID: Lang: Version:}"},
		{"white space first", "\n <?xml version = '1.1'?>" + open, "open {From: To: ID: Lang: Version:}"},

		{"two declarations", "<?xml version='1.0'?><?xml version='1.0'?>" + open, xmpp.RestrictedXML},
		{"another instruction", "<?php version='1.0'?>" + open, xmpp.RestrictedXML},
		{"nearly a declaration", "<?xml-stylesheet href='x'?>" + open, xmpp.RestrictedXML},
		{"DTD", "<!DOCTYPE stream>" + open, xmpp.RestrictedXML},
		{"comment", "<!-- hello -->" + open, xmpp.RestrictedXML},
		{"entity", "<stream:stream to='&x;' " + ns + ">", xmpp.RestrictedXML},
		{"an empty declaration", "<?xml?>" + open, xmpp.NotWellFormed},
		{"no version", "<?xml encoding='UTF-8'?>" + open, xmpp.NotWellFormed},
		{"version 2", "<?xml version='2.0'?>" + open, xmpp.NotWellFormed},
		{"no spaces", "<?xml version='1.0'encoding='UTF-8'?>" + open, xmpp.NotWellFormed},
		{"order", "<?xml version='1.0' standalone='no' encoding='UTF-8'?>" + open, xmpp.NotWellFormed},
		{"unknown", "<?xml version='1.0' x='y'?>" + open, xmpp.NotWellFormed},
		{"standalone or not", "<?xml version='1.0' standalone='maybe'?>" + open, xmpp.NotWellFormed},
		{"no question mark", "<?xml version='1.0'>" + open, xmpp.NotWellFormed},
		{"a declared encoding", "<?xml version='1.0' encoding='ISO-8859-1'?>" + open, xmpp.UnsupportedEncoding},
		{"UTF-16 declared", "<?xml version='1.0' encoding='UTF-16'?>" + open, xmpp.UnsupportedEncoding},
		{"UTF-16BE with its mark", "\xfe\xff\x00<\x00?", xmpp.UnsupportedEncoding},
		{"UTF-16LE with its mark", "\xff\xfe<\x00?\x00", xmpp.UnsupportedEncoding},
		{"UTF-16BE", "\x00<\x00?", xmpp.UnsupportedEncoding},
		{"UTF-16LE", "<\x00?\x00", xmpp.UnsupportedEncoding},
		{"the mark of UTF-8", "\xef\xbb\xbf" + open, xmpp.NotWellFormed},
		{"another protocol", "GET / HTTP/1.1\r\n\r\n", xmpp.NotWellFormed},
		{"the end only", "</stream:stream>", xmpp.NotWellFormed},
		{"a section", "<![CDATA[x]]>", xmpp.NotWellFormed},
		{"no UTF-8", "<stream:stream to='\xff' " + ns + ">", xmpp.NotWellFormed},
		{"unbound", "<stream:stream xmlns='jabber:client'>", xmpp.NotWellFormed},
		{"another stream", "<stream:stream xmlns='jabber:client' xmlns:stream='urn:x'>", xmpp.InvalidNamespace},
		{"another content", "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams'>", xmpp.InvalidNamespace},
		{"no content", "<stream:stream xmlns:stream='http://etherx.jabber.org/streams'>", xmpp.InvalidNamespace},
		{"not a stream", "<message " + ns + ">", xmpp.InvalidNamespace},
		{"another prefix", "<s:stream xmlns='jabber:client' xmlns:s='http://etherx.jabber.org/streams'>", xmpp.BadNamespacePrefix},
		{"no prefix", "<stream xmlns='http://etherx.jabber.org/streams'>", xmpp.BadNamespacePrefix},
		{"another element", "<stream:features " + ns + ">", xmpp.BadFormat},
		{"an empty stream", "<stream:stream " + ns + "/>", xmpp.BadFormat},
		{"too long", "<stream:stream " + ns + " to='" + strings.Repeat("x", limit), xmpp.PolicyViolation},
		{"too long a declaration", "<?xml version='" + strings.Repeat("1", limit), xmpp.PolicyViolation},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := read(limit, tt.in)
			if !slices.Equal(want, []string{tt.want}) {
				t.Fatalf("%q, want %q", want, tt.want)
			}
			everySplit(t, limit, tt.in, want)
		})
	}
}
