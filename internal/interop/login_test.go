//go:build linux

package interop

import "testing"

// TestLogin: each client logs in over TLS, however it starts, with a certificate of an authority that it trusts; and doesn't where it
// trusts another authority only.
func TestLogin(t *testing.T) {
	each(t, func(t *testing.T, k *kind) {
		for name, direct := range map[string]bool{"starttls": false, "direct": true} {
			tested := starttls
			if direct {
				tested = directTLS
			}
			k.test(t, name, func(t *testing.T) {
				s := k.start(t, shared.login(t, direct))
				if e := s.awaitEvent(online, 1); bare(e.from) != s.jid {
					t.Errorf("online as %s, wanted %s", e.from, s.jid)
				}
				s.mustQuit()
			}, tested)
			k.test(t, name+"-stranger", func(t *testing.T) {
				l := shared.login(t, direct)
				l.ca = shared.strangerCA
				s := k.start(t, l)
				s.awaitEvent(failed, 1)
				for _, e := range s.events() {
					if e.kind == online {
						t.Error("online all the same")
					}
				}
			}, refusesStranger, tested)
		}
	})
}
