package simcluster

import (
	"sync"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/session"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

// socket is one connection of a device to a node: the network in between, and the node's gateway. What one side says comes to the other a
// little later and in order, as long as both are there. Clients are outside of what is cut.
type socket struct {
	d        *device
	n        *node
	ref      actors.Ref
	up, down pipe

	mu        sync.Mutex
	uncounted int    // stanzas that the session has been given and has not counted
	written   uint64 // by the session
	closed    bool   // by the session
}

// dial connects a device with a node and starts the session.
func (w *world) dial(d *device, n *node) (*socket, error) {
	s := &socket{d: d, n: n}
	delay := func() time.Duration { return w.between(0, 2*time.Millisecond) }
	s.up.delay, s.down.delay = delay, delay
	var err error
	s.ref, err = session.Start(n.sessions, session.Args{Outlet: s, Remote: d.name})
	return s, err
}

// Write implements session.Outlet.
func (s *socket) Write(out session.Out) (backlog int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.uncounted -= out.Stanzas
	s.written += uint64(len(out.Data))
	if s.closed && len(out.Data) > 0 {
		s.d.w.Errorf("%v writes on a connection that it has closed: %s", s.ref, out.Data)
	}
	s.closed = s.closed || out.Close
	data := string(out.Data)
	s.down.add(func() bool {
		if s.n.dead.Load() {
			return true
		}
		if s.n.sim.Paused() {
			return false
		}
		s.d.receive(s, data, out.Close)
		return true
	})
	return 0, nil
}

// open begins a stream.
func (s *socket) open() {
	s.say(session.Opened{Header: xmpp.StreamHeader{To: domain, Version: "1.0"}})
}

// stanza sends one.
func (s *socket) stanza(text string) {
	e, err := xmpp.Parse([]byte(text))
	if err != nil {
		s.d.w.Errorf("%s: %v", text, err)
		return
	}
	s.say(session.Stanza{Elem: e, Size: len(text)})
}

// lose is that the client's end is gone.
func (s *socket) lose() { s.say(session.Closed{Reason: session.SocketLost}) }

// end ends the stream in order.
func (s *socket) end() { s.say(session.Closed{Reason: session.ClientClosed}) }

// say brings something to the session, as a gateway does: no more than the session has room for.
func (s *socket) say(msg any) {
	s.up.add(func() bool {
		if s.n.dead.Load() {
			return true
		}
		if s.n.sim.Paused() {
			return false
		}
		s.mu.Lock()
		if _, ok := msg.(session.Stanza); ok {
			if s.uncounted >= session.MaxUncounted {
				defer s.mu.Unlock()
				return s.closed
			}
			s.uncounted++
		}
		s.mu.Unlock()
		_ = s.n.sys.Answer(s.ref, msg) // a session that has ended has closed the connection
		return true
	})
}

// retry is after how long is tried again what did not get through.
const retry = 100 * time.Millisecond

// pipe does things one after the other, the first of them after a delay. One that reports false isn't done yet.
type pipe struct {
	delay  func() time.Duration
	mu     sync.Mutex
	queue  []func() bool
	moving bool
}

func (p *pipe) add(f func() bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue = append(p.queue, f)
	if !p.moving {
		p.moving = true
		time.AfterFunc(p.delay(), p.move)
	}
}

func (p *pipe) move() {
	for {
		p.mu.Lock()
		if len(p.queue) == 0 {
			p.moving = false
			p.mu.Unlock()
			return
		}
		first := p.queue[0]
		p.mu.Unlock()
		if !first() {
			time.AfterFunc(retry, p.move)
			return
		}
		p.mu.Lock()
		p.queue = p.queue[1:]
		p.mu.Unlock()
	}
}
