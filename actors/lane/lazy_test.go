package lane_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/lane"
	"github.com/jackdaw-im/jackdaw/store"
)

// TestAcksWait: acknowledgements alone are no reason for a commit of their own, but are not put off for ever either.
func TestAcksWait(t *testing.T) {
	run(t, lane.Options{Mail: 1}, func(r *rig) {
		acknowledge := func(n int) {
			r.do(func(ctx *actors.Context) { must(r, r.lanes.Acknowledge(ctx, romeo, []store.Ack{ack(n)})) })
		}
		for n := 1; n <= 4; n++ {
			r.do(func(ctx *actors.Context) { must(r, r.lanes.Append(ctx, r.message(n))) })
		}
		r.want("commits", r.commits(), "[1+0 1+0 1+0 1+0]")
		acknowledge(1)
		acknowledge(2)
		r.want("at once", r.commits(), "[]")
		time.Sleep(time.Second)
		synctest.Wait()
		r.want("later", r.commits(), "[0+2]")
		acknowledge(3)
		r.do(func(ctx *actors.Context) { must(r, r.lanes.Append(ctx, r.message(5))) })
		r.want("with an append", r.commits(), "[1+1]")
		time.Sleep(time.Second)
		synctest.Wait()
		r.want("nothing is left", r.commits(), "[]")
		acknowledge(4)
		r.do(func(ctx *actors.Context) { must(r, r.lanes.Load(ctx, romeo, 9, store.Page{})) })
		r.want("before a read", r.commits(), "[0+1]")
		r.want("store", r.stored(), "5 ")
	})
}

// TestManyAcks: a full house goes at once.
func TestManyAcks(t *testing.T) {
	run(t, lane.Options{Mail: 1}, func(r *rig) {
		r.do(func(ctx *actors.Context) {
			var acks []store.Ack
			for n := range 300 {
				acks = append(acks, ack(n))
			}
			must(r, r.lanes.Acknowledge(ctx, romeo, acks))
		})
		r.want("commits", r.commits(), "[0+300]")
	})
}

// TestAnnihilatedIsToldAtOnce: who waits for an append that is not written any more isn't kept waiting by the acks that are.
func TestAnnihilatedIsToldAtOnce(t *testing.T) {
	held(t, lane.Options{Mail: 1}, func(r *rig, ctx *actors.Context) {
		must(r, r.lanes.Append(ctx, r.message(2)))
		must(r, r.lanes.Acknowledge(ctx, romeo, []store.Ack{ack(2), ack(1)}))
	}, func(r *rig) {
		r.want("answers", r.results(), "1=0 2=0 ")
		r.want("commits", r.commits(), "[1+0]")
		time.Sleep(time.Second)
		synctest.Wait()
		r.want("commits", r.commits(), "[0+1]")
		r.want("store", r.stored(), "")
	})
}

// TestLinger: a lane with little to do waits for more, one with enough or with somebody who reads does not.
func TestLinger(t *testing.T) {
	const linger = 3 * time.Millisecond
	run(t, lane.Options{Mail: 1, Linger: linger}, func(r *rig) {
		begin := time.Now()
		appendOne := func(n int) { r.do(func(ctx *actors.Context) { must(r, r.lanes.Append(ctx, r.message(n))) }) }
		appendOne(1)
		appendOne(2)
		r.want("while it lingers", r.commits()+r.results(), "[]")
		time.Sleep(linger)
		synctest.Wait()
		r.want("then", r.commits()+r.results(), "[2+0]1=0 2=0 ")
		if took := time.Since(begin); took != linger {
			t.Errorf("it took %v", took)
		}
		// The lane may run beside the sender, and begin to wait before there are enough.
		got := ""
		for n := 100; got != "[50+0]" && n < 10_000; n += 50 {
			r.do(func(ctx *actors.Context) {
				for i := range 50 {
					must(r, r.lanes.Append(ctx, r.message(n+i)))
				}
			})
			got = r.commits()
			time.Sleep(linger)
			synctest.Wait()
			if got != "[50+0]" {
				r.commits()
			}
		}
		r.want("enough", got, "[50+0]")
		appendOne(3)
		time.Sleep(linger)
		synctest.Wait()
		r.want("again", r.commits(), "[1+0]")
		r.do(func(ctx *actors.Context) {
			must(r, r.lanes.Append(ctx, r.message(4)))
			must(r, r.lanes.Load(ctx, romeo, 1, store.Page{}))
		})
		r.want("a reader doesn't wait", r.commits(), "[1+0]")
		appendOne(5)
		r.do(func(ctx *actors.Context) { must(r, r.lanes.Acknowledge(ctx, romeo, []store.Ack{ack(5)})) })
		time.Sleep(time.Second)
		synctest.Wait()
		r.want("acknowledged while it lingered", r.commits(), "[]")
	})
}
