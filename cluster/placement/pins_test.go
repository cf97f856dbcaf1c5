package placement

import (
	"slices"
	"testing"
)

func TestPins(t *testing.T) {
	pins := MakePins([]Pin{{"mailbox", "b@x", "n1"}, {"mailbox", "a@x", "n1"}, {"account", "a@x", "n2"}, {"mailbox", "b@x", "n3"}, {"account", "a@x", ""}})
	find := func(p Pins, kind, id, want string) {
		t.Helper()
		if got, ok := p.Find(kind, id); got != want || ok != (want != "") {
			t.Errorf("%s/%s is on %q, want %q", kind, id, got, want)
		}
	}
	find(pins, "mailbox", "a@x", "n1")
	find(pins, "mailbox", "b@x", "n3") // the last counts
	find(pins, "account", "a@x", "")   // taken away again
	find(pins, "account", "b@x", "")
	if want := []Pin{{"mailbox", "a@x", "n1"}, {"mailbox", "b@x", "n3"}}; !slices.Equal(pins.List(), want) {
		t.Errorf("the list is %v, want %v", pins.List(), want)
	}

	more := pins.With(Pin{"account", "a@x", "n9"}).With(Pin{"mailbox", "a@x", ""})
	find(more, "account", "a@x", "n9")
	find(more, "mailbox", "a@x", "")
	find(pins, "account", "a@x", "") // what was stays as it was
	find(pins, "mailbox", "a@x", "n1")

	var none Pins
	find(none, "mailbox", "a@x", "")
	find(none.With(Pin{"mailbox", "a@x", "n1"}), "mailbox", "a@x", "n1")
	if len(none.List()) != 0 {
		t.Error("an empty table lists pins")
	}
}

func BenchmarkFindNothing(b *testing.B) {
	var none Pins
	b.ReportAllocs()
	for b.Loop() {
		none.Find("mailbox", "anna@example.org")
	}
}
