package node

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/cluster/member"
	"github.com/jackdaw-im/jackdaw/cluster/trust"
)

const (
	// entryTime bounds one attempt to be accepted, and entryPause comes between two.
	entryTime  = 5 * time.Second
	entryPause = time.Second
	// entryAsked is how many active nodes are asked at once. One that answers is enough.
	entryAsked = 4
)

// entry makes a node active, once another active one and it have accepted each other's certificates. Gossip alone can't tell: it has keys of its
// own. A node that the others' links can't reach would own users whom nobody serves.
type entry struct {
	p      *peers
	why    atomic.Pointer[error] // what keeps the node out; nil: nothing so far
	cancel context.CancelFunc
	under  sync.WaitGroup
}

// begin lets the node in as soon as may be.
func (e *entry) begin() {
	var ctx context.Context
	ctx, e.cancel = context.WithCancel(context.Background())
	e.under.Go(func() { e.run(ctx) })
}

// end stops trying. It may be called without begin.
func (e *entry) end() {
	if e.cancel != nil {
		e.cancel()
	}
	e.under.Wait()
}

// reason says what keeps the node out; nil if nothing does.
func (e *entry) reason() error {
	if why := e.why.Load(); why != nil {
		return *why
	}
	return nil
}

func (e *entry) run(ctx context.Context) {
	for {
		pause := sharePoll
		if e.p.member.Self().Rejected == "" { // else gossip has its own reasons, and perhaps it has met nobody yet
			err := e.accepted(ctx)
			if err == nil {
				e.why.Store(nil)
				e.p.member.SetState(member.Active)
				return
			}
			if e.why.Swap(&err) == nil && ctx.Err() == nil {
				e.p.n.log.Warn("this node stays out of the cluster", zap.Error(err))
			}
			pause = entryPause
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// accepted asks active nodes for the bundle, for which both sides show their certificates. Where there is no active node, there is nobody
// who could refuse.
func (e *entry) accepted(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, entryTime)
	defer cancel()
	answers, asked := make(chan error, entryAsked), 0
	members := e.p.member.View().Members
	for i := range members {
		m := &members[i]
		if m.ID == e.p.n.sys.Node() || m.Suspect || !m.Placed() || asked == entryAsked {
			continue
		}
		asked++
		to := trust.Member{Name: m.Name, Addr: m.Gossip}
		e.under.Go(func() {
			_, err := e.p.live.Fetch(ctx, to)
			if err != nil {
				err = fmt.Errorf("this node and %s don't accept each other: %w", to.Name, err)
			}
			answers <- err
		})
	}
	var last error
	for range asked {
		if last = <-answers; last == nil {
			return nil
		}
	}
	return last
}
