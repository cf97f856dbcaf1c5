package lane_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/lane"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

// load loads romeo's mailbox.
func (r *rig) load(page store.Page) *lane.Loaded {
	r.Helper()
	r.do(func(ctx *actors.Context) { must(r, r.lanes.Load(ctx, romeo, 1, page)) })
	for _, m := range r.heard() {
		if m, ok := m.(*lane.Loaded); ok {
			r.asker.Skip()
			return m
		}
	}
	r.Fatal("it isn't loaded")
	return nil
}

// TestLoadWithBodies: they come in the one request of the load.
func TestLoadWithBodies(t *testing.T) {
	run(t, lane.Options{Mail: 1}, func(r *rig) {
		for n := 1; n <= 3; n++ {
			r.do(func(ctx *actors.Context) { must(r, r.lanes.Append(ctx, r.message(n))) })
		}
		r.results()
		for _, want := range []int{0, 2, 3} {
			m := r.load(store.Page{Rows: want, Bytes: 100})
			if len(m.Rows) != 3 || len(m.Bodies) != want || m.Err != nil || m.Claim != 0 {
				t.Errorf("want %d bodies: %+v", want, m)
			}
		}
		if c := &r.lanes.Counters; c.Loads.Load() != 3 || c.Reads.Load() != 0 {
			t.Errorf("%d loads, %d reads", c.Loads.Load(), c.Reads.Load())
		}
	})
}

// TestTakenOver: a partition counts as taken over for a minute after a claim, and loads say which claim they came after.
func TestTakenOver(t *testing.T) {
	e, _ := newShared()
	runOn(t, e, lane.Options{PollEvery: time.Hour}, func(r *rig) {
		p := store.MailPartition(romeo)
		claim := func(p ident.Partition) {
			r.lanes.Claim([]ident.Partition{p}, func(err error) { must(r, err) })
			synctest.Wait()
		}
		check := func(when string, taken bool, number uint64) {
			t.Helper()
			if got := r.lanes.TakenOver(romeo, time.Now()); got != taken {
				t.Errorf("%s: taken over: %v", when, got)
			}
			if got := r.load(store.Page{}).Claim; got != number {
				t.Errorf("%s: loaded after claim %d", when, got)
			}
		}
		check("at first", false, 0)
		claim(p ^ 1)
		check("when another is claimed", false, 1)
		claim(p)
		check("when it is claimed", true, 2)
		wait(lane.TakenTime - time.Second)
		check("a minute later", true, 2)
		wait(2 * time.Second)
		check("later", false, 2)
	})
}

// TestReloadSaysWhatFor: a mailbox hears for which claim it is to load again, until it has answered; what a notice tells of may be newer.
func TestReloadSaysWhatFor(t *testing.T) {
	foreign(t, func(r *rig, _ *shared, b *reader, write func(int)) {
		heard := func(when string, want ...uint64) {
			t.Helper()
			all := b.heard()
			b.took()
			if len(all) != len(want) {
				t.Fatalf("%s: told %d times", when, len(all))
			}
			for i, m := range all {
				if m.Claim != want[i] {
					t.Errorf("%s: the claim is %d, want %d", when, m.Claim, want[i])
				}
			}
		}
		claim := func() {
			r.lanes.Claim([]ident.Partition{store.MailPartition(romeo)}, func(error) {})
			synctest.Wait()
		}
		claim()
		heard("claimed again", 2)
		write(1)
		wait(time.Second)
		heard("a notice", 0)
		b.be(true)
		claim()
		wait(lane.ReloadTime + 2*time.Second)
		heard("claimed, without an answer", 3, 3)
		write(2)
		claim()
		b.be(false)
		wait(lane.ReloadTime + 2*time.Second)
		heard("claimed, with a notice", 0)
	})
}
