package mailbox

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/lane"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/store/memstore"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// counting counts the reads of one node's store.
type counting struct {
	*gate
	node  *memstore.Node
	reads atomic.Int64
}

// Claims and Info are those of the node.
func (c *counting) Claims() store.Claims       { return c.node.Claims() }
func (c *counting) Mail() store.Mail           { return countedMail{c.gate.Mail(), c} }
func (c *counting) Directory() store.Directory { return c.node.Directory() }

type countedMail struct {
	store.Mail
	c *counting
}

func (m countedMail) Load(ctx context.Context, u ident.UserID, page store.Page) (*store.Mailbox, error) {
	m.c.reads.Add(1)
	return m.Mail.Load(ctx, u, page)
}

func (m countedMail) Read(ctx context.Context, u ident.UserID, ids []ident.MessageID) ([][]byte, error) {
	m.c.reads.Add(1)
	return m.Mail.Read(ctx, u, ids)
}

// cluster is two nodes over one store. Peers live on the first; whose mailboxes are, each node believes by itself.
type cluster struct {
	testing.TB
	mem   *memstore.Engine
	sides [2]*clusterNode
	cut   bool        // the nodes don't hear each other
	full  atomic.Bool // the first has no room for pushes

	mu      sync.Mutex
	watches []*actors.Watch // of actors on the other node
}

// clusterNode is one of them, with romeo's mailbox or without.
type clusterNode struct {
	*node
	c      *cluster
	name   string
	store  *counting
	places func(to actors.Ref) int // where this node believes a mailbox to be
}

func placeAt(i int) func(actors.Ref) int { return func(actors.Ref) int { return i } }

func (s *clusterNode) place(to actors.Ref) int {
	switch {
	case to.Kind == Kind && to.Node == "":
		return s.places(to)
	case to.Kind == "peer":
		return 0
	case s == s.c.sides[0]:
		return 0
	}
	return 1
}

// Local implements actors.Router.
func (s *clusterNode) Local(to actors.Ref) bool { return s.c.sides[s.place(to)] == s }

// Send implements actors.Router.
func (s *clusterNode) Send(to actors.Ref, sig actors.Signal) error {
	there := s.c.sides[s.place(to)]
	if s.c.cut {
		return actors.ErrNoConnection
	}
	switch sig.How {
	case actors.HowCast, actors.HowAnswer:
		err := actors.ErrOverloaded
		if _, push := sig.Msg.(*nodepb.Push); !push || !s.c.full.Load() {
			err = there.sys.Receive(to, sig)
		}
		if err != nil && sig.How == actors.HowCast {
			_ = s.sys.Bounce(sig.From, actors.Undelivered{To: to, Msg: sig.Msg, Err: err})
		}
	case actors.HowMonitor:
		there.sys.WatchFor(to, sig.Watch.Down)
		s.c.mu.Lock()
		defer s.c.mu.Unlock()
		s.c.watches = append(s.c.watches, sig.Watch)
	}
	return nil
}

func onCluster(t *testing.T, opts lane.Options, users int, test func(c *cluster)) {
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{TB: t, mem: memstore.New(memstore.Options{Shared: true})}
		all := []ident.UserID{romeo, juliet}
		for i := range users {
			all = append(all, userOf(i))
		}
		for _, u := range all {
			if err := c.mem.Directory().Accounts().Create(&store.Account{User: u}); err != nil {
				t.Fatal(err)
			}
		}
		for i, name := range []string{"a@1", "b@1"} {
			s := &clusterNode{c: c, name: name, places: placeAt(0)}
			s.store = &counting{node: c.mem.Node(ident.NodeID(name))}
			s.store.gate = &gate{Engine: s.store.node}
			n := &node{TB: t, mem: c.mem, gate: s.store.gate, peers: map[string]*peer{}}
			s.node = n
			c.sides[i] = s
			n.sys = actors.NewSystem(actors.Config{Node: ident.NodeID(name)})
			n.sys.SetRouter(s)
			if err := n.sys.Start(); err != nil {
				t.Fatal(err)
			}
			n.lanes = lane.New(s.store, opts)
			n.boxes = Supervisor(n.sys, Config{Lanes: n.lanes, Counters: &n.counters})
			if i == 0 {
				n.start()
			} else if _, err := supervision.StartRoot(n.sys, supervision.SupervisorSpec{ID: "root", Children: append(n.lanes.Children(), n.boxes.Child())}); err != nil {
				t.Fatal(err)
			}
		}
		c.claim(0)
		test(c)
		for _, s := range c.sides {
			s.stop()
		}
	})
}

func userOf(i int) ident.UserID { return ident.UserID(fmt.Sprintf("user%d@example.org", i)) }

// claim makes a node the owner of everything.
func (c *cluster) claim(i int) {
	all := make([]ident.Partition, ident.Partitions)
	for p := range all {
		all[p] = ident.Partition(p)
	}
	claimed := false
	c.sides[i].lanes.Claim(all, func(err error) { claimed = err == nil })
	synctest.Wait()
	if !claimed {
		c.Fatal("not claimed")
	}
}

// move gives romeo's mailbox, and all others, to the second node: they retire at the first.
func (c *cluster) move() {
	for _, s := range c.sides {
		s.places = placeAt(1)
	}
	c.sides[0].sys.Retire(Ref(romeo), 2*time.Second)
}

func (c *cluster) alive(i int) bool { return c.sides[i].sys.Alive(Ref(romeo)) }

// TestMove: a mailbox leaves one node with its append stored and its session's rows free, and goes on on the other, with one
// read of the store.
func TestMove(t *testing.T) {
	onCluster(t, lane.Options{}, 0, func(c *cluster) {
		a, b := c.sides[0], c.sides[1]
		a.attach("pc", 0)
		a.send("juliet", "1")
		a.want("pc", "1")
		a.gate.close()
		a.send("juliet", "2")
		c.move()
		a.wait(100 * time.Millisecond)
		if !c.alive(0) {
			t.Error("it didn't wait for its append")
		}
		a.gate.open()
		a.wait(100 * time.Millisecond)
		if c.alive(0) || c.alive(1) {
			t.Errorf("alive %v, %v", c.alive(0), c.alive(1))
		}
		a.want("juliet", "1=OK, 2=OK")
		a.want("pc", "2")
		c.claim(1)
		a.send("juliet", "3")
		a.attach("pc", 0)
		a.wait(100 * time.Millisecond)
		a.want("juliet", "3=OK")
		a.want("pc", "1 delayed, 2 delayed, 3 delayed")
		if n := b.store.reads.Load(); n != 1 { // the bodies came along
			t.Errorf("%d reads", n)
		}
		a.as("pc", func(ctx *actors.Context, p *peer) { p.ack(ctx, "juliet", "1", "2", "3") })
		if n := b.rows(romeo); n != 0 || c.alive(0) {
			t.Errorf("%d rows", n)
		}
	})
}

// TestMoveBeforeItHasLoaded: what waits for the first load goes on to the next owner.
func TestMoveBeforeItHasLoaded(t *testing.T) {
	onCluster(t, lane.Options{Mail: 1}, 0, func(c *cluster) {
		a := c.sides[0]
		a.gate.close()
		if err := a.sys.Cast(Ref(juliet), deliver("x", 1)); err != nil { // keeps the lane busy
			t.Fatal(err)
		}
		synctest.Wait()
		a.send("juliet", "1", "2")
		c.move()
		a.wait(100 * time.Millisecond)
		if c.alive(0) {
			t.Error("it waits for its load")
		}
		a.want("juliet", "1=OK, 2=OK")
		a.attach("pc", 0)
		a.want("pc", "1 delayed, 2 delayed")
		a.gate.open()
		a.wait(time.Second)
	})
}

// TestSessionOutOfReach: a session that can't be reached any more has nothing; another has had it since it came.
func TestSessionOutOfReach(t *testing.T) {
	onCluster(t, lane.Options{}, 0, func(c *cluster) {
		a := c.sides[0]
		c.move()
		c.claim(1)
		a.attach("pc", 0)
		a.send("juliet", "1")
		a.attach("phone", 0)
		a.want("pc", "1")
		a.want("phone", "1 delayed") // of which pc may not be there
		c.mu.Lock()
		watches := c.watches
		c.mu.Unlock()
		for _, w := range watches {
			if w.Target().ID == "pc" {
				w.Down(actors.NoConnection)
			}
		}
		synctest.Wait()
		a.send("juliet", "2")
		a.want("pc", "")
		a.want("phone", "2")
	})
}

// TestSessionWithoutRoom: what a session's node had no room for comes again, in order.
func TestSessionWithoutRoom(t *testing.T) {
	onCluster(t, lane.Options{}, 0, func(c *cluster) {
		a := c.sides[0]
		c.move()
		c.claim(1)
		a.attach("pc", 0)
		a.send("juliet", "1")
		c.full.Store(true)
		a.send("juliet", "2", "3")
		a.wait(time.Second)
		a.want("pc", "1")
		c.full.Store(false)
		a.wait(time.Second)
		a.send("juliet", "4")
		a.want("pc", "2, 3, 4")
	})
}

// TestMoveFromAHungLane: a mailbox whose lane hangs leaves after its time; what it had and could not store is stored once, at the
// next owner, and the lane doesn't store it any more.
func TestMoveFromAHungLane(t *testing.T) {
	onCluster(t, lane.Options{Mail: 1}, 0, func(c *cluster) {
		a, b := c.sides[0], c.sides[1]
		a.gate.close()
		a.send("juliet", "1")
		a.send("juliet", "2")
		a.send("juliet", "3")
		c.move()
		a.wait(2100 * time.Millisecond)
		if c.alive(0) {
			t.Fatal("it stays for ever")
		}
		c.claim(1)
		a.wait(time.Second)
		a.want("juliet", "1=OK, 2=OK, 3=OK")
		a.gate.open()
		a.wait(3 * time.Second)
		a.attach("pc", 0)
		a.wait(100 * time.Millisecond)
		a.want("pc", "1 delayed, 2 delayed, 3 delayed")
		if n, st := b.rows(romeo), a.lanes.Counters.Appends.Load(); n != 3 || st != 1 {
			t.Errorf("%d rows, %d stored by the old lane", n, st)
		}
	})
}

// TestTwins: both halves of a parted cluster take messages, and the owner finds what the other half took.
func TestTwins(t *testing.T) {
	onCluster(t, lane.Options{}, 0, func(c *cluster) {
		a, b := c.sides[0], c.sides[1]
		a.attach("pc", 0)
		a.send("juliet", "1")
		c.cut = true
		b.places = placeAt(1)
		c.claim(1) // its half believes that it owns everything
		far := NewOutbox(0)
		d := deliver("x", 0)
		d.SenderRef = actors.Ref{Kind: "far", ID: "tybalt"}.Proto()
		far.Send(time.Now(), Ref(romeo), d)
		if err := b.sys.Cast(Ref(romeo), d); err != nil {
			t.Fatal(err)
		}
		a.send("juliet", "2")
		a.wait(3 * time.Second)
		a.want("pc", "1, 2")
		if !c.alive(0) || !c.alive(1) {
			t.Error("there is no twin")
		}
		if n := b.lanes.Counters.Foreign.Load(); n != 1 {
			t.Errorf("%d notices", n)
		}
		if n := b.known(); n != 3 {
			t.Errorf("the twin knows %d rows", n)
		}
		c.cut = false // the view is one again: the first owns everything
		b.places = placeAt(0)
		b.sys.Retire(Ref(romeo), 2*time.Second)
		c.claim(0)
		a.wait(3 * time.Second)
		a.want("pc", "x delayed")
		if c.alive(1) {
			t.Error("the twin stays")
		}
		a.as("pc", func(ctx *actors.Context, p *peer) {
			x := id('x')
			p.ack(ctx, "juliet", "1", "2")
			_ = ctx.Answer(Ref(romeo), &nodepb.Ack{Session: p.ref.Proto(), Epoch: p.epoch, Ids: [][]byte{x[:]}})
		})
		if n := a.rows(romeo); n != 0 {
			t.Errorf("%d rows", n)
		}
	})
}

// known is how many rows romeo's mailbox of a node knows.
func (s *clusterNode) known() (n int) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := s.sys.Inspect(ctx, Ref(romeo), func(i *actors.Inspection) { n = len(i.Behaviour().(*actor).st.rows.byID) }); err != nil {
		s.Error(err)
	}
	return n
}

// TestLossOfANode: each mailbox of a lost node costs one read of the store on the next one, whatever comes to it first, though there are
// messages that the session has not acknowledged.
func TestLossOfANode(t *testing.T) {
	const users = 100
	onCluster(t, lane.Options{}, users, func(c *cluster) {
		a, b := c.sides[0], c.sides[1]
		session := func(i int) actors.Ref {
			return actors.Ref{Kind: "peer", ID: "pc", Node: ident.NodeID(fmt.Sprint("x@", i))}
		}
		attach := func(from *clusterNode, i int, epoch uint64) {
			m := &nodepb.Attach{Session: session(i).Proto(), Resource: "pc", Epoch: epoch, Connected: true, Available: true, Credit: plenty}
			if err := from.sys.Answer(Ref(userOf(i)), m); err != nil {
				t.Fatal(err)
			}
		}
		send := func(to *clusterNode, i int, letter string) {
			d := deliver(letter, 1)
			d.SenderRef = actors.Ref{Kind: "peer", ID: "juliet" + letter}.Proto()
			if err := to.sys.Cast(Ref(userOf(i)), d); err != nil {
				t.Fatal(err)
			}
		}
		for i := range users {
			attach(a, i, 1)
			send(a, i, "w")
		}
		synctest.Wait()
		if n := a.store.reads.Load(); n != users {
			t.Errorf("%d reads at first", n)
		}
		for _, s := range c.sides {
			s.places = placeAt(1)
		}
		if err := a.store.node.Close(); err != nil {
			t.Fatal(err)
		}
		c.claim(1)
		for i := range users {
			if i%2 == 0 {
				attach(b, i, 2)
			}
			send(b, i, "x")
		}
		b.wait(5 * time.Second)
		for i := range users {
			attach(b, i, 3)
		}
		b.wait(5 * time.Second)
		if n := b.store.reads.Load(); n != users {
			t.Errorf("%d reads for %d mailboxes", n, users)
		}
		if n := b.counters.Taken.Load(); n != users {
			t.Errorf("%d taken", n)
		}
	})
}

// TestHungStore: while a commit hangs, as it does when the synchronous standby is gone, senders hear after their patience that the
// outcome is unknown, or, of what found no room, that it certainly wasn't taken. Then everything goes on.
func TestHungStore(t *testing.T) {
	onNode(t, config{lanes: lane.Options{Mail: 1, QueueLen: 2}}, func(n *node) {
		n.gate.close()
		n.send("juliet", "1")           // in the commit that hangs
		n.send("juliet", "2", "3", "4") // two in the lane's queue, and one without room
		n.wait(29 * time.Second)
		n.want("juliet", "")
		n.wait(2 * time.Second)
		n.want("juliet", "1=OUTCOME_UNKNOWN, 2=OUTCOME_UNKNOWN, 3=OUTCOME_UNKNOWN, 4=LATER")
		n.gate.open()
		n.send("juliet", "5")
		n.wait(10 * time.Second)
		n.want("juliet", "5=OK")
		n.attach("pc", 0)
		n.want("pc", "1 delayed, 2 delayed, 3 delayed, 5 delayed")
	})
}
