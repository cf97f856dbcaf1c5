package supervision_test

import (
	"slices"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// mtree is a supervision tree in the words of OTP's manual: it says which children end and start, in which order. It knows nothing of
// actors, messages or plans.
type mtree struct {
	now  time.Time
	root *msup
	did  []string
	// hung is how many did not stop in time; loose says that the order of what was done last means nothing.
	hung  int
	loose bool
	seq   int
}

// mnode is a child: a worker, or a supervisor.
type mnode struct {
	spec     supervision.ChildSpec
	below    *supervision.SupervisorSpec // of a supervisor
	sup      *msup                       // while it runs
	up, hang bool
	restarts int
}

type msup struct {
	spec     supervision.SupervisorSpec
	ref      actors.Ref
	kids     []*mnode
	booked   []time.Time
	over     *msup // who supervises it
	self     *mnode
	declared map[string]*supervision.SupervisorSpec // supervisors among the children
}

func (m *mtree) note(s string) { m.did = append(m.did, s) }

// grow makes a supervisor that is about to start.
func (m *mtree) grow(spec supervision.SupervisorSpec, ref actors.Ref, declared map[string]*supervision.SupervisorSpec) *msup {
	s := &msup{spec: spec, ref: ref, declared: declared}
	for _, c := range spec.Children {
		s.kids = append(s.kids, &mnode{spec: c, below: declared[ref.ID+"."+c.ID]})
	}
	return s
}

func (s *msup) refOf(n *mnode) actors.Ref {
	if n.below != nil {
		return actors.Ref{Kind: "supervisor", ID: s.ref.ID + "." + n.spec.ID}
	}
	return actors.Ref{Kind: n.spec.Spec.Kind, ID: n.spec.ID}
}

// start starts a child, and with a supervisor all that is below it. It reports whether that went well.
func (m *mtree) start(s *msup, n *mnode, fail *int) bool {
	if n.up {
		return true
	}
	if n.below == nil {
		if *fail > 0 {
			*fail--
			m.note("-" + n.spec.ID)
			return false
		}
		n.up, n.hang = true, false
		m.note("+" + n.spec.ID)
		return true
	}
	below := m.grow(*n.below, s.refOf(n), s.declared)
	below.over, below.self = s, n
	for _, k := range below.kids {
		if !m.start(below, k, fail) {
			m.endAll(below)
			return false
		}
	}
	n.sup, n.up = below, true
	return true
}

func (m *mtree) stop(n *mnode) {
	if !n.up {
		return
	}
	n.up = false
	switch {
	case n.below != nil:
		m.endAll(n.sup)
		n.sup = nil
	case n.hang:
		m.hung++
	default:
		m.note("-" + n.spec.ID)
	}
}

func (m *mtree) endAll(s *msup) {
	for _, n := range slices.Backward(s.kids) {
		m.stop(n)
	}
}

func (s *msup) forget(n *mnode) {
	s.kids = slices.DeleteFunc(s.kids, func(x *mnode) bool { return x == n })
}

// ended is told of a child that has ended by itself. fail is how many starts fail from now on.
func (m *mtree) ended(s *msup, n *mnode, abnormal bool, fail *int) {
	if r := n.spec.Restart; r == supervision.Permanent || r == supervision.Transient && abnormal {
		m.restart(s, n, fail)
		return
	}
	if n.spec.Restart == supervision.Temporary {
		s.forget(n)
	}
	if !n.spec.Significant {
		return
	}
	active := slices.ContainsFunc(s.kids, func(x *mnode) bool { return x.spec.Significant && x.up })
	if s.spec.AutoShutdown == supervision.AnySignificant || s.spec.AutoShutdown == supervision.AllSignificant && !active {
		m.end(s, fail)
	}
}

// restart is that of a child, and of those that go along.
func (m *mtree) restart(s *msup, n *mnode, fail *int) {
	for {
		group := []*mnode{n}
		switch s.spec.Strategy {
		case supervision.OneForAll:
			group = slices.Clone(s.kids)
		case supervision.RestForOne:
			group = slices.Clone(s.kids[slices.Index(s.kids, n):])
		}
		for _, x := range slices.Backward(group) {
			m.stop(x)
			if x.spec.Restart == supervision.Temporary && x != n {
				s.forget(x)
			}
		}
		s.booked = append(s.booked, m.now)
		recent := 0
		for _, t := range s.booked {
			if m.now.Sub(t) < s.spec.Period {
				recent++
			}
		}
		if recent > max(s.spec.Intensity, 0) {
			m.end(s, fail)
			return
		}
		n.restarts++
		var failed *mnode
		for _, x := range group {
			if x.spec.Restart != supervision.Temporary && !m.start(s, x, fail) {
				failed = x
				break
			}
		}
		if failed == nil {
			return
		}
		n = failed
	}
}

// end is that of a supervisor by itself: with shutdown.
func (m *mtree) end(s *msup, fail *int) {
	m.endAll(s)
	if s.self == nil {
		m.root = nil
		return
	}
	s.self.up, s.self.sup = false, nil
	m.ended(s.over, s.self, false, fail)
}

// killed is told of a supervisor that a signal has ended: what was below it ends, too.
func (m *mtree) killed(s *msup, fail *int) {
	m.endAll(s)
	m.loose = true
	s.self.up, s.self.sup = false, nil
	m.ended(s.over, s.self, true, fail)
}

// sups are all supervisors that run, from the top down.
func (m *mtree) sups() (all []*msup) {
	var walk func(s *msup)
	walk = func(s *msup) {
		all = append(all, s)
		for _, n := range s.kids {
			if n.sup != nil {
				walk(n.sup)
			}
		}
	}
	if m.root != nil {
		walk(m.root)
	}
	return all
}

// place is a child and its supervisor.
type place struct {
	s *msup
	n *mnode
}

// places are all children.
func (m *mtree) places() (all []place) {
	for _, s := range m.sups() {
		for _, n := range s.kids {
			all = append(all, place{s, n})
		}
	}
	return all
}
