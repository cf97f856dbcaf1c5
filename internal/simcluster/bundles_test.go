package simcluster

import (
	"fmt"
	"slices"
	"time"

	"github.com/jackdaw-im/jackdaw/actors/mailbox"
	"github.com/jackdaw-im/jackdaw/cluster/link"
	"github.com/jackdaw-im/jackdaw/cluster/member"
	"github.com/jackdaw-im/jackdaw/cluster/trust"
	"github.com/jackdaw-im/jackdaw/ident"
)

// change has an operator change the bundle on a node.
func (w *world) change(n *node, f func(*trust.Bundle) (*trust.Bundle, error)) {
	w.Helper()
	b, err := n.keys.live.Change(f)
	if err != nil {
		w.Fatalf("%s: %v", n.id, err)
	}
	n.keys.keeper.Kick()
	w.net.Note("on %s the bundle becomes %v: %s", n.id, b.Stamp(), b.Last.What)
}

// rotate begins to rotate all keys, and returns the bundle of before.
func (w *world) rotate(n *node) *trust.Bundle {
	w.Helper()
	before := n.keys.live.Bundle()
	w.change(n, func(b *trust.Bundle) (*trust.Bundle, error) { return b.RotateAll("ada", time.Now()) })
	return before
}

// revoke revokes a node on another one, and returns the bundle that it has.
func (w *world) revoke(by, eve *node) *trust.Bundle {
	w.Helper()
	w.change(by, func(b *trust.Bundle) (*trust.Bundle, error) { return b.Revoke(eve.name, "ada", time.Now()) })
	return eve.keys.live.Bundle()
}

// override puts a user's mailbox on a node, by the bundle.
func (w *world) override(u ident.UserID, node string) {
	w.Helper()
	w.change(w.living()[0], func(b *trust.Bundle) (*trust.Bundle, error) {
		return b.WithOverride(trust.Override{Kind: mailbox.Kind, ID: string(u), Node: node}, "ada", time.Now())
	})
}

// stop ends the process of a node that nobody knows any more, as its operator does.
func (n *node) stop() {
	n.w.net.Note("%s is stopped", n.id)
	n.dead.Store(true)
	n.sim.Crash()
	_ = n.store.Close()
	n.w.ending.Go(n.kill)
	n.w.evict(n)
}

// oneBundle waits until the living have the same bundle, nothing is being rotated, and each lets each in.
func (w *world) oneBundle(atMost time.Duration) (took time.Duration) {
	w.Helper()
	took = w.until("one bundle", atMost, func() string { return w.bundles(w.living()) })
	w.net.Note("one bundle everywhere after %v: %v", took, w.living()[0].keys.live.Stamp())
	return took
}

// bundles says how some nodes' bundles differ; "": they don't, and are at rest.
func (w *world) bundles(list []*node) string {
	first := list[0].keys.live
	if b := first.Bundle(); b.Rotating() {
		return b.Last.What
	}
	for _, n := range list {
		if l := n.keys.live; l.Stamp() != first.Stamp() {
			return fmt.Sprintf("%s has %v (%s), %s %v (%s)", list[0].id, first.Stamp(), first.Bundle().Last.What, n.id, l.Stamp(), l.Bundle().Last.What)
		}
	}
	for _, a := range list {
		for _, b := range list {
			if err := a.keys.admits(link.Peer{ID: b.id, Addr: b.sim.Addr()}); a != b && err != nil {
				return fmt.Sprintf("%s and %s: %v", a.id, b.id, err)
			}
		}
	}
	return ""
}

// renewed fails unless nothing of a bundle is used any more.
func (w *world) renewed(before *trust.Bundle) {
	w.Helper()
	for _, n := range w.living() {
		b := n.keys.live.Bundle()
		if string(b.Gossip[0].Secret) == string(before.Gossip[0].Secret) || b.Pins()[0] == before.Pins()[0] || b.Token.Number == before.Token.Number {
			w.Errorf("%s has keys of before:\n%v", n.id, b)
		}
	}
}

// why says what keeps a node out; nil: nothing.
func (k *keys) why() error {
	m := k.n.member
	if self := m.Self(); self.State == member.Active && self.Rejected == "" && k.entry.Reason() == nil {
		return nil
	} else if self.Rejected != "" {
		return fmt.Errorf("%s: %v", self.Rejected, m.Unmet())
	}
	return k.entry.Reason()
}

// out waits until a node is out that was revoked while it had a bundle: it knows, the others have its share and other keys.
func (w *world) out(eve *node, held *trust.Bundle) {
	w.Helper()
	var others []*node
	for _, n := range w.living() {
		if n != eve {
			others = append(others, n)
		}
	}
	took := w.until("it is out", time.Minute, func() string {
		if why := without(others, []*node{eve}); why != "" {
			return why
		}
		if eve.keys.outcast() == nil {
			return "it doesn't say so"
		}
		return w.bundles(others)
	})
	w.Logf("%s is out after %v", eve.id, took)
	w.wait(8 * time.Second)
	w.excluded(eve)
	for _, n := range others {
		b := n.keys.live.Bundle()
		if !b.IsRevoked(eve.name) {
			w.Errorf("%s doesn't know of it", n.id)
		}
		for _, has := range []*trust.Bundle{held, eve.keys.live.Bundle()} {
			if slices.ContainsFunc(has.Pins(), func(p trust.Pin) bool { return slices.Contains(b.Pins(), p) }) {
				w.Errorf("%s has an authority that the revoked node knows", n.id)
			}
			if slices.ContainsFunc(has.Gossip, func(k trust.Key) bool { return string(k.Secret) == string(b.Gossip[0].Secret) }) {
				w.Errorf("%s has a key of gossip that the revoked node knows", n.id)
			}
		}
	}
}

// excluded fails if a node that isn't of the cluster has a part in it.
func (w *world) excluded(out *node) {
	w.Helper()
	if st := out.c.Status(); st.Mine > 0 {
		w.Errorf("%s has %d partitions", out.id, st.Mine)
	}
	for _, n := range w.living() {
		if n == out {
			continue
		}
		for _, m := range n.member.View().Placed() {
			if m.ID == out.id {
				w.Errorf("%s places %s", n.id, out.id)
			}
		}
		if n.keys.admits(link.Peer{ID: out.id, Addr: out.sim.Addr()}) == nil || out.keys.admits(link.Peer{ID: n.id, Addr: n.sim.Addr()}) == nil {
			w.Errorf("%s and %s let each other in", n.id, out.id)
		}
	}
}
