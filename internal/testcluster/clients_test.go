package testcluster_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/jackdaw-im/jackdaw/client"
	"github.com/jackdaw-im/jackdaw/internal/talk"
	"github.com/jackdaw-im/jackdaw/internal/testcluster"
	"github.com/jackdaw-im/jackdaw/internal/testnode"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

// TestClients: users whose resources are on different nodes, and who go from one to another.
func TestClients(t *testing.T) {
	c := testcluster.Run(t, testcluster.Config{Nodes: 3, Databases: 2})
	if err := c.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Nodes[1].Import(t.Context(), testnode.Users("u", "localhost", 10, talk.Password)); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		run  func(*testing.T, *testcluster.Cluster)
	}{{"tickets", tickets}, {"resources", resources}, {"conflict", conflict}, {"resumed", resumedElsewhere}, {"drained", drained}, {"lost", nodeLost}} {
		if !t.Run(test.name, func(t *testing.T) { test.run(t, c) }) {
			return // what comes next would be of a cluster in a strange state
		}
	}
}

// tickets: what one node has given a client to resume its TLS session with is taken by any other.
func tickets(t *testing.T, c *testcluster.Cluster) {
	cfg := talk.TLS("localhost")
	cfg.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	for i, n := range c.Nodes {
		// A stream's begin: a client has no ticket before it has read something.
		conn, err := tls.Dial("tcp", n.C2STLS, cfg)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.WriteString(conn, "<stream:stream to='localhost' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>")
		if err == nil {
			_, err = conn.Read(make([]byte, 1))
		}
		if did := conn.ConnectionState().DidResume; err != nil || did != (i > 0) {
			t.Errorf("%s: resumed %v, %v", n.Name, did, err)
		}
		_ = conn.Close()
	}
	// And so whole logins go, by either kind of TLS.
	for i, n := range c.Nodes {
		for security, addr := range map[client.Security]string{client.DirectTLS: n.C2STLS, client.StartTLS: n.C2S} {
			var resumed bool
			own := cfg.Clone()
			own.VerifyConnection = func(s tls.ConnectionState) error { resumed = s.DidResume; return nil }
			conn, err := client.Dial(t.Context(), &client.Config{Addr: addr, Security: security, TLS: own, JID: "u0@localhost", Password: talk.Password})
			if err != nil {
				t.Fatal(err)
			}
			conn.Cut()
			_ = conn.Run() // it was cut
			if !resumed {
				t.Errorf("login %d on %s by way %d: not resumed", i, n.Name, security)
			}
		}
	}
}

const pingXML = "<ping xmlns='urn:xmpp:ping'/>"

// ask pings an address, and returns the answer's error if it is one.
func ask(g *talk.Guest, to string) error {
	_, err := g.Ask("get", to, pingXML)
	return err
}

// condition is that of the error that an IQ was answered with.
func condition(err error) string {
	if refused := (*client.RequestError)(nil); errors.As(err, &refused) {
		return refused.Condition
	}
	return fmt.Sprint(err)
}

// resources: what is sent to a user reaches the resources it is for, on whichever nodes these are.
func resources(t *testing.T, c *testcluster.Cluster) {
	var list []*talk.Guest
	for i, n := range c.Nodes {
		list = append(list, talk.Visit(t, n.C2STLS, fmt.Sprint("u1@localhost/r", i+1)))
	}
	for _, g := range list {
		for _, other := range list {
			g.Sees(other.JID(), "") // one's own is told, too
		}
	}
	peer := talk.Visit(t, c.Nodes[1].C2STLS, "u2@localhost/peer")
	// A contact sees all of them.
	peer.Write("<presence type='subscribe' to='u1@localhost'/>")
	list[2].Sees("u2@localhost", "subscribe")
	list[2].Write("<presence type='subscribed' to='u2@localhost'/>")
	for _, g := range list {
		peer.Sees(g.JID(), "")
	}
	peer.Say("u1@localhost", 3)
	for _, g := range list { // all have the same priority
		g.HearsOnce(peer)
	}
	// Those with the highest priority only.
	list[2].Available(5)
	list[0].Await("the new priority", func(got []*xmpp.Element) bool {
		return slices.ContainsFunc(got, func(e *xmpp.Element) bool {
			p := e.Child(xmpp.NSClient, "priority")
			return e.Attr("from") == list[2].JID() && p != nil && p.Text() == "5"
		})
	})
	peer.Say("u1@localhost", 1)
	list[2].HearsOnce(peer)
	// To a full address, a message and a request.
	for i, g := range list {
		if err := ask(peer, g.JID()); err != nil {
			t.Errorf("a ping to %s: %v", g.JID(), err)
		}
		m := client.Message{To: peer.JID(), ID: fmt.Sprint("full", i), Body: "full"}
		g.Write(string(m.Append(nil)))
	}
	peer.Await("a message of each resource", func(got []*xmpp.Element) bool { return len(talk.Bodies(got)) == 3 })
	if err := ask(peer, "u1@localhost/nobody"); condition(err) != "service-unavailable" {
		t.Errorf("a ping to a resource that isn't there: %v", err)
	}
	// One leaves in order, and the others hear so.
	gone := list[0].JID()
	list[0].Leave()
	for _, g := range append(list[1:], peer) {
		g.Sees(gone, "unavailable")
	}
	if err := ask(peer, gone); condition(err) != "service-unavailable" {
		t.Errorf("a ping to one that has left: %v", err)
	}
}

// conflict: a resource is one session's, wherever it is; the later one wins (RFC 6120 section 7.7.2.2).
func conflict(t *testing.T, c *testcluster.Cluster) {
	first, other := talk.Visit(t, c.Nodes[0].C2STLS, "u3@localhost/home"), talk.Visit(t, c.Nodes[1].C2STLS, "u3@localhost/other")
	second := talk.Visit(t, c.Nodes[2].C2STLS, "u3@localhost/home")
	err := first.End()
	if end := (*xmpp.StreamError)(nil); !errors.As(err, &end) || end.Condition != xmpp.Conflict {
		t.Fatalf("the first has ended with %v", err)
	}
	if second.JID() != first.JID() {
		t.Fatalf("the second is %s", second.JID())
	}
	// Its mailbox hears of the next one before its client does.
	for i := range 9 {
		if err := ask(other, second.JID()); err != nil {
			t.Errorf("a ping to the %d. that has taken the resource: %v", i+2, err)
		}
		second = talk.Visit(t, c.Nodes[i%len(c.Nodes)].C2STLS, "u3@localhost/home")
	}
	other.Say("u3@localhost/home", 3)
	second.HearsOnce(other)
	if got := talk.Bodies(first.Got()); got != nil {
		t.Errorf("the first has got %q", got)
	}
}

// pair are two that talk: one who goes from node to node, and one who stays.
func pair(t *testing.T, c *testcluster.Cluster, user int) (goer, stayer *talk.Guest) {
	goer = talk.Visit(t, c.Nodes[0].C2STLS, fmt.Sprintf("u%d@localhost/goer", user))
	stayer = talk.Visit(t, c.Nodes[2].C2STLS, fmt.Sprintf("u%d@localhost/stayer", user+1))
	for range 2 {
		goer.Say(stayer.JID(), 5)
		stayer.Say("u"+fmt.Sprint(user)+"@localhost", 5)
	}
	goer.HearsOnce(stayer)
	stayer.HearsOnce(goer)
	return goer, stayer
}

// resumedElsewhere: a stream whose connection is lost goes on where its client was told to come back, and at each other node in turn: nothing
// is lost, comes twice or in another order.
func resumedElsewhere(t *testing.T, c *testcluster.Cluster) {
	goer, stayer := pair(t, c, 4)
	goer.Cut()
	if r := goer.Resumption(); r.Location != c.Nodes[0].C2S || !goer.Resume(r.Location, client.StartTLS) {
		t.Fatalf("not resumed at %q; its node is at %s", r.Location, c.Nodes[0].C2S)
	}
	home := strings.TrimSuffix(goer.JID(), "/goer")
	for _, i := range []int{1, 2, 0, 0, 1} {
		goer.Say(stayer.JID(), 5) // perhaps lost with the connection
		stayer.Say(home, 5)
		goer.Cut()
		stayer.Say(home, 5)
		if !goer.Resume(c.Nodes[i].C2STLS, client.DirectTLS) {
			t.Fatalf("not resumed on %s", c.Nodes[i].Name)
		}
		goer.Say(stayer.JID(), 5)
		stayer.Say(home, 5)
		goer.HearsOnce(stayer)
		stayer.HearsOnce(goer)
	}
	if err := ask(stayer, goer.JID()); err != nil {
		t.Errorf("a ping to where it is now: %v", err)
	}
}

// drained: a client of a node that is emptied is told where to go, and goes on with its stream there.
func drained(t *testing.T, c *testcluster.Cluster) {
	goer, stayer := pair(t, c, 6)
	n := c.Nodes[0]
	goer.Say(stayer.JID(), 5)
	out, err := n.Command(t.Context(), "drain", "--data", n.Data, "--over", "100ms", "--timeout", "30s")
	if err != nil {
		t.Fatal(out, err)
	}
	end := (*xmpp.StreamError)(nil)
	if err := goer.End(); !errors.As(err, &end) || end.Condition != xmpp.SeeOtherHost {
		t.Fatalf("sent away with %v", err)
	}
	if !slices.ContainsFunc(c.Nodes[1:], func(n *testcluster.Node) bool { return n.C2S == end.Host }) {
		t.Fatalf("sent to %q", end.Host)
	}
	stayer.Say("u6@localhost", 5)
	if !goer.Resume(end.Host, client.StartTLS) {
		t.Fatal("not resumed")
	}
	goer.Say(stayer.JID(), 5)
	goer.HearsOnce(stayer)
	stayer.HearsOnce(goer)
	if out, err := n.Command(t.Context(), "undrain", "--data", n.Data); err != nil {
		t.Fatal(out, err)
	}
	if err := c.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// nodeLost: a stream whose node is lost can't be resumed, and its client is told so. It binds anew, and what wasn't acknowledged comes again,
// either way.
func nodeLost(t *testing.T, c *testcluster.Cluster) {
	goer, stayer := pair(t, c, 8)
	goer.Say(stayer.JID(), 5)
	stayer.Say("u8@localhost", 5)
	c.Nodes[0].Kill()
	stayer.Say("u8@localhost", 5)
	if goer.Resume(c.Nodes[1].C2STLS, client.DirectTLS) {
		t.Fatal("resumed a stream whose node is gone")
	}
	goer.Say(stayer.JID(), 5)
	stayer.Say("u8@localhost", 5)
	goer.Hears(stayer)
	stayer.Hears(goer)
	if err := c.Nodes[0].Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}
