package xmpp

import "unicode/utf8"

// Classes of bytes. A byte over 0x7f counts as part of a name until validName has looked at the character.
const (
	nameStart  = 1 << iota // may begin a name; the colon isn't among them
	nameByte               // may go on a name, the colon included
	space                  // white space
	plainText              // stands for itself in text
	plainValue             // stands for itself in an attribute's value
	plainTag               // neither ends a tag nor begins a value
	outText                // needs no escape in text that is written
	outAny                 // needs no escape wherever it is written
)

// class says what each byte can be. Zero has no class: it ends every scan, and so serves as a sentinel.
var class = classes()

func classes() (t [256]uint8) {
	const plain, out = plainText | plainValue | plainTag, outText | outAny
	for c := ' '; c < 0x80; c++ {
		t[c] = plain | out
	}
	for c := 0x80; c < 0x100; c++ {
		t[c] = plain | nameStart | nameByte
	}
	for c := 'a'; c <= 'z'; c++ {
		t[c] |= nameStart | nameByte
		t[c-'a'+'A'] |= nameStart | nameByte
	}
	for c := '0'; c <= '9'; c++ {
		t[c] |= nameByte
	}
	t['_'] |= nameStart | nameByte
	t['-'] |= nameByte
	t['.'] |= nameByte
	t[':'] |= nameByte
	t[' '] |= space
	t['/'] &^= plainTag
	t['\t'] = space | plainText | plainTag | outText
	t['\n'] = space | plainText | plainTag | outText
	t['\r'] = space | plainTag
	t['&'], t['<'] = plainTag, 0
	t['>'] = plainText | plainValue
	t[']'] &^= plainText
	t['\''] = plainText | outText
	t['"'] = plainText | outText
	t[0xef] &^= plainText | plainValue // begins U+FFFE and U+FFFF
	return t
}

// legal reports whether XML allows the character (XML 1.0 section 2.2).
func legal(r rune) bool {
	switch {
	case r < ' ':
		return r == '\t' || r == '\n' || r == '\r'
	case r >= 0xd800 && r < 0xe000, r == 0xfffe, r == 0xffff:
		return false
	}
	return r <= utf8.MaxRune
}

// nameRanges are the characters over U+007F that may begin a name (XML 1.0 section 2.3).
var nameRanges = [][2]rune{
	{0xc0, 0xd6}, {0xd8, 0xf6}, {0xf8, 0x2ff}, {0x370, 0x37d}, {0x37f, 0x1fff}, {0x200c, 0x200d}, {0x2070, 0x218f},
	{0x2c00, 0x2fef}, {0x3001, 0xd7ff}, {0xf900, 0xfdcf}, {0xfdf0, 0xfffd}, {0x10000, 0xeffff},
}

func nameRune(r rune, first bool) bool {
	for _, n := range nameRanges {
		if r >= n[0] && r <= n[1] {
			return true
		}
	}
	return !first && (r == 0xb7 || r >= 0x300 && r <= 0x36f || r >= 0x203f && r <= 0x2040)
}

// validName looks at the characters over U+007F of a local name or a prefix. The others have been looked at.
func validName(b []byte) bool {
	for i := 0; i < len(b); {
		if b[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, n := utf8.DecodeRune(b[i:])
		if !nameRune(r, i == 0) {
			return false
		}
		i += n
	}
	return true
}
