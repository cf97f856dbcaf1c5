package node

import (
	"context"
	"crypto/tls"
	"errors"
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
				e.watch(ctx)
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

// watchPause comes between two looks of a node that sees no other any more.
const watchPause = 5 * time.Second

// watch looks, while this node sees no other active one, whether those that it saw last don't take its certificate any more: then it was
// shut out, or was away while all keys were rotated, and has to say so, because nobody else can tell it.
func (e *entry) watch(ctx context.Context) {
	seen := map[string]trust.Member{}
	tick := time.NewTicker(watchPause)
	defer tick.Stop()
	for {
		others := false
		for _, m := range e.p.member.View().Members {
			if m.ID != e.p.n.sys.Node() && m.Placed() {
				others, seen[m.Name] = others || !m.Suspect, trust.Member{Name: m.Name, Addr: m.Gossip}
			}
		}
		if others {
			e.why.Store(nil)
			clear(seen)
		} else if err := e.shunned(ctx, seen); err != nil && e.why.Swap(&err) == nil {
			e.p.n.log.Error("the cluster doesn't take this node any more", zap.Error(err))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// shunned returns an error if a node answers and one of the two doesn't take the other's certificate.
func (e *entry) shunned(ctx context.Context, seen map[string]trust.Member) error {
	ctx, cancel := context.WithTimeout(ctx, entryTime)
	defer cancel()
	for _, m := range seen {
		_, err := e.p.live.Fetch(ctx, m)
		var certificate *tls.CertificateVerificationError
		if errors.As(err, &certificate) || errors.Is(err, trust.ErrRefused) || errors.Is(err, trust.ErrRevoked) || errors.Is(err, trust.ErrLeaving) {
			return fmt.Errorf("%s is there and doesn't accept this node any more: it was revoked, or was away while all keys were rotated. Stop it; a node that is to come back needs a new token: %w", m.Name, err)
		}
	}
	return nil
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
