package mailbox

import (
	"slices"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

const (
	// freshTime is how long after its beginning a mailbox that has come from another node may not know all sessions yet: they tell it
	// within a second, and a little later where that goes wrong at first.
	freshTime = 2 * time.Second
	// maxRelays and relayBytes bound what waits for them.
	maxRelays  = 64
	relayBytes = 256 << 10
)

// relays are stanzas for resources that may be there, though no session has said so yet.
type relays struct {
	list  []*nodepb.Relay
	bytes int
}

// relay passes a stanza that is no message to the session of a resource, after the messages before it.
func (st *state) relay(fx *effects, m *nodepb.Relay) {
	switch {
	case st.passOn(fx, m):
	case st.cfg.Moving == nil || !st.cfg.Moving() || !st.keepRelay(fx, m):
		st.relayFailed(fx, m, nodepb.Code_NO_RESOURCE)
	}
}

// passOn passes a stanza on, and reports whether there is somebody whom it may be passed to.
func (st *state) passOn(fx *effects, m *nodepb.Relay) bool {
	s := st.bound(m.GetResource())
	if s == nil && m.GetTag() == 0 { // an answer: a session that waits for its client keeps it
		s = st.attached(m.GetResource())
	}
	if s == nil {
		return false
	}
	st.flush(fx, s)
	fx.cast(s.ref, m, func(fx *effects) { st.relayFailed(fx, m, nodepb.Code_LATER) })
	return true
}

// attached is a session of a resource, connected or not.
func (st *state) attached(resource string) *attachment {
	if i := slices.IndexFunc(st.sessions, func(s *attachment) bool { return s.resource == resource }); i >= 0 {
		return st.sessions[i]
	}
	return nil
}

// keepRelay keeps a stanza for a session that may still come, and reports whether it does.
func (st *state) keepRelay(fx *effects, m *nodepb.Relay) bool {
	if !fx.now.Before(st.freshUntil) || st.attached(m.GetResource()) != nil {
		return false
	}
	if st.relays == nil {
		st.relays = &relays{}
	}
	size := len(m.GetStanza())
	if len(st.relays.list) >= maxRelays || st.relays.bytes+size > relayBytes {
		return false
	}
	st.relays.list, st.relays.bytes = append(st.relays.list, m), st.relays.bytes+size
	return true
}

// relayKept passes on what waits, as far as it can by now.
func (st *state) relayKept(fx *effects) {
	if st.relays == nil {
		return
	}
	list := st.relays.list
	st.relays = nil
	for _, m := range list {
		if !st.passOn(fx, m) && !st.keepRelay(fx, m) {
			st.relayFailed(fx, m, nodepb.Code_NO_RESOURCE)
		}
	}
}

// relaysDue is when what waits is given back; zero: nothing waits.
func (st *state) relaysDue() time.Time {
	if st.relays == nil {
		return time.Time{}
	}
	return st.freshUntil
}

// strand gives up what waits, because the mailbox has crashed.
func (st *state) strand(answer func(to actors.Ref, m *nodepb.Relay)) {
	if st.relays == nil {
		return
	}
	for _, m := range st.relays.list {
		if to, a := Undeliverable(m, nodepb.Code_NO_RESOURCE); a != nil {
			answer(to, a)
		} else {
			st.cfg.Counters.Dropped.Add(1)
		}
	}
	st.relays = nil
}

// unanswered hears that an answer could not be given. Who is gone needs none, but for whoever waits for that of a request.
func (st *state) unanswered(fx *effects, to actors.Ref, msg any) {
	m, ok := msg.(*nodepb.Relay)
	if !ok {
		return
	}
	if session, answer := Straight(to, m); answer != nil {
		fx.answer(session, answer)
	} else {
		st.cfg.Counters.Dropped.Add(1)
	}
}

// relayFailed tells who asked that a stanza didn't get there. Nobody waits to be told of an answer.
func (st *state) relayFailed(fx *effects, m *nodepb.Relay, code nodepb.Code) {
	to, answer := Undeliverable(m, code)
	if answer == nil {
		st.cfg.Counters.Dropped.Add(1)
		return
	}
	fx.answer(to, answer)
}
