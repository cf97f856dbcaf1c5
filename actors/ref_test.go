package actors_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/jackdaw-im/jackdaw/actors"
)

func TestParseRef(t *testing.T) {
	for s, want := range map[string]actors.Ref{
		"mailbox/a@example.org":              {Kind: "mailbox", ID: "a@example.org"},
		"session/17@n1@1699999999":           {Kind: "session", ID: "17", Node: "n1@1699999999"},
		"session/a@example.org@n1@5":         {Kind: "session", ID: "a@example.org", Node: "n1@5"},
		"session/a@b@c@d@n@0":                {Kind: "session", ID: "a@b@c@d", Node: "n@0"},
		"account/a@1":                        {Kind: "account", ID: "a@1"},   // an id with a host that is a number
		"account/a@b@c":                      {Kind: "account", ID: "a@b@c"}, // no incarnation is a word
		"account/a@@1":                       {Kind: "account", ID: "a@@1"},  // no node is without a name
		"account/a@n@-1":                     {Kind: "account", ID: "a@n@-1"},
		"account/a@n@":                       {Kind: "account", ID: "a@n@"},
		"group/rooms/kitchen":                {Kind: "group", ID: "rooms/kitchen"},
		"kind/@":                             {Kind: "kind", ID: "@"},
		"kind/" + strings.Repeat("x@", 5000): {Kind: "kind", ID: strings.Repeat("x@", 5000)},
	} {
		got, err := actors.ParseRef(s)
		if got != want || err != nil {
			t.Errorf("%.50q: got %v, %v; want %v", s, got, err, want)
		}
		if got.String() != s {
			t.Errorf("%.50q is written as %.50q", s, got)
		}
		if back := actors.RefOf(got.Proto()); back != got {
			t.Errorf("%.50q comes back from protobuf as %v", s, back)
		}
	}
	for _, s := range []string{"", "/", "kind", "kind/", "/id", "kind/@n@1"} {
		if ref, err := actors.ParseRef(s); err == nil || !ref.IsZero() {
			t.Errorf("%q is taken for %v", s, ref)
		}
	}
	if !actors.RefOf(nil).IsZero() || (actors.Ref{ID: "a"}).IsZero() {
		t.Error("zero is not what is zero")
	}
}

// FuzzParseRef: what can be read is written as it was, and names something.
func FuzzParseRef(f *testing.F) {
	for _, s := range []string{"mailbox/a@example.org", "session/17@n1@1699999999", "a/@b@1", "a/b@@1", "/", "a/b/c@d@e@1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ref, err := actors.ParseRef(s)
		if err != nil {
			if !ref.IsZero() {
				t.Fatalf("%q: %v with %v", s, err, ref)
			}
			return
		}
		if ref.String() != s || ref.Kind == "" || ref.ID == "" {
			t.Fatalf("%q is read as %+v and written as %q", s, ref, ref)
		}
		if name, inc, ok := strings.Cut(string(ref.Node), "@"); ref.Node != "" && (!ok || name == "" || inc == "") {
			t.Fatalf("%q names the node %q", s, ref.Node)
		}
	})
}

func TestReasons(t *testing.T) {
	for _, c := range []struct {
		reason        actors.Reason
		word          string
		normal, ended bool
	}{
		{actors.Normal, "normal", true, true},
		{actors.Reason{}, "normal", true, true},
		{actors.Shutdown, "shutdown", true, true},
		{actors.Killed, "killed", false, true},
		{actors.NoProc, "noproc", false, true},
		{actors.NoConnection, "noconnection", false, true},
		{actors.Crashed(errors.New("no disk")), "crashed: no disk", false, false},
	} {
		if got := c.reason.String(); got != c.word || c.reason.IsNormal() != c.normal || c.reason.Ended() != c.ended {
			t.Errorf("%s: written as %q, normal %v, ended %v", c.word, got, c.reason.IsNormal(), c.reason.Ended())
		}
	}
}
