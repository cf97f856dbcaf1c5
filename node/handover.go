package node

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/actors/session"
	"github.com/jackdaw-im/jackdaw/cluster/member"
	"github.com/jackdaw-im/jackdaw/gateway"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/supervision"
	"github.com/jackdaw-im/jackdaw/telemetry"
)

// How long the parts of a handover may take. What is left of the time to end is for the tree to stop.
const (
	giveTime  = 2500 * time.Millisecond // for the share to be with the others, before clients are sent there
	fetchTime = 1500 * time.Millisecond // for clients to resume their streams elsewhere
	keepTime  = 2 * time.Second         // for other nodes to take over the streams whose clients have not come by then
	keepPause = 500 * time.Millisecond  // until those are asked again that have not been taken over
)

// handOver is what a node of a cluster does before it ends, and a drain in short: its share of the users goes to the others at once, its
// clients are told to go there, and the streams that can be resumed are kept for them. Who doesn't come by itself finds its stream on
// another node later. It ends when ctx is over, wherever it is. A node that is alone has nobody to hand anything over to.
func (n *Node) handOver(ctx context.Context) {
	if n.peers == nil || !n.peers.up.Load() || n.peers.lost.Load() || !n.others() {
		return
	}
	began := time.Now()
	_ = n.drain.Stop(ctx) // which never fails; what it was at goes on here
	n.peers.entry.End()
	n.peers.member.SetState(member.Draining)
	wait := share{n}.wait
	wait(ctx, giveTime, func() bool {
		st := n.cluster.Status()
		return st.Mine == 0 && st.Waiting == 0 && st.Leaving == 0 && n.peers.member.Agreed() || !n.others()
	})
	n.moveStreams() // of clients that have gone before
	clients, sent := n.sendAway(ctx)
	defer sent()
	done := func() bool { return clients() == 0 && n.sessions.Waiting.Load() == 0 || !n.others() }
	wait(ctx, fetchTime, done)
	for until := time.Now().Add(keepTime); !done() && ctx.Err() == nil && time.Now().Before(until); {
		n.moveStreams()
		wait(ctx, keepPause, done)
	}
	n.log.Info("users and streams were handed over", zap.Duration(telemetry.KeyDuration, time.Since(began)), zap.Int64(telemetry.KeyLeft, n.sessions.Waiting.Load()))
}

// sendAway tells all clients to go elsewhere. clients is how many are still here; sent ends it.
func (n *Node) sendAway(ctx context.Context) (clients func() int, sent func()) {
	g := n.gateway.Load()
	if g == nil {
		return func() int { return 0 }, func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var under sync.WaitGroup
	under.Go(func() {
		_ = g.Drain(ctx, gateway.DrainOptions{Host: n.elsewhere}) // who isn't gone in time is told by Stop
	})
	return func() int { return g.Draining().Left }, func() {
		cancel()
		under.Wait()
	}
}

// movingTime is for how long after a change of the cluster sessions may not have told their accounts and mailboxes, which have moved, of themselves.
const movingTime = 4 * time.Second

// moving reports whether accounts may have moved a moment ago.
func (n *Node) moving() bool {
	return n.peers != nil && time.Since(time.Unix(0, n.peers.viewed.Load())) < movingTime
}

// reunited has accounts and sessions know that the cluster is one again. A keeper that isn't there yet has no sessions to tell.
func (n *Node) reunited() {
	n.reunions.Add(1)
	_ = n.sys.Cast(session.KeeperRef(n.sys.Node()), session.Reunion{})
}

// elsewhere is where the next client should go.
func (n *Node) elsewhere() string {
	return elsewhere(n.peers.member.View().Members, n.sys.Node(), rand.Float64())
}

// moveStreams asks for each stream that waits for its client to be kept on some other node.
func (n *Node) moveStreams() {
	if n.sessions.Waiting.Load() == 0 {
		return
	}
	var to []ident.NodeID
	for _, m := range n.peers.member.View().Members {
		if m.ID != n.sys.Node() && m.Placed() && !m.Suspect {
			to = append(to, m.ID)
		}
	}
	if len(to) == 0 {
		return
	}
	n.streams.WhichChildren(func(c supervision.ChildInfo) bool {
		_ = n.sys.Cast(c.Ref, session.Move{To: to[rand.IntN(len(to))]}) // one that has no room, or has ended, may be asked again
		return true
	})
}
