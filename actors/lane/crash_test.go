package lane_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/lane"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

// crash makes the only lane crash: there is never such an append.
func (r *rig) crash(ctx *actors.Context) {
	_ = ctx.Cast(actors.Ref{Kind: lane.MailKind, ID: "mail-0"}, (*lane.Append)(nil))
}

// TestCrashLosesNoOrder: what follows a lost append is lost as well, until its mailbox has loaded what there is. The other
// mailboxes go on.
func TestCrashLosesNoOrder(t *testing.T) {
	run(t, lane.Options{Mail: 1}, func(r *rig) {
		tybalt := func(n int) *lane.Append {
			a := r.message(n)
			a.Mailbox = "tybalt@example.org"
			return a
		}
		r.e.gate = make(chan struct{})
		r.do(func(ctx *actors.Context) { must(r, r.lanes.Append(ctx, r.message(1))) }) // held up in its commit
		r.do(func(ctx *actors.Context) {
			must(r, r.lanes.Append(ctx, r.message(2)))
			r.crash(ctx)
			must(r, r.lanes.Append(ctx, r.message(3)))
			must(r, r.lanes.Append(ctx, tybalt(4)))
		})
		close(r.e.gate)
		synctest.Wait()
		r.want("around a crash", r.results(), "1=0 2=lost 3=lost 4=0 ")
		r.do(func(ctx *actors.Context) { must(r, r.lanes.Append(ctx, r.message(5))) })
		r.want("before the mailbox has loaded", r.results(), "5=lost ")
		r.do(func(ctx *actors.Context) {
			must(r, r.lanes.Load(ctx, romeo, 6, store.Page{}))
			must(r, r.lanes.Append(ctx, r.message(2)))
			must(r, r.lanes.Append(ctx, r.message(3)))
		})
		r.want("once it has", r.results(), "2=0 3=0 ")
		r.want("the store has", r.stored(), "1 2 3 ")
	})
}

// TestNothingAskedIsForgotten: whoever asks something of a lane is answered, also where the lane ends on just that.
func TestNothingAskedIsForgotten(t *testing.T) {
	run(t, lane.Options{Mail: 1}, func(r *rig) {
		r.e.fail = []error{store.ErrInvalid}
		big := func(n int) *lane.Append {
			a := r.message(n)
			a.Body = make([]byte, 200<<10)
			return a
		}
		r.do(func(ctx *actors.Context) {
			for n := range 20 { // one of them finds the batch full
				must(r, r.lanes.Append(ctx, big(n)))
			}
		})
		if heard := len(r.heard()); heard != 20 {
			t.Errorf("of 20 appends %d are answered: %s", heard, r.results())
		}
	})
}

// TestReadsThatPanic: they are faults of the engine like any other.
func TestReadsThatPanic(t *testing.T) {
	run(t, lane.Options{Mail: 1}, func(r *rig) {
		r.e.rotten = true
		r.do(func(ctx *actors.Context) {
			must(r, r.lanes.Load(ctx, romeo, 1, store.Page{}))
			must(r, r.lanes.Purge(ctx, romeo))
			must(r, r.lanes.Read(ctx, romeo, 2, []ident.MessageID{id(1)}))
		})
		heard := ""
		for _, m := range r.heard() {
			switch m := m.(type) {
			case *lane.Loaded:
				heard += fmt.Sprint("loaded ", m.Tag, " ", m.Err != nil, " ")
			case *lane.Bodies:
				heard += fmt.Sprint("bodies ", m.Tag, " ", m.Err != nil, " ")
			}
		}
		r.want("the answers", heard, "loaded 1 true bodies 2 true ")
		if n := r.sys.Snapshot().Restarts; n != 0 {
			t.Errorf("%d crashes", n)
		}
	})
}

// TestFullAfterUnknownOutcome: a store that is full at the second try may have taken the batch at the first. Nobody is told that
// it did not.
func TestFullAfterUnknownOutcome(t *testing.T) {
	run(t, lane.Options{Mail: 1}, func(r *rig) {
		r.e.fail = []error{errors.New("who knows"), store.ErrFull}
		r.do(func(ctx *actors.Context) {
			must(r, r.lanes.Append(ctx, r.message(1)))
			must(r, r.lanes.Append(ctx, r.message(2)))
		})
		wait(time.Second)
		r.do(func(ctx *actors.Context) { must(r, r.lanes.Append(ctx, r.message(3))) })
		r.want("the answers", r.results(), "1=lost 2=lost 3=lost ")
		r.want("the store has", r.stored(), "1 2 ")
		if n := r.sys.Snapshot().Restarts; n != 0 {
			t.Errorf("%d crashes", n)
		}
	})
}
