//go:build !race

package node

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/cluster/member"
	"github.com/jackdaw-im/jackdaw/cluster/trust"
	"github.com/jackdaw-im/jackdaw/ident"
)

// TestAnotherAuthority: a node that has the gossip's keys, and certificates of an authority that the others don't know, gets no share.
func TestAnotherAuthority(t *testing.T) {
	r := newClusterRig(t, 2)
	cfg := r.config()
	live, err := belongs(context.Background(), cfg, cfg.Cluster.Name, newLobby(r.log), func(*trust.Bundle) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	right := live.Bundle()
	live.Close()
	foreign, err := trust.New("x", right.Stores, right.Directory, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	wrong := *right
	wrong.Authorities = foreign.Authorities
	if err := trust.Save(cfg.BundleFile(), &wrong); err != nil {
		t.Fatal(err)
	}
	cfg.Cluster.Token = ""
	n, err := r.open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(); err != nil {
		t.Fatal(err)
	}
	defer r.stop(n)
	r.until("it to say why", func() bool {
		err := n.Ready()
		return err != nil && strings.Contains(err.Error(), "don't accept each other") && strings.Contains(err.Error(), "certificate")
	})
	if m := n.peers.member.Self(); m.State != member.Joining || n.cluster.Status().Mine != 0 {
		t.Errorf("it is %v, and has %d partitions", m.State, n.cluster.Status().Mine)
	}
	if got := r.share(); got != ident.Partitions {
		t.Errorf("the others have %d partitions", got)
	}
	// Somebody puts the right ones there.
	if _, err := n.peers.live.Change(func(b *trust.Bundle) (*trust.Bundle, error) {
		next := b.RotateToken("x", time.Now())
		next.Authorities = right.Authorities
		return next, nil
	}); err != nil {
		t.Fatal(err)
	}
	r.until("it to be let in", func() bool { return n.Ready() == nil && n.cluster.Status().Mine > 0 })
}
