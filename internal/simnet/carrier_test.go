package simnet

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// peer stands for the links' own type.
type peer struct{ id, addr string }

func where(p peer) string { return p.addr }

func TestCarrier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(1, t)
		a, b := n.Node("a"), n.Node("b")
		var mu sync.Mutex // what is reordered comes several at once
		var came []uint64 // by the frames' numbers, in order
		NewCarrier(b, where, func(f *nodepb.Frame) {
			mu.Lock()
			defer mu.Unlock()
			came = append(came, f.GetFirst())
		})
		c := NewCarrier(a, where, func(*nodepb.Frame) {})
		send := func(count uint64) (got []uint64) {
			t.Helper()
			came = nil
			for i := range count {
				f := &nodepb.Frame{Version: 1, First: i, Envelopes: [][]byte{[]byte("envelope")}}
				if err := c.Send(peer{"b@1", b.Addr()}, f); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			return came
		}
		if got := send(100); len(got) != 100 || !slices.IsSorted(got) {
			t.Error("100 frames came as", got)
		}
		n.Duplicate(1)
		if got := send(100); len(got) != 200 || !slices.IsSorted(got) {
			t.Error("100 frames, doubled, came as", got)
		}
		n.Duplicate(0)
		n.Reorder(0.5)
		if got := send(100); len(got) != 100 || slices.IsSorted(got) {
			t.Error("100 frames, reordered, came as", got)
		}
		n.Reorder(0)
		n.Loss(0.5)
		if got := send(100); len(got) < 20 || len(got) > 80 || !slices.IsSorted(got) {
			t.Error("100 frames, half of them lost, came as", got)
		}
		n.Loss(0)
		n.Cut("a", "b")
		if got := send(10); len(got) != 0 {
			t.Error("10 frames came through a cut:", got)
		}
		n.Heal()
		if count := a.Count(Link); count.Sent != 410 || count.Dropped < 30 || count.Bytes < 410*10 {
			t.Errorf("counted %+v", count)
		}

		b.Pause()
		if got := send(10); len(got) != 0 {
			t.Error("10 frames came to who stands still:", got)
		}
		b.Resume()
		time.Sleep(time.Second)
		synctest.Wait()
		if len(came) != 10 || !slices.IsSorted(came) {
			t.Error("after the pause came", came)
		}
		b.Crash()
		if got := send(10); len(got) != 0 {
			t.Error("10 frames came to a crashed node:", got)
		}
		a.Crash()
		if err := c.Send(peer{"b@1", b.Addr()}, &nodepb.Frame{}); err != ErrDown {
			t.Error("a crashed node sends:", err)
		}
	})
}
