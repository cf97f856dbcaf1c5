package entry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/cluster/member"
	"github.com/jackdaw-im/jackdaw/cluster/trust"
)

const (
	// askTime bounds one attempt to be accepted.
	askTime = 5 * time.Second
	// metPause comes between two looks whether gossip has reasons to keep the node out, askPause between two attempts to be accepted, and
	// watchPause between two looks of a node that sees no other any more.
	metPause   = 20 * time.Millisecond
	askPause   = time.Second
	watchPause = 5 * time.Second
	// forgiveLooks is how often in a row nobody must say that a node is shut out, that sees nobody, until it goes on by itself, after a minute or
	// more: what kept it out is gone, or can't be asked any more.
	forgiveLooks = 12
	// maxAsked is how many active nodes are asked at once. One that answers is enough.
	maxAsked = 4
	// partPause comes between two questions to those of this node's past that aren't there, while others are, and partSays between two entries of the
	// log about them.
	partPause = 30 * time.Second
	partSays  = 10 * time.Minute
	// maxShunned is how many are asked whether this node was shut out, which all of them have to say that answer: those that it saw last, and
	// others of its past.
	maxShunned = 16
)

// Gossip is what gossip knows and tells: a *member.Membership.
type Gossip interface {
	// View returns the present view.
	View() *member.View
	// Self returns this node as the others know it.
	Self() member.Member
	// Missing returns the members of the past that aren't there and haven't left.
	Missing() []member.Past
	// SetState changes what they are told that it does.
	SetState(member.State)
}

// Host is the node. Its methods must not block for long.
type Host interface {
	// ShutOut makes it serve nobody until TakenBack. It may be called again and again.
	ShutOut(reason error)
	// TakenBack ends that. It is called also where nothing is to be ended.
	TakenBack()
	// IsOutcast reports whether it was shut out.
	IsOutcast() bool
}

// Config says who enters where. All of it is needed but Logger.
type Config struct {
	Live   *trust.Live
	Gossip Gossip
	Host   Host
	// Logger hears why the node stays out; nil is silence.
	Logger *zap.Logger
}

// Entry is one node's. New makes it, Begin starts it, End ends it. Reason and Seen are safe on any goroutine.
type Entry struct {
	cfg    Config
	log    *zap.Logger
	why    atomic.Pointer[error]           // what keeps the node out; nil: nothing so far
	seen   atomic.Pointer[[]member.Member] // the active nodes that were there last
	cancel context.CancelFunc
	under  sync.WaitGroup
}

// New returns an entry that does nothing yet.
func New(cfg Config) *Entry {
	e := &Entry{cfg: cfg, log: cfg.Logger}
	if e.log == nil {
		e.log = zap.NewNop()
	}
	return e
}

// Begin lets the node in as soon as may be.
func (e *Entry) Begin() {
	var ctx context.Context
	ctx, e.cancel = context.WithCancel(context.Background())
	e.under.Go(func() { e.run(ctx) })
}

// End stops trying and looking, and waits for that. It may be called without Begin, and twice.
func (e *Entry) End() {
	if e.cancel != nil {
		e.cancel()
	}
	e.under.Wait()
}

// Reason says what keeps the node out; nil if nothing does.
func (e *Entry) Reason() error {
	if why := e.why.Load(); why != nil {
		return *why
	}
	return nil
}

// Seen returns the other active nodes that were there last, when there were any.
func (e *Entry) Seen() []member.Member {
	if list := e.seen.Load(); list != nil {
		return *list
	}
	return nil
}

func (e *Entry) run(ctx context.Context) {
	for {
		pause := metPause
		if e.cfg.Gossip.Self().Rejected == "" { // else gossip has its own reasons, and perhaps it has met nobody yet
			err := e.accepted(ctx)
			if err == nil {
				e.why.Store(nil)
				e.cfg.Gossip.SetState(member.Active)
				e.watch(ctx)
				return
			}
			if e.why.Swap(&err) == nil && ctx.Err() == nil {
				e.log.Warn("this node stays out of the cluster", zap.Error(err))
			}
			pause = askPause
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// watch looks, while this node sees no other active one, whether those that it saw last don't take its certificate any more. Nobody else
// can tell it.
func (e *Entry) watch(ctx context.Context) {
	seen := map[string]member.Member{}
	tick := time.NewTicker(watchPause)
	defer tick.Stop()
	var asked, said time.Time
	silent := 0
	for {
		if e.look(ctx, seen, &silent); time.Since(asked) >= partPause {
			asked = time.Now()
			if e.parted(ctx, time.Since(said) >= partSays) {
				said = asked
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// look looks once. seen are the active nodes that were there when there were any, silent counts the looks since one of them refused this node.
func (e *Entry) look(ctx context.Context, seen map[string]member.Member, silent *int) {
	there := map[string]member.Member{}
	others := false
	for _, m := range e.others() {
		others = others || !m.Suspect
		m.Suspect = false
		there[m.Name] = m
	}
	if others {
		clear(seen)
	}
	maps.Copy(seen, there)
	if others {
		list := slices.Collect(maps.Values(seen))
		e.seen.Store(&list)
		if e.cfg.Host.IsOutcast() && e.accepted(ctx) != nil {
			return
		}
		e.why.Store(nil)
		e.cfg.Host.TakenBack()
		return
	}
	err := e.shunned(ctx, slices.Collect(maps.Values(seen)))
	switch {
	case err != nil:
		*silent = 0
		if e.why.Swap(&err) == nil {
			e.log.Error("the cluster doesn't take this node any more: its clients are sent to the others", zap.Error(err))
		}
		e.cfg.Host.ShutOut(err)
	case e.cfg.Host.IsOutcast():
		if *silent++; *silent < forgiveLooks {
			return
		}
		e.log.Warn("nobody says any more that this node is shut out, and it sees nobody: it goes on by itself")
		e.why.Store(nil)
		e.cfg.Host.TakenBack()
	}
}

// parted looks, while others are there, whether some of this node's past have later keys than all those: then a part of the cluster was cut off while keys
// were rotated without it, and is one for itself now. Which part clients mean nobody here can say; so this is said to operators.
func (e *Entry) parted(ctx context.Context, say bool) (said bool) {
	if !say || len(e.others()) == 0 || e.cfg.Host.IsOutcast() {
		return false
	}
	err := e.shunned(ctx, nil)
	if err != nil && ctx.Err() == nil {
		e.log.Error("a part of the cluster has later keys: this node and those that it sees have missed a rotation, and need tokens", zap.Error(err))
	}
	return err != nil
}

// others are the other active nodes, those that are missed among them, but for revoked ones: what these say doesn't count.
func (e *Entry) others() (list []member.Member) {
	self, b := e.cfg.Gossip.Self().ID, e.cfg.Live.Bundle()
	for _, m := range e.cfg.Gossip.View().Members {
		if m.ID != self && m.Placed() && !b.IsRevoked(m.Name) {
			list = append(list, m)
		}
	}
	return list
}

// shunned returns an error if, of those that answer, every node and this one don't accept each other's certificates. seen are asked, and who
// is at an address of this node's past.
func (e *Entry) shunned(ctx context.Context, seen []member.Member) (shunned error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	type answer struct {
		from string
		j    judgement
		err  error
	}
	var past []member.Member
	for _, p := range e.cfg.Gossip.Missing() {
		if !slices.ContainsFunc(seen, func(m member.Member) bool { return m.Gossip == p.Addr }) {
			past = append(past, member.Member{Name: p.Name, Gossip: p.Addr})
		}
	}
	rand.Shuffle(len(past), func(i, j int) { past[i], past[j] = past[j], past[i] }) // not always the same, should there be many
	seen = append(seen, past...)
	b := e.cfg.Live.Bundle()
	answers, asked := make(chan answer, maxShunned), 0
	for _, m := range seen {
		if b.IsRevoked(m.Name) {
			continue
		}
		if asked == maxShunned {
			break
		}
		asked++
		e.under.Go(func() {
			err := e.fetch(ctx, trust.Member{Name: m.Name, Addr: m.Gossip})
			answers <- answer{cmp.Or(m.Name, "the node at "+m.Gossip), judge(err), err}
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

// fetch asks one node for the bundle. One that can't be written, because the disk is full, is in use all the same.
func (e *Entry) fetch(ctx context.Context, from trust.Member) error {
	got, err := e.cfg.Live.Fetch(ctx, from)
	if got.Bundle != nil && !errors.Is(err, trust.ErrRevoked) {
		return nil
	}
	return err
}

// accepted asks active nodes for the bundle, for which both sides show their certificates. Where gossip knows no active node, those of this
// node's past are asked: all keys may have been rotated since, so that gossip meets nobody. Who reaches none of them either is let in.
func (e *Entry) accepted(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	answers, asked := make(chan error, maxAsked), 0
	others := e.others()
	rand.Shuffle(len(others), func(i, j int) { others[i], others[j] = others[j], others[i] })
	for _, m := range others {
		if m.Suspect || asked == maxAsked {
			continue
		}
		asked++
		to := trust.Member{Name: m.Name, Addr: m.Gossip}
		e.under.Go(func() {
			err := e.fetch(ctx, to)
			if err != nil {
				err = fmt.Errorf("this node and %s don't accept each other: %w", to.Name, err)
			}
			answers <- err
		})
	}
	if asked == 0 {
		return e.shunned(ctx, nil)
	}
	var last error
	for range asked {
		if last = <-answers; last == nil {
			return nil
		}
	}
	return last
}
