package link

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

const b1 = ident.NodeID("b@1")

// lone is a@1 with a peer b@1 that the test plays.
type lone struct {
	*Links
	frames []*nodepb.Frame // that b gets
	came   []string
	at     func(envelope string) // called by Deliver
}

func alone(b Bounds, log *zap.Logger) *lone {
	x := &lone{}
	x.Links = New(Options{
		Self: "a@1", Bounds: b, Logger: log,
		Carrier: CarrierFunc(func(to Peer, f *nodepb.Frame) error {
			x.frames = append(x.frames, f)
			if to.Addr == "nowhere" {
				return ErrClosed
			}
			return nil
		}),
		Deliver: func(from ident.NodeID, class nodepb.LinkClass, envelope []byte) {
			if x.at != nil {
				x.at(string(envelope))
			}
			x.came = append(x.came, fmt.Sprintf("%s %d %s", from, class, envelope))
		},
		Return: func(ident.NodeID, nodepb.LinkClass, [][]byte) {},
	})
	x.PeerUp(Peer{ID: b1})
	return x
}

// frame is one that b sends, with some changes.
func frame(change func(*nodepb.Frame), list ...string) *nodepb.Frame {
	f := &nodepb.Frame{Version: 1, From: string(b1), To: "a@1", Class: nodepb.LinkClass_MESSAGES, Epoch: 1, First: 1}
	for _, e := range list {
		f.Envelopes = append(f.Envelopes, []byte(e))
	}
	if change != nil {
		change(f)
	}
	return f
}

func TestStrays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := alone(Bounds{}, nil)
		defer x.Close()
		for _, c := range []struct {
			what string
			f    *nodepb.Frame
			want Strays
		}{
			{"nothing", nil, Strays{Nonsense: 1}},
			{"empty", &nodepb.Frame{}, Strays{Misdirected: 1}},
			{"a class that is none", frame(func(f *nodepb.Frame) { f.Class = 3 }, "x"), Strays{Nonsense: 1}},
			{"a class below all", frame(func(f *nodepb.Frame) { f.Class = -1 }, "x"), Strays{Nonsense: 1}},
			{"for an earlier incarnation", frame(func(f *nodepb.Frame) { f.To = "a@0" }, "x"), Strays{Misdirected: 1}},
			{"of an earlier incarnation", frame(func(f *nodepb.Frame) { f.From = "b@0" }, "x"), Strays{Strangers: 1}},
			{"of itself", frame(func(f *nodepb.Frame) { f.From = "a@1" }, "x"), Strays{Strangers: 1}},
			{"another format", frame(func(f *nodepb.Frame) { f.Version = 2 }, "x"), Strays{Version: 1}},
			{"no epoch", frame(func(f *nodepb.Frame) { f.Epoch = 0 }, "x"), Strays{Nonsense: 1}},
			{"no number", frame(func(f *nodepb.Frame) { f.First = 0 }, "x"), Strays{Nonsense: 1}},
			{"numbers that run over", frame(func(f *nodepb.Frame) { f.First = 1<<64 - 1 }, "x", "y"), Strays{Nonsense: 1}},
			{"acknowledges what was never sent", frame(func(f *nodepb.Frame) { f.AckEpoch, f.Ack = 1, 1 }, "x"), Strays{Nonsense: 1}},
			{"says nothing", frame(nil), Strays{}},
		} {
			was := x.Strays()
			x.Receive(c.f)
			now := x.Strays()
			got := Strays{now.Version - was.Version, now.Misdirected - was.Misdirected, now.Strangers - was.Strangers, now.Nonsense - was.Nonsense}
			if got != c.want {
				t.Errorf("%s: %+v, want %+v", c.what, got, c.want)
			}
		}
		x.Receive(frame(nil, "good"))
		if !slices.Equal(x.came, []string{"b@1 1 good"}) {
			t.Error("delivered", x.came)
		}
	})
}

// TestAnotherFormatIsRefused, in words that reach its sender's operator.
func TestAnotherFormatIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := alone(Bounds{}, nil)
		defer x.Close()
		time.Sleep(time.Second)
		synctest.Wait()
		x.frames = nil
		for range 10 {
			x.Receive(frame(func(f *nodepb.Frame) { f.Version = 2 }, "x"))
			synctest.Wait()
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if len(x.frames) != 2 || x.frames[0].GetRefused() != "version 2; this node speaks 1" { // at once, and one for the nine of the same instant
			t.Fatal("answered", x.frames)
		}
		if err := x.Send(b1, nodepb.LinkClass_MESSAGES, []byte("x"), false); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		words := func() string { return x.Stats()[1].PeerRefuses }
		x.Receive(frame(func(f *nodepb.Frame) { f.Refused, f.AckEpoch, f.Ack = strings.Repeat("no", 1000), 1, 1 }))
		if got := words(); len(got) != maxRefusal || x.Stats()[1].Unacked != 1 {
			t.Errorf("%d bytes of words, %+v", len(got), x.Stats()[1])
		}
		x.Receive(frame(func(f *nodepb.Frame) { f.AckEpoch, f.Ack = 1, 1 }))
		if words() != "" {
			t.Error("the words outlive an acknowledgement")
		}
	})
}

// TestDeliverMayDoWhatItLikes: send, end the peer, bring a frame, and panic.
func TestDeliverMayDoWhatItLikes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := alone(Bounds{}, nil)
		defer x.Close()
		x.at = func(e string) {
			switch e {
			case "send":
				_ = x.Send(b1, nodepb.LinkClass_MESSAGES, []byte("answer"), true)
			case "nest":
				x.Receive(frame(func(f *nodepb.Frame) { f.First = 5 }, "nested"))
			case "down":
				x.PeerDown(b1)
			case "panic":
				panic(e)
			}
		}
		func() {
			defer func() {
				if recover() != "panic" {
					t.Error("the panic is gone")
				}
			}()
			x.Receive(frame(nil, "send", "nest", "panic", "after"))
		}()
		x.Receive(frame(func(f *nodepb.Frame) { f.First = 6 }, "down", "last"))
		x.Receive(frame(func(f *nodepb.Frame) { f.First = 8 }, "too late"))
		want := []string{"b@1 1 send", "b@1 1 nest", "b@1 1 after", "b@1 1 nested", "b@1 1 down", "b@1 1 last"}
		if !slices.Equal(x.came, want) {
			t.Errorf("delivered %q", x.came)
		}
		x.PeerUp(Peer{ID: b1})
		synctest.Wait()
		x.frames = nil
		x.Receive(frame(func(f *nodepb.Frame) { f.First = 8 }, "on"))
		time.Sleep(time.Second)
		synctest.Wait()
		if i := slices.IndexFunc(x.frames, func(f *nodepb.Frame) bool { return f.GetAck() == 8 }); i < 0 || x.frames[i].GetAckEpoch() != 1 {
			t.Error("what it panicked at isn't acknowledged:", x.frames)
		}
	})
}

// TestALateFrameOfAnOldEpoch is delivered before the new epoch is known, and dropped after.
func TestALateFrameOfAnOldEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := alone(Bounds{}, nil)
		defer x.Close()
		x.Receive(frame(nil, "1"))
		x.Receive(frame(func(f *nodepb.Frame) { f.First = 2 }, "2, returned and late"))
		x.Receive(frame(func(f *nodepb.Frame) { f.Epoch = 2 }, "2 again"))
		x.Receive(frame(func(f *nodepb.Frame) { f.First = 3 }, "3, later still"))
		if len(x.came) != 3 || x.Stats()[1].Stale != 1 {
			t.Errorf("delivered %q, %+v", x.came, x.Stats()[1])
		}
	})
}

func TestTheLogHearsOfAStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.InfoLevel)
		x := alone(Bounds{}, zap.New(core))
		defer x.Close()
		x.PeerUp(Peer{ID: b1, Addr: "nowhere"})
		_ = x.Send(b1, nodepb.LinkClass_MESSAGES, []byte("x"), false)
		time.Sleep(time.Minute)
		synctest.Wait()
		if st := x.Stats()[1]; st.CarrierErrors < 10 || st.CarrierErrors > 20 || st.Tries < 10 {
			t.Errorf("%+v", st)
		}
		for range 2 {
			x.Receive(frame(func(f *nodepb.Frame) { f.AckEpoch, f.Ack = 1, 1 }))
			_ = x.Send(b1, nodepb.LinkClass_MESSAGES, []byte("x"), false)
			synctest.Wait()
		}
		if logs.Len() != 2 || logs.All()[0].Message != "link stalled" || logs.All()[1].Message != "link flows again" ||
			logs.All()[0].ContextMap()["peer"] != "b@1" || logs.All()[0].ContextMap()["class"] != "MESSAGES" {
			t.Errorf("%+v", logs.All())
		}
	})
}

// TestWhoIsForgotten: so many peers come and go that some are forgotten; epochs with them never go back.
func TestWhoIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := alone(Bounds{}, nil)
		defer x.Close()
		for range 4 {
			x.PeerDown(b1)
			x.PeerUp(Peer{ID: b1})
		}
		x.PeerDown(b1)
		for i := range remembered + 10 {
			id := ident.NodeID(fmt.Sprintf("n%d@1", i))
			x.PeerUp(Peer{ID: id})
			x.PeerDown(id)
		}
		if n := len(x.mu.past); n != remembered {
			t.Errorf("%d are remembered", n)
		}
		x.PeerUp(Peer{ID: b1})
		if st := x.Stats()[0]; st.Epoch != 6 {
			t.Errorf("epoch %d, want 6", st.Epoch)
		}
	})
}

// TestAllAtOnce: callers, carriers and a membership that changes its mind, on real threads. Every envelope taken is delivered or
// returned, none is delivered twice, and each caller's come in order.
func TestAllAtOnce(t *testing.T) {
	type key struct{ caller, n uint32 }
	var mu sync.Mutex
	delivered, returned := map[key]int{}, map[key]int{}
	next := map[uint32]uint32{} // by caller
	parse := func(e []byte) key { return key{binary.BigEndian.Uint32(e), binary.BigEndian.Uint32(e[4:])} }
	var a, b *Links
	var carriers sync.WaitGroup
	made := func(self ident.NodeID, other **Links) *Links {
		return New(Options{
			Self: self, Bounds: Bounds{Resend: time.Millisecond, ResendMax: 5 * time.Millisecond, AckDelay: time.Millisecond, FrameLen: 10, QueueLen: 200},
			Carrier: CarrierFunc(func(_ Peer, f *nodepb.Frame) error {
				switch rand.IntN(10) {
				case 0: // lost
				case 1: // doubled, and late
					for range 2 {
						carriers.Go(func() { (*other).Receive(f) })
					}
				default:
					(*other).Receive(f)
				}
				return nil
			}),
			Deliver: func(_ ident.NodeID, _ nodepb.LinkClass, e []byte) {
				mu.Lock()
				defer mu.Unlock()
				k := parse(e)
				delivered[k]++
				if k.n < next[k.caller] {
					t.Errorf("caller %d: %d before %d", k.caller, next[k.caller]-1, k.n)
				}
				next[k.caller] = k.n + 1
			},
			Return: func(_ ident.NodeID, _ nodepb.LinkClass, list [][]byte) {
				mu.Lock()
				defer mu.Unlock()
				for _, e := range list {
					returned[parse(e)]++
				}
			},
		})
	}
	a, b = made("a@1", &b), made("b@1", &a)
	a.PeerUp(Peer{ID: "b@1"})
	b.PeerUp(Peer{ID: "a@1"})
	const callers, each = 8, 3000
	flaps := make(chan int)
	var sending sync.WaitGroup
	taken := [callers]map[key]bool{}
	for c := range uint32(callers) {
		taken[c] = map[key]bool{}
		sending.Go(func() {
			for n := range uint32(each) {
				e := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, c), n)
				for range 1000 {
					if err := a.Send(b1, nodepb.LinkClass(c%classes), e, n%2 == 0); err == nil {
						taken[c][key{c, n}] = true
						break
					}
					runtime.Gosched()
				}
				if c == 0 && n%300 == 299 {
					flaps <- int(n / 300)
				}
			}
		})
	}
	var membership sync.WaitGroup
	membership.Go(func() {
		for i := range flaps {
			l, id := a, b1
			if i%2 == 1 {
				l, id = b, "a@1"
			}
			l.PeerDown(id)
			l.PeerUp(Peer{ID: id})
			_ = l.Stats()
		}
	})
	sending.Wait()
	close(flaps)
	membership.Wait()
	a.Close()
	b.Close()
	carriers.Wait()
	mu.Lock()
	defer mu.Unlock()
	total := 0
	for c := range taken {
		for k := range taken[c] {
			total++
			if delivered[k]+returned[k] == 0 || delivered[k] > 1 || returned[k] > 1 {
				t.Fatalf("%v: delivered %d times, returned %d times", k, delivered[k], returned[k])
			}
		}
	}
	t.Logf("%d taken of %d, %d delivered, %d returned", total, callers*each, len(delivered), len(returned))
}

// FuzzReceive: whatever a peer sends, nothing panics, and the link works on with a peer that begins anew.
func FuzzReceive(f *testing.F) {
	add := func(list ...*nodepb.Frame) {
		var seed []byte
		for _, x := range list {
			buf, err := proto.Marshal(x)
			if err != nil {
				f.Fatal(err)
			}
			seed = append(binary.BigEndian.AppendUint16(seed, uint16(len(buf))), buf...)
		}
		f.Add(seed)
	}
	add(frame(nil, "x", "y"), frame(func(x *nodepb.Frame) { x.First = 3 }, "z"))
	add(frame(func(x *nodepb.Frame) { x.First = 7 }, "z"), frame(func(x *nodepb.Frame) { x.Epoch = 9 }, "z"),
		frame(func(x *nodepb.Frame) { x.First = 1<<64 - 1 }, "z"))
	add(frame(func(x *nodepb.Frame) { x.AckEpoch, x.Ack, x.Credit = 1, 2, 1<<64-1 }), frame(func(x *nodepb.Frame) { x.AckEpoch, x.Ack = 1, 3 }))
	add(frame(func(x *nodepb.Frame) { x.Version, x.Refused = 7, "no" }), &nodepb.Frame{})
	f.Fuzz(func(t *testing.T, data []byte) {
		x := alone(Bounds{}, nil)
		x.Close()
		// Without its goroutine, so that each input always does the same.
		meet := func(id ident.NodeID) *peer {
			p := newPeer(x.Links, Peer{ID: id}, x.recall(id))
			x.up.Store(&map[ident.NodeID]*peer{id: p})
			return p
		}
		p := meet(b1)
		for range 3 {
			_ = x.Send(b1, nodepb.LinkClass_MESSAGES, []byte("e"), false)
		}
		p.flush()
		for len(data) >= 2 {
			n := min(int(binary.BigEndian.Uint16(data)), len(data)-2)
			var g nodepb.Frame
			if proto.Unmarshal(data[2:2+n], &g) == nil {
				g.From, g.To = string(b1), "a@1"
				x.Receive(&g)
				p.flush()
			}
			data = data[2+n:]
		}
		for _, st := range x.Stats() {
			if st.Queue < 0 || st.Unacked < 0 || st.Bytes < 0 {
				t.Fatalf("%+v", st)
			}
		}
		was := len(x.came)
		meet("b@2").flush()
		x.Receive(frame(func(g *nodepb.Frame) { g.From = "b@2" }, "good"))
		if len(x.came) != was+1 {
			t.Fatal("a new peer's frame isn't delivered")
		}
	})
}
