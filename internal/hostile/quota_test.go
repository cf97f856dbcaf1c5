//go:build !race

package hostile

import (
	"fmt"
	"strings"
	"testing"
)

// befriend puts people into a user's list of contacts.
func (s *server) befriend(t *testing.T, user string, friends ...string) {
	t.Helper()
	w := s.witness(t, user)
	for _, friend := range friends {
		if _, err := w.Request(t.Context(), "set", "", []byte("<query xmlns='jabber:iq:roster'><item jid='"+friend+"@localhost'/></query>")); err != nil {
			t.Fatal(err)
		}
	}
	w.leave()
}

const noRoom = "wait resource-constraint"

// fill sends n messages, of which as many come back as don't fit.
func (w *witness) fill(to string, n, fit int) (kept []string) {
	w.t.Helper()
	bodies := numbered(strings.SplitN(w.JID(), "@", 2)[0], n, 0)
	for _, body := range bodies {
		w.says(to, body)
	}
	w.settles()
	w.mu.Lock()
	refused := w.mu.errors
	w.mu.errors = nil
	w.mu.Unlock()
	if len(refused) != n-fit {
		w.t.Fatalf("%d of %d messages came back, and not %d: %.200q", len(refused), n, n-fit, refused)
	}
	for i, r := range refused {
		if want := bodies[fit+i] + ": " + noRoom; r != want {
			w.t.Errorf("refused with %q, want %q", r, want)
		}
	}
	return bodies[:fit]
}

// TestOneStrangerCannotFillAMailbox: a stranger gets little in, a contact a share, and both are told of the rest; others go on.
func TestOneStrangerCannotFillAMailbox(t *testing.T) {
	s := usual.get(t)
	name, friend := s.account(t), s.account(t)
	s.befriend(t, name, friend)
	stranger, contact := s.witness(t, s.account(t)), s.witness(t, friend)
	to := name + "@localhost"
	want := stranger.fill(to, roomStranger+50, roomStranger)
	want = append(want, contact.fill(to, roomShare+20, roomShare)...)
	w := s.witness(t, name)
	w.gets(want...)
	stranger.says(to, "now there is room again")
	w.gets("now there is room again")
}

// TestFullMailbox: once it is full, everybody is told so, and nothing that was taken is lost.
func TestFullMailbox(t *testing.T) {
	s := usual.get(t)
	name := s.account(t)
	to := name + "@localhost"
	friends := make([]string, roomMessages/roomShare+1)
	for i := range friends {
		friends[i] = s.account(t)
	}
	s.befriend(t, name, friends...)
	var want []string
	for i, friend := range friends {
		w := s.witness(t, friend)
		if i < len(friends)-1 {
			want = append(want, w.fill(to, roomShare, roomShare)...)
		} else {
			w.fill(to, 3, 0)
		}
		w.leave()
	}
	if len(want) != roomMessages {
		t.Fatal(len(want))
	}
	w := s.witness(t, name)
	w.gets(want...)
	late := s.witness(t, friends[len(friends)-1])
	late.says(to, "at last")
	w.gets("at last")
}

// TestManyAddresses: messages for users who are not there come back one by one.
func TestManyAddresses(t *testing.T) {
	s := usual.get(t)
	w := s.witness(t, s.account(t))
	for i := range 300 { // mailboxes of nobody
		w.says(fmt.Sprintf("nobody%d@localhost", i), fmt.Sprintf("to nobody %d", i))
	}
	for _, refusal := range w.refusals(300) {
		if !strings.HasSuffix(refusal, "cancel service-unavailable") {
			t.Fatal(refusal)
		}
	}
	w.says(w.JID(), "still there")
	w.gets("still there")
}
