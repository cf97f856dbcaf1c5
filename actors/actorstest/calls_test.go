package actorstest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackdaw-im/jackdaw/actors"
)

func TestCircles(t *testing.T) {
	for _, c := range []struct{ name, calls, want string }{
		{"none", "a/1>b/1 b/1>c/1 a/2>c/1 a/1>b/2", ""},
		{"one actor", "a/1>a/1", "a/1>a/1"},
		{"two kinds", "a/1>b/1 b/1>a/1", "a/1>b/1 b/1>a/1"},
		{"two kinds, other actors", "a/1>b/1 x/1>y/1 b/2>a/3", "a/1>b/1 b/2>a/3"},
		{"three kinds", "a/1>b/1 c/1>a/1 b/1>c/1", "a/1>b/1 b/1>c/1 c/1>a/1"},
		{"beside the way to it", "0/1>b/1 b/1>c/1 c/1>d/1 d/1>c/2", "c/1>d/1 d/1>c/2"},
		{"a row of one kind", "a/1>a/2 a/2>a/3", ""},
		{"a ring of one kind", "a/1>a/2 a/2>a/3 a/3>a/1", "a/1>a/2 a/2>a/3 a/3>a/1"},
		{"within a kind and out", "a/1>a/2 a/2>b/1 b/1>c/1", ""},
		{"the same again", "a/1>b/1 a/1>b/1 a/1>a/2 a/1>a/2", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var g callGraph
			for _, s := range strings.Fields(c.calls) {
				from, to, _ := strings.Cut(s, ">")
				g.note(ref(t, from), ref(t, to))
			}
			var got []string
			for _, e := range g.cycle() {
				got = append(got, fmt.Sprintf("%v>%v", e.from, e.to))
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("found %v, want %s", got, c.want)
			}
		})
	}
}

func ref(t *testing.T, s string) actors.Ref {
	t.Helper()
	r, err := actors.ParseRef(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAllowedCalls(t *testing.T) {
	k := new(Kit)
	k.AllowCalls("session", "session")
	k.calls.note(ref(t, "session/1"), ref(t, "session/1"))
	k.calls.note(ref(t, "session/1"), ref(t, "mailbox/1"))
	if c := k.calls.cycle(); c != nil {
		t.Errorf("found%s", describe(c))
	}
	k.calls.note(ref(t, "mailbox/1"), ref(t, "session/1"))
	if got, want := describe(k.calls.cycle()), "\n    mailbox/1 calls session/1\n    session/1 calls mailbox/1"; got != want {
		t.Errorf("found%s\nwant%s", got, want)
	}
}
