package xmpp

import "unicode/utf8"

// value reads an attribute's value that begins at pos and ends with quote (XML 1.0 section 3.3.3).
func (p *parser) value(pos int, quote byte) (s span, end int, err error) {
	b, start := p.buf, pos
	for class[b[pos]]&plainValue != 0 {
		pos++
	}
	to := pos // where the next byte goes
	for b[pos] != quote {
		switch c := b[pos]; c {
		case '\'', '"':
			b[to] = c
			to++
			pos++
		case '\t', '\n', '\r':
			if c == '\r' && b[pos+1] == '\n' {
				pos++
			}
			b[to] = ' '
			to++
			pos++
		default:
			if to, pos, err = p.special(to, pos); err != nil {
				return span{}, 0, err
			}
		}
		for class[b[pos]]&plainValue != 0 {
			b[to] = b[pos]
			to++
			pos++
		}
	}
	return span{uint32(start), uint32(to)}, pos + 1, nil
}

// characters reads text and CDATA sections from pos to the next tag (XML 1.0 sections 2.4 and 2.7). They become one node.
func (p *parser) characters(pos int) (end int, err error) {
	b, start := p.buf, pos
	for class[b[pos]]&plainText != 0 {
		pos++
	}
	to := pos
	for b[pos] != '<' || b[pos+1] == '!' {
		switch c := b[pos]; c {
		case '<':
			if to, pos, err = p.cdata(to, pos); err != nil {
				return 0, err
			}
		case ']':
			if b[pos+1] == ']' && b[pos+2] == '>' {
				return 0, errCDATAEnd
			}
			b[to] = c
			to++
			pos++
		default:
			if to, pos, err = p.special(to, pos); err != nil {
				return 0, err
			}
		}
		for class[b[pos]]&plainText != 0 {
			b[to] = b[pos]
			to++
			pos++
		}
	}
	if to > start {
		p.kids = append(p.kids, nodeRecord{elem: -1, text: span{uint32(start), uint32(to)}})
	}
	return pos, nil
}

// cdata copies the section at pos to to.
func (p *parser) cdata(to, pos int) (newTo, end int, err error) {
	const begin = "<![CDATA["
	b := p.buf
	if len(b)-pos < len(begin) || string(b[pos:pos+len(begin)]) != begin {
		return 0, 0, errRestricted
	}
	pos += len(begin)
	for {
		switch c := b[pos]; {
		case c == ']' && b[pos+1] == ']' && b[pos+2] == '>':
			return to, pos + 3, nil
		case class[c]&plainText != 0, c == '<', c == '&', c == ']':
			b[to] = c
			to++
			pos++
		default:
			if to, pos, err = p.special(to, pos); err != nil {
				return 0, 0, err
			}
		}
	}
}

// special copies what is not plain at pos to to: a reference, the end of a line, or a character that needs a closer look.
func (p *parser) special(to, pos int) (newTo, end int, err error) {
	b := p.buf
	switch b[pos] {
	case '&':
		return p.reference(to, pos)
	case '\r': // the end of a line is one \n (XML 1.0 section 2.11)
		if b[pos+1] != '\n' {
			b[to] = '\n'
			to++
		}
		return to, pos + 1, nil
	case 0xef: // the bytes are UTF-8, so two more follow
		if b[pos+1] == 0xbf && b[pos+2] >= 0xbe {
			return 0, 0, errChar
		}
		return to + copy(b[to:to+3], b[pos:pos+3]), pos + 3, nil
	}
	if pos == len(b)-1 {
		return 0, 0, errSyntax // the end, too soon
	}
	return 0, 0, errChar
}

// reference puts what the reference at pos stands for at to (XML 1.0 sections 4.1 and 4.6).
func (p *parser) reference(to, pos int) (newTo, end int, err error) {
	b := p.buf
	start := pos + 1
	if b[start] == '#' {
		return p.charReference(to, start+1)
	}
	end = start
	for class[b[end]]&nameByte != 0 {
		end++
	}
	if end == start || b[end] != ';' || class[b[start]]&nameStart == 0 {
		return 0, 0, errReference
	}
	var c byte
	switch string(b[start:end]) {
	case "amp":
		c = '&'
	case "lt":
		c = '<'
	case "gt":
		c = '>'
	case "apos":
		c = '\''
	case "quot":
		c = '"'
	default:
		return 0, 0, errEntity
	}
	b[to] = c
	return to + 1, end + 1, nil
}

// charReference reads a number in decimal or, behind an x, in hexadecimal.
func (p *parser) charReference(to, pos int) (newTo, end int, err error) {
	b := p.buf
	base := rune(10)
	if b[pos] == 'x' {
		base = 16
		pos++
	}
	r, start := rune(0), pos
	for ; ; pos++ {
		var d rune
		switch c := b[pos]; {
		case c >= '0' && c <= '9':
			d = rune(c - '0')
		case base == 16 && c|0x20 >= 'a' && c|0x20 <= 'f':
			d = rune(c|0x20-'a') + 10
		case c == ';' && pos > start && legal(r):
			return to + utf8.EncodeRune(b[to:], r), pos + 1, nil
		case c == ';' && pos > start:
			return 0, 0, errChar
		default:
			return 0, 0, errReference
		}
		r = min(r*base+d, utf8.MaxRune+1)
	}
}
