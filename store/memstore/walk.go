package memstore

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

// placed is an entry with its key, which orders a walk.
type placed struct {
	key string
	store.Entry
}

// Walk implements store.Walker. It sorts everything for each page, which is good enough here.
func (e *Engine) Walk(_ context.Context, q store.WalkQuery) (*store.WalkPage, error) {
	if err := e.enter(false); err != nil {
		return nil, err
	}
	defer e.mu.Unlock()
	if q.Part >= store.Parts {
		return nil, fmt.Errorf("memstore: %w: there is no part %d of a store", store.ErrInvalid, q.Part)
	}
	all := e.entries(q.Part)
	slices.SortFunc(all, func(a, b placed) int { return strings.Compare(a.key, b.key) })
	page, size := &store.WalkPage{Part: q.Part}, 0
	for i, p := range all {
		if p.key <= q.After {
			continue
		}
		page.Entries = append(page.Entries, p.Entry)
		size += p.Size()
		if q.Full(len(page.Entries), size) && i+1 < len(all) {
			page.Next = p.key
			break
		}
	}
	return page, nil
}

func (e *Engine) entries(part store.Part) (out []placed) {
	add := func(name string, en store.Entry) { out = append(out, placed{en.Owner + "\x00" + name, en}) }
	switch part {
	case store.PartAccounts, store.PartDevices, store.PartContacts, store.PartBlocks:
		for id, u := range e.mu.users {
			u.entries(part, string(id), add)
		}
	case store.PartGroups, store.PartMembers:
		for id, g := range e.mu.groups {
			if part == store.PartGroups {
				c := g.Group
				c.Settings, c.Members = append([]byte(nil), g.Settings...), len(g.members)
				add("", store.Entry{Owner: string(id), Group: &c})
				continue
			}
			for _, m := range g.members {
				add(string(m.User), store.Entry{Owner: string(id), Member: &m})
			}
		}
	case store.PartLog:
		for gid, log := range e.mu.log {
			for id, en := range log {
				c := store.LogEntry{GroupEntry: en.GroupEntry, Done: en.done}
				c.Body = append([]byte{}, en.Body...)
				add(string(id[:]), store.Entry{Owner: string(gid), Log: &c})
			}
		}
	case store.PartMail:
		for mailbox, rows := range e.mu.mail {
			for id, r := range rows {
				add(string(id[:]), store.Entry{Owner: string(mailbox), Mail: &store.MailEntry{Row: r.index(), Body: append([]byte{}, r.body...)}})
			}
		}
	}
	return out
}

func (u *user) entries(part store.Part, owner string, add func(string, store.Entry)) {
	switch part {
	case store.PartAccounts:
		a := cloneAccount(u.account)
		add("", store.Entry{Owner: owner, Account: &a, RosterRev: u.rosterRev})
	case store.PartDevices:
		for id, d := range u.devices {
			add(string(id), store.Entry{Owner: owner, Device: &d})
		}
	case store.PartContacts:
		for contact, i := range u.roster {
			i = cloneItem(i)
			add(string(contact), store.Entry{Owner: owner, Contact: &i})
		}
	case store.PartBlocks:
		for b := range u.blocks {
			add(b, store.Entry{Owner: owner, Block: b})
		}
	}
}

// Load implements store.Loader.
func (e *Engine) Load(_ context.Context, p *store.WalkPage) error {
	if err := e.enter(true); err != nil {
		return err
	}
	defer e.mu.Unlock()
	for i := range p.Entries {
		if err := e.load(p.Part, &p.Entries[i]); err != nil {
			return err
		}
	}
	return nil
}

// load writes one entry if it isn't there.
func (e *Engine) load(part store.Part, en *store.Entry) error {
	u, g := e.mu.users[ident.UserID(en.Owner)], e.mu.groups[ident.GroupID(en.Owner)]
	switch part {
	case store.PartAccounts:
		if u == nil {
			u = newUser(cloneAccount(*en.Account))
			u.rosterRev = en.RosterRev
			e.mu.users[ident.UserID(en.Owner)] = u
		}
	case store.PartGroups:
		if g == nil {
			e.mu.groups[ident.GroupID(en.Owner)] = &group{Group: *en.Group, members: map[ident.UserID]store.Member{}}
		}
	case store.PartMail:
		e.loadMail(ident.UserID(en.Owner), en.Mail)
	case store.PartDevices, store.PartContacts, store.PartBlocks:
		if u == nil {
			return fmt.Errorf("memstore: %w: something of %s, who has no account", store.ErrInvalid, en.Owner)
		}
		u.load(part, en)
	case store.PartMembers, store.PartLog:
		if g == nil {
			return fmt.Errorf("memstore: %w: something of %s, which is no group", store.ErrInvalid, en.Owner)
		}
		e.loadGroup(part, g, en)
	}
	return nil
}

func (u *user) load(part store.Part, en *store.Entry) {
	switch part {
	case store.PartDevices:
		absent(u.devices, en.Device.ID, *en.Device)
	case store.PartContacts:
		absent(u.roster, en.Contact.Contact, cloneItem(*en.Contact))
	case store.PartBlocks:
		u.blocks[en.Block] = true
	}
}

func (e *Engine) loadGroup(part store.Part, g *group, en *store.Entry) {
	if part == store.PartMembers {
		absent(g.members, en.Member.User, *en.Member)
		joined := e.mu.members[en.Member.User]
		if joined == nil {
			joined = map[ident.GroupID]bool{}
			e.mu.members[en.Member.User] = joined
		}
		joined[g.ID] = true
		return
	}
	log := e.mu.log[g.ID]
	if log == nil {
		log = map[ident.MessageID]*entry{}
		e.mu.log[g.ID] = log
	}
	c := &entry{GroupEntry: en.Log.GroupEntry, done: en.Log.Done}
	c.Body = append([]byte{}, en.Log.Body...)
	absent(log, c.ID, c)
}

func (e *Engine) loadMail(mailbox ident.UserID, m *store.MailEntry) {
	rows := e.mu.mail[mailbox]
	if rows == nil {
		rows = map[ident.MessageID]*row{}
		e.mu.mail[mailbox] = rows
	}
	r := &row{Row: m.Row, body: append([]byte{}, m.Body...)}
	r.Row.Acked = nil
	for _, d := range m.Acked {
		if r.acked == nil {
			r.acked = map[ident.DeviceID]bool{}
		}
		r.acked[d] = true
	}
	absent(rows, m.ID, r)
}

// absent sets a value that isn't there.
func absent[K comparable, V any](m map[K]V, k K, v V) {
	if _, ok := m[k]; !ok {
		m[k] = v
	}
}

// Loading implements store.Loader.
func (e *Engine) Loading(context.Context) (store.LoadPlace, error) {
	if err := e.enter(false); err != nil {
		return store.LoadPlace{}, err
	}
	defer e.mu.Unlock()
	return e.mu.loading, nil
}

// SetLoading implements store.Loader.
func (e *Engine) SetLoading(_ context.Context, at store.LoadPlace) error {
	if err := e.enter(false); err != nil {
		return err
	}
	defer e.mu.Unlock()
	e.mu.loading = at
	return nil
}

// MarkRestored implements store.Restored.
func (e *Engine) MarkRestored(context.Context) (int, error) {
	if err := e.enter(false); err != nil {
		return 0, err
	}
	defer e.mu.Unlock()
	n := 0
	for _, rows := range e.mu.mail {
		for _, r := range rows {
			r.Flags |= store.FlagRestored
			n++
		}
	}
	return n, nil
}
