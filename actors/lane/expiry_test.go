package lane_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/lane"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/store"
)

// TestWalker: every mailbox with rows past their time is told, page by page, again and again while they are there.
func TestWalker(t *testing.T) {
	run(t, lane.Options{WalkEvery: time.Minute, PageEvery: time.Second}, func(r *rig) {
		told := &tally{rows: map[string]int{}}
		spec := actors.Spec{Kind: store.MailKind, New: func() actors.Behaviour { return &listener{told} }}
		batch := &store.Batch{}
		for u := range 3 {
			user := fmt.Sprintf("user%d@example.org", u)
			if _, err := r.sys.Spawn(spec, actors.Ref{Kind: store.MailKind, ID: user}, nil, owner{}); err != nil {
				t.Fatal(err)
			}
			for n := range 200 {
				ttl := time.Second
				if n >= 150 {
					ttl = time.Hour
				}
				batch.Appends = append(batch.Appends, store.Append{Mailbox: ident.UserID(user), ID: id(n), Sender: "juliet@example.org", TTL: ttl, Body: []byte("x")})
			}
		}
		if _, err := r.e.Engine.Mail().Commit(batch); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute - time.Second)
		synctest.Wait()
		if got := told.String(); got != "map[]" {
			t.Fatalf("told before the first walk: %s", got)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		want := "map[user0@example.org:150 user1@example.org:150 user2@example.org:150]"
		if told.String() != want || r.lanes.Counters.Expired.Load() != 450 {
			t.Errorf("told %v, counted %d", told, r.lanes.Counters.Expired.Load())
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if r.lanes.Counters.Expired.Load() != 900 {
			t.Error("the second walk did not find them again")
		}
		for u := range 3 {
			r.stopActor(actors.Ref{Kind: store.MailKind, ID: fmt.Sprintf("user%d@example.org", u)})
		}
	})
}

// stopActor ends an actor that is in no tree.
func (r *rig) stopActor(ref actors.Ref) {
	if err := r.sys.Cast(ref, "stop"); err != nil {
		r.Error(err)
	}
	synctest.Wait()
}

type owner struct{}

func (owner) Exited(c *actors.Child, reason actors.Reason) {}

// tally counts rows per user.
type tally struct {
	mu   sync.Mutex
	rows map[string]int
}

func (t *tally) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return fmt.Sprint(t.rows)
}

// listener counts the rows that it is told of.
type listener struct{ told *tally }

func (l *listener) Init(*actors.Context, any) error { return nil }

func (l *listener) Handle(ctx *actors.Context, msg any) error {
	switch m := msg.(type) {
	case *nodepb.Expired:
		l.told.mu.Lock()
		l.told.rows[ctx.Self().ID] += len(m.GetIds())
		l.told.mu.Unlock()
	case string:
		ctx.Stop(actors.Normal)
	}
	return nil
}
