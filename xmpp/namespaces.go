package xmpp

// declare binds a prefix, or the default namespace if it is empty (Namespaces in XML 1.0 sections 2 and 3). What the same
// tag has declared is in scope from scope on.
func (p *parser) declare(prefix, space span, scope int) error {
	name, uri := p.cut(prefix), p.cut(space)
	switch {
	case string(name) == "xmlns", string(uri) == nsXMLNS:
		return errBinding
	case (string(name) == "xml") != (string(uri) == NSXML):
		return errBinding
	case len(name) > 0 && len(uri) == 0:
		return errBinding
	}
	for _, i := range p.scope[scope:] {
		if string(p.cut(p.bound[i].prefix)) == string(name) {
			return errDuplicate
		}
	}
	p.scope = append(p.scope, int32(len(p.bound)))
	p.bound = append(p.bound, binding{prefix: prefix, space: space})
	return nil
}

// lookup finds what an element's prefix is bound to; none means the default namespace.
func (p *parser) lookup(prefix span) (int32, bool) {
	name := p.cut(prefix)
	for i := len(p.scope) - 1; i >= 0; i-- {
		if string(p.cut(p.bound[p.scope[i]].prefix)) == string(name) {
			return p.scope[i], true
		}
	}
	switch string(name) {
	case "":
		return clientSpace, true
	case "stream":
		return streamSpace, true
	case "xml":
		return xmlSpace, true
	}
	return 0, false
}

// spaceOf is the name of a namespace.
func (p *parser) spaceOf(i int32) []byte {
	if i < firstDeclared {
		return known[i]
	}
	return p.cut(p.bound[i].space)
}

// sameSpace reports whether two bindings are to one namespace.
func (p *parser) sameSpace(i, j int32) bool {
	return i == j || string(p.spaceOf(i)) == string(p.spaceOf(j))
}

// resolveAttrs finds the namespaces of the attributes from first on, and refuses two of one name.
func (p *parser) resolveAttrs(first int) error {
	attrs := p.attrs[first:]
	for i := range attrs {
		a := &attrs[i]
		if a.prefix.end > 0 {
			var ok bool
			if a.space, ok = p.lookup(a.prefix); !ok {
				return errPrefix
			}
		}
		for j := range attrs[:i] {
			o := &attrs[j]
			if o.name.end-o.name.off == a.name.end-a.name.off && string(p.cut(o.name)) == string(p.cut(a.name)) &&
				p.sameSpace(o.space, a.space) {
				return errDuplicate
			}
		}
	}
	return nil
}

// weigh bounds what the element of the tag just read becomes when it is written without prefixes: its declarations count as
// attributes, and a long namespace name behind a short prefix can't be made into a long stanza by using it often.
func (p *parser) weigh(space int32, first int) error {
	parent := int32(clientSpace)
	if n := len(p.open); n > 0 {
		parent = p.elems[p.open[n-1].elem].space
	}
	attrs := p.attrs[first:]
	n := len(attrs)
	if !p.sameSpace(space, parent) {
		p.spell += len(p.spaceOf(space))
		n++
	}
	for i := range attrs {
		if s := attrs[i].space; s != noSpace && s != xmlSpace {
			p.spell += len(p.spaceOf(s))
			n++
		}
	}
	switch {
	case n > MaxAttrs:
		return errAttributes
	case p.spell > maxSpell+2*len(p.buf):
		return errSpell
	}
	return nil
}

// maxSpell is how many bytes of namespace names may come out of a stanza beyond twice what came in.
const maxSpell = 16 << 10
