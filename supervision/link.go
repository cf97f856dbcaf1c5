package supervision

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/jackdaw-im/jackdaw/actors"
)

// link is one life of a child as its owner sees it: how a supervisor hears of an actor that it has started. The methods of
// actors.Owner run on the child's turn.
type link struct {
	sys   *actors.System
	sup   actors.Ref
	child *actors.Child
	kid   atomic.Pointer[kid] // of the supervisor that has it now
	over  atomic.Bool         // it has ended
}

func newLink(k *kid) *link {
	l := &link{}
	l.kid.Store(k)
	return l
}

// Started implements what the runtime tells owners after Init. A supervisor is started when its children are: it says so
// itself.
func (l *link) Started(*actors.Child) {
	if l.kid.Load().spec.Type != SupervisorType {
		l.started()
	}
}

func (l *link) started() { _ = l.sys.Answer(l.sup, childStarted{l}) }

// Exited implements actors.Owner.
func (l *link) Exited(_ *actors.Child, reason actors.Reason) {
	l.over.Store(reason.Ended())
	_ = l.sys.Answer(l.sup, childExited{l, reason})
}

// brood is who lives below a supervisor. It outlives the supervisor's actor, so that nothing of it is left running when that has been
// ended from outside: what takes the actor's place, or reaps after it, takes the brood.
type brood struct {
	mu    sync.Mutex
	owner *supervisor
	links []*link
}

// take makes s the owner, and returns who is there.
func (b *brood) take(s *supervisor) []*link {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.owner = s
	return slices.Clone(b.links)
}

// add books a child of s, and reports false if another is the owner by now.
func (b *brood) add(s *supervisor, l *link) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.owner != s {
		return false
	}
	b.links = append(b.links, l)
	return true
}

func (b *brood) remove(l *link) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.links = slices.DeleteFunc(b.links, func(x *link) bool { return x == l })
}

func (b *brood) empty() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.links) == 0
}

// kill ends all that is there, at once.
func (b *brood) kill() {
	if b == nil {
		return
	}
	links := b.take(nil)
	for _, l := range slices.Backward(links) {
		l.child.End(actors.Killed)
		l.kid.Load().below.kill()
		b.remove(l)
	}
}

// adopt makes a child of one that an earlier life has left: one that has crashed can be told to stop as one that runs.
func adopt(l *link) *kid {
	old := l.kid.Load()
	k := &kid{spec: old.spec, below: old.below, life: l, phase: running}
	l.kid.Store(k) // before its end is looked at: one that comes later is told to k's supervisor
	if l.over.Load() {
		k.phase = gone
	}
	return k
}
