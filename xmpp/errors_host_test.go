package xmpp

import "testing"

// TestSeeOtherHost is RFC 6120 section 4.9.3.19: the host stands in the condition, whatever is in it.
func TestSeeOtherHost(t *testing.T) {
	for host, want := range map[string]string{
		"":                   "<stream:error><see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
		"[2001:db8::1]:5222": "<stream:error><see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>[2001:db8::1]:5222</see-other-host></stream:error>",
		"<a>":                "<stream:error><see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>&lt;a&gt;</see-other-host></stream:error>",
	} {
		if got := string((&StreamError{Condition: SeeOtherHost, Host: host}).Append(nil)); got != want {
			t.Errorf("%q: %s", host, got)
		}
	}
}
