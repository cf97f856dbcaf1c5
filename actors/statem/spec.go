package statem

import (
	"errors"

	"github.com/jackdaw-im/jackdaw/actors"
)

// Spec is how actors of one kind that follow m are made. Its other fields may be set before it is used.
func Spec[S comparable, D any](kind string, m *Machine[S, D]) actors.Spec {
	return actors.Spec{Kind: kind, New: func() actors.Behaviour { return New(m) }}
}

// New returns the behaviour of one actor that follows m, which needs an Init and something that handles events.
func New[S comparable, D any](m *Machine[S, D]) actors.Behaviour {
	return &machine[S, D]{engine: engine[S, D]{def: m}}
}

// check says what m lacks.
func (m *Machine[S, D]) check() error {
	switch {
	case m == nil || m.Init == nil:
		return errors.New("statem: a machine needs Init")
	case m.Handle == nil && len(m.States) == 0:
		return errors.New("statem: a machine needs Handle or States")
	}
	return nil
}

func (m *Machine[S, D]) postponeLen() int {
	if m.PostponeLen == 0 {
		return DefaultPostponeLen
	}
	return m.PostponeLen
}
