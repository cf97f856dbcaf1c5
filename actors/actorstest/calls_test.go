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
				g.note(ref(t, from), ref(t, to), true)
				g.note(ref(t, from), ref(t, to), false)
			}
			var got []string
			for _, e := range g.cycle() {
				got = append(got, fmt.Sprintf("%v>%v", e.from, e.to))
			}
			if w := g.waited(); w != nil && c.name != "one actor" {
				t.Errorf("nobody waited, and yet%s", describe(w))
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

func TestCirclesOfWaiting(t *testing.T) {
	for _, c := range []struct{ name, calls, want string }{
		{"closed by the last", "a/1>b/1 b/1>c/1 a/1<b/1 c/1>a/1 a/1>c/1", "a/1>c/1 c/1>a/1"},
		{"over before", "a/1>b/1 a/1<b/1 b/1>a/1", ""},
		{"twice, over once", "a/1>b/1 a/1>b/1 a/1<b/1 b/1>a/1", "b/1>a/1 a/1>b/1"},
		{"three, and one beside", "a/1>x/1 a/1>b/1 b/1>c/1 b/1>x/1 c/1>a/1", "c/1>a/1 a/1>b/1 b/1>c/1"},
		{"oneself", "a/1>a/1", "a/1>a/1"},
		{"others of the kinds", "a/1>b/1 b/2>a/2", ""},
		{"of one kind", "a/1>a/2 a/2>a/1", "a/2>a/1 a/1>a/2"},
		{"the first counts", "a/1>a/1 a/1<a/1 b/1>b/1", "a/1>a/1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var g callGraph
			for _, s := range strings.Fields(c.calls) {
				at := strings.IndexAny(s, "<>")
				g.note(ref(t, s[:at]), ref(t, s[at+1:]), s[at] == '>')
			}
			var got []string
			for _, e := range g.waited() {
				got = append(got, fmt.Sprintf("%v>%v", e.from, e.to))
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("found %v, want %s", got, c.want)
			}
		})
	}
}

func TestAllowedCalls(t *testing.T) {
	k := new(Kit)
	k.AllowCalls("session", "session")
	call := func(from, to string) {
		k.calls.note(ref(t, from), ref(t, to), true)
		k.calls.note(ref(t, from), ref(t, to), false)
	}
	call("session/1", "session/2")
	call("session/2", "session/1")
	call("session/1", "mailbox/1")
	if c := k.calls.cycle(); c != nil {
		t.Errorf("found%s", describe(c))
	}
	call("mailbox/1", "session/1")
	if got, want := describe(k.calls.cycle()), "\n    mailbox/1 calls session/1\n    session/1 calls mailbox/1"; got != want {
		t.Errorf("found%s\nwant%s", got, want)
	}
}
