//go:build !race

// With the race detector only one node fits into a process: the library that carries frames sets a global logger as it starts.

package node

import (
	"context"
	"fmt"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/admin"
	"github.com/jackdaw-im/jackdaw/cluster/member"
	"github.com/jackdaw-im/jackdaw/cluster/trust"
	"github.com/jackdaw-im/jackdaw/config"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store/memstore"
)

// quick are times of gossip for nodes on one machine.
var quick = member.Timing{Probe: 200 * time.Millisecond, ProbeTimeout: 100 * time.Millisecond, Gossip: 20 * time.Millisecond, PushPull: time.Second, Rejoin: time.Second}

// clusterRig is nodes of one process in one cluster, on one store in memory.
type clusterRig struct {
	t     *testing.T
	store *memstore.Engine
	nodes []*Node
	log   *zap.Logger
}

func newClusterRig(t *testing.T, size int) *clusterRig {
	t.Helper()
	r := &clusterRig{t: t, store: memstore.New(memstore.Options{Shared: true}), log: zap.NewNop()}
	for range size {
		r.add()
	}
	r.until("all have their share", func() bool { return r.share() == ident.Partitions })
	return r
}

// config is that of a node which founds the cluster, or joins it.
func (r *clusterRig) config() *config.Config {
	cfg := testConfig(r.t)
	i := len(r.nodes) + 1
	cfg.Cluster.Name, cfg.Cluster.Listen, cfg.Cluster.Carriage = fmt.Sprintf("n%d", i), "127.0.0.1:0", "127.0.0.1:0"
	cfg.Cluster.Client = fmt.Sprintf("127.0.0.%d:5222", i)
	if i == 1 {
		cfg.Store.URL = "postgres://jackdaw:secret@db.example/mail"
		return cfg
	}
	token, err := r.ops(0).ClusterToken(r.t.Context(), time.Minute)
	if err != nil {
		r.t.Fatal(err)
	}
	cfg.Cluster.Join, cfg.Cluster.Token = token.GetSeed(), token.GetToken()
	return cfg
}

// add starts one more node.
func (r *clusterRig) add() *Node {
	r.t.Helper()
	n, err := r.open(r.config())
	if err != nil {
		r.t.Fatal(err)
	}
	if err := n.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { r.stop(n) })
	r.nodes = append(r.nodes, n)
	return n
}

func (r *clusterRig) open(cfg *config.Config) (*Node, error) {
	live, err := belongs(context.Background(), cfg, cfg.Cluster.Name, newLobby(r.log), func(*trust.Bundle) error { return nil })
	if err != nil {
		return nil, err
	}
	r.t.Cleanup(live.Close)
	id := ident.NodeID(fmt.Sprintf("%s@%d", cfg.Cluster.Name, time.Now().UnixMicro()))
	n, err := open(cfg, r.log, r.store.Node(id), id, live)
	if err != nil {
		return nil, err
	}
	n.timing = quick
	return n, nil
}

// stop may be called again.
func (r *clusterRig) stop(n *Node) {
	if n.phase.Load() != serving {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := n.Stop(ctx); err != nil {
		r.t.Error(err)
	}
}

func (r *clusterRig) ops(i int) admin.Cluster { return r.nodes[i].newOperations() }

// share is how many partitions are served by the nodes that run.
func (r *clusterRig) share() (sum int) {
	for _, n := range r.nodes {
		if n.phase.Load() == serving {
			sum += n.cluster.Status().Mine
		}
	}
	return sum
}

// until waits for what other goroutines bring about.
func (r *clusterRig) until(what string, is func() bool) {
	r.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	timeout := time.NewTimer(30 * time.Second)
	defer timeout.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-timeout.C:
			for _, n := range r.nodes {
				r.t.Logf("%s: %+v, %+v", n.sys.Node(), n.cluster.Status(), n.peers.member.View().Members)
			}
			r.t.Fatalf("not in time: %s", what)
		}
	}
}

// user adds a user.
func (r *clusterRig) user(name string) {
	r.t.Helper()
	u, err := admin.NewUser(ident.UserID(name), "secret")
	if err == nil {
		err = r.nodes[0].Users().Create(r.t.Context(), u)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// bundle is the version that a node has.
func (r *clusterRig) bundle(i int) *trust.Bundle { return r.nodes[i].peers.live.Bundle() }
