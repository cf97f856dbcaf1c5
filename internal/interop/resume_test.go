//go:build linux

package interop

import (
	"fmt"
	"slices"
	"testing"
)

// Each part of a conversation has this many messages in each direction.
const part = 10

// dialogue is a conversation between a client and its peer.
type dialogue struct {
	t       *testing.T
	s, peer *session
	// messages and peerMessages are how many the client and the peer have sent.
	messages, peerMessages int
	// forgetful is a client that may lose what it has just sent: it says nothing while its socket is about to be cut.
	forgetful bool
}

// TestResume: a client whose socket is cut while messages flow in both directions goes on with its stream (XEP-0198): every message
// arrives, none twice, in order.
func TestResume(t *testing.T) {
	each(t, func(t *testing.T, k *kind) {
		k.test(t, "resume", func(t *testing.T) { resumeTwice(t, k, shared, shared, shared) }, resumes)
	})
}

// TestResumeElsewhere: the same on other nodes of a cluster than before.
func TestResumeElsewhere(t *testing.T) {
	c := needCluster(t)
	each(t, func(t *testing.T, k *kind) {
		k.test(t, "resume", func(t *testing.T) { resumeTwice(t, k, c.at[0], c.at[1], c.at[2]) }, resumesElsewhere)
	})
}

// resumeTwice logs a client in at one server, and lets it go on at two others.
func resumeTwice(t *testing.T, k *kind, first, second, third *server) {
	peer := startGoClient(t, third.login(t, true))
	peer.awaitEvent(online, 1)
	l := first.login(t, false)
	l.to = peer.jid
	p := newProxy(t, l.addr)
	l.addr = p.addr()
	s := k.start(t, l)
	s.awaitEvent(online, 1)
	d := &dialogue{t: t, s: s, peer: peer, forgetful: k.forgets != "" && k.survives < 1}
	d.speak(false)
	d.heard()

	// A network that loses everything for a while, and then the connection.
	p.lead(second.addr(false))
	p.swallow()
	d.speak(true)
	peer.settle()
	poll(t, "bytes to be lost in both directions", func() bool {
		return p.lost(toClient) > 0 && (d.forgetful || p.lost(toServer) > 0)
	})
	p.cut()
	s.awaitEvent(resumed, 1)
	d.speak(false)
	d.heard()

	d.forgetful = k.forgets != "" && k.survives < 2
	// A client that comes back before the server knows that it was gone, in the middle of what both say.
	p.lead(third.addr(false))
	d.speak(true)
	p.cutClient()
	d.speak(true)
	s.awaitEvent(resumed, 2)
	d.speak(false)
	d.heard()
	s.mustQuit()
}

// speak sends a part in each direction. dangerous says that the client's connection is damaged, or is about to be.
func (d *dialogue) speak(dangerous bool) {
	d.t.Helper()
	for range part {
		d.peerMessages++
		d.peer.mustSend(message{to: d.s.jid, id: fmt.Sprint("p", d.peerMessages), body: fmt.Sprintf("her %d ⬅", d.peerMessages)})
		if dangerous && d.forgetful {
			continue
		}
		d.messages++
		d.s.mustSend(message{to: d.peer.jid, id: fmt.Sprint("s", d.messages), body: fmt.Sprintf("hin %d ➡", d.messages)})
	}
}

// heard waits until all messages have arrived, and fails the test if one has come twice or out of order.
func (d *dialogue) heard() {
	d.t.Helper()
	d.compare(func(s *session, n int) []string { return s.awaitBodies(n) })
}

// heardAgain is heard where messages may have come again, with their ids.
func (d *dialogue) heardAgain() {
	d.t.Helper()
	d.compare(func(s *session, n int) []string {
		s.await(fmt.Sprintf("%d different messages", n), func(events []event) bool { return len(bodies(firsts(events))) >= n })
		return bodies(firsts(s.events()))
	})
}

// firsts are the events without messages of an id that has come before.
func firsts(events []event) (list []event) {
	seen := map[string]bool{}
	for _, e := range events {
		if e.kind != incoming || !seen[e.id] {
			list = append(list, e)
		}
		if e.kind == incoming {
			seen[e.id] = true
		}
	}
	return list
}

func (d *dialogue) compare(await func(*session, int) []string) {
	d.t.Helper()
	for _, listener := range []struct {
		*session
		format string
		n      int
	}{{d.s, "her %d ⬅", d.peerMessages}, {d.peer, "hin %d ➡", d.messages}} {
		var wanted []string
		for i := range listener.n {
			wanted = append(wanted, fmt.Sprintf(listener.format, i+1))
		}
		if got := await(listener.session, len(wanted)); !slices.Equal(got, wanted) {
			d.t.Fatalf("%s got %q", listener.name, got)
		}
	}
}
