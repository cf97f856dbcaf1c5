package misuse_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/cluster/trust"
	"github.com/jackdaw-im/jackdaw/internal/talk"
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

// look is how often a state is looked at that has to come.
const look = 50 * time.Millisecond

// secret is in passwords, and nobody may read it anywhere.
const secret = "hunter2"

// rig is a cluster of three nodes, and who comes to it from outside.
type rig struct {
	*testing.T
	c      *testcluster.Cluster
	began  time.Time
	wrong  string // the server of wrongServer
	crowds string // begins the names of this case's crowds
}

// TestMisuse has all cases one after the other on one cluster, which has to be in good order after each.
func TestMisuse(t *testing.T) {
	wrong := wrongServer(t)
	c := testcluster.Run(t, testcluster.Config{Nodes: 3})
	if err := c.Nodes[0].Import(t.Context(), testnode.Users("u", "localhost", 80, talk.Password)); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for i, test := range []struct {
		name string
		run  func(*rig)
	}{
		{"refused", over(refused)}, {"one name twice", over(oneNameTwice)}, {"strangers", over(strangers)}, {"another version", over(anotherVersion)},
		{"another clock", over(anotherClock)}, {"no seed yet", over(noSeedYet)}, {"no store yet", over(noStoreYet)}, {"revoked", over(revoked)},
		{"passwords", passwords}, {"full disk", fullDisk}, {"paused", paused}, {"alone", alone},
	} {
		if !t.Run(test.name, func(t *testing.T) {
			r := &rig{T: t, c: c, began: time.Now(), wrong: wrong, crowds: fmt.Sprintf("crowd%d-", i)}
			test.run(r)
			r.whole()
			t.Logf("%.1f s, at %.1f s", time.Since(r.began).Seconds(), time.Since(began).Seconds())
		}) {
			return // what comes next would be of a cluster in a strange state
		}
	}
}

// over is a case over which users of all nodes talk, of whose messages nothing may be lost.
func over(run func(*rig)) func(*rig) {
	return func(r *rig) {
		crowd := r.crowd(6, 100*time.Millisecond)
		if err := crowd.Says(r.within(), 30); err != nil {
			r.Fatal(err)
		}
		run(r)
		r.whole()
		if err := errors.Join(crowd.Online(r.within()), crowd.Says(r.within(), 30)); err != nil {
			r.Fatal(err)
		}
		r.finish(crowd, false)
	}
}

// within is a context for what may take as long as anything may.
func (r *rig) within() context.Context {
	ctx, cancel := context.WithTimeout(r.Context(), talk.Patience)
	r.Cleanup(cancel)
	return ctx
}

// whole waits until the cluster's own nodes are one in good order.
func (r *rig) whole() {
	r.Helper()
	ctx := r.within()
	if err := errors.Join(r.c.WaitReady(ctx), r.c.WaitWhole(ctx)); err != nil {
		r.Fatal(err)
	}
}

// prepare makes a node of no cluster yet.
func (r *rig) prepare(name string, args func(*testcluster.Node) []string) *testcluster.Node {
	r.Helper()
	n, err := r.c.Prepare(name, args)
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(n.Kill)
	return n
}

// launch starts a process, whatever becomes of it.
func (r *rig) launch(n *testcluster.Node) {
	r.Helper()
	if err := n.Process.Start(); err != nil {
		r.Fatal(err)
	}
}

// ends waits until a server has ended by itself, with an error, and checks what it has said.
func (r *rig) ends(n *testcluster.Node, says ...string) {
	r.Helper()
	select {
	case <-n.Exited():
	case <-r.within().Done():
		r.Fatalf("%s doesn't end: %s", n.Name, n.Output())
	}
	out := n.Output()
	if err := n.Stop(r.Context()); err == nil {
		r.Errorf("%s has ended as if all were well: %s", n.Name, out)
	}
	r.said(n.Name, out, says...)
}

// said checks a text.
func (r *rig) said(who, text string, want ...string) {
	r.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			r.Errorf("%s doesn't say %q, but: %s", who, w, text)
		}
	}
	if strings.Contains(text, secret) {
		r.Errorf("%s says a password: %s", who, text)
	}
}

// unready waits until a server isn't ready and says why in these words.
func (r *rig) unready(n *testcluster.Node, says ...string) {
	r.Helper()
	r.until(n.Name+" to be unready", func() string {
		err := n.Ready(r.Context())
		if err == nil {
			return "it is ready"
		}
		for _, w := range says {
			if !strings.Contains(err.Error(), w) {
				return err.Error()
			}
		}
		return ""
	})
}

// until waits until there is nothing left that is wrong.
func (r *rig) until(what string, wrong func() string) {
	r.Helper()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for ctx := r.within(); ; {
		why := wrong()
		if why == "" {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			r.Fatalf("waiting for %s: %s", what, why)
		}
	}
}

// logged waits until a node has said something.
func (r *rig) logged(n *testcluster.Node, want string) {
	r.Helper()
	r.until(n.Name+" to say it", func() string {
		if out := n.Output(); !strings.Contains(out, want) {
			return "not " + want + ", but " + out
		}
		return ""
	})
}

// command runs one that has to succeed.
func (r *rig) command(n *testcluster.Node, args ...string) string {
	r.Helper()
	out, err := n.Command(r.within(), append(args, "--data", n.Data)...)
	if err != nil {
		r.Fatal(err)
	}
	return out
}

// token makes one that is good.
func (r *rig) token() string {
	r.Helper()
	text, err := r.c.Nodes[0].Token(r.within())
	if err != nil {
		r.Fatal(err)
	}
	return text
}

// bundle is what the nodes share.
func (r *rig) bundle() *trust.Bundle {
	r.Helper()
	b, err := trust.Load(bundleFile(r.c.Nodes[0].Data))
	if err != nil {
		r.Fatal(err)
	}
	return b
}

func bundleFile(data string) string { return filepath.Join(data, "cluster", "bundle.json") }

// keep gives a node a bundle before it starts.
func (r *rig) keep(n *testcluster.Node, b *trust.Bundle) {
	r.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(bundleFile(n.Data)), 0o700), trust.Save(bundleFile(n.Data), b)); err != nil {
		r.Fatal(err)
	}
}

// crowd lets users of their own talk on all nodes: what others of before left unread is none of theirs.
func (r *rig) crowd(users int, every time.Duration) *talk.Crowd {
	r.Helper()
	if err := r.c.Nodes[0].Import(r.within(), testnode.Users(r.crowds, "localhost", users, talk.Password)); err != nil {
		r.Fatal(err)
	}
	addrs := slices.Clone(r.c.Addrs())
	c, err := talk.Start(r.Context(), talk.Config{Users: users, Prefix: r.crowds, Addrs: func() []string { return addrs }, Every: every})
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(c.Close)
	return c
}

// finish lets a crowd come to rest and checks what it was promised. Order is promised outside partitions.
func (r *rig) finish(c *talk.Crowd, parted bool) {
	r.Helper()
	report, err := c.Finish(r.Context())
	r.Logf("%+v", report)
	if err != nil || len(report.Faults) > 0 || report.Reordered > 0 && !parted {
		r.Errorf("%v, %q", err, report.Faults)
	}
}
