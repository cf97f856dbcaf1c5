package node

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// drainModel is a node as a drain sees it: what is asked for happens a little later.
type drainModel struct {
	t     *testing.T
	s     drainState
	now   time.Time
	f     drainFacts
	did   []string
	stuck bool // nothing moves
	hang  bool // clients stay
}

func newDrainModel(t *testing.T) *drainModel {
	return &drainModel{t: t, now: time.UnixMicro(0), s: drainState{phase: undrained, usual: 100, weight: 100}, f: drainFacts{others: true, settled: true, mine: 1024, clients: 10}}
}

func (m *drainModel) apply(effects []drainEffect) {
	for _, e := range effects {
		if e.weight > 0 {
			m.note("weight %d", e.weight)
			m.move(1024 * int(e.weight) / 100)
		}
		if e.leave {
			m.note("leave")
			m.move(0)
		}
		if e.back {
			m.note("back")
			m.move(1024)
		}
		if e.send {
			m.note("send")
			m.f.sending, m.f.sent, m.f.sendErr, m.f.closed = true, false, nil, true
		}
		if e.keep && m.f.sending {
			m.note("keep")
			m.f.sending, m.f.sent, m.f.sendErr = false, true, errors.New("cut short")
		}
		if e.open {
			m.note("open")
			m.f.closed = false
		}
	}
}

func (m *drainModel) note(format string, args ...any) {
	m.did = append(m.did, fmt.Sprintf(format, args...))
}

// move changes the share.
func (m *drainModel) move(to int) {
	m.f.settled = false
	m.f.leaving = max(m.f.mine-to, 0)
	m.f.waiting = max(to-m.f.mine, 0)
	m.f.mine = min(to, m.f.mine)
}

// tick is 100 ms, in which what was asked for comes to be.
func (m *drainModel) tick() {
	m.now = m.now.Add(100 * time.Millisecond)
	m.apply(m.s.look(m.now, m.f))
	if m.stuck {
		return
	}
	m.f.settled = true
	m.f.mine, m.f.waiting, m.f.leaving = m.f.mine+m.f.waiting, 0, 0
	if m.f.sending && !m.hang {
		if m.f.clients = max(m.f.clients-2, 0); m.f.clients == 0 {
			m.f.sending, m.f.sent = false, true
		}
	}
}

// until ticks until the phase, and returns what was done since.
func (m *drainModel) until(p drainPhase, limit time.Duration) string {
	m.t.Helper()
	for end := m.now.Add(limit); m.s.phase != p; m.tick() {
		if m.now.After(end) {
			m.t.Fatalf("after %v it is %s and not %s; it did %v", limit, m.s.phase, p, m.did)
		}
	}
	did := strings.Join(m.did, ", ")
	m.did = nil
	return did
}

func (m *drainModel) begin(timeout time.Duration) {
	m.t.Helper()
	effects, err := m.s.begin(m.now, 10*time.Second, timeout, m.f)
	if err != nil {
		m.t.Fatal(err)
	}
	m.apply(effects)
}

func TestDrainAndUndrain(t *testing.T) {
	m := newDrainModel(t)
	m.begin(time.Minute)
	m.begin(time.Hour) // which changes nothing
	if did := m.until(drained, 20*time.Second); did != "weight 75, weight 50, weight 25, leave, send" {
		t.Error(did)
	}
	if m.now.Sub(time.UnixMicro(0)) < 3*drainPause || m.s.deadline != time.UnixMicro(0).Add(time.Minute) || m.s.ended.IsZero() {
		t.Errorf("%v %+v", m.now, m.s)
	}
	m.begin(time.Minute)
	if m.s.phase != drained || m.did != nil || !m.s.phase.away() || m.s.phase.underWay() {
		t.Errorf("drained again: %s, %v", m.s.phase, m.did)
	}
	m.apply(m.s.undrain(m.now))
	if !m.s.phase.away() {
		t.Error("clients would be let in before the share is there")
	}
	if did := m.until(undrained, 5*time.Second); did != "weight 100, back, open" || m.s.weight != 100 {
		t.Errorf("%s, %+v", did, m.s)
	}
	if effects := m.s.undrain(m.now); effects != nil || m.s.phase.away() {
		t.Errorf("undrained again: %v", effects)
	}
}

func TestDrainAlone(t *testing.T) {
	m := newDrainModel(t)
	m.f.others = false
	if _, err := m.s.begin(m.now, 0, time.Minute, m.f); !errors.Is(err, errAlone) || m.s.phase != undrained {
		t.Errorf("%v, %s", err, m.s.phase)
	}
	for _, at := range []drainPhase{lightening, leaving, sending} {
		m := newDrainModel(t)
		m.begin(time.Minute)
		m.hang = true
		m.until(at, 20*time.Second)
		m.f.others = false
		did := m.until(failed, 20*time.Second)
		if !strings.Contains(did, "weight 100, back") || !strings.Contains(m.s.reason, "no other node") || m.f.closed || m.s.phase.away() {
			t.Errorf("in %s: %s, %+v", at, did, m.s)
		}
		m.f.others = true
		m.begin(time.Minute)
		if m.s.reason != "" || m.s.phase != lightening {
			t.Errorf("begun again: %+v", m.s)
		}
	}
}

// TestDrainTakesTooLong: the node stays as it is, and can go on or back.
func TestDrainTakesTooLong(t *testing.T) {
	m := newDrainModel(t)
	m.hang = true
	m.begin(20 * time.Second)
	did := m.until(overdue, time.Minute)
	if !strings.HasSuffix(did, "send, keep") || !strings.Contains(m.s.reason, "0 partitions and 10 clients are still here") {
		t.Errorf("%s, %s", did, m.s.reason)
	}
	m.hang = false
	m.begin(20 * time.Second)
	if did := m.until(drained, time.Minute); did != "leave, send" {
		t.Error(did)
	}

	m = newDrainModel(t)
	m.stuck = true
	m.begin(2 * time.Minute)
	m.until(sending, time.Minute+drainLeave)
	if took := m.now.Sub(m.s.began); took < (drainSteps-1)*drainStep+drainLeave {
		t.Errorf("it waited for %v only", took)
	}
	m.until(overdue, 2*time.Minute)

	m = newDrainModel(t)
	m.begin(time.Minute)
	m.until(sending, time.Minute)
	m.f.sending, m.f.sent, m.f.sendErr = false, true, errors.New("the gateway is gone")
	if m.until(overdue, time.Second); m.s.reason != "the gateway is gone" {
		t.Error(m.s.reason)
	}
}

func TestUndrainInTheMidst(t *testing.T) {
	for at, want := range map[drainPhase]string{
		lightening: "weight 100, back", leaving: "weight 100, back", sending: "keep, weight 100, back, open",
	} {
		m := newDrainModel(t)
		m.begin(time.Minute)
		m.hang = true
		m.until(at, 20*time.Second)
		m.did = nil
		m.apply(m.s.undrain(m.now))
		if did := m.until(undrained, 20*time.Second); did != want || m.s.weight != 100 {
			t.Errorf("in %s: %s", at, did)
		}
	}
}

// TestDrainOfNewParts: the parts that were told are started anew in the midst of it.
func TestDrainOfNewParts(t *testing.T) {
	m := newDrainModel(t)
	m.begin(time.Minute)
	m.until(drained, time.Minute)
	m.now = m.now.Add(time.Hour)
	m.f = drainFacts{others: true, settled: true, mine: 1024, clients: 4}
	m.apply(m.s.again(m.now))
	if did := m.until(drained, time.Minute); did != "leave, send" {
		t.Error(did)
	}
	m.apply(m.s.undrain(m.now))
	m.f = drainFacts{others: true, settled: true, mine: 1024}
	if m.apply(m.s.again(m.now)); m.s.phase != undrained {
		t.Errorf("it was on its way back: %s", m.s.phase)
	}
	if m.apply(m.s.again(m.now)); m.s.phase != undrained || len(m.did) != 2 {
		t.Errorf("%s, %v", m.s.phase, m.did)
	}
}

// TestReturnWithoutAShare: after some time a node takes clients without one, and a port that is taken is tried again.
func TestReturnWithoutAShare(t *testing.T) {
	m := newDrainModel(t)
	m.begin(time.Minute)
	m.until(drained, time.Minute)
	m.stuck = true
	m.apply(m.s.undrain(m.now))
	began := m.now
	if m.until(undrained, time.Minute); m.now.Sub(began) < returnWait {
		t.Errorf("after %v", m.now.Sub(began))
	}

	s := drainState{phase: returning, since: m.now, usual: 100}
	f := drainFacts{others: true, settled: true, mine: 1, closed: true}
	opened := 0
	for range 30 {
		m.now = m.now.Add(100 * time.Millisecond)
		opened += len(s.look(m.now, f))
	}
	if opened != 3 || s.phase != returning {
		t.Errorf("tried %d times in 3 s, %s", opened, s.phase)
	}
}
