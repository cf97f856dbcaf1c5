package pgstore

import (
	"context"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

// profileSQL is one statement, so that it costs one way to the database and is of one moment: every activation of an account asks it.
// Contacts and devices come as an array of each column, the contacts' groups one after the other.
const profileSQL = `SELECT ` + accountColumns + `, roster_rev,
	ARRAY(SELECT g FROM roster AS r, unnest(r.groups) WITH ORDINALITY AS u (g, n) WHERE r.user_id = a.user_id ORDER BY r.contact, u.n), c.*,
	ARRAY(SELECT address FROM block AS b WHERE b.user_id = a.user_id ORDER BY address), d.*
	FROM account AS a, LATERAL (SELECT array_agg(contact), array_agg(name), array_agg(cardinality(groups)), array_agg(listed), array_agg(subscription),
		array_agg(ask), array_agg(pending_in), array_agg(request), array_agg(rev)
		FROM (SELECT ` + contactColumns + ` FROM roster AS r WHERE r.user_id = a.user_id ORDER BY contact) AS i) AS c,
	LATERAL (SELECT array_agg(id), array_agg(name), array_agg(since), array_agg(last_seen), array_agg(logins)
		FROM (SELECT ` + deviceColumns + ` FROM device AS d WHERE d.user_id = a.user_id ORDER BY id) AS i) AS d
	WHERE a.user_id = $1`

// contactArrays and deviceArrays are the columns of a user's contacts and devices.
type (
	contactArrays struct {
		groups, contacts, names, requests [][]byte
		counts                            []int32
		listed, ask, pendingIn            []bool
		subscriptions                     []int16
		revs                              []int64
	}
	deviceArrays struct {
		ids, names  [][]byte
		since, seen []int64
		logins      []int64
	}
)

// readProfile reads a user, or returns store.ErrNotFound.
func readProfile(ctx context.Context, q querier, user ident.UserID) (*store.Profile, error) {
	p, c, d := &store.Profile{}, contactArrays{}, deviceArrays{}
	var blocks [][]byte
	row := extraRow{Row: q.QueryRow(ctx, profileSQL, raw(user)), last: []any{&p.Roster.Rev,
		&c.groups, &c.contacts, &c.names, &c.counts, &c.listed, &c.subscriptions, &c.ask, &c.pendingIn, &c.requests, &c.revs,
		&blocks, &d.ids, &d.names, &d.since, &d.seen, &d.logins}}
	if err := the(scanAccount(row, &p.Account)); err != nil {
		return nil, err
	}
	p.Roster.Items, p.Blocks, p.Devices = c.items(), texts[string](blocks), d.devices()
	return p, nil
}

func (c *contactArrays) items() (out []store.RosterItem) {
	groups := c.groups
	for i, contact := range c.contacts {
		n := c.counts[i]
		out = append(out, store.RosterItem{
			Contact: ident.UserID(contact), Name: string(c.names[i]), Groups: texts[string](groups[:n]), Listed: c.listed[i],
			Subscription: store.Subscription(c.subscriptions[i]) & store.SubscriptionBoth, Ask: c.ask[i], PendingIn: c.pendingIn[i],
			Request: orNil(c.requests[i]), Rev: uint64(c.revs[i]),
		})
		groups = groups[n:]
	}
	return out
}

func (d *deviceArrays) devices() (out []store.Device) {
	for i, id := range d.ids {
		out = append(out, store.Device{ID: ident.DeviceID(id), Name: string(d.names[i]), Since: d.since[i], LastSeen: store.FromMicros(d.seen[i]), Logins: int(d.logins[i])})
	}
	return out
}
