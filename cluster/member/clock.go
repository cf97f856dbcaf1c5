package member

import (
	"fmt"
	"slices"
	"time"
)

// clock judges the wall clock of this node by those of the others.
type clock struct {
	exchanges int  // how many have come
	doubt     int  // the exchange after which the clock seemed off, 0: it doesn't
	certain   bool // a later one has confirmed it
	jumped    bool // this node's own clock has, and has not been right since
	by        time.Duration
}

// advance notices when the wall clock goes on by another time than has passed.
func (c *clock) advance(passed, by time.Duration, first bool, bound time.Duration) {
	if !first && (by-passed).Abs() > bound {
		c.jumped = true
	}
}

// look compares the clocks, and reports whether another exchange has to confirm that this node's is off: what it knows of the others' may
// have waited somewhere, for example while this process stood still.
func (c *clock) look(s *state) (ask bool) {
	bound := s.timing.ClockBound
	if c.certain {
		bound = bound * 4 / 5 // so that a clock on the border doesn't go in and out
	}
	c.by = c.deviation(s)
	if c.by.Abs() <= bound {
		c.doubt, c.certain = 0, false
		if c.exchanges > 0 {
			c.jumped = false
		}
		return false
	}
	if c.doubt == 0 {
		c.doubt = max(c.exchanges, 1)
		return true
	}
	c.certain = c.certain || c.exchanges > c.doubt
	return !c.certain
}

// off says how far the clock is off, if the node has to stay out for it: an active one only when it is certain.
func (c *clock) off(s *state) (time.Duration, bool) {
	return c.by, c.doubt > 0 && (c.certain || !s.active)
}

// deviation returns how far this node's clock is from the median of the active members', of all if none is active. Of an even number of
// clocks both in the middle are right, and all between them. This node's own is among them, unless it is only about to join, or has
// jumped.
func (c *clock) deviation(s *state) time.Duration {
	var active, all []time.Duration
	for id, st := range s.statuses {
		p := s.peers[id]
		if !st.clock || p == nil || !p.alive {
			continue
		}
		off := st.base + s.now - time.Duration(s.wall.UnixMicro())*time.Microsecond
		all = append(all, off)
		if p.active() {
			active = append(active, off)
		}
	}
	clocks := active
	if len(active) == 0 {
		clocks = append(all, 0)
	} else if s.active && !c.jumped {
		clocks = append(active, 0)
	}
	if len(clocks) == 0 {
		return 0
	}
	slices.Sort(clocks)
	low, high := clocks[(len(clocks)-1)/2], clocks[len(clocks)/2]
	switch {
	case low > 0:
		return -low
	case high < 0:
		return -high
	}
	return 0
}

// offText says how far a clock is off another.
func offText(by time.Duration) string {
	if by < 0 {
		return fmt.Sprintf("%s behind", (-by).Round(time.Second))
	}
	return fmt.Sprintf("%s ahead of", by.Round(time.Second))
}
