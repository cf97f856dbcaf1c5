package xmpp_test

import (
	"slices"
	"testing"

	"github.com/jackdaw-im/jackdaw/xmpp"
)

// FuzzFramer: any stream, cut anywhere, gives the same items and the same error, and nothing panics.
func FuzzFramer(f *testing.F) {
	for _, tt := range hostile {
		if len(tt.in) < 1000 {
			f.Add([]byte(header+tt.in), uint16(len(header)+3), uint16(2))
		}
	}
	f.Add([]byte(header+"<m/>"+header), uint16(20), uint16(400))
	f.Fuzz(func(t *testing.T, data []byte, first, size uint16) {
		const limit = 500
		in := string(data)
		want := read(limit, in)
		cut := min(int(first), len(in))
		if got := read(limit, in[:cut], in[cut:]); !slices.Equal(got, want) {
			t.Fatalf("%q cut at %d: %q, want %q", in, cut, got, want)
		}
		var pieces []string
		for rest := in; len(rest) > 0; {
			n := min(int(size%64)+1, len(rest))
			pieces = append(pieces, rest[:n])
			rest = rest[n:]
		}
		if got := read(limit, pieces...); !slices.Equal(got, want) {
			t.Fatalf("%q cut into %q: %q, want %q", in, pieces, got, want)
		}
	})
}

// FuzzParse: what Parse accepts the framer finds as one stanza, and it is written so that it is read again as it was.
func FuzzParse(f *testing.F) {
	f.Add([]byte(typical))
	for _, tt := range hostile {
		if len(tt.in) < 1000 {
			f.Add([]byte(tt.in))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := xmpp.Parse(data)
		if err != nil {
			if condition(err) == err.Error() {
				t.Fatalf("%v is no stream error", err)
			}
			return
		}
		roundTrip(t, e)
		item, n, err := opened(t, len(data)+1).Next(data)
		if condition(err) == xmpp.BadFormat && e.Name == "stream" {
			return // Parse alone can't tell that it is in a stream already
		}
		if err != nil || item.Kind != xmpp.StanzaItem || n != len(data) {
			t.Fatalf("%q: the framer finds %v, %d, %v", data, item, n, err)
		}
	})
}

// FuzzJID: whatever is accepted as an address is read back as itself.
func FuzzJID(f *testing.F) {
	for _, s := range []string{"juliet@example.com/balcony", "Σ@bücher.example/♚", "a@xn--bcher-kva.example", "a@[::1]", "ﬁ@ſ.K", "ﷺ@b", "a@b。c", "İ@İ/İ",
		"a@\u00ad.b", "a@ß.ς/ﬀ", "a＠b@c", "\u0345@x", "ᾳ@x", "a@xn--a.b", "ஃ\u200c@b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { checkJID(t, s) })
}

// FuzzEscape: any bytes, written as text or as a value, are read again as they were but for what XML can't express.
func FuzzEscape(f *testing.F) {
	f.Add("plain")
	f.Add("<&>'\"\t\r\n]]>\x00\xff\ufffe")
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 10000 {
			return
		}
		out := append([]byte("<x a='"), xmpp.AppendEscaped(nil, s)...)
		out = append(append(out, "' b=\""...), xmpp.AppendEscaped(nil, s)...)
		out = append(append(out, "\">"...), xmpp.AppendEscaped(nil, s)...)
		e, err := xmpp.Parse(append(out, "</x>"...))
		if err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		want := expressible(s)
		if e.Attr("a") != want || e.Attr("b") != want || e.Text() != want {
			t.Fatalf("%q became %q", s, e.Text())
		}
	})
}

// expressible replaces what XML has no way to say.
func expressible(s string) string {
	var b []rune
	for _, r := range s {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff {
			r = '\ufffd'
		}
		b = append(b, r)
	}
	return string(b)
}
