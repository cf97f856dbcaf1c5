package simcluster

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/account"
	"github.com/jackdaw-im/jackdaw/actors/lane"
	"github.com/jackdaw-im/jackdaw/actors/mailbox"
	"github.com/jackdaw-im/jackdaw/actors/session"
	"github.com/jackdaw-im/jackdaw/cluster"
	"github.com/jackdaw-im/jackdaw/cluster/link"
	"github.com/jackdaw-im/jackdaw/cluster/member"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/internal/simnet"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/store/memstore"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// node is one process: what package node makes of the same parts.
type node struct {
	w     *world
	name  string
	id    ident.NodeID
	sim   *simnet.Node
	store *memstore.Node
	sys   *actors.System
	lanes *lane.Lanes
	boxes mailbox.Counters
	root  *supervision.Root
	// sessions are those of devices, clients counts them, and viewed is when the node saw a change of the cluster last.
	sessions *supervision.Dynamic
	clients  session.Counters
	viewed   atomic.Int64
	reunions atomic.Uint64
	givenUp  atomic.Uint64
	c        *cluster.Cluster
	links    *link.Links
	carrier  *simnet.Carrier[link.Peer]
	member   *member.Membership
	keys     *keys        // nil: it has none
	dead     atomic.Bool  // nobody hears of it any more
	leaving  atomic.Bool  // it takes no users
	fatal    atomic.Bool  // it was told that another has its name
	off      atomic.Int64 // how far its wall clock is ahead

	mu     sync.Mutex
	frames map[way]int
	// crossed counts frames that have to do with detours.
	crossed int
	// hold, if set, is how long something waits before the link gets it; for tests by hand. What follows on the same link waits with it.
	hold    func(to ident.NodeID, e *nodepb.Envelope) time.Duration
	waiting map[way]*line
}

// line is what waits for a link.
type line struct {
	due  time.Time // of the last
	list []func()
}

// way is one link, in one direction; data says that its frames carry something.
type way struct {
	to    ident.NodeID
	class nodepb.LinkClass
	data  bool
}

// start starts a process of a name: another one if there was one before.
func (w *world) start(name string) *node {
	w.Helper()
	id := ident.NodeID(fmt.Sprintf("%s@%d", name, time.Now().UnixMicro()))
	n := &node{w: w, name: name, id: id, sim: w.net.Node(name), store: w.mem.Node(id), frames: map[way]int{}, waiting: map[way]*line{}}
	log := w.log.Named(name)
	if w.opts.manual {
		log = zap.NewNop()
	}
	n.sys = actors.NewSystem(actors.Config{Workers: 2, Node: id, Logger: log})
	n.lanes = lane.New(n.store, lane.Options{Mail: 2, Directory: 1, WalkEvery: w.opts.walk, Owned: func() []ident.Partition { return n.c.Owned() }, Stale: n.stale})
	var err error
	if w.vault != nil {
		if n.keys, err = w.belongs(n); err != nil {
			w.Fatal(err)
		}
	}
	if n.c, err = cluster.New(cluster.Options{System: n.sys, Placed: []string{mailbox.Kind, account.Kind}, Claim: n.claim, Owners: n.store.Owners,
		GivenUp: func() { n.givenUp.Add(1) },
		Reunited: func() {
			n.reunions.Add(1)
			_ = n.sys.Cast(session.KeeperRef(id), session.Reunion{})
		}}); err != nil {
		w.Fatal(err)
	}
	n.sys.SetRouter(n.c)
	n.links = link.New(link.Options{Self: id, Carrier: link.CarrierFunc(n.carry), Logger: log, Deliver: n.receive, Return: n.c.Returned, Anew: n.c.Anew, Mutual: n.c.Mutual, Passes: n.passes})
	n.c.SetLinks(n)
	if err := n.sys.Start(); err != nil {
		w.Fatal(err)
	}
	boxes := mailbox.Supervisor(n.sys, mailbox.Config{Lanes: n.lanes, Counters: &n.boxes, Moving: n.moving, GivenUp: n.givenUp.Load, Account: account.Ref,
		Limits: mailbox.Limits{Messages: 100_000, Stranger: 100_000, SharePercent: 100, TTL: w.opts.ttl}})
	accounts, keepers := account.Supervisor(n.sys, account.Config{Lanes: n.lanes, Moving: n.moving, Reunions: n.reunions.Load}), session.Keepers(n.sys)
	n.sessions = session.Supervisor(n.sys, session.Config{Domain: domain, Secret: []byte("secret"), Counters: &n.clients, Location: name, Moving: n.moving})
	children := append(n.lanes.Children(), boxes.Child(), accounts.Child(), n.sessions.Child(), keepers.Child())
	if n.root, err = supervision.StartRoot(n.sys, supervision.SupervisorSpec{ID: "root", Children: children}); err != nil {
		w.Fatal(err)
	}
	if err := session.StartKeeper(keepers, n.sessions); err != nil {
		w.Fatal(err)
	}
	if err := n.c.Start(); err != nil {
		w.Fatal(err)
	}
	n.c.SetPins(w.table())
	n.carrier = simnet.NewCarrier(n.sim, func(p link.Peer) string { return p.Addr }, func(f *nodepb.Frame) { n.links.Receive(f) })
	if !w.opts.manual {
		n.join(log)
	}
	w.mu.Lock()
	w.nodes[name] = n
	w.mu.Unlock()
	return n
}

// join begins to gossip, and takes a share as soon as it may.
func (n *node) join(log *zap.Logger) {
	w := n.w
	var seeds []string
	w.mu.Lock()
	remembered := w.remembered[n.name]
	for i := 1; i <= min(len(w.nodes), 3); i++ {
		if other := w.nodes[nameOf(i)]; other != nil && other.name != n.name && remembered == nil {
			seeds = append(seeds, other.sim.Addr())
		}
	}
	w.mu.Unlock()
	cfg := member.Config{
		Self:      member.Member{ID: n.id, Carriage: n.sim.Addr(), Proto: 1, Release: "1.0", State: member.Joining, Weight: 100, Passes: !w.opts.noDetours, Routed: true, ByAge: true},
		Transport: n.sim.Transport(), Keys: w.opts.keys, Label: "test", Seeds: seeds,
		Remembered: func() []member.Past { return remembered },
		Remember: func(list []member.Past) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.remembered[n.name] = list
		},
		Wall:   func() time.Time { return time.Now().Add(time.Duration(n.off.Load())) },
		OnView: n.view, OnConflict: func(error) { n.fatal.Store(true) }, Logger: log,
	}
	if n.keys != nil {
		n.keys.gossip(&cfg)
	}
	m, err := member.Start(cfg)
	if err != nil {
		w.Fatal(err)
	}
	n.member = m
	if n.keys != nil {
		n.keys.begin()
		return
	}
	m.SetState(member.Active)
}

// view gives the cluster what gossip says, as package node does.
func (n *node) view(v *member.View) {
	n.viewed.Store(time.Now().UnixNano())
	if n.keys != nil {
		n.keys.view(v)
		return
	}
	to := cluster.View{ID: v.ID, Placed: v.Placed(), Peers: map[ident.NodeID]string{}, Hears: map[ident.NodeID]bool{}}
	for _, m := range v.Members {
		if m.ID != n.id && m.Rejected == "" {
			to.Peers[m.ID], to.Hears[m.ID] = m.Carriage, m.Routed
		}
	}
	n.c.SetView(to)
}

// moving reports whether accounts may have moved a moment ago, as package node does.
func (n *node) moving() bool { return time.Since(time.Unix(0, n.viewed.Load())) < 4*time.Second }

// passes reports what gossip says of a node's understanding of detours, as package node does.
func (n *node) passes(id ident.NodeID) bool {
	if n.w.opts.manual || n.member == nil {
		return false
	}
	m, ok := n.member.View().Find(id)
	return ok && m.Passes
}

// claim makes the store know that partitions are this node's.
func (n *node) claim(list []ident.Partition, done func([]ident.Partition)) {
	n.lanes.Claim(list, func(err error) {
		if err == nil { // else the store is closed
			done(list)
		}
	})
}

// stale looks who has claimed partitions that this node writes to.
func (n *node) stale(list []ident.Partition) {
	owners := n.store.Owners()
	for _, p := range list {
		n.w.net.Note("%s: the store has partition %d as %s's", n.id, p, owners[p])
		n.c.Stale(p, owners[p])
	}
}

// carry counts frames.
func (n *node) carry(to link.Peer, f *nodepb.Frame) error {
	n.mu.Lock()
	if f.Passed == nil && f.Ask == 0 && f.Answered == 0 {
		n.frames[way{to.ID, f.GetClass(), len(f.GetEnvelopes()) > 0}]++
	} else {
		n.crossed++
	}
	n.mu.Unlock()
	if n.keys != nil {
		if err := n.keys.admits(to); err != nil {
			return err
		}
	}
	return n.carrier.Send(to, f)
}

// receive gives what a link has brought to the router.
func (n *node) receive(from ident.NodeID, class nodepb.LinkClass, envelope []byte) {
	n.trace("gets", from, envelope)
	n.c.Receive(from, class, envelope)
}

// trace writes an envelope to the log of events, if debugging.
func (n *node) trace(what string, other ident.NodeID, envelope []byte) {
	e, d := &nodepb.Envelope{}, &nodepb.Deliver{}
	if !*debug || proto.Unmarshal(envelope, e) != nil {
		return
	}
	text := ""
	if (e.How == nodepb.Envelope_CAST || e.How == nodepb.Envelope_BOUNCE) && proto.Unmarshal(e.Body, d) == nil && d.Message != nil {
		text = fmt.Sprintf("%q base %d", d.Message.Payload, d.Base)
	}
	n.w.net.Note("%s %s %s of %s: %v to %s of %s, fault %v, %d hops %s", n.id, what, map[string]string{"gets": "from", "sends": "to"}[what], other, e.How,
		e.To.GetId(), e.From.GetId(), e.Fault, e.Hops, text)
}

// Send implements cluster.Links, as all the methods of it that follow.
func (n *node) Send(to ident.NodeID, class nodepb.LinkClass, envelope []byte, reserved bool) error {
	n.trace("sends", to, envelope)
	if n.hold != nil {
		e := &nodepb.Envelope{}
		if err := proto.Unmarshal(envelope, e); err != nil {
			n.w.Error(err)
		}
		return n.later(way{to: to, class: class}, n.hold(to, e), func() { _ = n.links.Send(to, class, envelope, reserved) })
	}
	return n.links.Send(to, class, envelope, reserved)
}

// later sends something after a while, and after what was to be sent before it.
func (n *node) later(w way, d time.Duration, send func()) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.waiting[w]
	if l == nil {
		l = &line{}
		n.waiting[w] = l
	}
	at := time.Now().Add(d)
	if at.Before(l.due) {
		at = l.due
	}
	l.due, l.list = at, append(l.list, send)
	time.AfterFunc(time.Until(at), func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		l.list[0]()
		l.list = l.list[1:]
	})
	return nil
}

// PeerUp is the links'.
func (n *node) PeerUp(p link.Peer) { n.links.PeerUp(p) }

// PeerDown is the links'.
func (n *node) PeerDown(id ident.NodeID) { n.links.PeerDown(id) }

// crash loses the process and all it had, at once. Its users come back elsewhere, if there is somewhere.
func (n *node) crash() {
	n.w.net.Note("crash of %s", n.id)
	n.dead.Store(true)
	n.sim.Crash()
	_ = n.store.Close()
	n.w.ending.Go(n.kill)
	n.w.evict(n)
}

// leave empties the node and ends it in order: its share goes first, then its users, then it takes its leave.
func (n *node) leave() {
	w := n.w
	w.net.Note("%s leaves", n.id)
	n.leaving.Store(true)
	n.member.SetState(member.Draining)
	w.until(string(n.id)+" is empty", 30*time.Second, func() string {
		if s := n.c.Status(); s.Mine+s.Waiting+s.Leaving > 0 {
			return fmt.Sprintf("%+v", s)
		}
		return ""
	})
	moving := w.seatsAt(n)
	for _, s := range moving {
		s.tell(func(ctx *actors.Context, p *peer) { p.leave(ctx) })
		w.login(s.user, w.some(), s)
	}
	n.handOver()
	w.until("those who leave have had their answers", time.Minute, func() string {
		for _, s := range moving {
			if n.sys.Alive(s.ref) {
				return s.ref.String()
			}
		}
		if s := n.c.Status(); s.Held > 0 || !n.member.Agreed() {
			return fmt.Sprintf("%+v", s)
		}
		for _, st := range n.links.Stats() {
			if st.Queue+st.Unacked > 0 {
				return fmt.Sprintf("%+v", st)
			}
		}
		return ""
	})
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := n.member.Leave(ctx); err != nil {
		w.Error(err)
	}
	n.dead.Store(true)
	n.kill()
}

// kill cleans up what a process has left.
func (n *node) kill() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	n.dead.Store(true)
	_ = n.root.Stop(ctx)
	if err := n.c.Stop(ctx); err != nil {
		n.w.Error(err)
	}
	if n.keys != nil {
		n.keys.end()
	}
	if n.member != nil {
		if err := n.member.Close(); err != nil {
			n.w.Error(err)
		}
	}
	n.links.Close()
	if err := n.sys.Stop(ctx); err != nil {
		n.w.Error(n.id, err)
	}
}
