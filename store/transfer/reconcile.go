package transfer

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

// Mended says what Reconcile did. Everything is counted in entries.
type Mended struct {
	Restored     int   // messages marked as possibly delivered before
	Mail         int64 // messages removed because their user has no account
	Mailboxes    int64 // of so many users
	Left         int64 // memberships removed because the member has no account
	GroupEntries int64 // of groups' logs, dropped because the group doesn't exist
}

// Reconcile mends what doesn't fit together after directory and mail were restored from backups of different moments: it
// removes messages of users who have no account, and users without account from groups, as the removal of their accounts
// would have done. Messages of groups that are on their way stay: they are sent again, under the same ids. What is in the
// store is marked as possibly delivered before, if restored is set. No server may use the store. It is safe to repeat.
func Reconcile(ctx context.Context, e store.Engine, restored bool, progress Progress) (*Mended, error) {
	w, err := walker(e)
	if err != nil {
		return nil, err
	}
	r := &reconciler{engine: e, walker: w, users: map[uint64]struct{}{}, mended: &Mended{}, progress: progress}
	if err := r.run(ctx); err != nil {
		return nil, fmt.Errorf("transfer: reconciling %s: %w", e.Info().Name, err)
	}
	if !restored {
		return r.mended, nil
	}
	m, ok := e.(store.Restored)
	if !ok {
		return nil, fmt.Errorf("transfer: the store %s can't mark messages", e.Info().Name)
	}
	r.mended.Restored, err = m.MarkRestored(ctx)
	return r.mended, err
}

// reconciler is one Reconcile while it runs. Users are known by a hash: that two have the same one could leave something
// that should go, but removes nothing that should stay.
type reconciler struct {
	engine   store.Engine
	walker   store.Walker
	users    map[uint64]struct{}
	mended   *Mended
	progress Progress
}

func (r *reconciler) run(ctx context.Context) error {
	n := int64(0)
	err := entries(ctx, r.walker, store.PartAccounts, func(e *store.Entry) error {
		r.users[hash(e.Owner)] = struct{}{}
		n++
		return nil
	})
	if err != nil {
		return err
	}
	r.progress.tell("read", store.PartAccounts, n)
	if err := r.mail(ctx); err != nil {
		return err
	}
	if err := r.members(ctx); err != nil {
		return err
	}
	return r.logs(ctx)
}

// exists asks for one account, whom the first walk has not seen.
func (r *reconciler) exists(ctx context.Context, user ident.UserID) (bool, error) {
	if _, ok := r.users[hash(string(user))]; ok {
		return true, nil
	}
	_, err := r.engine.Directory().Accounts().Account(ctx, user)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// mail removes the messages of users who have no account.
func (r *reconciler) mail(ctx context.Context) error {
	n := int64(0)
	last := ""
	return pages(ctx, r.walker, store.PartMail, "", func(p *store.WalkPage) error {
		for i := range p.Entries {
			n++
			user := p.Entries[i].Owner
			if user == last {
				continue
			}
			last = user
			there, err := r.exists(ctx, ident.UserID(user))
			if err != nil {
				return err
			}
			if there {
				continue
			}
			gone, err := r.engine.Mail().Purge(ident.UserID(user))
			if err != nil {
				return err
			}
			r.mended.Mail += int64(gone)
			r.mended.Mailboxes++
		}
		r.progress.tell("reconciled", store.PartMail, n)
		return nil
	})
}

// members removes members without accounts, and whatever else is left of them: it is what removing their account does.
func (r *reconciler) members(ctx context.Context) error {
	strays, n := map[ident.UserID]int64{}, int64(0)
	err := entries(ctx, r.walker, store.PartMembers, func(e *store.Entry) error {
		n++
		there, err := r.exists(ctx, e.Member.User)
		if err == nil && !there {
			strays[e.Member.User]++
		}
		return err
	})
	if err != nil {
		return err
	}
	r.progress.tell("reconciled", store.PartMembers, n)
	for user, groups := range strays {
		if err := r.remove(user); err != nil {
			return err
		}
		r.mended.Left += groups
	}
	return nil
}

// remove completes the removal of an account.
func (r *reconciler) remove(user ident.UserID) error {
	if err := r.engine.Directory().Accounts().Remove(user); err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return nil
}

// logs drops entries of groups that don't exist.
func (r *reconciler) logs(ctx context.Context) error {
	var orphans []store.GroupDone
	last, there := "", false
	err := entries(ctx, r.walker, store.PartLog, func(e *store.Entry) error {
		if e.Owner != last {
			_, err := r.engine.Directory().Groups().Group(ctx, ident.GroupID(e.Owner))
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
			last, there = e.Owner, err == nil
		}
		if !there && e.Log.Done == 0 {
			orphans = append(orphans, store.GroupDone{Group: ident.GroupID(e.Owner), IDs: []ident.MessageID{e.Log.ID}})
		}
		return nil
	})
	if err != nil || len(orphans) == 0 {
		return err
	}
	_, err = r.engine.GroupLog().Commit(&store.GroupBatch{Done: orphans}) // what is done is forgotten after a while
	r.mended.GroupEntries = int64(len(orphans))
	return err
}
