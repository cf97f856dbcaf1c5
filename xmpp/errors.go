package xmpp

// StreamCondition is a defined condition of a stream error (RFC 6120 section 4.9.3).
type StreamCondition = string

// The defined conditions of stream errors.
const (
	BadFormat             StreamCondition = "bad-format"
	BadNamespacePrefix    StreamCondition = "bad-namespace-prefix"
	Conflict              StreamCondition = "conflict"
	ConnectionTimeout     StreamCondition = "connection-timeout"
	HostUnknown           StreamCondition = "host-unknown"
	InternalServerError   StreamCondition = "internal-server-error"
	InvalidFrom           StreamCondition = "invalid-from"
	InvalidNamespace      StreamCondition = "invalid-namespace"
	NotAuthorized         StreamCondition = "not-authorized"
	NotWellFormed         StreamCondition = "not-well-formed"
	PolicyViolation       StreamCondition = "policy-violation"
	Reset                 StreamCondition = "reset"
	RestrictedXML         StreamCondition = "restricted-xml"
	SeeOtherHost          StreamCondition = "see-other-host"
	SystemShutdown        StreamCondition = "system-shutdown"
	UndefinedCondition    StreamCondition = "undefined-condition"
	UnsupportedEncoding   StreamCondition = "unsupported-encoding"
	UnsupportedStanzaType StreamCondition = "unsupported-stanza-type"
	UnsupportedVersion    StreamCondition = "unsupported-version"
)

// StreamError ends a stream (RFC 6120 section 4.9). It is also the error of everything in this package that reads a stream.
// Those are shared: they must not be changed.
type StreamError struct {
	Condition StreamCondition
	// Text may explain it to a person.
	Text string
	// Extra is an application's own condition, as XML with its own namespace; it may be empty.
	Extra string
	// Host is where SeeOtherHost sends the other side (RFC 6120 section 4.9.3.19); no other condition has one.
	Host string
}

// Error implements error.
func (e *StreamError) Error() string {
	if e.Text == "" {
		return "xmpp: stream error " + e.Condition
	}
	return "xmpp: stream error " + e.Condition + ": " + e.Text
}

// Append appends <stream:error/>, without the stream's end that must follow it.
func (e *StreamError) Append(dst []byte) []byte {
	dst = append(dst, "<stream:error><"...)
	dst = append(dst, e.Condition...)
	dst = append(dst, " xmlns='"+NSStreamErrors+"'"...)
	if e.Host == "" {
		dst = append(dst, "/>"...)
	} else {
		dst = AppendEscaped(append(dst, '>'), e.Host)
		dst = append(append(append(dst, "</"...), e.Condition...), '>')
	}
	dst = appendErrorText(dst, NSStreamErrors, e.Text)
	dst = append(dst, e.Extra...)
	return append(dst, "</stream:error>"...)
}

func appendErrorText(dst []byte, space, text string) []byte {
	if text == "" {
		return dst
	}
	dst = append(dst, "<text xmlns='"...)
	dst = append(dst, space...)
	dst = append(dst, "' xml:lang='en'>"...)
	dst = AppendEscaped(dst, text)
	return append(dst, "</text>"...)
}

// StanzaError is why a stanza was refused (RFC 6120 section 8.3).
type StanzaError struct {
	// Type is what the sender can do about it: auth, cancel, continue, modify or wait.
	Type string
	// Condition is the defined condition.
	Condition string
	// Text may explain it to a person.
	Text string
}

// The stanza errors in use, with the types that RFC 6120 section 8.3.3 recommends. Copy one to add a text.
var (
	BadRequest           = StanzaError{Type: "modify", Condition: "bad-request"}
	ItemNotFound         = StanzaError{Type: "cancel", Condition: "item-not-found"}
	JIDMalformed         = StanzaError{Type: "modify", Condition: "jid-malformed"}
	NotAcceptable        = StanzaError{Type: "modify", Condition: "not-acceptable"}
	NotAllowed           = StanzaError{Type: "cancel", Condition: "not-allowed"}
	RemoteServerNotFound = StanzaError{Type: "cancel", Condition: "remote-server-not-found"}
	RemoteServerTimeout  = StanzaError{Type: "wait", Condition: "remote-server-timeout"}
	ResourceConstraint   = StanzaError{Type: "wait", Condition: "resource-constraint"}
	ServiceUnavailable   = StanzaError{Type: "cancel", Condition: "service-unavailable"}
	StanzaConflict       = StanzaError{Type: "cancel", Condition: "conflict"}
	StanzaNotAuthorized  = StanzaError{Type: "auth", Condition: "not-authorized"}
)

// Error implements error.
func (e StanzaError) Error() string {
	if e.Text == "" {
		return "xmpp: stanza error " + e.Condition
	}
	return "xmpp: stanza error " + e.Condition + ": " + e.Text
}

// Append appends <error/>, the child of a stanza of type error.
func (e StanzaError) Append(dst []byte) []byte {
	dst = append(dst, "<error type='"...)
	dst = append(dst, e.Type...)
	dst = append(dst, "'><"...)
	dst = append(dst, e.Condition...)
	dst = append(dst, " xmlns='"+NSStanzaErrors+"'/>"...)
	dst = appendErrorText(dst, NSStanzaErrors, e.Text)
	return append(dst, "</error>"...)
}

// What the reading of a stream is refused with.
var (
	errSyntax     = &StreamError{Condition: NotWellFormed, Text: "this is not XML"}
	errEncoding   = &StreamError{Condition: UnsupportedEncoding, Text: "only UTF-8 is spoken here"}
	errUTF8       = &StreamError{Condition: NotWellFormed, Text: "bytes that are not UTF-8"}
	errChar       = &StreamError{Condition: NotWellFormed, Text: "a character that XML doesn't allow"}
	errName       = &StreamError{Condition: NotWellFormed, Text: "a name that XML doesn't allow"}
	errTag        = &StreamError{Condition: NotWellFormed, Text: "a malformed tag"}
	errEndTag     = &StreamError{Condition: NotWellFormed, Text: "an end tag that doesn't match"}
	errDuplicate  = &StreamError{Condition: NotWellFormed, Text: "an attribute is given twice"}
	errPrefix     = &StreamError{Condition: NotWellFormed, Text: "a prefix that isn't declared"}
	errBinding    = &StreamError{Condition: NotWellFormed, Text: "a namespace declaration that isn't allowed"}
	errReference  = &StreamError{Condition: NotWellFormed, Text: "a malformed reference"}
	errCDATAEnd   = &StreamError{Condition: NotWellFormed, Text: "']]>' in text"}
	errAfterEnd   = &StreamError{Condition: NotWellFormed, Text: "more after the end of the stream"}
	errBare       = &StreamError{Condition: BadFormat, Text: "text between stanzas"}
	errNested     = &StreamError{Condition: BadFormat, Text: "a stream header inside a stream"}
	errNoStream   = &StreamError{Condition: BadFormat, Text: "the first element must be an open stream header"}
	errNamespace  = &StreamError{Condition: InvalidNamespace, Text: "the stream must be of " + NSStream + " with the default namespace " + NSClient}
	errHeadPrefix = &StreamError{Condition: BadNamespacePrefix, Text: "the prefix of a stream must be stream"}
	errRestricted = &StreamError{Condition: RestrictedXML, Text: "comments, processing instructions and DTDs are not allowed"}
	errEntity     = &StreamError{Condition: RestrictedXML, Text: "an entity that isn't predefined"}
	errTooLong    = &StreamError{Condition: PolicyViolation, Text: "the stanza is too long"}
	errTooDeep    = &StreamError{Condition: PolicyViolation, Text: "elements are nested too deep"}
	errSpell      = &StreamError{Condition: PolicyViolation, Text: "too long namespaces, used too often"}
	errAttributes = &StreamError{Condition: PolicyViolation, Text: "too many attributes"}
)
