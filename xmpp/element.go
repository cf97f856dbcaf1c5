package xmpp

import "strings"

// Element is one XML element with all that is in it. It owns its strings; they share one piece of memory, so that keeping
// any of them keeps the whole stanza. An Element belongs to one goroutine at a time. Its methods that only read allow nil,
// which is an element with nothing in it.
type Element struct {
	// Space is the name of the namespace, whatever prefix stood for it, and Name the local name.
	Space, Name string
	// Attrs are the attributes without namespace declarations, in the order of the document.
	Attrs []Attr
	// Nodes are text and elements, in the order of the document. No text is empty, and no two stand side by side.
	Nodes []Node
}

// Attr is one attribute. Space is empty unless its name has a prefix.
type Attr struct{ Space, Name, Value string }

// Node is a child of an element: another element, or text if Elem is nil.
type Node struct {
	Elem *Element
	Text string
}

// Attr returns the value of the attribute with this name and no namespace, or "" if there is none.
func (e *Element) Attr(name string) string {
	if e == nil {
		return ""
	}
	for i := range e.Attrs {
		if a := &e.Attrs[i]; a.Name == name && a.Space == "" {
			return a.Value
		}
	}
	return ""
}

// Child returns the first child element with this name, or nil.
func (e *Element) Child(space, name string) *Element {
	if e == nil {
		return nil
	}
	for _, n := range e.Nodes {
		if n.Elem != nil && n.Elem.Name == name && n.Elem.Space == space {
			return n.Elem
		}
	}
	return nil
}

// First returns the first child element, or nil.
func (e *Element) First() *Element {
	if e == nil {
		return nil
	}
	for _, n := range e.Nodes {
		if n.Elem != nil {
			return n.Elem
		}
	}
	return nil
}

// Text returns the element's own text, without that of its children.
func (e *Element) Text() string {
	if e == nil {
		return ""
	}
	text, more := "", false
	for _, n := range e.Nodes {
		switch {
		case n.Elem != nil:
		case text != "":
			more = true
		default:
			text = n.Text
		}
	}
	if !more {
		return text
	}
	var b strings.Builder
	for _, n := range e.Nodes {
		if n.Elem == nil {
			b.WriteString(n.Text)
		}
	}
	return b.String()
}
