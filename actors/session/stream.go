package session

import (
	"strings"

	"github.com/jackdaw-im/jackdaw/xmpp"
	"github.com/jackdaw-im/jackdaw/xmpp/sasl"
)

// Namespaces.
const (
	nsClient       = "jabber:client"
	nsSASL         = "urn:ietf:params:xml:ns:xmpp-sasl"
	nsBind         = "urn:ietf:params:xml:ns:xmpp-bind"
	nsSession      = "urn:ietf:params:xml:ns:xmpp-session"
	nsRoster       = "jabber:iq:roster"
	nsVersion      = "jabber:iq:version"
	nsDiscoInfo    = "http://jabber.org/protocol/disco#info"
	nsDiscoItems   = "http://jabber.org/protocol/disco#items"
	nsPing         = "urn:xmpp:ping"
	nsSM           = "urn:xmpp:sm:3"
	nsHints        = "urn:xmpp:hints"
	nsChatStates   = "http://jabber.org/protocol/chatstates"
	nsStanzaID     = "urn:xmpp:sid:0"
	nsStanzaErrors = "urn:ietf:params:xml:ns:xmpp-stanzas"
)

const streamEnd = "</stream:stream>"

// mechanisms are announced in this order, the best first. TLS is always there when a session is.
var mechanisms = []string{sasl.SCRAMSHA256, sasl.SCRAMSHA1, sasl.Plain}

var (
	loginFeatures = "<stream:features><mechanisms xmlns='" + nsSASL + "'><mechanism>" +
		strings.Join(mechanisms, "</mechanism><mechanism>") + "</mechanism></mechanisms></stream:features>"
	bindFeatures = "<stream:features><bind xmlns='" + nsBind + "'/><session xmlns='" + nsSession +
		"'><optional/></session><sm xmlns='" + nsSM + "'/></stream:features>"
)

// opened answers a stream header (RFC 6120 section 4.7) with our own and the features due.
func (st *state) opened(fx *effects, h xmpp.StreamHeader) {
	st.heard = fx.now
	if st.phase != opening && st.phase != reopening {
		return
	}
	st.headed = false
	st.openHeader(fx)
	switch {
	case !st.isDomain(h.To):
		st.fail(fx, xmpp.HostUnknown, "")
	case !versionOne(h.Version):
		st.fail(fx, xmpp.UnsupportedVersion, "")
	case st.phase == opening:
		st.phase = login
		fx.text(loginFeatures)
	case h.From != "" && !st.isSelf(h.From) && !st.isDomain(h.From): // some clients name the server (sendxmpp)
		st.fail(fx, xmpp.InvalidFrom, "")
	default:
		st.phase = binding
		fx.text(bindFeatures)
	}
}

// openHeader writes our stream header, once a stream. A stream error may be due before the client's header is understood.
func (st *state) openHeader(fx *effects) {
	if st.headed {
		return
	}
	st.headed = true
	fx.out = xmpp.StreamHeader{From: st.Domain, ID: st.random(), Lang: "en", Version: "1.0"}.Append(fx.out)
}

// isDomain reports whether the address is the served domain, however it is spelled.
func (st *state) isDomain(to string) bool {
	if to == st.Domain {
		return true
	}
	j, err := xmpp.ParseJID(to)
	return err == nil && j.Local == "" && j.Resource == "" && j.Domain == st.Domain
}

// versionOne reports whether a version is at least 1.0 (RFC 6120 section 4.7.5): a major and a minor number, no sign.
func versionOne(version string) bool {
	major, minor, ok := strings.Cut(version, ".")
	digits := func(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
	return ok && digits(major) && digits(minor) && strings.Trim(major, "0") != ""
}
