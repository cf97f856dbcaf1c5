package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/admin"
	"github.com/jackdaw-im/jackdaw/config"
	"github.com/jackdaw-im/jackdaw/internal/golden"
	"github.com/jackdaw-im/jackdaw/proto/adminpb"
)

// fakeCluster is a node of a cluster of three, of which one is lost, one rejected and one drains.
type fakeCluster struct {
	st     *adminpb.ClusterStatus
	drains []*adminpb.DrainStatus // what is answered next, one after the other
	polls  int
	did    []string
	broken error
}

func (f *fakeCluster) note(format string, args ...any) error {
	f.did = append(f.did, fmt.Sprintf(format, args...))
	return f.broken
}

func (f *fakeCluster) ClusterStatus(context.Context) (*adminpb.ClusterStatus, error) {
	f.polls++
	if b := f.st.GetBundle(); f.polls > 3 && b.GetRotating() {
		b.Version, b.Rotating, b.Lagging, b.What = b.Version+1, false, nil, "the old authority is dropped"
	}
	return f.st, f.note("status")
}

func (f *fakeCluster) ClusterToken(_ context.Context, life time.Duration) (*adminpb.Token, error) {
	return &adminpb.Token{Token: "jackdaw1.abc", Expires: time.Now().Add(life).UnixMicro(), Seed: "10.0.0.1:5300"}, f.note("token %v", life)
}

func (f *fakeCluster) next() *adminpb.DrainStatus {
	d := f.drains[0]
	if len(f.drains) > 1 {
		f.drains = f.drains[1:]
	}
	return d
}

func (f *fakeCluster) Drain(_ context.Context, req *adminpb.DrainNode) (*adminpb.DrainStatus, error) {
	if err := f.note("drain %s over %d in %d", req.GetNode(), req.GetOverMs(), req.GetTimeoutMs()); err != nil {
		return nil, err
	}
	return f.next(), nil
}

func (f *fakeCluster) Undrain(_ context.Context, node string) (*adminpb.DrainStatus, error) {
	if err := f.note("undrain %s", node); err != nil {
		return nil, err
	}
	return f.next(), nil
}

func (f *fakeCluster) DrainStatus(_ context.Context, node string) (*adminpb.DrainStatus, error) {
	_ = f.note("how far %s", node)
	if f.polls++; f.polls == 2 {
		return nil, admin.Refuse(admin.ErrBusy, "no answer")
	}
	return f.next(), nil
}

func (f *fakeCluster) ChangeCluster(_ context.Context, req *adminpb.ChangeCluster) (*adminpb.Changed, error) {
	return &adminpb.Changed{Version: 9, What: "it is done"}, f.note("%v", strings.Join(strings.Fields(req.String()), " "))
}

func status() *adminpb.ClusterStatus {
	link := func(peer, class string, queue int64) *adminpb.LinkStatus {
		return &adminpb.LinkStatus{Peer: peer + "@7", Class: class, Queue: queue, Bytes: 200 * queue, OldestUs: 100_000 * queue, Sent: 100}
	}
	own := &adminpb.NodeStatus{
		Node: "n1@7", Mine: 2100, Held: 3, Sessions: 1200, Store: "held", StoreReason: "shard 0 is not replicated: no standby", NotReady: "store held",
		Links: []*adminpb.LinkStatus{link("n2", "control", 0), link("n2", "messages", 5), link("n2", "presence", 0)},
		Drain: &adminpb.DrainStatus{Phase: phaseNone}, CertificateEnds: time.Date(2020, 1, 2, 3, 4, 5, 0, time.Local).UnixMicro(),
	}
	own.Links[1].Via = "n4@7"
	own.Links[2].PeerRefuses, own.Links[2].Tries = "it doesn't know n1\x1b[2J", 4
	return &adminpb.ClusterStatus{
		Cluster: "0123456789abcdef", Node: "n1@7", View: "00000000000000aa", Unowned: 5,
		Bundle: &adminpb.Bundle{Version: 8, By: "n1", What: "all keys are rotated", Rotating: true, Lagging: []string{"n2"}, Revoked: []string{"n9"}},
		Pins:   []*adminpb.Pin{{Kind: "mailbox", Id: "hot@localhost", Node: "n2"}},
		Hottest: []*adminpb.HotPartition{
			{Partition: 17, Node: "n1", MessagesPerSecond: 1234, Actor: "mailbox/hot@localhost", ActorPerSecond: 1200}, {Partition: 4, Node: "n2", MessagesPerSecond: 3},
		},
		Members: []*adminpb.ClusterMember{
			{Node: "n1@7", Name: "n1", State: "active", Weight: 100, Release: "1.4.0", Owned: 2100, Gossip: "10.0.0.1:5300", Client: "chat1:5222", View: "00000000000000aa", Own: own,
				Lost: []*adminpb.Share{{Name: "n2", Partitions: 4096}}},
			{Node: "n2@7", Name: "n2", State: "draining", Weight: 25, Owned: 1991, Gossip: "10.0.0.2:5300", View: "00000000000000bb", ClockUs: -2_500_000,
				Own: &adminpb.NodeStatus{Node: "n2@7", Drain: &adminpb.DrainStatus{Phase: phaseClients, Clients: 500, Told: 100, Left: 410}}},
			{Node: "n3@7", Name: "n3", State: "active", Suspect: true, Weight: 100, Gossip: "10.0.0.3:5300", Silent: "the node n3@7 doesn't answer"},
			{Node: "n4@7", Name: "n4", State: "joining", Rejected: "its clock is 1 h off", Weight: 100, Gossip: "10.0.0.4:5300"},
		},
	}
}

// clustered is a running node with a data folder.
type clustered struct {
	*fakeCluster
	t    *testing.T
	data string
}

func newClustered(t *testing.T) *clustered {
	t.Helper()
	l := &clustered{fakeCluster: &fakeCluster{st: status()}, t: t, data: t.TempDir()}
	serveSocket(t, l.data, admin.SocketConfig{Cluster: l})
	return l
}

func (l *clustered) run(stdin, line string) (code int, stdout, stderr string) {
	l.t.Helper()
	l.did, l.polls = nil, 0
	c := newTyped(stdin)
	c.poll = time.Millisecond
	code = run(append(strings.Fields(line), "--data", l.data), &c.console)
	return code, c.stdout.String(), c.stderr.String()
}

func TestClusterCommand(t *testing.T) {
	l := newClustered(t)
	code, out, stderr := l.run("", "cluster")
	if code != exitOK || stderr != "" {
		t.Fatalf("%d %q", code, stderr)
	}
	_, all, _ := l.run("", "cluster --links")
	calm := status()
	calm.Agreed, calm.Unowned, calm.Hottest, calm.Pins, calm.Members = true, 0, nil, nil, calm.Members[:1]
	calm.Bundle.Rotating, calm.Bundle.Lagging, calm.Bundle.Revoked = false, nil, nil
	own := calm.Members[0].Own
	own.NotReady, own.Store, own.StoreReason, own.CertificateEnds, own.Links = "", "serving", "", 0, own.Links[:1]
	golden.File(t, "testdata/cluster.txt", "$ jackdaw cluster\n"+out+"\n$ jackdaw cluster --links\n"+all+"\n$ a quiet one\n"+clusterText(calm, false))
	if strings.Contains(out, "\x1b") {
		t.Error("a terminal's command comes through")
	}
	var st struct {
		Agreed  bool `json:"agreed"`
		Members []struct {
			Name  string `json:"name"`
			Owned int    `json:"owned"`
		} `json:"members"`
	}
	code, out, _ = l.run("", "cluster --json")
	if err := json.Unmarshal([]byte(out), &st); code != exitOK || err != nil || len(st.Members) != 4 || st.Members[0].Owned != 2100 {
		t.Errorf("%v, %v", st, err)
	}
}

func TestTokenCommand(t *testing.T) {
	l := newClustered(t)
	code, out, stderr := l.run("", "cluster token --life 10m")
	if code != exitOK || out != "jackdaw1.abc\n" || !strings.Contains(stderr, "jackdaw serve --join 10.0.0.1:5300 --token TOKEN") || fmt.Sprint(l.did) != "[token 10m0s]" {
		t.Errorf("%d %q %q %v", code, out, stderr, l.did)
	}
	if code, out, stderr := l.run("", "cluster token --json"); code != exitOK || !strings.HasPrefix(out, `{"token":"jackdaw1.abc"`) || stderr != "" {
		t.Errorf("%d %q %q", code, out, stderr)
	}
	if code, _, stderr := l.run("", "cluster token --life 6d12h"); code != exitOK || fmt.Sprint(l.did[len(l.did)-1]) != "token 156h0m0s" {
		t.Errorf("days: %d %q %v", code, stderr, l.did)
	}
	for _, life := range []string{"0s", "1ms", "59s", "1000h", "-1h", "30d"} {
		if code, _, stderr := l.run("", "cluster token --life "+life); code != exitUsage || !strings.Contains(stderr, "--life is from 1m to 7d") {
			t.Errorf("%s: %d %q", life, code, stderr)
		}
	}
}

func TestChangeCommands(t *testing.T) {
	l := newClustered(t)
	for line, want := range map[string]string{
		"cluster rotate --wait 0":           "rotate:{}",
		"cluster rotate authority --wait 0": "rotate:{what:AUTHORITY}",
		"cluster revoke n3 --wait 0":        `revoke:"n3"`,
		"cluster readmit n3":                `readmit:"n3"`,
		"cluster pin mailbox/a@b/c n2":      `pin:{kind:"mailbox" id:"a@b/c" node:"n2"}`,
		"cluster unpin mailbox/a@b":         `pin:{kind:"mailbox" id:"a@b"}`,
		"cluster store postgres://u:p@h/d,postgres://u:p@h2,h3/d --directory postgres://u:p@h/dir --wait 0": `stores:{stores:"postgres://u:p@h/d" stores:"postgres://u:p@h2,h3/d" directory:"postgres://u:p@h/dir"}`,
	} {
		code, out, stderr := l.run("", line)
		if code != exitOK || out != "it is done (version 9)\n" || stderr != "" || len(l.did) != 1 || l.did[0] != want {
			t.Errorf("%s: %d %q %q %v", line, code, out, stderr, l.did)
		}
	}
	code, _, stderr := l.run("postgres://u:p@h/d\n postgres://u:p@h/dir \n", "cluster store - --wait 0")
	if code != exitOK || l.did[0] != `stores:{stores:"postgres://u:p@h/d" directory:"postgres://u:p@h/dir"}` {
		t.Errorf("from standard input: %d %q %v", code, stderr, l.did)
	}
	for line, want := range map[string]string{
		"cluster rotate everything":                         "can't be rotated",
		"cluster revoke":                                    "one node's name",
		"cluster readmit a b":                               "one node's name",
		"cluster pin mailbox/a":                             "an actor and a node are needed",
		"cluster pin mailbox n1":                            "names no actor",
		"cluster unpin /a":                                  "names no actor",
		"cluster store":                                     "the list of databases",
		"cluster store mysql://u:p@h/":                      "postgres://USER:PASSWORD@HOST/NAME",
		"cluster store -":                                   "no address came on standard input",
		"cluster store postgres://h/d --directory pebble:x": "postgres://USER",
	} {
		if code, out, stderr := l.run("", line); code != exitUsage || out != "" || !strings.Contains(stderr, want) || len(l.did) != 0 {
			t.Errorf("%s: %d %q %q %v", line, code, out, stderr, l.did)
		}
	}
	l.broken = admin.Refuse(admin.ErrBusy, "a rotation is under way")
	if code, out, stderr := l.run("", "cluster rotate"); code != exitFailure || out != "" || stderr != "jackdaw: admin: a rotation is under way\n" {
		t.Errorf("refused: %d %q %q", code, out, stderr)
	}
}

// TestRotationIsFollowed: until all nodes have the last version.
func TestRotationIsFollowed(t *testing.T) {
	l := newClustered(t)
	l.st.Bundle.Version = 9
	code, out, stderr := l.run("", "cluster rotate")
	if code != exitOK || out != "it is done (version 9)\nthe old authority is dropped (version 10)\nall nodes have version 10\n" || stderr != "" {
		t.Errorf("%d %q %q", code, out, stderr)
	}
	l.st.Bundle.Lagging = []string{"n2"}
	if code, _, stderr := l.run("", "cluster rotate --wait 50ms"); code != exitFailure || !strings.Contains(stderr, "not all nodes have it after 50ms") {
		t.Errorf("%d %q", code, stderr)
	}
}

func TestDrainCommands(t *testing.T) {
	l := newClustered(t)
	at := func(phase string, f func(*adminpb.DrainStatus)) *adminpb.DrainStatus {
		d := &adminpb.DrainStatus{Node: "n2@7", Phase: phase, Steps: 4, Step: 1, Weight: 75, Partitions: 1024, ElapsedMs: 12_340}
		if f != nil {
			f(d)
		}
		return d
	}
	clients := func(told, left int64) *adminpb.DrainStatus {
		return at(phaseClients, func(d *adminpb.DrainStatus) { d.Clients, d.Told, d.Left = 300, told, left })
	}
	l.drains = []*adminpb.DrainStatus{at(phaseLightening, nil), at(phaseLightening, nil), at(phaseLeaving, func(d *adminpb.DrainStatus) { d.Step, d.Partitions = 4, 256 }), clients(0, 300), clients(120, 200), at(phaseDrained, nil)}
	code, out, stderr := l.run("", "drain n2 --over 2s --timeout 1m")
	want := `n2: batch 1 of 4 leaves (weight 75), 1024 partitions here
n2: batch 4 of 4 leaves, 256 partitions here
n2: 0 of 300 clients told, 300 here
n2: 120 of 300 clients told, 200 here
n2: empty after 12.3s: it can be stopped
`
	if code != exitOK || out != want || stderr != "" || l.did[0] != "drain n2 over 2000 in 60000" || l.did[1] != "how far n2@7" {
		t.Errorf("%d %q %q %v", code, out, stderr, l.did)
	}
	l.drains = []*adminpb.DrainStatus{at(phaseLightening, nil)}
	if code, out, _ := l.run("", "drain --no-wait"); code != exitOK || !strings.HasPrefix(out, "n2: batch 1 of 4") || len(l.did) != 1 || l.did[0] != "drain  over 30000 in 300000" {
		t.Errorf("%d %q %v", code, out, l.did)
	}
	for phase, want := range map[string]string{phaseOverdue: "n2 is not empty: `jackdaw drain` goes on", phaseFailed: "n2 was not emptied"} {
		l.drains = []*adminpb.DrainStatus{clients(0, 1), at(phase, func(d *adminpb.DrainStatus) { d.Reason = "of a reason" })}
		if code, out, stderr := l.run("", "drain n2"); code != exitFailure || !strings.HasSuffix(out, "n2: "+phase+": of a reason\n") || !strings.Contains(stderr, want) {
			t.Errorf("%s: %d %q %q", phase, code, out, stderr)
		}
	}
	l.drains = []*adminpb.DrainStatus{at(phaseReturning, nil), at(phaseNone, nil)}
	if code, out, stderr := l.run("", "undrain n2"); code != exitOK || out != "n2: takes its share again, 1024 partitions here\nn2: takes its share of the users, and clients\n" || stderr != "" {
		t.Errorf("%d %q %q", code, out, stderr)
	}
	for line, want := range map[string]string{"drain --over -1s": "are times", "drain --timeout 0s": "are times", "drain --over 10m": "leaves no time", "drain a b": "accepts at most 1 arg", "undrain a b": "accepts at most 1 arg"} {
		if code, _, stderr := l.run("", line); code != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("%s: %d %q", line, code, stderr)
		}
	}
}

// TestClusterFlags: what `serve` is told becomes configuration, and a secret isn't printed.
func TestClusterFlags(t *testing.T) {
	code, out, stderr := call("config", "print", "--join", "10.0.0.1:5300,10.0.0.2:5300", "--token", "jackdaw1.secret", "--cluster", "10.0.0.3:5300", "--advertise", "192.0.2.3:5300",
		"--node", "n3", "--store", "postgres://u:secret@h/d", "--directory", "postgres://u:secret@h/dir")
	for _, want := range []string{"join: 10.0.0.1:5300,10.0.0.2:5300", "listen: 10.0.0.3:5300", "advertise: 192.0.2.3:5300", "name: n3"} {
		if !strings.Contains(out, want) {
			t.Errorf("%s is missing", want)
		}
	}
	if code != exitOK || stderr != "" || strings.Contains(out, "secret@") || strings.Contains(out, "jackdaw1.secret") {
		t.Errorf("%d %q\n%s", code, stderr, out)
	}
	for _, c := range []struct{ args, want string }{
		{"--token x", "cluster.token is given without cluster.join"},
		{"--directory postgres://h/d", "store.directory is given without store.url"},
		{"--cluster nonsense", "cluster.listen"},
		{"--cluster :5300 --store mysql://u:secret@h/x", "begins with postgres://"},
		{"--cluster :5300 --store postgres://u:secret@h:port/x", "can't be read"},
		{"--cluster :5300 --store postgres://u:secret@h/x,postgres://h", "names no database"},
		{"--cluster :5300 --store postgres://u:secret@h/x --directory postgres:/h", "begins with postgres://"},
	} {
		if code, _, stderr := call(append([]string{"config", "check"}, strings.Fields(c.args)...)...); code != exitFailure || !strings.Contains(stderr, c.want) || strings.Contains(stderr, "secret") {
			t.Errorf("%s: %d %q", c.args, code, stderr)
		}
	}
	for flag, key := range keys {
		cfg := config.Default()
		if text := cfg.Print(); !strings.Contains(text, "\n"+key+": ") && !strings.Contains(text, "\n  "+key[strings.LastIndex(key, ".")+1:]+": ") {
			t.Errorf("--%s is the key %s, which there isn't", flag, key)
		}
	}
}
