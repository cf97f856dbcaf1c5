package misuse_test

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/client"
	"github.com/jackdaw-im/jackdaw/internal/talk"
	"github.com/jackdaw-im/jackdaw/internal/testcluster"
	"github.com/jackdaw-im/jackdaw/internal/testnode"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

// TestOperations does what docs/OPERATIONS.md says, as it says it.
func TestOperations(t *testing.T) {
	c := testcluster.Run(t, testcluster.Config{Nodes: 1, Databases: 2, Standbys: 1})
	for _, test := range []struct {
		name string
		run  func(*rig)
	}{{"as written", asWritten}, {"moved", moved}, {"restored", restored}, {"restored to a moment", restoredToAMoment}, {"replaced", replaced}, {"removed", removed}} {
		t.Run(test.name, func(t *testing.T) {
			r := &rig{T: t, c: c, began: time.Now()}
			test.run(r)
			t.Logf("%.1f s", time.Since(r.began).Seconds())
		})
	}
}

// section is what the page says between two texts.
func (r *rig) section(from, to string) string {
	r.Helper()
	text, err := os.ReadFile("../../docs/OPERATIONS.md")
	_, rest, begins := strings.Cut(string(text), from)
	rest, _, ends := strings.Cut(rest, to)
	if err != nil || !begins || !ends {
		r.Fatalf("docs/OPERATIONS.md has nothing from %q to %q: %v", from, to, err)
	}
	return rest
}

// commands are those of a part of the page, without comments.
func commands(section string) (list [][]string) {
	for line := range strings.Lines(section) {
		line, indented := strings.CutPrefix(line, "    ")
		line, _, _ = strings.Cut(line, "#")
		if words := strings.Fields(line); indented && len(words) > 0 {
			list = append(list, words)
		}
	}
	return list
}

// becomes makes a node's process that of another command line of the server's.
func (r *rig) becomes(n *testcluster.Node, env []string, args ...string) {
	r.Helper()
	binary, err := testnode.Build(r.Context())
	if err != nil {
		r.Fatal(err)
	}
	p := testnode.NewProcess(append([]string{binary}, args...)...)
	p.Env, p.Around = env, n.Around
	n.Process = p
	r.Cleanup(p.Kill)
}

// databases makes some for the messages and one for the accounts.
func (r *rig) databases(prefix string, mail int) (list []string, directory string) {
	r.Helper()
	url := func(name string) string {
		if err := r.c.Store.Exec(r.within(), "CREATE DATABASE "+name); err != nil {
			r.Fatal(err)
		}
		first, _, _ := strings.Cut(r.c.StoreURL(), "?")
		return strings.Replace(strings.Split(r.c.StoreURL(), ",postgres:")[0], first[strings.LastIndexByte(first, '/'):]+"?", "/"+name+"?", 1)
	}
	for i := range mail {
		list = append(list, url(fmt.Sprintf("%s%d", prefix, i)))
	}
	return list, url(prefix + "_directory")
}

// asWritten types the commands of "A cluster" on two machines, with these machines' addresses for those of the page.
func asWritten(r *rig) {
	if !r.c.CanCut() {
		r.Skip("nodes that listen on all addresses need a machine each: ", testcluster.ErrNoCuts)
	}
	mail, directory := r.databases("written", 1)
	n1 := r.prepare("m1", func(*testcluster.Node) []string { return nil })
	n2 := r.prepare("m2", func(*testcluster.Node) []string { return nil })
	said := map[string]string{
		"10.0.0.1": n1.Host, "n1.example.org": n1.Host, "n2.example.org": n2.Host,
		"postgres://jackdaw:SECRET@db1/mail": mail[0], "postgres://jackdaw:SECRET@db1/directory": directory,
	}
	exported := ""
	machines := []*testcluster.Node{n1, n2}
	for _, words := range commands(r.section("\n## A cluster\n", "\nThe token brings")) {
		for i, w := range words {
			for from, to := range said {
				w = strings.ReplaceAll(w, from, to)
			}
			words[i] = w
		}
		switch line := strings.Join(words, " "); {
		case words[0] == "export":
			exported = words[1]
		case line == "jackdaw cluster token":
			r.served(n1)
			token, err := n1.Token(r.within())
			if err != nil {
				r.Fatal(err)
			}
			said["TOKEN"] = token
		case strings.HasPrefix(line, "jackdaw serve"):
			n := machines[0]
			machines = machines[1:]
			r.becomes(n, r.machine(n, exported), words[1:]...)
			r.launch(n)
		default:
			r.Fatalf("the page says %s", line)
		}
	}
	if len(machines) > 0 {
		r.Fatal("the page doesn't start two nodes")
	}
	r.served(n2)
	r.until("both to be one cluster", func() string {
		if out := r.command(n1, "cluster"); !strings.Contains(out, "m2  ") {
			return out
		}
		return ""
	})
	if err := n1.Import(r.within(), []testnode.User{{JID: "juliet@example.org", Password: talk.Password}, {JID: "romeo@example.org", Password: talk.Password}}); err != nil {
		r.Fatal(err)
	}
	// This test's process is on neither machine.
	guests := map[string]*talk.Guest{}
	for _, n := range []*testcluster.Node{n1, n2} {
		guests[n.Name] = talk.Visit(r, n.C2STLS, "juliet@example.org/"+n.Name)
		conn, err := client.Dial(r.within(), &client.Config{Addr: n.C2S, Security: client.StartTLS, TLS: talk.TLS("example.org"), JID: "juliet@example.org/plain" + n.Name, Password: talk.Password})
		if err != nil {
			r.Fatal(err)
		}
		conn.Cut()
		_ = conn.Run() // it was cut
	}
	from := talk.Visit(r, n2.C2STLS, "romeo@example.org/a")
	from.Say("juliet@example.org/m1", 3)
	guests["m1"].Hears(from)
	r.command(n1, "drain", "--over", "0s")
	var sent *xmpp.StreamError
	if err := guests["m1"].End(); !errors.As(err, &sent) || sent.Host != n2.Host+":5222" {
		r.Errorf("who is sent away is told %v, and to go to %v", err, sent)
	}
	r.command(n1, "undrain")
	from.Leave()
	// From then on `jackdaw serve` alone does.
	if err := n2.Stop(r.within()); err != nil {
		r.Error(err)
	}
	r.becomes(n2, r.machine(n2, exported), "serve")
	r.launch(n2)
	talk.Visit(r, n2.C2STLS, "romeo@example.org/b").Say("juliet@example.org", 1)
	for _, n := range []*testcluster.Node{n1, n2} {
		for _, warning := range []string{"from this machine only", "cluster.client is empty"} {
			if strings.Contains(n.Output(), warning) {
				r.Errorf("%s warns: %s", n.Name, n.Output())
			}
		}
	}
	for _, n := range []*testcluster.Node{n2, n1} {
		if err := n.Stop(r.within()); err != nil {
			r.Error(err)
		}
	}
}

// machine is the environment of a machine: its name, and where its server keeps its data.
func (r *rig) machine(n *testcluster.Node, more string) []string {
	return []string{"JACKDAW_CLUSTER_NAME=" + n.Name, "JACKDAW_DATA=" + n.Data, more}
}

// served waits until a server is ready by its own command: its health is its machine's own.
func (r *rig) served(n *testcluster.Node) {
	r.Helper()
	r.until(n.Name+" to serve", func() string {
		select {
		case <-n.Exited():
			r.Fatal(n.Output())
		default:
		}
		out, err := n.Command(r.within(), "cluster", "--data", n.Data)
		if err != nil || !strings.Contains(out, "active") {
			return out
		}
		return ""
	})
}

// moved makes a cluster of a server on its embedded store, in which a message waits.
func moved(r *rig) {
	mail, directory := r.databases("moved", 2)
	n := r.prepare("old", func(*testcluster.Node) []string { return nil })
	if err := n.Import(r.within(), testnode.Users("u", "localhost", 3, talk.Password)); err != nil {
		r.Fatal(err)
	}
	if err := n.Start(r.within()); err != nil {
		r.Fatal(err)
	}
	from := talk.Visit(r, n.C2STLS, "u0@localhost/a")
	from.Say("u1@localhost", 3)
	from.Acked()
	from.Leave()
	if err := n.Stop(r.within()); err != nil {
		r.Fatal(err)
	}
	store := []string{"--store", strings.Join(mail, ","), "--directory", directory}
	r.said("store move", r.command(n, append([]string{"store", "move"}, store...)...), "moved "+n.Data)
	env := n.Env
	r.launch(n) // as before
	r.ends(n, "has been moved to", "start this node with --cluster and --store")
	listen := []string{"serve", "--data", n.Data, "--c2s", n.C2S, "--c2s-tls", n.C2STLS, "--admin", n.Admin}
	r.becomes(n, env, slices.Concat(listen, []string{"--node", n.Name, "--cluster", n.Cluster(), "--advertise", n.Cluster()}, store)...)
	if err := n.Start(r.within()); err != nil {
		r.Fatal(err)
	}
	token, err := n.Token(r.within())
	if err != nil {
		r.Fatal(err)
	}
	second := r.prepare("second", func(s *testcluster.Node) []string {
		return []string{"--node", s.Name, "--cluster", s.Cluster(), "--advertise", s.Cluster(), "--join", n.Cluster(), "--token", token}
	})
	if err := errors.Join(second.Start(r.within()), r.c.WaitWhole(r.within(), n, second)); err != nil {
		r.Fatal(err)
	}
	to := talk.Visit(r, second.C2STLS, "u1@localhost/a")
	to.HearsOnce(from)
	again := talk.Visit(r, n.C2STLS, "u2@localhost/a")
	again.Say("u1@localhost", 1)
	to.Await("one more", func(got []*xmpp.Element) bool { return len(talk.Bodies(got)) == 4 })
	for _, x := range []*testcluster.Node{second, n} {
		if err := x.Stop(r.within()); err != nil {
			r.Error(err)
		}
	}
}

// restored dumps the databases of a running cluster, and later does "To restore".
func restored(r *rig) {
	n := r.c.Nodes[0]
	if err := n.Import(r.within(), testnode.Users("u", "localhost", 2, talk.Password)); err != nil {
		r.Fatal(err)
	}
	dir, databases := r.TempDir(), []string{"postgres", "mail1", "mail2"} // the directory first
	from := talk.Visit(r, n.C2STLS, "u0@localhost/a")
	from.Say("u1@localhost", 3)
	from.Acked()
	dump := func(name string) string { return filepath.Join(dir, name+".dump") }
	for _, name := range databases {
		r.program("pg_dump", "--format=custom", "--file="+dump(name), r.c.Store.URL(name))
	}
	from.Say("u1@localhost", 2) // which will be lost, to those who were told that they are stored
	from.Acked()
	to := talk.Visit(r, n.C2STLS, "u1@localhost/a")
	to.HearsOnce(from)
	// 1. Stop all nodes.
	if err := n.Stop(r.within()); err != nil {
		r.Fatal(err)
	}
	// 2. pg_restore into empty databases.
	admin, err := r.c.Store.Connect(r.within(), "template1")
	if err != nil {
		r.Fatal(err)
	}
	for _, name := range databases {
		for _, statement := range []string{"DROP DATABASE " + name + " WITH (FORCE)", "CREATE DATABASE " + name} {
			if _, err := admin.Exec(r.within(), statement); err != nil {
				r.Fatal(err)
			}
		}
	}
	if err := admin.Close(r.within()); err != nil {
		r.Fatal(err)
	}
	for _, name := range databases {
		r.program("pg_restore", "--exit-on-error", "--dbname="+r.c.Store.URL(name), dump(name))
	}
	r.reconciles(n, to)
}

// reconciles does the steps after the databases are back, and checks that of what was said to a user the first three messages are there,
// who was told them before.
func (r *rig) reconciles(n *testcluster.Node, to *talk.Guest) {
	r.Helper()
	// With what it remembers, the node refuses them.
	r.launch(n)
	r.refusesRestored(n)
	// 3. Delete the memory.
	if err := os.Remove(filepath.Join(n.Data, "cluster", "store-memory.json")); err != nil {
		r.Fatal(err)
	}
	// 4. and 5.
	r.said("reconcile", r.command(n, "store", "reconcile"), "removed 0 messages", "marked 3 ")
	r.command(n, "store", "check")
	if err := n.Start(r.within()); err != nil {
		r.Fatal(err)
	}
	before := len(to.Got())
	if to.Resume(n.C2STLS, client.DirectTLS) {
		r.Error("a stream of before is resumed")
	}
	var came []*xmpp.Element
	to.Await("what was delivered before", func(got []*xmpp.Element) bool {
		came = got[before:]
		return len(talk.Bodies(came)) >= 3
	})
	for _, e := range came {
		if e.Name == "message" && !strings.Contains(string(e.AppendXML(nil, "")), "restored from a backup; it may have been delivered before") {
			r.Errorf("it isn't marked: %s", e.AppendXML(nil, ""))
		}
	}
	if bodies := talk.Bodies(came); !slices.Equal(bodies, []string{"1", "2", "3"}) {
		r.Errorf("%q came", bodies)
	}
	to.Leave() // with what it was told acknowledged
}

// refusesRestored waits until a server has ended, or isn't ready, because the databases lack what it was promised.
func (r *rig) refusesRestored(n *testcluster.Node) {
	r.Helper()
	const lacks = "lacks"
	r.until(n.Name+" to refuse the databases", func() string {
		select {
		case <-n.Exited():
			if !strings.Contains(n.Output(), lacks) {
				r.Fatalf("it has ended: %s", n.Output())
			}
			return ""
		default:
		}
		err := n.Ready(r.Context())
		if err == nil || !strings.Contains(err.Error(), lacks) {
			return cmp.Or(fmt.Sprint(err), "it is ready")
		}
		return ""
	})
	n.Kill()
	r.Logf("it says: %s", lastLine(n.Output()))
}

// program runs one of PostgreSQL's.
func (r *rig) program(name string, args ...string) {
	r.Helper()
	if out, err := exec.CommandContext(r.within(), name, args...).CombinedOutput(); err != nil {
		r.Fatalf("%s: %v: %s", name, err, out)
	}
}
