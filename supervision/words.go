package supervision

import (
	"fmt"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
)

// Restart says which ends of a child are followed by a new start.
type Restart uint8

// The restart types of OTP.
const (
	// Permanent children are always started again.
	Permanent Restart = iota
	// Transient children are started again after an end other than normal or shutdown.
	Transient
	// Temporary children are never started again, and forgotten when they have ended.
	Temporary
)

func (r Restart) again(reason actors.Reason) bool {
	return r == Permanent || r == Transient && !reason.IsNormal()
}

// Strategy says which siblings go along with a child that is started again.
type Strategy uint8

// The strategies of OTP.
const (
	// OneForOne restarts the child alone.
	OneForOne Strategy = iota
	// OneForAll stops all children and starts them again.
	OneForAll
	// RestForOne does so with the child and those started after it.
	RestForOne
)

// AutoShutdown says whether a supervisor ends when significant children have ended by themselves.
type AutoShutdown uint8

// The values of OTP's auto_shutdown.
const (
	// Never takes no significant children.
	Never AutoShutdown = iota
	// AnySignificant ends with the first of them.
	AnySignificant
	// AllSignificant ends with the last of them.
	AllSignificant
)

// Type says what a child is, for listings.
type Type uint8

// The types of children.
const (
	Worker Type = iota
	SupervisorType
	dynamicType // a partition of a dynamic supervisor: stops by itself, starts like a worker
)

// State says how a child is.
type State uint8

// The states of a child. OTP's words for them are a pid, restarting and undefined; a supervisor that starts its children answers
// meanwhile, and so there is Starting.
const (
	// Stopped children have no actor: they have ended, or have been stopped or declined.
	Stopped State = iota
	// Starting children initialise, or wait for those before them.
	Starting
	// Running children have initialised.
	Running
	// Restarting children are about to be started again, at once or after a delay.
	Restarting
)

// ShutdownTime is how long a child may take to stop, as it is written in listings: a time, infinity or brutal_kill.
type ShutdownTime time.Duration

// The words of OTP.
var (
	restartWords  = words{"permanent", "transient", "temporary"}
	strategyWords = words{"one_for_one", "one_for_all", "rest_for_one"}
	autoWords     = words{"never", "any_significant", "all_significant"}
	typeWords     = words{"worker", "supervisor", "dynamic"}
	stateWords    = words{"stopped", "starting", "running", "restarting"}
)

type words []string

func (w words) word(i uint8) string {
	if int(i) < len(w) {
		return w[i]
	}
	return fmt.Sprintf("invalid(%d)", i)
}

func (w words) marshal(i uint8) ([]byte, error) { return []byte(w.word(i)), nil }

func (w words) unmarshal(text []byte, to *uint8) error {
	for i, s := range w {
		if s == string(text) {
			*to = uint8(i)
			return nil
		}
	}
	return fmt.Errorf("supervision: %q is none of %v", text, []string(w))
}

// String writes OTP's word.
func (r Restart) String() string { return restartWords.word(uint8(r)) }

// MarshalText writes OTP's word.
func (r Restart) MarshalText() ([]byte, error) { return restartWords.marshal(uint8(r)) }

// UnmarshalText reads OTP's word.
func (r *Restart) UnmarshalText(text []byte) error {
	return restartWords.unmarshal(text, (*uint8)(r))
}

// String writes OTP's word.
func (s Strategy) String() string { return strategyWords.word(uint8(s)) }

// MarshalText writes OTP's word.
func (s Strategy) MarshalText() ([]byte, error) { return strategyWords.marshal(uint8(s)) }

// UnmarshalText reads OTP's word.
func (s *Strategy) UnmarshalText(text []byte) error {
	return strategyWords.unmarshal(text, (*uint8)(s))
}

// String writes OTP's word.
func (a AutoShutdown) String() string { return autoWords.word(uint8(a)) }

// MarshalText writes OTP's word.
func (a AutoShutdown) MarshalText() ([]byte, error) { return autoWords.marshal(uint8(a)) }

// UnmarshalText reads OTP's word.
func (a *AutoShutdown) UnmarshalText(text []byte) error {
	return autoWords.unmarshal(text, (*uint8)(a))
}

// String writes worker, supervisor, or dynamic for a partition of a dynamic supervisor.
func (t Type) String() string { return typeWords.word(uint8(t)) }

// MarshalText writes what String does.
func (t Type) MarshalText() ([]byte, error) { return typeWords.marshal(uint8(t)) }

// UnmarshalText reads what String writes.
func (t *Type) UnmarshalText(text []byte) error { return typeWords.unmarshal(text, (*uint8)(t)) }

// String writes stopped, starting, running or restarting.
func (s State) String() string { return stateWords.word(uint8(s)) }

// MarshalText writes what String does.
func (s State) MarshalText() ([]byte, error) { return stateWords.marshal(uint8(s)) }

// UnmarshalText reads what String writes.
func (s *State) UnmarshalText(text []byte) error { return stateWords.unmarshal(text, (*uint8)(s)) }

// String writes OTP's words, or the time.
func (s ShutdownTime) String() string {
	switch time.Duration(s) {
	case Infinity:
		return "infinity"
	case Brutal:
		return "brutal_kill"
	}
	return time.Duration(s).String()
}

// MarshalText writes what String does.
func (s ShutdownTime) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what String writes.
func (s *ShutdownTime) UnmarshalText(text []byte) error {
	switch string(text) {
	case "infinity":
		*s = ShutdownTime(Infinity)
		return nil
	case "brutal_kill":
		*s = ShutdownTime(Brutal)
		return nil
	}
	d, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("supervision: %q is no shutdown time: %w", text, err)
	}
	*s = ShutdownTime(d)
	return nil
}
