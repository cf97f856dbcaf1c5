package misuse_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackdaw-im/jackdaw/internal/testcluster"
)

// wrongs are what the server of wrongServer has in place of its own.
const wrongs = `package node

import (
	"os"
	"time"
)

var protocol, oldestProtocol = spoken(), spoken()

func spoken() uint16 {
	if os.Getenv("MISUSE_VERSION") != "" {
		return 2
	}
	return 1
}

var wrongBy, _ = time.ParseDuration(os.Getenv("MISUSE_CLOCK"))

func wrongWall() time.Time { return time.Now().Add(wrongBy) }
`

// wrongServer builds a server that speaks version 2 of the protocol alone if MISUSE_VERSION is in its environment, and whose gossip has a
// clock that is wrong by MISUSE_CLOCK. It is this version's otherwise. It is built before there is a cluster, which would have to share the machine with
// the compiler.
func wrongServer(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	binary := filepath.Join(dir, "jackdaw")
	original, err := filepath.Abs("../../node/cluster.go")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(original)
	if err != nil {
		t.Fatal(err)
	}
	changed := string(text)
	for was, is := range map[string]string{
		"const (\n\tprotocol       = 1\n\toldestProtocol = 1\n)\n": "",
		"member.Start(member.Config{\n":                            "member.Start(member.Config{\n\t\tWall: wrongWall,\n",
	} {
		if strings.Count(changed, was) != 1 {
			t.Fatalf("node/cluster.go doesn't have %q once", was)
		}
		changed = strings.Replace(changed, was, is, 1)
	}
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {
		original: file("cluster.go", changed), filepath.Join(filepath.Dir(original), "wrongs.go"): file("wrongs.go", wrongs),
	}})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "build", "-overlay", file("overlay.json", string(overlay)), "-o", binary, "../../cmd/jackdaw")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return binary
}

// outside starts a wrong node with a good token. It stays outside and says why, and the others say so, too.
func (r *rig) outside(name, env string, says []string, others string) {
	r.Helper()
	n1, token := r.c.Nodes[0], r.token()
	x := r.prepare(name, func(n *testcluster.Node) []string {
		return []string{"--node", n.Name, "--cluster", n.Cluster(), "--advertise", n.Cluster(), "--join", n1.Cluster(), "--token", token}
	})
	x.SetBinary(r.wrong)
	x.Env = append(x.Env, env)
	r.launch(x)
	r.unready(x, says...)
	r.Logf("it says: %v", x.Ready(r.Context()))
	r.logged(x, "this node stays out of the cluster")
	r.until("the others to say it", func() string {
		if out := r.command(n1, "cluster"); !strings.Contains(out, name+": takes no part: "+others) {
			return out
		}
		return ""
	})
	for _, n := range r.c.Nodes {
		if err := n.Ready(r.within()); err != nil {
			r.Errorf("%s: %v", n.Name, err)
		}
	}
	r.whole()
	x.Kill()
}

// anotherVersion is a node that the others don't understand, nor it them.
func anotherVersion(r *rig) {
	r.outside("later", "MISUSE_VERSION=2", []string{"joining: ", " speaks version 1 and understands 1 and later, later@", " speaks 2 and understands 2 and later"},
		"it and the others don't understand each other's version")
}

// anotherClock is a node that is an hour ahead.
func anotherClock(r *rig) {
	r.outside("ahead", "MISUSE_CLOCK=1h", []string{"joining: ", "ahead of the others'"}, "its clock is off the others'")
}

// listed waits until all of the cluster's nodes have a stranger in their list, in this state and without a share.
func (r *rig) listed(x *testcluster.Node, state string) {
	r.Helper()
	for _, n := range r.c.Nodes {
		r.until(n.Name+" to list "+x.Name, func() string {
			out := r.command(n, "cluster")
			for line := range strings.Lines(out) {
				f := strings.Fields(line)
				if len(f) > 5 && f[1] == state && f[5] == "0.0%" && slices.Contains(f, x.Cluster()) {
					return ""
				}
			}
			return out
		})
	}
}
