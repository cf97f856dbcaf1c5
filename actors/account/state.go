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
	sessions []*session
	throttle throttle

	known   bool      // the account was read once
	loading bool      // it is being read
	loadAt  time.Time // when that is tried again; zero: it is under way
	stash   []message // what came meanwhile
	work    *work     // the change under way
	backlog []message // changes that wait for it
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

	casts   []cast
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

// session is one bound resource.
type session struct {
	ref        actors.Ref
	resource   string
	interested bool // asked for the roster: gets pushes
	presence   *nodepb.SetPresence
	leavesAt   time.Time // set while the session has ended for another to take over
}

func (s *session) available() bool { return s.presence != nil }

func (st *state) byRef(ref actors.Ref) *session {
	for _, s := range st.sessions {
		if s.ref == ref {
			return s
		}
	}
	return nil
}

func (st *state) byResource(resource string) *session {
	for _, s := range st.sessions {
		if s.resource == resource {
			return s
		}
	}
	return nil
}

func (st *state) remove(gone *session) {
	for i, s := range st.sessions {
		if s == gone {
			st.sessions = append(st.sessions[:i], st.sessions[i+1:]...)
			return
		}
	}
}

func (st *state) full(resource string) string { return string(st.user) + "/" + resource }

// bind registers a session. fresh is the resource it gets if it asks for none. An older session of the same resource is
// ended with conflict (RFC 6120 section 7.7.2.2, case 3), unless the new one takes it over.
func (st *state) bind(req *nodepb.Bind, fresh string) (*nodepb.Bound, []cast) {
	if !st.exists {
		return &nodepb.Bound{Code: nodepb.Code_NO_SUCH_USER}, nil
	}
	ref := actors.RefOf(req.GetSession())
	resource := req.GetResource()
	if resource == "" {
		resource = fresh
	}
	var casts []cast
	if old := st.byRef(ref); old != nil && old.resource != resource {
		casts = append(casts, st.leave(old, nil)...)
	}
	if old := st.byResource(resource); old != nil {
		if req.GetResumed() || old.ref == ref {
			old.ref, old.leavesAt = ref, time.Time{}
			return &nodepb.Bound{Code: nodepb.Code_OK, Resource: resource}, casts
		}
		casts = append(casts, cast{old.ref, &nodepb.EndSession{Condition: "conflict", Text: "another client has taken this resource"}})
		casts = append(casts, st.leave(old, nil)...)
	}
	if len(st.sessions) >= maxSessions {
		return &nodepb.Bound{Code: nodepb.Code_QUOTA}, casts
	}
	st.sessions = append(st.sessions, &session{ref: ref, resource: resource})
	return &nodepb.Bound{Code: nodepb.Code_OK, Resource: resource}, casts
}

// unbind ends a session that said goodbye.
func (st *state) unbind(ref actors.Ref) []cast {
	if s := st.byRef(ref); s != nil {
		return st.leave(s, nil)
	}
	return nil
}

// down is told when a bound session's actor has ended. One that ended normally without Unbind has handed its state to the
// session that resumes it: its presence stands until that one binds, or handoverGrace has passed.
func (st *state) down(ref actors.Ref, normal bool, now time.Time) []cast {
	s := st.byRef(ref)
	switch {
	case s == nil:
		return nil
	case normal:
		s.leavesAt = now.Add(handoverGrace)
		return nil
	}
	return st.leave(s, nil)
}

// expire ends the sessions whose handover nobody completed, and returns when it is due next (zero: never).
func (st *state) expire(now time.Time) (casts []cast, next time.Time) {
	for _, s := range append([]*session(nil), st.sessions...) {
		if s.leavesAt.IsZero() {
			continue
		}
		if !s.leavesAt.After(now) {
			casts = append(casts, st.leave(s, nil)...)
		} else if next.IsZero() || s.leavesAt.Before(next) {
			next = s.leavesAt
		}
	}
	return casts, next
}

// leave removes a session; those who saw it available are told that it is not, with the words of last if there are any.
func (st *state) leave(s *session, last *nodepb.SetPresence) []cast {
	st.remove(s)
	return st.becomeUnavailable(s, last)
}

// endAll ends every session, because the account goes away.
func (st *state) endAll(condition, text string) []cast {
	var casts []cast
	for _, s := range append([]*session(nil), st.sessions...) {
		casts = append(casts, cast{s.ref, &nodepb.EndSession{Condition: condition, Text: text}})
		casts = append(casts, st.leave(s, nil)...)
	}
	return casts
}
