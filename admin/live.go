package admin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/account"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/store"
)

// System is what Live needs of the actors; *actors.System is one.
type System interface {
	account.Caller
	account.Caster
}

// Live manages the users of the server that it is part of.
type Live struct {
	// System runs the account actors.
	System System
	// Accounts are those of the store, for lists and imports.
	Accounts store.Accounts
}

// reloadPause is how long an account whose queue is full is left alone before it is told again.
const reloadPause = 10 * time.Millisecond

type accountCall func(context.Context, account.Caller, ident.UserID) (nodepb.Code, error)

// call asks an account and waits for its answer.
func (l Live) call(ctx context.Context, user ident.UserID, f accountCall) error {
	ctx, cancel := context.WithTimeout(ctx, account.CallTimeout)
	defer cancel()
	code, err := f(ctx, l.System, user)
	switch {
	case errors.Is(err, actors.ErrOverloaded):
		return ErrBusy
	case err != nil:
		return fmt.Errorf("%w (%w)", ErrUnknown, err)
	}
	return outcome(code)
}

// Create implements Users.
func (l Live) Create(ctx context.Context, u User) error {
	return l.call(ctx, u.ID, func(ctx context.Context, c account.Caller, id ident.UserID) (nodepb.Code, error) {
		return account.Create(ctx, c, id, u.SHA1, u.SHA256)
	})
}

// SetPassword implements Users.
func (l Live) SetPassword(ctx context.Context, u User) error {
	return l.call(ctx, u.ID, func(ctx context.Context, c account.Caller, id ident.UserID) (nodepb.Code, error) {
		return account.SetPassword(ctx, c, id, u.SHA1, u.SHA256)
	})
}

// Remove implements Users.
func (l Live) Remove(ctx context.Context, user ident.UserID) error {
	return l.call(ctx, user, account.Remove)
}

// List implements Users.
func (l Live) List(ctx context.Context, after ident.UserID, limit int) ([]Entry, error) {
	return list(ctx, l.Accounts, after, limit)
}

// Import implements Users. Each account is told to read itself again.
func (l Live) Import(ctx context.Context, users []User) (int, error) {
	created, err := put(ctx, l.Accounts, users, time.Now())
	if err != nil {
		return 0, err
	}
	for _, u := range users {
		if err := l.reload(ctx, u.ID); err != nil {
			return created, err
		}
	}
	return created, nil
}

// reload tells one account, however busy it is.
func (l Live) reload(ctx context.Context, user ident.UserID) error {
	for {
		err := account.Reload(l.System, user)
		if !errors.Is(err, actors.ErrOverloaded) {
			if err != nil {
				return fmt.Errorf("%w (%w)", ErrUnknown, err)
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return ErrUnknown
		case <-time.After(reloadPause):
		}
	}
}
