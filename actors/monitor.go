package actors

import "sync"

// monitor is one actor's wish to hear of another's end.
type monitor struct {
	ref     MonitorRef
	watcher *process
	target  Ref
}

// watches keeps, per target, who watches it; sharded like the registry.
type watches struct {
	shards [shardCount]struct {
		sync.Mutex
		m map[Ref][]*monitor
	}
}

// watch registers m, or answers it at once if the target isn't there. One that starts on demand counts as there while it
// rests: who watches it before the message that wakes it hears of that life's end, however soon it comes.
func (s *System) watch(m *monitor) {
	sh := &s.watches.shards[shardOf(m.target)]
	sh.Lock()
	if sh.m == nil {
		sh.m = map[Ref][]*monitor{}
	}
	sh.m[m.target] = append(sh.m[m.target], m)
	sh.Unlock()
	// Looked up after the registration: an actor that ends in between is told to everybody who is registered.
	if s.registry.find(m.target) == nil && s.activator(m.target) == nil && s.unwatch(m) {
		m.watcher.control(Down{m.ref, m.target, NoProc})
	}
}

// unwatch withdraws m and reports whether it was still registered.
func (s *System) unwatch(m *monitor) bool {
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

// notify sends everybody who watches p its Down.
func (s *System) notify(p *process, reason Reason) {
	sh := &s.watches.shards[shardOf(p.ref)]
	sh.Lock()
	list := sh.m[p.ref]
	delete(sh.m, p.ref)
	sh.Unlock()
	for _, m := range list {
		m.watcher.control(Down{m.ref, m.target, reason})
	}
}
