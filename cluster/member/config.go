package member

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hashicorp/memberlist"
	"go.uber.org/zap"
)

// Config is what a Membership is started with.
type Config struct {
	// Self is this node: ID, Carriage, Client, Proto, Oldest (0: Proto), Release, State, Weight, Trust, Passes, Routed and ByAge; the rest is found out.
	Self Member
	// Transport carries the gossip: that of the cluster's address (package port). Close shuts it down.
	Transport memberlist.NodeAwareTransport
	// Keys encrypt the gossip, 16, 24 or 32 bytes each; the first one what is sent, all what comes. None: it isn't encrypted.
	Keys [][]byte
	// Label is the cluster's id, at most 255 bytes: what is labelled otherwise is refused.
	Label string
	// Seeds are HOST:PORT of nodes to join. A host name is looked up at each attempt. The node stays joining until it has met one.
	Seeds []string
	// Remembered returns members of an earlier life, and Remember keeps those of this; called by the errands, one at a time.
	// Both may be nil. With remembered members the node waits for the first only for Timing.Alone.
	Remembered func() []Past
	Remember   func([]Past)
	// Digest is the readable form, without passwords, of that part of the configuration which has to be the same on all nodes; "": not
	// compared. DigestOf is what is compared: it may hold passwords and never leaves the node, but for a hash; "": Digest.
	Digest, DigestOf string
	// Grace is how long a member that is lost stays placed; 0: 2 s.
	Grace time.Duration
	// Timing is for tests and unusual networks.
	Timing Timing
	// Wall is the wall clock; nil: time.Now.
	Wall func() time.Time
	// OnView gets each new view, in order, by a goroutine of its own; views that come while it runs are skipped but for the newest. It must not
	// call Close, which waits for it. It may be nil.
	OnView func(*View)
	// OnConflict is told, once, that another living node has this node's name: this one has to end. It must not call Close, which waits for
	// it. It may be nil.
	OnConflict func(error)
	// Logger may be nil.
	Logger *zap.Logger
}

// Past is a member that was there once.
type Past struct {
	// Name is the node's, "" if only its address is known.
	Name string
	// Addr is its cluster address, IP:PORT.
	Addr string
}

// Timing are durations; the zero value is that of a local network, as written behind each.
type Timing struct {
	Probe           time.Duration // 1 s: one member is probed, in turn
	ProbeTimeout    time.Duration // 500 ms
	Gossip          time.Duration // 200 ms: news is told to three members
	PushPull        time.Duration // 10 s: everything is exchanged with one member; longer above 32 members
	Stream          time.Duration // 10 s: a connection for an exchange may take
	GossipToTheDead time.Duration // 30 s: the dead are remembered
	Rejoin          time.Duration // 30 s: missing seeds and members of the past are joined again; jitter is added
	FlapWindow      time.Duration // 10 min: returns from the dead in it make the grace longer
	Alone           time.Duration // 15 s: a node that only remembers others waits for one
	Patience        time.Duration // 30 s: an active node bears another configuration
	ClockBound      time.Duration // 5 s: a clock may be off
}

// fill sets what is 0.
func (t *Timing) fill() {
	t.Probe = cmp.Or(t.Probe, time.Second)
	t.ProbeTimeout = cmp.Or(t.ProbeTimeout, 500*time.Millisecond)
	t.Gossip = cmp.Or(t.Gossip, 200*time.Millisecond)
	t.PushPull = cmp.Or(t.PushPull, 10*time.Second)
	t.Stream = cmp.Or(t.Stream, 10*time.Second)
	t.GossipToTheDead = cmp.Or(t.GossipToTheDead, 30*time.Second)
	t.Rejoin = cmp.Or(t.Rejoin, 30*time.Second)
	t.FlapWindow = cmp.Or(t.FlapWindow, 10*time.Minute)
	t.Alone = cmp.Or(t.Alone, 15*time.Second)
	t.Patience = cmp.Or(t.Patience, 30*time.Second)
	t.ClockBound = cmp.Or(t.ClockBound, 5*time.Second)
}

// The longest strings that fit in the meta with the rest.
const (
	longestID       = 128
	longestCarriage = 120
	longestClient   = 80
	longestRelease  = 64
)

// check fills in defaults and refuses what can't work.
func (c *Config) check() error {
	c.Timing.fill()
	c.Grace = cmp.Or(c.Grace, 2*time.Second)
	c.Self.Oldest = cmp.Or(c.Self.Oldest, c.Self.Proto)
	c.Self.Name = c.Self.ID.Name()
	c.DigestOf = cmp.Or(c.DigestOf, c.Digest)
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	if c.Wall == nil {
		c.Wall = time.Now
	}
	for _, text := range []*string{&c.Self.Carriage, &c.Self.Client, &c.Self.Release, &c.Digest} {
		*text = strings.ToValidUTF8(*text, "?")
	}
	id := string(c.Self.ID)
	switch {
	case c.Self.Name == "" || c.Self.ID.Incarnation() == 0:
		return fmt.Errorf("member: %q is no node id: name@number", id)
	case len(id) > longestID || !utf8.ValidString(id) || strings.ContainsAny(id, "/ \t\n\x00"):
		return fmt.Errorf("member: %q has more than %d bytes, spaces or slashes", id, longestID)
	case len(c.Self.Carriage) > longestCarriage:
		return fmt.Errorf("member: the address of the carriage has more than %d bytes", longestCarriage)
	case len(c.Self.Client) > longestClient:
		return fmt.Errorf("member: the address for clients has more than %d bytes", longestClient)
	case c.Self.Oldest > c.Self.Proto:
		return fmt.Errorf("member: speaks version %d, and understands none before %d", c.Self.Proto, c.Self.Oldest)
	case c.Transport == nil:
		return errors.New("member: no transport")
	}
	if len(c.Self.Release) > longestRelease {
		c.Self.Release = strings.ToValidUTF8(c.Self.Release[:longestRelease], "")
	}
	for _, seed := range c.Seeds {
		if _, _, err := net.SplitHostPort(seed); err != nil {
			return fmt.Errorf("member: seed: %w", err)
		}
	}
	for i, key := range c.Keys {
		if err := memberlist.ValidateKey(key); err != nil {
			return fmt.Errorf("member: key %d: %w", i+1, err)
		}
	}
	return nil
}

// retransmits is how often each node passes news on, times the decimal logarithm of their number. With the usual 4 one of fifty nodes misses
// a change now and then.
const retransmits = 6

// suspicionMax is how many times longer than with all confirmations a node may be under suspicion.
const suspicionMax = 2

// memberlist returns the library's configuration, without its hooks.
func (c *Config) memberlist() *memberlist.Config {
	t := c.Timing
	m := memberlist.DefaultLANConfig()
	m.Name = string(c.Self.ID)
	m.ProtocolVersion = memberlist.ProtocolVersionMax
	m.Label = c.Label
	m.ProbeInterval, m.ProbeTimeout = t.Probe, t.ProbeTimeout
	m.GossipInterval, m.PushPullInterval = t.Gossip, t.PushPull
	m.TCPTimeout, m.GossipToTheDeadTime = t.Stream, t.GossipToTheDead
	m.RetransmitMult = retransmits
	// A node that few others can confirm to be lost, as in half of a small cluster, isn't waited for six times as long: the grace is there for
	// what returns.
	m.SuspicionMaxTimeoutMult = suspicionMax
	m.EnableCompression = false // it would cost more than it saves with packets this small
	m.DelegateProtocolMin, m.DelegateProtocolVersion, m.DelegateProtocolMax = 1, 1, 1
	return m
}
