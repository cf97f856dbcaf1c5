package store

import (
	"context"
	"time"

	"github.com/jackdaw-im/jackdaw/ident"
)

// Groups are the groups with their members. A group has one revision, which grows by one with each change of the group or
// its members.
type Groups interface {
	// Create makes a group with its first members; its revision is 1, and so is theirs. ErrExists, ErrFull.
	Create(g *Group, members []Member) error
	// Change changes a group and its members at once if its revision still is rev, and returns the new one, which also
	// becomes the JoinedRev of members that are added. ErrNotFound, ErrRevision.
	Change(gid ident.GroupID, rev uint64, c GroupChange) (uint64, error)
	// Group returns one group, or ErrNotFound.
	Group(ctx context.Context, gid ident.GroupID) (*Group, error)
	// Members returns up to limit members in ascending order of User, those after the given one ("" = from the start).
	Members(ctx context.Context, gid ident.GroupID, after ident.UserID, limit int) ([]Member, error)
	// GroupsOf returns up to limit groups that a user is a member of, ascending, those after the given one.
	GroupsOf(ctx context.Context, user ident.UserID, after ident.GroupID, limit int) ([]ident.GroupID, error)
	// Delete removes a group with its members and the done part of its log if its revision still is rev. ErrNotFound,
	// ErrRevision, ErrUnfinished.
	Delete(gid ident.GroupID, rev uint64) error
}

// Group is one group without its members.
type Group struct {
	ID       ident.GroupID
	Owner    ident.UserID
	Subject  string
	Settings []byte // of the group actor; opaque
	Created  time.Time
	Members  int // how many there are; set by the store
	Rev      uint64
}

// Member is one member of a group.
type Member struct {
	User      ident.UserID
	Role      string
	JoinedRev uint64 // messages of an earlier revision are not for this member; set by the store
}

// GroupChange is one change of a group. Nil fields change nothing. Removals come before Put, so that a user in both
// leaves and joins anew.
type GroupChange struct {
	Owner    *ident.UserID
	Subject  *string
	Settings *[]byte
	Put      []Member       // added, or given another Role (their JoinedRev stays)
	Remove   []ident.UserID // who isn't a member is passed over
}

// GroupLog holds each message of a group from its acknowledgement until every member's mailbox has its copy.
type GroupLog interface {
	// Commit appends entries and marks others as done, each in the order given, and returns one outcome per append. It
	// returns once the appends are durable; an outcome other than Appended and Duplicate stored nothing of that append,
	// and nothing else is affected by it. ErrFull and ErrInvalid refuse the batch as a whole, as in Mail.
	Commit(b *GroupBatch) ([]GroupOutcome, error)
	// Unfinished returns up to limit entries of a group that are not done, sorted by (Ord, ID), those after the given
	// place (the zero value = from the start).
	Unfinished(ctx context.Context, gid ident.GroupID, after GroupPlace, limit int) ([]GroupEntry, error)
	// Pending returns up to limit groups with entries that are not done, ascending, those after the given one: whom to
	// wake up after a crash.
	Pending(ctx context.Context, after ident.GroupID, limit int) ([]ident.GroupID, error)
}

// GroupBatch is what one Commit writes, for any number of groups.
type GroupBatch struct {
	Appends []GroupAppend
	Done    []GroupDone
}

// GroupAppend is one message for one group's log. It is appended only if the group's revision is Rev: the fence against
// a stale twin of the group's actor.
type GroupAppend struct {
	Group ident.GroupID
	Rev   uint64
	ID    ident.MessageID
	Ord   int64 // microseconds since 1970 on the group's hybrid clock
	TTL   time.Duration
	// Sender is the author's bare address.
	Sender ident.UserID
	Body   []byte
}

// GroupDone says that every member's copy of some entries is committed. The entries' bodies go at once; their ids are
// kept for at least DoneKept, so that a resend is recognised. Ids that are not there are passed over.
type GroupDone struct {
	Group ident.GroupID
	IDs   []ident.MessageID
}

// DoneKept is how long at least the id of a done entry is remembered.
const DoneKept = 5 * time.Minute

// GroupOutcome is what became of one GroupAppend.
type GroupOutcome int

// The outcomes of an append to a group's log.
const (
	GroupAppended      GroupOutcome = iota // stored
	GroupDuplicate                         // stored before, whatever the revision is now
	GroupStaleRevision                     // not stored: the group has another revision
	GroupNotFound                          // not stored: there is no such group
)

// Err returns nil if the entry is stored, now or before, or else ErrRevision or ErrNotFound.
func (o GroupOutcome) Err() error {
	switch o {
	case GroupStaleRevision:
		return ErrRevision
	case GroupNotFound:
		return ErrNotFound
	}
	return nil
}

// GroupEntry is one message of a group's log.
type GroupEntry struct {
	ID     ident.MessageID
	Ord    int64
	Rev    uint64 // members who joined at a later revision get no copy
	Sender ident.UserID
	Expiry int64 // microseconds since 1970 on the store's clock; 0 = never
	Body   []byte
}

// GroupPlace is a place in a group's log.
type GroupPlace struct {
	Ord int64
	ID  ident.MessageID
}
