package misuse_test

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/internal/talk"
	"github.com/jackdaw-im/jackdaw/internal/testcluster"
	"github.com/jackdaw-im/jackdaw/internal/testnode"
)

// replaced loses a node with its folder, twice: it is replaced on another machine, and then on the same. What it acknowledged waits for
// users who aren't there, some of them of its own share.
func replaced(r *rig) {
	nodes := r.grow(3)
	lost, name, token := nodes[1], nodes[1].Name, r.token()
	anew := r.prepare(name+" anew", func(n *testcluster.Node) []string {
		return []string{"--node", name, "--cluster", n.Cluster(), "--advertise", n.Cluster(), "--join", nodes[0].Cluster(), "--token", token}
	})
	for i := range 2 {
		waiting, had := r.letters(lost, fmt.Sprintf("lost%d-", i)), r.share(lost)
		lost.Kill()
		if err := os.RemoveAll(lost.Data); err != nil {
			r.Fatal(err)
		}
		r.insists(anew, name, nodes[0])
		nodes[1] = anew
		if err := r.c.WaitWhole(r.within(), nodes...); err != nil {
			r.Fatal(err)
		}
		if has := r.share(anew); has != had {
			r.Errorf("%s had %v partitions, and has %v", name, had, has)
		}
		r.fetched(waiting, anew)
		lost = anew
	}
	if err := anew.Stop(r.within()); err != nil {
		r.Error(err)
	}
}

// insists starts a node in the place of a lost one. It is refused for as long as the others don't miss that, and started again then.
func (r *rig) insists(n *testcluster.Node, name string, by *testcluster.Node) {
	r.Helper()
	refused := 0
	r.launch(n)
	r.until(name+" to come in", func() string {
		select {
		case <-n.Exited():
			if !strings.Contains(lastLine(n.Output()), "a node called "+name+" is in the cluster already") {
				r.Fatalf("it has ended: %s", n.Output())
			}
			if out := r.command(by, "cluster"); regexp.MustCompile(`(?m)^` + name + ` +active`).MatchString(out) {
				return out
			}
			refused++
			r.launch(n)
		default:
		}
		if err := n.Ready(r.Context()); err != nil {
			return err.Error()
		}
		return ""
	})
	r.Logf("%s is let in, after it was refused %d times", name, refused)
}

// removed takes a node out for good.
func removed(r *rig) {
	nodes := r.grow(3)
	gone, others := nodes[2], nodes[:2]
	waiting := r.letters(gone, "gone-")
	r.said("drain", r.command(others[0], "drain", gone.Name, "--over", "0s"), "it can be stopped")
	if has := r.share(gone); has != 0 {
		r.Errorf("%s is drained, and has %v partitions", gone.Name, has)
	}
	if err := errors.Join(gone.Stop(r.within()), os.RemoveAll(gone.Data), r.c.WaitWhole(r.within(), others...)); err != nil {
		r.Fatal(err)
	}
	if has := r.share(others[0]) + r.share(others[1]); has != ident.Partitions {
		r.Errorf("the others have %v partitions", has)
	}
	for _, n := range others {
		r.until(n.Name+" to forget it", func() string {
			if out := r.command(n, "cluster"); regexp.MustCompile(`\b`+gone.Name+`\b`).MatchString(out) || !strings.Contains(out, "all agree") {
				return out
			}
			return ""
		})
	}
	r.fetched(waiting, others[0])
}

// grow adds nodes until so many run, and returns those.
func (r *rig) grow(size int) []*testcluster.Node {
	r.Helper()
	var running []*testcluster.Node
	for _, n := range r.c.Nodes {
		if n.PID() != 0 {
			running = append(running, n)
		}
	}
	for len(running) < size {
		n, err := r.c.Add(r.within())
		if err != nil {
			r.Fatal(err)
		}
		running = append(running, n)
	}
	if err := r.c.WaitWhole(r.within(), running...); err != nil {
		r.Fatal(err)
	}
	return running
}

// share is how many partitions a node has.
func (r *rig) share(n *testcluster.Node) float64 {
	r.Helper()
	m, err := n.Metrics(r.within())
	if err != nil {
		r.Fatal(err)
	}
	return m[`jackdaw_cluster_partitions{phase="mine"}`]
}

// letters are what users of a node have written to users who aren't there, by their addresses. There are so many that
// each of three nodes has the mailboxes of some.
func (r *rig) letters(at *testcluster.Node, prefix string) map[string]*talk.Guest {
	r.Helper()
	if err := r.c.Nodes[0].Import(r.within(), testnode.Users(prefix, "localhost", 13, talk.Password)); err != nil {
		r.Fatal(err)
	}
	waiting := map[string]*talk.Guest{}
	for i := range 12 {
		from := talk.Visit(r, at.C2STLS, fmt.Sprintf("%s12@localhost/%d", prefix, i))
		to := fmt.Sprintf("%s%d@localhost", prefix, i)
		from.Say(to, 2)
		waiting[to] = from
	}
	for _, from := range waiting {
		from.Acked()
	}
	return waiting
}

// fetched logs all of them in at a node.
func (r *rig) fetched(waiting map[string]*talk.Guest, at *testcluster.Node) {
	r.Helper()
	for to, from := range waiting {
		talk.Visit(r, at.C2STLS, to+"/a").HearsOnce(from)
	}
}
