//go:build !race

package node

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/client"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

// TestEndHandsOver: the streams of a node that ends go on elsewhere, whether their clients are told to go, were away before, or come when it
// is gone; so they do when the next node ends.
func TestEndHandsOver(t *testing.T) {
	r := newClusterRig(t, 3)
	r.user("juliet@localhost")
	r.user("romeo@localhost")
	n := r.nodes[1]
	there, _ := login(t, n, "juliet@localhost/balcony", client.Config{Management: true})
	away, _ := login(t, n, "romeo@localhost/orchard", client.Config{Management: true})
	away.Cut()
	<-away.Done()
	r.until("it waits", func() bool { return n.sessions.Waiting.Load() == 1 })
	r.stop(n)
	<-there.Done()
	if end := (*xmpp.StreamError)(nil); !errors.As(there.Err(), &end) || end.Condition != xmpp.SeeOtherHost {
		t.Errorf("told %v", there.Err())
	}
	if got := n.sessions.Waiting.Load(); got != 0 {
		t.Errorf("%d streams were left", got)
	}
	kept := func() int64 { return r.nodes[0].sessions.Waiting.Load() + r.nodes[2].sessions.Waiting.Load() }
	if got := kept(); got != 2 {
		t.Errorf("%d streams are kept", got)
	}
	again := func(n *Node, old *client.Conn) *client.Conn {
		t.Helper()
		res, ok := old.Resumption()
		if !ok {
			t.Fatal("nothing to resume")
		}
		c, _ := login(t, n, old.JID(), client.Config{Management: true, Resume: &res})
		if !c.Resumed() {
			t.Errorf("%s had to begin anew", old.JID())
		}
		return c
	}
	again(r.nodes[0], there)
	away = again(r.nodes[2], away)
	r.until("nobody waits", func() bool { return kept() == 0 })
	r.stop(r.nodes[2])
	<-away.Done()
	again(r.nodes[0], away)
	if r.share() != ident.Partitions {
		t.Errorf("%d partitions are served", r.share())
	}
}

// TestEndAtOnce: who has no time hands nothing over, and who is alone can't.
func TestEndAtOnce(t *testing.T) {
	r := newClusterRig(t, 2)
	r.user("juliet@localhost")
	n := r.nodes[1]
	c, _ := login(t, n, "juliet@localhost/balcony", client.Config{Management: true})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	began := time.Now()
	n.handOver(ctx)
	if took := time.Since(began); took > giveTime {
		t.Errorf("it took %v", took)
	}
	r.stop(n)
	<-c.Done()
	r.until("the other has all", func() bool { return !r.nodes[0].others() })
	d, _ := login(t, r.nodes[0], "juliet@localhost/balcony", client.Config{Management: true})
	r.nodes[0].handOver(t.Context())
	select {
	case <-d.Done():
		t.Error("a client was sent away, and there is no other node")
	default:
	}
}
