package member

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// inbox is what memberlist has said and run has not yet taken. It is bounded by the number of nodes: of each, only the latest counts.
type inbox struct {
	mu struct {
		sync.Mutex
		seen      map[ident.NodeID]sighting
		statuses  map[ident.NodeID]*nodepb.MemberStatus // of broadcasts
		exchanged []*nodepb.MemberStatuses
		answered  []ident.NodeID
	}
	wake chan struct{}
}

// sighting is memberlist's latest word of a node.
type sighting struct {
	addr    string
	meta    []byte
	alive   bool
	flapped bool // it was dead in between
}

// exchangesKept is how many exchanges wait; of more the oldest are dropped, since the next ones tell the same.
const exchangesKept = 64

func newInbox() *inbox {
	b := &inbox{wake: make(chan struct{}, 1)}
	b.mu.seen = map[ident.NodeID]sighting{}
	b.mu.statuses = map[ident.NodeID]*nodepb.MemberStatus{}
	return b
}

// put changes the inbox and wakes run. It never waits for anybody.
func (b *inbox) put(f func()) {
	b.mu.Lock()
	f()
	b.mu.Unlock()
	b.nudge()
}

func (b *inbox) nudge() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// delegate is what memberlist calls: with its lock held, or while it reads the network. So it only takes notes.
type delegate struct {
	in         *inbox
	meta       *atomic.Pointer[[]byte]
	broadcasts *memberlist.TransmitLimitedQueue
	state      func() []byte // all statuses, encoded
}

// NotifyJoin says that a node is alive, again perhaps.
func (d delegate) NotifyJoin(n *memberlist.Node) { d.note(n, true) }

// NotifyUpdate says that a node has told something new of itself.
func (d delegate) NotifyUpdate(n *memberlist.Node) { d.note(n, true) }

// NotifyLeave says that a node has left or is dead.
func (d delegate) NotifyLeave(n *memberlist.Node) { d.note(n, false) }

func (d delegate) note(n *memberlist.Node, alive bool) {
	id := ident.NodeID(n.Name)
	d.in.put(func() {
		was, waiting := d.in.mu.seen[id]
		d.in.mu.seen[id] = sighting{addr: n.Address(), meta: append([]byte(nil), n.Meta...), alive: alive,
			flapped: waiting && (was.flapped || !was.alive && alive)}
	})
}

// NodeMeta returns what this node tells of itself.
func (d delegate) NodeMeta(int) []byte { return *d.meta.Load() }

// NotifyMsg takes a broadcast: a node's status.
func (d delegate) NotifyMsg(buf []byte) {
	m := &nodepb.MemberStatus{}
	if proto.Unmarshal(buf, m) != nil {
		return // a later version's, perhaps
	}
	m.Clock = 0 // who knows how long it has been on its way
	id := ident.NodeID(m.GetNode())
	d.in.put(func() {
		if was := d.in.mu.statuses[id]; (was == nil || was.GetSeq() < m.GetSeq()) && len(d.in.mu.statuses) < 1<<14 {
			d.in.mu.statuses[id] = m
		}
	})
}

// GetBroadcasts returns broadcasts to send along with something else.
func (d delegate) GetBroadcasts(overhead, limit int) [][]byte {
	return d.broadcasts.GetBroadcasts(overhead, limit)
}

// LocalState returns what this node knows, for an exchange.
func (d delegate) LocalState(bool) []byte { return d.state() }

// MergeRemoteState takes what another node knows.
func (d delegate) MergeRemoteState(buf []byte, _ bool) {
	m := &nodepb.MemberStatuses{}
	if proto.Unmarshal(buf, m) != nil {
		return
	}
	d.in.put(func() {
		list := append(d.in.mu.exchanged, m)
		d.in.mu.exchanged = list[max(0, len(list)-exchangesKept):]
	})
}

// broadcast is one node's status on its way; a later one of the same node takes its place.
type broadcast struct {
	node string
	buf  []byte
}

func (b broadcast) Name() string { return b.node }
func (b broadcast) Invalidates(other memberlist.Broadcast) bool {
	o, ok := other.(broadcast)
	return ok && o.node == b.node
}
func (b broadcast) Message() []byte { return b.buf }
func (b broadcast) Finished()       {}

// told are the statuses of the others as the latest step left them, for LocalState.
type told struct {
	at   time.Duration
	list []said
}

// said is one node's status, with its clock as it was then.
type said struct {
	node   string
	seq    uint64
	view   uint64
	clock  time.Duration // since 1970, at told.at; 0: not known
	read   time.Duration // when
	digest string
}

// statuses returns all that is known of the others, to be told to them. Readable configurations are told on only if they differ from
// this node's: the others are as its own.
func (s *state) told() *told {
	t := &told{at: s.now}
	for id, st := range s.statuses {
		x := said{node: string(id), seq: st.seq, view: st.view, read: st.read}
		if st.clock {
			x.clock = st.base + s.now
		}
		if p := s.peers[id]; p != nil && p.meta.GetDigest() != s.want.digest {
			x.digest = st.digest
		}
		t.list = append(t.list, x)
	}
	return t
}

// encode returns the statuses as they are some time later: clocks have gone on, what was read is older.
func (t *told) encode(now time.Duration, self *nodepb.MemberStatus) []byte {
	all := &nodepb.MemberStatuses{List: []*nodepb.MemberStatus{self}}
	for _, x := range t.list {
		m := &nodepb.MemberStatus{Node: x.node, Seq: x.seq, View: x.view, Digest: x.digest}
		if x.clock != 0 {
			m.Age = uint64((now - x.read).Microseconds())
			m.Clock = (x.clock - (t.at - x.read)).Microseconds()
		}
		all.List = append(all.List, m)
	}
	buf, err := proto.Marshal(all)
	if err != nil {
		return nil // never: all strings come from ids and configurations, which are UTF-8
	}
	return buf
}
