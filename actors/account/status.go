package account

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
)

// status is what may be shown of an account: numbers and flags, and nothing of who is in the roster or what opens it.
type status struct {
	Known    bool   `json:"known"`   // it was read once
	Loading  bool   `json:"loading"` // it is being read
	Exists   bool   `json:"exists"`
	Disabled bool   `json:"disabled"`
	Revision uint64 `json:"revision"` // of the roster

	Contacts contactStatus `json:"contacts"`
	Sessions sessionStatus `json:"sessions"`

	Failures int `json:"failures"` // wrong passwords in a row

	Waiting  int  `json:"waiting"`  // messages that came before it was read
	Changing bool `json:"changing"` // a change is on its way to the store
	Tries    int  `json:"tries"`    // of that change
	Changes  int  `json:"changes"`  // that wait for it
}

// contactStatus counts contacts by what they are; one may be counted several times.
type contactStatus struct {
	All        int `json:"all"`
	Listed     int `json:"listed"` // as clients see it
	To         int `json:"to"`
	From       int `json:"from"`
	PendingOut int `json:"pending_out"`
	PendingIn  int `json:"pending_in"`
}

// sessionStatus counts bound sessions.
type sessionStatus struct {
	All        int `json:"all"`
	Available  int `json:"available"`
	Interested int `json:"interested"`
	Leaving    int `json:"leaving"` // ended for another to take over
}

// FormatStatus implements actors.StatusFormatter.
func (a *actor) FormatStatus() any { return a.st.status() }

func (st *state) status() status {
	s := status{
		Known: st.known, Loading: st.loading, Exists: st.exists, Disabled: st.account.Disabled, Revision: st.rev,
		Failures: st.throttle.failures, Waiting: len(st.stash), Changing: st.work != nil, Changes: len(st.backlog),
	}
	if st.work != nil {
		s.Tries = st.work.tries
	}
	s.Contacts.All, s.Sessions.All = len(st.contacts), len(st.sessions)
	for _, c := range st.contacts {
		count(&s.Contacts.Listed, c.visible())
		count(&s.Contacts.To, c.sub.to)
		count(&s.Contacts.From, c.sub.from)
		count(&s.Contacts.PendingOut, c.sub.pendingOut)
		count(&s.Contacts.PendingIn, c.sub.pendingIn)
	}
	for _, r := range st.sessions {
		count(&s.Sessions.Available, r.available())
		count(&s.Sessions.Interested, r.interested)
		count(&s.Sessions.Leaving, !r.leavesAt.IsZero())
	}
	return s
}

func count(n *int, yes bool) {
	if yes {
		*n++
	}
}

// maxFailures is how many wrong passwords an operator can make it: far beyond the longest wait.
const maxFailures = 100

// replacement is the part of an account's state that an operator may set: all else is the store's.
type replacement struct {
	Failures *int `json:"failures"`
}

// ReplaceState implements actors.StateReplacer. A document {"failures": 0} lets a user whose password was guessed at log in
// without a wait; a higher number holds the guesser back.
func (a *actor) ReplaceState(ctx *actors.Context, doc []byte) error {
	fx := a.begin(ctx)
	if err := a.st.replace(doc, fx.now); err != nil {
		return err
	}
	fx.throttled = true
	a.run(ctx)
	return nil
}

func (st *state) replace(doc []byte, now time.Time) error {
	var to replacement
	d := json.NewDecoder(bytes.NewReader(doc))
	d.DisallowUnknownFields()
	switch err := d.Decode(&to); {
	case err != nil:
		return fmt.Errorf("account: the new state: %w", err)
	case to.Failures == nil:
		return errors.New(`account: the new state says nothing: write {"failures": 0}`)
	case *to.Failures < 0 || *to.Failures > maxFailures:
		return fmt.Errorf("account: the new state has %d failures, not 0 to %d", *to.Failures, maxFailures)
	}
	st.throttle = throttle{failures: *to.Failures, last: now}
	return nil
}
