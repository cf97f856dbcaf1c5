package lane_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/lane"
	"github.com/jackdaw-im/jackdaw/store"
)

// TestAbandon: of what waits behind a commit nothing is stored, but for the mailbox's next life here and for others.
func TestAbandon(t *testing.T) {
	held(t, lane.Options{Mail: 1}, func(r *rig, ctx *actors.Context) {
		must(r, r.lanes.Append(ctx, r.message(2)))
		other := r.message(3)
		other.Mailbox = "tybalt@example.org"
		must(r, r.lanes.Append(ctx, other))
		must(r, r.lanes.Append(ctx, r.message(4)))
		r.lanes.Abandon(ctx, romeo)
		must(r, r.lanes.Acknowledge(ctx, romeo, []store.Ack{ack(2)}))
		must(r, r.lanes.Append(ctx, r.message(5)))
	}, func(r *rig) {
		r.want("answers", r.results(), "1=0 3=0 5=0 ")
		r.want("store", r.stored(), "1 5 ")
		r.do(func(ctx *actors.Context) { must(r, r.lanes.Append(ctx, r.message(6))) })
		r.want("answers", r.results(), "6=0 ")
	})
}

// TestAbandonedBeforeARetry: a commit of unknown outcome isn't made again for who has left.
func TestAbandonedBeforeARetry(t *testing.T) {
	run(t, lane.Options{Mail: 1}, func(r *rig) {
		r.e.fail = []error{errors.New("no connection"), errors.New("no connection")}
		r.do(func(ctx *actors.Context) {
			must(r, r.lanes.Append(ctx, r.message(1)))
			must(r, r.lanes.Acknowledge(ctx, romeo, []store.Ack{ack(2)}))
		})
		r.do(func(ctx *actors.Context) { r.lanes.Abandon(ctx, romeo) })
		time.Sleep(time.Second)
		synctest.Wait()
		r.want("commits", r.commits(), "[1+1 0+1 0+1]")
		r.want("answers", r.results(), "")
	})
}

// TestAbandonWithoutRoom: the next load ends it as well.
func TestAbandonWithoutRoom(t *testing.T) {
	run(t, lane.Options{Mail: 1, QueueLen: 2}, func(r *rig) {
		r.e.gate = make(chan struct{})
		r.do(func(ctx *actors.Context) { must(r, r.lanes.Append(ctx, r.message(1))) })
		r.do(func(ctx *actors.Context) {
			must(r, r.lanes.Append(ctx, r.message(2)))
			must(r, r.lanes.Append(ctx, r.message(3)))
			r.lanes.Abandon(ctx, romeo)
		})
		close(r.e.gate)
		synctest.Wait()
		r.want("answers", r.results(), "1=0 ")
		r.do(func(ctx *actors.Context) {
			must(r, r.lanes.Load(ctx, romeo, 9, store.Page{}))
			must(r, r.lanes.Append(ctx, r.message(4)))
		})
		r.want("answers", r.results(), "4=0 ")
		r.want("store", r.stored(), "1 4 ")
	})
}
