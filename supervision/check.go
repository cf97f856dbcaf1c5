package supervision

import (
	"errors"
	"fmt"
	"time"
)

// ErrBadSpec is why a supervisor isn't started, or a child not taken: what it is asked to do makes no sense.
var ErrBadSpec = errors.New("supervision: a bad spec")

// CheckChildSpecs reports what is wrong with the specs of a supervisor's children: an id that is missing or there twice, no way to
// make the actor, a value out of range, or a child that can't be significant. It is what a supervisor does at its start.
func CheckChildSpecs(auto AutoShutdown, specs ...ChildSpec) error {
	seen := map[string]bool{}
	for _, c := range specs {
		if err := c.check(auto); err != nil {
			return err
		}
		if seen[c.ID] {
			return fmt.Errorf("%w: two children are called %q", ErrBadSpec, c.ID)
		}
		seen[c.ID] = true
	}
	return nil
}

func (c *ChildSpec) check(auto AutoShutdown) error {
	bad := func(what string, v ...any) error {
		return fmt.Errorf("%w: child %q %s", ErrBadSpec, c.ID, fmt.Sprintf(what, v...))
	}
	switch {
	case c.ID == "":
		return fmt.Errorf("%w: a child has no id", ErrBadSpec)
	case c.Spec.Kind == "" || c.Spec.New == nil:
		return bad("has no kind or no behaviour")
	case c.Restart > Temporary:
		return bad("has restart type %v", c.Restart)
	case c.Type > dynamicType:
		return bad("is of type %v", c.Type)
	case c.Shutdown < 0 && c.Shutdown != Brutal:
		return bad("has a shutdown of %v", c.Shutdown)
	case c.Significant && auto == Never:
		return bad("is significant, and its supervisor never shuts itself down")
	case c.Significant && c.Restart == Permanent:
		return bad("is significant and permanent")
	}
	return nil
}

// check reports what is wrong with a supervisor's spec, children included.
func (s *SupervisorSpec) check() error {
	switch {
	case s.Strategy > RestForOne:
		return fmt.Errorf("%w: supervisor %q has strategy %v", ErrBadSpec, s.ID, s.Strategy)
	case s.AutoShutdown > AllSignificant:
		return fmt.Errorf("%w: supervisor %q has auto_shutdown %v", ErrBadSpec, s.ID, s.AutoShutdown)
	case s.Period < 0:
		return fmt.Errorf("%w: supervisor %q has a period of %v", ErrBadSpec, s.ID, s.Period)
	}
	if err := s.Backoff.check(); err != nil {
		return fmt.Errorf("%w: supervisor %q: %w", ErrBadSpec, s.ID, err)
	}
	return CheckChildSpecs(s.AutoShutdown, s.Children...)
}

// check reports what is wrong with a dynamic supervisor's spec.
func (s *DynamicSpec) check() error {
	switch {
	case s.Child.Kind == "" || s.Child.New == nil:
		return fmt.Errorf("%w: the children of %q have no kind or no behaviour", ErrBadSpec, s.ID)
	case s.Restart > Temporary:
		return fmt.Errorf("%w: the children of %q have restart type %v", ErrBadSpec, s.ID, s.Restart)
	case s.Shutdown < 0 && s.Shutdown != Brutal:
		return fmt.Errorf("%w: the children of %q have a shutdown of %v", ErrBadSpec, s.ID, s.Shutdown)
	case s.Period < 0 || s.MaxChildren < 0:
		return fmt.Errorf("%w: %q has a period of %v, and at most %d children", ErrBadSpec, s.ID, s.Period, s.MaxChildren)
	}
	if err := s.Backoff.check(); err != nil {
		return fmt.Errorf("%w: %q: %w", ErrBadSpec, s.ID, err)
	}
	return nil
}

// check reports what is wrong with a delay.
func (b *Backoff) check() error {
	if b.Min < 0 || b.Max < 0 || b.Max > 0 && b.Max < b.Min || b.Jitter < 0 || b.Jitter > 1 || b.Reset < 0 || b.Min > maxDelay {
		return fmt.Errorf("the back-off %v to %v, jitter %v, reset %v is out of range", b.Min, b.Max, b.Jitter, b.Reset)
	}
	return nil
}

// maxDelay is the longest delay there is: a day.
const maxDelay = 24 * time.Hour
