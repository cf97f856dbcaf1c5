package node

import (
	"context"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/cluster/member"
	"github.com/jackdaw-im/jackdaw/telemetry"
)

const (
	// shareWait is how long a start waits for the node's share of the users before it lets clients in: they would have to wait too.
	shareWait = 10 * time.Second
	sharePoll = 20 * time.Millisecond
)

// share is the node's share of the users: taken when everything stands that serves them, and given away before that ends.
type share struct{ n *Node }

// Start implements supervision.Runner.
func (s share) Start() error {
	n := s.n
	if n.peers == nil {
		n.cluster.SetView(alone(n.sys.Node()))
	} else {
		n.peers.entry.Begin()
	}
	if !s.wait(context.Background(), shareWait, func() bool {
		st := n.cluster.Status()
		return st.Mine > 0 && st.Waiting == 0 || n.peers != nil && (n.peers.lost.Load() || n.peers.entry.Reason() != nil)
	}) {
		n.log.Warn("this node has no share of the users yet", zap.NamedError(telemetry.KeyReason, n.joined()))
	}
	return nil
}

// Stop implements supervision.Runner: the node's partitions go to the others, if there are any.
func (s share) Stop(ctx context.Context) error {
	n := s.n
	if n.peers == nil {
		return nil
	}
	n.peers.entry.End()
	if !n.others() {
		return nil
	}
	if n.peers.member.Self().State == member.Joining && n.cluster.Status().Mine == 0 {
		return nil // it never had one
	}
	n.peers.member.SetState(member.Draining)
	until, cancel := context.WithTimeout(ctx, leaveTime)
	defer cancel()
	if !s.wait(until, leaveTime, func() bool {
		st := n.cluster.Status()
		// The others have to know it, too: what they send here until then goes on to the owner, or is held.
		return st.Mine == 0 && st.Waiting == 0 && st.Leaving == 0 && n.peers.member.Agreed() && st.Held == 0 && n.peers.flushed()
	}) {
		n.log.Warn("this node's share of the users was not given away in time: the others take it when they miss this node")
	}
	return nil
}

// wait waits until f, and reports false if d was over before.
func (s share) wait(ctx context.Context, d time.Duration, f func() bool) bool {
	timeout := time.NewTimer(d)
	defer timeout.Stop()
	tick := time.NewTicker(sharePoll)
	defer tick.Stop()
	for !f() {
		select {
		case <-tick.C:
		case <-timeout.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// others reports whether another node could take this one's share.
func (n *Node) others() bool {
	for _, m := range n.peers.member.View().Members {
		if m.ID != n.sys.Node() && m.Placed() {
			return true
		}
	}
	return false
}

// flushed reports whether the other nodes have all that was sent to them.
func (p *peers) flushed() bool {
	for _, st := range p.links.Stats() {
		if st.Queue > 0 || st.Unacked > 0 {
			return false
		}
	}
	return true
}

// oneLine is an error of several lines in one.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// joined says why the node has no share of the users; nil: it has.
func (n *Node) joined() error {
	st := n.cluster.Status()
	if n.peers != nil {
		if !n.peers.up.Load() {
			return errStarting
		}
		if self := n.peers.member.Self(); self.State != member.Active || self.Rejected != "" {
			if err := n.peers.member.Unmet(); self.Rejected != "" && err != nil {
				return fmt.Errorf("%v: %s: %s", self.State, self.Rejected, oneLine(err))
			}
			if self.Rejected != "" {
				return fmt.Errorf("%v: %s", self.State, self.Rejected)
			}
			if err := n.peers.entry.Reason(); err != nil {
				return fmt.Errorf("%v: %w", self.State, err)
			}
			return fmt.Errorf("%v", self.State)
		}
		if err := n.peers.entry.Reason(); err != nil {
			return err
		}
	}
	if st.Waiting > 0 {
		return fmt.Errorf("%d partitions are on their way to this node", st.Waiting)
	}
	return nil
}
