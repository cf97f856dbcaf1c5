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
	// Databases is how many the messages are spread over; 0 means 1. With more than one, accounts have a database of their own.
	Databases int
	// Standbys is how many synchronous standbys the database has. Without any, the nodes are told to be content with that.
	Standbys int
	// Fsync makes the database flush before it commits, as one in use does.
	Fsync bool
	// Disk is what the database's data are on: see testpg.Options.
	Disk *testpg.Disk
	// Data is a folder for the nodes' data. It outlives the cluster.
	Data string
	// Binary is the server's binary; empty means what testnode.Build builds.
	Binary string
	// Prefix is what the nodes' addresses begin with where the network isn't private, such as "127.0.1."; empty: chosen at random.
	Prefix string
	// Env is added to the environment of each node: NAME=VALUE.
	Env []string
	// Each, unless nil, makes ready what a node needs, before it starts for the first time, and returns what its environment has beside Env.
	Each func(*Node) ([]string, error)
}

// directory is the database of the accounts, and of the messages where they have no others.
const directory = "postgres"

// Cluster is some nodes and the PostgreSQL servers under them.
type Cluster struct {
	// Nodes are all there ever were, also those that don't run.
	Nodes []*Node
	// Store is the first primary.
	Store *testpg.Server

	cfg      Config
	net      *network
	places   int
	prepared []*Node
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
	if c.net, err = newNetwork(cfg.Prefix); err != nil {
		return nil, err
	}
	if c.Store, err = testpg.Start(ctx, testpg.Options{Fsync: cfg.Fsync, Standbys: cfg.Standbys, Host: c.net.store, Disk: cfg.Disk}); err != nil {
		return nil, err
	}
	for _, name := range c.databases() {
		if name == directory {
			continue
		}
		if err := c.Store.Exec(ctx, "CREATE DATABASE "+name); err != nil {
			return nil, err
		}
	}
	for range cfg.Nodes {
		if _, err := c.Add(ctx); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// databases are the names of those that have the messages.
func (c *Cluster) databases() []string {
	if c.cfg.Databases < 2 {
		return []string{directory}
	}
	list := make([]string, c.cfg.Databases)
	for i := range list {
		list[i] = fmt.Sprintf("mail%d", i+1)
	}
	return list
}

// url is how nodes reach a database: on whichever of its servers takes writes.
func (c *Cluster) url(name string) string {
	return testpg.URL(name, append([]*testpg.Server{c.Store}, c.Store.Standbys...)...)
}

// StoreURL is how nodes reach the databases of the messages, separated by commas.
func (c *Cluster) StoreURL() string {
	var list []string
	for _, name := range c.databases() {
		list = append(list, c.url(name))
	}
	return strings.Join(list, ",")
}

// Add starts one more node and waits until it is ready.
func (c *Cluster) Add(ctx context.Context) (*Node, error) {
	join := []string{"--store", c.StoreURL()}
	if c.cfg.Databases > 1 {
		join = append(join, "--directory", c.url(directory))
	}
	if seed := c.running(); seed != nil {
		token, err := seed.Token(ctx)
		if err != nil {
			return nil, err
		}
		join = []string{"--join", seed.Cluster(), "--token", token}
	}
	n, err := c.Prepare(fmt.Sprintf("n%d", len(c.Nodes)+1), func(n *Node) []string {
		return append([]string{"--node", n.Name, "--cluster", n.Cluster(), "--advertise", n.Cluster()}, join...)
	})
	if err != nil {
		return nil, err
	}
	c.Nodes = append(c.Nodes, n)
	return n, n.Start(ctx)
}

// Prepare gives a node a place and a data folder, without starting it. Its arguments are the caller's, who knows name, data folder and
// address by then. It isn't among Nodes, but Close ends it.
func (c *Cluster) Prepare(name string, args func(*Node) []string) (*Node, error) {
	c.places++
	at, err := c.net.place(c.places)
	if err != nil {
		return nil, err
	}
	n := &Node{Name: name, Host: at.host, Data: filepath.Join(c.cfg.Data, name), at: at}
	env := slices.Concat([]string{"JACKDAW_CLUSTER_CLIENT=" + n.Host + ":5222"}, c.cfg.Env)
	if c.cfg.Standbys == 0 {
		env = append(env, "JACKDAW_STORE_ALLOW_UNREPLICATED=true")
	}
	if c.cfg.Each != nil {
		more, err := c.cfg.Each(n)
		if err != nil {
			return nil, err
		}
		env = append(env, more...)
	}
	n.Node, err = testnode.New(testnode.Config{Data: n.Data, Binary: c.cfg.Binary, Args: args(n), Host: n.Host, Env: env, Around: at.enter})
	if err != nil {
		return nil, err
	}
	c.prepared = append(c.prepared, n)
	return n, nil
}

// Cluster is the address where the others reach it.
func (n *Node) Cluster() string { return n.Host + ":5300" }

// Token makes a token by which nodes join.
func (n *Node) Token(ctx context.Context) (string, error) {
	out, err := n.Command(ctx, "cluster", "token", "--data", n.Data)
	if err != nil {
		return "", err
	}
	// The token is the output's last line; a hint for people goes before it.
	lines := strings.Split(strings.TrimSpace(out), "\n")
	return lines[len(lines)-1], nil
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
	for _, n := range c.prepared {
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
	for _, n := range c.prepared {
		n.Resume()
		n.Kill()
	}
	var err error
	if c.Store != nil {
		err = c.Store.Close()
	}
	return errors.Join(err, c.net.close())
}
