package session

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
)

// TestResumeElsewhere: a client that a node sends away goes on at another, and then at a third. Nothing is lost, doubled or put in
// another order, and nobody sees it go.
func TestResumeElsewhere(t *testing.T) {
	onNodes(t, func(t *testing.T, c *cloud) {
		b, _ := c.hosts["o@1"].online(bob, "pc")
		a, previd := c.hosts["n@1"].online(alice, "phone")
		c.befriend(a, b)
		b.says(alice, 1)
		a.read()
		b.says(alice, 2)
		b.says(alice, 3)
		a.take(a.got()) // which it doesn't acknowledge
		if !strings.Contains(a.seen, "location='n.example.org'") {
			t.Fatalf("got %s", a.seen)
		}
		for i, id := range []string{"m@1", "o@1", "n@1"} {
			from := a.h
			a.cast(Drain{Host: "elsewhere.example.org"})
			a.want(a.got(), "<see-other-host", "elsewhere.example.org", streamEnd)
			b.says(alice, 4+2*i)
			if i > 0 { // the session that gave the stream is gone by then
				time.Sleep(2 * forwardTime)
			}
			next := &client{conn: c.hosts[ident.NodeID(id)].login(alice).conn, h: c.hosts[ident.NodeID(id)], user: alice, bodies: a.bodies}
			got := next.send(fmt.Sprintf("<resume xmlns='urn:xmpp:sm:3' previd='%s' h='%d'/>", previd, a.count))
			next.want(got, "<resumed xmlns='urn:xmpp:sm:3' previd='"+previd+"'")
			next.count = a.count
			next.take(got)
			b.says(alice, 5+2*i)
			next.read()
			a = next
			if from == a.h {
				t.Fatal("it is the same node")
			}
		}
		a.wantBodies(9, false)
		time.Sleep(time.Minute)
		if b.read(); strings.Contains(b.seen, "unavailable") {
			t.Fatalf("bob saw her go: %s", b.seen)
		}
		if n := c.hosts["n@1"].counters.Live.Load() + c.hosts["m@1"].counters.Live.Load() + c.hosts["o@1"].counters.Live.Load(); n != 2 {
			t.Fatalf("%d sessions are alive", n)
		}
	})
}

// TestResumeFromALostNode: the client is told honestly, binds, and gets what it hasn't acknowledged.
func TestResumeFromALostNode(t *testing.T) {
	for name, noticed := range map[string]bool{"noticed": true, "unnoticed": false} {
		t.Run(name, func(t *testing.T) {
			onNodes(t, func(t *testing.T, c *cloud) {
				b, _ := c.hosts["o@1"].online(bob, "pc")
				a, previd := c.hosts["n@1"].online(alice, "phone")
				b.says(alice, 1)
				a.read()
				b.says(alice, 2)
				a.take(a.got())
				c.crash("n@1")
				if noticed {
					c.notice("n@1", "m@1")
				}
				b.says(alice, 3)
				next := c.hosts["o@1"].login(alice)
				start := time.Now()
				next.send(fmt.Sprintf("<resume xmlns='urn:xmpp:sm:3' previd='%s' h='%d'/>", previd, a.count))
				if !noticed {
					time.Sleep(resumeTime)
				} else {
					time.Sleep(findTime)
				}
				if next.take(next.got()); !noticed && !strings.Contains(next.seen, "<failed") || time.Since(start) > resumeTime {
					t.Fatalf("after %v got %s", time.Since(start), next.seen)
				}
				if !noticed {
					c.notice("n@1", "m@1")
				}
				next.want(next.send("<iq type='set' id='b'><bind xmlns='"+nsBind+"'><resource>phone</resource></bind></iq>"), "<jid>")
				next.take(next.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>", "<presence/>"))
				next.bodies = append([]string{"1"}, next.bodies...)
				next.wantBodies(3, false)
			})
		})
	}
}

// TestMoves: accounts and mailboxes move to and fro while their users talk.
func TestMoves(t *testing.T) {
	onNodes(t, func(t *testing.T, c *cloud) {
		b, _ := c.hosts["o@1"].online(bob, "pc")
		a, _ := c.hosts["n@1"].online(alice, "phone")
		c.befriend(a, b)
		n := 0
		for round := range 4 {
			to := ident.NodeID([]string{"n@1", "o@1", "m@1", "n@1"}[round])
			for _, ref := range []actors.Ref{mailboxOf(alice), accountOf(alice), mailboxOf(bob), accountOf(bob)} {
				for range 3 {
					n++
					b.says(alice, n)
					a.says(bob, n)
				}
				c.move(ref, to)
				for range 3 { // before anybody has heard of it
					n++
					b.says(alice, n)
					a.says(bob, n)
				}
				synctest.Wait()
				if round%2 == 0 {
					time.Sleep(spreadTime / 3)
				}
				a.read()
				b.read()
			}
		}
		time.Sleep(time.Minute / 2)
		a.read()
		b.read()
		a.wantBodies(n, true)
		b.wantBodies(n, true)
		if !strings.Contains(a.seen, "from='bob@example.org/pc'") || strings.Contains(a.seen+b.seen, "unavailable") || a.closed || b.closed {
			t.Fatalf("alice got %s\nbob %s", a.seen, b.seen)
		}
		// Presence goes its way by the accounts where they are now.
		b.take(b.send("<presence><show>away</show></presence>"))
		a.want(a.got(), "<presence from='bob@example.org/pc'", "<show>away</show>")
	})
}

// TestLostNode: the node of both accounts and mailboxes is lost under load. Sessions of other nodes go on, and read from the store
// once for each of the two.
func TestLostNode(t *testing.T) {
	onNodes(t, func(t *testing.T, c *cloud) {
		b, _ := c.hosts["o@1"].online(bob, "pc")
		a, _ := c.hosts["n@1"].online(alice, "phone")
		c.befriend(a, b)
		n := 0
		talk := func(count int) {
			for range count {
				n++
				b.says(alice, n)
			}
		}
		talk(3)
		a.read()
		c.takeReads()
		c.crash("m@1")
		talk(3)
		a.take(a.send("<presence><priority>1</priority></presence>"))
		time.Sleep(3 * time.Second)
		talk(3)
		c.notice("m@1", "o@1")
		talk(3)
		time.Sleep(2 * spreadTime)
		talk(3)
		time.Sleep(resendSoon)
		a.read()
		b.read()
		a.wantBodies(n, true)
		if reads := c.takeReads(); reads["mailbox alice@example.org"] > 1 || reads["account alice@example.org"] > 1 ||
			reads["mailbox bob@example.org"] > 1 || reads["account bob@example.org"] > 1 {
			t.Fatalf("read %v", reads)
		}
		if a.closed || b.closed || strings.Contains(b.seen, "unavailable") || !strings.Contains(b.seen, "<priority>1</priority>") {
			t.Fatalf("alice got %s\nbob %s", a.seen, b.seen)
		}
		b.take(b.send("<presence><show>away</show></presence>"))
		a.want(a.got(), "<presence from='bob@example.org/pc'", "<show>away</show>")
	})
}

// resendSoon is until what got lost unnoticed is sent again.
const resendSoon = 6 * time.Second

// TestLoginWhileTheAccountMoves: it takes a little longer, and succeeds.
func TestLoginWhileTheAccountMoves(t *testing.T) {
	onNodes(t, func(t *testing.T, c *cloud) {
		c.crash("m@1")
		cl := &client{conn: c.hosts["n@1"].connect()}
		cl.open()
		if got := cl.send(auth("PLAIN", b64("\x00alice\x00"+password))); got != "" {
			t.Fatalf("got %s", got)
		}
		time.Sleep(2 * time.Second)
		c.notice("m@1", "o@1")
		time.Sleep(2 * time.Second)
		cl.want(cl.got(), "<success")
		cl.want(cl.open(), "<bind")
		c.move(accountOf(alice), "n@1")
		cl.want(cl.send("<iq type='set' id='b'><bind xmlns='"+nsBind+"'/></iq>"), "<jid>alice@example.org/")
	})
}

// TestResourcesOnDifferentNodes: conflicts, directed requests and presence among one user's sessions don't care where they are.
func TestResourcesOnDifferentNodes(t *testing.T) {
	onNodes(t, func(t *testing.T, c *cloud) {
		phone, _ := c.hosts["n@1"].online(alice, "phone")
		pc, _ := c.hosts["o@1"].online(alice, "pc")
		phone.want(phone.got(), "<presence from='alice@example.org/pc'")
		phone.take(phone.send("<iq type='get' id='q' to='alice@example.org/pc'><x xmlns='y'/></iq>"))
		pc.want(pc.got(), "id='q'", "from='alice@example.org/phone'")
		pc.send("<iq type='result' id='q' to='alice@example.org/phone'/>")
		phone.want(phone.got(), "type='result' id='q'")
		phone.want(phone.send("<iq type='get' id='r' to='alice@example.org/nowhere'><x xmlns='y'/></iq>"), "type='error' id='r'", "<service-unavailable")

		c.hosts["m@1"].online(alice, "pc")
		pc.want(pc.got(), "<conflict", streamEnd)
		if !pc.closed || phone.closed {
			t.Fatalf("closed: %v %v", pc.closed, phone.closed)
		}
		phone.got()
		c.crash("o@1")
		c.notice("o@1", "m@1")
	})
}
