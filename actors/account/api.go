package account

import (
	"context"
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

// Caller makes blocking calls from outside of actors; *actors.System does.
type Caller interface {
	Call(ctx context.Context, to actors.Ref, req any) (any, error)
}

// Create makes a user with the given credentials. The code is OK or ALREADY_EXISTS.
func Create(ctx context.Context, c Caller, user ident.UserID, sha1, sha256 *nodepb.Scram) (nodepb.Code, error) {
	return changed(c.Call(ctx, Ref(user), &nodepb.CreateAccount{Sha1: sha1, Sha256: sha256}))
}

// SetPassword replaces a user's credentials; sessions go on. The code is OK or NO_SUCH_USER.
func SetPassword(ctx context.Context, c Caller, user ident.UserID, sha1, sha256 *nodepb.Scram) (nodepb.Code, error) {
	return changed(c.Call(ctx, Ref(user), &nodepb.SetPassword{Sha1: sha1, Sha256: sha256}))
}

// Remove ends a user's sessions and removes all that the account owns, its mail included. The code is OK or NO_SUCH_USER.
func Remove(ctx context.Context, c Caller, user ident.UserID) (nodepb.Code, error) {
	return changed(c.Call(ctx, Ref(user), &nodepb.RemoveAccount{}))
}

func changed(v any, err error) (nodepb.Code, error) {
	if err != nil {
		return nodepb.Code_CODE_UNSPECIFIED, err
	}
	return v.(*nodepb.AccountChanged).GetCode(), nil
}
