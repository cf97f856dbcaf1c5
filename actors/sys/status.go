package sys

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
)

// statusTime is how long Status waits for the actor's turn before it looks from outside.
const statusTime = time.Second

// Report is what is known of one actor. Its JSON has the keys of MarshalJSON, with durations in milliseconds.
type Report struct {
	actors.Facts
	// OnTurn says that the actor itself was asked. If not, its handler doesn't return, or very much waits before its turn: then
	// Restarts, Timers, Monitors, Links, Calls, Behaviour, Memory and State are not known.
	OnTurn bool
	// Behaviour is the type of its behaviour; empty between two lives.
	Behaviour string
	// Memory estimates, in bytes, what its state holds, without its queue: see SizeOf.
	Memory int
	// State is what GetState returns; nil if it isn't known.
	State json.RawMessage
}

// Status returns all that is known of an actor. One that doesn't give its turn within a second, or until ctx is over, is looked
// at from outside. by is who asks, for the log. The error is actors.ErrNoProc.
func Status(ctx context.Context, s *actors.System, ref actors.Ref, by string) (Report, error) {
	log(s, ref, by, "an actor's status is read")
	turn, cancel := context.WithTimeout(ctx, statusTime)
	defer cancel()
	r := new(Report) // the turn's own if it comes too late
	err := onTurn(turn, s, ref, func(i *actors.Inspection) error {
		b := i.Behaviour()
		*r = Report{Facts: i.Facts(), OnTurn: true, State: Format(b)}
		if b != nil {
			r.Behaviour, r.Memory = fmt.Sprintf("%T", b), SizeOf(b)
		}
		return nil
	})
	if err == nil {
		return *r, nil
	}
	if errors.Is(err, actors.ErrNoProc) {
		return Report{}, err
	}
	f, err := s.Facts(ref)
	if err != nil {
		return Report{}, fmt.Errorf("sys: %v: %w", ref, err)
	}
	return Report{Facts: f}, nil
}

// report is the JSON of a Report.
type report struct {
	Ref       string          `json:"ref"`
	OnTurn    bool            `json:"on_turn"`
	Phase     string          `json:"phase"`
	Behaviour string          `json:"behaviour,omitempty"`
	Queue     int             `json:"queue"`
	Control   int             `json:"control"`
	Oldest    int64           `json:"oldest_ms"`
	Waiting   map[string]int  `json:"waiting,omitempty"`
	Running   string          `json:"running,omitempty"`
	For       int64           `json:"running_ms,omitempty"`
	Last      string          `json:"last,omitempty"`
	Restarts  *int            `json:"restarts,omitempty"`
	Timers    *int            `json:"timers,omitempty"`
	Monitors  *int            `json:"monitors,omitempty"`
	Links     *int            `json:"links,omitempty"`
	Calls     *int            `json:"calls,omitempty"`
	Memory    *int            `json:"memory_bytes,omitempty"`
	State     json.RawMessage `json:"state,omitempty"`
}

// MarshalJSON implements json.Marshaler. What isn't known is left out.
func (r Report) MarshalJSON() ([]byte, error) {
	out := report{
		Ref: r.Ref.String(), OnTurn: r.OnTurn, Phase: r.Phase, Behaviour: r.Behaviour,
		Queue: r.Queue, Control: r.Control, Oldest: r.Oldest.Milliseconds(), Waiting: r.Waiting,
		Running: r.Running, For: r.For.Milliseconds(), Last: r.Last, State: r.State,
	}
	if r.OnTurn {
		out.Restarts, out.Timers, out.Monitors, out.Links, out.Calls = &r.Restarts, &r.Timers, &r.Monitors, &r.Links, &r.Calls
		out.Memory = &r.Memory
	}
	return json.Marshal(out)
}
