package account

import (
	"bytes"
	"slices"
	"strconv"

	"github.com/cespare/xxhash/v2"
	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/store"
)

// contactOf reads a contact from its stored form. The request is kept as the whole stanza that came.
func contactOf(i store.RosterItem) *contact {
	c := &contact{
		jid: i.Contact, name: i.Name, groups: i.Groups, listed: i.Listed,
		sub: subState{to: i.Subscription.To(), from: i.Subscription.From(), pendingOut: i.Ask, pendingIn: i.PendingIn},
	}
	if len(i.Request) > 0 {
		p := &nodepb.Presence{}
		if proto.Unmarshal(i.Request, p) == nil && p.GetType() == nodepb.PresenceType_SUBSCRIBE {
			c.request = p
		}
	}
	return c
}

// stored is the contact's stored form.
func (c *contact) stored() store.RosterItem {
	i := store.RosterItem{
		Contact: c.jid, Name: c.name, Groups: c.groups, Listed: c.listed,
		Subscription: store.SubscriptionOf(c.sub.to, c.sub.from), Ask: c.sub.pendingOut, PendingIn: c.sub.pendingIn,
	}
	if c.request != nil {
		i.Request, _ = proto.Marshal(c.request) // it fails only for text that isn't UTF-8, and then the bare request is kept
	}
	return i
}

// same reports whether two contacts, either of which may be nil, are the same to the store.
func (c *contact) same(other *contact) bool {
	if c == nil || other == nil {
		return c == other
	}
	a, b := c.stored(), other.stored()
	return a.Name == b.Name && slices.Equal(a.Groups, b.Groups) && a.Listed == b.Listed && c.sub == other.sub &&
		bytes.Equal(a.Request, b.Request)
}

// emptyRoster is the digest of a roster without contacts: 0 would be none.
const emptyRoster uint64 = 1

// digest is the contact's part in the digest of its roster: what clients see of it.
func (c *contact) digest() uint64 {
	if !c.visible() {
		return 0
	}
	h := xxhash.New()
	for _, field := range append([]string{string(c.jid), c.name, c.sub.name(), strconv.FormatBool(c.sub.pendingOut)}, c.groups...) {
		_, _ = h.WriteString(field) // it never fails
		_, _ = h.Write([]byte{0xff})
	}
	return h.Sum64()
}

// rosterWork has a change of one contact written from the roster's present revision.
func (st *state) rosterWork(ch *change, answer proto.Message) *work {
	user, rev, jid := st.user, st.rev, ch.jid()
	w := &work{
		commit: func(fx *effects, v any) proto.Message {
			st.rev = v.(uint64)
			fx.cast(st.apply(ch)...)
			return answer
		},
		happened: func() (any, bool) {
			return st.rev, st.exists && st.rev == rev+1 && st.contacts[jid].same(ch.after)
		},
	}
	if ch.after == nil {
		w.write = func(e store.Engine) (any, error) { return e.Directory().Rosters().RemoveItem(user, rev, jid) }
	} else {
		item := ch.after.stored()
		w.write = func(e store.Engine) (any, error) { return e.Directory().Rosters().SetItem(user, rev, item) }
	}
	return w
}
