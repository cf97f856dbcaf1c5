package node

import (
	"strings"
	"testing"
	"time"
)

func (m *drainModel) shutOut() {
	m.apply(m.s.shutOut(m.now, "n1 doesn't accept this node"))
}

// TestShutOut: whatever the node is at, it gives up its place and its clients, and stays so until it is taken back.
func TestShutOut(t *testing.T) {
	for at, want := range map[drainPhase]string{undrained: "leave, send", lightening: "leave, send", leaving: "leave, send", sending: "leave", overdue: "leave, send", returning: "leave, send"} {
		m := newDrainModel(t)
		m.hang = true
		switch at {
		case undrained:
		case returning:
			m.begin(20 * time.Second)
			m.until(sending, 20*time.Second)
			m.apply(m.s.undrain(m.now))
		default:
			m.begin(20 * time.Second)
			m.until(at, time.Minute)
		}
		m.hang, m.did, m.f.others = false, nil, false
		m.shutOut()
		m.shutOut() // it is looked at again and again
		if did := strings.Join(m.did, ", "); did != want || m.s.phase != outcast || !m.s.phase.away() || m.s.phase.underWay() {
			t.Errorf("in %s: %s, %+v", at, did, m.s)
		}
		m.did = nil
		for range 100 {
			m.tick()
		}
		if m.did != nil || m.s.phase != outcast || m.f.clients != 0 {
			t.Errorf("in %s, later: %v, %+v", at, m.did, m.s)
		}
		if _, err := m.s.begin(m.now, 0, time.Minute, m.f); err == nil || !strings.Contains(err.Error(), "doesn't accept") || m.s.undrain(m.now) != nil || m.s.phase != outcast {
			t.Errorf("in %s: an operator changes it: %v, %+v", at, err, m.s)
		}
		if m.apply(m.s.again(m.now)); strings.Join(m.did, ", ") != "leave, send" {
			t.Errorf("in %s: new parts do %v", at, m.did)
		}
		m.f.others, m.did = true, nil
		m.apply(m.s.takenBack(m.now))
		if did := m.until(undrained, 20*time.Second); !strings.HasSuffix(did, "weight 100, back, open") || m.s.reason != "" || m.f.closed {
			t.Errorf("in %s, taken back: %s, %+v", at, did, m.s)
		}
		if m.s.takenBack(m.now) != nil {
			t.Error("taken back twice")
		}
	}
	m := newDrainModel(t)
	m.begin(time.Minute)
	m.until(drained, time.Minute)
	if m.shutOut(); m.s.phase != drained || m.did != nil {
		t.Errorf("an empty node: %s, %v", m.s.phase, m.did)
	}
}
