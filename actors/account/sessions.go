package account

import (
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// session is one bound resource.
type session struct {
	ref        actors.Ref
	resource   string
	interested bool // asked for the roster: gets pushes
	presence   *nodepb.SetPresence
	since      int64  // Bind's
	stream     string // Bind's

	leavesAt  time.Time // set while the session has ended for another to take over, or its node is lost
	lost      bool      // it is its node that is lost
	asked     bool      // it was asked to bind again
	unwatched bool      // no monitor stands
	learntAt  time.Time // when it was told last of what was read again
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
// ended with conflict (RFC 6120 section 7.7.2.2, case 3), unless the new one takes it over. A session that binds again because
// this account has lost it, or was not to be reached, finds a later one in its place, if there is one.
func (st *state) bind(req *nodepb.Bind, fresh string, now time.Time) (*nodepb.Bound, []cast) {
	if !st.exists {
		return &nodepb.Bound{Code: nodepb.Code_NO_SUCH_USER}, nil
	}
	ref := actors.RefOf(req.GetSession())
	resource := req.GetResource()
	if resource == "" {
		resource = fresh
	}
	var casts []cast
	var replaced *nodepb.Ref
	if old := st.byRef(ref); old != nil && old.resource != resource {
		casts = append(casts, st.leave(old, now)...)
	}
	if old := st.byResource(resource); old != nil {
		switch {
		case old.ref == ref, req.GetResumed() && old.ref == actors.RefOf(req.GetReplaces()):
			old.bound(ref, req)
			return st.boundTo(resource), casts
		case req.GetResumed() && old.since > req.GetSince():
			return &nodepb.Bound{Code: nodepb.Code_ALREADY_EXISTS}, casts
		}
		casts = append(casts, cast{old.ref, &nodepb.EndSession{Condition: "conflict", Text: "another client has taken this resource"}})
		casts = append(casts, st.leave(old, now)...)
		replaced = old.ref.Proto()
	}
	if len(st.sessions) >= maxSessions {
		return &nodepb.Bound{Code: nodepb.Code_QUOTA}, casts
	}
	s := &session{resource: resource}
	s.bound(ref, req)
	st.sessions = append(st.sessions, s)
	b := st.boundTo(resource)
	b.Replaced = replaced
	return b, casts
}

// bound takes what a Bind says of the session that has the resource now.
func (s *session) bound(ref actors.Ref, req *nodepb.Bind) {
	if s.ref != ref {
		s.unwatched, s.learntAt = true, time.Time{}
	}
	s.ref, s.since, s.stream = ref, req.GetSince(), req.GetStream()
	s.leavesAt, s.lost, s.asked = time.Time{}, false, false
	s.interested = s.interested || req.GetInterested()
}

func (st *state) boundTo(resource string) *nodepb.Bound {
	return &nodepb.Bound{Code: nodepb.Code_OK, Resource: resource, Digest: st.digest}
}

// freshTime is how long after its beginning an account may not know all sessions yet: one that has lost its place on another node, or comes
// after one that was lost, is told of them within a second, and a little later where that goes wrong at first.
const freshTime = 2 * time.Second

// find is who has a resumed stream. LATER: it isn't known yet.
func (st *state) find(stream string, now time.Time) *nodepb.StreamFound {
	for _, s := range st.sessions {
		if stream != "" && s.stream == stream {
			return &nodepb.StreamFound{Code: nodepb.Code_OK, Session: s.ref.Proto()}
		}
	}
	if now.Before(st.began.Add(freshTime)) {
		return &nodepb.StreamFound{Code: nodepb.Code_LATER}
	}
	return &nodepb.StreamFound{Code: nodepb.Code_NOT_FOUND}
}

// unbind ends a session that said goodbye.
func (st *state) unbind(req *nodepb.Unbind, now time.Time) []cast {
	if s := st.byRef(actors.RefOf(req.GetSession())); s != nil {
		return st.leave(s, now)
	}
	if req.GetAvailable() {
		return st.gone(req.GetResource(), nil, now)
	}
	return nil
}

// down is told when a bound session's actor has ended, or can't be reached. One that ended normally without Unbind has handed its
// state to the session that resumes it: its presence stands until that one binds, or handoverGrace has passed. So does that of
// one whose node is lost: it may only be cut off, or its client on the way to another node.
func (st *state) down(ref actors.Ref, reason actors.Reason, now time.Time) []cast {
	s := st.byRef(ref)
	if s == nil {
		return nil
	}
	s.unwatched = true
	switch {
	case reason.IsNormal():
		s.leavesAt = now.Add(handoverGrace)
		return nil
	case reason.Code == actors.CodeNoConnection:
		s.leavesAt, s.lost, s.asked = now.Add(handoverGrace/2), true, false
		return nil
	}
	return st.leave(s, now)
}

// expire ends the sessions whose handover nobody completed and those that are lost, and returns when it is due next (zero: never).
// A lost one is asked to bind again, should it be there after all: once before it is ended, and once with that.
func (st *state) expire(now time.Time) (casts []cast, next time.Time) {
	for _, s := range append([]*session(nil), st.sessions...) {
		if s.leavesAt.IsZero() {
			continue
		}
		if s.lost && !s.leavesAt.After(now) {
			casts = append(casts, st.rebind(s.ref, false))
			if !s.asked {
				s.asked, s.leavesAt = true, now.Add(handoverGrace/2)
			} else {
				if s.available() {
					st.miss(s.resource)
				}
			}
		}
		if !s.leavesAt.After(now) {
			casts = append(casts, st.leave(s, now)...)
		} else if next.IsZero() || s.leavesAt.Before(next) {
			next = s.leavesAt
		}
	}
	return casts, next
}

// rebind asks a session to bind again. unheard: what it has just said was not taken.
func (st *state) rebind(ref actors.Ref, unheard bool) cast {
	return cast{ref, &nodepb.Rebind{From: Ref(st.user).Proto(), Unheard: unheard}}
}

// maxMissed is how many lost resources are remembered.
const maxMissed = 2 * maxSessions

// miss notes that others are told that a resource is unavailable whose session may not know it: what that one says next isn't known to all.
func (st *state) miss(resource string) {
	if len(st.missed) < maxMissed {
		if st.missed == nil {
			st.missed = map[string]struct{}{}
		}
		st.missed[resource] = struct{}{}
	}
}

// leave removes a session; those who saw it available are told that it is not.
func (st *state) leave(s *session, now time.Time) []cast {
	st.remove(s)
	return st.becomeUnavailable(s, nil, now)
}

// endAll ends every session, because the account goes away.
func (st *state) endAll(condition, text string, now time.Time) []cast {
	var casts []cast
	for _, s := range append([]*session(nil), st.sessions...) {
		casts = append(casts, cast{s.ref, &nodepb.EndSession{Condition: condition, Text: text}})
		casts = append(casts, st.leave(s, now)...)
	}
	return casts
}
