package talk

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackdaw-im/jackdaw/xmpp"
)

// parsed is a stanza as a device gets it.
func parsed(t *testing.T, stanza string) *xmpp.Element {
	t.Helper()
	e, err := xmpp.Parse([]byte(stanza))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

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
		"lost":               {"send send ack1 ack2 get1", Report{Sent: 2, Acked: 2, Arrived: 1}, []string{"1 acknowledged and lost, the first from sender 0 to recipient 1, number 2"}},
		"without an outcome": {"send", Report{Sent: 1}, []string{"1 messages were neither acknowledged nor refused"}},
		"withdrawn": {"send ack1 bad1 get1", Report{Sent: 1, Acked: 1, Arrived: 1, Refused: 1},
			[]string{"run/0/1/1 was acknowledged, and then refused: wait internal-server-error"}},
		"nobody's": {"get7 bad7", Report{Refused: 1}, []string{`an error (wait internal-server-error) answers "run/0/1/7", which nobody sent`, "1 arrived that were never sent so"}},
	} {
		l := newLedger(Script{"run"})
		for _, step := range strings.Fields(c.steps) {
			key := Key{Pair{0, 1}, int(step[len(step)-1] - '0')}
			switch step[:3] {
			case "sen":
				l.send(0, 1, "u1@localhost")
			case "ack":
				l.check.Ack(key)
			case "get":
				l.arrive(1, parsed(t, string(l.script.Stanza(key, "u1@localhost"))))
			case "bad":
				l.refuse(parsed(t, fmt.Sprintf("<message xmlns='jabber:client' type='error' id='%s'><error type='wait'><internal-server-error xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>", l.script.ID(key))))
			}
		}
		if faults := l.report().Faults; slices.ContainsFunc(faults, func(s string) bool { return strings.Contains(s, "lost") || strings.Contains(s, "neither") }) {
			t.Errorf("%s: %q is no fault yet", name, faults)
		}
		got := l.judge()
		faults := got.Faults
		got.Faults = nil
		if !slices.Equal(faults, c.faults) || fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: %+v and %q, want %+v and %q", name, got, faults, c.want, c.faults)
		}
	}
	l := newLedger(Script{"run"})
	m := l.send(0, 1, "u1@localhost")
	if l.missing(2) != 0 || l.check.Open() != 1 {
		t.Error("nothing is acknowledged yet")
	}
	l.check.Ack(m.key)
	if l.missing(2) != 1 || l.check.Open() != 0 {
		t.Error("it has not arrived")
	}
	if l.arrive(2, parsed(t, string(m.stanza))); len(l.judge().Faults) == 0 {
		t.Error("it has come to somebody else")
	}
	if l.arrive(1, parsed(t, string(Script{"other"}.Stanza(m.key, "u1@localhost")))); len(l.faults) != 2 {
		t.Error("it is of another run")
	}
}
