package node

import (
	"errors"
	"math/rand/v2"
	"net"
	"strings"
	"time"

	"github.com/jackdaw-im/jackdaw/cluster/trust"
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

// shutOut makes the node serve nobody until takenBack.
func (d *drainer) shutOut(reason error) {
	d.mu.Lock()
	d.apply(d.mu.state.shutOut(time.Now(), reason.Error()))
	d.mu.Unlock()
	d.kick()
}

// takenBack makes a node that was shut out take its share and clients again.
func (d *drainer) takenBack() {
	d.mu.Lock()
	d.apply(d.mu.state.takenBack(time.Now()))
	d.mu.Unlock()
	d.kick()
}

// isOutcast reports whether the node was shut out.
func (d *drainer) isOutcast() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mu.state.phase == outcast
}

// elsewhere is where a client of a node that was shut out should go: to one of those that it saw last.
func (e *entry) elsewhere() string {
	list := e.seen.Load()
	if list == nil {
		return ""
	}
	return elsewhere(*list, e.p.n.sys.Node(), rand.Float64())
}

// judgement is what a member thinks of this node.
type judgement int

const (
	silent  judgement = iota // it doesn't answer, or what answers need not be it
	accepts                  // it takes this node's certificate
	refuses                  // it is a node of this cluster, and one of the two doesn't take the other's certificate
)

// judge reads it from the end of a fetch. A connection that is cut proves nothing, nor does a stranger at the member's address.
func judge(err error) judgement {
	var alert *net.OpError
	switch {
	case err == nil:
		return accepts
	case errors.Is(err, trust.ErrRevoked), errors.Is(err, trust.ErrLeaving), errors.Is(err, trust.ErrOtherAuthority):
		return refuses
	case errors.As(err, &alert) && alert.Op == "remote error" && strings.Contains(alert.Err.Error(), "certificate"):
		return refuses // so does crypto/tls call an alert, and this one comes once the server has been verified
	}
	return silent
}
