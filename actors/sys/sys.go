package sys

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackdaw-im/jackdaw/actors"
)

// Errors of this package. Those of package actors come along: ErrNoProc of an actor that isn't there, which nothing here starts,
// and ErrTimeout of one that doesn't give its turn in time.
var (
	// ErrNoState: the actor has crashed and doesn't live again yet.
	ErrNoState = errors.New("sys: the actor has no state between two lives")
	// ErrNoReplace: the behaviour takes no state from outside.
	ErrNoReplace = errors.New("sys: this kind takes no other state from outside")
)

// GetState returns an actor's state as it may be shown, as JSON: what its behaviour's FormatStatus gives, or Describe of the
// behaviour. Null stands for that of an actor between two lives. by is who asks, for the log.
func GetState(ctx context.Context, s *actors.System, ref actors.Ref, by string) (json.RawMessage, error) {
	log(s, ref, by, "an actor's state is read")
	var doc json.RawMessage
	err := onTurn(ctx, s, ref, func(i *actors.Inspection) error {
		doc = Format(i.Behaviour())
		return nil
	})
	if err != nil {
		return nil, err
	}
	return doc, nil
}

// ReadState runs f on the actor's turn with its behaviour. f must not block, and neither change nor keep anything of it. A panic
// of f is returned as an error.
func ReadState(ctx context.Context, s *actors.System, ref actors.Ref, by string, f func(actors.Behaviour)) error {
	log(s, ref, by, "an actor's state is lent out")
	return onTurn(ctx, s, ref, func(i *actors.Inspection) error {
		b := i.Behaviour()
		if b == nil {
			return ErrNoState
		}
		f(b)
		return nil
	})
}

// ReplaceState runs f on the actor's turn: what it returns, the same behaviour changed or another one, takes over the actor with
// its timers, monitors and queue. After an error of f it stays as it is. A panic of f, which may have changed half of it, is a
// crash of the actor: its supervisor decides what follows.
func ReplaceState(ctx context.Context, s *actors.System, ref actors.Ref, by string, f func(actors.Behaviour) (actors.Behaviour, error)) error {
	log(s, ref, by, "an actor's state is replaced")
	return onTurn(ctx, s, ref, func(i *actors.Inspection) error {
		b := i.Behaviour()
		if b == nil {
			return ErrNoState
		}
		return crashing(i, func() error {
			next, err := f(b)
			switch {
			case err != nil:
				return fmt.Errorf("sys: replacing the state: %w", err)
			case next == nil:
				return errors.New("sys: replacing the state: nothing is no behaviour")
			}
			if !i.Replace(next) {
				return fmt.Errorf("sys: replacing the state: a %T can't take over from a %T", next, b)
			}
			return nil
		})
	})
}

// ReplaceStateWith gives the actor's behaviour a document to take its state, or the part of it that it lets others set, from; the
// form is the behaviour's own. ErrNoReplace: it is no actors.StateReplacer. After an error its state is the one before. A panic
// is a crash, as of ReplaceState.
func ReplaceStateWith(ctx context.Context, s *actors.System, ref actors.Ref, by string, doc []byte) error {
	log(s, ref, by, "an actor's state is replaced")
	if !json.Valid(doc) {
		return errors.New("sys: replacing the state: the document is no JSON")
	}
	return onTurn(ctx, s, ref, func(i *actors.Inspection) error {
		switch b := i.Behaviour().(type) {
		case nil:
			return ErrNoState
		case actors.StateReplacer:
			return crashing(i, func() error { return b.ReplaceState(i.Context(), doc) })
		}
		return ErrNoReplace
	})
}

// Suspend makes the actor leave user messages and calls in its queue, which stays bounded, until Resume. What supervisors and
// this package want of it still happens. Once is as good as twice.
func Suspend(ctx context.Context, s *actors.System, ref actors.Ref, by string) error {
	log(s, ref, by, "an actor is suspended")
	return onTurn(ctx, s, ref, func(i *actors.Inspection) error { i.Suspend(); return nil })
}

// Resume ends Suspend.
func Resume(ctx context.Context, s *actors.System, ref actors.Ref, by string) error {
	log(s, ref, by, "an actor is resumed")
	return onTurn(ctx, s, ref, func(i *actors.Inspection) error { i.Resume(); return nil })
}

// maxState bounds the JSON of one state, in bytes.
const maxState = 1 << 20

// unformatted is shown where FormatStatus has failed. Why it did could hold what must not be shown.
type unformatted struct {
	FormatStatus string `json:"format_status"`
	Behaviour    any    `json:"behaviour"`
}

// Format writes what may be shown of a behaviour, as GetState returns it. It is called on the actor's turn, since what FormatStatus
// returns may be the state's own slices and maps. One that panics, fails or has more than 1 MiB to say is shown as if there were
// none, without a word of why. b may be nil.
func Format(b actors.Behaviour) json.RawMessage {
	f, ok := b.(actors.StatusFormatter)
	if !ok {
		if b == nil {
			return json.RawMessage("null")
		}
		return described(Describe(b))
	}
	var doc []byte
	err := guarded(func() (err error) {
		doc, err = json.Marshal(f.FormatStatus())
		return err
	})
	switch {
	case err != nil:
		return described(unformatted{"it failed", Describe(b)})
	case len(doc) > maxState:
		return described(unformatted{"it is too long", Describe(b)})
	}
	return doc
}

// described writes what Describe returned, which is made to be written.
func described(v any) json.RawMessage {
	doc, err := json.Marshal(v)
	if err != nil {
		return json.RawMessage("null")
	}
	return doc
}
