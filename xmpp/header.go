package xmpp

import "bytes"

// StreamHeader is what a stream begins with (RFC 6120 section 4.7). Empty fields are left out.
type StreamHeader struct {
	From, To string
	// ID is the server's name for the stream.
	ID string
	// Lang is the xml:lang of whatever says nothing else.
	Lang    string
	Version string
}

// Append appends the header, behind an XML declaration.
func (h StreamHeader) Append(dst []byte) []byte {
	dst = append(dst, "<?xml version='1.0'?><stream:stream xmlns='"+NSClient+"' xmlns:stream='"+NSStream+"'"...)
	dst = appendNonEmpty(dst, "from", h.From)
	dst = appendNonEmpty(dst, "to", h.To)
	dst = appendNonEmpty(dst, "id", h.ID)
	dst = appendNonEmpty(dst, "xml:lang", h.Lang)
	dst = appendNonEmpty(dst, "version", h.Version)
	return append(dst, '>')
}

// parseHeader reads the start tag of a stream.
func parseHeader(raw []byte) (StreamHeader, error) {
	p := newParser(raw)
	defer p.free()
	if err := p.checkBytes(); err != nil {
		return StreamHeader{}, err
	}
	if _, _, err := p.startTag(0); err != nil {
		return StreamHeader{}, err
	}
	root := &p.elems[0]
	byDefault, _ := p.lookup(span{})
	switch {
	case root.space == streamSpace:
		return StreamHeader{}, errPrefix // known to stanzas only because every header declares it
	case string(p.spaceOf(root.space)) != NSStream:
		return StreamHeader{}, errNamespace
	case root.prefixed == 0:
		return StreamHeader{}, errHeadPrefix // then the stanzas can't be in jabber:client by default
	case string(raw[1:1+root.prefixed]) != "stream":
		return StreamHeader{}, errHeadPrefix
	case p.text(root.name) != "stream":
		return StreamHeader{}, errNoStream
	case byDefault < firstDeclared || string(p.spaceOf(byDefault)) != NSClient:
		return StreamHeader{}, errNamespace
	}
	e := p.build()
	h := StreamHeader{From: e.Attr("from"), To: e.Attr("to"), ID: e.Attr("id"), Version: e.Attr("version")}
	for _, a := range e.Attrs {
		if a.Space == NSXML && a.Name == "lang" {
			h.Lang = a.Value
		}
	}
	return h, nil
}

// checkDeclaration reads an XML declaration (XML 1.0 section 2.8).
func checkDeclaration(raw []byte) error {
	rest, ok := bytes.CutPrefix(raw, []byte("<?xml"))
	if !ok || len(rest) == 0 || class[rest[0]]&space == 0 && rest[0] != '?' {
		return errRestricted // another processing instruction
	}
	rest, ok = bytes.CutSuffix(rest, []byte("?>"))
	if !ok {
		return errSyntax
	}
	names := []string{"version", "encoding", "standalone"}
	for first := true; ; first = false {
		trimmed := bytes.TrimLeft(rest, " \t\r\n")
		if len(trimmed) == 0 && !first {
			return nil
		}
		name, value, after, ok := pseudoAttr(trimmed)
		if !ok || len(trimmed) == len(rest) {
			return errSyntax
		}
		for len(names) > 0 && names[0] != name && !first {
			names = names[1:]
		}
		if len(names) == 0 || names[0] != name {
			return errSyntax
		}
		names = names[1:]
		switch {
		case name == "version" && (len(value) < 3 || value[:2] != "1." || !digits(value[2:])):
			return errSyntax
		case name == "encoding" && !bytes.EqualFold([]byte(value), []byte("utf-8")):
			return errEncoding
		case name == "standalone" && value != "yes" && value != "no":
			return errSyntax
		}
		rest = after
	}
}

// pseudoAttr reads name='value' at the beginning of b.
func pseudoAttr(b []byte) (name, value string, rest []byte, ok bool) {
	n, after, ok := bytes.Cut(b, []byte("="))
	after = bytes.TrimLeft(after, " \t\r\n")
	if !ok || len(after) < 2 || after[0] != '\'' && after[0] != '"' {
		return "", "", nil, false
	}
	v, rest, ok := bytes.Cut(after[1:], after[:1])
	return string(bytes.TrimRight(n, " \t\r\n")), string(v), rest, ok
}

func digits(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != ""
}
