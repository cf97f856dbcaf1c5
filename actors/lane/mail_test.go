package lane_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/lane"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/store/memstore"
)

// held runs a test with a commit of message 1 under way until the gate is opened.
func held(t *testing.T, opts lane.Options, queue func(r *rig, ctx *actors.Context), after func(r *rig)) {
	run(t, opts, func(r *rig) {
		r.e.gate = make(chan struct{})
		r.do(func(ctx *actors.Context) { must(r, r.lanes.Append(ctx, r.message(1))) })
		r.do(func(ctx *actors.Context) { queue(r, ctx) })
		close(r.e.gate)
		synctest.Wait()
		after(r)
	})
}

func TestGroupCommit(t *testing.T) {
	var observed []int
	opts := lane.Options{Mail: 1, Observe: func(_ float64, items int) { observed = append(observed, items) }}
	held(t, opts, func(r *rig, ctx *actors.Context) {
		for n := 2; n <= 5; n++ {
			must(r, r.lanes.Append(ctx, r.message(n)))
		}
		must(r, r.lanes.Acknowledge(ctx, romeo, []store.Ack{ack(1)}))
	}, func(r *rig) {
		r.want("commits", r.commits(), "[1+0 4+1]")
		r.want("answers", r.results(), "1=0 2=0 3=0 4=0 5=0 ")
		r.want("store", r.stored(), "2 3 4 5 ")
		if fmt.Sprint(observed) != "[1 5]" {
			r.Errorf("observed %v", observed)
		}
		c := &r.lanes.Counters
		if c.Commits.Load() != 2 || c.Appends.Load() != 5 || c.Acks.Load() != 1 {
			r.Errorf("counted %d %d %d", c.Commits.Load(), c.Appends.Load(), c.Acks.Load())
		}
	})
}

// TestAnnihilation: what is acknowledged before it is written is never written, and counts as stored.
func TestAnnihilation(t *testing.T) {
	held(t, lane.Options{Mail: 1}, func(r *rig, ctx *actors.Context) {
		must(r, r.lanes.Append(ctx, r.message(2)))
		must(r, r.lanes.Append(ctx, r.message(3)))
		must(r, r.lanes.Acknowledge(ctx, romeo, []store.Ack{ack(2)}))
	}, func(r *rig) {
		r.want("commits", r.commits(), "[1+0 1+0]")
		r.want("answers", r.results(), "1=0 3=0 2=0 ")
		r.want("store", r.stored(), "1 3 ")
		if n := r.lanes.Counters.Annihilated.Load(); n != 1 {
			r.Errorf("counted %d", n)
		}
	})
}

func TestAnnihilationOfAll(t *testing.T) {
	held(t, lane.Options{Mail: 1}, func(r *rig, ctx *actors.Context) {
		must(r, r.lanes.Append(ctx, r.message(2)))
		must(r, r.lanes.Acknowledge(ctx, romeo, []store.Ack{ack(2)}))
	}, func(r *rig) {
		r.want("commits", r.commits(), "[1+0]")
		r.want("answers", r.results(), "1=0 2=0 ")
	})
}

// TestDeviceAckDoesNotAnnihilate: other devices still need the row.
func TestDeviceAckDoesNotAnnihilate(t *testing.T) {
	held(t, lane.Options{Mail: 1}, func(r *rig, ctx *actors.Context) {
		must(r, r.lanes.Append(ctx, r.message(2)))
		must(r, r.lanes.Acknowledge(ctx, romeo, []store.Ack{{Mailbox: romeo, ID: id(2), Device: "phone"}}))
	}, func(r *rig) {
		r.want("commits", r.commits(), "[1+0 1+1]")
		r.want("store", r.stored(), "1 2 ")
	})
}

// TestAppendAfterAckOfTheSameRow: a commit's acknowledgements come after its appends, so they must not share one.
func TestAppendAfterAckOfTheSameRow(t *testing.T) {
	held(t, lane.Options{Mail: 1}, func(r *rig, ctx *actors.Context) {
		must(r, r.lanes.Acknowledge(ctx, romeo, []store.Ack{ack(1)}))
		again := r.message(1)
		again.Tag = 9
		must(r, r.lanes.Append(ctx, again))
	}, func(r *rig) {
		r.want("commits", r.commits(), "[1+0 0+1 1+0]")
		r.want("store", r.stored(), "1 ")
		r.want("answers", r.results(), "1=0 9=0 ")
	})
}

func TestCommitBounds(t *testing.T) {
	held(t, lane.Options{Mail: 1}, func(r *rig, ctx *actors.Context) {
		for n := 2; n < 2002; n++ {
			must(r, r.lanes.Append(ctx, r.message(n)))
		}
	}, func(r *rig) {
		all := r.results()
		if commits := strings.Fields(r.commits()); len(commits) != 3 || strings.Count(all, "=0") != 2001 {
			r.Errorf("commits %v", commits)
		}
	})
	held(t, lane.Options{Mail: 1}, func(r *rig, ctx *actors.Context) {
		for n := 2; n < 7; n++ {
			m := r.message(n)
			m.Body = make([]byte, 400<<10)
			must(r, r.lanes.Append(ctx, m))
		}
	}, func(r *rig) { r.want("commits", r.commits(), "[1+0 2+0 2+0 1+0]") })
	held(t, lane.Options{Mail: 1}, func(r *rig, ctx *actors.Context) {
		acks := make([]store.Ack, 1500)
		for i := range acks {
			acks[i] = ack(i)
		}
		must(r, r.lanes.Acknowledge(ctx, romeo, acks))
	}, func(r *rig) { r.want("commits", r.commits(), "[1+0 0+1024 0+476]") })
}

func TestLaneFull(t *testing.T) {
	held(t, lane.Options{Mail: 1, QueueLen: 2}, func(r *rig, ctx *actors.Context) {
		for n := 2; n <= 5; n++ {
			if err := r.lanes.Append(ctx, r.message(n)); (n > 3) != errors.Is(err, actors.ErrOverloaded) {
				r.Errorf("%d: %v", n, err)
			}
		}
	}, func(r *rig) {
		r.want("answers", r.results(), "1=0 2=0 3=0 ")
		if n := r.lanes.Counters.Refused.Load(); n != 2 {
			r.Errorf("counted %d", n)
		}
	})
}

// TestStoreFull: appends are refused, acknowledgements and reads go on.
func TestStoreFull(t *testing.T) {
	run(t, lane.Options{Mail: 1}, func(r *rig) {
		r.do(func(ctx *actors.Context) { must(r, r.lanes.Append(ctx, r.message(1))) })
		r.e.SetFull("no room")
		r.e.gate = make(chan struct{})
		r.do(func(ctx *actors.Context) { must(r, r.lanes.Append(ctx, r.message(2))) })
		r.do(func(ctx *actors.Context) {
			must(r, r.lanes.Append(ctx, r.message(3)))
			must(r, r.lanes.Acknowledge(ctx, romeo, []store.Ack{ack(1)}))
			must(r, r.lanes.Load(ctx, romeo, 7, store.Page{}))
		})
		close(r.e.gate)
		synctest.Wait()
		if m, ok := r.heard()[len(r.heard())-1].(*lane.Loaded); !ok || m.Tag != 7 || len(m.Rows) != 0 || m.Err != nil {
			r.Errorf("loaded %+v", r.heard()[len(r.heard())-1])
		}
		r.want("answers", r.results(), "1=0 2=1 3=1 ")
		r.want("store", r.stored(), "")
		if n := r.lanes.Counters.Full.Load(); n != 2 {
			r.Errorf("counted %d", n)
		}
		r.e.SetFull("")
		r.do(func(ctx *actors.Context) { must(r, r.lanes.Append(ctx, r.message(4))) })
		r.want("answers", r.results(), "4=0 ")
	})
}

// TestUnknownOutcome: the same batch is committed until the store has an answer, and only then is anybody told.
func TestUnknownOutcome(t *testing.T) {
	run(t, lane.Options{Mail: 1}, func(r *rig) {
		broken := errors.New("broken pipe")
		r.e.fail = []error{broken, errors.New("panic"), broken}
		begin := time.Now()
		r.do(func(ctx *actors.Context) { must(r, r.lanes.Append(ctx, r.message(1))) })
		r.want("answers", r.results(), "")
		time.Sleep(time.Second)
		synctest.Wait()
		r.want("answers", r.results(), "1=0 ")
		r.want("commits", r.commits(), "[1+0 1+0 1+0 1+0]")
		if n := r.lanes.Counters.Retries.Load(); n != 3 || time.Since(begin) > 2*time.Second {
			r.Errorf("%d retries", n)
		}
	})
}

func TestInvalidItems(t *testing.T) {
	held(t, lane.Options{Mail: 1}, func(r *rig, ctx *actors.Context) {
		bad := r.message(2)
		bad.Sender = "\x00"
		must(r, r.lanes.Append(ctx, bad))
		must(r, r.lanes.Append(ctx, r.message(3)))
		must(r, r.lanes.Acknowledge(ctx, romeo, []store.Ack{{Mailbox: romeo, Device: "\x00"}, ack(1)}))
	}, func(r *rig) {
		r.want("answers", r.results(), "1=0 2=2 3=0 ")
		r.want("store", r.stored(), "3 ")
	})
}

// TestReadsSeeWhatWasAskedBefore though they were queued with it.
func TestReadsSeeWhatWasAskedBefore(t *testing.T) {
	held(t, lane.Options{Mail: 1}, func(r *rig, ctx *actors.Context) {
		must(r, r.lanes.Append(ctx, r.message(2)))
		must(r, r.lanes.Load(ctx, romeo, 10, store.Page{}))
		must(r, r.lanes.Read(ctx, romeo, 11, []ident.MessageID{id(2), id(99), id(1)}))
	}, func(r *rig) {
		var seen string
		for _, m := range r.heard() {
			switch m := m.(type) {
			case *lane.Loaded:
				seen += fmt.Sprintf("loaded %d: %d rows, exists %v; ", m.Tag, len(m.Rows), m.Info.Exists)
			case *lane.Bodies:
				seen += fmt.Sprintf("bodies %d: %q", m.Tag, m.Bodies)
			}
		}
		r.want("read", seen, `loaded 10: 2 rows, exists false; bodies 11: ["x" "" "x"]`)
	})
}

// TestLoadOfTwoStores: whose mailbox it is takes a second request where the directory is elsewhere, which is made only for one that runs, or when it is asked for.
func TestLoadOfTwoStores(t *testing.T) {
	e := memstore.New(memstore.Options{Apart: true})
	if err := e.Directory().Accounts().Create(&store.Account{User: romeo}); err != nil {
		t.Fatal(err)
	}
	runOn(t, e, lane.Options{}, func(r *rig) {
		r.do(func(ctx *actors.Context) { must(r, r.lanes.Load(ctx, romeo, 0, store.Page{})) })
		r.do(func(ctx *actors.Context) { must(r, r.lanes.LoadAgain(ctx, romeo, 1)) })
		for _, u := range []ident.UserID{romeo, "nobody@example.org"} {
			r.do(func(ctx *actors.Context) { r.lanes.User(ctx, u, time.Second) })
		}
		var got string
		exists := func(info *store.MailboxInfo) {
			if info != nil {
				got += fmt.Sprintf("exists %v, ", info.Exists)
			}
		}
		for _, m := range r.heard() {
			switch m := m.(type) {
			case *lane.Loaded:
				got += fmt.Sprint(m.Tag, " ")
				exists(m.Info)
			case *actors.Reply:
				exists(m.Value.(*store.MailboxInfo))
			}
		}
		r.want("loaded", got, "0 1 exists true, exists true, exists false, ")
		r.want("requests", fmt.Sprint(r.lanes.Counters.Loads.Load(), r.lanes.Counters.Requests.Load()), "2 3")
	})
}

func TestPurgeKeepsItsPlace(t *testing.T) {
	held(t, lane.Options{Mail: 1}, func(r *rig, ctx *actors.Context) {
		must(r, r.lanes.Append(ctx, r.message(2)))
		must(r, r.lanes.Purge(ctx, romeo))
		must(r, r.lanes.Append(ctx, r.message(3)))
	}, func(r *rig) {
		r.want("answers", r.results(), "1=0 2=0 3=0 ")
		r.want("store", r.stored(), "3 ")
	})
}

// TestClosedStore: the lane crashes, and those whose appends it held are told that nothing is known about them. A load hears the
// reason.
func TestClosedStore(t *testing.T) {
	held(t, lane.Options{Mail: 1}, func(r *rig, ctx *actors.Context) {
		must(r, r.lanes.Append(ctx, r.message(2)))
		must(r, r.lanes.Load(ctx, romeo, 3, store.Page{}))
		must(r, r.e.Close())
	}, func(r *rig) {
		if l, ok := r.heard()[len(r.heard())-1].(*lane.Loaded); !ok || !errors.Is(l.Err, store.ErrClosed) {
			t.Errorf("heard last: %+v", r.heard()[len(r.heard())-1])
		}
		r.want("answers", r.results(), "1=lost 2=lost ")
	})
}

// TestStopCommits: what was gathered when the lane is told to stop is committed.
func TestStopCommits(t *testing.T) {
	run(t, lane.Options{Mail: 1}, func(r *rig) {
		r.e.gate = make(chan struct{})
		r.do(func(ctx *actors.Context) { must(r, r.lanes.Append(ctx, r.message(1))) })
		close(r.e.gate)
	})
}
