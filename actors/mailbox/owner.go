package mailbox

import (
	"errors"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/store"
)

const (
	// askTime is how long the account has to say who the user is: it may be on its way to another node, and has to read the store first. If it
	// doesn't tell, because its node is lost say, the directory is asked.
	askTime = 3 * time.Second
	// askTry is how long one answer is awaited, and askPause is between a call that got lost and the next.
	askTry   = 3 * time.Second
	askPause = 250 * time.Millisecond
	// lookUpTime is how long that may take.
	lookUpTime = 5 * time.Second
)

// ask asks the account.
func (st *state) ask(fx *effects) {
	st.askAt, fx.ask = time.Time{}, min(askTry, st.askUntil.Sub(fx.now))
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
	st.rowsOnly = nil
	st.loaded(fx, m)
}

// untold hears that one of the two doesn't say: the account is asked again where it may be there in a moment, else the directory; if it was the
// directory, all is begun anew.
func (st *state) untold(fx *effects, err error) {
	next := fx.now.Add(askPause)
	switch {
	case st.lookingUp:
		st.rowsOnly = nil
		st.loadFailed(fx, loadRetry)
		return
	case passing(err) && next.Before(st.askUntil):
		st.askAt = next
		return
	}
	st.cfg.Counters.Untold.Add(1)
	st.lookingUp, fx.lookUp = true, true
}

// passing reports whether a call may well be answered when it is made again: the actor is on the move, or has much to do.
func passing(err error) bool {
	for _, e := range []error{actors.ErrNoConnection, actors.ErrNoProc, actors.ErrTimeout, actors.ErrOverloaded, actors.ErrCrashed} {
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
