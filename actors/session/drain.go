package session

import "github.com/jackdaw-im/jackdaw/xmpp"

// Drain is cast by the gateway when the client is to leave this node, which is about to stop. A stream that can be resumed stays
// where it is until then, for a session of another node to fetch.
type Drain struct {
	// Host is where the client should go, a host name or an address with an optional port (RFC 6120 section 4.9.3.19); an IPv6
	// address stands in brackets. Empty: wherever it finds a server.
	Host string
}

// drain sends the client away. One that can't resume gets the outcomes of what it sent first.
func (st *state) drain(fx *effects, d Drain) {
	if !st.live() || st.phase == closing {
		return
	}
	end := &xmpp.StreamError{Condition: xmpp.SystemShutdown}
	if d.Host != "" {
		end = &xmpp.StreamError{Condition: xmpp.SeeOtherHost, Host: d.Host}
	}
	if !st.resuming && (st.phase != bound || !st.sm.resumable) {
		st.wind(fx, end.Append(nil))
		return
	}
	st.openHeader(fx)
	if st.sm.on {
		st.writeAnswer(fx)
	}
	fx.out = end.Append(fx.out)
	fx.text(streamEnd)
	fx.close = true
	st.lost(fx)
}
