package actors

import (
	"sync"
	"sync/atomic"
)

// monitor is one actor's wish to hear of another's end.
type monitor struct {
	ref     MonitorRef
	watcher watcher
	target  Ref
	away    atomic.Bool // it is on another node, and has not ended
}

// watcher hears of an end: an actor of ours, or one of protoactor's.
type watcher interface{ down(d Down) }

func (p *process) down(d Down) { p.control(d, nil) }

// watches keeps, per target, who watches it; sharded like the registry.
type watches struct {
	shards [shardCount]struct {
		sync.Mutex
		m map[Ref][]*monitor
	}
}

// Monitor asks for one Down when to ends, crashes, or at once with NoProc if it isn't there. An actor that starts on demand
// counts as there: watch it first, and then wake it. A name is looked up now. If to's node is lost, or to moves to another node, the
// reason is NoConnection.
func (c *Context) Monitor(to Ref) MonitorRef {
	p := c.process()
	x := p.extra()
	x.nextID++
	m := &monitor{ref: MonitorRef(x.nextID), watcher: p, target: p.sys().named(to)}
	x.monitors.put(m.ref, m)
	if s := p.sys(); s.away(m.target) {
		s.exportWatch(m, p.ref())
	} else {
		s.watchLocal(m)
	}
	return m.ref
}

// Demonitor withdraws a monitor; no Down of it is seen afterwards.
func (c *Context) Demonitor(m MonitorRef) {
	p := c.process()
	if p.ext == nil {
		return
	}
	if mon, ok := p.ext.monitors.get(m); ok {
		p.ext.monitors.remove(m)
		p.sys().unwatch(mon)
	}
}

// watchLocal registers m, or answers it at once if the target isn't there. One that starts on demand counts as there while it
// rests: who watches it before the message that wakes it hears of that life's end, however soon it comes.
func (s *System) watchLocal(m *monitor) {
	sh := &s.watches.shards[shardOf(m.target)]
	sh.Lock()
	if sh.m == nil {
		sh.m = map[Ref][]*monitor{}
	}
	sh.m[m.target] = append(sh.m[m.target], m)
	sh.Unlock()
	// Looked up after the registration: an actor that ends in between is told to everybody who is registered.
	switch {
	case s.away(m.target): // it has just moved, and who watched it has been told
		if s.unwatch(m) {
			m.watcher.down(Down{m.ref, m.target, NoConnection})
		}
	case s.registry.find(m.target) == nil && s.activator(m.target) == nil && s.unwatch(m):
		m.watcher.down(Down{m.ref, m.target, NoProc})
	}
}

// unwatch withdraws m and reports whether it was still registered.
func (s *System) unwatch(m *monitor) bool {
	if m.away.Swap(false) {
		_ = s.router.Send(m.target, Signal{How: HowDemonitor, Watch: (*Watch)(m)}) // who can't be told is gone, and so is the monitor
		return true
	}
	sh := &s.watches.shards[shardOf(m.target)]
	sh.Lock()
	defer sh.Unlock()
	list := sh.m[m.target]
	for i, x := range list {
		if x != m {
			continue
		}
		if len(list) == 1 {
			delete(sh.m, m.target)
		} else {
			list[i] = list[len(list)-1]
			list[len(list)-1] = nil
			sh.m[m.target] = list[:len(list)-1]
		}
		return true
	}
	return false
}

// watching takes away the monitors of an actor whose life is over, for tell.
func (s *System) watching(ref Ref) []*monitor {
	sh := &s.watches.shards[shardOf(ref)]
	sh.Lock()
	defer sh.Unlock()
	list := sh.m[ref]
	if list != nil {
		delete(sh.m, ref)
	}
	return list
}

// tell sends everybody who watches their Down.
func tell(watching []*monitor, reason Reason) {
	for _, m := range watching {
		m.watcher.down(Down{m.ref, m.target, reason})
	}
}
