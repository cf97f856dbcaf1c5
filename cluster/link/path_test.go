package link

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/jackdaw-im/jackdaw/ident"
)

// asks are the ways of questions, in order.
func asks(list []question) string {
	var ways []string
	for _, q := range list {
		if q.by == direct {
			q.by = "direct"
		}
		ways = append(ways, string(q.by))
	}
	return strings.Join(ways, " ")
}

// reply answers the latest open question by a way.
func (p *path) reply(now time.Duration, by ident.NodeID) (good, changed bool) {
	number := uint64(1 << 60)
	for _, q := range p.open {
		if q.by == by {
			number = q.number
		}
	}
	return p.answered(now, number)
}

// TestPath goes through histories of one path. stuck is since when nothing has been acknowledged, -1: nothing waits for that.
func TestPath(t *testing.T) {
	type step struct {
		at, stuck time.Duration
		do        string // tick, answer WAY, hint WAY, gone WAY
		want      string // of a tick: who is asked
		via       ident.NodeID
	}
	const none = -1
	for _, c := range []struct {
		name   string
		others string
		steps  []step
	}{
		{"nothing waits, nothing is asked", "c", []step{
			{0, none, "tick", "", ""}, {time.Hour, none, "tick", "", ""},
		}},
		{"what is acknowledged in time isn't doubted", "c", []step{
			{1000 * ms, 0, "tick", "", ""}, {2000 * ms, 900 * ms, "tick", "", ""},
		}},
		{"a peer that answers is only slow, and asked again", "c", []step{
			{1500 * ms, 0, "tick", "direct", ""}, {1510 * ms, 0, "answer", "", ""}, {2100 * ms, 0, "tick", "", ""},
			{3010 * ms, 0, "tick", "direct", ""}, {3020 * ms, 0, "answer", "", ""},
		}},
		{"a detour is found and left", "c", []step{
			{1500 * ms, 0, "tick", "direct", ""}, {2000 * ms, 0, "tick", "direct c", ""}, {2002 * ms, 0, "answer c", "", "c"},
			{3002 * ms, none, "tick", "direct c", "c"}, {3004 * ms, none, "answer c", "", "c"},
			{4002 * ms, none, "tick", "direct c", "c"}, {4003 * ms, none, "answer", "", "c"}, {4004 * ms, none, "answer c", "", "c"},
			{5002 * ms, none, "tick", "direct c", "c"}, {5003 * ms, none, "answer", "", ""},
			{9000 * ms, none, "tick", "", ""},
		}},
		{"one direct answer is not two in a row", "c", []step{
			{0, none, "hint c", "", "c"}, {1000 * ms, none, "tick", "direct c", "c"}, {1001 * ms, none, "answer", "", "c"},
			{2000 * ms, none, "tick", "direct c", "c"}, {2001 * ms, none, "answer c", "", "c"},
			{3000 * ms, none, "tick", "direct c", "c"}, {3001 * ms, none, "answer", "", "c"}, {3001 * ms, none, "answer c", "", "c"},
			{4000 * ms, none, "tick", "direct c", "c"}, {4001 * ms, none, "answer", "", ""},
		}},
		{"a late direct answer is none", "c", []step{
			{0, none, "hint c", "", "c"}, {1000 * ms, none, "tick", "direct c", "c"}, {1001 * ms, none, "answer", "", "c"}, {1001 * ms, none, "answer c", "", "c"},
			{2000 * ms, none, "tick", "direct c", "c"}, {4100 * ms, none, "answer", "", "c"},
			{4200 * ms, none, "tick", "direct c", "c"}, {4201 * ms, none, "answer", "", "c"},
		}},
		{"the first that answers is taken, no other one after it", "c d e f", []step{
			{1500 * ms, 0, "tick", "direct", ""}, {2000 * ms, 0, "tick", "direct c d e", ""}, {2001 * ms, 0, "answer d", "", "d"},
			{2002 * ms, 0, "answer c", "", "d"}, {3001 * ms, none, "tick", "direct d", "d"},
		}},
		{"others are asked in turn, in longer and longer pauses", "c d e f", []step{
			{1500 * ms, 0, "tick", "direct", ""}, {2000 * ms, 0, "tick", "direct c d e", ""}, {2900 * ms, 0, "tick", "", ""},
			{3000 * ms, 0, "tick", "direct f c d", ""}, {5000 * ms, 0, "tick", "direct e f c", ""}, {9000 * ms, 0, "tick", "direct d e f", ""},
			{13 * time.Second, 0, "tick", "direct c d e", ""}, {13001 * ms, 0, "answer e", "", "e"},
		}},
		{"no others", "", []step{
			{1500 * ms, 0, "tick", "direct", ""}, {2000 * ms, 0, "tick", "direct", ""}, {3000 * ms, 0, "tick", "direct", ""}, {3001 * ms, 0, "answer", "", ""},
		}},
		{"acknowledged while it was asked", "c", []step{
			{1500 * ms, 0, "tick", "direct", ""}, {2000 * ms, 1600 * ms, "tick", "", ""}, {3100 * ms, 1600 * ms, "tick", "direct", ""},
		}},
		{"another detour when it gives no answer", "c d", []step{
			{0, none, "hint c", "", "c"}, {1000 * ms, none, "tick", "direct c", "c"}, {2000 * ms, none, "tick", "direct c", "c"},
			{3000 * ms, none, "tick", "direct c d", "c"}, {3001 * ms, none, "answer d", "", "d"},
			{4001 * ms, none, "tick", "direct d", "d"},
		}},
		{"a detour that answers again is kept", "c d", []step{
			{0, none, "hint c", "", "c"}, {3000 * ms, none, "tick", "direct c d", "c"}, {3001 * ms, none, "answer c", "", "c"}, {3002 * ms, none, "answer d", "", "c"},
		}},
		{"the peer's detour is followed, but not back from the direct way at once", "c d", []step{
			{0, none, "hint c", "", "c"}, {100 * ms, none, "hint d", "", "c"}, {1000 * ms, none, "tick", "direct c", "c"}, {1001 * ms, none, "answer", "", "c"},
			{2000 * ms, none, "tick", "direct c", "c"}, {2001 * ms, none, "answer", "", ""}, {2500 * ms, none, "hint c", "", ""}, {4001 * ms, none, "hint c", "", "c"},
			{7000 * ms, none, "hint d", "", "d"},
		}},
		{"who passes frames on is gone", "d", []step{
			{0, none, "hint c", "", "c"}, {10 * ms, none, "gone d", "", "c"}, {500 * ms, 0, "gone c", "", ""}, {1600 * ms, 0, "tick", "direct d", ""},
			{1601 * ms, 0, "answer d", "", "d"}, {1700 * ms, none, "gone d", "", ""}, {1700 * ms, none, "tick", "", ""}, {time.Minute, none, "tick", "", ""},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var others []ident.NodeID
			for _, id := range strings.Fields(c.others) {
				others = append(others, ident.NodeID(id))
			}
			p := newPath(0, 100)
			for i, s := range c.steps {
				stuck := s.stuck
				if stuck == none {
					stuck = never
				}
				what, by, _ := strings.Cut(s.do, " ")
				switch way := ident.NodeID(by); what {
				case "tick":
					if got := asks(p.tick(s.at, stuck, others)); got != s.want {
						t.Fatalf("step %d at %v: %q is asked, not %q", i, s.at, got, s.want)
					}
				case "answer":
					p.reply(s.at, way)
				case "hint":
					p.hinted(s.at, way)
				case "gone":
					p.gone(s.at, way)
				}
				if p.via != s.via {
					t.Fatalf("step %d at %v: via %q, not %q", i, s.at, p.via, s.via)
				}
			}
		})
	}
}

// TestAnAnswerCountsOnce: nor does one to what was never asked.
func TestAnAnswerCountsOnce(t *testing.T) {
	p := newPath(0, 0)
	p.hinted(0, "c")
	list := p.tick(time.Second, never, nil)
	for range 3 {
		p.answered(time.Second, list[0].number)
	}
	if p.inRow != 1 || p.via != "c" {
		t.Error(p.inRow, p.via)
	}
	if good, changed := p.answered(time.Second, 77); good || changed {
		t.Error("an answer without a question")
	}
	if good, _ := p.answered(time.Second, list[1].number); !good {
		t.Error("the detour answers, and isn't good")
	}
}

// TestPathNeverTurnsIdly: whatever happens, a tick that is due makes the next one due later, open questions are bounded, and the way is the direct one or one
// that could be a way.
func TestPathNeverTurnsIdly(t *testing.T) {
	others := []ident.NodeID{"c", "d", "e", "f", "g"}
	rapid.Check(t, func(t *rapid.T) {
		p := newPath(0, 0)
		var now, stuck time.Duration = 0, never
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			now += time.Duration(rapid.Int64Range(0, int64(3*time.Second)).Draw(t, "pause"))
			was, changes := p.via, p.changes
			switch rapid.IntRange(0, 6).Draw(t, "what") {
			case 0:
				stuck = now
			case 1:
				stuck = never
			case 2:
				p.hinted(now, rapid.SampledFrom(others).Draw(t, "by"))
			case 3:
				p.gone(now, rapid.SampledFrom(others).Draw(t, "by"))
			case 4:
				if len(p.open) > 0 {
					p.answered(now, rapid.SampledFrom(p.open).Draw(t, "answered").number)
				}
			default:
				if due := p.deadline(stuck) <= now; due {
					p.tick(now, stuck, others)
					if at := p.deadline(stuck); at <= now {
						t.Fatalf("due at %v, and again at %v: %+v", now, at, p)
					}
				} else if list := p.tick(now, stuck, others); list != nil {
					t.Fatalf("%v asked before it was due: %+v", list, p)
				}
			}
			if len(p.open) > openQuestions || p.via != direct && !slices.Contains(others, p.via) || (p.via != was) != (p.changes > changes) {
				t.Fatalf("%+v", p)
			}
			p.excuseIf(rapid.IntRange(0, 50).Draw(t, "excuse") == 0, now)
			if at := p.deadline(stuck); at <= now && !p.calm() && p.next < p.since {
				t.Fatalf("%+v", p)
			}
		}
	})
}

func (p *path) excuseIf(so bool, now time.Duration) {
	if so {
		p.excuse(now)
	}
}
