package lane

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// The kinds of the actors of this package.
const (
	MailKind      = "lane"
	DirectoryKind = "directory"
	ExpiryKind    = "expiry"
	ClaimsKind    = "claims"
	PollerKind    = "foreign-writes"
)

// Defaults of Options.
const (
	DefaultMail      = 4
	DefaultDirectory = 2
	DefaultQueueLen  = 10_000
	DefaultWalkEvery = 10 * time.Minute
	DefaultPageEvery = time.Second
	DefaultPollEvery = time.Second
)

// Options say how many lanes a node has and who watches them. The zero value is usable.
type Options struct {
	// Mail and Directory are how many lanes there are, of mail for each shard of the engine (store.Sharded); 0 is the default.
	// Engines take commits of about four at a time.
	Mail, Directory int
	// QueueLen bounds what waits for one mail lane; 0 is DefaultQueueLen.
	QueueLen int
	// Linger is how long a lane with little to do waits for more before it commits; 0 is not at all.
	// It is a part of the time to an acknowledgement, never of the time to a delivery.
	Linger time.Duration
	// Observe, if set, hears how long each commit took and of how many items. It is called from the lanes, concurrently.
	Observe func(seconds float64, items int)
	// WalkEvery is the pause between two walks for expired rows, and before the first; PageEvery the one between two pages.
	WalkEvery, PageEvery time.Duration
	// Owned, if set, says which partitions this node owns: others are not walked. It is called from the walker.
	Owned func() []ident.Partition
	// PollEvery is the pause between two looks at what other nodes have appended to mailboxes of this one, if the engine is
	// shared; 0 is DefaultPollEvery.
	PollEvery time.Duration
	// Stale, if set, hears which partitions of a commit another node has claimed. It is called from the lanes,
	// concurrently, and again with each such commit; it must not block.
	Stale func(partitions []ident.Partition)
}

// Counters count what all lanes of a node do. They are read at any time by whoever exports them.
type Counters struct {
	Commits     atomic.Int64 // commits that the store has answered
	Appends     atomic.Int64 // messages stored
	Acks        atomic.Int64 // acknowledgements stored
	Annihilated atomic.Int64 // messages acknowledged before they could be stored
	Full        atomic.Int64 // messages refused because the store was full
	Retries     atomic.Int64 // commits repeated because their outcome was unknown
	Refused     atomic.Int64 // casts refused for a full queue
	Expired     atomic.Int64 // expired rows found
	Stale       atomic.Int64 // commits to partitions that another node has claimed
	Claimed     atomic.Int64 // partitions claimed
	Loads       atomic.Int64 // mailboxes read for Load
	Reads       atomic.Int64 // requests of Read
	Requests    atomic.Int64 // requests of Directory, and of LoadAgain to the directory
	Foreign     atomic.Int64 // notices that another node has appended to a mailbox
}

// Lanes are the lanes of one node. Its methods may be called by any number of actors.
type Lanes struct {
	Counters Counters
	engine   store.Engine
	opts     Options
	places   *places
	claims   []*claims // by shard; none if the engine isn't shared
	taken    taken

	mailIDs, directoryIDs []string
	abandoned             abandoned
	lost                  map[string]lost // by mail lane; the map itself doesn't change
}

// New returns the lanes of a node over an open engine. They run once Children are in a tree.
func New(engine store.Engine, opts Options) *Lanes {
	if opts.Mail <= 0 {
		opts.Mail = DefaultMail
	}
	if opts.Directory <= 0 {
		opts.Directory = DefaultDirectory
	}
	if opts.QueueLen <= 0 {
		opts.QueueLen = DefaultQueueLen
	}
	if opts.WalkEvery <= 0 {
		opts.WalkEvery = DefaultWalkEvery
	}
	if opts.PageEvery <= 0 {
		opts.PageEvery = DefaultPageEvery
	}
	if opts.PollEvery <= 0 {
		opts.PollEvery = DefaultPollEvery
	}
	if opts.Stale == nil {
		opts.Stale = func([]ident.Partition) {}
	}
	if opts.Observe == nil {
		opts.Observe = func(float64, int) {}
	}
	l := &Lanes{engine: engine, opts: opts, places: placesOf(engine, opts.Mail), directoryIDs: names("directory", opts.Directory), lost: map[string]lost{}}
	l.mailIDs = names("mail", opts.Mail*l.places.shards)
	for _, id := range l.mailIDs {
		l.lost[id] = lost{}
	}
	if engine.Info().Shared {
		for _, id := range names("claims", l.places.shards) {
			l.claims = append(l.claims, &claims{id: id})
		}
	}
	return l
}

// Children returns the specs of all lanes, for a node's tree. Those who use the lanes are started after them.
func (l *Lanes) Children() []supervision.ChildSpec {
	var all []supervision.ChildSpec
	for _, id := range l.mailIDs {
		all = append(all, supervision.Actor(id, mailSpec(l.opts.QueueLen), l))
	}
	for _, id := range l.directoryIDs {
		all = append(all, supervision.Actor(id, directorySpec(), l))
	}
	for _, c := range l.claims {
		all = append(all, supervision.Actor(c.id, claimsSpec(), l))
	}
	if len(l.claims) > 0 {
		all = append(all, supervision.Actor(pollerID, pollerSpec(), l))
	}
	return append(all, supervision.Actor("walker", expirySpec(), l))
}

// Directory asks a directory lane, as an asynchronous call from an actor: f runs on the lane with the store, and its result
// is the Reply. The requests of one user run one at a time, in order. After a timeout f may still run.
func (l *Lanes) Directory(ctx *actors.Context, user ident.UserID, timeout time.Duration, f func(store.Engine) (any, error)) actors.CallID {
	return ctx.Call(l.directoryOf(user), request(f), timeout)
}

// Append asks for a message to be stored. The answer is Committed or Lost; ErrOverloaded says that there is no room and that
// nothing was asked for. The message is not changed afterwards.
func (l *Lanes) Append(ctx *actors.Context, a *Append) error {
	return l.cast(ctx, a.Mailbox, a)
}

// Acknowledge asks for acknowledgements of rows of one mailbox to be stored. There is no answer.
func (l *Lanes) Acknowledge(ctx *actors.Context, mailbox ident.UserID, acks []store.Ack) error {
	return l.cast(ctx, mailbox, &acknowledge{acks})
}

// Load asks for all that a mailbox must know when it starts, and for a page of bodies. The answer is Loaded, to the asking actor. Whose
// mailbox it is isn't in it if that takes a request of its own: see User.
func (l *Lanes) Load(ctx *actors.Context, mailbox ident.UserID, tag uint64, page store.Page) error {
	return l.cast(ctx, mailbox, &load{from: ctx.Self(), tag: tag, mailbox: mailbox, page: page})
}

// LoadAgain asks for the same while the mailbox runs, and for its user in any case: it is no new beginning, and what was Lost stays so.
// The answer is Loaded.
func (l *Lanes) LoadAgain(ctx *actors.Context, mailbox ident.UserID, tag uint64) error {
	return l.cast(ctx, mailbox, &load{from: ctx.Self(), tag: tag, mailbox: mailbox, again: true})
}

// User asks the directory whose mailbox one is, as Directory does. The Reply is a *store.MailboxInfo.
func (l *Lanes) User(ctx *actors.Context, mailbox ident.UserID, timeout time.Duration) actors.CallID {
	return l.Directory(ctx, mailbox, timeout, func(e store.Engine) (any, error) { return userOf(e, mailbox) })
}

func userOf(e store.Engine, user ident.UserID) (*store.MailboxInfo, error) {
	p, err := e.Directory().Accounts().Account(context.Background(), user)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrInvalid) {
		return &store.MailboxInfo{}, nil
	}
	if err != nil {
		return nil, err
	}
	return p.MailboxInfo(), nil
}

// Flush asks for word when everything that the mailbox has asked for before is in the store. The answer is Flushed, to the
// asking actor.
func (l *Lanes) Flush(ctx *actors.Context, mailbox ident.UserID, tag uint64) error {
	return l.cast(ctx, mailbox, &flush{ctx.Self(), tag})
}

// Read asks for the bodies of rows. The answer is Bodies, to the asking actor.
func (l *Lanes) Read(ctx *actors.Context, mailbox ident.UserID, tag uint64, ids []ident.MessageID) error {
	return l.cast(ctx, mailbox, &read{ctx.Self(), tag, mailbox, ids})
}

// Purge asks for all rows of a mailbox to be removed. There is no answer.
func (l *Lanes) Purge(ctx *actors.Context, mailbox ident.UserID) error {
	return l.cast(ctx, mailbox, &purge{mailbox})
}

func (l *Lanes) cast(ctx *actors.Context, mailbox ident.UserID, msg any) error {
	err := ctx.Cast(l.mailOf(mailbox), msg)
	if errors.Is(err, actors.ErrOverloaded) {
		l.Counters.Refused.Add(1)
	}
	return err
}

// Append is one message to store.
type Append struct {
	// From gets the answer. Tag comes back with it.
	From actors.Ref
	Tag  uint64
	store.Append
}

// Result is what became of an append.
type Result uint8

// The results of appends.
const (
	// Stored: it is durable, or its device has acknowledged it already.
	Stored Result = iota
	// Full: the store takes no more for now, and it was not stored.
	Full
	// Invalid: it can't be stored, ever.
	Invalid
)

// Committed answers Append.
type Committed struct {
	ID     ident.MessageID
	Tag    uint64
	Result Result
}

// Lost says that the lane crashed, or that the store filled up between two tries: nothing is known about the append of that
// tag, or the load, read or flush. Whoever hears it asks again, or starts anew: all that the mailbox asks to append is Lost until it
// has asked for a load, so that nothing overtakes what was lost.
type Lost struct{ Tag uint64 }

// Loaded answers Load.
type Loaded struct {
	Tag uint64
	// Info is nil if it would have taken a second request.
	Info *store.MailboxInfo
	// Rows are in the order of delivery. Bodies are those of the first, nil for one that has to be read.
	Rows   []store.Row
	Bodies [][]byte
	// Claim is the newest claim of this node before the load: see Reload.
	Claim uint64
	// Err, if any, is the store's: ask again later.
	Err error
}

// Bodies answers Read. Bodies are in the order of IDs; nil is that of a row that isn't there any more.
type Bodies struct {
	Tag    uint64
	IDs    []ident.MessageID
	Bodies [][]byte
	// Err, if any, is the store's: ask again later.
	Err error
}

// Flushed answers Flush.
type Flushed struct{ Tag uint64 }

// Reload tells a mailbox that another node may have changed its rows, or could have: it loads them again, by a load that it
// asks for after this message, takes up what it doesn't know, and answers with Reloaded of the same tag. One that doesn't run
// isn't told: it loads what there is when it starts.
type Reload struct {
	From actors.Ref
	Tag  uint64
	// Claim is the number of the claim that the reload is for, after which nobody else writes unseen: a mailbox whose last load
	// came after that claim, by Loaded.Claim, needs no other. 0: it always does.
	Claim uint64
}

// Reloaded answers Reload.
type Reloaded struct {
	Mailbox ident.UserID
	Tag     uint64
}

type (
	acknowledge struct{ acks []store.Ack }
	load        struct {
		from    actors.Ref
		tag     uint64
		mailbox ident.UserID
		page    store.Page
		again   bool // the mailbox runs
	}
	flush struct {
		from actors.Ref
		tag  uint64
	}
	read struct {
		from    actors.Ref
		tag     uint64
		mailbox ident.UserID
		ids     []ident.MessageID
	}
	purge   struct{ mailbox ident.UserID }
	abandon struct{ mailbox ident.UserID }
	request func(store.Engine) (any, error)
)
