package top

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/jackdaw-im/jackdaw/internal/golden"
	"github.com/jackdaw-im/jackdaw/proto/adminpb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const node = "node@1732560000000000"

// measured is a server at a second of its life, with as many messages handled as that.
func measured(second int64) *adminpb.Top {
	const started = 1_732_560_000_000_000
	us := second * 1_000_000
	t := &adminpb.Top{
		Node: node, Domain: "example.org", Version: "v1.2.0", Started: started, Time: started + us,
		Kinds: []*adminpb.KindLoad{
			{Kind: "lane", Live: 65, Handled: second * 300}, {Kind: "mailbox", Live: 12_345, Handled: second * 12_000},
			{Kind: "session", Live: 8_000, Handled: second * 20_000}, {Kind: "account", Live: 8_123, Handled: second * 40},
			{Kind: "supervisor", Live: 9}, {Kind: "service", Live: 3}, {Kind: "dynamic", Live: 192}, {Kind: "echo", Live: 1}, {Kind: "gone", Handled: 7},
		},
		Actors: []*adminpb.ActorLoad{
			{Ref: "mailbox/juliet@example.org", Phase: "running", Queue: 120, OldestUs: 340_000, MessagesPerSecond: 1234, Running: "*mailbox.Deliver", RunningUs: 12_300},
			{Ref: "session/9f2c@" + node, Phase: "running", MessagesPerSecond: 2000, Last: "*mailbox.Push"},
			{Ref: "mailbox/romeo@example.org", Phase: "suspended", Queue: 4321, OldestUs: 3_600_000_000, MessagesPerSecond: 1, Last: "mailbox.Ack"},
			{Ref: "lane/mail-0", Phase: "running", Queue: 7, OldestUs: 900, MessagesPerSecond: 150, Restarts: 2, Last: "*lane.append"},
			{Ref: "echo/echo", Phase: "crashed", Queue: 1, OldestUs: 20_000, MessagesPerSecond: 1, Restarts: 1234, Last: "*chatpb.Message"},
			{Ref: "account/a-user-whose-name-is-a-very-long-one-indeed@example.org", Phase: "running", MessagesPerSecond: 0.3},
			{Ref: "mailbox/\x1b[31mred\x07@例え.example", Phase: "starting"},
		},
		Restarts: 1240, Overloads: 17, DeadLetters: 5, Spares: 1, Workers: 8, Stuck: 1, RunQueue: 42, Goroutines: 8123,
		RssBytes: 456 << 20, HeapBytes: 123 << 20, GcCycles: 10 + second/2, GcPauseUs: 210, GcCpuUs: us / 50, CpuUs: us * 3, Cores: 8,
	}
	for i := range 20 {
		t.Actors = append(t.Actors, &adminpb.ActorLoad{Ref: fmt.Sprintf("session/%04x@%s", i, node), Phase: "running", MessagesPerSecond: float64(100 - i), Last: "*session.burst"})
	}
	return t
}

// shown is a screen with two measurements a second apart.
func shown() *Screen {
	s := &Screen{}
	s.Take(measured(273_900))
	s.Take(measured(273_901))
	return s
}

func drawn(lines []Line) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString([]string{"  |", "b |", "r |"}[l.Style] + l.Text + "\n")
	}
	return b.String()
}

func TestLines(t *testing.T) {
	for _, c := range []struct {
		name          string
		width, height int
		keys          []Key
		before        func(*Screen)
	}{
		{"80x24", 80, 24, nil, nil},
		{"80x24-restarts", 80, 24, []Key{SortRestarts}, nil},
		{"80x24-messages-end", 80, 24, []Key{SortMessages, End}, nil},
		{"132x16-age-paused", 132, 16, []Key{SortAge, Pause, Down}, func(s *Screen) { s.Waits(12 * time.Second) }},
		{"60x12", 60, 12, nil, nil},
		{"32x12", 32, 12, []Key{SortMessages}, nil},
		{"20x3", 20, 3, nil, nil},
		{"nothing-yet", 80, 6, []Key{Down, End, SortAge}, func(s *Screen) { *s = Screen{} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := shown()
			if c.before != nil {
				c.before(s)
			}
			s.Lines(c.width, c.height)
			for _, k := range c.keys {
				if s.Press(k) {
					t.Error("ended")
				}
			}
			lines := s.Lines(c.width, c.height)
			if len(lines) != c.height {
				t.Errorf("%d lines", len(lines))
			}
			for _, l := range lines {
				if wide(l.Text) > c.width || strings.ContainsAny(l.Text, "\x1b\x07\n") {
					t.Errorf("%q has %d columns", l.Text, wide(l.Text))
				}
			}
			golden.File(t, "testdata/"+c.name+".txt", drawn(lines))
		})
	}
}

func TestText(t *testing.T) {
	now := measured(61)
	Rates(now, measured(60))
	text := Text(now, SortQueue)
	golden.File(t, "testdata/once.txt", text)
	now.RunQueue = -1
	if text := Text(now, SortQueue); strings.Contains(text, "run queue") || !strings.Contains(text, "cpu 38%   workers 8") {
		t.Errorf("what isn't known is shown: %s", text)
	}
	if strings.Count(text, "\n") != 8+len(now.Actors) || !strings.Contains(text, "a-very-long-one-indeed@example.org") {
		t.Error("not all of it")
	}
}

// TestScrolling: what is seen stays within what there is, on every size.
func TestScrolling(t *testing.T) {
	s := shown()
	for _, size := range [][2]int{{80, 24}, {80, 9}, {10, 4}, {80, 1}, {1, 1}, {200, 100}} {
		for k := NoKey; k < Quit; k++ {
			if s.Press(k) {
				t.Errorf("%v ended", k)
			}
			if lines := s.Lines(size[0], size[1]); len(lines) != size[1] {
				t.Errorf("%d lines of %d", len(lines), size[1])
			}
			if s.offset < 0 || s.offset > len(s.top.Actors) {
				t.Errorf("offset %d", s.offset)
			}
		}
	}
	if !s.Press(Quit) {
		t.Error("doesn't end")
	}
}

func TestPause(t *testing.T) {
	s := shown()
	s.Press(Pause)
	s.Take(measured(273_999))
	if got := s.top.GetTime(); got != measured(273_901).GetTime() {
		t.Errorf("it goes on: %d", got)
	}
	s.Press(Pause)
	s.Take(measured(273_911))
	if s.top.GetTime() != measured(273_911).GetTime() || s.top.GetMessagesPerSecond() != 32_340 {
		t.Errorf("after the pause: %v", s.top)
	}
}

func TestRates(t *testing.T) {
	now, before := measured(62), measured(60)
	before.Kinds[0].Handled = now.Kinds[0].Handled - 601
	before.Kinds[3].Handled = 1 << 40 // a count that went back
	Rates(now, before)
	for name, pair := range map[string][2]float64{
		"back": {now.Kinds[3].MessagesPerSecond, 0}, "actor": {now.Actors[3].MessagesPerSecond, 150},
		"kind": {now.Kinds[0].MessagesPerSecond, 300.5}, "all": {now.MessagesPerSecond, 300.5 + 12_000 + 20_000},
		"cpu": {now.CpuShare, 3. / 8}, "gc cpu": {now.GcCpuShare, 1. / 150}, "gc": {now.GcPerSecond, .5},
	} {
		if d := pair[0] - pair[1]; d > 1e-9 || d < -1e-9 {
			t.Errorf("%s: %v, want %v", name, pair[0], pair[1])
		}
	}
	again := measured(60)
	Rates(again, measured(60))
	Rates(again, nil)
	if again.MessagesPerSecond != 0 || again.CpuShare != 0 {
		t.Error("rates without time")
	}
}

func TestKeys(t *testing.T) {
	for in, want := range map[string][]Key{
		"qamrp xQ\x03\x04":                  {SortQueue, SortAge, SortMessages, SortRestarts, Pause, Pause, Quit, Quit, Quit, Quit},
		"\x1b[A\x1b[B\x1bOA\x1bOB":          {Up, Down, Up, Down},
		"\x1b[5~\x1b[6~\x1b[H\x1bOF\x1b[1~": {PageUp, PageDown, Home, End, Home},
		"\x1b":                              nil,
		"\x1b\x1b[A":                        {Up},
		"\x1bq":                             {SortQueue},
		"\x1b[200~x\x1b[1;5Ax":              {Quit, Quit},
		"\x1b[" + strings.Repeat("1", 40):   nil,
		"\x1b[21~jkgG?é":                    {Quit, Down, Up, Home, End},
	} {
		var k keyboard
		var got []Key
		for i := range len(in) { // byte by byte, as over a slow line
			if key := k.next(in[i]); key != NoKey {
				got = append(got, key)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%q: %v, want %v", in, got, want)
		}
	}
}

func TestUnits(t *testing.T) {
	for in, want := range map[float64]string{0: "0", 1: "1", 1.25: "1.2", 9.99: "10", 999: "999", 1000: "1.0k", 9960: "10k", 999_600: "1.0M", 12e6: "12M", 5e9: "5.0G", 1e15: ">1T"} {
		if got := Count(in); got != want {
			t.Errorf("count %v: %s, want %s", in, got, want)
		}
	}
	for in, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 123 << 20: "123 MiB", 3 << 41: "6.0 TiB"} {
		if got := Bytes(in); got != want {
			t.Errorf("bytes %v: %s, want %s", in, got, want)
		}
	}
	for in, want := range map[int64]string{-1: "0", 0: "0", 999: "999us", 1000: "1.0ms", 9960: "10ms", 999_400: "999ms", 999_600: "1.0s", 119e6: "119s",
		120e6: "2m", 7199e6: "119m", 7200e6: "2h", 86400e6 * 2: "2d"} {
		if got := Took(in); got != want || len(got) > 6 {
			t.Errorf("time %v: %s, want %s", in, got, want)
		}
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		text string
		n    int
		want string
	}{
		{"juliet", 6, "juliet"}, {"juliet", 5, "jul.."}, {"juliet", 2, ".."}, {"juliet", 1, "."}, {"juliet", 0, ""},
		{"例え例え", 8, "例え例え"}, {"例え例え", 7, "例え.."}, {"例え例え", 5, "例.."}, {"e\u0301e\u0301e\u0301", 3, "e\u0301e\u0301e\u0301"},
	} {
		if got := cut(c.text, c.n); got != c.want || wide(got) > c.n {
			t.Errorf("cut %s to %d: %q, want %q", c.text, c.n, got, c.want)
		}
		if got := pad(c.text, c.n); wide(got) > c.n {
			t.Errorf("pad %s to %d: %q", c.text, c.n, got)
		}
	}
}
