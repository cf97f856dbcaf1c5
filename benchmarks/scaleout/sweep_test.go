package main

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestRoundOfASweep(t *testing.T) {
	begin := time.Now()
	r := round{number: 2, begin: begin, users: make([]progress, 2), left: 2}
	after := func(n int) time.Time { return begin.Add(time.Duration(n) * time.Second) }
	ack, arrive := func(p *progress) { p.acks++ }, func(p *progress) { p.arrived = true }
	r.note(tag{2, 0}, after(1), ack)
	r.note(tag{2, 0}, after(2), arrive)
	if r.left != 2 {
		t.Fatal("served with one acknowledgement")
	}
	r.note(tag{1, 0}, after(2), ack) // of an earlier sweep
	r.note(tag{2, 7}, after(2), ack) // of nobody
	r.note(tag{2, -1}, after(2), ack)
	r.note(tag{2, 0}, after(3), ack)
	if r.left != 1 || r.last != 3*time.Second {
		t.Fatalf("%d left, last after %v", r.left, r.last)
	}
	r.note(tag{2, 0}, after(9), arrive) // a duplicate
	if r.left != 1 || r.last != 3*time.Second {
		t.Fatalf("served twice: %d left, last after %v", r.left, r.last)
	}
	for range 2 {
		r.note(tag{2, 1}, after(4), ack)
	}
	r.note(tag{2, 1}, after(5), arrive)
	if r.left != 0 || r.last != 5*time.Second || r.served.Percentile(50) != 3*time.Second {
		t.Errorf("%d left, last after %v, half after %v", r.left, r.last, r.served.Percentile(50))
	}
}

func TestTagsAreReadAgain(t *testing.T) {
	var got tag
	if _, err := fmt.Sscanf(tag{3, 1499}.String(), "sweep %d %d", &got.number, &got.user); err != nil || got != (tag{3, 1499}) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestMovedPartitions(t *testing.T) {
	three := situation{mine: map[string]float64{"n1": 1400, "n2": 1300, "n3": 1396}}
	four := situation{mine: map[string]float64{"n1": 1050, "n2": 1000, "n3": 1046, "n4": 1000}}
	if there, back := three.moved(four), four.moved(three); there != 1000 || back != 1000 {
		t.Errorf("%v and %v moved", there, back)
	}
	if n := three.moved(three); n != 0 {
		t.Errorf("%v moved although nothing changed", n)
	}
}

func TestFiguresOfAChange(t *testing.T) {
	cfg := defaults()
	v := &visit{cfg: &cfg}
	v.accounts.Domain, v.accounts.Prefix = "localhost", "u"
	begin := time.Now()
	at := times{begin, begin.Add(time.Second), begin.Add(5 * time.Second)}
	r := round{begin: begin, last: 3 * time.Second}
	r.served.Add(2 * time.Second)
	r.served.Add(3 * time.Second)
	before := situation{names: []string{"n1", "n2"}, mine: map[string]float64{"n1": 2048, "n2": 2048}}
	after := situation{names: []string{"n1"}, mine: map[string]float64{"n1": 4096}}
	got := map[string]float64{}
	for _, f := range newThrong(v).figures(losing, before, after, 2, at, r) {
		got[f.name] = f.value
	}
	for name, want := range map[string]float64{"partitions moved": 2048, "of the ideal": 100, "from the beginning to another view": 1,
		"from the view until all are served": 2, "from the view until no partition moves": 4, "from the beginning until half are served": 2,
		"from the beginning until all are served": 3} {
		if got[name] != want {
			t.Errorf("%s: %v, want %v", name, got[name], want)
		}
	}
	if actors := got["mailboxes and accounts that moved"]; actors < 1800 || actors > 2700 || got["activated, with a message for everybody"] != actors/2 {
		t.Errorf("of 4500 actors %v moved, %v a second", actors, got["activated, with a message for everybody"])
	}
}

func TestWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := window{open: true, size: rapid.IntRange(1, 10).Draw(t, "size")}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch {
			case rapid.Bool().Draw(t, "ack") && w.acked < w.sent:
				w.acked++
			case w.arrived < w.sent:
				w.arrived++
			}
			w.take()
			if under := w.sent - min(w.acked, w.arrived); under != w.size {
				t.Fatalf("%d under way with a window of %d: %+v", under, w.size, w)
			}
		}
		if w.open = false; w.take() != 0 {
			t.Fatal("a closed window lets something through")
		}
	})
}

func TestStamp(t *testing.T) {
	for _, at := range []time.Duration{0, 1, time.Hour} {
		got, ok := unstamp(stamp(at))
		if !ok || got != at || len(stamp(at)) != bodySize {
			t.Errorf("%v became %v, %v", at, got, ok)
		}
	}
	if _, ok := unstamp("hello"); ok {
		t.Error("any text is a time")
	}
}

func TestParseAnonymous(t *testing.T) {
	const status = "Name:\tjackdaw\nVmRSS:\t   47552 kB\nRssAnon:\t   15588 kB\nRssFile:\t   31964 kB\n"
	if n, err := parseAnonymous(status); n != 15588*1024 || err != nil {
		t.Errorf("%v bytes, %v", n, err)
	}
	for _, bad := range []string{"", "VmRSS:\t1 kB\n", "RssAnon:\tmuch kB\n"} {
		if _, err := parseAnonymous(bad); err == nil {
			t.Errorf("%q is a size", bad)
		}
	}
}
