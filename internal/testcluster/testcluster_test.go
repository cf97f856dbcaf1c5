package testcluster_test

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/internal/testcluster"
	"github.com/jackdaw-im/jackdaw/internal/testnode"
)

func TestMain(m *testing.M) {
	code, ran := testcluster.Private()
	if !ran {
		code = m.Run()
	}
	if err := testnode.RemoveBuild(); err != nil {
		code = 1
	}
	os.Exit(code)
}

// TestCluster founds a cluster, cuts it, and loses and adds nodes.
func TestCluster(t *testing.T) {
	ctx := t.Context()
	c := testcluster.Run(t, testcluster.Config{Nodes: 2})
	if err := c.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	one, two := c.Nodes[0], c.Nodes[1]
	if one.Name != "n1" || one.Host == two.Host || !strings.Contains(c.StoreURL(), c.Store.Addr()) {
		t.Errorf("nodes %+v, %+v over %s", one, two, c.StoreURL())
	}
	cuts(t, c)
	two.Kill()
	if err := two.Ready(ctx); err == nil {
		t.Error("a node that was killed is ready")
	}
	if err := two.Start(ctx); err != nil {
		t.Fatal(err)
	}
	two.Pause()
	if err := two.Ready(ctx); err == nil {
		t.Error("a node that is paused is ready")
	}
	two.Resume()
	if err := two.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Add(ctx); err != nil || n.Name != "n3" || len(c.Nodes) != 3 {
		t.Errorf("added %v, %v", n, err)
	}
	if sums, err := c.Metrics(ctx); err != nil || sums["jackdaw_cluster_partitions{phase=\"mine\"}"] == 0 {
		t.Errorf("metrics %v, %v", sums, err)
	}
}

// cuts parts the first node from the second and heals that, where it can be done.
func cuts(t *testing.T, c *testcluster.Cluster) {
	ctx := t.Context()
	one, two := c.Nodes[0], c.Nodes[1]
	if !c.CanCut() {
		if err := errors.Join(c.Cut(ctx, one, two), c.CutStore(ctx, one)); !errors.Is(err, testcluster.ErrNoCuts) {
			t.Errorf("cut: %v", err)
		}
		return
	}
	reach := func(n *testcluster.Node, addr string) error {
		return n.Inside(func() error {
			d := net.Dialer{Timeout: 300 * time.Millisecond}
			conn, err := d.DialContext(context.WithoutCancel(ctx), "tcp", addr)
			if err == nil {
				err = conn.Close()
			}
			return err
		})
	}
	for name, cut := range map[string]func() error{
		"from": func() error { return c.Cut(ctx, one, two) }, "to": func() error { return c.Cut(ctx, two, one) },
		"both": func() error { return c.Part(ctx, c.Nodes[:1], c.Nodes[1:]) },
	} {
		if err := cut(); err != nil {
			t.Fatal(err)
		}
		if reach(one, two.C2STLS) == nil {
			t.Errorf("%s: reached", name)
		}
		if err := errors.Join(reach(one, c.Store.Addr()), one.Ready(ctx)); err != nil {
			t.Errorf("%s: too much was cut: %v", name, err)
		}
		if err := c.Heal(ctx); err != nil {
			t.Fatal(err)
		}
		if err := reach(one, two.C2STLS); err != nil {
			t.Errorf("%s: not healed: %v", name, err)
		}
	}
	if err := c.CutStore(ctx, one); err != nil {
		t.Fatal(err)
	}
	if reach(one, c.Store.Addr()) == nil || reach(two, c.Store.Addr()) != nil || reach(one, two.C2STLS) != nil {
		t.Error("the store's cut isn't one")
	}
	if err := c.Heal(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestStartRefuses(t *testing.T) {
	if _, err := testcluster.Start(t.Context(), testcluster.Config{}); err == nil {
		t.Error("a cluster of nothing")
	}
}
