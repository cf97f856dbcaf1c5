package node

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime/metrics"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/actorstest"
	"github.com/jackdaw-im/jackdaw/admin"
	"github.com/jackdaw-im/jackdaw/client"
	"github.com/jackdaw-im/jackdaw/proto/adminpb"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// TestOverview: the administration's client sees the running node.
func TestOverview(t *testing.T) {
	cfg := testConfig(t)
	n := startNode(t, cfg, "juliet@localhost")
	c, in := login(t, n, "juliet@localhost", client.Config{})
	defer func() { _ = c.Close() }() // the node ends it otherwise
	send(t, c, "echo@localhost", "hello")
	in.want("chat echo@localhost: hello")
	a, err := admin.Connect(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Close() }() // it has nothing left to say

	tree, err := a.Tree(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	live, count := map[string]int64{}, 0
	var walk func(n *adminpb.TreeNode)
	walk = func(n *adminpb.TreeNode) {
		count++
		for _, c := range n.GetChildren() {
			if live[n.GetId()] += c.GetLive(); c.GetState() != "running" {
				t.Errorf("%v", c)
			}
			walk(c)
		}
	}
	walk(tree)
	if tree.GetId() != "jackdaw" || tree.GetRef() != "root/jackdaw" || tree.GetStrategy() != "one_for_one" || live["sessions"] != 1 || live["mailboxes"] < 1 || count < 3*64 {
		t.Errorf("%d in the tree, live %v, %s", count, live, tree.GetStrategy())
	}

	top, err := a.Top(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]*adminpb.KindLoad{}
	for _, k := range top.GetKinds() {
		kinds[k.GetKind()] = k
	}
	if kinds["session"].GetLive() != 1 || kinds["session"].GetHandled() == 0 || top.GetDomain() != "localhost" || top.GetNode() != string(n.sys.Node()) || top.GetTime() < top.GetStarted() {
		t.Errorf("%v", top)
	}
	for name, v := range map[string]int64{"goroutines": top.GetGoroutines(), "rss": top.GetRssBytes(), "heap": top.GetHeapBytes(), "cpu": top.GetCpuUs(), "cores": top.GetCores(), "workers": top.GetWorkers()} {
		if v <= 0 {
			t.Errorf("%s is %d", name, v)
		}
	}

	done, err := a.Dump(t.Context())
	if err != nil || filepath.Dir(done.GetFile()) != filepath.Join(cfg.Data, "dumps") {
		t.Fatalf("%v, %v", done, err)
	}
	file, err := os.ReadFile(done.GetFile())
	if err != nil || int64(len(file)) != done.GetBytes() || !bytes.Contains(file, []byte("echo/echo")) {
		t.Errorf("a dump of %d bytes, %v", len(file), err)
	}
	var sent bytes.Buffer
	if err := a.DumpTo(t.Context(), &sent); err != nil || !strings.HasPrefix(sent.String(), "=dump") || !strings.Contains(sent.String(), "\n=end") {
		t.Errorf("%d bytes sent, %v", sent.Len(), err)
	}
	if st, err := a.ActorStatus(t.Context(), actors.Ref{Kind: "echo", ID: "echo"}); err != nil || st.GetPhase() != "running" {
		t.Errorf("%v, %v", st, err)
	}
}

// TestTreeOfAStartingNode: the socket is there before all of the tree is.
func TestTreeOfAStartingNode(t *testing.T) {
	if _, err := (overview{&Node{}}).Tree(t.Context()); err == nil || !strings.Contains(err.Error(), "starting") {
		t.Errorf("%v", err)
	}
}

// TestTreeOfASilentOne: the mark is told on.
func TestTreeOfASilentOne(t *testing.T) {
	tree := treeNode(supervision.Node{Silent: true, Children: []supervision.Node{{}}})
	if !tree.GetSilent() || tree.GetChildren()[0].GetSilent() {
		t.Errorf("%v", tree)
	}
}

// TestBusy: an actor whose queue stays long is seen at each look.
func TestBusy(t *testing.T) {
	actorstest.Run(t, func(t *testing.T, k *actorstest.Kit) {
		k.Start(counters()...)
		until := make(chan struct{})
		if err := k.System().Cast(first, hang{until}); err != nil {
			t.Fatal(err)
		}
		for range 40 {
			k.Cast(first, add(1))
		}
		var b busy
		lookAt := func(ref string) *adminpb.ActorLoad {
			k.Advance(time.Second)
			all := b.look(k.System(), time.Now())
			if i := slices.IndexFunc(all, func(l *adminpb.ActorLoad) bool { return l.GetRef() == ref }); i >= 0 {
				return all[i]
			}
			return nil
		}
		look := func() *adminpb.ActorLoad { return lookAt("counter/a") }
		for i := range 3 {
			if l := look(); l.GetQueue() != 40 || l.GetRunning() != "node.hang" || l.GetOldestUs() < int64(i)*1e6 {
				t.Errorf("look %d: %v", i, l)
			}
		}
		if err := (inspector{sys: k.System()}).Suspend(t.Context(), actors.Ref{Kind: "counter", ID: "juliet@localhost"}); err != nil {
			t.Error(err)
		}
		k.Cast(actors.Ref{Kind: "counter", ID: "juliet@localhost"}, add(1))
		k.Advance(time.Minute)
		if l := lookAt("counter/juliet@localhost"); l.GetPhase() != "suspended" || l.GetQueue() != 1 || l.GetOldestUs() < 60e6 {
			t.Errorf("one that was suspended a minute ago: %v", l)
		}
		close(until)
		k.Advance(time.Minute)
		if l := look(); l != nil {
			t.Errorf("after it: %v", l)
		}
	})
}

func TestForemost(t *testing.T) {
	var all []found
	for i := range 500 {
		ref := actors.Ref{Kind: "k", ID: fmt.Sprintf("%03d", i)}
		all = append(all, found{ref, &adminpb.ActorLoad{Ref: ref.String(), Phase: "running", Queue: int64(i), Restarts: int64(500 - i)}})
	}
	all[200].load.RunningUs, all[210].load.OldestUs, all[220].load.MessagesPerSecond, all[230].load.Phase = 1, 1, 1, "suspended"
	got := map[string]bool{}
	for _, f := range foremost(all) {
		if got[f.load.GetRef()] {
			t.Errorf("%s twice", f.load.GetRef())
		}
		got[f.load.GetRef()] = true
	}
	if len(got) != 2*perList+4 || !got["k/499"] || !got["k/450"] || got["k/449"] || !got["k/000"] || !got["k/200"] || !got["k/210"] || !got["k/220"] || !got["k/230"] {
		t.Errorf("%d: %v", len(got), got)
	}
}

func TestQuantile(t *testing.T) {
	h := &metrics.Float64Histogram{Buckets: []float64{0, 1, 2, 4}, Counts: []uint64{0, 99, 1}}
	for share, want := range map[float64]float64{0: 2, .5: 2, .99: 2, .995: 4, 1: 4} {
		if got := quantile(h, share); got != want {
			t.Errorf("%v: %v, want %v", share, got, want)
		}
	}
	if got := quantile(&metrics.Float64Histogram{Buckets: []float64{0, 1}, Counts: []uint64{0}}, .99); got != 0 {
		t.Errorf("of nothing: %v", got)
	}
}
