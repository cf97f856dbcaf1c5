package ident_test

import (
	"testing"

	"github.com/jackdaw-im/jackdaw/ident"
)

func TestUserIDParts(t *testing.T) {
	for _, c := range []struct{ id, local, domain string }{
		{"romeo@montague.example", "romeo", "montague.example"},
		{"montague.example", "", "montague.example"},
		{"a@b@c", "a", "b@c"},
	} {
		u := ident.UserID(c.id)
		if u.Local() != c.local || u.Domain() != c.domain {
			t.Errorf("%q: got %q and %q, want %q and %q", c.id, u.Local(), u.Domain(), c.local, c.domain)
		}
	}
}

// The values below are written to disks: if this test fails, the code is wrong, not the test.
func TestPartitionOfIsAnOnDiskFormat(t *testing.T) {
	for _, c := range []struct {
		kind, id string
		want     ident.Partition
	}{
		{"mailbox", "romeo@montague.example", 3757},
		{"mailbox", "", 1231},
		{"group", "romeo@montague.example", 3178},
	} {
		if got := ident.PartitionOf(c.kind, c.id); got != c.want {
			t.Errorf("PartitionOf(%q, %q) = %d, want %d", c.kind, c.id, got, c.want)
		}
	}
}

func TestHashMessageIDSeparatesItsParts(t *testing.T) {
	a := ident.HashMessageID([]byte("ab"), []byte("c"))
	b := ident.HashMessageID([]byte("a"), []byte("bc"))
	if a == b {
		t.Fatal("parts run into each other")
	}
	if a != ident.HashMessageID([]byte("ab"), []byte("c")) {
		t.Fatal("the same parts gave two ids")
	}
	if got, want := a.String(), "f2939f903016e5bb29b1e4a61cdbd376"; got != want {
		t.Fatalf("id %s, want %s", got, want)
	}
	big := make([]byte, 2000)
	if ident.HashMessageID(big) == ident.HashMessageID(big[:1999]) {
		t.Fatal("length is not part of the hash")
	}
}

func TestMessageIDFrom(t *testing.T) {
	id := ident.HashMessageID([]byte("x"))
	back, err := ident.MessageIDFrom(id[:])
	if err != nil || back != id {
		t.Fatalf("got %v, %v", back, err)
	}
	if _, err := ident.MessageIDFrom(id[:15]); err == nil {
		t.Fatal("15 bytes were accepted")
	}
	if id.IsZero() || !(ident.MessageID{}).IsZero() {
		t.Fatal("IsZero is wrong")
	}
}

func TestNodeIDParts(t *testing.T) {
	for id, want := range map[ident.NodeID]struct {
		name        string
		incarnation uint64
	}{
		"chat-1@1700000000000000": {"chat-1", 1700000000000000},
		"a@b@7":                   {"a@b", 7},
		"name":                    {"name", 0},
		"name@":                   {"name", 0},
		"name@-1":                 {"name", 0},
		"":                        {"", 0},
	} {
		if id.Name() != want.name || id.Incarnation() != want.incarnation {
			t.Errorf("%q: %q and %d, want %q and %d", id, id.Name(), id.Incarnation(), want.name, want.incarnation)
		}
	}
}
