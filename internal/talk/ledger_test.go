package talk

import (
	"slices"
	"strings"
	"testing"
)

func TestLedger(t *testing.T) {
	for name, c := range map[string]struct {
		steps  string
		want   Report
		faults []string
	}{
		"in order":           {"send send ack1 ack2 get1 get2", Report{Sent: 2, Acked: 2, Arrived: 2}, nil},
		"before it is acked": {"send get1 ack1", Report{Sent: 1, Acked: 1, Arrived: 1}, nil},
		"acked twice":        {"send ack1 ack1 get1", Report{Sent: 1, Acked: 1, Arrived: 1}, nil},
		"twice":              {"send ack1 get1 get1", Report{Sent: 1, Acked: 1, Arrived: 1, Duplicates: 1}, nil},
		"out of order":       {"send send ack1 ack2 get2 get1", Report{Sent: 2, Acked: 2, Arrived: 2, Reordered: 1}, nil},
		"refused once":       {"send send bad1 get2 get1 ack1 ack2", Report{Sent: 2, Acked: 2, Arrived: 2, Refused: 1}, nil},
		"lost":               {"send send ack1 ack2 get1", Report{Sent: 2, Acked: 2, Arrived: 1}, []string{"1 messages were acknowledged and are lost: run/0/1/2"}},
		"without an outcome": {"send", Report{Sent: 1}, []string{"1 messages were neither acknowledged nor refused"}},
		"withdrawn":          {"send ack1 bad1 get1", Report{Sent: 1, Acked: 1, Arrived: 1, Refused: 1}, []string{"run/0/1/1 was acknowledged, and then refused: why"}},
		"nobody's": {"get7 bad7", Report{Refused: 1}, []string{`user 1 has got "run/0/1/7", which isn't for it`,
			`an error (why) answers "run/0/1/7", which nobody sent`}},
	} {
		l := newLedger("run")
		for _, step := range strings.Fields(c.steps) {
			id := "run/0/1/" + step[len(step)-1:]
			switch step[:3] {
			case "sen":
				l.send(0, 1)
			case "ack":
				l.ack(id)
			case "get":
				l.arrive(1, id)
			case "bad":
				l.refuse(id, "why")
			}
		}
		got := l.judge()
		faults := got.Faults
		got.Faults = nil
		if !slices.Equal(faults, c.faults) || got.Sent != c.want.Sent || got.Acked != c.want.Acked || got.Arrived != c.want.Arrived ||
			got.Duplicates != c.want.Duplicates || got.Refused != c.want.Refused || got.Reordered != c.want.Reordered {
			t.Errorf("%s: %+v and %q, want %+v and %q", name, got, faults, c.want, c.faults)
		}
	}
	l := newLedger("run")
	l.send(0, 1)
	if l.arrive(2, "run/0/1/1"); len(l.judge().Faults) == 0 {
		t.Error("it has come to somebody else")
	}
	if l.arrive(1, "other/0/1/1"); len(l.report.Faults) != 2 {
		t.Error("it is of another run")
	}
}
