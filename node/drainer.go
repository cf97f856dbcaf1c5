package node

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/admin"
	"github.com/jackdaw-im/jackdaw/cluster/member"
	"github.com/jackdaw-im/jackdaw/gateway"
	"github.com/jackdaw-im/jackdaw/proto/adminpb"
	"github.com/jackdaw-im/jackdaw/supervision"
	"github.com/jackdaw-im/jackdaw/telemetry"
)

// drainTick is how often a drain looks how far it is.
const drainTick = 100 * time.Millisecond

// drainer empties the node and fills it again: drainState at work. It is a supervision.Runner, and outlives its restarts.
type drainer struct {
	n         *Node
	operators *supervision.Dynamic
	wake      chan struct{}
	stop      context.CancelFunc
	done      sync.WaitGroup

	mu struct {
		sync.Mutex
		state   drainState
		keep    context.CancelFunc // ends the sending away of clients
		sending bool
		sent    bool
		sendErr error
	}
}

func newDrainer(n *Node) *drainer {
	d := &drainer{n: n, operators: admin.Operators(n.sys), wake: make(chan struct{}, 1)}
	usual := uint32(n.cfg.Cluster.Weight)
	d.mu.state = drainState{phase: undrained, usual: usual, weight: usual}
	return d
}

// operationServices are the parts of the tree through which a node of a cluster is operated by others.
func (n *Node) operationServices() []supervision.ChildSpec {
	if n.drain == nil {
		return nil
	}
	return []supervision.ChildSpec{
		n.drain.operators.Child(),
		supervision.Service("drain", adminStop, func() (supervision.Runner, error) { return n.drain, nil }),
	}
}

// Start implements supervision.Runner: the node's operator, and what looks after a drain. One that was under way goes on.
func (d *drainer) Start() error {
	if err := admin.StartOperator(d.operators, d); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	d.stop = stop
	d.mu.Lock()
	d.mu.sent, d.mu.sendErr = false, nil
	d.apply(d.mu.state.again(time.Now()))
	d.mu.Unlock()
	d.done.Go(func() { d.run(ctx) })
	return nil
}

// Stop implements supervision.Runner. The node stays as empty as it is.
func (d *drainer) Stop(context.Context) error {
	if d.stop != nil {
		d.stop()
	}
	d.mu.Lock()
	if d.mu.keep != nil {
		d.mu.keep()
	}
	d.mu.Unlock()
	d.done.Wait()
	return nil
}

func (d *drainer) run(ctx context.Context) {
	tick := time.NewTicker(drainTick)
	defer tick.Stop()
	for {
		d.mu.Lock()
		before := d.mu.state.phase
		d.apply(d.mu.state.look(time.Now(), d.facts()))
		after, reason := d.mu.state.phase, d.mu.state.reason
		d.mu.Unlock()
		if before != after {
			d.n.log.Info("drain", zap.String(telemetry.KeyPhase, string(after)), zap.String(telemetry.KeyReason, reason))
		}
		if !after.underWay() {
			select {
			case <-d.wake:
			case <-ctx.Done():
				return
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (d *drainer) kick() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// facts looks at the node. The lock is held.
func (d *drainer) facts() drainFacts {
	n, s := d.n, &d.mu.state
	f := drainFacts{sending: d.mu.sending, sent: d.mu.sent, sendErr: d.mu.sendErr, clients: int(n.connections.Open.Load())}
	if g := n.gateway.Load(); g != nil {
		f.closed = g.Draining().Draining
	}
	if !n.peers.up.Load() {
		return f
	}
	st, self := n.cluster.Status(), n.peers.member.Self()
	f.others, f.mine, f.leaving, f.waiting = n.others(), st.Mine, st.Leaving, st.Waiting
	as := self.State == member.Draining
	if s.phase == undrained || s.phase == lightening || s.phase == returning {
		as = self.State == member.Active && self.Weight == s.weight
	}
	f.settled = as && st.View == n.peers.member.View().ID
	return f
}

// apply does what the state asks for. The lock is held; nothing of it waits.
func (d *drainer) apply(effects []drainEffect) {
	p := d.n.peers
	for _, e := range effects {
		if e.weight > 0 {
			p.member.SetWeight(e.weight)
		}
		if e.leave {
			p.member.SetState(member.Draining)
		}
		if e.back {
			p.member.SetState(member.Active)
		}
		if e.send {
			d.send()
		}
		if e.keep && d.mu.keep != nil {
			d.mu.keep()
		}
		if e.open {
			d.open()
		}
	}
}

// send begins to send the clients away. The lock is held.
func (d *drainer) send() {
	g := d.n.gateway.Load()
	if g == nil || d.mu.sending {
		return
	}
	ctx, keep := context.WithCancel(context.Background())
	d.mu.keep, d.mu.sending, d.mu.sent, d.mu.sendErr = keep, true, false, nil
	over, host := d.mu.state.over, d.n.elsewhere
	if d.mu.state.phase == outcast { // nobody is in sight
		host = func() string { return elsewhere(d.n.peers.entry.Seen(), d.n.sys.Node(), rand.Float64()) }
	}
	d.done.Go(func() {
		defer keep()
		if g.Draining().Draining { // from a drain that was cut short
			d.complain(g.Undrain())
		}
		err := g.Drain(ctx, gateway.DrainOptions{Over: over, Host: host})
		d.mu.Lock()
		d.mu.sending, d.mu.sent, d.mu.sendErr = false, true, err
		d.mu.Unlock()
	})
}

// open takes clients again. The lock is held.
func (d *drainer) open() {
	if g := d.n.gateway.Load(); g != nil {
		d.complain(g.Undrain())
	}
}

func (d *drainer) complain(err error) {
	if err != nil {
		d.n.log.Warn("clients can't be taken again yet", zap.Error(err))
	}
}

// away reports whether the node has no clients, or is to have none soon.
func (d *drainer) away() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mu.state.phase.away()
}

// BeginDrain implements admin.Own.
func (d *drainer) BeginDrain(req *adminpb.DrainNode) (*adminpb.DrainStatus, error) {
	over, timeout := time.Duration(req.GetOverMs())*time.Millisecond, time.Duration(req.GetTimeoutMs())*time.Millisecond
	if timeout <= 0 {
		timeout = DefaultDrainTime
	}
	switch {
	case d.n.phase.Load() != serving:
		return nil, admin.Refuse(admin.ErrBusy, "the node %s is starting, or ends", d.n.sys.Node().Name())
	case over < 0 || over >= timeout:
		return nil, admin.Refuse(admin.ErrInvalid, "clients can't be sent away over %v where all of it may take %v", over, timeout)
	}
	d.mu.Lock()
	effects, err := d.mu.state.begin(time.Now(), over, timeout, d.facts())
	d.apply(effects)
	d.mu.Unlock()
	if err != nil {
		return nil, admin.Refuse(admin.ErrBusy, "%s is not emptied: %v", d.n.sys.Node().Name(), err)
	}
	d.kick()
	return d.DrainProgress(), nil
}

// EndDrain implements admin.Own.
func (d *drainer) EndDrain() (*adminpb.DrainStatus, error) {
	if d.n.phase.Load() != serving {
		return nil, admin.Refuse(admin.ErrBusy, "the node %s is starting, or ends", d.n.sys.Node().Name())
	}
	d.mu.Lock()
	if s := &d.mu.state; s.phase == outcast {
		defer d.mu.Unlock()
		return nil, admin.Refuse(admin.ErrBusy, "%s takes nobody: %s", d.n.sys.Node().Name(), s.reason)
	}
	d.apply(d.mu.state.undrain(time.Now()))
	d.mu.Unlock()
	d.kick()
	return d.DrainProgress(), nil
}

// DrainProgress implements admin.Own.
func (d *drainer) DrainProgress() *adminpb.DrainStatus {
	d.mu.Lock()
	s := d.mu.state
	d.mu.Unlock()
	st := &adminpb.DrainStatus{
		Node: string(d.n.sys.Node()), Phase: string(s.phase), Reason: s.reason, Step: int64(s.step), Steps: drainSteps, Weight: s.weight,
	}
	if !s.began.IsZero() {
		st.Began = s.began.UnixMicro()
		until := s.ended
		if until.IsZero() {
			until = time.Now()
		}
		st.ElapsedMs = until.Sub(s.began).Milliseconds()
	}
	c := d.n.cluster.Status()
	st.Partitions = int64(c.Mine + c.Leaving)
	if g := d.n.gateway.Load(); g != nil {
		p := g.Draining()
		st.Clients, st.Told, st.Left = int64(p.Total), int64(p.Told), int64(p.Left)
	}
	return st
}

// NodeStatus implements admin.Own.
func (d *drainer) NodeStatus() *adminpb.NodeStatus { return d.n.ownStatus() }
