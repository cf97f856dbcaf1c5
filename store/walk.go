package store

import "context"

// Walker is an ability of engines: all that a store holds can be read, entry by entry, as it is. It is for tools (checks,
// moves to another engine), not for servers.
type Walker interface {
	// Walk returns one page of a part. A page has no entry twice, and a walk passes over nothing that is there from its
	// start to its end. Entries of the directory and of groups' logs come in ascending order of Owner.
	Walk(ctx context.Context, q WalkQuery) (*WalkPage, error)
}

// Loader is an ability of engines into which the content of another can be loaded, while no server uses them.
type Loader interface {
	// Load writes the entries of a page that are not there, and is safe to repeat.
	Load(ctx context.Context, p *WalkPage) error
	// Loading returns the place that was set last. A store that is being loaded can't be opened by a server.
	Loading(ctx context.Context) (LoadPlace, error)
	// SetLoading stores how far loading has come; the zero value says that it is over.
	SetLoading(ctx context.Context, at LoadPlace) error
}

// LoadPlace is how far the loading of a store has come.
type LoadPlace struct {
	Source string // what is loaded; "" = nothing is
	Part   Part
	After  string // WalkQuery.After of the source
}

// Restored is an ability of engines whose content can be marked as coming from a backup.
type Restored interface {
	// MarkRestored sets FlagRestored on every message and returns how many there are. It is safe to repeat.
	MarkRestored(ctx context.Context) (int, error)
}

// Checkpointer is an ability of engines that live in a folder.
type Checkpointer interface {
	// Checkpoint makes a folder, which must not exist and must be on the same file system, with the store as it is: all
	// that was acknowledged before the call, and of each write that runs beside it all or nothing. It copies little and
	// stops nobody, but keeps the disk from getting free what the store deletes until the folder is removed.
	Checkpoint(ctx context.Context, dir string) error
}

// Part is one kind of entries of a store.
type Part uint8

// The parts of a store. Later ones refer to earlier ones only.
const (
	PartAccounts Part = iota
	PartDevices
	PartContacts
	PartBlocks
	PartGroups
	PartMembers
	PartLog
	PartMail
	// PartIndexes has no entries: its pages tell of what an engine keeps beside the entries and doesn't fit them.
	PartIndexes
	Parts // how many there are
)

// String returns the part as reports name it.
func (p Part) String() string {
	names := [Parts]string{"accounts", "devices", "contacts", "blocks", "groups", "members", "group log", "mail", "indexes"}
	if p < Parts {
		return names[p]
	}
	return "unknown"
}

// WalkQuery asks for one page of a walk.
type WalkQuery struct {
	Part  Part
	After string // where the walk goes on: WalkPage.Next of the page before, or "" at the start. It is opaque.
	// Limit and Bytes bound a page: it ends with the entry that reaches either. 0 means no bound. Entries with large
	// bodies make Bytes matter.
	Limit, Bytes int
}

// WalkPage is one page of a walk. It may be empty though the walk is not over.
type WalkPage struct {
	Part    Part
	Entries []Entry
	Damage  []string // what could not be read, or is where it doesn't belong, for an operator
	Next    string   // "" = the walk is over
}

// Entry is one entry of a store. Owner is the user of an account, device, contact, block and message, and the group of
// the others. Beside it, what fits the part is set.
type Entry struct {
	Owner     string
	Account   *Account
	RosterRev uint64 // of an account
	Device    *Device
	Contact   *RosterItem
	Block     string
	Group     *Group
	Member    *Member
	Log       *LogEntry
	Mail      *MailEntry
}

// LogEntry is an entry of a group's log.
type LogEntry struct {
	GroupEntry
	Done int64 // microseconds since 1970 when it was marked as done, 0 before; a done entry has no body
}

// MailEntry is a message.
type MailEntry struct {
	Row
	Body []byte
}

// Size returns about how many bytes of memory an entry takes, bodies and ids mainly.
func (e *Entry) Size() int {
	n := 100 + len(e.Owner) + len(e.Block)
	switch {
	case e.Contact != nil:
		n += len(e.Contact.Request) + len(e.Contact.Name)
	case e.Group != nil:
		n += len(e.Group.Settings) + len(e.Group.Subject)
	case e.Log != nil:
		n += len(e.Log.Body)
	case e.Mail != nil:
		n += len(e.Mail.Body)
	}
	return n
}

// Full reports whether a page has reached the bounds of its query, given the size of what it holds.
func (q *WalkQuery) Full(entries, size int) bool {
	return q.Limit > 0 && entries >= q.Limit || q.Bytes > 0 && size >= q.Bytes
}
