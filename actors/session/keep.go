package session

import (
	"crypto/subtle"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// Move is cast by a node that is about to stop: a session that waits for its client asks another node's keeper to have one there wait in
// its place. The client finds that by its account. Other sessions mind it not. It may be cast again, with another node, as long as the
// session is there.
type Move struct {
	// To is the other node.
	To ident.NodeID
}

// move asks for the stream to be kept elsewhere.
func (st *state) move(fx *effects, m Move) {
	if st.phase == detached && st.sm.resumable {
		fx.cast(KeeperRef(m.To), &nodepb.KeepStream{User: string(st.user), Id: st.sm.id, Secret: st.sm.secret, Session: st.ref})
	}
}

// keep takes over a stream whose client isn't there, and has itself no connection.
func (st *state) keep(fx *effects, m *nodepb.KeepStream) {
	st.user, st.auth, st.resuming = ident.UserID(m.GetUser()), nil, true
	st.phase, st.until = lingering, fx.now.Add(lingerTime)
	r := &resumption{until: fx.now.Add(resumeTime), old: actors.RefOf(m.GetSession()), req: &nodepb.Takeover{
		User: m.GetUser(), Id: m.GetId(), Secret: m.GetSecret(), Heir: st.ref, Keep: true}}
	st.taking = r
	fx.call(r.old, r.req, takeoverTime, func(fx *effects, v any, err error) {
		given, _ := v.(*nodepb.Handover)
		if err != nil || given.GetVerdict() != nodepb.Handover_GRANTED {
			st.notResumed(fx, r, "") // its client has come, or it is gone
			return
		}
		st.rebind(fx, r, given)
	})
}

// claim is a wish for a stream that is on its way here.
type claim struct {
	from actors.From
	req  *nodepb.Takeover
}

// claimed reports whether a request is for the stream that this session is just taking over. It is answered when that has come.
func (st *state) claimed(fx *effects, from actors.From, req *nodepb.Takeover) bool {
	r := st.taking
	if r == nil || req.GetUser() != r.req.GetUser() || req.GetId() != r.req.GetId() ||
		subtle.ConstantTimeCompare([]byte(req.GetSecret()), []byte(r.req.GetSecret())) != 1 {
		return false
	}
	if req.GetKeep() {
		fx.reply(from, &nodepb.Handover{Verdict: nodepb.Handover_UNKNOWN})
		return true
	}
	if st.claim != nil { // the client has tried again
		fx.reply(st.claim.from, &nodepb.Handover{Verdict: nodepb.Handover_UNKNOWN})
	}
	st.claim = &claim{from, req}
	return true
}

// taken ends the taking over, well or not, and answers who has claimed the stream meanwhile.
func (st *state) taken(fx *effects) {
	c := st.claim
	st.taking, st.claim = nil, nil
	if c != nil {
		st.handOver(fx, c.from, c.req)
	}
}

// waits reports whether the session has a stream, or is about to have it, but no connection.
func (st *state) waits() bool {
	return st.phase == detached || st.phase == handing || st.phase == lingering && st.resuming
}
