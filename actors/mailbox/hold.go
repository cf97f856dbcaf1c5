package mailbox

import (
	"time"

	"github.com/jackdaw-im/jackdaw/store"
)

const (
	// maxHeld bounds, in bytes, the messages of one mailbox that are held: a page for a session.
	maxHeld = pageBytes + pageRows*rowOverhead
	// heldTime is for how long messages are held, at least; at most twice that.
	heldTime = time.Minute
)

// hold is the messages that stay in memory though no session is to get them: those of a session that is about to come, or to come back,
// need not be read from the store then. Bodies that were read before it is known who the user is count as such, too. A mailbox
// holds a page of them for a while, and all mailboxes of a node Config.Held.
type hold struct {
	bytes int
	at    time.Time // when those that are too old go; zero: there are none
}

// hold takes a message that no session waits for any more. It is dropped unless there is room.
func (st *state) hold(r *row) {
	if r.msg == nil || r.held {
		return
	}
	n := r.cost()
	if r.transient || r.gone || st.held.bytes+n > maxHeld || !st.room(int64(n)) {
		st.drop(r)
		return
	}
	st.kept -= n
	st.held.bytes += n
	r.held = true
}

// room takes room of what the mailboxes of a node share, if there is some left.
func (st *state) room(n int64) bool {
	all := &st.cfg.Counters.Held
	if all.Add(n) > st.cfg.Held {
		all.Add(-n)
		return false
	}
	return true
}

// unhold ends that a row is held; its message stays.
func (st *state) unhold(r *row) {
	if r.held {
		r.held = false
		st.held.bytes -= r.cost()
		st.cfg.Counters.Held.Add(-int64(r.cost()))
		st.kept += r.cost()
	}
}

// letGo drops what was held for long enough. What is older than that was held since the mailbox was loaded, or given to a session.
func (st *state) letGo(now time.Time) {
	st.held.at = time.Time{}
	old := now.Add(-heldTime).UnixMicro()
	for _, r := range st.rows.order {
		if r.held && r.Ord <= old {
			st.drop(r)
		}
	}
}

// release gives the room of all that is held to the node's other mailboxes: this one ends.
func (st *state) release() {
	st.cfg.Counters.Held.Add(-int64(st.held.bytes))
	st.held.bytes = 0
}

// page says which bodies come with a load: those that can be pushed to a session at once, or held for one that is about to come, as those
// of another node do when this one takes over.
func (st *state) page(takenOver bool) store.Page {
	room := int64(0)
	for _, s := range st.sessions {
		if s.connected {
			room = max(room, s.credit)
		}
	}
	if takenOver && st.cfg.Counters.Held.Load() < st.cfg.Held {
		room = pageBytes
	}
	if room <= 0 {
		return store.Page{}
	}
	return store.Page{Rows: pageRows, Bytes: int(min(room, pageBytes))}
}
