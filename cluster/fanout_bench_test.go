//go:build unix

package cluster_test

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/cluster/link"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// recipients of each fan-out, half of them on each of two other nodes.
const recipients = 1000

// cpu is what this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// tally counts what all its sinks are sent.
type tally struct {
	n    atomic.Int64
	full chan struct{} // gets one whenever a fan-out has arrived
}

type sink struct{ *tally }

func (s sink) Init(*actors.Context, any) error { return nil }

func (s sink) Handle(*actors.Context, any) error {
	if s.n.Add(1)%recipients == 0 {
		s.full <- struct{}{}
	}
	return nil
}

// wires are the carriers of some nodes, in memory: a frame is encoded, copied and decoded, as on its way over a socket, and handled on a
// goroutine of the receiver's class.
type wires struct {
	r       *rig
	bytes   atomic.Int64
	frames  atomic.Int64
	running sync.WaitGroup
	mu      sync.Mutex
	lines   map[string]chan []byte
}

func (w *wires) carry(from *node, to link.Peer, f *nodepb.Frame) error {
	b, err := proto.Marshal(f)
	if err != nil {
		return err
	}
	w.bytes.Add(int64(len(b)))
	w.frames.Add(1)
	w.line(from.id, to.ID, f.Class) <- append([]byte(nil), b...)
	return nil
}

func (w *wires) line(from, to ident.NodeID, class nodepb.LinkClass) chan []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := fmt.Sprint(from, to, class)
	line := w.lines[key]
	if line == nil {
		line = make(chan []byte, 4096)
		w.lines[key] = line
		there := w.r.nodes[to]
		w.running.Go(func() {
			for b := range line {
				f := new(nodepb.Frame)
				if err := proto.Unmarshal(b, f); err != nil {
					w.r.t.Error(err)
				}
				there.links.Receive(f)
			}
		})
	}
	return line
}

func (w *wires) close() {
	w.mu.Lock()
	for _, line := range w.lines {
		close(line)
	}
	w.mu.Unlock()
	w.running.Wait()
}

// BenchmarkFanOut is the cost of a message of 200 B to 1,000 actors of two other nodes, with the work of all three: by CastAll, and by a
// cast to each. An operation is one fan-out that has arrived; the figures are per recipient.
func BenchmarkFanOut(b *testing.B) {
	ways := []struct {
		name string
		cast func(ctx *actors.Context, to []actors.Ref, msg proto.Message) int
	}{
		{"each", func(ctx *actors.Context, to []actors.Ref, msg proto.Message) (refused int) {
			for _, ref := range to {
				if ctx.Cast(ref, msg) != nil {
					refused++
				}
			}
			return refused
		}},
		{"all", func(ctx *actors.Context, to []actors.Ref, msg proto.Message) int { return len(ctx.CastAll(to, msg)) }},
	}
	for _, way := range ways {
		b.Run(way.name, func(b *testing.B) {
			t := &tally{full: make(chan struct{}, 1)}
			r := &rig{t: b, boxes: map[string][]string{}, nodes: map[ident.NodeID]*node{}, newBox: func(*node) actors.Behaviour { return sink{t} }}
			w := &wires{r: r, lines: map[string]chan []byte{}}
			b.Cleanup(w.close) // after the nodes have stopped
			r.carrier = w.carry
			x, y, z := r.start("a@1"), r.start("b@1"), r.start("c@1")
			r.view([]*node{x, y, z}, x, y, z)
			for _, n := range []*node{x, y, z} {
				for n.c.Status().Waiting > 0 || n.c.Status().Mine == 0 {
					runtime.Gosched()
				}
			}
			ownerOf := ownersAmong(x, y, z)
			count := map[ident.NodeID]int{}
			var to []actors.Ref
			for i := 0; len(to) < recipients; i++ {
				ref := actors.Ref{Kind: "box", ID: fmt.Sprintf("member%d@example.org", i)}
				if owner := ownerOf(ref); owner != x.id && count[owner] < recipients/2 {
					count[owner]++
					to = append(to, ref)
				}
			}
			p := x.peer("p")
			msg := &nodepb.Relay{Stanza: make([]byte, 200)}
			fan := func() {
				err := x.sys.Cast(p.ref, func(ctx *actors.Context) {
					if n := way.cast(ctx, to, msg); n > 0 {
						b.Errorf("%d refused", n)
					}
				})
				if err != nil {
					b.Fatal(err)
				}
				<-t.full
			}
			fan() // the actors start
			bytes, frames, sent, used := w.bytes.Load(), w.frames.Load(), x.c.Counters().Sent.Load(), cpu()
			b.ReportAllocs()
			for b.Loop() {
				fan()
			}
			all := float64(b.N * recipients)
			b.ReportMetric(float64(cpu()-used)/all, "cpu-ns/recipient")
			b.ReportMetric(float64(w.bytes.Load()-bytes)/all, "wire-B/recipient")
			b.ReportMetric(float64(w.frames.Load()-frames)/float64(b.N), "frames/op")
			b.ReportMetric(float64(x.c.Counters().Sent.Load()-sent)/float64(b.N), "envelopes/op")
		})
	}
}
