package mailbox

import (
	"errors"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/lane"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/store"
)

const (
	// askTime is how long the account has to say who the user is: it may have to read the store first, and while ten thousand log in at once an
	// answer takes seconds. The directory, which is asked after that, has as much to do then. A call to a node that is lost mostly ends when
	// that is noticed, so this bounds what an account that hangs costs, and one that nobody may open yet.
	askTime = 15 * time.Second
	// awayTime is how long an account that can't be reached, on its way to another node say, is asked again, and askPause is between two calls.
	awayTime = 3 * time.Second
	askPause = 250 * time.Millisecond
	// lookUpTime is how long that may take.
	lookUpTime = 5 * time.Second
)

// ask asks the account.
func (st *state) ask(fx *effects) {
	st.askAt, fx.ask = time.Time{}, true
}

// asked takes what the account, or the directory, says of the user. What has changed since is on its way, and waits for the load, too.
func (st *state) asked(fx *effects, v any, err error) {
	m := st.rowsOnly
	if m == nil || st.handoff.retiring {
		return
	}
	switch info := v.(type) {
	case *nodepb.MailboxInfo:
		m.Info = infoOf(info)
	case *store.MailboxInfo:
		m.Info = info
	default:
		st.untold(fx, err)
		return
	}
	st.forgetRows()
	st.loaded(fx, m)
}

// setAside keeps what was read until it is known who the user is. Its bodies take of the room for what is held, as thousands may wait at once; those
// for which there is none are read again when a session needs them.
func (st *state) setAside(m *lane.Loaded) {
	st.rowsOnly = m
	for i, b := range m.Bodies {
		n := len(b) + rowOverhead
		if b != nil && (st.held.bytes+n > maxHeld || !st.room(int64(n))) {
			m.Bodies[i] = nil
		}
		if m.Bodies[i] != nil {
			st.held.bytes += n
		}
	}
}

// forgetRows ends that.
func (st *state) forgetRows() {
	if st.rowsOnly != nil {
		st.rowsOnly = nil
		st.release()
	}
}

// untold hears that one of the two doesn't say: the account is asked again where it may be there in a moment, else the directory; if it was the
// directory, all is begun anew.
func (st *state) untold(fx *effects, err error) {
	if st.lookingUp {
		st.forgetRows()
		st.loadFailed(fx, loadRetry)
		return
	}
	if passing(err) {
		if st.awayUntil.IsZero() {
			st.awayUntil = fx.now.Add(awayTime)
		}
		if next := fx.now.Add(askPause); next.Before(st.awayUntil) {
			st.askAt = next
			return
		}
	}
	st.cfg.Counters.Untold.Add(1)
	st.lookingUp, fx.lookUp = true, true
}

// passing reports whether a call may well be answered when it is made again: the actor is on the move, or has no room just now.
func passing(err error) bool {
	for _, e := range []error{actors.ErrNoConnection, actors.ErrNoProc, actors.ErrOverloaded, actors.ErrCrashed} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func infoOf(m *nodepb.MailboxInfo) *store.MailboxInfo {
	info := &store.MailboxInfo{Exists: m.GetExists(), Blocks: m.GetBlocks()}
	for _, c := range m.GetContacts() {
		info.Contacts = append(info.Contacts, ident.UserID(c))
	}
	for _, d := range m.GetDevices() {
		info.Devices = append(info.Devices, store.Device{ID: ident.DeviceID(d.GetId()), Since: d.GetSince()})
	}
	return info
}
