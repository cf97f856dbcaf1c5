package pg

import "github.com/jackdaw-im/jackdaw/actors"

// MonitorRef names one monitor of a group or of a scope.
type MonitorRef uint64

// Current begins what a monitor tells: all members there are, as often as each has joined. It comes again, and replaces all that was
// told before, to a watcher whose queue was full, and after a crash of the scope. Its maps and lists are the receiver's own.
type Current struct {
	Monitor MonitorRef
	// Groups holds the watched group, also when it is empty; of a whole scope all groups with members.
	Groups map[string][]actors.Ref
}

// Change says that members have joined a group, or left it, each as often as it is listed. Others read the same Members: they are not
// to be changed.
type Change struct {
	Monitor MonitorRef
	Left    bool
	Group   string
	Members []actors.Ref
}

// watcher is one monitor.
type watcher struct {
	id     MonitorRef
	who    actors.Ref
	group  string
	whole  bool // of the scope
	behind bool // it has missed something, and gets a Current once its queue takes one
}

// changes gathers, per group, who has joined or left.
type changes struct {
	list []Membership
	at   map[string]int // from the second group on
}

func (c *changes) add(group string, members ...actors.Ref) {
	i, ok := 0, false
	switch n := len(c.list); {
	case n == 0:
	case c.at == nil:
		ok = c.list[0].Group == group
	default:
		i, ok = c.at[group]
	}
	if !ok {
		i = len(c.list)
		c.list = append(c.list, Membership{Group: group})
		if i == 1 {
			c.at = map[string]int{c.list[0].Group: 0}
		}
		if i > 0 {
			c.at[group] = i
		}
	}
	c.list[i].Members = append(c.list[i].Members, members...)
}

// monitor begins to tell who about a group, or about the whole scope.
func (s *state) monitor(id MonitorRef, who actors.Ref, group string, whole bool) {
	w := &watcher{id: id, who: who, group: group, whole: whole}
	p := s.party(who)
	p.watches = append(p.watches, id)
	s.watchers[id] = w
	if whole {
		s.whole[id] = w
	} else {
		g := s.group(group)
		if g.watchers == nil {
			g.watchers = map[MonitorRef]*watcher{}
		}
		g.watchers[id] = w
	}
	s.effects = append(s.effects, keep{w}, tell{w, s.current(w)})
}

// demonitor ends a monitor at its owner's wish.
func (s *state) demonitor(id MonitorRef, who actors.Ref) {
	w := s.watchers[id]
	if w == nil || w.who != who {
		return
	}
	s.unwatch(id)
	p := s.local[who]
	for i, x := range p.watches {
		if x == id {
			p.watches[i] = p.watches[len(p.watches)-1]
			p.watches = p.watches[:len(p.watches)-1]
			break
		}
	}
	s.release(p)
}

// unwatch forgets a monitor.
func (s *state) unwatch(id MonitorRef) {
	w := s.watchers[id]
	delete(s.watchers, id)
	delete(s.whole, id)
	if !w.whole {
		g := s.groups[w.group]
		if delete(g.watchers, id); len(g.at) == 0 && len(g.watchers) == 0 {
			delete(s.groups, w.group)
		}
	}
	s.effects = append(s.effects, unkeep{id})
}

// current is all that a watcher watches.
func (s *state) current(w *watcher) *Current {
	c := &Current{w.id, map[string][]actors.Ref{}}
	if !w.whole {
		c.Groups[w.group] = s.groups[w.group].members()
		return c
	}
	for name, g := range s.groups {
		if len(g.at) > 0 {
			c.Groups[name] = g.members()
		}
	}
	return c
}

func (g *group) members() []actors.Ref {
	a, b := &g.halves[here], &g.halves[there]
	return refs(a.total+b.total, a.vec, b.vec)
}

// notify tells those who watch, but for who gets a Current anyway.
func (s *state) notify(list []Membership, left bool) {
	for _, m := range list {
		for _, w := range s.whole {
			s.tell(w, m, left)
		}
		if g := s.groups[m.Group]; g != nil {
			for _, w := range g.watchers {
				s.tell(w, m, left)
			}
		}
	}
}

func (s *state) tell(w *watcher, m Membership, left bool) {
	if !w.behind {
		s.effects = append(s.effects, tell{w, &Change{w.id, left, m.Group, m.Members}})
	}
}

// refused notes that a watcher has missed something.
func (s *state) refused(w *watcher) {
	if !w.behind {
		w.behind = true
		s.askRetry()
	}
}
