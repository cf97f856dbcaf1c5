package store

import (
	"context"
	"time"

	"github.com/jackdaw-im/jackdaw/ident"
)

// Mail is the users' durable queues: per mailbox a set of rows keyed by message id, each with a body that is opaque to
// the store, and per row the devices that have acknowledged it while others have not.
type Mail interface {
	// Commit applies first the appends, then the acks, each in the order given. It returns once the appends are durable;
	// a batch without appends need not be (losing an ack only delivers a message again). After an error that is none of
	// this package's the outcome is unknown: commit the same batch again, unchanged. ErrFull refuses a batch with
	// appends as a whole, acks included; ErrInvalid one with an item whose Validate fails.
	//
	// A row that was already there is a duplicate: it stays as it was first written, and Commit returns only once that
	// first write is durable too.
	Commit(b *Batch) (Result, error)
	// Load returns in one request what a mailbox must know when it starts. It sees every Commit that has returned. An unknown
	// mailbox has no rows, and its user, if that is said, doesn't exist.
	Load(ctx context.Context, mailbox ident.UserID, page Page) (*Mailbox, error)
	// Read returns the bodies of rows in the order of ids, nil for a row that is not there (any more).
	Read(ctx context.Context, mailbox ident.UserID, ids []ident.MessageID) ([][]byte, error)
	// Purge removes all rows of a mailbox and says how many there were.
	Purge(mailbox ident.UserID) (int, error)
	// Expired walks the rows of some partitions and returns those whose expiry is over. It deletes nothing. The page that comes with an error
	// is what could be had, and says where the walk goes on, "" if nowhere.
	Expired(ctx context.Context, q ExpiredQuery) (ExpiredPage, error)
}

// Batch is what one Commit writes. The usual batch holds all that queued up while the one before was committed.
type Batch struct {
	Appends []Append
	Acks    []Ack
}

// Append is one message for one mailbox.
type Append struct {
	Mailbox ident.UserID
	ID      ident.MessageID
	Ord     int64        // the mailbox's hybrid clock in microseconds since 1970: the place in the queue
	Sender  ident.UserID // the sender's bare address
	CSeq    uint64       // the sender's sequence number, which orders rows of one Ord and Sender
	// TTL is how long the row is kept if nobody acknowledges it. The store adds it to its own clock, so that nothing
	// expires by the clock of a node. 0 or less means for ever.
	TTL   time.Duration
	Flags Flags
	Body  []byte
}

// Flags are stored with a row and mean nothing to the store.
type Flags uint8

// The flags of a row.
const (
	// FlagError marks an error about another message: its own expiry makes no error.
	FlagError Flags = 1 << iota
	// FlagGroup marks a copy of a group's message, which has a quota of its own.
	FlagGroup
	// FlagSent marks a copy of a message that the user sent from another device.
	FlagSent
	// FlagRestored marks a message that was in a backup: it may have been delivered, and deleted, since.
	FlagRestored
)

// Ack is one device's acknowledgement of one row.
type Ack struct {
	Mailbox ident.UserID
	ID      ident.MessageID
	// Device is kept with the row until the row is deleted. It is ignored if Delete is set.
	Device ident.DeviceID
	// Delete says that nobody else needs the row (the mailbox decides): it goes, with its body and the acknowledgements
	// of other devices. An ack of a row that is not there does nothing.
	Delete bool
}

// Result is what became of a Batch.
type Result struct {
	// Duplicates are the positions in Batch.Appends, ascending, of messages that were stored before. Usually empty.
	Duplicates []int
	// Stale are partitions of the batch that another node has claimed. Their rows stand, and that node has been left a
	// notice; the caller refreshes its view of who owns what. Always empty for an engine that isn't Shared.
	Stale []ident.Partition
}

// Mailbox is what a mailbox must know when it starts.
type Mailbox struct {
	// User is what the directory says; nil if that is in another database than the mailbox, which would take a second request: see
	// Accounts.Account and Profile.MailboxInfo.
	User *MailboxInfo
	// Rows are all there are, without their bodies, sorted by (Ord, Sender, CSeq, ID).
	Rows []Row
	// Bodies are those of the first rows, as many as were asked for: Bodies[i] is that of Rows[i], or nil where it has to be
	// read because something changed meanwhile.
	Bodies [][]byte
}

// Page says how many of the first bodies a load brings along. The zero value is none.
type Page struct {
	// Rows is how many at most.
	Rows int
	// Bytes is how many bytes of bodies are enough: the one that reaches it is the last.
	Bytes int
}

// Of returns how many of the first rows are on the page.
func (p Page) Of(rows []Row) int {
	n, bytes := 0, 0
	for n < len(rows) && n < p.Rows && bytes < p.Bytes {
		bytes += rows[n].Size
		n++
	}
	return n
}

// Row is one message of a mailbox without its body.
type Row struct {
	ID     ident.MessageID
	Ord    int64
	Sender ident.UserID
	CSeq   uint64
	Size   int   // of the body, in bytes
	Expiry int64 // microseconds since 1970 on the store's clock; 0 = never
	Flags  Flags
	Acked  []ident.DeviceID // devices that have acknowledged the row, ascending; usually none
}

// ExpiredQuery asks for one page of a walk over rows whose expiry is over.
type ExpiredQuery struct {
	// Partitions are those whose mailboxes are walked, ascending; nil means all.
	Partitions []ident.Partition
	// After is where the walk goes on: ExpiredPage.Next of the page before, or "" at the start. It is opaque.
	After string
	// Limit is how many rows are returned at most; at least 1.
	Limit int
}

// ExpiredPage is one page of such a walk. It may hold fewer rows than asked for, even none, though the walk is not over:
// a page looks at a bounded number of rows so that it never takes long.
type ExpiredPage struct {
	Rows []ExpiredRow
	Next string // "" = the walk is over
}

// ExpiredRow is a row whose expiry is over. The mailbox's owner tells the sender (unless a device has acknowledged the
// row, or it is itself an error) and only then deletes the row with an Ack.
type ExpiredRow struct {
	Mailbox ident.UserID
	Row
}

// Claims says which node owns which partitions of a shared store. For an engine that isn't Shared there is nothing to do,
// and every method returns at once without an error.
type Claims interface {
	// Claim makes this node the owner of partitions. Mailboxes are loaded, or loaded again, only once it has returned.
	Claim(partitions []ident.Partition) error
	// ForeignWrites returns notices of rows that others have appended to mailboxes of partitions claimed by this node. What is returned
	// beside an error are those of the databases that could be read.
	ForeignWrites(ctx context.Context) ([]ForeignWrite, error)
	// Done removes notices once their mailboxes were loaded again.
	Done(ns []int64) error
}

// ForeignWrite is a notice that another node has appended to a mailbox of a claimed partition.
type ForeignWrite struct {
	N       int64 // names the notice in Done
	Mailbox ident.UserID
}
