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

// spaceOf is the name of a namespace. The string is not to be kept.
func (p *parser) spaceOf(i int32) string {
	if i < firstDeclared {
		return p.bound[i].known
	}
	return p.text(p.bound[i].space)
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
				(o.space == a.space || o.space != noSpace && a.space != noSpace && p.spaceOf(o.space) == p.spaceOf(a.space)) {
				return errDuplicate
			}
		}
	}
	return nil
}
