//go:build linux

package interop

import (
	"fmt"
	"slices"
	"testing"
)

// texts are bodies that have been spoilt on their way by one server or another.
var texts = []string{
	"plain",
	"Grüße aus Köln: äöüß, ½ €",
	"Привет, γειά σου, 世界, こんにちは, 안녕하세요",
	"👋🏽 🎉 🇪🇺 👩‍👩‍👧‍👦",
	`<b>1 < 2 && "3" > '2'</b> &amp; &lt; ]]>`,
}

// TestMessages: each client talks with this module's client, and with slixmpp, both ways.
func TestMessages(t *testing.T) {
	peers := map[string]func(testing.TB, login) *session{"jackdaw": startGoClient, "slixmpp": startSlixmpp}
	each(t, func(t *testing.T, k *kind) {
		for name, startPeer := range peers {
			k.test(t, "with-"+name, func(t *testing.T) {
				peer := startPeer(t, shared.login(t, true))
				peer.awaitEvent(online, 1)
				l := shared.login(t, false)
				l.to = peer.jid
				s := k.start(t, l)
				s.awaitEvent(online, 1)
				converse(t, s, peer)
				if _, lacks := k.lacks[receives]; !lacks {
					converse(t, peer, s)
				}
				s.mustQuit()
			}, sends, receives)
		}
	})
}

// converse sends all texts one way.
func converse(t *testing.T, from, to *session) {
	t.Helper()
	for i, text := range texts {
		from.mustSend(message{to: to.jid, id: fmt.Sprint("text", i), body: text})
	}
	if got := to.awaitBodies(len(texts)); !slices.Equal(got, texts) {
		t.Errorf("from %s to %s:\ngot    %q\nwanted %q", from.name, to.name, got, texts)
	}
	for _, e := range to.events() {
		if e.kind == incoming && bare(e.from) != from.jid {
			t.Errorf("%s shows %s as the sender, wanted %s", to.name, e.from, from.jid)
		}
	}
}

// TestReceipts: a client that asks for a receipt gets it, and a client that is asked for one gives it (XEP-0184).
func TestReceipts(t *testing.T) {
	each(t, func(t *testing.T, k *kind) {
		converse := func(t *testing.T) (s, peer *session) {
			peer = startGoClient(t, shared.login(t, true))
			peer.awaitEvent(online, 1)
			l := shared.login(t, false)
			l.to = peer.jid
			s = k.start(t, l)
			s.awaitEvent(online, 1)
			return s, peer
		}
		k.test(t, "asks", func(t *testing.T) {
			s, peer := converse(t)
			s.mustSend(message{to: peer.jid, id: "asked", body: "did you get it? ✓", request: true})
			sent := peer.awaitEvent(incoming, 1)
			if got := s.awaitEvent(receipt, 1); got.id != sent.id || bare(got.from) != peer.jid {
				t.Errorf("a receipt for %q from %s, wanted one for %q from %s", got.id, got.from, sent.id, peer.jid)
			}
			s.mustQuit()
		}, asksReceipt)
		k.test(t, "answers", func(t *testing.T) {
			s, peer := converse(t)
			peer.mustSend(message{to: s.jid, id: "wanted", body: "say that you got it ✓", request: true})
			s.awaitEvent(incoming, 1)
			if got := peer.awaitEvent(receipt, 1); got.id != "wanted" || bare(got.from) != s.jid {
				t.Errorf("a receipt for %q from %s, wanted one for %q from %s", got.id, got.from, "wanted", s.jid)
			}
			s.mustQuit()
		}, answersReceipt)
	})
}
