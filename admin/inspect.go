package admin

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/proto/adminpb"
)

// Inspector looks into single actors of a running server, as sys does in OTP: on the actor's own turn, whatever waits in its queue. A
// Ref may be a registered name, and one without a node finds this node's pinned actor too. No actor is woken by it, and each use is
// logged. The refusals are ErrNoActor, ErrBusy (the actor didn't come to it in time) and ErrInvalid (its kind can't). It may be used by
// any number of goroutines. A server implements it, and [Client].
type Inspector interface {
	// State returns what the actor's FormatStatus gives, as JSON.
	State(ctx context.Context, ref actors.Ref) (doc []byte, err error)
	// Replace gives the actor another state, a JSON document of its own form.
	Replace(ctx context.Context, ref actors.Ref, doc []byte) error
	// Suspend leaves user messages and calls in the actor's queue until Resume. Neither minds being repeated.
	Suspend(ctx context.Context, ref actors.Ref) error
	// Resume ends Suspend.
	Resume(ctx context.Context, ref actors.Ref) error
	// ActorStatus tells how the actor is; of one that is stuck, what can be seen from outside.
	ActorStatus(ctx context.Context, ref actors.Ref) (*adminpb.ActorStatus, error)
	// Trace calls f for each of the next n messages as the actor handles them, 1 to MaxTrace, on the caller's goroutine. It returns
	// after the last, with f's error, when ctx is over, or when the actor has ended.
	Trace(ctx context.Context, ref actors.Ref, n int, f func(*adminpb.TraceEvent) error) error
}

// Overview looks at a running server as a whole. It may be used by any number of goroutines. A server implements it, and [Client].
type Overview interface {
	// Tree asks the live supervisors what runs.
	Tree(ctx context.Context) (*adminpb.TreeNode, error)
	// Top measures the load now, without asking any actor.
	Top(ctx context.Context) (*adminpb.Top, error)
	// Dump writes a crash dump into the server's data folder and tells where.
	Dump(ctx context.Context) (*adminpb.Dumped, error)
	// DumpTo writes a crash dump to w.
	DumpTo(ctx context.Context, w io.Writer) error
}

// Refuse is a refusal in other words: errors.Is finds it, and the text is all that is shown.
func Refuse(refusal error, format string, args ...any) error {
	return &wordedError{text: "admin: " + fmt.Sprintf(format, args...), refusal: refusal}
}

// MaxTrace bounds the messages of one Trace.
const MaxTrace = 100_000

// ParseRef reads what an operator types for an actor: kind/id, kind/id@node for a pinned one, or a registered name, which has no slash.
func ParseRef(text string) (actors.Ref, error) {
	if text != "" && !strings.Contains(text, "/") {
		return actors.Named(text), nil
	}
	ref, err := actors.ParseRef(text)
	if err != nil {
		return actors.Ref{}, fmt.Errorf("admin: %q names no actor: write kind/id as in mailbox/juliet@localhost, kind/id@node for one that is pinned to a node, or a registered name", text)
	}
	return ref, nil
}

// RefText writes what ParseRef reads.
func RefText(ref actors.Ref) string {
	if ref == actors.Named(ref.ID) {
		return ref.ID
	}
	return ref.String()
}
