package mixed

import (
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/internal/talk"
	"github.com/jackdaw-im/jackdaw/internal/testcluster"
	"github.com/jackdaw-im/jackdaw/internal/testnode"
)

// TestRestarts restarts the nodes of one version one after the other, drained first, and then by SIGTERM alone: all streams go on elsewhere, those
// too that have been on several nodes before.
func TestRestarts(t *testing.T) {
	const users = 30
	f := &fleet{T: t}
	var err error
	if f.now, err = testnode.Build(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.began = time.Now()
	if f.c, err = testcluster.Start(t.Context(), testcluster.Config{Nodes: 3, Data: t.TempDir(), Binary: f.now}); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if t.Failed() {
			t.Log(f.c.Outputs())
		}
		if err := f.c.Close(); err != nil {
			t.Error(err)
		}
	}()
	f.n1, f.n2, f.n3 = f.c.Nodes[0], f.c.Nodes[1], f.c.Nodes[2]
	if err := f.n3.Import(t.Context(), testnode.Users("u", "localhost", users, talk.Password)); err != nil {
		t.Fatal(err)
	}
	addrs := f.c.Addrs()
	if f.crowd, err = talk.Start(t.Context(), talk.Config{Users: users, Addrs: func() []string { return addrs }, Every: 100 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	defer f.crowd.Close()
	for _, f.quick = range []bool{false, true} {
		for range 2 {
			for _, n := range f.c.Nodes {
				before := f.crowd.Report()
				f.roll(n, f.now)
				after := f.crowd.Report()
				resumed, anew := after.Resumed-before.Resumed, after.Anew-before.Anew
				t.Logf("%s was restarted (SIGTERM alone: %v): %d of %d streams were resumed elsewhere", n.Name, f.quick, resumed, resumed+anew)
				if anew > 0 || resumed == 0 {
					t.Errorf("%d streams had to begin anew", anew)
				}
			}
		}
	}
	report, err := f.crowd.Finish(t.Context())
	t.Logf("%+v", report)
	if err != nil || len(report.Faults) > 0 || report.Reordered > 0 || report.Duplicates > 0 {
		t.Errorf("%v, %q", err, report.Faults)
	}
}
