package simcluster

import (
	"fmt"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/session"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// missing is that a node is gone, as a device finds out sooner or later.
func (d *device) missing(n *node, after time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.sock != nil && d.sock.n == n {
		d.lost(after)
	}
}

// toAll says something to every user.
func (d *device) toAll() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.phase != online {
		d.w.Errorf("%s is not online", d.name)
		return
	}
	for _, u := range d.w.users {
		d.say(u)
	}
}

// handOver is what package node does with the clients of a node that is being emptied: it sends them elsewhere, and gives the streams of
// those that don't come by themselves to other nodes.
func (n *node) handOver() {
	n.moveStreams()
	for _, ref := range n.clientRefs() {
		_ = n.sys.Cast(ref, session.Drain{Host: n.w.some().name})
		n.w.wait(n.w.between(0, 200*time.Millisecond))
	}
	var moved time.Time
	n.w.until("the clients of "+string(n.id)+" are elsewhere", time.Minute, func() string {
		if time.Since(moved) > 500*time.Millisecond {
			moved = time.Now()
			n.moveStreams()
		}
		for _, d := range n.w.devices {
			if d.at() == n {
				return d.name + " is still there"
			}
		}
		if left := n.clients.Waiting.Load(); left > 0 {
			return fmt.Sprintf("%d streams wait", left)
		}
		return ""
	})
}

// clientRefs are the node's sessions.
func (n *node) clientRefs() (list []actors.Ref) {
	n.sessions.WhichChildren(func(c supervision.ChildInfo) bool {
		list = append(list, c.Ref)
		return true
	})
	return list
}

// moveStreams has other nodes keep the streams that wait for their clients.
func (n *node) moveStreams() {
	var to []ident.NodeID
	for _, m := range n.member.View().Members {
		if m.ID != n.id && m.Placed() && !m.Suspect {
			to = append(to, m.ID)
		}
	}
	if n.clients.Waiting.Load() == 0 || len(to) == 0 {
		return
	}
	for _, ref := range n.clientRefs() {
		_ = n.sys.Cast(ref, session.Move{To: to[n.w.draw(len(to))]})
	}
}

// at is the node that a device is connected with.
func (d *device) at() *node {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.sock == nil {
		return nil
	}
	return d.sock.n
}

// quit has all devices end their streams, and waits until nothing of them is left.
func (w *world) quit() {
	w.Helper()
	if !w.opts.devices {
		return
	}
	for _, d := range w.devices {
		d.quit()
	}
	w.until("all sessions have ended", 30*time.Minute, func() string {
		for _, n := range w.living() {
			if k := n.clients.Live.Load(); k > 0 {
				return fmt.Sprintf("%d live on %s", k, n.id)
			}
		}
		return ""
	})
}
