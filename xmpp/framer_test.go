package xmpp_test

import (
	"slices"
	"strings"
	"testing"
	"unsafe"

	"pgregory.net/rapid"

	"github.com/jackdaw-im/jackdaw/xmpp"
)

func TestItems(t *testing.T) {
	const in = header + "\n<a/> <b x='>'><b>\n</b></b >\r\n\t</stream:stream >\n"
	want := []string{"open {From: To:localhost ID: Lang: Version:1.0}", "<a/>", "<b x='&gt;'><b>\n</b></b>", "close"}
	if got := read(0, in); !slices.Equal(got, want) {
		t.Fatalf("%q, want %q", got, want)
	}
	everySplit(t, 0, in, want)
}

// TestRawIsTheStanza: what is around it isn't part of it, and what was taken needn't be shown again.
func TestRawIsTheStanza(t *testing.T) {
	f := opened(t, 0)
	item, n, err := f.Next([]byte("  <m>x</m>  <n/>"))
	if err != nil || string(item.Raw) != "<m>x</m>" || n != 10 {
		t.Fatalf("%q, %d, %v", item.Raw, n, err)
	}
	if item, n, err = f.Next([]byte("  <n")); err != nil || item.Kind != xmpp.NeedMore || n != 2 {
		t.Fatalf("%v, %d, %v", item, n, err)
	}
	if item, n, err = f.Next([]byte("<n")); err != nil || item.Kind != xmpp.NeedMore || n != 0 {
		t.Fatalf("nothing new: %v, %d, %v", item, n, err)
	}
	if item, n, err = f.Next([]byte("<n/>")); err != nil || string(item.Raw) != "<n/>" || n != 4 {
		t.Fatalf("%q, %d, %v", item.Raw, n, err)
	}
	if item, n, err = f.Next([]byte(" \n ")); err != nil || item.Kind != xmpp.NeedMore || n != 3 {
		t.Fatalf("a keepalive: %v, %d, %v", item, n, err)
	}
	if item, n, err = f.Next(nil); err != nil || item.Kind != xmpp.NeedMore || n != 0 {
		t.Fatalf("nothing at all: %v, %d, %v", item, n, err)
	}
}

func TestReset(t *testing.T) {
	f := opened(t, 20)
	if item, _, err := f.Next([]byte("<m><half")); err != nil || item.Kind != xmpp.NeedMore {
		t.Fatal(item, err)
	}
	f.Reset()
	if _, _, err := f.Next([]byte(header)); condition(err) != xmpp.PolicyViolation {
		t.Fatalf("%v: the limit is forgotten", err)
	}
	f.Reset()
	f.SetLimit(1000)
	if item, n, err := f.Next([]byte(header)); err != nil || item.Kind != xmpp.StreamOpen || n != len(header) {
		t.Fatal(item, n, err)
	}
}

func TestLimitCanChange(t *testing.T) {
	long := []byte("<m>" + strings.Repeat("x", 100) + "</m>")
	f := opened(t, 50)
	if item, n, err := f.Next(long[:40]); err != nil || item.Kind != xmpp.NeedMore || n != 0 {
		t.Fatal(item, n, err)
	}
	f.SetLimit(len(long))
	if item, n, err := f.Next(long); err != nil || item.Kind != xmpp.StanzaItem || n != len(long) {
		t.Fatal(item, n, err)
	}
	if _, _, err := f.Next(long[:60]); err != nil {
		t.Fatal(err)
	}
	f.SetLimit(0)
	if _, _, err := f.Next(long[:60]); condition(err) != xmpp.PolicyViolation {
		t.Fatal(err)
	}
	var fresh xmpp.Framer
	if _, _, err := fresh.Next([]byte("<a b='" + strings.Repeat("x", xmpp.DefaultLimit))); condition(err) != xmpp.PolicyViolation {
		t.Fatalf("no limit by default: %v", err)
	}
}

// TestErrorsLast: nothing more is read after an error, and nothing panics.
func TestErrorsLast(t *testing.T) {
	for _, tt := range hostile {
		f := opened(t, limit)
		data := []byte(tt.in)
		for len(data) > 0 {
			item, n, err := f.Next(data)
			data = data[n:]
			if err != nil {
				if _, _, err := f.Next([]byte("<m/>")); condition(err) != xmpp.NotWellFormed {
					t.Errorf("%s: then %v", tt.name, err)
				}
			}
			if err != nil || item.Kind == xmpp.NeedMore {
				break
			}
		}
	}
}

// TestFramerIsSmall: there is one for every connection.
func TestFramerIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(xmpp.Framer{}); n > 24 {
		t.Errorf("%d bytes", n)
	}
	stream := []byte("<m><b/><c>text</c></m>")
	f := opened(t, 0)
	if n := testing.AllocsPerRun(100, func() {
		if item, _, err := f.Next(stream); item.Kind != xmpp.StanzaItem || err != nil {
			t.Fatal(item, err)
		}
	}); n != 0 {
		t.Errorf("%v allocations for a complete stanza", n)
	}
}

// fragment draws pieces of which stanzas, and what only looks like them, are made.
var fragment = rapid.SampledFrom([]string{"<m>", "</m>", "<m/>", "<a b='", "'", "\"", "/>", ">", "<", "/", "x", " ", "\n", "]", "]]>", "&amp;", "&#9;",
	"<![CDATA[", "<!--", "<?", "ü", "\xef\xbf", "\xbe", "\x00", "xmlns='u'", " xmlns:p='u'", "<p:m", "</stream:stream>", header, "="})

// TestChunksChangeNothing: any input, cut anywhere, gives the same items and the same error.
func TestChunksChangeNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := header + strings.Join(rapid.SliceOfN(fragment, 0, 30).Draw(t, "fragments"), "")
		limit := rapid.IntRange(len(header), 300).Draw(t, "limit")
		want := read(limit, in)
		var pieces []string
		for rest := in; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "piece")
			pieces = append(pieces, rest[:n])
			rest = rest[n:]
		}
		if got := read(limit, pieces...); !slices.Equal(got, want) {
			t.Fatalf("%q cut into %q: %q, want %q", in, pieces, got, want)
		}
	})
}
