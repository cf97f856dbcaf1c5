package account

import (
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/store"
)

// Limits of one account.
const (
	// maxSessions is how many resources one account may have bound at a time.
	maxSessions = 32
	// maxContacts is how many roster items, pending requests included, one account may have.
	maxContacts = 10_000
	// maxRequests is how many of them may be requests of people who are not in the roster, so that strangers can't fill it.
	maxRequests = 1000
	// maxRequest is how many bytes the payload of a request may have that is kept.
	maxRequest = 8 << 10
	// maxWaiting is how many messages wait while the account is read, and how many changes for those before them.
	maxWaiting = 1000
	// handoverGrace is how long the presence of a session that ended to be resumed stands before contacts are told.
	handoverGrace = 30 * time.Second
)

// state is everything an account knows. It is changed only by its methods, which take values and return effects.
type state struct {
	user     ident.UserID
	exists   bool
	account  store.Account // as it was read or written last, while exists
	rev      uint64        // the roster's revision
	contacts map[ident.UserID]*contact
	blocks   []string
	devices  []store.Device
	sessions []*session
	throttle throttle

	began   time.Time // when this actor did
	moved   bool      // from another node, perhaps
	known   bool      // the account was read once
	loading bool      // it is being read
	loadAt  time.Time // when that is tried again; zero: it is under way
	stash   []message // what came meanwhile
	work    *work     // the change under way
	backlog []message // changes that wait for it

	again   bool         // it is being read because it may be outdated: what is known counts if it can't be
	leaving bool         // it moves to another node
	former  []actors.Ref // sessions of the account that had the name before

	readAt   time.Time // when it was read last
	reunions uint64    // as many as there were then
	joined   uint64    // as many as there were when this actor began
	wroteAt  time.Time // when it was written last

	digest uint64                // of the roster as clients see it
	missed map[string]struct{}   // resources whose lost sessions others were told to be unavailable
	absent absent                // what came for sessions that may have to bind again
	owed   []owed                // what other nodes have not taken
	asking map[question]struct{} // what contacts asked, after a parting, before it was known who is there
	denied bool                  // somebody was told that nobody is there
}

// cast is a message to another actor.
type cast struct {
	to  actors.Ref
	msg proto.Message
}

// ordered reports whether the message keeps its place among the others to its addressee: what clients see does.
func (c cast) ordered() bool {
	switch c.msg.(type) {
	case *nodepb.Presence, *nodepb.RosterPush, *nodepb.Subscription:
		return true
	}
	return false
}

// lossy reports whether the message is presence, which is best effort. What follows from a committed change is not.
func (c cast) lossy() bool {
	p, ok := c.msg.(*nodepb.Presence)
	return ok && (p.GetType() < nodepb.PresenceType_SUBSCRIBE || p.GetType() > nodepb.PresenceType_UNSUBSCRIBED)
}

// message is a call (from is who waits for the answer) or a cast (from is nil).
type message struct {
	from *actors.From
	msg  any
}

// reply answers a call.
type reply struct {
	to  actors.From
	msg proto.Message
	err error
}

// effects is what the state asks for.
type effects struct {
	now   time.Time
	fresh func() string // makes a resource
	// reunions counts those of the cluster, until now.
	reunions uint64

	casts   []cast
	again   []owed // what is cast once more
	replies []reply
	watch   []actors.Ref // sessions to monitor
	// store is run on the directory lane; its result comes to stored.
	store func(store.Engine) (any, error)
	// throttled says that the throttle has changed, and is to be remembered.
	throttled bool
}

func (fx *effects) cast(c ...cast) { fx.casts = append(fx.casts, c...) }

// answer answers a message if it was a call.
func (fx *effects) answer(m message, v proto.Message) {
	if m.from != nil {
		fx.replies = append(fx.replies, reply{to: *m.from, msg: v})
	}
}

func newState(user ident.UserID) *state { return &state{user: user, loading: true} }
