package xmpp_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/jackdaw-im/jackdaw/xmpp"
)

func TestParseJID(t *testing.T) {
	long := strings.Repeat("a", 1023)
	labels := strings.Repeat(strings.Repeat("a", 62)+".", 16)
	tests := []struct {
		in   string
		want xmpp.JID
	}{
		// RFC 7622 section 3.5, table 1
		{"juliet@example.com", xmpp.JID{Local: "juliet", Domain: "example.com"}},
		{"juliet@example.com/foo", xmpp.JID{Local: "juliet", Domain: "example.com", Resource: "foo"}},
		{"juliet@example.com/foo bar", xmpp.JID{Local: "juliet", Domain: "example.com", Resource: "foo bar"}},
		{"juliet@example.com/foo@bar", xmpp.JID{Local: "juliet", Domain: "example.com", Resource: "foo@bar"}},
		{"foo\\20bar@example.com", xmpp.JID{Local: "foo\\20bar", Domain: "example.com"}},
		{"fussball@example.com", xmpp.JID{Local: "fussball", Domain: "example.com"}},
		{"fußball@example.com", xmpp.JID{Local: "fußball", Domain: "example.com"}},
		{"π@example.com", xmpp.JID{Local: "π", Domain: "example.com"}},
		{"Σ@example.com/foo", xmpp.JID{Local: "σ", Domain: "example.com", Resource: "foo"}},
		{"king@example.com/♚", xmpp.JID{Local: "king", Domain: "example.com", Resource: "♚"}},
		{"example.com", xmpp.JID{Domain: "example.com"}},
		{"example.com/foobar", xmpp.JID{Domain: "example.com", Resource: "foobar"}},
		{"a.example.com/b@example.net", xmpp.JID{Domain: "a.example.com", Resource: "b@example.net"}},

		{"Juliet@EXAMPLE.com/Foo", xmpp.JID{Local: "juliet", Domain: "example.com", Resource: "Foo"}},
		{"JÜLIET@example.com", xmpp.JID{Local: "jüliet", Domain: "example.com"}},
		{"ｊuliet@example.com", xmpp.JID{Local: "juliet", Domain: "example.com"}},
		{"a@example.com./b", xmpp.JID{Local: "a", Domain: "example.com", Resource: "b"}},
		{"a@BÜCHER.example", xmpp.JID{Local: "a", Domain: "bücher.example"}},
		{"a@XN--bcher-kva.example", xmpp.JID{Local: "a", Domain: "bücher.example"}},
		{"a@ｅxample。com", xmpp.JID{Local: "a", Domain: "example.com"}},
		{"a@127.0.0.1", xmpp.JID{Local: "a", Domain: "127.0.0.1"}},
		{"a@[::1]", xmpp.JID{Local: "a", Domain: "[::1]"}},
		{"a@[2001:DB8:0::1]/b", xmpp.JID{Local: "a", Domain: "[2001:db8::1]", Resource: "b"}},
		{"a@b/ /", xmpp.JID{Local: "a", Domain: "b", Resource: " /"}},
		{"a@b/u\u0308", xmpp.JID{Local: "a", Domain: "b", Resource: "ü"}},
		{"a@b/\u3000x", xmpp.JID{Local: "a", Domain: "b", Resource: " x"}},
		{"a@b/<&>", xmpp.JID{Local: "a", Domain: "b", Resource: "<&>"}},
		{long + "@b/" + long, xmpp.JID{Local: long, Domain: "b", Resource: long}},
		{labels + "example", xmpp.JID{Domain: labels + "example"}},
	}
	for _, tt := range tests {
		got, err := xmpp.ParseJID(tt.in)
		if err != nil || got != tt.want {
			t.Errorf("%.80q: %+v, %v; want %+v", tt.in, got, err, tt.want)
		}
		again, err := xmpp.ParseJID(got.String())
		if err != nil || again != got {
			t.Errorf("%.80q again: %+v, %v", got.String(), again, err)
		}
	}
}

func TestMalformedJIDs(t *testing.T) {
	long := strings.Repeat("a", 1024)
	for _, in := range []string{"", "@", "/", "@/", "a@", "@b", "a@/c", "a@b/", "/c", "a@b@c", "a@b/c/" + long,
		"\"juliet\"@example.com", "foo bar@example.com", "henry\u2163@example.com", "♚@example.com", "juliet@", "a&b@c", "a'b@c", "a:b@c", "a<b@c", "a>b@c",
		"a＠b@c", "a／b@c", "a\x00b@c", "a\x7f@c", "a\xff@c", "a@b/\x00", "a@b/\x7f", "a@b/\xff", "a@b/\u2028", "a@b/\ufffe",
		"a@b c", "a@b_c", "a@-b", "a@b-", "a@b..c", "a@.b", "a@.", "a@ab--c", "a@xn--", "a@xn--a", "a@xn--bcher-kv.x", "a@b\x00", "a@" + strings.Repeat("a", 64),
		"a@[::1", "a@[]", "a@[127.0.0.1]", "a@[::1%eth0]", "a@[::1]x", "a@::1", "a@b:5222", "a@b\u200b/\u202e", "a@\u202eb",
		long + "@b", "b/" + long, long, "a@☃\u0000", "א1a@b", "a@b\u3002", "a@\u3002"} {
		if got, err := xmpp.ParseJID(in); err == nil || got != (xmpp.JID{}) {
			t.Errorf("%.80q is %+v", in, got)
		}
	}
}

func TestJIDParts(t *testing.T) {
	for _, tt := range []struct {
		j            xmpp.JID
		bare, string string
	}{
		{xmpp.JID{}, "", ""},
		{xmpp.JID{Domain: "b"}, "b", "b"},
		{xmpp.JID{Local: "a", Domain: "b"}, "a@b", "a@b"},
		{xmpp.JID{Local: "a", Domain: "b", Resource: "c"}, "a@b", "a@b/c"},
		{xmpp.JID{Domain: "b", Resource: "c"}, "b", "b/c"},
	} {
		if got := string(tt.j.Bare()); got != tt.bare || tt.j.String() != tt.string {
			t.Errorf("%+v: %q and %q", tt.j, got, tt.j)
		}
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = xmpp.ParseJID("juliet@example.com/balcony") }); n != 0 {
		t.Errorf("%v allocations for an address that needs no change", n)
	}
}

// TestJIDsAreStable: whatever is accepted is read back as itself, and fits into XML.
func TestJIDsAreStable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-zA-ZäßΣςİıｱ]{1,5}@[a-zA-Zäß.ς-]{1,8}(/[ -~äßΣ]{1,5})?`)).Draw(t, "address")
		checkJID(t, s)
	})
}

type failer interface {
	Fatalf(format string, args ...any)
}

func checkJID(t failer, s string) {
	j, err := xmpp.ParseJID(s)
	if err != nil {
		return
	}
	if again, err := xmpp.ParseJID(j.String()); err != nil || again != j {
		t.Fatalf("%q is %+v, and %q is %+v, %v", s, j, j.String(), again, err)
	}
	if bare, err := xmpp.ParseJID(string(j.Bare())); err != nil || bare != (xmpp.JID{Local: j.Local, Domain: j.Domain}) {
		t.Fatalf("%q has the bare form %q, which is %+v, %v", s, j.Bare(), bare, err)
	}
	if user := j.Bare(); user.Domain() != j.Domain || user.Local() != j.Local {
		t.Fatalf("%q is the user %q of %q at %q", s, user, user.Local(), user.Domain())
	}
	xml := append(append([]byte("<x>"), xmpp.AppendEscaped(nil, j.String())...), "</x>"...)
	if e, err := xmpp.Parse(xml); err != nil || e.Text() != j.String() {
		t.Fatalf("%q doesn't fit into XML: %q, %v", j.String(), e.Text(), err)
	}
}
