package misuse_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/jackdaw-im/jackdaw/client"
	"github.com/jackdaw-im/jackdaw/cluster/trust"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/internal/talk"
	"github.com/jackdaw-im/jackdaw/internal/testcluster"
	"github.com/jackdaw-im/jackdaw/store/pgstore"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

// returning are the arguments of a node that has joined before.
func returning(name, seed string) func(*testcluster.Node) []string {
	return func(n *testcluster.Node) []string {
		return []string{"--node", name, "--cluster", n.Cluster(), "--advertise", n.Cluster(), "--join", seed}
	}
}

// oneNameTwice starts a copy of a node's data folder on another machine, while the node runs.
func oneNameTwice(r *rig) {
	n2 := r.c.Nodes[1]
	x := r.prepare("twin", returning("n2", r.c.Nodes[0].Cluster()))
	r.keep(x, r.bundle())
	r.launch(x)
	r.ends(x, "another node has this node's name: n2@", " at "+n2.Cluster()+" is alive, so this one, n2@", " at "+x.Cluster()+", can't join")
	if err := n2.Ready(r.within()); err != nil {
		r.Errorf("the node whose name it is: %v", err)
	}
}

// strangers come with keys that aren't the cluster's. They stay outside, and say why; the cluster's nodes count them.
func strangers(r *rig) {
	b := r.bundle()
	foreign, err := trust.New("x", b.Stores, b.Directory, time.Now())
	if err == nil {
		foreign, err = foreign.WithDomain("localhost", "x", time.Now())
	}
	if err != nil {
		r.Fatal(err)
	}
	own := r.madeStore("strange", "SELECT 1") // else its store would refuse it before anybody meets it
	if e, err := pgstore.Open(own, pgstore.Options{Cluster: foreign.Cluster, AllowUnreplicated: true}); err != nil {
		r.Fatal(err)
	} else if err := e.Close(); err != nil {
		r.Fatal(err)
	}
	change := func(f func(*trust.Bundle)) *trust.Bundle {
		other := *b
		f(&other)
		decoded, err := trust.Decode(other.Encode())
		if err != nil {
			r.Fatal(err)
		}
		return decoded
	}
	for _, c := range []struct {
		name     string
		b        *trust.Bundle
		says     string   // itself
		unready  []string // itself, at /readyz
		others   string   // one of the cluster's nodes, in its log
		counting string   // what has risen at them by then; "" for who comes as far as their list, where nothing counts it
	}{
		{"another cluster's node", change(func(o *trust.Bundle) {
			o.Cluster, o.Stores, o.Directory = foreign.Cluster, []trust.DSN{trust.DSN(own)}, ""
		}), "another cluster", []string{"met no other node yet: ", "another cluster"}, "a node of another cluster is refused",
			`jackdaw_gossip_refused_total{reason="foreign"}`},
		{"another gossip key", change(func(o *trust.Bundle) { o.Gossip = foreign.Gossip }), "no seed and no member of the past answers", []string{"met no other node yet: ", "key"},
			"a node with another gossip key is refused", `jackdaw_gossip_refused_total{reason="key"}`},
		{"another authority", change(func(o *trust.Bundle) { o.Authorities = foreign.Authorities }), "this node stays out of the cluster",
			[]string{"joining: this node and n", "don't accept each other", "certificate"}, `"a node has joined","node":"x@`, ""},
	} {
		x := r.prepare("stranger "+c.name, returning("x", r.c.Nodes[0].Cluster()))
		r.keep(x, c.b)
		before := r.counted(c.counting)
		r.launch(x)
		r.unready(x, c.unready...)
		r.logged(x, c.says)
		r.until("it to be refused", func() string {
			for _, n := range r.c.Nodes {
				if strings.Contains(n.Output(), c.others) {
					return ""
				}
			}
			return "nobody says that " + c.others
		})
		if c.counting != "" {
			r.until("them to count it", func() string {
				if now := r.counted(c.counting); now <= before {
					return fmt.Sprintf("%s was %v, and is %v", c.counting, before, now)
				}
				return ""
			})
		} else {
			r.listed(x, "joining")
		}
		r.Logf("%s: %v", c.name, x.Ready(r.Context()))
		r.whole()
		x.Kill()
	}
}

// counted is a number of the nodes' own, summed up; 0 for "".
func (r *rig) counted(series string) float64 {
	r.Helper()
	m, err := r.c.Metrics(r.within())
	if err != nil {
		r.Fatal(err)
	}
	if _, there := m[series]; !there && series != "" {
		r.Fatalf("no node has %s", series)
	}
	return m[series]
}

// noSeedYet joins by a node that doesn't run.
func noSeedYet(r *rig) {
	n3, token := r.c.Nodes[2], r.token()
	if err := n3.Stop(r.within()); err != nil {
		r.Fatal(err)
	}
	x := r.prepare("n4", func(n *testcluster.Node) []string {
		return []string{"--node", n.Name, "--cluster", n.Cluster(), "--advertise", n.Cluster(), "--join", n3.Cluster(), "--token", token}
	})
	r.launch(x)
	r.unready(x, "joining by "+n3.Cluster(), "connection refused")
	r.logged(x, "a node of the cluster can't be reached yet")
	if err := n3.Start(r.within()); err != nil {
		r.Fatal(err)
	}
	if err := errors.Join(x.WaitReady(r.within()), r.c.WaitWhole(r.within(), append(r.c.Nodes[:3:3], x)...)); err != nil {
		r.Fatal(err)
	}
	if err := x.Stop(r.within()); err != nil {
		r.Fatal(err)
	}
	r.whole()
}

// noStoreYet starts a node while the databases are away. One that is told to end meanwhile does.
func noStoreYet(r *rig) {
	n3 := r.c.Nodes[2]
	const waits = "the store can't be opened yet: trying again until it can"
	if err := errors.Join(n3.Stop(r.within()), r.c.Store.Stop(r.within())); err != nil {
		r.Fatal(err)
	}
	r.launch(n3)
	r.unready(n3, "starting: the store can't be opened yet", "failed to connect")
	began := time.Now()
	if err := n3.Stop(r.within()); err == nil || time.Since(began) > 10*time.Second {
		r.Errorf("told to end, it did so after %v: %v", time.Since(began), err)
	}
	r.launch(n3)
	r.unready(n3, "starting: the store can't be opened yet")
	r.logged(n3, waits)
	for _, n := range r.c.Nodes[:2] {
		r.unready(n, "store")
	}
	if err := r.c.Store.Start(r.within()); err != nil {
		r.Fatal(err)
	}
	r.whole()
	r.logged(n3, "the store can be opened now")
}

// revoked shuts a node out that doesn't want to go. It serves nobody once it knows, and what its client said meanwhile isn't lost.
func revoked(r *rig) {
	n1, token := r.c.Nodes[0], r.token()
	x := r.prepare("thief", func(n *testcluster.Node) []string {
		return []string{"--node", n.Name, "--cluster", n.Cluster(), "--advertise", n.Cluster(), "--join", n1.Cluster(), "--token", token}
	})
	if err := x.Start(r.within()); err != nil {
		r.Fatal(err)
	}
	guest, friend := talk.Visit(r, x.C2STLS, "u70@localhost/phone"), talk.Visit(r, n1.C2STLS, "u71@localhost/desk")
	guest.Say("u71@localhost", 1)
	friend.Hears(guest)
	began := time.Now()
	r.said("revoke", r.command(n1, "cluster", "revoke", "thief"), "thief")
	r.until("the others to have its share", func() string {
		mine := 0.0
		for _, n := range r.c.Nodes {
			m, err := n.Metrics(r.Context())
			if err != nil {
				return err.Error()
			}
			mine += m[`jackdaw_cluster_partitions{phase="mine"}`]
		}
		if mine != ident.Partitions {
			return fmt.Sprintf("they have %v", mine)
		}
		return ""
	})
	if d := time.Since(began); d > 10*time.Second {
		r.Errorf("shut out after %v", d)
	}
	r.said("cluster", r.command(n1, "cluster"), "it is revoked")
	guest.Say("u71@localhost", 1)
	end := (*xmpp.StreamError)(nil)
	if err := guest.End(); !errors.As(err, &end) || end.Condition != xmpp.SeeOtherHost || !slices.ContainsFunc(r.c.Nodes, func(n *testcluster.Node) bool { return end.Host == n.Host+":5222" }) {
		r.Errorf("its client was told %v", err)
	}
	r.Logf("its client was told to go after %v", time.Since(began))
	r.unready(x, "doesn't accept this node any more: it was revoked")
	guest.Resume(n1.C2STLS, client.DirectTLS)
	friend.Hears(guest)
	x.Kill()
	r.whole()
	// It comes back: with what it has, with a token of before, and with a new one that somebody gave it.
	fresh := r.token()
	for name, c := range map[string]struct{ token, says string }{"an old token": {token, "token"}, "a new token": {fresh, "the node is revoked"}} {
		y := r.prepare("thief with "+name, func(n *testcluster.Node) []string {
			return []string{"--node", "thief", "--cluster", n.Cluster(), "--join", n1.Cluster(), "--token", c.token}
		})
		r.launch(y)
		r.ends(y, c.says)
	}
	r.launch(x)
	r.until("it to say what is wrong", func() string {
		if out := x.Output(); !strings.Contains(out, "revoked") {
			return out
		}
		return ""
	})
	r.whole()
}

// passwords change in the database before anybody tells the nodes, and are told wrong at first.
func passwords(r *rig) {
	store, n1 := r.c.Store, r.c.Nodes[0]
	file, err := store.Text(r.within(), "SELECT current_setting('hba_file')")
	if err != nil {
		r.Fatal(err)
	}
	old, err := os.ReadFile(file)
	if err != nil {
		r.Skipf("the database's folder can't be written to: %v", err)
	}
	sql := func(statements ...string) {
		r.Helper()
		if err := store.Exec(r.within(), statements...); err != nil {
			r.Fatal(err)
		}
	}
	write := func(text string) {
		r.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			r.Fatal(err)
		}
		sql("SELECT pg_reload_conf()")
	}
	write("host all app all scram-sha-256\n" + string(old))
	sql("CREATE ROLE app LOGIN SUPERUSER PASSWORD '" + secret + "-1'")
	url := func(password string) string {
		return strings.Replace(r.c.StoreURL(), "postgres://jackdaw@", "postgres://app:"+password+"@", 1)
	}
	r.command(n1, "cluster", "store", url(secret+"-1"))
	crowd := r.crowd(6, 100*time.Millisecond)
	if err := crowd.Says(r.within(), 30); err != nil {
		r.Fatal(err)
	}
	kick := "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename IN ('app', 'jackdaw') AND pid <> pg_backend_pid()"
	sql("ALTER ROLE app PASSWORD '"+secret+"-2'", kick)
	for _, n := range r.c.Nodes {
		r.unready(n, "password authentication failed")
	}
	out, err := n1.Command(r.within(), "cluster", "store", url(secret+"-3"), "--data", n1.Data)
	if err == nil {
		r.Errorf("a wrong password is taken: %s", out)
	}
	r.said("cluster store", out, "nothing is changed", "password authentication failed")
	r.command(n1, "cluster", "store", url(secret+"-2"))
	r.whole()
	if err := crowd.Says(r.within(), 30); err != nil {
		r.Fatal(err)
	}
	r.finish(crowd, false)
	for _, n := range r.c.Nodes {
		r.said(n.Name, n.Output())
	}
	r.command(n1, "cluster", "store", r.c.StoreURL())
	write(string(old))
	r.whole()
}
