package session

import (
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// While a cluster is parted, both sides may have an account of a user: what contacts of the other side have told the one didn't come to sessions
// that know the other, and accounts don't keep it. So once the cluster is one again, sessions tell their presence anew, and ask for that of
// their contacts. Should only one of two nodes hear of a reunion, its sessions do both for both sides.
const (
	// reunionPause is for sessions and accounts to have found each other again, and reunionSpread the least time over which the sessions of
	// a node do so: they are no more than reunionRate in a second, of which each costs a few messages for each contact.
	reunionPause  = 5 * time.Second
	reunionSpread = 20 * time.Second
	reunionRate   = 1000
	// reunionWait is for how long reunions count as one: with each of several nodes, say.
	reunionWait = time.Second
)

// Reunion is cast to a node's keeper when another node is back that this one had lost, or that had lost this one.
type Reunion struct{}

// reunionDue is the keeper's timer.
type reunionDue struct{}

// reunited tells a session of a reunion. The sessions of the node have so much time for it.
type reunited struct{ over time.Duration }

// reunion has all sessions told, a second later and once for all reunions until then.
func (k *keeper) reunion(ctx *actors.Context) {
	if !k.reuniting {
		k.reuniting = true
		ctx.SendAfter(reunionWait, reunionDue{})
	}
}

func (k *keeper) reunite(ctx *actors.Context) {
	k.reuniting = false
	over := max(reunionSpread, time.Duration(k.sessions.Live())*time.Second/reunionRate)
	k.sessions.WhichChildren(func(c supervision.ChildInfo) bool {
		_ = ctx.Answer(c.Ref, reunited{over}) // however full its queue is: one that has ended needs it no more
		return true
	})
}

// reunited has the client's presence told again and that of its contacts asked for, after a while; by that the account, too, sees what has become of
// it in the other part. A session on its way from one to the next
// isn't left out: this one does it once it has the state of the other, or the other hands it on.
func (st *state) reunited(fx *effects, m reunited) {
	if st.resuming || st.phase == bound || st.phase == detached || st.phase == handing {
		if st.refreshAt.IsZero() || st.refreshAt.Before(fx.now.Add(reunionPause)) { // else that comes late enough
			st.refreshAt = fx.now.Add(reunionPause + st.jitter(max(m.over, reunionSpread)))
		}
	}
}

// refresh does that.
func (st *state) refresh(fx *effects) {
	st.refreshAt = time.Time{}
	switch {
	case st.resuming || st.phase == handing:
		st.refreshAt = fx.now.Add(retryTime)
	case st.phase != bound && st.phase != detached:
	case st.lostAccount.due || st.untold != nil: // which come first
		st.refreshAt = fx.now.Add(retryTime)
	case st.presence == nil: // it binds again, by which it finds out that its user's roster, or account, is another
		st.missing(fx, &st.lostAccount, fx.now)
	default:
		p := proto.CloneOf(st.presence)
		p.Quiet, p.Refresh = false, true
		st.tellPresence(fx, p)
	}
}
