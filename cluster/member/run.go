package member

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"

	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/telemetry"
)

const (
	tick   = 500 * time.Millisecond // grace and clocks are looked at
	gather = 10 * time.Millisecond  // what comes in it is taken together
	// A node tells of its views at most once in tellEvery, or in tellPer for each node: with n nodes there are n broadcasts for each change of
	// the view, and each is repeated by all.
	tellEvery = time.Second
	tellPer   = 20 * time.Millisecond
)

// Memberlist's queue numbers broadcasts from 1 again whenever it is empty, and it is for a moment when a broadcast takes the place of the only one. The
// next one of the same length may then get the same number, and drops it: nobody would hear of the change until everything is exchanged. So
// lengths are made to differ mostly, by up to fillerMost bytes and two, and what has changed is told once more after metaAgain.
const (
	fillerMost = 31
	metaAgain  = time.Second
)

// tellAgain is how long after a view has been told it is told again: a broadcast is repeated so few times that in a small cluster one or
// the other misses it. Who has heard it doesn't pass it on again.
var tellAgain = []time.Duration{2 * time.Second, 4 * time.Second, 8 * time.Second}

// teller says when this node tells the others of its view.
type teller struct {
	view  uint64 // told last
	at    time.Duration
	times int // that this view has been told
}

// due reports whether the view is to be told now, and takes it for told then.
func (t *teller) due(now time.Duration, v *View) bool {
	pause := max(tellEvery, time.Duration(len(v.Members))*tellPer)
	if v.ID == t.view && t.times > 0 {
		if t.times > len(tellAgain) {
			return false
		}
		pause = max(pause, tellAgain[t.times-1])
	}
	if now-t.at < pause {
		return false
	}
	if v.ID != t.view {
		t.times = 0
	}
	t.view, t.at, t.times = v.ID, now, t.times+1
	return true
}

// run owns the state: it takes what memberlist has said and what the owner wishes, decides, and tells everybody.
func (m *Membership) run(st *state) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	var tell teller
	for {
		select {
		case <-m.ctx.Done():
			return
		case <-ticker.C:
		case <-m.in.wake:
			// What comes together is taken together: a storm of news costs at most a hundred steps a second.
			select {
			case <-m.ctx.Done():
				return
			case <-time.After(gather):
			}
		}
		st.advance(m.now(), m.cfg.Wall())
		m.take(st)
		m.mu.Lock()
		st.want = m.mu.want
		m.mu.Unlock()
		m.publish(st, st.step())
		if v := m.view.Load(); tell.due(st.now, v) {
			m.spread(&nodepb.MemberStatus{Node: string(m.cfg.Self.ID), Seq: m.seq.Add(1), View: v.ID})
		}
	}
}

// now is the time since the start, by a clock that never jumps.
func (m *Membership) now() time.Duration { return time.Since(m.start) }

// take gives the state what has come.
func (m *Membership) take(st *state) {
	in := m.in
	in.mu.Lock()
	seen, statuses, exchanged, answered := in.mu.seen, in.mu.statuses, in.mu.exchanged, in.mu.answered
	in.mu.seen = map[ident.NodeID]sighting{}
	in.mu.statuses = map[ident.NodeID]*nodepb.MemberStatus{}
	in.mu.exchanged, in.mu.answered = nil, nil
	in.mu.Unlock()
	for id, s := range seen {
		meta := &nodepb.MemberMeta{}
		if proto.Unmarshal(s.meta, meta) != nil {
			meta = nil
		}
		st.seen(id, s.addr, meta, s.alive, s.flapped)
	}
	for _, x := range exchanged {
		st.exchange(x)
	}
	for _, status := range statuses {
		if st.hear(status) {
			m.spread(status)
		}
	}
	for _, id := range answered {
		st.answered(id)
	}
}

// spread broadcasts a status.
func (m *Membership) spread(status *nodepb.MemberStatus) {
	if buf, err := proto.Marshal(status); err == nil {
		m.broadcasts.QueueBroadcast(broadcast{status.GetNode(), buf})
	}
}

// publish makes known what a step has come to.
func (m *Membership) publish(st *state, out outcome) {
	for _, n := range out.news {
		write := m.log().Info
		if n.bad {
			write = m.log().Warn
		}
		write(n.what, zap.String(telemetry.KeyNode, string(n.id)), zap.String(telemetry.KeyText, n.text))
	}
	m.describe(out.meta, st.now)
	m.known.Store(int64(len(out.view.Members)))
	if old := m.view.Load(); old != out.view {
		m.errands.know(out.view.Members, m.cfg.Self.ID) // first: who isn't in the view any more is missing
		m.view.Store(out.view)
		if old == nil || old.ID != out.view.ID {
			m.log().Info("the view of the cluster has changed", zap.String(telemetry.KeyView, ViewText(out.view.ID)), zap.Int(telemetry.KeyNodes, len(out.view.Placed())))
		}
		select {
		case m.viewed <- struct{}{}:
		default:
		}
	}
	opinions := st.opinions()
	m.opinions.Store(&opinions)
	m.told.Store(st.told())
	m.errands.want(out)
	if out.conflict != nil {
		m.conflicts <- out.conflict // there is room: it is told once
	}
}

// describe tells the others what this node says of itself, when that has changed, and once more a little later.
func (m *Membership) describe(meta *nodepb.MemberMeta, now time.Duration) {
	bare, err := (proto.MarshalOptions{Deterministic: true}).Marshal(meta)
	if err != nil {
		return
	}
	if m.described != nil && string(bare) == string(m.described) {
		if m.again > 0 && now >= m.again {
			m.again = 0
			m.errands.tell(m.list)
		}
		return
	}
	m.described, m.again = bare, now+metaAgain
	meta.Filler = make([]byte, rand.N(fillerMost+1))
	if buf, err := proto.Marshal(meta); err == nil && m.meta.Swap(&buf) != nil {
		m.errands.tell(m.list)
	}
}

// exchange takes what another node knows.
func (s *state) exchange(all *nodepb.MemberStatuses) {
	s.heard = true
	s.clock.exchanges++
	for _, status := range all.GetList() {
		s.hear(status)
	}
}

// opinions lists what the others say.
func (s *state) opinions() []Opinion {
	list := []Opinion{}
	for id, st := range s.statuses {
		if p := s.peers[id]; p == nil || !p.alive {
			continue
		}
		o := Opinion{ID: id, View: st.view, Age: s.now - st.at}
		if st.clock {
			o.Clock = st.base + s.now - time.Duration(s.wall.UnixMicro())*time.Microsecond
		}
		list = append(list, o)
	}
	slices.SortFunc(list, func(a, b Opinion) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// localState is what this node tells in an exchange.
func (m *Membership) localState() []byte {
	m.mu.Lock()
	text := m.mu.want.text
	m.mu.Unlock()
	self := &nodepb.MemberStatus{Node: string(m.cfg.Self.ID), Seq: m.seq.Add(1), View: m.view.Load().ID,
		Clock: m.cfg.Wall().UnixMicro(), Digest: text}
	return m.told.Load().encode(m.now(), self)
}

// notify calls the owner back.
func (m *Membership) notify() {
	for {
		select {
		case <-m.ctx.Done():
			return
		case err := <-m.conflicts:
			m.log().Error("this node has to end", zap.Error(err))
			if m.cfg.OnConflict != nil {
				m.cfg.OnConflict(err)
			}
		case <-m.viewed:
			if m.cfg.OnView != nil {
				m.cfg.OnView(m.view.Load())
			}
		}
	}
}

// jittered returns a time around d: from a half to one and a half of it.
func jittered(d time.Duration) time.Duration { return d/2 + rand.N(d+1) }
