package misuse_test

import (
	"strings"
	"time"

	"github.com/jackdaw-im/jackdaw/cluster/trust"
	"github.com/jackdaw-im/jackdaw/internal/testcluster"
)

// refused are command lines that no server comes of.
func refused(r *rig) {
	seed, good, b := r.c.Nodes[0].Cluster(), r.token(), r.bundle()
	join := func(token string, more ...string) func(*testcluster.Node) []string {
		return func(n *testcluster.Node) []string {
			return append([]string{"--node", "x", "--cluster", n.Cluster(), "--join", seed, "--token", token}, more...)
		}
	}
	token := func(of *trust.Bundle, at time.Time) string {
		t, err := of.NewToken(time.Minute, at)
		if err != nil {
			r.Fatal(err)
		}
		return t.Text()
	}
	foreign, err := trust.New("y", []trust.DSN{"postgres://db/other"}, "", time.Now())
	if err != nil {
		r.Fatal(err)
	}
	r.command(r.c.Nodes[1], "cluster", "rotate", "token")
	void := good
	r.until("the token to be void", func() string {
		if good = r.token(); r.bundle().Version == b.Version {
			return "the keys are the old ones"
		}
		return ""
	})
	newer := r.madeStore("newer", "UPDATE jackdaw_schema SET version = 1000, compatible = 1000")
	others := r.madeStore("theirs", "UPDATE jackdaw_schema SET cluster = 'feedfeed'")
	for _, c := range []struct {
		name string
		args func(*testcluster.Node) []string
		says []string
	}{
		{"the embedded store", func(n *testcluster.Node) []string { return []string{"--node", "x", "--cluster", n.Cluster()} },
			[]string{"a cluster needs a store that all nodes share, and the embedded one is one node's alone", "jackdaw store move", "--join HOST:PORT --token TOKEN"}},
		{"a shared store without a cluster", func(*testcluster.Node) []string {
			return []string{"--store", "postgres://jackdaw:" + secret + "@db/mail"}
		},
			[]string{"store.url is given without a cluster: give --cluster HOST:PORT too"}},
		{"no token", func(*testcluster.Node) []string { return []string{"--node", "x", "--join", seed} }, []string{"cluster.join is given without cluster.token", "make a token with `jackdaw cluster token`"}},
		{"no token at all", join("nonsense"), []string{"that is no join token, or a part of it is missing"}},
		{"half a token", join(good[:len(good)/2]), []string{"that is no join token, or a part of it is missing"}},
		{"a token that has expired", join(token(r.bundle(), time.Now().Add(-time.Hour))), []string{"joining by " + seed, "the join token has expired: make a new one"}},
		{"a token of before a rotation", join(void), []string{"joining by " + seed, "was not made with this cluster's token key, or the key has been rotated since"}},
		{"another cluster's token", join(token(foreign, time.Now())), []string{"the node that answers isn't of the cluster that made the join token"}},
		{"another's name", func(n *testcluster.Node) []string {
			return []string{"--node", "n2", "--cluster", n.Cluster(), "--join", seed, "--token", good}
		},
			[]string{"a node called n2 is in the cluster already, at " + r.c.Nodes[1].Cluster() + ": give this one another name with --node"}},
		{"no name for a node", join(good, "--node", "Node One"), []string{`the name "Node One"`}},
		{"another domain", join(good, "--domain", "other.example"), []string{"configured for the domain other.example, and its cluster serves localhost: leave the domain out"}},
		{"another store", join(good, "--store", "postgres://jackdaw:"+secret+"@db.example/mail"),
			[]string{"store.url is postgres://db.example:5432/mail, and the cluster's is postgres://", r.c.Store.Addr(), "leave it out, or change the cluster's with `jackdaw cluster store`"}},
		{"another directory", join(good, "--store", r.c.StoreURL(), "--directory", "postgres://jackdaw:"+secret+"@db.example/directory"),
			[]string{"store.directory is postgres://db.example:5432/directory, and the cluster's is postgres://", r.c.Store.Addr(), "leave it out, or change the cluster's with `jackdaw cluster store`"}},
		{"a newer store", func(n *testcluster.Node) []string {
			return []string{"--node", "x", "--cluster", n.Cluster(), "--store", newer}
		}, []string{"newer", "1000"}},
		{"another cluster's store, which nobody uses now", func(n *testcluster.Node) []string {
			return []string{"--node", "x", "--cluster", n.Cluster(), "--store", others}
		}, []string{"belongs to the cluster feedfeed, and whoever opens it here is of the cluster ", "--join", "jackdaw store release"}},
		{"a second cluster on the same store", func(n *testcluster.Node) []string {
			return []string{"--node", "x", "--cluster", n.Cluster(), "--store", r.c.StoreURL()}
		},
			[]string{"nodes of a cluster are at work on this store: n1, n2, n3. Join them with --join HOST:PORT --token TOKEN"}},
	} {
		x := r.prepare("refused "+c.name, c.args)
		r.launch(x)
		r.Logf("%s: %s", c.name, lastLine(func() string { r.ends(x, c.says...); return x.Output() }()))
	}
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// madeStore is a database that is set up, and then changed.
func (r *rig) madeStore(name, change string) string {
	r.Helper()
	if err := r.c.Store.Exec(r.within(), "CREATE DATABASE "+name); err != nil {
		r.Fatal(err)
	}
	url := strings.Replace(r.c.StoreURL(), "/postgres?", "/"+name+"?", 1)
	if out, err := r.c.Nodes[0].Command(r.within(), "store", "migrate", "--store", url); err != nil {
		r.Fatal(out, err)
	}
	c, err := r.c.Store.Connect(r.within(), name)
	if err != nil {
		r.Fatal(err)
	}
	if _, err := c.Exec(r.within(), change); err != nil {
		r.Fatal(err)
	}
	if err := c.Close(r.within()); err != nil {
		r.Fatal(err)
	}
	return url
}
