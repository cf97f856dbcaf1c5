package mailbox

import (
	"bytes"

	"github.com/jackdaw-im/jackdaw/proto/chatpb"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// route is RFC 6121 section 8.5: who gets a message now. to are the sessions, which is the state's own slice until the next
// route. row says that the message waits in the store until a session has acknowledged it, whoever gets it now; without row
// and without to, code says why nobody takes it.
func (st *state) route(d *nodepb.Deliver) (to []*attachment, row bool, code nodepb.Code) {
	kind := d.GetMessage().GetType()
	to = st.to[:0]
	defer func() { st.to = to }()
	if d.GetResource() != "" {
		if s := st.bound(d.GetResource()); s != nil {
			to = append(to, s)
			return to, d.GetStore(), 0
		}
		switch kind {
		case chatpb.MessageType_GROUPCHAT:
			return to, false, nodepb.Code_NO_RESOURCE
		case chatpb.MessageType_HEADLINE:
			return to, false, nodepb.Code_DROPPED
		}
		// The RFC lets chat messages go on as if to the bare address. Normal ones may be ignored or refused, or so it says:
		// losing or bouncing what the user could well read elsewhere helps nobody, so they go the same way.
	}
	switch kind {
	case chatpb.MessageType_GROUPCHAT:
		return to, false, nodepb.Code_NO_RESOURCE
	case chatpb.MessageType_ERROR:
		if !d.GetStore() {
			return to, false, nodepb.Code_DROPPED
		}
	case chatpb.MessageType_HEADLINE:
		for _, s := range st.sessions {
			if s.receives() {
				to = append(to, s)
			}
		}
		return to, false, nodepb.Code_DROPPED
	}
	to = st.highest(to)
	if d.GetStore() {
		return to, true, 0
	}
	if !bytes.Contains(d.GetMessage().GetPayload(), []byte("<body")) {
		return to, false, nodepb.Code_DROPPED // chat states and the like: nobody misses them
	}
	return to, false, nodepb.Code_NO_RESOURCE
}

// bound is the connected session of a resource, the newest if an older one hasn't gone yet.
func (st *state) bound(resource string) *attachment {
	for i := len(st.sessions) - 1; i >= 0; i-- {
		if s := st.sessions[i]; s.resource == resource && s.connected {
			return s
		}
	}
	return nil
}

// highest appends all sessions of the highest non-negative priority.
func (st *state) highest(to []*attachment) []*attachment {
	for _, s := range st.sessions {
		switch {
		case !s.receives() || len(to) > 0 && s.priority < to[0].priority:
		case len(to) > 0 && s.priority > to[0].priority:
			to = append(to[:0], s)
		default:
			to = append(to, s)
		}
	}
	return to
}
