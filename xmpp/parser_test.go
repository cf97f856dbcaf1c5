package xmpp_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/jackdaw-im/jackdaw/xmpp"
)

func elem(space, name string, attrs []xmpp.Attr, nodes ...xmpp.Node) *xmpp.Element {
	return &xmpp.Element{Space: space, Name: name, Attrs: attrs, Nodes: nodes}
}

func in(e *xmpp.Element) xmpp.Node { return xmpp.Node{Elem: e} }
func text(s string) xmpp.Node      { return xmpp.Node{Text: s} }

func TestParse(t *testing.T) {
	const c = xmpp.NSClient
	tests := []struct {
		in   string
		want *xmpp.Element
	}{
		{"<m/>", elem(c, "m", nil)},
		{"<m></m>", elem(c, "m", nil)},
		{"<m a='1' b=\"2\"/>", elem(c, "m", []xmpp.Attr{{Name: "a", Value: "1"}, {Name: "b", Value: "2"}})},
		{"<m>a<b/>c<d>e</d></m>", elem(c, "m", nil, text("a"), in(elem(c, "b", nil)), text("c"), in(elem(c, "d", nil, text("e"))))},
		{"<m><a><b/></a><c><d/><e/></c></m>", elem(c, "m", nil, in(elem(c, "a", nil, in(elem(c, "b", nil)))),
			in(elem(c, "c", nil, in(elem(c, "d", nil)), in(elem(c, "e", nil)))))},
		{"<m xmlns='u'><b/><c xmlns='v'><d/></c><e xmlns=''/></m>", elem("u", "m", nil, in(elem("u", "b", nil)),
			in(elem("v", "c", nil, in(elem("v", "d", nil)))), in(elem("", "e", nil)))},
		{"<a:m xmlns:a='u' x='1' a:x='2'><b/><a:b xmlns:a='v'/><a:c/></a:m>", elem("u", "m",
			[]xmpp.Attr{{Name: "x", Value: "1"}, {Space: "u", Name: "x", Value: "2"}},
			in(elem(c, "b", nil)), in(elem("v", "b", nil)), in(elem("u", "c", nil)))},
		{"<stream:features xml:lang='en'/>", elem(xmpp.NSStream, "features", []xmpp.Attr{{Space: xmpp.NSXML, Name: "lang", Value: "en"}})},
		{"<m a:x='1' xmlns:a='u&amp;v'/>", elem(c, "m", []xmpp.Attr{{Space: "u&v", Name: "x", Value: "1"}})},
		{"<m>&lt;&gt;&amp;&apos;&quot;&#65;&#x1F600;</m>", elem(c, "m", nil, text("<>&'\"A\U0001f600"))},
		{"<m>a<![CDATA[<b>&amp;]]>]]&gt;<![CDATA[]]]]><![CDATA[>]]></m>", elem(c, "m", nil, text("a<b>&amp;]]>]]>"))},
		{"<m><![CDATA[]]></m>", elem(c, "m", nil)},
		{"<m>\ta\r\nb\rc\r\r\nd&#13;\n</m>", elem(c, "m", nil, text("\ta\nb\nc\n\nd\r\n"))},
		{"<m><![CDATA[\r\n\r]]></m>", elem(c, "m", nil, text("\n\n"))},
		{"<m a=' \t\n\r\n\r&#9;&#10;&#13; '/>", elem(c, "m", []xmpp.Attr{{Name: "a", Value: "     \t\n\r "}})},
		{"<m a='\"&quot;&apos;' b=\"'\"/>", elem(c, "m", []xmpp.Attr{{Name: "a", Value: "\"\"'"}, {Name: "b", Value: "'"}})},
		{"<m>\uffe5\ufffd￼]x]]</m>", elem(c, "m", nil, text("\uffe5\ufffd￼]x]]"))},
		{"<m>\u007f\u0085\u2028</m>", elem(c, "m", nil, text("\u007f\u0085\u2028"))},
		{"<é:ö xmlns:é='ü' é:ñ='à'/>", elem("ü", "ö", []xmpp.Attr{{Space: "ü", Name: "ñ", Value: "à"}})},
	}
	for _, tt := range tests {
		raw := []byte(tt.in)
		got, err := xmpp.Parse(raw)
		if err != nil {
			t.Errorf("%s: %v", tt.in, err)
			continue
		}
		clear(raw)
		if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %s, want %s", tt.in, got.AppendXML(nil, ""), tt.want.AppendXML(nil, ""))
		}
	}
}

// TestParseWantsOneElement: what a framer would not give out, Parse refuses, too.
func TestParseWantsOneElement(t *testing.T) {
	for _, in := range []string{"", " ", "x", "<", "<m", "<m ", "<m a", "<m a=", "<m a='", "<m a='&", "<m/", "<m>", "<m>x", "<m>&", "<m>&#", "<m><",
		"<m></", "<m></m", "<m>]", "<m>]]", "<m><![CDATA[", "<m><![CDATA[]]", "<m>\r", " <m/>", "<m/> ", "<m/><n/>", "<m/>x", "</m>",
		"<m>\xef", "<m>\xef\xbf", "<m/>\x00", "<m>\x00</m>", "\x00"} {
		if e, err := xmpp.Parse([]byte(in)); e != nil || condition(err) != xmpp.NotWellFormed {
			t.Errorf("%q: %v, %v", in, e, err)
		}
	}
	deep := strings.Repeat("<a>", xmpp.MaxDepth+1) + strings.Repeat("</a>", xmpp.MaxDepth+1)
	if _, err := xmpp.Parse([]byte(deep)); condition(err) != xmpp.PolicyViolation {
		t.Errorf("too deep: %v", err)
	}
}

// TestElementsCanGrow: appending to a part of an element changes nothing else of it.
func TestElementsCanGrow(t *testing.T) {
	e, err := xmpp.Parse([]byte("<m a='1'><b c='2'>x</b><d/></m>"))
	if err != nil {
		t.Fatal(err)
	}
	e.Attrs = append(e.Attrs, xmpp.Attr{Name: "from", Value: "me"})
	b := e.First()
	b.Nodes = append(b.Nodes, text("y"))
	if got := string(e.AppendXML(nil, xmpp.NSClient)); got != "<m a='1' from='me'><b c='2'>xy</b><d/></m>" {
		t.Error(got)
	}
}

// TestBigStanzasLeaveNothing: after stanzas with a great many parts the small ones still come out right.
func TestBigStanzasLeaveNothing(t *testing.T) {
	for range 3 {
		big := "<m>" + strings.Repeat("<a xmlns:b='u' b:c='d'>x</a>", 5000) + "</m>"
		e, err := xmpp.Parse([]byte(big))
		if err != nil || len(e.Nodes) != 5000 {
			t.Fatal(err)
		}
		if e, err := xmpp.Parse([]byte("<m/>")); err != nil || len(e.Nodes) != 0 || e.Space != xmpp.NSClient {
			t.Fatal(e, err)
		}
		if _, err := xmpp.Parse([]byte("<b:m/>")); err == nil {
			t.Fatal("a prefix of another stanza is bound")
		}
	}
}

// TestAllocations takes the best of many runs: the race detector makes pools forget at random.
func TestAllocations(t *testing.T) {
	for in, want := range map[string]float64{"<r/>": 2, "<a h='1'/>": 3, typical: 4} {
		raw := []byte(in)
		best := want + 1
		for range 100 {
			best = min(best, testing.AllocsPerRun(1, func() { _, _ = xmpp.Parse(raw) }))
		}
		if best > want {
			t.Errorf("%.30s: more than %v allocations", in, want)
		}
	}
}

func TestElementAccess(t *testing.T) {
	e, err := xmpp.Parse([]byte("<m xml:id='no' id='yes'>a<b/>c<d xmlns='u'>e</d>f<b n='2'/></m>"))
	if err != nil {
		t.Fatal(err)
	}
	if got := e.Attr("id") + e.Attr("none"); got != "yes" {
		t.Errorf("id %q", got)
	}
	if got := e.Text(); got != "acf" {
		t.Errorf("text %q", got)
	}
	if b := e.Child(xmpp.NSClient, "b"); b == nil || b != e.First() || b.Text() != "" {
		t.Errorf("the first b is %v", b)
	}
	if e.Child(xmpp.NSClient, "d") != nil || e.Child("u", "d").Text() != "e" {
		t.Error("children are found in the wrong namespace")
	}
	none := e.Child("u", "none")
	if none != nil || none.Child("u", "x") != nil || none.First() != nil || none.Attr("a")+none.Text() != "" || e.Child("u", "d").First() != nil {
		t.Error("there is something in nothing")
	}
}
