package account

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// Kind is the kind of account actors.
const Kind = "account"

// CallTimeout is what a caller should give an account to answer: it covers a commit on a busy disk.
const CallTimeout = 10 * time.Second

// Ref names a user's account.
func Ref(user ident.UserID) actors.Ref { return actors.Ref{Kind: Kind, ID: string(user)} }

// Counters count what all accounts of a node do. They are read at any time by whoever exports them.
type Counters struct {
	Dropped atomic.Int64 // presence, and the like, for actors that have no room or are out of reach
}

// Caller makes blocking calls from outside of actors; *actors.System does.
type Caller interface {
	Call(ctx context.Context, to actors.Ref, req any) (any, error)
}

// Create makes a user with the given credentials. The code is OK, ALREADY_EXISTS, BAD_REQUEST
// (no credentials), STORE_FULL, LATER or OUTCOME_UNKNOWN.
func Create(ctx context.Context, c Caller, user ident.UserID, sha1, sha256 *nodepb.Scram) (nodepb.Code, error) {
	return changed(c.Call(ctx, Ref(user), &nodepb.CreateAccount{Sha1: sha1, Sha256: sha256}))
}

// SetPassword replaces a user's credentials; sessions go on. The codes are those of Create, with NO_SUCH_USER
// for ALREADY_EXISTS.
func SetPassword(ctx context.Context, c Caller, user ident.UserID, sha1, sha256 *nodepb.Scram) (nodepb.Code, error) {
	return changed(c.Call(ctx, Ref(user), &nodepb.SetPassword{Sha1: sha1, Sha256: sha256}))
}

// Remove ends a user's sessions and removes all that the account owns, its mail included. The codes are those of
// SetPassword.
func Remove(ctx context.Context, c Caller, user ident.UserID) (nodepb.Code, error) {
	return changed(c.Call(ctx, Ref(user), &nodepb.RemoveAccount{}))
}

// Caster casts from anywhere; *actors.System does.
type Caster interface {
	Cast(to actors.Ref, msg any) error
}

// Reload tells an account that the store was changed underneath it, by an import say: it is read again, and the user's
// mailbox hears of it if it is new.
func Reload(c Caster, user ident.UserID) error {
	return c.Cast(Ref(user), &nodepb.MailboxChange{What: nodepb.MailboxChange_CREATED})
}

func changed(v any, err error) (nodepb.Code, error) {
	if err != nil {
		return nodepb.Code_CODE_UNSPECIFIED, err
	}
	done, ok := v.(*nodepb.AccountChanged)
	if !ok {
		return nodepb.Code_CODE_UNSPECIFIED, fmt.Errorf("account: answered with %T", v)
	}
	return done.GetCode(), nil
}
