package xmpp

import "bytes"

// Bounds of what is read. A Framer's limit of bytes can be changed.
const (
	// MaxDepth is how deep elements may be nested, a stanza being 1.
	MaxDepth = 64
	// MaxAttrs is how many attributes and namespace declarations one element may have.
	MaxAttrs = 64
	// DefaultLimit is how many bytes one stanza or stream header may have if SetLimit says nothing else.
	DefaultLimit = 256 << 10
)

// Kind is what a Framer has found.
type Kind uint8

// The kinds of Items.
const (
	// NeedMore: no item is complete.
	NeedMore Kind = iota
	// StreamOpen is a stream header.
	StreamOpen
	// StreamClose is the end tag of the stream.
	StreamClose
	// StanzaItem is a complete first-level child of the stream.
	StanzaItem
)

// Item is one piece of a stream.
type Item struct {
	Kind Kind
	// Raw is the bytes of a stanza, within the data given to Next.
	Raw []byte
	// Header is set with StreamOpen. It owns its strings.
	Header StreamHeader
}

// Framer cuts a stream into items. The zero value expects the beginning of a stream. It keeps no bytes, but remembers how
// far into an incomplete item it has looked, so that nothing is looked at twice. It isn't safe for concurrent use.
type Framer struct {
	open    *[MaxDepth]uint32 // where the names of the open elements begin; only while an item is incomplete
	scanned uint32            // how much of the incomplete item was looked at
	mark    uint32            // where the name of the end tag at hand begins
	limit   uint32            // 0 means DefaultLimit
	phase   phase
	state   state
	depth   uint8
	matched uint8 // how many bytes of "[CDATA[", or of the "]]" before '>', were just seen
}

// phase is where in the stream the framer is, state where in its markup.
type (
	phase uint8
	state uint8
)

const (
	fresh    phase = iota // an XML declaration may come
	declared              // the header must come
	streaming
	closed
)

const (
	inText state = iota
	afterLess
	inTag
	inApos
	inQuot
	afterSlash
	inEndTag
	afterBang
	inCDATA
	inDeclaration
)

// SetLimit bounds the bytes of one stanza or header from now on, at least 1.
func (f *Framer) SetLimit(n int) { f.limit = uint32(min(max(n, 1), 1<<31-1)) }

// Reset makes the framer expect the beginning of a stream (RFC 6120 section 4.3.3). The limit stays.
func (f *Framer) Reset() { *f = Framer{limit: f.limit} }

// Next finds the first item in data and returns how many bytes it took, with white space before it. Data must begin with
// what the calls before did not take, and go on with what came since. NeedMore may take bytes, too. After an error, which
// is a *StreamError, the stream can't be read on.
func (f *Framer) Next(data []byte) (Item, int, error) {
	item, n, err := f.next(data)
	if err != nil {
		*f = Framer{limit: f.limit, phase: closed}
	}
	return item, n, err
}

func (f *Framer) next(data []byte) (item Item, n int, err error) {
	limit := int(f.limit)
	if limit == 0 {
		limit = DefaultLimit
	}
	for {
		if f.scanned == 0 {
			for n < len(data) && class[data[n]]&space != 0 {
				n++
			}
			if n == len(data) {
				return Item{}, n, nil
			}
			if err := f.begin(data[n]); err != nil {
				return Item{}, n, err
			}
		}
		window := data[n:min(len(data), n+limit)]
		kind, end, err := f.scan(window)
		switch {
		case err != nil:
			return Item{}, n, err
		case end == 0 && len(data)-n > limit:
			return Item{}, n, errTooLong
		case end == 0:
			return Item{}, n, nil
		case kind == NeedMore:
			if err := checkDeclaration(window[:end]); err != nil {
				return Item{}, n, err
			}
			f.phase, f.state, f.scanned = declared, inText, 0
			n += end
			continue
		}
		f.open, f.scanned, f.state = nil, 0, inText
		item, err := f.item(kind, window[:end])
		return item, n + end, err
	}
}

// begin looks at the first byte of what may become an item.
func (f *Framer) begin(c byte) error {
	switch {
	case c == '<' && f.phase != closed:
		return nil
	case f.phase == closed:
		return errAfterEnd
	case f.phase == streaming:
		return errBare
	case c == 0, c == 0xfe, c == 0xff: // UTF-16 or UTF-32, with or without its mark
		return errEncoding
	}
	return errSyntax
}

// item makes the item of a kind.
func (f *Framer) item(kind Kind, raw []byte) (Item, error) {
	switch kind {
	case StreamOpen:
		h, err := parseHeader(raw)
		if err != nil {
			return Item{}, err
		}
		f.phase = streaming
		return Item{Kind: StreamOpen, Header: h}, nil
	case StreamClose:
		f.phase = closed
		return Item{Kind: StreamClose}, nil
	}
	return Item{Kind: kind, Raw: raw}, nil
}

// scan goes on through an item, which begins with w. It returns the kind and the end of a complete one; the end of an XML
// declaration comes with NeedMore.
func (f *Framer) scan(w []byte) (kind Kind, end int, err error) {
	var room [MaxDepth]uint32
	open := &room
	if f.open != nil {
		open = f.open
	}
	for i := int(f.scanned); i < len(w); i++ {
		switch c := w[i]; f.state {
		case inText:
			if i = next(w, i, '<'); i < len(w) {
				f.state = afterLess
			}
		case afterLess:
			if err := f.afterLess(c); err != nil {
				return 0, 0, err
			}
			f.mark = uint32(i + 1)
			if f.state == inTag {
				if f.depth == MaxDepth {
					return 0, 0, errTooDeep
				}
				open[f.depth] = uint32(i)
				f.depth++
			}
		case inTag:
			for class[c]&plainTag != 0 && i+1 < len(w) {
				i++
				c = w[i]
			}
			if c == '>' {
				if f.phase != streaming {
					f.depth = 0
					return StreamOpen, i + 1, nil
				}
				if f.depth == 1 && nameAt(w[open[0]:], len(streamName)) == streamName {
					return 0, 0, errNested
				}
				f.state = inText
			} else if err := f.inTag(c); err != nil {
				return 0, 0, err
			}
		case inApos, inQuot:
			for class[c]&plainValue != 0 && i+1 < len(w) {
				i++
				c = w[i]
			}
			switch {
			case c == '<':
				return 0, 0, errTag
			case c == '\'' && f.state == inApos, c == '"' && f.state == inQuot:
				f.state = inTag
			}
		case afterSlash:
			if c != '>' {
				return 0, 0, errTag
			}
			f.depth--
			switch {
			case f.phase != streaming:
				return 0, 0, errNoStream
			case f.depth == 0:
				return StanzaItem, i + 1, nil
			}
			f.state = inText
		case inEndTag:
			if i = next(w, i, '>'); i == len(w) {
				break
			}
			if kind, err := f.endTag(w[:i], open); kind != NeedMore || err != nil {
				return kind, i + 1, err
			}
			f.state = inText
		case afterBang:
			if err := f.afterBang(c); err != nil {
				return 0, 0, err
			}
		case inCDATA:
			switch {
			case c == ']':
				f.matched = min(f.matched+1, 2)
			case c == '>' && f.matched == 2:
				f.state = inText
			default:
				f.matched = 0
				i = next(w, i, ']') - 1
			}
		case inDeclaration:
			if c == '>' {
				return NeedMore, i + 1, nil
			}
		}
	}
	if f.depth > 0 && f.open == nil {
		saved := *open
		f.open = &saved
	}
	f.scanned = max(f.scanned, uint32(len(w)))
	return NeedMore, 0, nil
}

// next is the index of the first c in w from i on, or the length of w.
func next(w []byte, i int, c byte) int {
	if j := bytes.IndexByte(w[i:], c); j >= 0 {
		return i + j
	}
	return len(w)
}

// endTag ends the innermost element, or the stream. The tag is at the end of w, without its '>'.
func (f *Framer) endTag(w []byte, open *[MaxDepth]uint32) (Kind, error) {
	name := w[f.mark:]
	for len(name) > 0 && class[name[len(name)-1]]&space != 0 {
		name = name[:len(name)-1]
	}
	if f.depth == 0 {
		if string(name) == streamName {
			return StreamClose, nil
		}
		return 0, errEndTag
	}
	f.depth--
	switch {
	case nameAt(w[open[f.depth]:], len(name)) != string(name):
		return 0, errEndTag
	case f.depth == 0:
		return StanzaItem, nil
	}
	return NeedMore, nil
}

// streamName is the name of the stream's own tags.
const streamName = "stream:stream"

// nameAt returns the name at the beginning of b if it has n bytes.
func nameAt(b []byte, n int) string {
	if len(b) <= n || class[b[n]]&nameByte != 0 {
		return ""
	}
	return string(b[:n])
}

// afterLess looks at the byte after '<'.
func (f *Framer) afterLess(c byte) error {
	switch {
	case class[c]&nameStart != 0:
		f.state = inTag
	case c == '/' && f.phase == streaming:
		f.state = inEndTag
	case c == '!':
		f.state, f.matched = afterBang, 0
	case c == '?' && f.phase == fresh:
		f.state = inDeclaration
	case c == '?':
		return errRestricted
	case c == 0 && f.phase != streaming: // "<" in UTF-16
		return errEncoding
	default:
		return errTag
	}
	return nil
}

// inTag looks at a byte of a start tag that is not plain there, but for '>'.
func (f *Framer) inTag(c byte) error {
	switch c {
	case '\'':
		f.state = inApos
	case '"':
		f.state = inQuot
	case '/':
		f.state = afterSlash
	default:
		if class[c]&plainTag == 0 {
			return errTag
		}
	}
	return nil
}

// afterBang looks for the rest of "<![CDATA[".
func (f *Framer) afterBang(c byte) error {
	const cdata = "[CDATA["
	switch {
	case c == cdata[f.matched]:
		f.matched++
	case f.matched > 0, c == '-', class[c]&nameStart != 0:
		return errRestricted
	default:
		return errTag
	}
	switch {
	case f.matched < uint8(len(cdata)):
		return nil
	case f.phase != streaming:
		return errSyntax
	case f.depth == 0:
		return errBare
	}
	f.state, f.matched = inCDATA, 0
	return nil
}
