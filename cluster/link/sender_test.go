package link

import (
	"testing"
	"time"
)

const ms = time.Millisecond

// sending is a sender with n envelopes of ten bytes.
func sending(b Bounds, n int) *sender {
	b = b.filled()
	s := newSender(&b, 1, 1)
	for range n {
		if err := s.push(0, make([]byte, 10), false); err != nil {
			panic(err)
		}
	}
	return &s
}

// frames cuts all that may go, and returns the numbers of the first and of one above the last of each frame.
func frames(s *sender, now time.Duration) (list [][2]uint64) {
	for {
		first, envelopes := s.cut(now)
		if envelopes == nil {
			return list
		}
		list = append(list, [2]uint64{first, first + uint64(len(envelopes))})
	}
}

func hear(t *testing.T, s *sender, now time.Duration, ack, credit uint64, wake bool) {
	t.Helper()
	if woke, err := s.heard(now, s.epoch, ack, credit); err != nil || woke != wake {
		t.Errorf("ack %d, credit %d: woke %v, %v", ack, credit, woke, err)
	}
}

func expect(t *testing.T, what string, got [][2]uint64, want ...[2]uint64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: frames %v, want %v", what, got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("%s: frames %v, want %v", what, got, want)
		}
	}
}

func TestCreditAndWindow(t *testing.T) {
	s := sending(Bounds{Window: 100, FrameLen: 50}, 200)
	// Chunks grow with the queue: 16, 16, 32, 50.
	expect(t, "the initial credit", frames(s, 0), [2]uint64{1, 17}, [2]uint64{17, 33}, [2]uint64{33, 65})
	hear(t, s, 0, 10, 64, true)
	expect(t, "acknowledged without credit", frames(s, 0))
	hear(t, s, 0, 10, 1000, false)
	expect(t, "all credit, within the own window", frames(s, 0), [2]uint64{65, 111})
	hear(t, s, 0, 110, 0, true)
	expect(t, "no credit at all: one goes", frames(s, 0), [2]uint64{111, 112})
	hear(t, s, 0, 110, 0, false)
	expect(t, "and no more", frames(s, 0))
	hear(t, s, 0, 111, 1<<63, true)
	if got := s.credit; got != 211 {
		t.Errorf("boundless credit was taken for %d", got)
	}

	s = sending(Bounds{WindowBytes: 25}, 5)
	expect(t, "the window's bytes", frames(s, 0), [2]uint64{1, 3})
	hear(t, s, 0, 1, 64, true)
	expect(t, "more of them", frames(s, 0), [2]uint64{3, 4})
	s = sending(Bounds{WindowBytes: 1, FrameBytes: 1}, 2)
	expect(t, "one always goes", frames(s, 0), [2]uint64{1, 2})
}

func TestResend(t *testing.T) {
	s := sending(Bounds{Resend: 200 * ms, ResendMax: time.Second}, 60)
	expect(t, "first", frames(s, 0), [2]uint64{1, 17}, [2]uint64{17, 33}, [2]uint64{33, 61})
	if at, ok := s.deadline(); !ok || at != 200*ms {
		t.Fatal("deadline", at, ok)
	}
	expect(t, "not yet", frames(s, 199*ms))
	expect(t, "the first frame again", frames(s, 200*ms), [2]uint64{1, 17})
	now, most := 200*ms, []time.Duration{400 * ms, 800 * ms, time.Second, time.Second}
	for i, most := range most {
		at, _ := s.deadline()
		if d := at - now; d > most || d < most*3/4 {
			t.Fatalf("pause %d is %v, want at most %v and three quarters of it", i, d, most)
		}
		_ = s.push(now, make([]byte, 10), false)
		expect(t, "nothing else meanwhile", frames(s, at-1))
		expect(t, "one envelope", frames(s, at), [2]uint64{1, 2})
		now = at
	}
	if s.level != 5 || s.count.resent != 16+4 || s.count.sent != 60 {
		t.Errorf("level %d, %+v", s.level, s.count)
	}
	hear(t, s, now, 1, 1000, true)
	expect(t, "the rest, with what is new", frames(s, now), [2]uint64{2, 17}, [2]uint64{17, 33}, [2]uint64{33, 65})
	if s.level != 0 || s.count.resent != 20+59 || s.count.sent != 64 {
		t.Errorf("level %d, %+v", s.level, s.count)
	}
	hear(t, s, now, 64, 1000, false)
	if _, ok := s.deadline(); ok || s.queue.len() != 0 || s.flying != 0 {
		t.Error("a deadline, or something left")
	}
}

func TestAckBeyondWhatWasSentAgain(t *testing.T) {
	s := sending(Bounds{}, 60)
	frames(s, 0)
	frames(s, 200*ms)
	hear(t, s, 210*ms, 40, 1000, true)
	expect(t, "what is left", frames(s, 210*ms), [2]uint64{41, 61})
	if s.flying != 200 {
		t.Errorf("%d bytes in flight", s.flying)
	}
}

func TestAnythingHeardShortensTheWait(t *testing.T) {
	s := sending(Bounds{}, 1)
	frames(s, 0)
	now := time.Duration(0)
	for range 8 {
		now, _ = s.deadline()
		frames(s, now)
	}
	later, _ := s.deadline()
	if later-now < 3*time.Second {
		t.Fatal("pause of", later-now)
	}
	if woke, err := s.heard(now+10*ms, 0, 0, 0); err != nil || !woke { // a greeting
		t.Fatal(woke, err)
	}
	if at, _ := s.deadline(); at != now+200*ms {
		t.Errorf("the next probe goes after %v, want 200 ms after the last", at-now)
	}
	frames(s, now+200*ms)
	s.nudge(now + 210*ms)
	expect(t, "at a new address", frames(s, now+210*ms), [2]uint64{1, 2})
}

func TestNonsenseOfAcknowledgements(t *testing.T) {
	s := sending(Bounds{}, 3)
	frames(s, 0)
	for _, c := range []struct {
		epoch, ack, credit uint64
		err                error
	}{
		{1, 4, 10, errNonsense}, {1, 1<<64 - 1, 1<<64 - 1, errNonsense},
		{2, 3, 100, nil}, {0, 3, 100, nil}, {1<<64 - 1, 9, 9, nil}, // of another epoch: says nothing
		{1, 0, 0, nil},
	} {
		if _, err := s.heard(0, c.epoch, c.ack, c.credit); err != c.err {
			t.Errorf("%+v: %v", c, err)
		}
		if s.base != 1 || s.queue.len() != 3 {
			t.Fatalf("%+v: base is %d", c, s.base)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	s := sending(Bounds{}, 0)
	now := time.Duration(0)
	turn := func(trip time.Duration) {
		t.Helper()
		_ = s.push(now, []byte{1}, false)
		frames(s, now)
		at, _ := s.deadline()
		if at < now+200*ms {
			t.Fatal("waits less than Resend")
		}
		for now += trip; at < now; at, _ = s.deadline() {
			frames(s, at)
		}
		hear(t, s, now, s.high-1, 1<<40, false)
	}
	turn(700 * ms)
	turn(700 * ms)
	if s.trip.mean != 700*ms || s.wait() < 700*ms || s.count.resent != 2 {
		t.Errorf("mean %v, wait %v, resent %d: want a way of 700 ms to be known when two probes went too early", s.trip.mean, s.wait(), s.count.resent)
	}
	for range 100 {
		turn(150 * ms)
	}
	if d := s.trip.mean - 150*ms; d.Abs() > ms || s.wait() != 200*ms {
		t.Errorf("mean %v, wait %v; want 150 ms, 200 ms", s.trip.mean, s.wait())
	}
	for i := range 100 {
		turn(time.Duration(150+i%2*49) * ms)
	}
	if w := s.wait(); w < 220*ms || w > 350*ms {
		t.Errorf("wait %v on a way that varies", w)
	}
}
