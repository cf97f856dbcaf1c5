package member

import (
	"bytes"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
)

func key(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }

func keys(list ...byte) func(*Config) {
	return func(c *Config) {
		c.Keys = nil
		for _, b := range list {
			c.Keys = append(c.Keys, key(b))
		}
	}
}

func TestTheKeyIsChangedWhileRunning(t *testing.T) {
	bubble(t, func(r *rig) {
		r.cluster(4, keys('a'))
		each := func(f func(*node) error) {
			t.Helper()
			for _, n := range r.nodes {
				if err := f(n); err != nil {
					t.Fatal(err)
				}
				time.Sleep(3 * time.Second) // the others have not heard of it yet
			}
			time.Sleep(time.Minute)
			r.agree(time.Second, r.nodes...)
		}
		each(func(n *node) error { return n.InstallKey(key('b')) })
		each(func(n *node) error { return n.UseKey(key('b')) })
		each(func(n *node) error { return n.RemoveKey(key('a')) })
		for _, n := range r.nodes {
			if n.said("a node is lost") != 0 || n.Stats().WrongKey != 0 {
				t.Errorf("%s: lost %d, wrong keys %d", n.id, n.said("a node is lost"), n.Stats().WrongKey)
			}
			if err := n.RemoveKey(key('b')); err == nil {
				t.Error("the key in use can be removed")
			}
			if err := n.UseKey(key('x')); err == nil {
				t.Error("a key that isn't installed can be used")
			}
		}
		r.start("n5", keys('b'))
		r.agree(time.Minute, r.nodes...)

		late := r.start("n6", keys('a'))
		time.Sleep(2 * time.Minute)
		r.agree(time.Second, r.nodes[:5]...)
		if late.Self().State != Joining || late.said("no seed and no member of the past answers; trying again until one does") != 1 {
			t.Errorf("who has the old key is %+v", late.Self())
		}
		refused, said := uint64(0), 0
		for _, n := range r.nodes[:5] {
			refused += n.Stats().WrongKey
			said += n.said("a node with another gossip key is refused")
		}
		if refused < 5 || said < 1 || said > 5 {
			t.Errorf("the old key is refused %d times, and that is said %d times", refused, said)
		}
	})
}

func TestANodeOfAnotherClusterIsRefused(t *testing.T) {
	bubble(t, func(r *rig) {
		r.cluster(3)
		other := r.start("x1", func(c *Config) { c.Label = "another" })
		time.Sleep(2 * time.Minute)
		r.agree(time.Second, r.nodes[:3]...)
		if len(other.View().Members) != 1 || other.Self().State != Joining {
			t.Errorf("it sees %+v", other.View().Members)
		}
		said := 0
		for _, n := range r.nodes[:3] {
			said += n.said("a node of another cluster is refused")
			if n.Stats().Foreign == 0 {
				t.Errorf("%s counts nothing", n.id)
			}
		}
		if said != 3 {
			t.Errorf("said %d times by three nodes", said)
		}
		why := other.logs.FilterMessage("no seed and no member of the past answers; trying again until one does").All()
		if len(why) != 1 || why[0].Level != zap.WarnLevel || !strings.Contains(why[0].ContextMap()["error"].(string), "another cluster") {
			t.Errorf("it says %v", why)
		}
	})
}

func TestAnotherClock(t *testing.T) {
	bubble(t, func(r *rig) {
		var offset [5]atomic.Int64 // of n1 to n4
		skewed := func(i int, by time.Duration) func(*Config) {
			offset[i].Store(int64(by))
			return func(c *Config) { c.Wall = func() time.Time { return time.Now().Add(time.Duration(offset[i].Load())) } }
		}
		r.start("n1", skewed(1, 0))
		r.start("n2", skewed(2, 3*time.Second))
		r.start("n3", skewed(3, -time.Second))
		r.agree(time.Minute, r.nodes...)
		late := r.start("n4", skewed(4, time.Hour))
		time.Sleep(2 * time.Minute)
		r.agree(time.Second, r.nodes[:3]...)
		if self := late.Self(); self.State != Joining || !strings.Contains(self.Rejected, "1h0m0s ahead of the others'") || late.said("this node stays out of the cluster") == 0 {
			t.Errorf("who is an hour ahead is %+v", self)
		}
		if m, _ := r.nodes[0].View().Find(late.id); m.Placed() || m.Rejected != "its clock is off the others'" {
			t.Errorf("the others see %+v", m)
		}
		for _, o := range r.nodes[0].Agreement() {
			if off := o.Clock.Round(time.Second); o.ID == late.id && off != time.Hour {
				t.Errorf("n1 takes its clock to be %v ahead", off)
			}
		}
		offset[4].Store(0)
		r.agree(2*time.Minute, r.nodes...)

		offset[2].Store(int64(31 * 24 * time.Hour))
		t.Logf("a clock jumps by 31 days: out after %v", r.agree(time.Minute, r.nodes[0], r.nodes[2], r.nodes[3]))
		offset[2].Store(0)
		t.Logf("it is right again: back after %v", r.agree(2*time.Minute, r.nodes...))
	})
}

// Of two, nobody can say whose clock is right, but for the one whose clock has jumped.
func TestAClockOfTwoJumps(t *testing.T) {
	bubble(t, func(r *rig) {
		var by atomic.Int64
		r.start("n1")
		r.start("n2", func(c *Config) { c.Wall = func() time.Time { return time.Now().Add(time.Duration(by.Load())) } })
		r.agree(time.Minute, r.nodes...)
		by.Store(-int64(time.Hour))
		r.agree(time.Minute, r.nodes[0])
		if self := r.nodes[1].Self(); !strings.Contains(self.Rejected, "1h0m0s behind the others'") {
			t.Errorf("%+v", self)
		}
		by.Store(0)
		r.agree(2*time.Minute, r.nodes...)
	})
}

func TestAnotherVersion(t *testing.T) {
	bubble(t, func(r *rig) {
		version := func(proto, oldest uint16) func(*Config) {
			return func(c *Config) { c.Self.Proto, c.Self.Oldest = proto, oldest }
		}
		r.start("n1", version(4, 4))
		r.start("n2", version(4, 3))
		r.start("n3", version(5, 4)) // the next one understands this one
		r.agree(time.Minute, r.nodes...)
		old := r.start("n4", version(3, 3))
		time.Sleep(time.Minute)
		r.agree(time.Second, r.nodes[:3]...)
		want := "n1@1 speaks version 4 and understands 4 and later, n4@4 speaks 3 and understands 3 and later"
		if self := old.Self(); self.State != Joining || self.Rejected != want {
			t.Errorf("it is %s and %q", self.State, self.Rejected)
		}
		if m, _ := r.nodes[0].View().Find(old.id); m.Placed() || m.Rejected == "" {
			t.Errorf("the others see %+v", m)
		}
	})
}

func TestAnotherConfiguration(t *testing.T) {
	bubble(t, func(r *rig) {
		stores := func(text, of string) func(*Config) {
			return func(c *Config) { c.Digest, c.DigestOf = text, of }
		}
		r.cluster(3, stores("postgres://db1/jackdaw", "postgres://u:secret@db1/jackdaw"))
		other := r.start("n4", stores("postgres://db2/jackdaw", "postgres://u:secret@db2/jackdaw"))
		time.Sleep(time.Minute)
		r.agree(time.Second, r.nodes[:3]...)
		self := other.Self()
		for _, want := range []string{"n4@4 has postgres://db2/jackdaw", "n1@1 has postgres://db1/jackdaw"} {
			if self.State != Joining || !strings.Contains(self.Rejected, want) || strings.Contains(self.Rejected, "secret") {
				t.Errorf("it is %s and %q, want %q", self.State, self.Rejected, want)
			}
		}
		other.SetDigest("postgres://db1/jackdaw", "postgres://u:secret@db1/jackdaw")
		r.agree(time.Minute, r.nodes...)

		// Another password alone differs too, and doesn't show. Who is active bears it for a while.
		other.SetDigest("postgres://db1/jackdaw", "postgres://u:other@db1/jackdaw")
		time.Sleep(10 * time.Second)
		r.agree(time.Second, r.nodes...)
		r.agree(time.Minute, r.nodes[:3]...)
		if r.nodes[3].said("another node's configuration differs") == 0 {
			t.Error("not a word")
		}
		for _, e := range append(other.logs.All(), r.nodes[0].logs.All()...) {
			for key, value := range e.ContextMap() {
				if text, ok := value.(string); ok && (strings.Contains(text, "secret") || strings.Contains(text, "other@")) {
					t.Errorf("a password is in the log: %s, %s = %s", e.Message, key, text)
				}
			}
		}
	})
}

func TestTwoNodesWithOneName(t *testing.T) {
	named := func(name string) func(*Config) {
		return func(c *Config) {
			c.Self.ID = c.Self.ID[strings.LastIndex(string(c.Self.ID), "@"):]
			c.Self.ID = "same" + c.Self.ID
			_ = name
		}
	}
	start := func(r *rig, host string) *node {
		n := r.start(host, named(host))
		n.id = n.cfg.Self.ID
		return n
	}
	t.Run("both alive", func(t *testing.T) {
		bubble(t, func(r *rig) {
			r.cluster(2)
			first := start(r, "h1")
			r.agree(time.Minute, r.nodes...)
			second := start(r, "h2")
			r.until("the second is told", time.Minute, func() bool { return len(second.heard().conflicts) == 1 })
			want := "member: another node has this node's name: same@3 at 10.0.0.3:7946 is alive, so this one, same@4 at 10.0.0.4:7946, can't join"
			if err := second.heard().conflicts[0]; !errors.Is(err, ErrNameTaken) || err.Error() != want {
				t.Errorf("it is told %v", err)
			}
			time.Sleep(time.Minute)
			r.agree(time.Second, r.nodes[:3]...)
			if a, b := first.heard().conflicts, second.heard().conflicts; len(a) != 0 || len(b) != 1 || second.Self().State != Joining {
				t.Errorf("conflicts %v and %v, the second is %+v", a, b, second.Self())
			}
			if m, _ := r.nodes[0].View().Find(second.id); m.Rejected != "another node has its name" {
				t.Errorf("the others see %+v", m)
			}
			second.SetState(Draining) // as it ends
			time.Sleep(time.Minute)
			r.agree(time.Second, r.nodes[:3]...)
			if a := first.heard().conflicts; len(a) != 0 {
				t.Errorf("the end of the second ends the first: %v", a)
			}
		})
	})
	t.Run("the earlier is dead", func(t *testing.T) {
		bubble(t, func(r *rig) {
			r.cluster(2)
			first := start(r, "h1")
			r.agree(time.Minute, r.nodes...)
			first.sim.Crash()
			second := start(r, "h2")
			t.Logf("the later one takes part after %v", r.agree(time.Minute, r.nodes[0], r.nodes[1], second))
			if h := second.heard(); len(h.conflicts) != 0 {
				t.Error(h.conflicts)
			}
		})
	})
	t.Run("the earlier was only taken for dead", func(t *testing.T) {
		bubble(t, func(r *rig) {
			r.cluster(3)
			first := start(r, "h1")
			r.agree(time.Minute, r.nodes...)
			r.net.Partition([]string{"h1"}, []string{"n1", "n2", "n3", "h2"})
			r.agree(time.Minute, r.nodes[:3]...)
			second := start(r, "h2")
			survivors := append(r.nodes[:3:3], second)
			r.agree(time.Minute, survivors...)
			r.net.Heal()
			r.until("the first is told", 2*time.Minute, func() bool { return len(first.heard().conflicts) == 1 })
			if err := first.heard().conflicts[0]; !errors.Is(err, ErrNameTaken) || !strings.Contains(err.Error(), "same@4 at 10.0.0.4:7946") || !strings.Contains(err.Error(), "same@5 at 10.0.0.5:7946") {
				t.Errorf("it is told %v", err)
			}
			r.agree(time.Minute, survivors...)
		})
	})
}

func TestAnUnreachableSeed(t *testing.T) {
	bubble(t, func(r *rig) {
		nowhere := "10.0.0.2:7946" // where n2 will be
		n := r.start("n1", func(c *Config) { c.Seeds = []string{nowhere} })
		time.Sleep(10 * time.Minute)
		if self := n.Self(); self.State != Joining || self.Rejected != "it has met no other node yet" {
			t.Errorf("%+v", self)
		}
		if n.said("no seed and no member of the past answers; trying again until one does") != 1 || n.Stats().JoinsFailed < 10 || n.Stats().JoinsFailed > 60 {
			t.Errorf("said %d times, tried %d times", n.said("no seed and no member of the past answers; trying again until one does"), n.Stats().JoinsFailed)
		}
		if err := n.Unmet(); err == nil || !strings.Contains(err.Error(), "10.0.0.2") {
			t.Errorf("unmet: %v", err)
		}
		r.start("n2", func(c *Config) { c.Seeds = nil })
		t.Logf("the seed answers: joined after %v", r.agree(2*time.Minute, r.nodes...))
	})
}

// A node that remembers others waits for them only so long: they may be gone for good.
func TestRememberedMembers(t *testing.T) {
	bubble(t, func(r *rig) {
		n := r.start("n1", func(c *Config) {
			c.Seeds = []string{"10.0.0.3:7946"}
			c.Remembered = func() []Past { return []Past{{Addr: "10.0.0.2:7946"}} }
		})
		time.Sleep(14 * time.Second)
		if n.Self().State != Joining {
			t.Error("it doesn't wait")
		}
		time.Sleep(2 * time.Second)
		r.agree(time.Second, n)
		if got := n.Missing(); len(got) != 1 || got[0] != (Past{Addr: "10.0.0.2:7946"}) {
			t.Errorf("it misses %v", got)
		}
		r.start("n2", func(c *Config) { c.Seeds = nil })
		r.agree(2*time.Minute, r.nodes...)
		if got := n.Missing(); len(got) != 0 {
			t.Errorf("it misses %v", got)
		}
	})
}
