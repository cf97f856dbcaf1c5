package testcluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jackdaw-im/jackdaw/internal/testnode"
	"github.com/jackdaw-im/jackdaw/internal/testpg"
)

// Config says what to run. Nodes and Data are needed.
type Config struct {
	// Nodes is how many nodes there are at first.
	Nodes int
	// Standbys is how many synchronous standbys the database has. Without any, the nodes are told to be content with that.
	Standbys int
	// Fsync makes the database flush before it commits, as one in use does.
	Fsync bool
	// Data is a folder for the nodes' data. It outlives the cluster.
	Data string
	// Binary is the server's binary; empty means what testnode.Build builds.
	Binary string
	// Env is added to the environment of each node: NAME=VALUE.
	Env []string
}

// database is the one of the messages, accounts and groups.
const database = "postgres"

// Cluster is some nodes and the PostgreSQL servers under them.
type Cluster struct {
	// Nodes are all there ever were, also those that don't run.
	Nodes []*Node
	// Store is the first primary.
	Store *testpg.Server

	cfg Config
	net *network
}

// Node is one node.
type Node struct {
	*testnode.Node
	// Name is its name in the cluster, Data its data folder, and Host its address.
	Name, Data, Host string

	at *place
}

// Start starts PostgreSQL, then the first node, which founds the cluster, and then the others, which join it by a token.
func Start(ctx context.Context, cfg Config) (_ *Cluster, err error) {
	if cfg.Nodes < 1 || cfg.Data == "" {
		return nil, errors.New("testcluster: no nodes, or no data folder")
	}
	c := &Cluster{cfg: cfg}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	if c.net, err = newNetwork(); err != nil {
		return nil, err
	}
	if c.Store, err = testpg.Start(ctx, testpg.Options{Fsync: cfg.Fsync, Standbys: cfg.Standbys, Host: c.net.store}); err != nil {
		return nil, err
	}
	for range cfg.Nodes {
		if _, err := c.Add(ctx); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// StoreURL is how nodes reach the database: on whichever of its servers takes writes.
func (c *Cluster) StoreURL() string {
	return testpg.URL(database, append([]*testpg.Server{c.Store}, c.Store.Standbys...)...)
}

// Add starts one more node and waits until it is ready.
func (c *Cluster) Add(ctx context.Context) (*Node, error) {
	i := len(c.Nodes) + 1
	at, err := c.net.place(i)
	if err != nil {
		return nil, err
	}
	n := &Node{Name: fmt.Sprintf("n%d", i), Host: at.host, at: at}
	n.Data = filepath.Join(c.cfg.Data, n.Name)
	cluster := n.Host + ":5300"
	args := []string{"--node", n.Name, "--cluster", cluster, "--advertise", cluster}
	env := slices.Concat([]string{"JACKDAW_CLUSTER_CLIENT=" + n.Host + ":5222"}, c.cfg.Env)
	if c.cfg.Standbys == 0 {
		env = append(env, "JACKDAW_STORE_ALLOW_UNREPLICATED=true")
	}
	if seed := c.running(); seed != nil {
		token, err := seed.Command(ctx, "cluster", "token", "--data", seed.Data)
		if err != nil {
			return nil, err
		}
		// The token is the output's last line; a hint for people goes before it.
		lines := strings.Split(strings.TrimSpace(token), "\n")
		args = append(args, "--join", seed.Host+":5300", "--token", lines[len(lines)-1])
	} else {
		args = append(args, "--store", c.StoreURL())
	}
	n.Node, err = testnode.New(testnode.Config{Data: n.Data, Binary: c.cfg.Binary, Args: args, Host: n.Host, Env: env, Around: at.enter})
	if err != nil {
		return nil, err
	}
	c.Nodes = append(c.Nodes, n)
	return n, n.Start(ctx)
}

// SetBinary says which binary the nodes have that are added from now on. Those that are there keep theirs: [testnode.Node.SetBinary].
func (c *Cluster) SetBinary(path string) { c.cfg.Binary = path }

// Addrs are where the nodes take clients by direct TLS, also those that don't run.
func (c *Cluster) Addrs() (list []string) {
	for _, n := range c.Nodes {
		list = append(list, n.C2STLS)
	}
	return list
}

// running is some node that runs, or nil.
func (c *Cluster) running() *Node {
	for _, n := range c.Nodes {
		if n.PID() != 0 {
			return n
		}
	}
	return nil
}

// WaitReady waits until all nodes that run are ready.
func (c *Cluster) WaitReady(ctx context.Context) error {
	for _, n := range c.Nodes {
		if n.PID() == 0 {
			continue
		}
		if err := n.WaitReady(ctx); err != nil {
			return fmt.Errorf("%s: %w", n.Name, err)
		}
	}
	return nil
}

// Outputs are the ends of what the nodes have said.
func (c *Cluster) Outputs() string {
	var b strings.Builder
	for _, n := range c.Nodes {
		fmt.Fprintf(&b, "---- %s\n%s\n", n.Name, n.Output())
	}
	return b.String()
}

// WriteOutputs writes them to a folder, a file for each node.
func (c *Cluster) WriteOutputs(dir string) error {
	for _, n := range c.Nodes {
		if err := os.WriteFile(filepath.Join(dir, n.Name+".log"), []byte(n.Output()), 0o600); err != nil {
			return fmt.Errorf("testcluster: %w", err)
		}
	}
	return nil
}

// Close kills all nodes and the database, whose folder is deleted.
func (c *Cluster) Close() error {
	for _, n := range c.Nodes {
		n.Resume()
		n.Kill()
	}
	var err error
	if c.Store != nil {
		err = c.Store.Close()
	}
	return errors.Join(err, c.net.close())
}
