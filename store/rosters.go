package store

import (
	"context"

	"github.com/jackdaw-im/jackdaw/ident"
)

// Rosters are the contacts and blocks of users. Contacts are read with the account. A user's roster has one revision, which grows by
// one with each change of an item; a change is made from a known revision, so that a stale twin of an account actor can't write.
type Rosters interface {
	// SetItem stores one contact if the roster's revision still is rev, and returns the new revision, which also
	// becomes the item's Rev. ErrNotFound if there is no such account, ErrRevision.
	SetItem(user ident.UserID, rev uint64, item RosterItem) (uint64, error)
	// RemoveItem removes one contact if the roster's revision still is rev, and returns the new revision. ErrNotFound if
	// there is no such account or contact, ErrRevision.
	RemoveItem(user ident.UserID, rev uint64, contact ident.UserID) (uint64, error)
	// SetBlocks adds and removes blocked addresses (XEP-0191: a domain, bare or full JID), each of which may be there
	// or gone already. ErrNotFound if there is no such account.
	SetBlocks(user ident.UserID, add, remove []string) error
	// Blocks returns the blocked addresses in ascending order.
	Blocks(ctx context.Context, user ident.UserID) ([]string, error)
}

// Roster is one user's contacts, in ascending order of Contact.
type Roster struct {
	Rev   uint64
	Items []RosterItem
}

// RosterItem is what is kept about one contact: an entry of the roster, or a subscription request that waits for the
// user's answer, or both.
type RosterItem struct {
	Contact      ident.UserID
	Name         string
	Groups       []string
	Listed       bool         // the user has put the contact into the roster (RFC 6121 section 3.1.3)
	Subscription Subscription // the agreed part
	Ask          bool         // the user's own request waits for the contact ("pending out")
	PendingIn    bool         // the contact's request waits for the user
	Request      []byte       // the payload of that request; opaque
	Rev          uint64       // the roster's revision at the item's last change
}

// Visible reports whether clients see the item in the roster. A contact who is visible is no stranger to the mailbox.
func (i *RosterItem) Visible() bool { return i.Listed || i.Ask || i.Subscription != SubscriptionNone }

// Subscription is the agreed part of a subscription as a set of two directions.
type Subscription uint8

// The subscriptions of RFC 6121 section 2.1.2.5.
const (
	SubscriptionNone Subscription = 0
	SubscriptionTo   Subscription = 1 // the user hears the contact's presence
	SubscriptionFrom Subscription = 2 // the contact hears the user's presence
	SubscriptionBoth              = SubscriptionTo | SubscriptionFrom
)

// To reports whether the user hears the contact's presence.
func (s Subscription) To() bool { return s&SubscriptionTo != 0 }

// From reports whether the contact hears the user's presence.
func (s Subscription) From() bool { return s&SubscriptionFrom != 0 }

// String returns the word that the roster uses.
func (s Subscription) String() string {
	return [...]string{"none", "to", "from", "both"}[s&SubscriptionBoth]
}

// SubscriptionOf returns the set of the given directions.
func SubscriptionOf(to, from bool) Subscription {
	var s Subscription
	if to {
		s |= SubscriptionTo
	}
	if from {
		s |= SubscriptionFrom
	}
	return s
}

// MailboxInfo is what a mailbox needs to know of its user. Of one who doesn't exist it is the zero value.
type MailboxInfo struct {
	Exists   bool
	Disabled bool
	Contacts []ident.UserID // those that are Visible, ascending
	Blocks   []string       // ascending
	Devices  []Device       // ascending by ID
}
