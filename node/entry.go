package node

import (
	"context"
	"fmt"
	"maps"
	"slices"
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
	// maxShunned is how many are asked whether this node was shut out, which all of them have to say that answer.
	maxShunned = 16
)

// entry makes a node active, once another active one and it have accepted each other's certificates. Gossip alone can't tell: it has keys of its
// own. A node that the others' links can't reach would own users whom nobody serves.
type entry struct {
	p      *peers
	why    atomic.Pointer[error]           // what keeps the node out; nil: nothing so far
	seen   atomic.Pointer[[]member.Member] // the active nodes that were there last
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
// shut out, or was away while all keys were rotated. Nobody else can tell it. It has to say so, and to serve nobody, because it isn't a
// part of the cluster that its clients mean.
func (e *entry) watch(ctx context.Context) {
	seen := map[string]member.Member{}
	tick := time.NewTicker(watchPause)
	defer tick.Stop()
	for {
		e.look(ctx, seen)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// look looks once. seen are the active nodes that were there when there were any.
func (e *entry) look(ctx context.Context, seen map[string]member.Member) {
	there := map[string]member.Member{}
	others := false
	for _, m := range e.p.member.View().Members {
		if m.ID != e.p.n.sys.Node() && m.Placed() {
			others = others || !m.Suspect
			m.Suspect = false
			there[m.Name] = m
		}
	}
	if others {
		clear(seen)
	}
	maps.Copy(seen, there)
	drain := e.p.n.drain
	if others {
		list := slices.Collect(maps.Values(seen))
		e.seen.Store(&list)
		if drain.isOutcast() && e.accepted(ctx) != nil {
			return
		}
		e.why.Store(nil)
		drain.takenBack()
		return
	}
	if err := e.shunned(ctx, seen); err != nil {
		if e.why.Swap(&err) == nil {
			e.p.n.log.Error("the cluster doesn't take this node any more: its clients are sent to the others", zap.Error(err))
		}
		drain.shutOut(err)
	}
}

// shunned returns an error if, of those that answer, every node and this one don't accept each other's certificates.
func (e *entry) shunned(ctx context.Context, seen map[string]member.Member) (shunned error) {
	ctx, cancel := context.WithTimeout(ctx, entryTime)
	defer cancel()
	type answer struct {
		from string
		j    judgement
		err  error
	}
	answers, asked := make(chan answer, maxShunned), 0
	for _, m := range seen {
		if asked == maxShunned {
			break
		}
		asked++
		e.under.Go(func() {
			_, err := e.p.live.Fetch(ctx, trust.Member{Name: m.Name, Addr: m.Gossip})
			answers <- answer{m.Name, judge(err), err}
		})
	}
	for range asked {
		switch a := <-answers; a.j {
		case accepts:
			return nil
		case refuses:
			shunned = fmt.Errorf("%s is there and doesn't accept this node any more: it was revoked, or was away while all keys were rotated. Stop it; a node that is to come back needs a new token: %w", a.from, a.err)
		}
	}
	return shunned
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
