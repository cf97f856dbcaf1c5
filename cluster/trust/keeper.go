package trust

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/telemetry"
)

const (
	keeperPeriod = time.Second
	keeperTry    = 3 * time.Second  // for one fetch or push
	keeperAgain  = 2 * time.Second  // until a member is tried again that refused, or gets the same bundle again: gossip says late what it has
	keeperSays   = 30 * time.Second // between two entries of the log about what doesn't work
	fetches      = 3                // from different members in one round
)

// KeeperConfig says what a Keeper keeps.
type KeeperConfig struct {
	Live *Live
	// Members returns the other nodes that are alive. It must not block.
	Members func() []Member
	// Missing returns those that ought to be there, and aren't; their names may not be known. It must not block. nil: nobody is missed.
	Missing func() []Member
	// Since is this node's, as Member has it.
	Since uint64
	// Period is how often it looks; 0 is 1 s.
	Period time.Duration
	// Logger hears of what doesn't work, now and then; nil is silence.
	Logger *zap.Logger
}

// Keeper keeps a node's bundle the cluster's newest: it fetches newer ones from members, pushes those made here, takes the steps of a
// rotation that are due if no living member began earlier, and calls Live.Tick. NewKeeper makes it, Start launches its goroutine,
// Stop ends it.
type Keeper struct {
	cfg    KeeperConfig
	log    *zap.Logger
	cancel context.CancelFunc
	wg     sync.WaitGroup
	kick   chan struct{}

	// The fields below belong to the goroutine.
	seen   map[string]Stamp     // what members said they have when they got a push
	sent   map[string]pushed    // the last push to each
	failed map[string]time.Time // the last fetch from each that failed
	known  map[string]Member    // those that were there or are missing, by address
	said   time.Time
}

type pushed struct {
	stamp Stamp
	at    time.Time
}

// NewKeeper returns a keeper that does nothing yet.
func NewKeeper(cfg KeeperConfig) *Keeper {
	k := &Keeper{cfg: cfg, log: cfg.Logger, kick: make(chan struct{}, 1), seen: map[string]Stamp{}, sent: map[string]pushed{},
		failed: map[string]time.Time{}, known: map[string]Member{}}
	if k.log == nil {
		k.log = zap.NewNop()
	}
	if k.cfg.Period == 0 {
		k.cfg.Period = keeperPeriod
	}
	return k
}

// Start launches the keeper.
func (k *Keeper) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	k.cancel = cancel
	forget := k.cfg.Live.OnChange(func(_, _ *Bundle) { k.Kick() })
	k.wg.Go(func() {
		defer forget()
		k.run(ctx)
	})
}

// Kick makes it look now, as when gossip shows another stamp. It never blocks.
func (k *Keeper) Kick() {
	select {
	case k.kick <- struct{}{}:
	default:
	}
}

// Stop ends what it does and waits for its end.
func (k *Keeper) Stop() {
	if k.cancel != nil {
		k.cancel()
	}
	k.wg.Wait()
}

func (k *Keeper) run(ctx context.Context) {
	tick := time.NewTicker(k.cfg.Period)
	defer tick.Stop()
	for {
		k.round(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-k.kick:
		}
	}
}

// round looks once.
func (k *Keeper) round(ctx context.Context) {
	l := k.cfg.Live
	first := k.cfg.Members()
	missing := k.missing(first)
	members := k.cfg.Members() // again: one that comes or goes meanwhile is among the first, the missing or these
	k.fetch(ctx, members)      // first: what is made below comes after what others have made
	if err := l.Tick(); err != nil {
		k.say("the bundle of keys can't be kept up to date", "", err)
	}
	k.push(ctx, members)
	if ctx.Err() != nil || !k.leads(members) {
		return
	}
	var awaited []string
	_, err := l.Change(func(b *Bundle) (*Bundle, error) {
		switch {
		case b.orphaned():
			return b.renewed(l.o.Now())
		case !b.Due(k.versions(first, members), l.Held()):
		case len(missing) > 0 && !b.leaving() && l.Held() < AwayPatience:
			awaited = missing
		default:
			return b.Advance(l.o.Now())
		}
		return b, nil
	})
	if err != nil {
		k.say("the next step of a rotation can't be taken", "", err)
	} else if len(awaited) > 0 {
		k.say("the rotation of keys waits for members that are missing", strings.Join(awaited, ", "), nil)
	}
}

// fetch asks members with a bundle that wins over this node's.
func (k *Keeper) fetch(ctx context.Context, members []Member) {
	l, tries := k.cfg.Live, 0
	for _, i := range rand.Perm(len(members)) {
		m := members[i]
		if m.Stamp.Compare(l.Stamp()) <= 0 || l.Bundle().IsRevoked(m.Name) {
			continue
		}
		if l.o.Now().Sub(k.failed[m.Name]) < keeperAgain {
			continue
		}
		if tries++; tries > fetches || ctx.Err() != nil {
			return
		}
		try, cancel := context.WithTimeout(ctx, keeperTry)
		_, err := l.Fetch(try, m)
		cancel()
		if err != nil && ctx.Err() == nil {
			k.failed[m.Name] = l.o.Now()
			k.say("a newer bundle of keys can't be fetched", m.Name, err)
		}
	}
}

// push gives the bundle to those who have an older one: if it was made here, or if they can't fetch it, as during a revocation.
func (k *Keeper) push(ctx context.Context, members []Member) {
	l := k.cfg.Live
	s := l.state.Load()
	var to []Member
	present := map[string]bool{}
	for _, m := range members {
		present[m.Name] = true
		last := k.sent[m.Name]
		switch {
		case !s.made && !s.bundle.leaving(), s.bundle.IsRevoked(m.Name), k.newest(m).Compare(s.stamp) >= 0:
		case last.stamp == s.stamp && l.o.Now().Sub(last.at) < keeperAgain:
		default:
			k.sent[m.Name] = pushed{s.stamp, l.o.Now()}
			to = append(to, m)
		}
	}
	for name := range k.sent {
		if !present[name] {
			delete(k.sent, name)
			delete(k.seen, name)
		}
	}
	for name := range k.failed {
		if !present[name] {
			delete(k.failed, name)
		}
	}
	got, errs := make([]Stamp, len(to)), make([]error, len(to))
	var wg sync.WaitGroup
	for i, m := range to {
		wg.Go(func() {
			try, cancel := context.WithTimeout(ctx, keeperTry)
			defer cancel()
			got[i], errs[i] = l.Push(try, m)
		})
	}
	wg.Wait()
	for i, m := range to {
		if errs[i] == nil {
			k.seen[m.Name] = got[i]
		} else if ctx.Err() == nil {
			k.say("the bundle of keys can't be pushed", m.Name, errs[i])
		}
	}
}

// missing returns who ought to be there and isn't, by name if it is known, but for those that had the present bundle when they were there.
func (k *Keeper) missing(members []Member) (list []string) {
	if k.cfg.Missing == nil {
		return nil
	}
	gone := k.cfg.Missing()
	present := map[string]bool{}
	for _, m := range members {
		present[m.Name], present[m.Addr] = true, true
		k.known[m.Addr] = Member{Name: m.Name, Addr: m.Addr, Stamp: k.newest(m)}
	}
	for addr := range k.known {
		if !present[addr] && !slices.ContainsFunc(gone, func(m Member) bool { return m.Addr == addr }) {
			delete(k.known, addr)
		}
	}
	b := k.cfg.Live.Bundle()
	for _, m := range gone {
		name := cmp.Or(k.known[m.Addr].Name, m.Name)
		if !present[m.Addr] && !present[name] && name != k.cfg.Live.Name() && !b.IsRevoked(name) && k.known[m.Addr].Stamp.Version < b.Version {
			list = append(list, cmp.Or(name, m.Addr))
		}
	}
	return list
}

// newest is the newer of what gossip says of a member and what it said itself.
func (k *Keeper) newest(m Member) Stamp {
	if seen := k.seen[m.Name]; seen.Compare(m.Stamp) > 0 {
		return seen
	}
	return m.Stamp
}

// versions are those that members have, of the latest list that they are in.
func (k *Keeper) versions(lists ...[]Member) map[string]uint64 {
	v := map[string]uint64{}
	for _, members := range lists {
		for _, m := range members {
			v[m.Name] = k.newest(m).Version
		}
	}
	return v
}

// leads reports whether no other member began earlier: that one remembers most of those who are missing. While there are members that go by
// names, as older versions do, all do. If two lead for a moment they make the same bundle.
func (k *Keeper) leads(members []Member) bool {
	b := k.cfg.Live.Bundle()
	members = slices.DeleteFunc(slices.Clone(members), func(m Member) bool { return b.IsRevoked(m.Name) })
	byName := slices.ContainsFunc(members, func(m Member) bool { return m.Since == 0 })
	return !slices.ContainsFunc(members, func(m Member) bool {
		name := cmp.Compare(m.Name, k.cfg.Live.Name())
		if byName {
			return name < 0
		}
		return cmp.Or(cmp.Compare(m.Since, k.cfg.Since), name) < 0
	})
}

// say logs what doesn't work, not every second anew.
func (k *Keeper) say(message, node string, err error) {
	now := k.cfg.Live.o.Now()
	if now.Sub(k.said) < keeperSays {
		return
	}
	k.said = now
	var fields []zap.Field
	if err != nil {
		fields = append(fields, zap.Error(err))
	}
	if node != "" {
		fields = append(fields, zap.String(telemetry.KeyNode, node))
	}
	k.log.Warn(message, fields...)
}
