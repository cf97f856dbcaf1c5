package main

import (
	"testing"

	"pgregory.net/rapid"
)

func TestFlow(t *testing.T) {
	for _, durable := range []bool{false, true} {
		f := flow{window: 5, durable: durable}
		if n := f.take(); n != 5 {
			t.Fatalf("%d at first", n)
		}
		if n := f.take(); n != 0 {
			t.Fatalf("%d over the window", n)
		}
		f.delivered += 2
		want := 2
		if durable {
			want = 0
		}
		if n := f.take(); n != want {
			t.Errorf("durable %v: %d after two deliveries, want %d", durable, n, want)
		}
		f.acked += 3
		if n := f.take(); n != 2-want {
			t.Errorf("durable %v: %d after three acknowledgements, want %d", durable, n, 2-want)
		}
	}
}

func TestFlowNeverExceedsItsWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := flow{window: rapid.IntRange(1, 10).Draw(t, "window"), durable: rapid.Bool().Draw(t, "durable")}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch {
			case rapid.Bool().Draw(t, "ack") && f.acked < f.sent:
				f.acked++
			case f.delivered < f.sent:
				f.delivered++
			}
			f.take()
			done := f.delivered
			if f.durable {
				done = min(done, f.acked)
			}
			if f.sent-done != f.window {
				t.Fatalf("%d under way with a window of %d: %+v", f.sent-done, f.window, f)
			}
		}
	})
}
