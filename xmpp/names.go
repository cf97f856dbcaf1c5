package xmpp

// Namespaces of the core protocol. Those of extensions belong to the packages that speak them.
const (
	// NSClient is the content namespace of streams between client and server.
	NSClient = "jabber:client"
	// NSStream is the namespace of the stream header, features and stream errors.
	NSStream = "http://etherx.jabber.org/streams"
	// NSStreamErrors is the namespace of stream error conditions (RFC 6120 section 4.9.2).
	NSStreamErrors = "urn:ietf:params:xml:ns:xmpp-streams"
	// NSStanzaErrors is the namespace of stanza error conditions (RFC 6120 section 8.3.2).
	NSStanzaErrors = "urn:ietf:params:xml:ns:xmpp-stanzas"
	// NSTLS is the namespace of STARTTLS (RFC 6120 section 5).
	NSTLS = "urn:ietf:params:xml:ns:xmpp-tls"
	// NSSASL is the namespace of authentication (RFC 6120 section 6).
	NSSASL = "urn:ietf:params:xml:ns:xmpp-sasl"
	// NSDelay is the namespace of the time at which a message was taken (XEP-0203).
	NSDelay = "urn:xmpp:delay"
	// NSXML is what the prefix xml is always bound to.
	NSXML = "http://www.w3.org/XML/1998/namespace"

	nsXMLNS = "http://www.w3.org/2000/xmlns/"
)
