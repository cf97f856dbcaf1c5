package member

import (
	"context"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/telemetry"
)

const (
	rememberedMost = 256             // addresses of members
	joinsAtOnce    = 3               // missing members that are tried in one round
	firstPause     = time.Second     // between rounds while there is nobody; it doubles
	lookupPatience = 5 * time.Second // for a seed's host name
)

// errands are what takes time: joining, pinging, keeping addresses. One goroutine does them, so that run never waits.
type errands struct {
	joins, failed atomic.Uint64
	unmet         atomic.Pointer[error] // why nobody has let this node in; nil: somebody has
	update        chan struct{}         // one UpdateNode at a time; it waits, which in fake time nobody may who holds a lock
	wake          chan struct{}

	mu struct {
		sync.Mutex
		seeds      []string // HOST:PORT, without this node's own
		remembered []Past   // the latest member first
		present    []string // IP:PORT of the living
		others     int      // living members
		ask        bool     // exchange with somebody now
		dissent    string   // exchange with who is there now
		ping       ident.NodeID
		address    string
		keep       bool // remembered has changed
	}
}

func (e *errands) init(self string, seeds []string, remembered []Past) {
	e.wake, e.update = make(chan struct{}, 1), make(chan struct{}, 1)
	e.mu.seeds = slices.DeleteFunc(slices.Clone(seeds), func(addr string) bool { return addr == self })
	e.mu.remembered = slices.DeleteFunc(slices.Clone(remembered), func(p Past) bool { return p.Addr == self })
	e.mu.remembered = e.mu.remembered[:min(len(e.mu.remembered), rememberedMost)]
}

func (e *errands) hasSeeds() bool      { return len(e.mu.seeds) > 0 }
func (e *errands) hasRemembered() bool { return len(e.mu.remembered) > 0 }

func (e *errands) nudge() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// tell lets memberlist tell the others what has changed of this node. It doesn't wait until that has happened.
func (e *errands) tell(list *memberlist.Memberlist) {
	if list == nil {
		return
	}
	select {
	case e.update <- struct{}{}:
	default:
		return // somebody is about to tell, or Leave does
	}
	defer func() { <-e.update }()
	_ = list.UpdateNode(time.Nanosecond) // that it isn't out yet is no error
}

// know notes who is there, and remembers them.
func (e *errands) know(members []Member, self ident.NodeID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.mu.present, e.mu.others = e.mu.present[:0], 0
	for i := range members {
		if m := &members[i]; m.ID == self {
			e.mu.present = append(e.mu.present, m.Gossip)
		} else if !m.Suspect {
			e.mu.present = append(e.mu.present, m.Gossip)
			e.unmet.Store(nil)
			e.mu.others++
			e.remember(Past{Name: m.Name, Addr: m.Gossip})
		}
	}
	if e.mu.keep {
		e.nudge()
	}
}

// remember notes one member. mu is held.
func (e *errands) remember(p Past) {
	switch i := e.at(p.Addr); {
	case i < 0:
		e.mu.remembered = append([]Past{p}, e.mu.remembered[:min(len(e.mu.remembered), rememberedMost-1)]...)
	case e.mu.remembered[i].Name != p.Name:
		e.mu.remembered[i].Name = p.Name
	default:
		return
	}
	e.mu.keep = true
}

// at is the place of an address among those remembered, -1 if it isn't. mu is held.
func (e *errands) at(addr string) int {
	return slices.IndexFunc(e.mu.remembered, func(p Past) bool { return p.Addr == addr })
}

// missing returns the members of the past that aren't there.
func (e *errands) missing() []Past {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(e.mu.remembered), func(p Past) bool { return slices.Contains(e.mu.present, p.Addr) })
}

// forget drops the address of a member that has left.
func (e *errands) forget(addr string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if i := e.at(addr); i >= 0 && !slices.Contains(e.mu.present, addr) {
		e.mu.remembered = slices.Delete(e.mu.remembered, i, i+1)
		e.mu.keep = true
		e.nudge()
	}
}

// want notes what a step wants to be done.
func (e *errands) want(out outcome) {
	for _, addr := range out.left {
		e.forget(addr)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.mu.ask, e.mu.ping, e.mu.address = out.ask, out.ping, out.address
	if out.dissent != "" {
		e.mu.dissent = out.dissent
	}
	if out.ask || out.ping != "" || out.dissent != "" {
		e.nudge()
	}
}

// runErrands does them until the end.
func (m *Membership) runErrands() {
	e := &m.errands
	timer := time.NewTimer(0)
	defer timer.Stop()
	pause := firstPause
	said := false // that no seed answers
	for {
		select {
		case <-m.ctx.Done():
			return
		case <-e.wake:
			m.errand()
			continue
		case <-timer.C:
		}
		tried, err := m.rejoin()
		e.mu.Lock()
		lonely := e.mu.others == 0
		e.mu.Unlock()
		if err != nil && lonely {
			e.unmet.Store(&err)
		}
		if err != nil && lonely && !said {
			m.log().Warn("no seed and no member of the past answers; trying again until one does", zap.Error(err))
			said = true
		} else if tried && err == nil {
			said = false
		}
		if pause = min(2*pause, m.cfg.Timing.Rejoin); !lonely || !tried {
			pause = m.cfg.Timing.Rejoin
			if !lonely {
				said = false
			}
		}
		timer.Reset(jittered(pause))
	}
}

// errand does what run has asked for.
func (m *Membership) errand() {
	e := &m.errands
	e.mu.Lock()
	ask, ping, address, keep := e.mu.ask, e.mu.ping, e.mu.address, e.mu.keep
	somebody := e.mu.dissent
	e.mu.ask, e.mu.ping, e.mu.keep, e.mu.dissent = false, "", false, ""
	remembered := slices.Clone(e.mu.remembered)
	if others := e.mu.present; ask && len(others) > 0 {
		others = slices.DeleteFunc(slices.Clone(others), func(a string) bool { return a == m.cfg.Self.Gossip })
		if len(others) > 0 {
			somebody = others[rand.N(len(others))]
		}
	}
	e.mu.Unlock()
	if keep && m.cfg.Remember != nil {
		m.cfg.Remember(remembered)
	}
	if somebody != "" {
		_ = m.join(somebody) // there will be another
	}
	if ping != "" {
		if _, err := m.list.Ping(string(ping), hostPort(address)); err == nil {
			m.in.put(func() { m.in.mu.answered = append(m.in.mu.answered, ping) })
		}
	}
}

// hostPort is a HOST:PORT as net.Addr.
type hostPort string

func (hostPort) Network() string  { return "udp" }
func (a hostPort) String() string { return string(a) }

// rejoin tries some of those that ought to be there and aren't: seeds and members of the past.
func (m *Membership) rejoin() (tried bool, err error) {
	e := &m.errands
	e.mu.Lock()
	seeds := slices.Clone(e.mu.seeds)
	e.mu.Unlock()
	var missing []string
	for _, p := range e.missing() {
		missing = append(missing, p.Addr)
	}
	for _, seed := range seeds {
		addresses, lookup := m.lookup(seed)
		if lookup != nil {
			tried, err = true, lookup
			m.log().Debug("a seed isn't found", zap.String(telemetry.KeyAddress, seed), zap.Error(lookup))
			continue
		}
		missing = append(missing, addresses...)
	}
	e.mu.Lock()
	missing = slices.DeleteFunc(missing, func(a string) bool { return slices.Contains(e.mu.present, a) })
	e.mu.Unlock()
	slices.Sort(missing)
	missing = slices.Compact(missing)
	rand.Shuffle(len(missing), func(i, j int) { missing[i], missing[j] = missing[j], missing[i] })
	for _, addr := range missing[:min(len(missing), joinsAtOnce)] {
		if m.ctx.Err() != nil {
			return tried, nil
		}
		tried = true
		if err = m.join(addr); err == nil {
			return true, nil // it knows the others
		}
	}
	return tried, err
}

// lookup returns the addresses of a seed, as IP:PORT.
func (m *Membership) lookup(seed string) ([]string, error) {
	host, port, err := net.SplitHostPort(seed)
	if err != nil || net.ParseIP(host) != nil {
		return []string{seed}, err
	}
	ctx, cancel := context.WithTimeout(m.ctx, lookupPatience)
	defer cancel()
	hosts, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return nil, err
	}
	for i, h := range hosts {
		hosts[i] = net.JoinHostPort(h, port)
	}
	return hosts, nil
}

// join exchanges everything with the node at an address.
func (m *Membership) join(addr string) error {
	m.errands.joins.Add(1)
	_, err := m.list.Join([]string{addr})
	if err == nil {
		return nil
	}
	m.errands.failed.Add(1)
	if strings.HasSuffix(strings.TrimSpace(err.Error()), "EOF") {
		err = &closedError{err}
	}
	m.log().Debug("a node isn't reached", zap.String(telemetry.KeyAddress, addr), zap.Error(err))
	return err
}

// closedError says what it may mean that a node closes the connection without a word.
type closedError struct{ err error }

func (e *closedError) Error() string {
	return strings.TrimSpace(e.err.Error()) + " (it closed the connection: perhaps it belongs to another cluster)"
}
func (e *closedError) Unwrap() error { return e.err }
