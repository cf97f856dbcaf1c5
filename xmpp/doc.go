// Package xmpp is the codec of XMPP's wire format: bytes to stanzas and back, addresses, and the errors of streams and
// stanzas (RFC 6120, RFC 7622). It is pure: no sockets, goroutines, clock or logging, and no input makes it panic.
//
// Reading takes two steps. A Framer cuts the bytes of a stream into its header, its first-level children and its end; it
// holds no buffer, so that a connection between two stanzas costs next to nothing. Parse turns one complete child into a
// tree of Elements, which owns its strings.
//
//	item, n, err := framer.Next(data) // data: what was left last time, and what came since
//	data = data[n:]
//	if item.Kind == xmpp.StanzaItem {
//		stanza, err := xmpp.Parse(item.Raw)
//		...
//	}
//
// Both are strict: XML 1.0 and Namespaces in XML 1.0 as far as RFC 6120 section 11 allows them, with bounds on size, depth
// and attributes. Whatever they refuse is an error of type *StreamError that can be sent to the other side as it is. How
// the input is cut into pieces changes neither the stanzas nor the error.
//
// Each stanza is read by itself: inside it the prefixes known from outside are stream and xml, and the default namespace is
// jabber:client, which every stream header is made to declare. Other prefixes that a header declares are not known to the
// stanzas, and one that uses them without declaring them itself is refused. What is taken from a stanza and written again is
// thereby complete in itself. The stream must have the prefix stream, as RFC 6120 section 4.8.5 allows to demand.
//
// Writing appends to a caller's buffer. Elements are written without prefixes, under the default namespace of wherever they
// go, and come out of Parse again as they were.
package xmpp
