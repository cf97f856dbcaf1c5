package actorstest

import (
	"sync"

	"github.com/jackdaw-im/jackdaw/actors"
)

// tap is a Router that has every signal pass by a function on its way back to its own system.
type tap struct {
	sys *actors.System
	see func(to actors.Ref, sig actors.Signal)

	mu      sync.Mutex
	unwatch map[*actors.Watch]func()
}

var _ actors.Router = (*tap)(nil)

// Tap lets see have a look at each signal to an actor that isn't pinned to the system's node, on the sender's turn, before it goes on its
// way. All of them take the way of signals from other nodes. It is for before the system's Start.
func Tap(sys *actors.System, see func(to actors.Ref, sig actors.Signal)) {
	sys.SetRouter(&tap{sys: sys, see: see, unwatch: map[*actors.Watch]func(){}})
}

// Local implements actors.Router.
func (t *tap) Local(actors.Ref) bool { return false }

// Send implements actors.Router.
func (t *tap) Send(to actors.Ref, sig actors.Signal) error {
	t.see(to, sig)
	switch sig.How {
	case actors.HowCast, actors.HowAnswer, actors.HowExit:
		return t.sys.Receive(to, sig)
	case actors.HowCall:
		t.sys.Ask(to, sig.Msg, sig.Call.Answer)
	case actors.HowMonitor:
		unwatch := t.sys.WatchFor(to, sig.Watch.Down)
		t.mu.Lock()
		defer t.mu.Unlock()
		t.unwatch[sig.Watch] = unwatch
	case actors.HowDemonitor:
		t.mu.Lock()
		unwatch := t.unwatch[sig.Watch]
		delete(t.unwatch, sig.Watch)
		t.mu.Unlock()
		if unwatch != nil {
			unwatch()
		}
	}
	return nil
}
