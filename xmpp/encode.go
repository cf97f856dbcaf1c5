package xmpp

import (
	"strconv"
	"unicode/utf8"
)

// AppendXML appends the element as XML that means the same wherever parent is the default namespace. Prefixes are not kept:
// each element whose namespace isn't its parent's declares it. Names are written as they are, and must be ones that Parse
// gives out or constants of the program; all else is escaped.
func (e *Element) AppendXML(dst []byte, parent string) []byte {
	prefix, inner := "", e.Space
	if e.Space == NSXML { // which nothing but its own prefix may be bound to
		prefix, inner = "xml:", parent
	}
	dst = append(append(append(dst, '<'), prefix...), e.Name...)
	if inner != parent {
		dst = appendAttr(dst, "xmlns", inner)
	}
	for i := range e.Attrs {
		dst = e.appendAttr(dst, i)
	}
	if len(e.Nodes) == 0 {
		return append(dst, "/>"...)
	}
	dst = append(dst, '>')
	for _, n := range e.Nodes {
		if n.Elem != nil {
			dst = n.Elem.AppendXML(dst, inner)
		} else {
			dst = appendText(dst, n.Text)
		}
	}
	dst = append(append(append(dst, "</"...), prefix...), e.Name...)
	return append(dst, '>')
}

// appendAttr appends attribute i. One in a namespace gets a prefix, which the first of its namespace declares.
func (e *Element) appendAttr(dst []byte, i int) []byte {
	a := &e.Attrs[i]
	switch a.Space {
	case "":
		return appendAttr(dst, a.Name, a.Value)
	case NSXML:
		dst = append(dst, " xml:"...)
	default:
		first := 0
		for e.Attrs[first].Space != a.Space {
			first++
		}
		if first == i {
			dst = append(dst, " xmlns:n"...)
			dst = strconv.AppendInt(dst, int64(first), 10)
			dst = append(dst, "='"...)
			dst = append(AppendEscaped(dst, a.Space), '\'')
		}
		dst = append(dst, " n"...)
		dst = strconv.AppendInt(dst, int64(first), 10)
		dst = append(dst, ':')
	}
	dst = append(dst, a.Name...)
	dst = append(dst, "='"...)
	return append(AppendEscaped(dst, a.Value), '\'')
}

// appendAttr appends an attribute without namespace, also if its value is empty.
func appendAttr(dst []byte, name, value string) []byte {
	dst = append(dst, ' ')
	dst = append(dst, name...)
	dst = append(dst, "='"...)
	return append(AppendEscaped(dst, value), '\'')
}

// AppendEscaped appends s so that it stands for itself as text and as the value of an attribute in either quotes. Whatever
// XML can't express, bytes that are no UTF-8 and most control characters, becomes U+FFFD.
func AppendEscaped(dst []byte, s string) []byte { return appendEscaped(dst, s, outAny) }

// appendText is AppendEscaped for text only: quotes and line ends needn't be escaped there.
func appendText(dst []byte, s string) []byte { return appendEscaped(dst, s, outText) }

// appendEscaped copies runs of what is plain, and escapes the rest.
func appendEscaped(dst []byte, s string, plain uint8) []byte {
	done := 0
	for i := 0; i < len(s); {
		c := s[i]
		if class[c]&plain != 0 {
			i++
			continue
		}
		n, with := 1, ""
		switch c {
		case '&':
			with = "&amp;"
		case '<':
			with = "&lt;"
		case '>':
			with = "&gt;"
		case '\'':
			with = "&apos;"
		case '"':
			with = "&quot;"
		case '\t':
			with = "&#9;"
		case '\n':
			with = "&#10;"
		case '\r':
			with = "&#13;"
		default:
			var r rune
			r, n = utf8.DecodeRuneInString(s[i:])
			if legal(r) && (r != utf8.RuneError || n > 1) {
				i += n
				continue
			}
			with = "\ufffd"
		}
		dst = append(dst, s[done:i]...)
		dst = append(dst, with...)
		i += n
		done = i
	}
	return append(dst, s[done:]...)
}
