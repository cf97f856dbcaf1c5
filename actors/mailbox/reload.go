package mailbox

import (
	"slices"
	"time"

	"github.com/jackdaw-im/jackdaw/actors/lane"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/store"
)

// reload is the second and later loads of a mailbox that runs: another node had it as well for a while, as both halves of a parted
// cluster do, and has written to the same rows. Mailboxes are sets of ids, so the union of both is the truth.
type reload struct {
	// tag is that of the load that is under way; 0: none. at is when a failed one is tried again.
	tag uint64
	at  time.Time
	// asked are those who hear of it, waiting those who asked after it had begun: another load follows for them.
	asked, waiting []*lane.Reload
	// gone are rows that this mailbox has deleted, in a way that the load needn't know of.
	gone map[ident.MessageID]struct{}
	// changes are what the account has said since: what was read may be older.
	changes []*nodepb.MailboxChange
	// givenUp is Config.GivenUp when it was asked for.
	givenUp uint64
	// voided says that what is read is of no use.
	voided bool
}

// busy reports whether a reload is under way or due.
func (l *reload) busy() bool { return l.tag != 0 || !l.at.IsZero() }

// reloadAsked takes the word that another node may have written to the rows.
func (st *state) reloadAsked(fx *effects, m *lane.Reload) {
	if m.Claim != 0 && m.Claim <= st.claim { // what was loaded is as new as that
		fx.answer(m.From, &lane.Reloaded{Mailbox: st.user, Tag: m.Tag})
		return
	}
	if st.reload.busy() {
		st.reload.waiting = append(st.reload.waiting, m)
		return
	}
	st.reload.asked = append(st.reload.asked, m)
	st.beginReload(fx)
}

// beginReload asks the lane.
func (st *state) beginReload(fx *effects) {
	st.tag++
	l := &st.reload
	l.tag, l.at, l.changes, l.voided, l.givenUp = st.tag, time.Time{}, nil, false, fx.givenUp
	l.gone = map[ident.MessageID]struct{}{}
	for _, a := range st.acks { // the lane doesn't know of them yet
		l.gone[a.ID] = struct{}{}
	}
	fx.loadAgain = true
}

// unsure reports whether another node may have had the mailbox since its rows were asked for, as one that had given this node up may, and has
// them read again if so: what that one took from a sender comes before what the sender sends here now.
func (st *state) unsure(fx *effects) bool {
	if st.givenUp == fx.givenUp {
		return false
	}
	if !st.reload.busy() {
		st.beginReload(fx)
	}
	return true
}

// void has the load that is under way made again: all rows go, and did not when it was asked for.
func (l *reload) void() {
	if l.tag != 0 {
		l.waiting, l.asked = append(l.asked, l.waiting...), nil
		l.changes, l.voided = nil, true
	}
}

// reloadFailed hears that the lane had no room, or that the store could not be read.
func (st *state) reloadFailed(fx *effects, after time.Duration) {
	st.reload.tag, st.reload.at = 0, fx.now.Add(after)
}

// deleted notes that a row is gone whatever the load says.
func (l *reload) deleted(id ident.MessageID) {
	if l.tag != 0 {
		l.gone[id] = struct{}{}
	}
}

// reloaded takes what there is in the store now.
func (st *state) reloaded(fx *effects, m *lane.Loaded) {
	if m.Err != nil {
		st.reloadFailed(fx, loadRetry)
		return
	}
	if st.purging { // the rows that were read are still to be removed
		st.reloadFailed(fx, laneRetry)
		return
	}
	l := st.reload
	st.reload = reload{asked: l.waiting}
	if l.voided {
		st.beginReload(fx)
		return
	}
	st.know(m.Info)
	st.claim, st.givenUp = m.Claim, l.givenUp
	stored := make(map[ident.MessageID]struct{}, len(m.Rows))
	var fresh []*row
	moved := false
	for i := range m.Rows {
		id := m.Rows[i].ID
		stored[id] = struct{}{}
		_, deleted := l.gone[id]
		r := st.rows.byID[id]
		if r != nil && r.pending != 0 {
			r.found = true
		}
		switch {
		case deleted:
		case r == nil && st.recent.has(id, fx.now): // it was acknowledged before the other node had stored it
			st.deleteUnread(fx, id)
		case r == nil:
			fresh = append(fresh, &row{Row: m.Rows[i], delayed: true})
		case !r.gone && (r.Ord != m.Rows[i].Ord || r.CSeq != m.Rows[i].CSeq):
			// Both have taken it, and the other was first: its place is the one in the store.
			r.Ord, r.CSeq, moved = m.Rows[i].Ord, m.Rows[i].CSeq, true
		}
	}
	for _, r := range slices.Clone(st.rows.order) {
		// What waits for the lane isn't there yet. Anything else was: somebody has it, who acknowledged it elsewhere.
		if _, found := stored[r.ID]; !found && !r.gone && r.pending == 0 {
			st.vanish(r)
			st.recent.add(r.ID, fx.now)
		}
	}
	st.rows.merge(fresh)
	if moved {
		st.rows.sort()
		for _, s := range st.sessions {
			slices.SortStableFunc(s.todo, func(a, b *row) int { return store.CompareRows(a.Row, b.Row) })
		}
	}
	for _, c := range l.changes {
		st.change(c)
	}
	for _, a := range l.asked {
		fx.answer(a.From, &lane.Reloaded{Mailbox: st.user, Tag: a.Tag})
	}
	if len(l.waiting) > 0 {
		st.beginReload(fx)
	}
	st.dispatch(fx)
}

// know takes what a load, or the account, says of the user.
func (st *state) know(info *store.MailboxInfo) {
	st.exists, st.contacts, st.blocks = info.Exists, info.Contacts, info.Blocks
	for _, d := range info.Devices {
		st.rows.clock = max(st.rows.clock, d.Since)
	}
}

// merge puts rows that somebody else has stored where they belong.
func (q *rows) merge(fresh []*row) {
	if len(fresh) == 0 {
		return
	}
	for _, r := range fresh {
		q.add(r)
	}
	q.sort()
}

func (q *rows) sort() {
	slices.SortStableFunc(q.order, func(a, b *row) int { return store.CompareRows(a.Row, b.Row) })
}
