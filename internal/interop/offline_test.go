//go:build linux

package interop

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// waitingMessages is how many messages wait for a client that is offline.
const waitingMessages = 20

// TestOffline: what was sent while a client was offline arrives when it logs in, all of it, once, in order. Nothing of it comes again
// at the next login.
func TestOffline(t *testing.T) {
	each(t, func(t *testing.T, k *kind) {
		k.test(t, "managed", func(t *testing.T) { offlineInTurn(t, k, false) }, offlineInOrder)
		if k.switchable {
			k.test(t, "unmanaged", func(t *testing.T) { offlineInTurn(t, k, true) }, offlineInOrder)
		}
	})
}

func offlineInTurn(t *testing.T, k *kind, unmanaged bool) {
	peer := startGoClient(t, shared.login(t, true))
	peer.awaitEvent(online, 1)
	l := shared.login(t, false)
	l.unmanaged = unmanaged
	var wanted []string
	for i := range waitingMessages {
		wanted = append(wanted, fmt.Sprintf("%d. während du weg warst 💤", i+1))
		peer.mustSend(message{to: l.jid, id: fmt.Sprint("offline", i), body: wanted[i]})
	}
	peer.settle()

	first := k.start(t, l)
	first.awaitEvent(online, 1)
	if got := first.awaitBodies(len(wanted)); !slices.Equal(got, wanted) {
		t.Fatalf("the first login got %q", got)
	}
	last := "nach den anderen"
	peer.mustSend(message{to: l.jid, id: "last", body: last})
	if got := first.awaitBodies(len(wanted) + 1); !slices.Equal(got, append(slices.Clone(wanted), last)) {
		t.Fatalf("the first login got %q", got)
	}
	poll(t, "the client to acknowledge the last message", func() bool { return k.acknowledged(first.log(), last, unmanaged) })
	if k.hasty {
		// It answers in turn: with this answer, the one to the server has been sent.
		peer.request(first.awaitEvent(online, 1).from)
	}
	first.mustQuit()

	second := k.start(t, l)
	second.awaitEvent(online, 1)
	fresh := "ein neuer Tag 🌅"
	peer.mustSend(message{to: l.jid, id: "fresh", body: fresh})
	// What is left over from before would come before this.
	if got := second.awaitBodies(1); !slices.Equal(got, []string{fresh}) {
		t.Fatalf("the second login got %q", got)
	}
	second.mustQuit()
}

// acknowledged says whether a client's log shows that it has acknowledged the message with this body. A client that leaves before may
// get the message again.
func (k *kind) acknowledged(log, body string, unmanaged bool) bool {
	at := strings.LastIndex(log, body)
	if at < 0 {
		return false // the log lags behind
	}
	after := log[at:]
	switch {
	case k.hasty:
		return strings.Contains(after, "<iq type='get'") // the server's question
	case unmanaged, k.name == "jackdaw/client":
		return true // the end of the stream acknowledges, too
	}
	return strings.Contains(after, "<a ")
}
