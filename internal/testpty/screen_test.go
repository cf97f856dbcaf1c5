package testpty

import (
	"slices"
	"strings"
	"testing"
)

func TestScreen(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"text", "ab\r\ncd", "ab|cd|"},
		{"no wrapping", "abcdefgh", "abcdef||"},
		{"scrolling", "a\r\nb\r\nc\r\nd", "b|c|d"},
		{"home", "abc\x1b[Hx", "xbc||"},
		{"rest of the line", "abc\x1b[Hx\x1b[K", "x||"},
		{"all below", "abc\r\ndef\x1b[Hx\x1b[J", "x||"},
		{"everything", "abc\r\ndef\x1b[2J", "||"},
		{"colours", "\x1b[0;7ma\x1b[mb\x1b[1mc", "abc||"},
		{"letters", "é例", "é例||"},
	} {
		s := NewScreen(6, 3)
		for i := range len(c.in) { // in pieces
			_, _ = s.Write([]byte{c.in[i]})
		}
		if got := strings.Join(s.Lines(), "|"); got != c.want || len(s.Unknown) > 0 {
			t.Errorf("%s: %q, want %q; unknown %q", c.name, got, c.want, s.Unknown)
		}
	}
	s := NewScreen(6, 3)
	_, _ = s.Write([]byte("x\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[5;5Hy\x1bc"))
	if !s.Alternate || s.Cursor || !slices.Equal(s.Unknown, []string{"5;5H", "\x1bc"}) {
		t.Errorf("%+v", s)
	}
	_, _ = s.Write([]byte("\x1b[?25h\x1b[?1049l"))
	if s.Alternate || !s.Cursor || s.Lines()[0] != "x" {
		t.Errorf("%+v", s)
	}
	s.Resize(3, 2)
	if got := s.Lines(); !slices.Equal(got, []string{"x", ""}) {
		t.Errorf("%q", got)
	}
}
