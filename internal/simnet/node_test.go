package simnet

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/memberlist"
)

// got returns the packets that wait for a node.
func got(n *Node) (list []string) {
	for {
		select {
		case p := <-n.packets:
			list = append(list, string(p.Buf)+" from "+p.From.String())
		default:
			return list
		}
	}
}

func write(t *testing.T, from, to *Node, text string) {
	t.Helper()
	if _, err := from.Transport().WriteToAddress([]byte(text), memberlist.Address{Addr: to.Addr()}); err != nil {
		t.Fatal(err)
	}
}

func TestPackets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(1, t)
		a, b := n.Node("a"), n.Node("b")
		if a.Addr() != "10.0.0.1:7946" || b.Addr() != "10.0.0.2:7946" || a.Name() != "a" {
			t.Fatal("addresses:", a.Addr(), b.Addr())
		}
		ip, port, err := a.Transport().FinalAdvertiseAddr("", 0)
		if err != nil || ip.String() != "10.0.0.1" || port != 7946 {
			t.Fatal("advertised:", ip, port, err)
		}
		expect := func(to *Node, want int, when string) {
			t.Helper()
			time.Sleep(time.Second)
			synctest.Wait()
			if list := got(to); len(list) != want {
				t.Errorf("%s: %d packets came: %v; want %d", when, len(list), list, want)
			}
		}
		start := time.Now()
		n.Delay(30*time.Millisecond, 30*time.Millisecond)
		write(t, a, b, "hello")
		if p := <-b.packets; string(p.Buf) != "hello" || p.From.String() != a.Addr() || time.Since(start) != 30*time.Millisecond {
			t.Errorf("%q came from %s after %v", p.Buf, p.From, time.Since(start))
		}

		n.Cut("a", "b")
		write(t, a, b, "into the cut")
		write(t, b, a, "the other way")
		expect(b, 0, "cut")
		expect(a, 1, "the other way")
		n.Heal()
		write(t, a, b, "again")
		expect(b, 1, "healed")

		n.Partition([]string{"a"}, []string{"b", "c"})
		c := n.Node("c")
		write(t, a, b, "1")
		write(t, c, a, "2")
		write(t, c, b, "3")
		expect(a, 0, "its own side")
		expect(b, 1, "the other side")
		n.Heal()

		n.Duplicate(1)
		write(t, a, b, "twice")
		expect(b, 2, "doubled")
		n.Duplicate(0)
		n.Loss(1)
		write(t, a, b, "lost")
		expect(b, 0, "lost")
		n.Loss(0)
		if c := a.Count(Packet); c != (Count{Sent: 6, Bytes: 5 + 12 + 5 + 1 + 5 + 4, Dropped: 3}) {
			t.Errorf("counted: %+v", c)
		}
		if all := n.Count(Packet); all.Sent != 9 {
			t.Errorf("counted of all: %+v", all)
		}
	})
}

func TestCrashPauseAndRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(1, t)
		a, b := n.Node("a"), n.Node("b")
		b.Pause()
		write(t, a, b, "while paused")
		write(t, b, a, "said by nobody")
		time.Sleep(time.Minute)
		if list := got(b); len(list) != 0 {
			t.Error("who stands still reads", list)
		}
		b.Resume()
		if list := got(b); len(list) != 1 {
			t.Error("after the pause:", list)
		}
		if list := got(a); len(list) != 0 {
			t.Error("who stands still says", list)
		}

		b.Crash()
		b.Resume() // changes nothing
		write(t, a, b, "too late")
		write(t, b, a, "unheard")
		time.Sleep(time.Second)
		if len(got(b)) != 0 || len(got(a)) != 0 {
			t.Error("a crashed node goes on")
		}
		again := n.Node("b")
		if again.Addr() != b.Addr() {
			t.Error("the host's address changed to", again.Addr())
		}
		write(t, a, again, "welcome back")
		time.Sleep(time.Second)
		if len(got(b)) != 0 || len(got(again)) != 1 {
			t.Error("packets don't come to the new process")
		}
	})
}

// The same seed loses the same packets.
func TestTheSeedDecides(t *testing.T) {
	run := func(seed uint64) (count int) {
		synctest.Test(t, func(t *testing.T) {
			n := New(seed, t)
			n.Loss(0.5)
			a, b := n.Node("a"), n.Node("b")
			for range 200 {
				write(t, a, b, "x")
			}
			time.Sleep(time.Second)
			count = len(got(b))
		})
		return count
	}
	if a, b := run(7), run(7); a != b || a < 60 || a > 140 {
		t.Errorf("%d and %d of 200 packets came at a loss of a half", a, b)
	}
}
