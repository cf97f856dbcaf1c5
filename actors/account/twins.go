package account

import (
	"maps"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/actors"
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
	// learnPause is how long a session that was told has no answer when it binds again: that might overtake what it was told, and it would take
	// its roster for another than the account's.
	learnPause = time.Second
	// rereadPause is until what could not be read is tried again.
	rereadPause = 10 * time.Second
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
			switch m := c.msg.(type) {
			case *nodepb.MailboxChange: // it hears of all of them at once
				proto.Merge(box, m)
				continue
			case *nodepb.RosterPush:
				if s := st.byRef(c.to); s != nil {
					s.learntAt = fx.now
				}
			}
			fx.cast(c)
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
	st.part()
	fx.cast(st.endAll("not-authorized", removedText, fx.now)...)
	former := &nodepb.MailboxChange{What: nodepb.MailboxChange_CREATED, ContactsRemoved: st.visible()}
	st.adopt(s)
	former.ContactsAdded = st.visible()
	former.ContactsRemoved = slices.DeleteFunc(former.ContactsRemoved, func(jid string) bool { return st.contacts[ident.UserID(jid)].visible() })
	fx.cast(cast{mailbox.Ref(st.user), former})
}

// maxFormer is how many sessions of former holders are remembered, the last.
const maxFormer = 2 * maxSessions

// part remembers the sessions of an account that is no more: what is on its way from them is for none that comes after it.
func (st *state) part() {
	for _, s := range st.sessions {
		st.former = append(st.former, s.ref)
	}
	st.former = st.former[max(len(st.former)-maxFormer, 0):]
}

// formers reports whether a request is of such a session, or of one that takes its place. Subscriptions don't say from which they are.
func (st *state) formers(req any) bool {
	if len(st.former) == 0 {
		return false
	}
	m, ok := req.(interface{ GetSession() *nodepb.Ref })
	b, _ := req.(*nodepb.Bind)
	return ok && (slices.Contains(st.former, actors.RefOf(m.GetSession())) || slices.Contains(st.former, actors.RefOf(b.GetReplaces())))
}

// refuseFormer answers such a request; who doesn't wait for an answer is told once more that it has ended.
func (st *state) refuseFormer(fx *effects, m message) {
	if _, bye := m.msg.(*nodepb.Unbind); !bye && m.from == nil {
		of := m.msg.(interface{ GetSession() *nodepb.Ref })
		fx.cast(cast{actors.RefOf(of.GetSession()), &nodepb.EndSession{Condition: "not-authorized", Text: removedText}})
	}
	st.refuse(fx, m, nodepb.Code_NO_SUCH_USER)
}

// removedText is what sessions of an account that is no more are told.
const removedText = "the account was removed"

// stale reports whether the account should have been read again, and could not be.
func (st *state) stale(fx *effects) bool {
	return st.reunions != fx.reunions && fx.now.Before(st.readAt)
}

func isLogin(req any) bool {
	_, ok := req.(*nodepb.GetCredentials)
	return ok
}

// unread goes on with what is known of an account that should have been read again, and can't be now; but nobody logs in by it. It is tried again
// after a while.
func (st *state) unread(fx *effects) {
	st.reunions, st.readAt = fx.reunions-1, fx.now.Add(rereadPause-readPause)
}

// bequeath leaves to the next account what this one, which leaves, knows better. It has that one read again what was written of late.
// And if the cluster was parted, that one may know the sessions for which presence is kept here, and has not heard of it: contacts are asked
// what it is by now.
func (st *state) bequeath(fx *effects) {
	if !st.wroteAt.IsZero() && fx.now.Before(st.wroteAt.Add(wroteTime)) {
		fx.cast(cast{Ref(st.user), &nodepb.MailboxChange{}})
	}
	st.wroteAt = time.Time{}
	if st.absent.sweep(fx.now); st.joined != fx.reunions {
		for _, about := range slices.Sorted(maps.Keys(st.absent.latest)) {
			bare, _, _ := strings.Cut(about, "/")
			if contact := ident.UserID(bare); st.contacts[contact].hears() && st.isLocal(contact) {
				fx.cast(cast{Ref(contact), question{st.user, about}.probe()})
			}
		}
	}
	st.absent = absent{}
}
