package member

import (
	"github.com/hashicorp/memberlist"

	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// model is a state with a clock, for tables.
type model struct {
	*state
	t   time.Duration
	off time.Duration // of the wall clock
}

func newModel(change ...func(*rules)) *model {
	r := rules{self: Member{ID: "self@50", Name: "self", Gossip: "10.0.0.1:1", Proto: 2, Oldest: 1}, grace: 2 * time.Second}
	r.timing.fill()
	for _, f := range change {
		f(&r)
	}
	m := &model{state: newState(r, wish{state: Active, weight: 100, digest: 7, text: "dsn-7"}), t: time.Second}
	m.pass(0)
	return m
}

// pass lets time go on and takes a step.
func (m *model) pass(d time.Duration) outcome {
	m.t += d
	m.advance(m.t, time.Unix(1_700_000_000, 0).Add(m.t+m.off))
	return m.step()
}

// sees lets gossip tell of an active node.
func (m *model) sees(id ident.NodeID, addr string, alive bool, change ...func(*nodepb.MemberMeta)) {
	meta := &nodepb.MemberMeta{Format: 1, Proto: 2, Oldest: 1, Weight: 100, Digest: 7, State: nodepb.MemberState_MEMBER_ACTIVE}
	for _, f := range change {
		f(meta)
	}
	m.seen(id, addr, meta, alive, false)
}

// exchanges lets a node tell everything, with a clock that is off.
func (m *model) exchanges(id ident.NodeID, off, age time.Duration) {
	m.exchange(&nodepb.MemberStatuses{List: []*nodepb.MemberStatus{{Node: string(id), Seq: uint64(m.clock.exchanges + 1), View: m.view.ID,
		Clock: time.Unix(1_700_000_000, 0).Add(m.t - age + off).UnixMicro(), Age: uint64(age.Microseconds())}}})
}

// how is what the model thinks of a node.
func (m *model) how(id ident.NodeID) string {
	for _, x := range m.view.Members {
		if x.ID == id {
			text := x.State.String()
			if x.Suspect {
				text += " suspect"
			}
			if x.Rejected != "" {
				text += ": " + x.Rejected
			}
			return text
		}
	}
	return "unknown"
}

func (m *model) expect(t *testing.T, id ident.NodeID, want string) {
	t.Helper()
	if got := m.how(id); got != want {
		t.Errorf("at %v %s is %q, want %q", m.t, id, got, want)
	}
}

func TestGrace(t *testing.T) {
	m := newModel()
	m.expect(t, "self@50", "active")
	m.sees("b@1", "10.0.0.2:1", true)
	m.pass(0)
	m.expect(t, "b@1", "active")
	m.sees("b@1", "10.0.0.2:1", false)
	m.pass(time.Second)
	m.expect(t, "b@1", "active suspect")
	m.sees("b@1", "10.0.0.2:1", true)
	m.pass(time.Second)
	m.expect(t, "b@1", "active")
	m.sees("b@1", "10.0.0.2:1", false)
	m.pass(0)
	m.pass(3900 * time.Millisecond)
	m.expect(t, "b@1", "active suspect") // the second loss: twice the time
	m.pass(100 * time.Millisecond)
	m.expect(t, "b@1", "unknown")

	m.pass(time.Hour) // forgiven
	m.sees("b@1", "10.0.0.2:1", true)
	m.pass(0)
	m.sees("b@1", "10.0.0.2:1", false)
	m.pass(0)
	m.pass(2 * time.Second)
	m.expect(t, "b@1", "unknown")

	// One that leaves is not waited for.
	m.sees("b@1", "10.0.0.2:1", true, func(x *nodepb.MemberMeta) { x.Leaving = true })
	m.pass(0)
	m.expect(t, "b@1", "draining")
	m.sees("b@1", "10.0.0.2:1", false)
	if out := m.pass(0); len(out.left) != 1 || out.left[0] != "10.0.0.2:1" {
		t.Error("who has left:", out.left)
	}
	m.expect(t, "b@1", "unknown")
}

// TestWhoCanDoWhat: a node says of itself that it passes frames on, and that it heeds routes; one that doesn't know of it says nothing.
func TestWhoCanDoWhat(t *testing.T) {
	m := newModel(func(r *rules) { r.self.Passes, r.self.Routed = true, true })
	if !m.meta().Passes || !m.meta().Routed {
		t.Error("it isn't told")
	}
	m.sees("b@1", "10.0.0.2:1", true, func(x *nodepb.MemberMeta) { x.Passes, x.Routed = true, true })
	m.sees("old@1", "10.0.0.3:1", true)
	m.pass(0)
	for id, want := range map[ident.NodeID]bool{"self@50": true, "b@1": true, "old@1": false} {
		if x, ok := m.view.Find(id); !ok || x.Passes != want || x.Routed != want {
			t.Errorf("%s: %+v", id, x)
		}
	}
}

func TestAnAddressIsOneProcess(t *testing.T) {
	m := newModel()
	m.sees("b@2", "10.0.0.2:1", true)
	m.pass(0)
	m.sees("b@1", "10.0.0.2:1", true) // a clock that was set back: the earlier number is the later process
	m.pass(0)
	m.expect(t, "b@2", "active")
	m.expect(t, "b@1", "unknown" /* it has not been alive yet, as far as is known */)
	m.sees("b@2", "10.0.0.2:1", false)
	m.pass(0)
	m.expect(t, "b@1", "active")

	m.sees("b@3", "10.0.0.2:1", true, func(x *nodepb.MemberMeta) { x.State = nodepb.MemberState_MEMBER_JOINING })
	m.pass(0)
	m.expect(t, "b@1", "active suspect") // its place is kept until the new one is active
	m.expect(t, "b@3", "joining")
	m.sees("b@3", "10.0.0.2:1", true)
	m.pass(0)
	m.expect(t, "b@1", "unknown")
	m.expect(t, "b@3", "active")

	m.sees("x@9", m.self.Gossip, true) // an earlier process at this node's address
	m.pass(0)
	m.expect(t, "x@9", "unknown")
}

func TestWhatIsWrongWithOthers(t *testing.T) {
	m := newModel()
	m.sees("later@1", "10.0.0.2:1", true, func(x *nodepb.MemberMeta) { x.Proto, x.Oldest = 4, 3 })
	m.sees("next@1", "10.0.0.3:1", true, func(x *nodepb.MemberMeta) { x.Proto, x.Oldest = 3, 2 })
	m.sees("held@1", "10.0.0.4:1", true, func(x *nodepb.MemberMeta) { x.State, x.Held = 0, nodepb.MemberHeld_HELD_CLOCK })
	m.sees("odd@1", "10.0.0.5:1", true, func(x *nodepb.MemberMeta) { x.State, x.Held = 0, 77 })
	m.sees("state@1", "10.0.0.6:1", true, func(x *nodepb.MemberMeta) { x.State = 77 })
	m.sees("format@1", "10.0.0.7:1", true, func(x *nodepb.MemberMeta) { x.Format = 2 })
	m.seen("none@1", "10.0.0.8:1", nil, true, false)
	m.sees("a@1", "10.0.0.9:1", true)
	m.sees("a@2", "10.0.0.10:1", true, func(x *nodepb.MemberMeta) { x.State = 0 })
	m.sees("b@1", "10.0.0.11:1", true)
	m.sees("b@2", "10.0.0.12:1", true)
	m.pass(0)
	for id, want := range map[ident.NodeID]string{
		"later@1": "active: later@1 speaks version 4 and understands 3 and later, self@50 speaks 2 and understands 1 and later",
		"next@1":  "active", "held@1": "joining: its clock is off the others'", "odd@1": "joining: it says so", "state@1": "draining",
		"format@1": "joining: it tells of itself in another format", "none@1": "joining: it tells of itself in another format",
		"a@1": "active", "a@2": "joining: its name is a@1's", "b@1": "active: its name is b@2's", "b@2": "active",
	} {
		m.expect(t, id, want)
	}
}

func TestClocks(t *testing.T) {
	joining := func(m *model) *model { m.want.state = Joining; return m }
	for _, c := range []struct {
		name   string
		m      *model
		others []time.Duration // how far their clocks are ahead
		want   time.Duration
	}{
		{"alone", newModel(), nil, 0},
		{"one who joins one", joining(newModel()), []time.Duration{time.Hour}, -time.Hour},
		{"one of two", newModel(), []time.Duration{time.Hour}, 0},
		{"one of three, the other two agree", newModel(), []time.Duration{time.Hour, time.Hour}, -time.Hour},
		{"one of three, between", newModel(), []time.Duration{-time.Hour, time.Hour}, 0},
		{"one of three, one is off", newModel(), []time.Duration{0, time.Hour}, 0},
		{"one of four", newModel(), []time.Duration{-time.Minute, -time.Minute, -time.Hour}, time.Minute},
		{"one who joins two that differ", joining(newModel()), []time.Duration{time.Minute, time.Hour}, -time.Minute},
	} {
		c.m.pass(0)
		for i, off := range c.others {
			id := ident.NodeID(rune('b'+i)) + "@1"
			c.m.sees(id, "10.0.1."+string(rune('1'+i))+":1", true)
			c.m.pass(0)
			c.m.exchanges(id, off, 0)
		}
		if got := c.m.clock.deviation(c.m.state); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// What is told of a third node's clock is corrected for the time that it took.
func TestClocksByHearsay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		off := time.Duration(rapid.Int64Range(-1e6, 1e6).Draw(t, "off")) * time.Millisecond
		passed := []time.Duration{0, 0, 0, 0}
		for i := range passed {
			passed[i] = time.Duration(rapid.IntRange(0, 100_000).Draw(t, "passed")) * time.Millisecond
		}
		a, b := newModel(), newModel()
		a.sees("c@1", "10.0.0.9:1", true)
		b.sees("c@1", "10.0.0.9:1", true)
		a.pass(0)
		b.pass(passed[3])
		a.exchanges("c@1", off, passed[0])
		a.pass(passed[1])
		telling := a.told()
		now := a.t + passed[2]
		m := &nodepb.MemberStatuses{}
		if err := proto.Unmarshal(telling.encode(now, &nodepb.MemberStatus{Node: "self@50"}), m); err != nil {
			t.Fatal(err)
		}
		b.exchange(m)
		st := b.statuses["c@1"]
		// Both models' wall clocks begin with their own time: a's is ahead of b's by what passed in a and not in b.
		want := off + (now - b.t)
		if got := st.base + b.now - time.Duration(b.wall.UnixMicro())*time.Microsecond; (got - want).Abs() > 10*time.Microsecond {
			t.Fatalf("c's clock is %v ahead, want %v", got, want)
		}
	})
}

func TestAClockIsOffOnlyForCertain(t *testing.T) {
	m := newModel()
	for _, id := range []ident.NodeID{"b@1", "c@1"} {
		m.sees(id, "10.0.2."+string(id[0])+":1", true)
		m.pass(0)
		m.exchanges(id, 0, 0)
	}
	m.expect(t, "self@50", "active")
	// What waited 30 s somewhere comes as if it were new.
	m.pass(30 * time.Second)
	m.exchanges("b@1", -30*time.Second, 0)
	m.exchanges("c@1", -30*time.Second, 0)
	if out := m.pass(0); !out.ask {
		t.Error("nobody is asked")
	}
	m.expect(t, "self@50", "active")
	m.exchanges("b@1", 0, 0)
	m.exchanges("c@1", 0, 0)
	m.pass(time.Second)
	m.expect(t, "self@50", "active")
	if m.clock.doubt != 0 {
		t.Error("the doubt stays")
	}
	m.off = 6 * time.Second
	m.pass(time.Second)
	m.exchanges("b@1", 0, 0)
	m.pass(time.Second)
	m.expect(t, "self@50", "joining: the clock of this node is 6s ahead of the others'")
	m.off = 4500 * time.Millisecond
	m.pass(time.Second)
	m.expect(t, "self@50", "joining: the clock of this node is 5s ahead of the others'") // not yet well within the bound
	m.off = 3 * time.Second
	m.pass(time.Second)
	m.expect(t, "self@50", "active")
}

// A node with everything at its longest still fits.
func TestTheMetaFits(t *testing.T) {
	cfg := Config{Self: Member{ID: "n@1", Carriage: strings.Repeat("h", longestCarriage), Release: strings.Repeat("é", longestRelease),
		Client: strings.Repeat("c", longestClient), Proto: 1<<16 - 1, Weight: 1<<32 - 1, Trust: 1<<64 - 1, State: Draining, Passes: true, Routed: true, ByAge: true}, Transport: noTransport{}, Digest: "x"}
	if err := cfg.check(); err != nil {
		t.Fatal(err)
	}
	s := newState(rules{self: cfg.Self}, wish{state: Draining, weight: 1<<32 - 1, trust: 1<<64 - 1, digest: 1<<64 - 1, leaving: true})
	s.held = nodepb.MemberHeld_HELD_CLOCK
	meta := s.meta()
	meta.Filler = make([]byte, fillerMost)
	buf, err := proto.Marshal(meta)
	if err != nil || len(buf) > 512 {
		t.Errorf("%d bytes, %v", len(buf), err)
	}
	t.Logf("at most %d bytes", len(buf))
}

func TestConfigsThatCantWork(t *testing.T) {
	ok := func() Config { return Config{Self: Member{ID: "n@1", Proto: 1}, Transport: noTransport{}} }
	for want, change := range map[string]func(*Config){
		"no node id":           func(c *Config) { c.Self.ID = "n" },
		"spaces or slashes":    func(c *Config) { c.Self.ID = "a/b@1" },
		"address of the carri": func(c *Config) { c.Self.Carriage = strings.Repeat("x", 201) },
		"understands none":     func(c *Config) { c.Self.Oldest = 2 },
		"no transport":         func(c *Config) { c.Transport = nil },
		"seed":                 func(c *Config) { c.Seeds = []string{"host"} },
		"key 2":                func(c *Config) { c.Keys = [][]byte{key('a'), []byte("short")} },
	} {
		c := ok()
		change(&c)
		if _, err := Start(c); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "member: ") {
			t.Errorf("%v; want %q", err, want)
		}
	}
	c := ok()
	if err := c.check(); err != nil || c.Grace != 2*time.Second || c.Timing.Probe != time.Second || c.Self.Oldest != 1 {
		t.Errorf("%v, %+v", err, c)
	}
}

func TestTeller(t *testing.T) {
	var tell teller
	var at []time.Duration
	for now := time.Duration(0); now < 40*time.Second; now += 100 * time.Millisecond {
		v := &View{ID: 1}
		if now >= 1500*time.Millisecond {
			v.ID = 2
		}
		if now >= 30*time.Second {
			v.ID = 1
		}
		if tell.due(now, v) {
			at = append(at, now)
		}
	}
	want := []time.Duration{10, 20, 40, 80, 160, 300, 320, 360} // tenths of seconds
	if len(at) != len(want) {
		t.Fatalf("told at %v", at)
	}
	for i := range want {
		if at[i] != want[i]*100*time.Millisecond {
			t.Errorf("told at %v", at)
			break
		}
	}
}

// Who has had another view for some seconds is asked, not more than once in five.
func TestDissent(t *testing.T) {
	m := newModel()
	m.sees("b@1", "10.0.0.2:1", true)
	m.pass(0)
	m.hear(&nodepb.MemberStatus{Node: "b@1", Seq: 1, View: m.view.ID + 1})
	var asked []time.Duration
	for range 200 {
		if out := m.pass(100 * time.Millisecond); out.dissent != "" {
			asked = append(asked, m.t)
		}
	}
	if len(asked) != 4 || asked[1]-asked[0] != 5*time.Second {
		t.Errorf("asked at %v", asked)
	}
	m.hear(&nodepb.MemberStatus{Node: "b@1", Seq: 2, View: m.view.ID})
	for range 200 {
		if out := m.pass(100 * time.Millisecond); out.dissent != "" {
			t.Fatal("asked who agrees")
		}
	}
	if m.hear(&nodepb.MemberStatus{Node: "b@1", Seq: 1, View: 5}) || m.hear(&nodepb.MemberStatus{Node: "stranger@1", Seq: 1, View: 5}) {
		t.Error("old news, or of somebody unknown, is passed on")
	}
}

// noTransport is one that nobody uses.
type noTransport struct{ memberlist.NodeAwareTransport }
