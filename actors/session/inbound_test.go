package session

import (
	"testing"

	"pgregory.net/rapid"
)

func TestInboundPrefix(t *testing.T) {
	var in inbound
	for i := 1; i <= 4; i++ {
		if n := in.add(10 * i); n != uint64(i) {
			t.Fatalf("stanza %d got number %d", i, n)
		}
	}
	steps := []struct {
		done           uint64
		stanzas, bytes int
		handled        uint64
	}{
		{2, 0, 0, 0},
		{2, 0, 0, 0}, // twice
		{1, 2, 30, 2},
		{1, 0, 0, 2}, // part of the prefix already
		{4, 0, 0, 2},
		{9, 0, 0, 2}, // never given
		{0, 0, 0, 2},
		{3, 2, 70, 4},
	}
	for _, s := range steps {
		stanzas, bytes := in.done(s.done)
		if stanzas != s.stanzas || bytes != s.bytes || in.handled != s.handled {
			t.Fatalf("done(%d) = %d, %d with handled %d, want %+v", s.done, stanzas, bytes, in.handled, s)
		}
	}
	if in.pending() != 0 {
		t.Fatalf("%d pending at the end", in.pending())
	}
}

func TestInboundKeepsNoRoom(t *testing.T) {
	var in inbound
	for range 200 {
		in.add(1)
	}
	for n := uint64(1); n <= 200; n++ {
		in.done(n)
	}
	if in.slots != nil {
		t.Fatalf("an empty list keeps %d slots", cap(in.slots))
	}
}

// TestInboundModel compares with a map, in any order of handling, and checks that the room follows what is pending.
func TestInboundModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var in inbound
		open := map[uint64]int{}
		var given, freed, most int
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			if len(open) == 0 || rapid.Bool().Draw(t, "add") {
				size := rapid.IntRange(1, 1000).Draw(t, "size")
				open[in.add(size)] = size
				given += size
				most = max(most, in.pending())
			} else {
				keys := make([]uint64, 0, len(open))
				for n := in.handled + 1; n <= in.received; n++ {
					if _, ok := open[n]; ok {
						keys = append(keys, n)
					}
				}
				n := rapid.SampledFrom(keys).Draw(t, "n")
				delete(open, n)
				_, bytes := in.done(n)
				freed += bytes
			}
			for n := range open {
				if n <= in.handled {
					t.Fatalf("%d is open and counted as handled (%d)", n, in.handled)
				}
			}
			if _, ok := open[in.handled+1]; !ok && in.handled != in.received {
				t.Fatalf("the prefix stops at %d, though %d is handled", in.handled, in.handled+1)
			}
		}
		if len(open) == 0 && freed != given {
			t.Fatalf("freed %d of %d bytes", freed, given)
		}
		if cap(in.slots) > 4*max(most, keepSlots) {
			t.Fatalf("room for %d, with at most %d pending", cap(in.slots), most)
		}
	})
}
