package mailbox

import (
	"time"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/store"
)

// askTime is how long the account has to say who the user is. It may have to read the store first. The store is asked if it doesn't tell: its
// node may be lost.
const askTime = 3 * time.Second

// asked takes what the account says of the user. What it has changed since is on its way, and waits for the load, too.
func (st *state) asked(fx *effects, v any, err error) {
	m := st.rowsOnly
	if m == nil || st.handoff.retiring {
		return
	}
	st.rowsOnly = nil
	info, ok := v.(*nodepb.MailboxInfo)
	if err != nil || !ok {
		st.cfg.Counters.Untold.Add(1)
		st.whole = true
		st.start(fx)
		return
	}
	m.Info = infoOf(info)
	st.loaded(fx, m)
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
