package account

import (
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/actors/mailbox"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/store"
)

// While a cluster is parted, a user may have an account in each part. The store has what both of them wrote, and each of them only knows
// what it wrote itself. So an account that is used after the cluster is one again is read again first, and tells of what it finds. One that has to leave
// and has written of late has the next one read again, too: that one may have been there already, and have read too early.
const (
	// readPause is how long an account is good that was read: several nodes that come back are several reunions.
	readPause = time.Second
	// wroteTime is how long before it leaves an account may have written something that the next one doesn't know.
	wroteTime = time.Minute
)

// asOf notes that the account is being read, and of which time.
func (st *state) asOf(fx *effects) { st.readAt, st.reunions = fx.now, fx.reunions }

// outdated reports whether the account is to be read before it says anything. A change under way finds out by itself, by the revision.
func (st *state) outdated(fx *effects) bool {
	return st.reunions != fx.reunions && st.work == nil && !fx.now.Before(st.readAt.Add(readPause))
}

// learn makes the store's view the state's, and tells those who know the former one what is different.
func (st *state) learn(fx *effects, s *snapshot) {
	known, before, digest := st.known && st.exists, st.contacts, st.digest
	st.adopt(s)
	if !known || !st.exists {
		return
	}
	st.digest = digest // which grows with what is told, so that a session which misses the rest finds out
	box := &nodepb.MailboxChange{}
	for _, jid := range different(before, st.contacts) {
		ch := found(before[jid], st.contacts[jid])
		if ch.after != nil && ch.after.sub.pendingIn && !(ch.before != nil && ch.before.sub.pendingIn) {
			ch.deliver = ch.after.asks(st.user)
		}
		st.digest ^= ch.before.digest() ^ ch.after.digest()
		for _, c := range st.tell(ch) {
			if m, ok := c.msg.(*nodepb.MailboxChange); ok { // it hears of all of them at once
				proto.Merge(box, m)
			} else {
				fx.cast(c)
			}
		}
	}
	if len(box.ContactsAdded)+len(box.ContactsRemoved) > 0 {
		fx.cast(cast{mailbox.Ref(st.user), box})
	}
}

// found is the change that somebody else has made of a contact.
func found(before, after *contact) *change {
	var was, is subState
	if before != nil {
		was = before.sub
	}
	if after != nil {
		is = after.sub
	}
	return &change{before: before, after: after, verdict: verdict{lostFrom: was.from && !is.from, gainedTo: is.to && !was.to}}
}

// different are the contacts that are not what they were, in order.
func different(before, after map[ident.UserID]*contact) []ident.UserID {
	var list []ident.UserID
	for jid, c := range after {
		if !before[jid].same(c) {
			list = append(list, jid)
		}
	}
	for jid := range maps.Keys(before) {
		if after[jid] == nil {
			list = append(list, jid)
		}
	}
	slices.Sort(list)
	return list
}

// another reports whether the account was removed, and the name is somebody else's now.
func (st *state) another(s *snapshot) bool {
	return st.exists && s.profile != nil && store.Micros(s.profile.Account.Created) != store.Micros(st.account.Created)
}

// succeeded takes that the account is another one: the former one's sessions have no part in it. Its contacts, and the mailbox, heard of
// the removal from whoever did it; a mailbox that was told of it only now would remove what has come for the next holder.
func (st *state) succeeded(fx *effects, s *snapshot) {
	fx.cast(st.endAll("not-authorized", "the account was removed", fx.now)...)
	former := &nodepb.MailboxChange{What: nodepb.MailboxChange_CREATED}
	for jid, c := range st.contacts {
		if c.visible() {
			former.ContactsRemoved = append(former.ContactsRemoved, string(jid))
		}
	}
	st.adopt(s)
	for jid, c := range st.contacts {
		if c.visible() {
			former.ContactsAdded = append(former.ContactsAdded, string(jid))
		}
	}
	former.ContactsRemoved = slices.DeleteFunc(former.ContactsRemoved, func(jid string) bool { return st.contacts[ident.UserID(jid)].visible() })
	fx.cast(cast{mailbox.Ref(st.user), former})
}

// bequeath has the next account read again what this one, which leaves, has written of late.
func (st *state) bequeath(fx *effects) {
	if !st.wroteAt.IsZero() && fx.now.Before(st.wroteAt.Add(wroteTime)) {
		fx.cast(cast{Ref(st.user), &nodepb.MailboxChange{}})
	}
	st.wroteAt = time.Time{}
}
