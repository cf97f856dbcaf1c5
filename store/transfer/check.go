package transfer

import (
	"context"
	"errors"
	"fmt"

	"github.com/cespare/xxhash/v2"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

// maxExamples is how many problems of one kind a report names. All are counted.
const maxExamples = 10

// Problem is something about a store that isn't as it should be.
type Problem struct {
	What     string // the kind of problem
	Count    int64
	Examples []string
}

// The kinds of problems.
const (
	Damaged       = "entries that can't be read, or are where they don't belong"
	NoAccount     = "things of users who have no account"
	NoGroup       = "things of groups that don't exist"
	MailOfNobody  = "messages of users who have no account"
	StrayMembers  = "members of groups who have no account"
	WrongCount    = "groups that have another number of members than they say"
	ImpossibleRev = "members and messages of a later revision than their group's"
)

// Report is what Check found.
type Report struct {
	Store    string
	Schema   int
	Parts    [store.Parts]Digest // of groups' logs, only what is not done
	Problems []Problem
}

// OK reports whether there is no problem.
func (r *Report) OK() bool { return len(r.Problems) == 0 }

func (r *Report) problem(what, format string, args ...any) {
	i := 0
	for i < len(r.Problems) && r.Problems[i].What != what {
		i++
	}
	if i == len(r.Problems) {
		r.Problems = append(r.Problems, Problem{What: what})
	}
	p := &r.Problems[i]
	p.Count++
	if len(p.Examples) < maxExamples {
		p.Examples = append(p.Examples, fmt.Sprintf(format, args...))
	}
}

// groupFacts are what is known of a group while its members and log are read.
type groupFacts struct {
	rev     uint64
	missing int64 // members that it says it has and that were not found yet
}

// checker is one Check while it runs. Users and groups are known by a hash: that two have the same one could hide a
// problem, but make none up.
type checker struct {
	engine store.Engine
	walker store.Walker
	report *Report
	users  map[uint64]struct{}
	groups map[uint64]*groupFacts
}

// Check reads all of a store and reports what it holds and what is wrong with it. It changes nothing. Beside running
// servers it may report a number of members that was about to change; everything else it looks at again before it is
// reported.
func Check(ctx context.Context, e store.Engine, progress Progress) (*Report, error) {
	w, err := walker(e)
	if err != nil {
		return nil, err
	}
	info := e.Info()
	c := &checker{engine: e, walker: w, report: &Report{Store: info.Name, Schema: info.SchemaVersion},
		users: map[uint64]struct{}{}, groups: map[uint64]*groupFacts{}}
	for part := range store.Parts {
		if err := c.part(ctx, part, progress); err != nil {
			return nil, fmt.Errorf("transfer: checking %s of %s: %w", part, info.Name, err)
		}
	}
	return c.report, nil
}

func (c *checker) part(ctx context.Context, part store.Part, progress Progress) error {
	d := &c.report.Parts[part]
	err := pages(ctx, c.walker, part, "", func(p *store.WalkPage) error {
		for _, text := range p.Damage {
			c.report.problem(Damaged, "%s", text)
		}
		for i := range p.Entries {
			d.add(part, &p.Entries[i])
			if err := c.entry(ctx, part, &p.Entries[i]); err != nil {
				return err
			}
		}
		progress.tell("checked", part, d.Entries)
		return nil
	})
	if err == nil && part == store.PartMembers {
		err = c.countMembers(ctx)
	}
	return err
}

func hash(id string) uint64 { return xxhash.Sum64String(id) }

func (c *checker) entry(ctx context.Context, part store.Part, e *store.Entry) error {
	switch part {
	case store.PartAccounts:
		c.users[hash(e.Owner)] = struct{}{}
	case store.PartDevices, store.PartContacts, store.PartBlocks:
		return c.needUser(ctx, e.Owner, NoAccount, "%s: %s", e.Owner, part)
	case store.PartMail:
		return c.needUser(ctx, e.Owner, MailOfNobody, "%s: message %s", e.Owner, e.Mail.ID)
	case store.PartGroups:
		c.groups[hash(e.Owner)] = &groupFacts{rev: e.Group.Rev, missing: int64(e.Group.Members)}
	case store.PartMembers:
		if err := c.needUser(ctx, string(e.Member.User), StrayMembers, "%s: %s", e.Owner, e.Member.User); err != nil {
			return err
		}
		return c.needGroup(ctx, e.Owner, e.Member.JoinedRev, "member "+string(e.Member.User), 1)
	case store.PartLog:
		return c.needGroup(ctx, e.Owner, e.Log.Rev, "message "+e.Log.ID.String(), 0)
	}
	return nil
}

// needUser reports a problem unless there is such an account, now or when accounts were read.
func (c *checker) needUser(ctx context.Context, user, what, format string, args ...any) error {
	if _, ok := c.users[hash(user)]; ok {
		return nil
	}
	_, err := c.engine.Directory().Accounts().Account(ctx, ident.UserID(user))
	switch {
	case err == nil:
		c.users[hash(user)] = struct{}{}
	case errors.Is(err, store.ErrNotFound):
		c.report.problem(what, format, args...)
	default:
		return err
	}
	return nil
}

// needGroup reports a problem unless there is such a group, of at least the given revision.
func (c *checker) needGroup(ctx context.Context, gid string, rev uint64, what string, members int64) error {
	f := c.groups[hash(gid)]
	if f == nil || rev > f.rev {
		g, err := c.engine.Directory().Groups().Group(ctx, ident.GroupID(gid))
		switch {
		case errors.Is(err, store.ErrNotFound):
			c.report.problem(NoGroup, "%s: %s", gid, what)
			return nil
		case err != nil:
			return err
		case rev > g.Rev:
			c.report.problem(ImpossibleRev, "%s: %s of revision %d, group of %d", gid, what, rev, g.Rev)
		}
		if f == nil {
			f = &groupFacts{missing: int64(g.Members)}
			c.groups[hash(gid)] = f
		}
		f.rev = g.Rev
	}
	f.missing -= members
	return nil
}

// countMembers reports groups whose members are not as many as they say. Groups that have changed since are passed over.
func (c *checker) countMembers(ctx context.Context) error {
	return entries(ctx, c.walker, store.PartGroups, func(e *store.Entry) error {
		f := c.groups[hash(e.Owner)]
		if f != nil && f.missing != 0 && f.rev == e.Group.Rev {
			c.report.problem(WrongCount, "%s: says %d, has %d", e.Owner, e.Group.Members, int64(e.Group.Members)-f.missing)
		}
		return nil
	})
}
