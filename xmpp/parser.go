package xmpp

import (
	"sync"
	"unicode/utf8"
)

// Parse reads one complete element, with nothing before or behind it, as it stands in a stream: the default namespace is
// jabber:client, and the prefixes stream and xml are known. raw may be used again once Parse has returned. The error is a
// *StreamError.
func Parse(raw []byte) (*Element, error) {
	p := newParser(raw)
	defer p.free()
	if err := p.document(); err != nil {
		return nil, err
	}
	return p.build(), nil
}

// parser is what is known of an element while it is read. It works on a copy of the bytes, in which references are
// replaced in place: what they stand for is never longer. Strings are cut out of the copy at the end, all at once.
type parser struct {
	buf   []byte // the bytes, and a zero, which is legal nowhere and so ends every scan
	elems []elemRecord
	attrs []attrRecord
	nodes []nodeRecord // the children of elements that are complete, side by side
	kids  []nodeRecord // the children so far of the open elements
	open  []openRecord
	bound []binding // namespace declarations, those out of scope included
	scope []int32   // those in scope, the innermost last
	spell int       // bytes of the namespace names that AppendXML would write
}

// span is a piece of buf.
type span struct{ off, end uint32 }

// Records refer to each other by index.
type (
	elemRecord struct {
		name       span
		space      int32  // into bound
		prefixed   uint32 // length of the prefix
		attr, node [2]int32
	}
	attrRecord struct {
		prefix, name, value span
		space               int32
	}
	nodeRecord struct {
		elem int32 // -1 for text
		text span
	}
	openRecord struct {
		elem        int32
		name        span // with its prefix
		kids, scope int32
	}
	binding struct {
		prefix, space span
	}
)

// The bindings that come from outside.
const (
	noSpace = iota
	clientSpace
	streamSpace
	xmlSpace
	firstDeclared
)

var (
	known   = [firstDeclared][]byte{nil, []byte(NSClient), []byte(NSStream), []byte(NSXML)}
	parsers = sync.Pool{New: func() any { return &parser{bound: make([]binding, firstDeclared, 8)} }}
)

// newParser borrows a parser for a copy of raw.
func newParser(raw []byte) *parser {
	p := parsers.Get().(*parser)
	p.buf = append(append(p.buf[:0], raw...), 0)
	return p
}

// keptBuffer and keptRecords are how much of its memory a parser takes back to the pool.
const (
	keptBuffer  = 16 << 10
	keptRecords = 512
)

// free gives the parser back.
func (p *parser) free() {
	if cap(p.buf) > keptBuffer || cap(p.elems) > keptRecords || cap(p.attrs) > keptRecords || cap(p.nodes) > keptRecords ||
		cap(p.kids) > keptRecords || cap(p.bound) > keptRecords {
		return
	}
	p.elems, p.attrs, p.nodes, p.kids, p.open = p.elems[:0], p.attrs[:0], p.nodes[:0], p.kids[:0], p.open[:0]
	p.bound, p.scope, p.spell = p.bound[:firstDeclared], p.scope[:0], 0
	parsers.Put(p)
}

// document reads everything.
func (p *parser) document() error {
	if err := p.checkBytes(); err != nil {
		return err
	}
	if p.buf[0] != '<' {
		return errSyntax
	}
	for pos := 0; ; {
		var err error
		switch c := p.buf[pos+1]; { // buf[pos] is '<', so that at least the zero follows
		case class[c]&nameStart != 0:
			var empty bool
			if pos, empty, err = p.startTag(pos); err == nil && empty {
				p.closeElement()
			}
		case c == '/' && len(p.open) > 0:
			pos, err = p.endTag(pos)
		case c == '!' || c == '?':
			err = errRestricted
		default:
			err = errTag
		}
		if err != nil {
			return err
		}
		if len(p.open) == 0 {
			if pos != len(p.buf)-1 {
				return errSyntax
			}
			return nil
		}
		if pos, err = p.characters(pos); err != nil {
			return err
		}
	}
}

// checkBytes refuses what is no UTF-8. Illegal characters are found where they stand.
func (p *parser) checkBytes() error {
	if !utf8.Valid(p.buf) {
		return errUTF8
	}
	return nil
}

// startTag reads the tag at pos and opens its element.
func (p *parser) startTag(pos int) (end int, empty bool, err error) {
	if len(p.open) == MaxDepth {
		return 0, false, errTooDeep
	}
	b := p.buf
	prefix, name, pos, err := p.name(pos + 1)
	if err != nil {
		return 0, false, err
	}
	first := len(p.attrs)
	scope := len(p.scope)
	count := 0
	for {
		at := pos
		for class[b[pos]]&space != 0 {
			pos++
		}
		if b[pos] == '>' {
			pos++
			break
		}
		if b[pos] == '/' && b[pos+1] == '>' {
			pos += 2
			empty = true
			break
		}
		if at == pos {
			return 0, false, errTag
		}
		if count++; count > MaxAttrs {
			return 0, false, errAttributes
		}
		if pos, err = p.attribute(pos, scope); err != nil {
			return 0, false, err
		}
	}
	if err := p.resolveAttrs(first); err != nil {
		return 0, false, err
	}
	space, ok := p.lookup(prefix)
	if !ok {
		return 0, false, errPrefix
	}
	if err := p.weigh(space, first); err != nil {
		return 0, false, err
	}
	whole := name
	if prefix.end > prefix.off {
		whole.off = prefix.off
	}
	p.open = append(p.open, openRecord{elem: int32(len(p.elems)), name: whole, kids: int32(len(p.kids)), scope: int32(scope)})
	p.elems = append(p.elems, elemRecord{name: name, space: space, prefixed: prefix.end - prefix.off,
		attr: [2]int32{int32(first), int32(len(p.attrs))}})
	return pos, empty, nil
}

// name reads a name with or without a prefix at pos.
func (p *parser) name(pos int) (prefix, local span, end int, err error) {
	b := p.buf
	local.off = uint32(pos)
	if class[b[pos]]&nameStart == 0 {
		return span{}, span{}, 0, errName
	}
	high := byte(0)
	for class[b[pos]]&nameByte != 0 {
		if b[pos] == ':' {
			if prefix.end != 0 || class[b[pos+1]]&nameStart == 0 {
				return span{}, span{}, 0, errName
			}
			prefix = span{local.off, uint32(pos)}
			local.off = uint32(pos + 1)
		}
		high |= b[pos]
		pos++
	}
	local.end = uint32(pos)
	if high >= utf8.RuneSelf && (!validName(p.cut(prefix)) || !validName(p.cut(local))) {
		return span{}, span{}, 0, errName
	}
	return prefix, local, pos, nil
}

// attribute reads the attribute at pos. What the tag declares is in scope from scope on.
func (p *parser) attribute(pos, scope int) (end int, err error) {
	b := p.buf
	prefix, name, pos, err := p.name(pos)
	if err != nil {
		return 0, err
	}
	for class[b[pos]]&space != 0 {
		pos++
	}
	if b[pos] != '=' {
		return 0, errTag
	}
	pos++
	for class[b[pos]]&space != 0 {
		pos++
	}
	if b[pos] != '\'' && b[pos] != '"' {
		return 0, errTag
	}
	value, pos, err := p.value(pos+1, b[pos])
	if err != nil {
		return 0, err
	}
	switch {
	case p.text(prefix) == "xmlns":
		return pos, p.declare(name, value, scope)
	case prefix.end == 0 && p.text(name) == "xmlns":
		return pos, p.declare(span{}, value, scope)
	}
	p.attrs = append(p.attrs, attrRecord{prefix: prefix, name: name, value: value})
	return pos, nil
}

// endTag reads the tag at pos and closes its element.
func (p *parser) endTag(pos int) (end int, err error) {
	b := p.buf
	name := p.cut(p.open[len(p.open)-1].name)
	pos += 2
	if len(b)-pos < len(name) || string(b[pos:pos+len(name)]) != string(name) {
		return 0, errEndTag
	}
	pos += len(name)
	for class[b[pos]]&space != 0 {
		pos++
	}
	if b[pos] != '>' {
		return 0, errEndTag
	}
	p.closeElement()
	return pos + 1, nil
}

// closeElement ends the innermost element: its children are complete, and it is one of its parent's.
func (p *parser) closeElement() {
	last := len(p.open) - 1
	o := p.open[last]
	first := len(p.nodes)
	p.nodes = append(p.nodes, p.kids[o.kids:]...)
	p.kids = p.kids[:o.kids]
	p.elems[o.elem].node = [2]int32{int32(first), int32(len(p.nodes))}
	p.scope = p.scope[:o.scope]
	if p.open = p.open[:last]; last > 0 {
		p.kids = append(p.kids, nodeRecord{elem: o.elem})
	}
}

// cut returns the bytes of s; text is for comparisons, for which the compiler makes no string.
func (p *parser) cut(s span) []byte  { return p.buf[s.off:s.end] }
func (p *parser) text(s span) string { return string(p.buf[s.off:s.end]) }

// build makes the tree: one piece of memory for all strings, and one each for elements, attributes and nodes.
func (p *parser) build() *Element {
	all := string(p.buf[:len(p.buf)-1])
	elems := make([]Element, len(p.elems))
	attrs := make([]Attr, len(p.attrs))
	nodes := make([]Node, len(p.nodes))
	space := func(i int32) string {
		switch i {
		case noSpace:
			return ""
		case clientSpace:
			return NSClient
		case streamSpace:
			return NSStream
		case xmlSpace:
			return NSXML
		}
		s := p.bound[i].space
		return all[s.off:s.end]
	}
	for i := range p.elems {
		r := &p.elems[i]
		e := &elems[i]
		e.Space, e.Name = space(r.space), all[r.name.off:r.name.end]
		if r.attr[1] > r.attr[0] {
			e.Attrs = attrs[r.attr[0]:r.attr[1]:r.attr[1]]
		}
		if r.node[1] > r.node[0] {
			e.Nodes = nodes[r.node[0]:r.node[1]:r.node[1]]
		}
	}
	for i := range p.attrs {
		r := &p.attrs[i]
		attrs[i] = Attr{Space: space(r.space), Name: all[r.name.off:r.name.end], Value: all[r.value.off:r.value.end]}
	}
	for i := range p.nodes {
		if r := &p.nodes[i]; r.elem >= 0 {
			nodes[i].Elem = &elems[r.elem]
		} else {
			nodes[i].Text = all[r.text.off:r.text.end]
		}
	}
	return &elems[0]
}
