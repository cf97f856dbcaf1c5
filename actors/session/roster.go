package session

import (
	"slices"

	"github.com/jackdaw-im/jackdaw/actors/mailbox"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

// Limits of one roster item, in bytes and in groups.
const (
	maxRosterName  = 1023
	maxRosterGroup = 1023
	maxGroups      = 64
)

// rosterGet reads the roster (RFC 6121 section 2.2); from then on the client hears of its changes.
func (st *state) rosterGet(fx *effects, r request) {
	if r.server {
		st.refuse(fx, r.e, xmpp.ServiceUnavailable)
		st.done(fx, r.n)
		return
	}
	st.interested = true
	st.insist(fx, st.account(), &nodepb.GetRoster{Session: st.ref}, readTime, func(fx *effects, v any, err error) {
		defer st.done(fx, r.n)
		if code := codeOf(v, err); code != nodepb.Code_OK {
			st.refuse(fx, r.e, mailbox.ErrorOf(code))
			return
		}
		st.roster = v.(*nodepb.Roster).GetDigest()
		st.result(fx, r, func(dst []byte) []byte {
			dst = append(dst, "<query xmlns='"+nsRoster+"'>"...)
			for _, item := range v.(*nodepb.Roster).GetItems() {
				dst = appendItem(dst, item)
			}
			return append(dst, "</query>"...)
		})
	})
}

// appendItem renders RFC 6121 section 2.1.2's item.
func appendItem(dst []byte, item *nodepb.RosterItem) []byte {
	dst = attr(append(dst, "<item"...), "jid", item.GetJid())
	dst = attr(dst, "name", item.GetName())
	dst = attr(dst, "subscription", item.GetSubscription())
	if item.GetAsk() {
		dst = append(dst, " ask='subscribe'"...)
	}
	if len(item.GetGroups()) == 0 {
		return append(dst, "/>"...)
	}
	dst = append(dst, '>')
	for _, g := range item.GetGroups() {
		dst = append(xmpp.AppendEscaped(append(dst, "<group>"...), g), "</group>"...)
	}
	return append(dst, "</item>"...)
}

// rosterSet adds, changes or removes one contact (RFC 6121 sections 2.3 to 2.5). The client has its answer once the change
// is committed; the stanza is handled once the contact's account knows of a subscription that ended by it.
func (st *state) rosterSet(fx *effects, r request) {
	item, refusal := st.readItem(r)
	if refusal != nil {
		st.refuse(fx, r.e, *refusal)
		st.done(fx, r.n)
		return
	}
	req := &nodepb.SetRoster{Session: st.ref, Item: item}
	var a *attempt
	a = st.insist(fx, st.account(), req, accountTimeout, func(fx *effects, v any, err error) {
		code := codeOf(v, err)
		if a.again && item.GetSubscription() == "remove" && code == nodepb.Code_NOT_FOUND {
			// An earlier try has removed it, and its answer was lost. To those who know already it is no news.
			code, v = nodepb.Code_OK, &nodepb.RosterChanged{Forward: farewell}
		}
		if code != nodepb.Code_OK {
			st.refuse(fx, r.e, errorWith(code, "the roster is full"))
			st.done(fx, r.n)
			return
		}
		st.result(fx, r, nil)
		forward := v.(*nodepb.RosterChanged).GetForward()
		if len(forward) == 0 {
			st.done(fx, r.n)
			return
		}
		for i, t := range forward {
			sub := &subscription{contact: item.GetJid(), typ: t, step: toContact, quiet: true}
			if i == len(forward)-1 {
				sub.n = r.n
			}
			st.subscribe(fx, sub)
		}
	})
}

// farewell is all that the account of a removed contact may have to hear.
var farewell = []nodepb.PresenceType{nodepb.PresenceType_UNSUBSCRIBE, nodepb.PresenceType_UNSUBSCRIBED}

// readItem checks what a client wants to put into its roster.
func (st *state) readItem(r request) (*nodepb.RosterItem, *xmpp.StanzaError) {
	item, single := onlyChild(r.query)
	if r.server {
		return nil, &xmpp.ServiceUnavailable
	}
	if !single || item.Name != "item" || item.Space != nsRoster {
		return nil, &xmpp.BadRequest
	}
	jid, err := xmpp.ParseJID(item.Attr("jid"))
	switch {
	case err != nil:
		return nil, &xmpp.JIDMalformed
	case jid.Resource != "":
		return nil, &xmpp.BadRequest
	case jid.Bare() == st.user:
		return nil, &xmpp.NotAllowed
	}
	m := &nodepb.RosterItem{Jid: string(jid.Bare()), Name: item.Attr("name")}
	if item.Attr("subscription") == "remove" {
		m.Subscription = "remove" // every other value is the server's to say
		return m, nil
	}
	for _, n := range item.Nodes {
		if n.Elem == nil || n.Elem.Name != "group" {
			continue
		}
		group := n.Elem.Text()
		switch {
		case group == "" || len(group) > maxRosterGroup || len(m.Groups) == maxGroups:
			return nil, &xmpp.NotAcceptable
		case slices.Contains(m.Groups, group):
			return nil, &xmpp.BadRequest
		}
		m.Groups = append(m.Groups, group)
	}
	if len(m.Name) > maxRosterName {
		return nil, &xmpp.NotAcceptable
	}
	return m, nil
}

// rosterPush tells the client of a change (RFC 6121 section 2.1.6).
func (st *state) rosterPush(fx *effects, m *nodepb.RosterPush) {
	switch {
	case st.phase == bound, st.phase == detached, st.phase == handing:
	case st.phase == given:
		fx.cast(st.heir.ref, m)
		return
	case st.resuming:
		st.early = append(st.early, m)
		return
	default:
		return
	}
	st.roster = m.GetDigest()
	start := len(fx.out)
	fx.out = open(fx.out, "iq", "set", "push-"+st.random()[:8], "", st.full)
	fx.text("><query xmlns='" + nsRoster + "'>")
	fx.out = appendItem(fx.out, m.GetItem())
	fx.text("</query></iq>")
	st.wrote(fx, start)
	st.tooMuch(fx)
}
