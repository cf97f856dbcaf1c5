package mailbox

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/lane"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

func TestNodeOfflineThenAttach(t *testing.T) {
	onNode(t, config{}, func(n *node) {
		n.send("juliet", "a", "b")
		n.want("juliet", "a=OK, b=OK")
		n.attach("pc", 0)
		n.want("pc", "a delayed, b delayed")
		n.send("juliet", "c")
		n.want("pc", "c")
		n.as("pc", func(ctx *actors.Context, p *peer) { p.ack(ctx, "juliet", "a", "c") })
		if got := n.rows(romeo); got != 1 {
			t.Errorf("%d rows are left", got)
		}
		n.as("pc", func(ctx *actors.Context, p *peer) { _ = ctx.Answer(Ref(romeo), &nodepb.Detach{Session: p.ref.Proto()}) })
		n.attach("phone", 0)
		n.want("phone", "b delayed")
	})
}

func TestNodeNoSuchUser(t *testing.T) {
	onNode(t, config{}, func(n *node) {
		if err := n.mem.Directory().Accounts().Remove(romeo); err != nil {
			t.Fatal(err)
		}
		n.send("juliet", "a")
		n.want("juliet", "a=NO_SUCH_USER")
		if err := n.sys.Answer(Ref(romeo), &nodepb.MailboxChange{What: nodepb.MailboxChange_CREATED}); err != nil {
			t.Fatal(err)
		}
		n.send("juliet", "b")
		n.want("juliet", "b=OK")
	})
}

// TestNodeSessionDies: the mailbox watches its sessions.
func TestNodeSessionDies(t *testing.T) {
	onNode(t, config{}, func(n *node) {
		n.attach("pc", 1)
		n.attach("phone", 0)
		n.send("juliet", "a")
		n.want("pc", "a")
		if err := n.sys.Cast(n.peers["pc"].ref, "stop"); err != nil {
			t.Fatal(err)
		}
		n.wait(time.Millisecond)
		n.want("phone", "a delayed")
	})
}

// TestNodeAnnihilation: a message acknowledged while the commit before it was under way is never written.
func TestNodeAnnihilation(t *testing.T) {
	onNode(t, config{lanes: lane.Options{Mail: 1}}, func(n *node) {
		n.attach("pc", 0)
		n.gate.close()
		n.send("juliet", "a") // is being committed
		n.send("juliet", "b", "c")
		n.want("pc", "a, b, c")
		n.as("pc", func(ctx *actors.Context, p *peer) { p.ack(ctx, "juliet", "a", "b", "c") })
		n.want("juliet", "")
		n.gate.open()
		n.wait(time.Millisecond)
		n.want("juliet", "a=OK, b=OK, c=OK")
		c := &n.lanes.Counters
		if n.rows(romeo) != 0 || c.Annihilated.Load() != 2 || c.Appends.Load() != 1 {
			t.Errorf("%d rows, %d appends, %d annihilated", n.rows(romeo), c.Appends.Load(), c.Annihilated.Load())
		}
	})
}

// TestNodeLaneFull: nothing is lost or out of order when the lane has no room.
func TestNodeLaneFull(t *testing.T) {
	onNode(t, config{lanes: lane.Options{Mail: 1, QueueLen: 3}}, func(n *node) {
		n.attach("pc", 0)
		n.gate.close()
		var all, outcomes []string
		for i := range 20 {
			text := fmt.Sprint("m", i)
			n.send("juliet", text)
			all, outcomes = append(all, text), append(outcomes, text+"=OK")
		}
		if n.counters.Later.Load() == 0 {
			t.Fatal("the lane is not full")
		}
		n.gate.open()
		n.wait(10 * time.Second)
		n.want("juliet", strings.Join(outcomes, ", "))
		n.want("pc", strings.Join(all, ", "))
		if n.rows(romeo) != 20 {
			t.Errorf("%d rows", n.rows(romeo))
		}
	})
}

func TestNodeStoreFullAndRecovery(t *testing.T) {
	onNode(t, config{}, func(n *node) {
		n.send("juliet", "a")
		n.mem.SetFull("no room")
		n.send("juliet", "b")
		n.attach("pc", 0)
		n.peers["pc"].eager = true
		n.as("pc", func(ctx *actors.Context, p *peer) { p.ack(ctx, "juliet", "a") })
		n.want("juliet", "a=OK, b=STORE_FULL")
		n.want("pc", "a delayed")
		if n.rows(romeo) != 0 {
			t.Error("acknowledgements stop when the store is full")
		}
		n.mem.SetFull("")
		n.send("juliet", "c", "d")
		n.want("juliet", "c=OK, d=OK")
		n.want("pc", "c, d")
	})
}

// TestNodeCrash: in the middle of everything the mailbox crashes; nothing is lost, and the order stays.
func TestNodeCrash(t *testing.T) {
	onNode(t, config{lanes: lane.Options{Mail: 1}}, func(n *node) {
		downs := 0
		n.peers["pc"].onDown = func() { downs++ }
		n.attach("pc", 0)
		n.send("juliet", "a")
		n.gate.close()
		n.send("juliet", "b", "c")
		n.want("pc", "a, b, c")
		if err := n.sys.Cast(Ref(romeo), (*lane.Committed)(nil)); err != nil {
			t.Fatal(err)
		}
		n.send("juliet", "d")
		n.want("juliet", "a=OK")
		n.gate.open()
		n.wait(time.Second)
		n.want("juliet", "b=OK, c=OK, d=OK")
		n.want("pc", "a delayed, b delayed, c delayed, d")
		if downs != 1 || n.rows(romeo) != 4 {
			t.Errorf("%d downs, %d rows", downs, n.rows(romeo))
		}
	})
}

// TestNodePoison: a message on which the mailbox crashes is tried once more; those after it are none the worse.
func TestNodePoison(t *testing.T) {
	for crashes, want := range map[int]string{1: "a=OK, poison=OK, b=OK, c=OK", 5: "a=OK, poison=OUTCOME_UNKNOWN, b=OK, c=OK"} {
		onNode(t, config{poison: crashes}, func(n *node) {
			n.send("juliet", "a", "poison", "b", "c")
			n.wait(time.Second)
			n.want("juliet", want)
		})
	}
}

func TestNodeDuplicates(t *testing.T) {
	onNode(t, config{}, func(n *node) {
		n.send("juliet", "a", "a")
		n.attach("pc", 0)
		n.peers["pc"].eager = true
		n.as("pc", func(ctx *actors.Context, p *peer) { p.ack(ctx, "juliet", "a") })
		n.send("juliet", "a")
		n.want("juliet", "a=OK, a=OK, a=OK")
		n.want("pc", "a delayed")
		n.wait(keptTime + time.Minute)
		n.send("juliet", "a")
		n.want("pc", "a") // so long after, it is a new one
	})
}

// TestNodePassivation: a mailbox without sessions leaves memory, and comes back with what it held.
func TestNodePassivation(t *testing.T) {
	onNode(t, config{}, func(n *node) {
		n.send("juliet", "a")
		n.wait(3 * idleTime)
		if n.boxes.Live() != 0 {
			t.Fatal("it is still there")
		}
		n.send("juliet", "b") // with the next number, and nobody remembers the one before
		n.attach("pc", 0)
		n.wait(3 * idleTime)
		if n.boxes.Live() != 1 {
			t.Fatal("it left in spite of a session")
		}
		n.want("pc", "a delayed, b delayed")
		n.peers["pc"].eager = true
		n.as("pc", func(ctx *actors.Context, p *peer) {
			p.ack(ctx, "juliet", "a", "b")
			_ = ctx.Answer(Ref(romeo), &nodepb.Detach{Session: p.ref.Proto()})
		})
		n.wait(3 * idleTime)
		if n.boxes.Live() != 1 {
			t.Fatal("it left with ids to remember")
		}
		n.wait(keptTime)
		if n.boxes.Live() != 0 {
			t.Fatal("it stays for ever")
		}
		n.want("juliet", "a=OK, b=OK")
	})
}

// TestNodeExpiry: the walker finds the row, its sender's mailbox gets the error, and only then the row goes.
func TestNodeExpiry(t *testing.T) {
	onNode(t, config{lanes: lane.Options{WalkEvery: time.Minute}, limits: Limits{TTL: time.Hour}}, func(n *node) {
		n.send("juliet", "a")
		n.want("juliet", "a=OK")
		n.wait(time.Hour - time.Minute)
		if n.rows(romeo) != 1 {
			t.Fatal("expired too early")
		}
		n.wait(10 * time.Minute)
		if n.rows(romeo) != 0 || n.rows(juliet) != 1 || n.counters.Expired.Load() != 1 {
			t.Fatalf("%d rows of romeo's, %d of juliet's", n.rows(romeo), n.rows(juliet))
		}
		n.as("juliet", func(ctx *actors.Context, p *peer) {
			_ = ctx.Answer(Ref(juliet), &nodepb.Attach{Session: p.ref.Proto(), Resource: "x", Epoch: 1, Connected: true, Available: true, Credit: plenty})
		})
		n.want("juliet", "error about a delayed")
	})
}

// TestNodeSlowDrain empties a long queue within a small credit, page by page through the lane.
func TestNodeSlowDrain(t *testing.T) {
	onNode(t, config{limits: Limits{Stranger: 1000}}, func(n *node) {
		var all []string
		for i := range 400 {
			all = append(all, fmt.Sprintf("m%03d %s", i, strings.Repeat("x", 1000)))
			n.send("juliet", all[i])
		}
		n.peers["pc"].eager = true
		n.as("pc", func(ctx *actors.Context, p *peer) { p.attach(ctx, 0, 10_000) })
		got := n.peers["pc"].heard
		for i := range got {
			got[i] = strings.TrimSuffix(got[i], " delayed")
		}
		if !slices.Equal(got, all) {
			t.Errorf("%d came, in order %v", len(got), slices.IsSorted(got))
		}
		if n.rows(romeo) != 0 {
			t.Errorf("%d rows are left", n.rows(romeo))
		}
	})
}
