package link_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/cluster/link"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// TestABadNetwork: every link of three nodes, several callers on each, over a network that loses, doubles and reorders.
func TestABadNetwork(t *testing.T) {
	for seed := range uint64(5) {
		run(t, seed, func(t *testing.T, r *rig) {
			b := link.Bounds{FrameLen: 8, Window: 50}
			nodes := []*node{r.node("a@1", b), r.node("b@1", b), r.node("c@1", b)}
			r.net.Loss(0.2)
			r.net.Duplicate(0.2)
			r.net.Reorder(0.3)
			r.net.Delay(time.Millisecond, 40*time.Millisecond)
			const callers, each = 4, 100
			var wg sync.WaitGroup
			for _, n := range nodes {
				for _, other := range nodes {
					n.knows(other) // itself, too, which does nothing
					if n == other {
						continue
					}
					for _, class := range all {
						for caller := range callers {
							wg.Go(func() {
								for i := range each {
									if err := n.Send(other.id, class, fmt.Appendf(nil, "%d/%d", caller, i), false); err != nil {
										t.Error(err)
									}
									time.Sleep(time.Duration(i%7) * time.Millisecond)
								}
							})
						}
					}
				}
			}
			wg.Wait()
			wait(time.Minute)
			for _, n := range nodes {
				for _, other := range nodes {
					if n == other {
						continue
					}
					for _, class := range all {
						next := [callers]int{}
						for _, e := range n.from(other, class) {
							var caller, i int
							if _, err := fmt.Sscanf(e, "%d/%d", &caller, &i); err != nil || i != next[caller] {
								t.Fatalf("%s from %s: %s instead of %d of that caller", n.id, other.id, e, next[caller])
							}
							next[caller]++
						}
						if next != [callers]int{each, each, each, each} {
							t.Errorf("%s from %s: %v", n.id, other.id, next)
						}
						st := n.stat(other, class)
						if st.Queue+st.Unacked+st.Bytes != 0 || st.Oldest != 0 || st.Sent != callers*each || st.Received != callers*each || st.Resent == 0 {
							t.Errorf("%+v", st)
						}
					}
				}
			}
		})
	}
}

func TestAPeerThatNeverReads(t *testing.T) {
	run(t, 1, func(t *testing.T, r *rig) {
		a, b := r.pair(link.Bounds{QueueLen: 500, Window: 100})
		c := r.node("c@1", link.Bounds{})
		a.knows(c)
		c.knows(a)
		wait(time.Second)
		b.sim.Pause()
		a.send(t, b, messages, 1, 500)
		wait(time.Hour)
		if err := a.Send(b.id, messages, []byte("x"), false); err != link.ErrFull {
			t.Error("over the bound:", err)
		}
		for i := 501; i <= 1000; i++ {
			if err := a.Send(b.id, messages, []byte(fmt.Sprint(i)), true); err != nil {
				t.Fatal("reserved:", err)
			}
		}
		if err := a.Send(b.id, messages, []byte("x"), true); err != link.ErrFull {
			t.Error("over the bound of what is reserved:", err)
		}
		if st := a.stat(b, messages); st.Queue+st.Unacked != 1000 || st.Unacked > 100 || st.Refused != 2 || st.RefusedReserved != 1 ||
			st.Oldest < time.Hour || st.Tries < 3 || st.Bytes != 9+180+2700+4 {
			t.Errorf("%+v", st)
		}
		a.send(t, b, presence, 1, 10) // the other links have queues of their own
		a.send(t, c, messages, 1, 10)
		wait(time.Second)
		expect(t, "at another node", c.from(a, messages), numbers(1, 10))
		b.sim.Resume()
		wait(10 * time.Second)
		expect(t, "at last", b.from(a, messages), numbers(1, 1000))
		if st := a.stat(b, messages); st.Queue+st.Unacked+st.Tries+st.Bytes != 0 {
			t.Errorf("%+v", st)
		}
	})
}

func TestPeerDown(t *testing.T) {
	run(t, 1, func(t *testing.T, r *rig) {
		a, b := r.pair(link.Bounds{})
		a.send(t, b, messages, 1, 5)
		wait(time.Second)
		r.net.Cut("b", "a") // acknowledgements are lost
		a.send(t, b, messages, 6, 10)
		wait(50 * time.Millisecond)
		r.net.CutBoth("a", "b")
		a.send(t, b, messages, 11, 15)
		a.send(t, b, control, 1, 3)
		wait(time.Minute)
		a.PeerDown(b.id)
		a.PeerDown(b.id)
		if err := a.Send(b.id, messages, nil, true); err != link.ErrNoPeer {
			t.Error("to who is down:", err)
		}
		expect(t, "returned, of which the first five have arrived", a.back(b, messages), numbers(6, 15))
		expect(t, "returned of another class", a.back(b, control), numbers(1, 3))
		expect(t, "of a class with nothing in it", a.back(b, presence), nil)
		expect(t, "arrived", b.from(a, messages), numbers(1, 10))
		r.net.Heal()
		wait(time.Minute)
		if len(a.Stats()) != 0 {
			t.Error("stats of who is down")
		}
		a.knows(b)
		a.send(t, b, messages, 6, 20)
		wait(time.Second)
		expect(t, "arrived, sent again in a new epoch", b.from(a, messages), append(numbers(1, 10), numbers(6, 20)...))
		if st := a.stat(b, messages); st.Epoch != 2 || st.Sent != 15 || st.Unacked != 0 {
			t.Errorf("%+v", st)
		}
	})
}

// TestOneSideGivesUp: the other's frames go on where they were, each delivered once.
func TestOneSideGivesUp(t *testing.T) {
	run(t, 1, func(t *testing.T, r *rig) {
		a, b := r.pair(link.Bounds{})
		r.net.Cut("b", "a")
		a.send(t, b, messages, 1, 5)
		wait(time.Second)
		b.PeerDown(a.id)
		r.net.Heal()
		a.send(t, b, messages, 6, 10)
		wait(time.Minute)
		expect(t, "from who is down", b.from(a, messages), numbers(1, 5))
		if s := b.Strays(); s.Strangers == 0 || s.Nonsense != 0 {
			t.Errorf("%+v", s)
		}
		b.knows(a)
		b.send(t, a, messages, 1, 3)
		wait(100 * time.Millisecond)
		expect(t, "when it is up again", b.from(a, messages), numbers(1, 10))
		expect(t, "the other way", a.from(b, messages), numbers(1, 3))
		if st := b.stat(a, messages); st.Epoch != 2 || st.Received != 10 || st.Duplicates == 0 {
			t.Errorf("%+v", st)
		}
	})
}

// TestWhoGaveUpWhom: a peer hears that the other has given it up before anything that came after that, whether it did the same or not, and hears
// nothing of the kind if it alone did so.
func TestWhoGaveUpWhom(t *testing.T) {
	run(t, 1, func(t *testing.T, r *rig) {
		a, b := r.pair(link.Bounds{})
		number := 0
		talk := func() {
			number++
			a.send(t, b, messages, number, number)
			b.send(t, a, messages, number, number)
			wait(time.Second)
		}
		expectBoth := func(what string, atA, atB []string) {
			t.Helper()
			expect(t, what+", at a", a.epochs(), atA)
			expect(t, what+", at b", b.epochs(), atB)
		}
		talk()
		expectBoth("at first", numbers(1, 1), numbers(1, 1))
		b.PeerDown(a.id)
		b.knows(a)
		talk()
		expectBoth("b gave up a", []string{"anew", "2"}, numbers(2, 2))
		for range 2 {
			a.PeerDown(b.id)
			b.PeerDown(a.id)
			a.knows(b)
			b.knows(a)
			number++
			talk()
			expectBoth("both did", []string{"mutual", fmt.Sprint(number)}, []string{"mutual", fmt.Sprint(number)})
		}
		a.PeerDown(b.id)
		b.PeerDown(a.id)
		a.PeerDown(b.id)
		a.knows(b)
		a.PeerDown(b.id)
		a.knows(b)
		b.knows(a)
		talk()
		expectBoth("a did so twice", []string{"mutual", fmt.Sprint(number)}, []string{"mutual", fmt.Sprint(number)})
		a.PeerDown(b.id)
		a.knows(b)
		talk()
		expectBoth("a gave up b", numbers(number, number), []string{"anew", fmt.Sprint(number)})
	})
}

func TestARestart(t *testing.T) {
	run(t, 1, func(t *testing.T, r *rig) {
		a, b := r.pair(link.Bounds{})
		b.send(t, a, messages, 1, 5)
		wait(time.Second)
		b.Close()
		b2 := r.node("b@2", link.Bounds{})
		b2.knows(a)
		a.send(t, b, messages, 1, 5)
		b2.send(t, a, messages, 1, 5)
		wait(time.Minute)
		if a.Strays().Strangers == 0 || b2.Strays().Misdirected == 0 {
			t.Errorf("%+v, %+v", a.Strays(), b2.Strays())
		}
		a.knows(b2)
		expect(t, "returned", a.back(b, messages), numbers(1, 5))
		if err := a.Send(b.id, messages, nil, false); err != link.ErrNoPeer {
			t.Error("to the former incarnation:", err)
		}
		a.send(t, b2, messages, 6, 8)
		wait(100 * time.Millisecond)
		expect(t, "to the new one", b2.from(a, messages), numbers(6, 8))
		expect(t, "from the former", a.from(b, messages), numbers(1, 5))
		expect(t, "from the new one", a.from(b2, messages), numbers(1, 5))
	})
}

// TestAGreetingIsAnswered: who is known late gets what waits when it is, not when the pause is over.
func TestAGreetingIsAnswered(t *testing.T) {
	run(t, 1, func(t *testing.T, r *rig) {
		a, b := r.node("a@1", link.Bounds{}), r.node("b@1", link.Bounds{})
		a.knows(b)
		a.send(t, b, presence, 1, 3)
		wait(time.Minute + 500*time.Millisecond)
		b.knows(a)
		wait(250 * time.Millisecond)
		expect(t, "after a greeting", b.from(a, presence), numbers(1, 3))
	})
}

func TestANewAddress(t *testing.T) {
	run(t, 1, func(t *testing.T, r *rig) {
		a, b := r.node("a@1", link.Bounds{}), r.node("b@1", link.Bounds{})
		b.knows(a)
		a.PeerUp(link.Peer{ID: b.id, Addr: "10.9.9.9:1"})
		a.send(t, b, messages, 1, 3)
		wait(time.Minute)
		for range 2 {
			a.knows(b)
		}
		wait(50 * time.Millisecond)
		expect(t, "at the new address", b.from(a, messages), numbers(1, 3))
		if st := a.stat(b, messages); st.Epoch != 1 || st.Peer.Addr != b.addr {
			t.Errorf("%+v", st)
		}
	})
}

// TestAcknowledgementsCostLittle: an idle link sends nothing, a lone envelope costs two frames, and what goes the other way takes
// acknowledgements along.
func TestAcknowledgementsCostLittle(t *testing.T) {
	run(t, 1, func(t *testing.T, r *rig) {
		a, b := r.pair(link.Bounds{})
		wait(time.Second)
		count := func(what string, aData, aRest, bData, bRest int) {
			t.Helper()
			d1, r1 := a.frames(b, messages)
			d2, r2 := b.frames(a, messages)
			if d1 != aData || r1 != aRest || d2 != bData || r2 != bRest {
				t.Errorf("%s: %d frames with and %d without envelopes, %d and %d back", what, d1, r1, d2, r2)
			}
		}
		count("the greetings", 0, 1, 0, 1)
		wait(24 * time.Hour)
		count("idle", 0, 0, 0, 0)
		a.send(t, b, messages, 1, 1) // the first is acknowledged at once, with all the credit
		wait(10 * time.Millisecond)
		count("one envelope, the first", 1, 0, 0, 1)
		a.send(t, b, messages, 2, 2)
		wait(10 * time.Millisecond)
		count("one envelope", 1, 0, 0, 0)
		wait(24 * time.Hour)
		count("its acknowledgement", 0, 0, 0, 1)
		for i := 3; i <= 102; i++ {
			a.send(t, b, messages, i, i)
			b.send(t, a, messages, i, i)
			wait(5 * time.Millisecond)
		}
		wait(time.Second)
		d1, r1 := a.frames(b, messages)
		d2, r2 := b.frames(a, messages)
		if d1 != 100 || d2 != 100 || r1+r2 > 3 {
			t.Errorf("both ways: %d with and %d without, %d and %d back", d1, r1, d2, r2)
		}
		if st := a.stat(b, messages); st.RoundTrip < time.Millisecond || st.RoundTrip > 30*time.Millisecond || st.Resent != 0 {
			t.Errorf("%+v", st)
		}
	})
}

// TestBatching: what queues up while a frame goes to the carrier goes with the next ones, as full as may be.
func TestBatching(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sizes []int
		gate := make(chan struct{})
		l := link.New(link.Options{
			Self: "a@1", Bounds: link.Bounds{FrameLen: 100, FrameBytes: 10000},
			Carrier: link.CarrierFunc(func(_ link.Peer, f *nodepb.Frame) error {
				if len(f.GetEnvelopes()) > 0 {
					sizes = append(sizes, len(f.GetEnvelopes()))
					<-gate
				}
				return nil
			}),
			Return: func(ident.NodeID, nodepb.LinkClass, [][]byte) {},
		})
		l.PeerUp(link.Peer{ID: "b@1"})
		synctest.Wait()
		// Credit for all of them.
		for range 64 {
			_ = l.Send("b@1", messages, []byte("x"), false)
		}
		synctest.Wait()
		for range 8 {
			select {
			case gate <- struct{}{}:
			default:
			}
			synctest.Wait()
		}
		l.Receive(&nodepb.Frame{Version: 1, From: "b@1", To: "a@1", Class: messages, AckEpoch: 1, Ack: 64, Credit: 5000})
		sizes = nil
		_ = l.Send("b@1", messages, []byte("x"), false)
		synctest.Wait()
		for range 500 {
			_ = l.Send("b@1", messages, []byte("x"), false)
		}
		close(gate)
		synctest.Wait()
		total := 0
		for _, n := range sizes {
			total += n
		}
		if sizes[0] != 1 || total != 501 || len(sizes) > 10 {
			t.Errorf("frames of %v", sizes)
		}
		l.Close()
	})
}

func TestSendRefuses(t *testing.T) {
	run(t, 1, func(t *testing.T, r *rig) {
		a, b := r.pair(link.Bounds{QueueBytes: 1000})
		r.net.CutBoth("a", "b")
		kb := make([]byte, 1001)
		for _, c := range []struct {
			what     string
			to       ident.NodeID
			class    nodepb.LinkClass
			envelope []byte
			reserved bool
			want     error
		}{
			{"a stranger", "c@1", messages, nil, false, link.ErrNoPeer},
			{"another incarnation", "b@2", messages, nil, false, link.ErrNoPeer},
			{"itself", "a@1", messages, nil, false, link.ErrNoPeer},
			{"far too large", b.id, messages, make([]byte, link.MaxEnvelope+1), true, link.ErrTooLarge},
			{"an empty link takes any", b.id, messages, kb, false, nil},
			{"over the bytes", b.id, messages, []byte{1}, false, link.ErrFull},
			{"reserved", b.id, messages, make([]byte, 999), true, nil},
			{"over the bytes, reserved", b.id, messages, []byte{1}, true, link.ErrFull},
			{"nothing weighs nothing", b.id, messages, nil, true, nil},
		} {
			if err := a.Send(c.to, c.class, c.envelope, c.reserved); err != c.want {
				t.Errorf("%s: %v, want %v", c.what, err, c.want)
			}
		}
		if err := a.Send(b.id, 3, nil, false); err == nil || !strings.Contains(err.Error(), "no class 3") {
			t.Error("a class that is none:", err)
		}
		a.Close()
		a.Close()
		if back := a.back(b, messages); len(back) != 3 {
			t.Errorf("%d returned at the end, want 3", len(back))
		}
		if err := a.Send(b.id, messages, nil, false); err != link.ErrClosed {
			t.Error("after the end:", err)
		}
		a.knows(b)
		if len(a.Stats()) != 0 {
			t.Error("a peer after the end")
		}
	})
}
