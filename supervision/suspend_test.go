package supervision_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// TestTheSuspendedAreStopped: no supervisor, partition or worker that an operator has suspended holds up the shutdown, and what came to
// a supervisor meanwhile isn't forgotten.
func TestTheSuspendedAreStopped(t *testing.T) {
	for _, ref := range []actors.Ref{{Kind: "root", ID: "root"}, {Kind: "supervisor", ID: "root.sup"}, {Kind: "dynamic", ID: "root.d.d-0"}, {Kind: "wa", ID: "a"}} {
		t.Run(ref.String(), func(t *testing.T) {
			run(t, func(r *rig) {
				d := supervision.NewDynamic(r.sys, supervision.DynamicSpec{ID: "d", Partitions: 1, Child: r.worker("x").Spec, Entities: true})
				var err error
				r.root, err = supervision.StartRoot(r.sys, supervision.SupervisorSpec{ID: "root", Children: []supervision.ChildSpec{
					supervision.Sup(supervision.SupervisorSpec{ID: "sup", Children: []supervision.ChildSpec{r.worker("a")}}), d.Child(),
				}})
				if err != nil {
					t.Fatal(err)
				}
				_ = r.sys.Cast(actors.Ref{Kind: "wx", ID: "x"}, "hello")
				synctest.Wait()
				if err := r.sys.Inspect(context.Background(), ref, (*actors.Inspection).Suspend); err != nil {
					t.Fatal(err)
				}
				if ref.Kind == "supervisor" {
					r.cast("a", "crash")
				}
				r.j.take()
				begun := time.Now()
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				defer cancel()
				if err := r.root.Stop(ctx); err != nil || time.Since(begun) > time.Second {
					t.Errorf("the shutdown took %v: %v", time.Since(begun), err)
				}
				if n := r.sys.Snapshot().Live; n["wa"]+n["wx"]+n["supervisor"]+n["dynamic"] != 0 {
					t.Errorf("left are %v", n)
				}
				r.root = nil
			})
		})
	}
}
