package member

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/hashicorp/memberlist"
	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// Membership is this node's part in the cluster. All methods are safe for concurrent use; those that change something return at once
// and the change is in a view shortly after.
type Membership struct {
	cfg   Config
	start time.Time
	list  *memberlist.Memberlist
	ring  *memberlist.Keyring
	net   *meter
	lines *lines

	in         *inbox
	broadcasts *memberlist.TransmitLimitedQueue
	meta       atomic.Pointer[[]byte]
	described  []byte        // the meta without filler; of run, as is the next
	again      time.Duration // when the meta is told again, 0: it isn't
	view       atomic.Pointer[View]
	opinions   atomic.Pointer[[]Opinion]
	told       atomic.Pointer[told]
	seq        atomic.Uint64
	known      atomic.Int64 // nodes, for the number of times that a broadcast is repeated
	errands    errands
	ctx        context.Context // over when Close has been called
	cancel     context.CancelFunc
	viewed     chan struct{}  // for notify: there is another view
	conflicts  chan error     // for notify
	running    sync.WaitGroup // run, errands, notify
	closing    sync.Once

	mu struct {
		sync.Mutex
		want wish
	}
}

// Opinion is what another node says of the cluster.
type Opinion struct {
	ID ident.NodeID
	// View is the id of the view that it acts upon, 0: not yet told.
	View uint64
	// Age is how long ago it was told.
	Age time.Duration
	// Clock is how far its wall clock is ahead of this node's, as far as is known.
	Clock time.Duration
}

// Start starts taking part, as a joining node until nothing keeps it out. It doesn't wait for the seeds: none of them may answer for a
// long time. Close ends it.
func Start(cfg Config) (*Membership, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	m := &Membership{cfg: cfg, start: time.Now(), ctx: ctx, cancel: cancel, in: newInbox(), lines: newLines(cfg.Logger),
		viewed: make(chan struct{}, 1), conflicts: make(chan error, 1)}
	m.mu.want = wish{state: cfg.Self.State, weight: cfg.Self.Weight, trust: cfg.Self.Trust, text: cfg.Digest, digest: digest(cfg.DigestOf)}
	m.broadcasts = &memberlist.TransmitLimitedQueue{RetransmitMult: retransmits, NumNodes: func() int { return int(m.known.Load()) }}
	st, err := m.open()
	if err != nil {
		cancel()
		return nil, err
	}
	m.running.Go(func() { m.run(st) })
	m.running.Go(m.runErrands)
	m.running.Go(m.notify)
	return m, nil
}

// open starts memberlist and makes the first view.
func (m *Membership) open() (*state, error) {
	cfg := m.cfg.memberlist()
	m.net = newMeter(m.cfg.Transport)
	ip, port, err := m.net.FinalAdvertiseAddr("", 0)
	if err != nil {
		_ = m.net.Shutdown()
		return nil, fmt.Errorf("member: the address that others are told: %w", err)
	}
	m.cfg.Self.Gossip = net.JoinHostPort(ip.String(), strconv.Itoa(port))
	var remembered []Past
	if m.cfg.Remembered != nil {
		remembered = m.cfg.Remembered()
	}
	m.errands.init(m.cfg.Self.Gossip, m.cfg.Seeds, remembered)
	st := newState(rules{self: m.cfg.Self, timing: m.cfg.Timing, grace: m.cfg.Grace,
		seeds: m.errands.hasSeeds(), remembered: m.errands.hasRemembered()}, m.mu.want)
	st.advance(0, m.cfg.Wall())
	m.publish(st, st.step())

	if len(m.cfg.Keys) > 0 {
		if m.ring, err = memberlist.NewKeyring(m.cfg.Keys, m.cfg.Keys[0]); err != nil {
			_ = m.net.Shutdown()
			return nil, fmt.Errorf("member: keys: %w", err)
		}
		cfg.Keyring = m.ring
	}
	d := delegate{m.in, &m.meta, m.broadcasts, m.localState}
	cfg.Transport, cfg.Delegate, cfg.Events, cfg.Logger = m.net, d, d, m.lines.logger()
	if m.list, err = memberlist.Create(cfg); err != nil {
		_ = m.net.Shutdown()
		return nil, fmt.Errorf("member: %w", err)
	}
	return st, nil
}

// digest is what configurations are compared by.
func digest(text string) uint64 {
	if text == "" {
		return 0
	}
	return max(xxhash.Sum64String(text), 1)
}

// View returns the present view. It costs nothing.
func (m *Membership) View() *View { return m.view.Load() }

// Self returns this node as the others know it.
func (m *Membership) Self() Member {
	self, _ := m.View().Find(m.cfg.Self.ID)
	return self
}

func (m *Membership) wish(f func(*wish)) {
	m.mu.Lock()
	f(&m.mu.want)
	m.mu.Unlock()
	m.in.nudge()
}

// SetState says what the node wants to be. An active node is still joining, in its own view and for the others, while something keeps it
// out.
func (m *Membership) SetState(s State) { m.wish(func(w *wish) { w.state = s }) }

// SetWeight sets the node's share of the partitions.
func (m *Membership) SetWeight(weight uint32) { m.wish(func(w *wish) { w.weight = weight }) }

// SetTrust sets the version of the node's bundle of secrets.
func (m *Membership) SetTrust(version uint64) { m.wish(func(w *wish) { w.trust = version }) }

// SetDigest sets what is compared with the others' configurations: see Config.Digest and Config.DigestOf.
func (m *Membership) SetDigest(text, of string) {
	if of == "" {
		of = text
	}
	m.wish(func(w *wish) { w.text, w.digest = text, digest(of) })
}

// InstallKey adds a key that gossip may come encrypted with. To change the key of a cluster install the new one on all nodes, then let all
// use it, then remove the old one from all.
func (m *Membership) InstallKey(key []byte) error {
	return m.keys(func() error { return m.ring.AddKey(key) })
}

// UseKey encrypts what is sent with a key that is installed.
func (m *Membership) UseKey(key []byte) error {
	return m.keys(func() error { return m.ring.UseKey(key) })
}

// RemoveKey takes a key away that is not in use.
func (m *Membership) RemoveKey(key []byte) error {
	return m.keys(func() error {
		// The library moves the keys behind the removed one in a slice that readers hold. So it has to be the last: using a key moves it to
		// the front and keeps the order of the others.
		primary := m.ring.GetPrimaryKey()
		for range m.ring.GetKeys() {
			keys := m.ring.GetKeys()
			if bytes.Equal(keys[len(keys)-1], key) || bytes.Equal(primary, key) {
				break
			}
			if err := errors.Join(m.ring.UseKey(keys[len(keys)-1]), m.ring.UseKey(primary)); err != nil {
				return err
			}
		}
		return m.ring.RemoveKey(key)
	})
}

func (m *Membership) keys(f func() error) error {
	if m.ring == nil {
		return errors.New("member: the gossip isn't encrypted")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := f(); err != nil {
		return fmt.Errorf("member: key: %w", err)
	}
	return nil
}

// Unmet returns why no seed and no member of the past has let this node in yet; nil if one has, or none was asked.
func (m *Membership) Unmet() error {
	if err := m.errands.unmet.Load(); err != nil {
		return *err
	}
	return nil
}

// Missing returns the members of this life and earlier ones that aren't there and haven't said that they leave: they may be lost, cut off, or have
// another address now.
func (m *Membership) Missing() []Past { return m.errands.missing() }

// Agreement returns which views the other living members act upon, as they have told last, sorted by id.
func (m *Membership) Agreement() []Opinion { return *m.opinions.Load() }

// Agreed reports whether all other members that are placed act upon the same view as this node, as far as it has been told.
func (m *Membership) Agreed() bool {
	v := m.View()
	for _, o := range m.Agreement() {
		if other, ok := v.Find(o.ID); ok && other.Placed() && !other.Suspect && o.View != v.ID {
			return false
		}
	}
	return true
}

// Leave tells the others that this node goes, so that they don't wait for it to return, and takes no part any more. It waits until
// the news is out or ctx is over. Close still has to be called.
func (m *Membership) Leave(ctx context.Context) error {
	m.wish(func(w *wish) { w.leaving = true })
	for !m.announced() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("member: leave: %w", ctx.Err())
		case <-m.ctx.Done():
			return nil
		case <-time.After(time.Millisecond):
		}
	}
	// Told once more, by a call that waits until it is out: memberlist sends nothing about a node behind the news that it is gone. It may lose
	// that, too (see fillerMost), and it is out within outTime if not.
	patience := 5 * time.Second
	if deadline, ok := ctx.Deadline(); ok {
		patience = max(time.Until(deadline)/2, time.Millisecond)
	}
	m.errands.update <- struct{}{}
	var err error
	for left := patience; left > 0; left -= outTime {
		if err = m.list.UpdateNode(min(left, outTime)); err == nil {
			break
		}
	}
	<-m.errands.update
	if err = errors.Join(err, m.list.Leave(patience)); err != nil {
		return fmt.Errorf("member: leave: %w", err)
	}
	return nil
}

// outTime is longer than a broadcast takes to be out, in a cluster of any size.
const outTime = 2 * time.Second

// announced reports whether the meta says that the node leaves.
func (m *Membership) announced() bool {
	meta := &nodepb.MemberMeta{}
	return proto.Unmarshal(*m.meta.Load(), meta) == nil && meta.GetLeaving()
}

// Close ends everything and waits for it. To the others the node is lost, unless it has left.
func (m *Membership) Close() error {
	var err error
	m.closing.Do(func() {
		m.cancel()
		err = m.list.Shutdown()
		m.running.Wait()
		m.net.wait()
	})
	if err != nil {
		return fmt.Errorf("member: %w", err)
	}
	return nil
}

// Stats are counters since the start, and what is now.
type Stats struct {
	Traffic
	// Foreign counts what was refused because it came from another cluster, WrongKey because it wasn't encrypted with one of the keys.
	Foreign, WrongKey uint64
	// Joins and JoinsFailed count attempts to join seeds and members of the past.
	Joins, JoinsFailed uint64
	// Health is 0 if this node keeps up with its probes, up to 8 if it doesn't.
	Health int
}

// Stats returns the present counts.
func (m *Membership) Stats() Stats {
	return Stats{Traffic: m.net.traffic(), Foreign: m.lines.foreign.Load(), WrongKey: m.lines.wrongKey.Load(),
		Joins: m.errands.joins.Load(), JoinsFailed: m.errands.failed.Load(), Health: m.list.GetHealthScore()}
}

// logger returns the logger.
func (m *Membership) log() *zap.Logger { return m.cfg.Logger }
