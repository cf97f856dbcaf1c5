package memstore

import (
	"context"
	"slices"
	"sync/atomic"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

// Node is one node's view of a shared store: the same mailboxes and accounts as every other's, and claims of its own. Its
// methods may be called by any number of goroutines.
type Node struct {
	*Engine
	id     ident.NodeID
	closed atomic.Bool
}

// notice tells a partition's owner that somebody else has appended to a mailbox.
type notice struct {
	n         int64
	partition ident.Partition
	mailbox   ident.UserID
}

// Node returns the view of a node. The store must have been made with Options.Shared.
func (e *Engine) Node(id ident.NodeID) *Node { return &Node{Engine: e, id: id} }

// Mail implements store.Engine.
func (n *Node) Mail() store.Mail { return nodeMail{n.Engine.Mail(), n} }

// Claims implements store.Engine.
func (n *Node) Claims() store.Claims { return claims{n} }

// Close ends this node's use of the store, as its death does. The others go on.
func (n *Node) Close() error {
	if n.closed.Swap(true) {
		return store.ErrClosed
	}
	return nil
}

// Owners returns who has claimed each partition; "" is nobody.
func (n *Node) Owners() []ident.NodeID {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := make([]ident.NodeID, ident.Partitions)
	for p := range all {
		all[p] = n.mu.owners[ident.Partition(p)]
	}
	return all
}

func (n *Node) enter() error {
	if n.closed.Load() {
		return store.ErrClosed
	}
	return n.Engine.enter(false)
}

// nodeMail leaves a notice with each append to a partition that another node has claimed.
type nodeMail struct {
	store.Mail
	node *Node
}

// Commit implements store.Mail.
func (m nodeMail) Commit(b *store.Batch) (store.Result, error) {
	if m.node.closed.Load() {
		return store.Result{}, store.ErrClosed
	}
	res, err := m.Mail.Commit(b)
	if err != nil {
		return res, err
	}
	e := m.node.Engine
	e.mu.Lock()
	defer e.mu.Unlock()
	noticed := map[ident.UserID]bool{}
	for i := range b.Appends {
		mailbox := b.Appends[i].Mailbox
		p := store.MailPartition(mailbox)
		if owner := e.mu.owners[p]; owner == "" || owner == m.node.id || noticed[mailbox] {
			continue
		}
		noticed[mailbox] = true
		e.mu.noticed++
		e.mu.foreign = append(e.mu.foreign, notice{e.mu.noticed, p, mailbox})
		if !slices.Contains(res.Stale, p) {
			res.Stale = append(res.Stale, p)
		}
	}
	return res, nil
}

// claims are one node's.
type claims struct{ node *Node }

// Claim implements store.Claims.
func (c claims) Claim(partitions []ident.Partition) error {
	if err := c.node.enter(); err != nil {
		return err
	}
	defer c.node.mu.Unlock()
	for _, p := range partitions {
		c.node.mu.owners[p] = c.node.id
	}
	return nil
}

// ForeignWrites implements store.Claims.
func (c claims) ForeignWrites(context.Context) ([]store.ForeignWrite, error) {
	if err := c.node.enter(); err != nil {
		return nil, err
	}
	defer c.node.mu.Unlock()
	var out []store.ForeignWrite
	for _, n := range c.node.mu.foreign {
		if c.node.mu.owners[n.partition] == c.node.id {
			out = append(out, store.ForeignWrite{N: n.n, Mailbox: n.mailbox})
		}
	}
	return out, nil
}

// Done implements store.Claims.
func (c claims) Done(ns []int64) error {
	if err := c.node.enter(); err != nil {
		return err
	}
	defer c.node.mu.Unlock()
	c.node.mu.foreign = slices.DeleteFunc(c.node.mu.foreign, func(n notice) bool { return slices.Contains(ns, n.n) })
	return nil
}
