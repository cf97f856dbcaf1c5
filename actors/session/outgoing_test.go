package session

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func strs(ids [][]byte) []string {
	var s []string
	for _, id := range ids {
		s = append(s, string(id))
	}
	return s
}

func TestOutgoing(t *testing.T) {
	var o outgoing
	o.skip()                  // 1
	o.row([]byte("r2"), 0)    // 2
	o.stanza([]byte("<s3/>")) // 3
	o.row([]byte("r4"), 0)    // 4
	o.skip()                  // 5
	if o.sent != 5 || o.rows != 2 || o.bytes != 5 || o.lastRow != 4 {
		t.Fatalf("%+v", o)
	}
	if !o.has([]byte("r4")) || o.has([]byte("<s3/>")) {
		t.Fatal("has finds rows, and only rows")
	}
	if ids := o.ack(6, nil); ids != nil || o.acked != 0 {
		t.Fatalf("an ack of what was never sent took %v", strs(ids))
	}
	if ids := strs(o.ack(3, nil)); !slices.Equal(ids, []string{"r2"}) {
		t.Fatalf("ack(3) = %v", ids)
	}
	if ids := o.ack(2, nil); ids != nil || o.acked != 3 {
		t.Fatal("an old ack changed something")
	}
	if o.bytes != 0 || o.rows != 1 || len(o.stanzas()) != 0 {
		t.Fatalf("after ack(3): %+v", o)
	}
	if ids := strs(o.ack(5, nil)); !slices.Equal(ids, []string{"r4"}) || o.rows != 0 {
		t.Fatalf("ack(5) = %v", ids)
	}
}

// TestOutgoingModel checks that acknowledged rows come out once and in order, whatever is acknowledged when, and that the
// list's room follows what is open.
func TestOutgoingModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var o outgoing
		var want, got []string
		most := 0
		for i := range rapid.IntRange(1, 400).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0:
				id := fmt.Sprint("row", i)
				want = append(want, id)
				o.row([]byte(id), 0)
			case 1:
				o.stanza([]byte("<s/>"))
			case 2:
				o.skip()
			case 3:
				got = append(got, strs(o.ack(o.acked+uint64(rapid.IntRange(0, int(o.sent-o.acked)).Draw(t, "n")), nil))...)
			}
			most = max(most, len(o.items)-o.head)
		}
		got = append(got, strs(o.ack(o.sent, nil))...)
		if !slices.Equal(got, want) {
			t.Fatalf("acknowledged %v, want %v", got, want)
		}
		if o.rows != 0 || o.bytes != 0 || cap(o.items) > keepSlots {
			t.Fatalf("the empty list keeps %+v", o)
		}
	})
}
