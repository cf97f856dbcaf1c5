package admin

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/xmpp"
	"github.com/jackdaw-im/jackdaw/xmpp/sasl"
)

// Users is what can be done to the users of a server. A call has happened, durably, when it returns nil. It may be used by any
// number of goroutines. The errors a caller may branch on are those below.
type Users interface {
	// Create makes a user. ErrExists, ErrFull.
	Create(ctx context.Context, u User) error
	// SetPassword replaces what checks a user's password; sessions go on. ErrNoUser.
	SetPassword(ctx context.Context, u User) error
	// Remove ends a user's sessions and removes all that the account owns, waiting messages included. ErrNoUser.
	Remove(ctx context.Context, user ident.UserID) error
	// List returns up to limit users in ascending order, those after the given one; none at the end only.
	List(ctx context.Context, after ident.UserID, limit int) ([]Entry, error)
	// Import makes these users, or sets the password of those that there are; all, or after an error none. It returns how many are new.
	Import(ctx context.Context, users []User) (created int, err error)
}

// User is one account with what checks its password.
type User struct {
	ID           ident.UserID
	SHA1, SHA256 *nodepb.Scram
}

// Entry is one line of a list.
type Entry struct {
	ID       ident.UserID
	Created  time.Time
	Disabled bool // may not log in; messages are still queued
}

// The refusals of Users, Inspector and Overview.
var (
	// ErrExists refuses to make a user that there is.
	ErrExists = errors.New("admin: the user exists already")
	// ErrNoUser says that there is no such user.
	ErrNoUser = errors.New("admin: there is no such user")
	// ErrNoActor says that no such actor is alive.
	ErrNoActor = errors.New("admin: no such actor is alive")
	// ErrFull refuses to store more while the disk is nearly full.
	ErrFull = errors.New("admin: the disk is nearly full; make room, and try again")
	// ErrBusy says that the server has too much to do, and did nothing of what was asked.
	ErrBusy = errors.New("admin: the server is too busy; try again")
	// ErrUnknown says that it may or may not have happened. It may be repeated.
	ErrUnknown = errors.New("admin: the server did not answer in time; look whether it has happened, or try again")
	// ErrInvalid refuses what makes no sense, such as a user at a domain that the server doesn't serve.
	ErrInvalid = errors.New("admin: the request makes no sense")
)

// outcomes pairs the refusals with the codes that travel.
var outcomes = []struct {
	code nodepb.Code
	err  error
}{
	{nodepb.Code_ALREADY_EXISTS, ErrExists},
	{nodepb.Code_NO_SUCH_USER, ErrNoUser},
	{nodepb.Code_NOT_FOUND, ErrNoActor},
	{nodepb.Code_STORE_FULL, ErrFull},
	{nodepb.Code_LATER, ErrBusy},
	{nodepb.Code_OUTCOME_UNKNOWN, ErrUnknown},
	{nodepb.Code_BAD_REQUEST, ErrInvalid},
}

// outcome is the error of a code; nil for OK.
func outcome(code nodepb.Code) error {
	if code == nodepb.Code_OK {
		return nil
	}
	for _, o := range outcomes {
		if o.code == code {
			return o.err
		}
	}
	return fmt.Errorf("%w (%v)", ErrUnknown, code)
}

// codeOf is the code of an error.
func codeOf(err error) nodepb.Code {
	for _, o := range outcomes {
		if errors.Is(err, o.err) {
			return o.code
		}
	}
	return nodepb.Code_CODE_UNSPECIFIED
}

// fromStore gives the store's errors this package's names.
func fromStore(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrExists):
		return ErrExists
	case errors.Is(err, store.ErrNotFound):
		return ErrNoUser
	case errors.Is(err, store.ErrFull):
		return fmt.Errorf("%w (%w)", ErrFull, err)
	case errors.Is(err, store.ErrInvalid):
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return fmt.Errorf("admin: %w", err)
}

// ParseUser reads a user's address and normalises it. One without a domain is taken to be at domain, unless that is empty.
func ParseUser(text, domain string) (ident.UserID, error) {
	full := text
	if !strings.Contains(text, "@") && domain != "" {
		full += "@" + domain
	}
	jid, err := xmpp.ParseJID(full)
	switch {
	case err != nil:
		return "", fmt.Errorf("admin: %q is not a user's address such as juliet@localhost: %w", text, err)
	case jid.Local == "" || jid.Resource != "":
		return "", fmt.Errorf("admin: %q is not a user's address: write it as in juliet@localhost, without a resource", text)
	}
	return jid.Bare(), nil
}

// otherDomain refuses a user at a domain that the server doesn't serve.
func otherDomain(id ident.UserID, domain string) error {
	return fmt.Errorf("%w: %s could not log in here, because this server serves %s", ErrInvalid, id, domain)
}

// NewUser makes the keys of a password. It takes about two milliseconds of a core, on purpose.
func NewUser(id ident.UserID, password string) (User, error) {
	sha1, sha256, err := sasl.NewCredentials(password)
	if err != nil {
		return User{}, fmt.Errorf("admin: %w", err)
	}
	return User{id, sha1, sha256}, nil
}

// account is the user as a store keeps it.
func (u User) account(now time.Time) store.Account {
	return store.Account{User: u.ID, SHA1: kept(u.SHA1), SHA256: kept(u.SHA256), Created: now}
}

func kept(s *nodepb.Scram) store.Scram {
	return store.Scram{Salt: s.GetSalt(), Iterations: int(s.GetIterations()), StoredKey: s.GetStoredKey(), ServerKey: s.GetServerKey()}
}

// list reads one page from a store.
func list(ctx context.Context, accounts store.Accounts, after ident.UserID, limit int) ([]Entry, error) {
	page, err := accounts.List(ctx, after, limit)
	if err != nil {
		return nil, fromStore(err)
	}
	entries := make([]Entry, len(page))
	for i, a := range page {
		entries[i] = Entry{a.User, a.Created, a.Disabled}
	}
	return entries, nil
}

// put imports users into a store. Those that exist keep the time of their making.
func put(ctx context.Context, accounts store.Accounts, users []User, now time.Time) (created int, err error) {
	batch := make([]store.Account, len(users))
	for i, u := range users {
		batch[i] = u.account(now)
		old, err := accounts.Account(ctx, u.ID)
		switch {
		case err == nil:
			batch[i].Created, batch[i].Disabled = old.Account.Created, old.Account.Disabled
		case !errors.Is(err, store.ErrNotFound):
			return 0, fromStore(err)
		}
	}
	created, err = accounts.Put(batch)
	return created, fromStore(err)
}
