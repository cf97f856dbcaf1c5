package client

import (
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestManagementAcks(t *testing.T) {
	m := management{on: true, acked: math.MaxUint32 - 1}
	for i := range 5 {
		m.sent(Sent{Tag: i})
	}
	for _, step := range []struct {
		h           uint32
		first, last int
		err         error
	}{
		{h: math.MaxUint32 - 1, first: 0, last: -1},
		{h: math.MaxUint32, first: 0, last: 0},
		{h: 1, first: 1, last: 2},
		{h: 4, err: ErrAckAhead},
		{h: math.MaxUint32, err: ErrAckAhead},
		{h: 3, first: 3, last: 4},
		{h: 3, first: 0, last: -1},
	} {
		got, err := m.ack(step.h)
		if !errors.Is(err, step.err) {
			t.Fatalf("h=%d: error %v, want %v", step.h, err, step.err)
		}
		if err != nil {
			continue
		}
		if want := step.last - step.first + 1; len(got) != want {
			t.Fatalf("h=%d: %d newly acknowledged, want %d", step.h, len(got), want)
		}
		for i, s := range got {
			if s.Tag != step.first+i {
				t.Errorf("h=%d: tag %v, want %d", step.h, s.Tag, step.first+i)
			}
		}
	}
}

func TestManagementOff(t *testing.T) {
	var m management
	m.sent(Sent{})
	if _, ok := m.resumption("a@b"); ok || len(m.queue) != 0 {
		t.Error("a stream without management keeps stanzas")
	}
}

func TestResumptionGoesOn(t *testing.T) {
	m := management{on: true, id: "s1", handled: 7}
	for i := range 3 {
		m.sent(Sent{Tag: i})
	}
	if _, err := m.ack(1); err != nil {
		t.Fatal(err)
	}
	r, ok := m.resumption("a@b/c")
	if !ok || r.JID != "a@b/c" || r.Handled != 7 || r.Acked != 1 || len(r.Unacked) != 2 {
		t.Fatalf("resumption %+v, %v", r, ok)
	}
	var next management
	next.resume(&r)
	next.sent(Sent{Tag: 3})
	covered, err := next.ack(4)
	if err != nil || len(covered) != 3 || covered[0].Tag != 1 {
		t.Errorf("after the resumption: %v, %v", covered, err)
	}
	if len(r.Unacked) != 2 {
		t.Error("the resumption was changed")
	}
	if next.answer() != 7 || next.told != 7 {
		t.Error("handled stanzas are forgotten")
	}
}

// TestManagementModel compares with plain counting in 64 bits.
func TestManagementModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := uint64(rapid.Uint32().Draw(t, "start"))
		m := management{on: true, acked: uint32(start)}
		sent, acked := start, start
		for range rapid.IntRange(1, 50).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "send") {
				m.sent(Sent{Tag: sent})
				sent++
				continue
			}
			h := acked + uint64(rapid.IntRange(0, 5).Draw(t, "more"))
			covered, err := m.ack(uint32(h))
			if (err != nil) != (h > sent) {
				t.Fatalf("ack %d of %d: %v", h, sent, err)
			}
			if err != nil {
				continue
			}
			for i, s := range covered {
				if s.Tag != acked+uint64(i) {
					t.Fatalf("ack %d covers %v at %d", h, s.Tag, acked+uint64(i))
				}
			}
			acked = h
		}
		if uint64(len(m.queue)) != sent-acked {
			t.Fatalf("%d kept, want %d", len(m.queue), sent-acked)
		}
	})
}
