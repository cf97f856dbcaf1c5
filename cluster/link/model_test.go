package link

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// small are bounds that a short history meets.
var small = Bounds{
	QueueLen: 20, QueueBytes: 600, Window: 8, WindowBytes: 200, FrameLen: 3, FrameBytes: 90,
	Resend: 200 * time.Millisecond, ResendMax: 2 * time.Second, AckDelay: 20 * time.Millisecond,
}.filled()

// world is two halves, the frames between them, and what a plain model knows: which envelopes were sent in which epoch, and what
// became of each.
type world struct {
	t     *rapid.T
	now   time.Duration
	a     sender
	b     receiver
	b2    run // what b's Deliver is at
	busy  bool
	bUp   bool
	there []*nodepb.Frame // to b, in any order
	back  []*nodepb.Frame // to a

	sent      map[uint64]uint64 // by epoch, how many
	delivered map[uint64]uint64
	latest    uint64 // epoch of the last delivery
}

func (w *world) send(size int, reserved bool) {
	e := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, w.a.epoch), w.sent[w.a.epoch]+1)
	e = append(e, make([]byte, size)...)
	held, bytes := w.a.queue.len(), w.a.queue.bytes
	factor := 1
	if reserved {
		factor = 2
	}
	fits := held == 0 || held < factor*small.QueueLen && bytes+len(e) <= factor*small.QueueBytes
	if err := w.a.push(w.now, e, reserved); (err == nil) != fits || !fits && err != ErrFull {
		w.t.Fatalf("with %d envelopes, %d bytes: %v", held, bytes, err)
	}
	if fits {
		w.sent[w.a.epoch]++
	}
}

// cut takes a frame from a.
func (w *world) cut() bool {
	first, envelopes := w.a.cut(w.now)
	if envelopes == nil {
		return false
	}
	if len(envelopes) > small.FrameLen || len(envelopes) > 1 && size(envelopes) > small.FrameBytes {
		w.t.Fatalf("a frame of %d envelopes, %d bytes", len(envelopes), size(envelopes))
	}
	if n := w.a.high - w.a.base; n > uint64(small.Window) || w.a.flying > small.WindowBytes && w.a.next-w.a.base > 1 {
		w.t.Fatalf("%d unacknowledged, %d bytes in flight", n, w.a.flying)
	}
	if f := size(w.a.queue.run(w.a.base, 1<<20)); w.a.next > w.a.base && w.a.flying <= 0 || w.a.next == w.a.base && w.a.flying != 0 {
		w.t.Fatalf("%d bytes from %d to %d in flight (a run of %d)", w.a.flying, w.a.base, w.a.next, f)
	}
	w.there = append(w.there, &nodepb.Frame{Epoch: w.a.epoch, First: first, Envelopes: envelopes})
	return true
}

func (w *world) arrive(f *nodepb.Frame) {
	if !w.bUp {
		return
	}
	if err := w.b.take(w.now, f.Epoch, f.First, f.Envelopes); err != nil {
		w.t.Fatal(err)
	}
	waits := 0
	for _, x := range append(slices.Clone(w.b.ready), w.b.held...) {
		waits += len(x.envelopes)
	}
	if waits > initialCredit+heldRuns*small.FrameLen {
		w.t.Fatalf("%d envelopes wait", waits)
	}
}

// deliver does a step of b's delivery: it begins one, or ends it.
func (w *world) deliver() bool {
	if w.busy {
		w.b.delivered(w.now, w.b2)
		w.busy = false
		return true
	}
	x, ok := w.b.pop()
	if !ok {
		return false
	}
	for _, e := range x.envelopes {
		epoch, n := binary.BigEndian.Uint64(e), binary.BigEndian.Uint64(e[8:])
		if epoch < w.latest {
			w.t.Fatalf("epoch %d after %d", epoch, w.latest)
		}
		w.latest = epoch
		if n != w.delivered[epoch]+1 {
			w.t.Fatalf("epoch %d: %d after %d", epoch, n, w.delivered[epoch])
		}
		w.delivered[epoch] = n
	}
	w.b2, w.busy = x, true
	return true
}

func (w *world) say() {
	epoch, ack, credit := w.b.say(w.now)
	w.back = append(w.back, &nodepb.Frame{AckEpoch: epoch, Ack: ack, Credit: credit})
}

func (w *world) answer(f *nodepb.Frame) {
	if _, err := w.a.heard(w.now, f.AckEpoch, f.Ack, f.Credit); err != nil {
		w.t.Fatal(err)
	}
	if acked := w.a.base - 1; acked > w.delivered[w.a.epoch] {
		w.t.Fatalf("epoch %d: acknowledged %d, delivered %d", w.a.epoch, acked, w.delivered[w.a.epoch])
	}
}

// giveUp is PeerDown and PeerUp at a.
func (w *world) giveUp() {
	acked := w.a.base - 1
	for i, e := range w.a.giveUp() {
		if epoch, n := binary.BigEndian.Uint64(e), binary.BigEndian.Uint64(e[8:]); epoch != w.a.epoch || n != acked+uint64(i)+1 {
			w.t.Fatalf("epoch %d, acknowledged %d: %d of epoch %d returned at place %d", w.a.epoch, acked, n, epoch, i)
		}
		if i++; acked+uint64(i) > w.sent[w.a.epoch] {
			w.t.Fatal("more returned than sent")
		}
	}
	if left := w.a.giveUp(); left != nil {
		w.t.Fatal("returned twice")
	}
	if err := w.a.push(w.now, []byte{1}, true); err != ErrNoPeer {
		w.t.Fatal("an ended sender takes an envelope:", err)
	}
	if _, frame := w.a.cut(w.now + time.Hour); frame != nil {
		w.t.Fatal("an ended sender sends")
	}
	w.a = newSender(&small, w.a.epoch+1, 1)
}

// settle lets everything through and counts what that costs.
func (w *world) settle() {
	w.bUp = true
	for range 400 {
		for w.cut() {
		}
		for len(w.there) > 0 {
			w.arrive(w.there[0])
			w.there = w.there[1:]
			for w.deliver() {
			}
		}
		for w.deliver() {
		}
		if at, ok := w.b.deadline(); ok && w.now >= at {
			w.say()
		}
		for len(w.back) > 0 {
			w.answer(w.back[0])
			w.back = w.back[1:]
		}
		if w.a.queue.len() == 0 {
			break
		}
		w.now += 50 * time.Millisecond
	}
	if w.a.queue.len() != 0 || w.delivered[w.a.epoch] != w.sent[w.a.epoch] {
		w.t.Fatalf("left %d, delivered %d of %d; %+v %+v", w.a.queue.len(), w.delivered[w.a.epoch], w.sent[w.a.epoch], w.a, w.b)
	}
}

// TestModel: two halves under any loss, duplication, order and delay of frames, with either side giving the other up at any
// time, against the plain promises: see the package comment.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &world{
			t: t, a: newSender(&small, 1, 1), b: newReceiver(&small), bUp: true,
			sent: map[uint64]uint64{}, delivered: map[uint64]uint64{},
		}
		pick := func(list []*nodepb.Frame) int { return rapid.IntRange(0, len(list)-1).Draw(t, "which") }
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			switch what := rapid.IntRange(0, 14).Draw(t, "what"); what {
			case 0, 1, 2:
				w.send(rapid.SampledFrom([]int{0, 10, 100, 250}).Draw(t, "size"), rapid.Bool().Draw(t, "reserved"))
			case 3, 4, 5:
				w.cut()
			case 6, 7, 8:
				if len(w.there) > 0 {
					i := pick(w.there)
					f := w.there[i]
					if rapid.IntRange(0, 3).Draw(t, "double") > 0 {
						w.there = slices.Delete(w.there, i, i+1)
					}
					if rapid.IntRange(0, 3).Draw(t, "lost") > 0 {
						w.arrive(f)
					}
				}
			case 9, 10:
				w.deliver()
			case 11:
				w.say()
			case 12:
				if len(w.back) > 0 {
					i := pick(w.back)
					w.answer(w.back[i])
					if rapid.Bool().Draw(t, "double") {
						w.back = slices.Delete(w.back, i, i+1)
					}
				}
			case 13:
				w.now += time.Duration(rapid.IntRange(0, 3000).Draw(t, "ms")) * time.Millisecond
			case 14:
				switch rapid.IntRange(0, 5).Draw(t, "down") {
				case 0:
					w.giveUp()
				case 1, 2:
					w.bUp = !w.bUp
				}
			}
		}
		w.settle()
	})
}
