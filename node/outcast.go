package node

import (
	"time"

	"github.com/jackdaw-im/jackdaw/cluster/member"
)

// outcastOver is the time over which a node that was shut out sends its clients away.
const outcastOver = 3 * time.Second

// shutOut makes the node serve nobody, because its cluster doesn't take it any more: it gives up its place, so that what its clients send
// is not acknowledged here, and sends them to those who are in the cluster. Nobody could take over its share first.
func (s *drainState) shutOut(now time.Time, reason string) []drainEffect {
	if s.phase == outcast || s.phase == drained {
		return nil
	}
	effects := []drainEffect{{leave: true, send: s.phase != sending}}
	s.phase, s.reason, s.over, s.began, s.since, s.ended = outcast, reason, outcastOver, now, now, time.Time{}
	return effects
}

// takenBack ends that.
func (s *drainState) takenBack(now time.Time) []drainEffect {
	if s.phase != outcast {
		return nil
	}
	s.phase = overdue
	return s.undrain(now)
}

// ShutOut implements entry.Host: the node serves nobody until TakenBack.
func (d *drainer) ShutOut(reason error) {
	d.mu.Lock()
	d.apply(d.mu.state.shutOut(time.Now(), reason.Error()))
	d.mu.Unlock()
	d.kick()
}

// TakenBack implements entry.Host: a node that was shut out takes its share and clients again.
func (d *drainer) TakenBack() {
	d.mu.Lock()
	d.apply(d.mu.state.takenBack(time.Now()))
	d.mu.Unlock()
	d.kick()
}

// IsOutcast implements entry.Host.
func (d *drainer) IsOutcast() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mu.state.phase == outcast
}

// gossip is the membership for the entry, which is made before it.
type gossip struct{ p *peers }

// View implements entry.Gossip.
func (g gossip) View() *member.View { return g.p.member.View() }

// Self implements entry.Gossip.
func (g gossip) Self() member.Member { return g.p.member.Self() }

// Missing implements entry.Gossip.
func (g gossip) Missing() []member.Past { return g.p.member.Missing() }

// SetState implements entry.Gossip.
func (g gossip) SetState(s member.State) { g.p.member.SetState(s) }
