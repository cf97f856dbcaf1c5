package link_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/cluster/link"
	"github.com/jackdaw-im/jackdaw/ident"
)

// probes and rest are the formula of the package comment.
func probes(b link.Bounds, cut time.Duration) int {
	return 1 + int(math.Ceil(math.Log2(float64(b.ResendMax)/float64(b.Resend)))) + int(float64(cut)/(0.75*float64(b.ResendMax)))
}

func rest(b link.Bounds, st link.Stat) int {
	return 8 + 2*(st.Queue+st.Unacked)/b.FrameLen + 2*st.Bytes/b.FrameBytes
}

// mesh is five nodes, each linked with each, under load.
type mesh struct {
	*rig
	bounds link.Bounds
	names  []string
	links  [][2]*node // from and to
	sent   int        // on each link
}

// each calls f for each link of each class.
func (m *mesh) each(f func(from, to *node, c int)) {
	for _, l := range m.links {
		for c := range all {
			f(l[0], l[1], c)
		}
	}
}

func meshed(r *rig) *mesh {
	m := &mesh{rig: r, names: []string{"a", "b", "c", "d", "e"}, bounds: link.Bounds{
		QueueLen: 4000, QueueBytes: 1 << 20, Window: 512, WindowBytes: 1 << 20, FrameLen: 64, FrameBytes: 64 << 10,
		Resend: 200 * time.Millisecond, ResendMax: 5 * time.Second, AckDelay: 20 * time.Millisecond,
	}}
	for _, name := range m.names {
		r.node(ident.NodeID(name+"@1"), m.bounds)
	}
	for _, from := range m.names {
		for _, to := range m.names {
			if from != to {
				m.links = append(m.links, [2]*node{r.nodes[from+"@1"], r.nodes[to+"@1"]})
			}
		}
	}
	for _, l := range m.links {
		l[0].knows(l[1])
	}
	return m
}

// load sends an envelope on each link, again and again.
func (m *mesh) load(d, pause time.Duration) {
	for range d / pause {
		m.sent++
		m.each(func(from, to *node, c int) {
			if err := from.Send(to.id, all[c], fmt.Appendf(nil, "%0100d", m.sent), false); err != nil {
				m.t.Fatal(err)
			}
		})
		wait(pause)
	}
}

func (m *mesh) cut() {
	for i := range m.names {
		for j := range i {
			m.net.CutBoth(m.names[i], m.names[j])
		}
	}
}

// TestAFlapCostsABoundedNumberOfFrames: all links of five nodes are cut at once, for different times, while everyone goes on
// sending, less or more. What it costs is counted from the first probes to the moment when nothing is held.
func TestAFlapCostsABoundedNumberOfFrames(t *testing.T) {
	run(t, 7, func(t *testing.T, r *rig) {
		m := meshed(r)
		m.load(time.Second, 10*time.Millisecond)
		for _, c := range []struct{ cut, pause time.Duration }{
			{time.Second, 10 * time.Millisecond}, {7 * time.Second, 100 * time.Millisecond}, {7 * time.Second, 5 * time.Millisecond},
			{40 * time.Second, 20 * time.Millisecond},
		} {
			m.cut()
			m.load(200*time.Millisecond, c.pause) // within this, each Send may still be a frame
			m.each(func(from, to *node, c int) { from.frames(to, all[c]) })
			m.load(c.cut-200*time.Millisecond, c.pause)
			most := map[string]int{}
			name := func(from, to *node, c int) string { return fmt.Sprint(from.id, to.id, c) }
			m.each(func(from, to *node, class int) {
				most[name(from, to, class)] = probes(m.bounds, c.cut) + rest(m.bounds, from.stat(to, all[class]))
			})
			r.net.Heal()
			wait(10 * time.Second)
			data, acks, total, bound := map[string]int{}, map[string]int{}, 0, 0
			m.each(func(from, to *node, c int) {
				n := name(from, to, c)
				data[n], acks[n] = from.frames(to, all[c])
				total, bound = total+data[n]+acks[n], bound+2*most[n]
			})
			m.each(func(from, to *node, class int) {
				n, back := name(from, to, class), name(to, from, class)
				if data[n] > most[n] || acks[n] > data[back] {
					t.Errorf("cut of %v: %d frames with envelopes, at most %d; %d without, at most %d", c.cut, data[n], most[n], acks[n], data[back])
				}
				if st := from.stat(to, all[class]); st.Queue+st.Unacked+st.Tries != 0 || st.Received != uint64(m.sent) {
					t.Errorf("after a cut of %v: %+v", c.cut, st)
				}
			})
			t.Logf("cut of %v, a send each %v: %d frames on %d links, at most %d", c.cut, c.pause, total, len(data), bound)
		}
	})
}

// TestAFlapThatEndsInPeerDown costs a greeting each, and what was held is with Return, not on the links.
func TestAFlapThatEndsInPeerDown(t *testing.T) {
	run(t, 8, func(t *testing.T, r *rig) {
		m := meshed(r)
		m.load(time.Second, 10*time.Millisecond)
		wait(time.Second)
		before := m.sent
		m.cut()
		m.load(20*time.Second, 20*time.Millisecond)
		for _, l := range m.links {
			l[0].PeerDown(l[1].id)
		}
		r.net.Heal()
		m.each(func(from, to *node, c int) { from.frames(to, all[c]) })
		for _, l := range m.links {
			l[0].knows(l[1])
		}
		wait(time.Minute)
		m.each(func(from, to *node, c int) {
			if data, acks := from.frames(to, all[c]); data != 0 || acks != 1 {
				t.Errorf("%d frames with envelopes, %d without", data, acks)
			}
			if n := len(from.back(to, all[c])); n != m.sent-before {
				t.Errorf("%d of %d returned", n, m.sent-before)
			}
		})
		m.sent = 0
		m.load(time.Second, 10*time.Millisecond)
		wait(time.Second)
		m.each(func(from, to *node, c int) {
			if n := len(to.from(from, all[c])); n != before+m.sent {
				t.Errorf("%d arrived, want %d", n, before+m.sent)
			}
		})
	})
}
