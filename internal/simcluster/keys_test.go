package simcluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/cluster"
	admission "github.com/jackdaw-im/jackdaw/cluster/entry"
	"github.com/jackdaw-im/jackdaw/cluster/member"
	"github.com/jackdaw-im/jackdaw/cluster/placement"
	"github.com/jackdaw-im/jackdaw/cluster/trust"
	"github.com/jackdaw-im/jackdaw/ident"
)

// vault is what a world has whose nodes share keys: their files, and who lets whom in.
type vault struct {
	folder string

	mu     sync.Mutex
	tokens map[string]trust.Token // given to the next process of a name
	shaken map[handshake]error
	said   map[string]int // how often nodes have logged a message
}

func newVault(w *world) *vault {
	return &vault{folder: w.TempDir(), tokens: map[string]trust.Token{}, shaken: map[handshake]error{}, said: map[string]int{}}
}

// give lets the next process of a name start with a token.
func (v *vault) give(name string, t trust.Token) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.tokens[name] = t
}

// take returns the token that a process of a name starts with.
func (v *vault) take(name string) (trust.Token, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	t, ok := v.tokens[name]
	delete(v.tokens, name)
	return t, ok
}

// keys are what a node shares with its cluster: what package node does with the same parts.
type keys struct {
	n       *node
	log     *zap.Logger
	live    *trust.Live
	keeper  *trust.Keeper
	server  *trust.Server
	entry   *admission.Entry
	changed func() // ends what follows the bundle
	up      atomic.Bool
	viewing sync.Mutex

	mu  sync.Mutex
	out error // why it was shut out; nil: it wasn't
}

// options are those of a node's bundle.
func (w *world) trustOptions(name string, n *node) trust.Options {
	log := w.log.Named(name).WithOptions(zap.Hooks(w.vault.hear))
	return trust.Options{File: filepath.Join(w.vault.folder, name), Name: name, Logger: log, Dial: n.sim.Dial}
}

// belongs opens the bundle that a process finds, or joins, or founds the cluster.
func (w *world) belongs(n *node) (*keys, error) {
	o := w.trustOptions(n.name, n)
	k := &keys{n: n, log: o.Logger}
	token, given := w.vault.take(n.name)
	var err error
	switch k.live, err = trust.Open(o); {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	case err == nil && !given:
		return k, nil
	case err == nil:
		if b, err := w.join(n, token); err != nil {
			k.log.Warn("the cluster's keys weren't fetched with the join token: this node goes on with those that it has", zap.Error(err))
		} else if _, err = k.live.Merge(b); err != nil {
			return nil, err
		}
		return k, nil
	case len(w.living()) == 0:
		b, err := trust.New(n.name, nil, "", time.Now())
		if err != nil {
			return nil, err
		}
		k.live, err = trust.Create(o, b)
		return k, err
	}
	var b *trust.Bundle
	if given {
		b, err = w.join(n, token)
	} else {
		for range 10 { // while all keys are rotated, a token may be void as soon as it is made
			if b, err = w.join(n, w.token(time.Hour)); !errors.Is(err, trust.ErrTokenVoid) && !errors.Is(err, trust.ErrNotPinned) {
				break
			}
			w.wait(time.Second)
		}
	}
	if err != nil {
		return nil, err
	}
	k.live, err = trust.Create(o, b)
	return k, err
}

// token is one that an operator makes on a node that is in the cluster.
func (w *world) token(life time.Duration) trust.Token {
	w.Helper()
	t, err := w.some().keys.live.NewToken(life)
	if err != nil {
		w.Fatal(err)
	}
	return t
}

// join asks the living for the bundle, one after the other, until one gives it or says why it never will.
func (w *world) join(n *node, token trust.Token) (b *trust.Bundle, err error) {
	err = errors.New("nobody is there")
	for began := time.Now(); time.Since(began) < time.Minute; w.wait(200 * time.Millisecond) {
		for _, seed := range w.living() {
			if seed.name == n.name {
				continue
			}
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			b, err = trust.Join(ctx, trust.JoinRequest{Seed: seed.sim.Addr(), Token: token, Name: n.name, Advertise: n.sim.Addr(), Release: "1.0", Dial: n.sim.Dial})
			cancel()
			if err == nil {
				return b, nil
			}
			for _, final := range []error{trust.ErrTokenExpired, trust.ErrOtherCluster, trust.ErrTokenVoid, trust.ErrNotPinned, trust.ErrRevoked, trust.ErrRefused} {
				if errors.Is(err, final) {
					return nil, err
				}
			}
		}
	}
	return nil, err
}

// gossip puts into a membership's configuration what it has to know of the bundle.
func (k *keys) gossip(c *member.Config) {
	b := k.live.Bundle()
	c.Keys, c.Label, c.Self.Trust = b.GossipKeys(), b.Cluster, packStamp(b.Stamp())
	c.Digest = b.StoresText()
	k.n.c.SetPins(pinsOf(b))
	k.keeper = trust.NewKeeper(trust.KeeperConfig{Live: k.live, Members: k.others, Missing: k.missing, Since: k.n.id.Incarnation(), Logger: k.log})
}

// missing are those that aren't there, as package node tells the keeper.
func (k *keys) missing() (list []trust.Member) {
	for _, m := range k.n.member.Missing() {
		list = append(list, trust.Member{Name: m.Name, Addr: m.Addr})
	}
	return list
}

// begin takes part, once the membership is there.
func (k *keys) begin() {
	k.changed = k.live.OnChange(k.follow)
	k.server = trust.NewServer(trust.ServerConfig{Live: k.live, Admit: k.admit, Logger: k.log})
	k.server.Start(k.n.sim.Listen())
	k.keeper.Start()
	k.up.Store(true)
	k.n.c.SetPins(pinsOf(k.live.Bundle()))
	k.entry = admission.New(admission.Config{Live: k.live, Gossip: k.n.member, Host: k, Logger: k.log})
	k.entry.Begin()
}

// end ends all of it.
func (k *keys) end() {
	k.up.Store(false)
	if k.changed != nil {
		k.entry.End()
		k.changed()
		k.keeper.Stop()
		k.server.Stop()
	}
	k.live.Close()
}

// view gives the cluster what gossip says, but for those that are revoked.
func (k *keys) view(v *member.View) {
	k.viewing.Lock()
	defer k.viewing.Unlock()
	if k.up.Load() {
		v = k.n.member.View()
	}
	b := k.live.Bundle()
	to := cluster.View{ID: v.ID, Peers: map[ident.NodeID]string{}, Hears: map[ident.NodeID]bool{}, Revoked: b.Revoked}
	for _, n := range v.Placed() {
		if !b.IsRevoked(n.ID.Name()) {
			to.Placed = append(to.Placed, n)
		}
	}
	for _, m := range v.Members {
		if m.ID != k.n.id && m.Rejected == "" && !b.IsRevoked(m.Name) {
			to.Peers[m.ID], to.Hears[m.ID] = m.Carriage, m.Routed
		}
	}
	k.n.c.SetView(to)
	if k.up.Load() {
		k.keeper.Kick()
	}
}

// follow brings keys that have changed to whoever uses them.
func (k *keys) follow(from, to *trust.Bundle) {
	m, d := k.n.member, trust.DiffGossip(from, to)
	check := func(err error) {
		if err != nil {
			k.n.w.Errorf("%s: %v", k.n.id, err)
		}
	}
	for _, key := range d.Install {
		check(m.InstallKey(key))
	}
	if d.Use != nil {
		check(m.UseKey(d.Use))
	}
	for _, key := range d.Remove {
		check(m.RemoveKey(key))
	}
	m.SetTrust(packStamp(to.Stamp()))
	m.SetDigest(to.StoresText(), to.StoresText())
	k.n.c.SetPins(pinsOf(to))
	if !slices.Equal(from.Revoked, to.Revoked) {
		k.view(m.View())
	}
}

// admit refuses a node whose name is in use.
func (k *keys) admit(j trust.Joining) error {
	for _, m := range k.n.member.View().Members {
		if m.Name == j.Name && !m.Suspect {
			return fmt.Errorf("a node called %s is in the cluster already", j.Name)
		}
	}
	return nil
}

// others are the nodes that may have newer keys.
func (k *keys) others() (list []trust.Member) {
	for _, m := range k.n.member.View().Members {
		if m.ID == k.n.id || m.Suspect {
			continue
		}
		list = append(list, trust.Member{Name: m.Name, Addr: m.Gossip, Since: m.ID.Incarnation(),
			Stamp: trust.Stamp{Version: m.Trust >> 32, Digest: uint32(m.Trust)}})
	}
	return list
}

func packStamp(s trust.Stamp) uint64 { return s.Version<<32 | uint64(s.Digest) }

func pinsOf(b *trust.Bundle) placement.Pins {
	var list []placement.Pin
	for _, o := range b.Overrides {
		list = append(list, placement.Pin{Kind: o.Kind, ID: o.ID, Node: o.Node})
	}
	return placement.MakePins(list)
}

// ShutOut implements entry.Host: the node gives up its place, and its users go elsewhere.
func (k *keys) ShutOut(reason error) {
	n := k.n
	k.mu.Lock()
	first := k.out == nil
	k.out = reason
	k.mu.Unlock()
	if !first {
		return
	}
	n.w.net.Note("%s is shut out: %v", n.id, reason)
	n.leaving.Store(true)
	n.member.SetState(member.Draining)
	for _, s := range n.w.seatsAt(n) {
		time.AfterFunc(n.w.between(0, 3*time.Second), func() { n.w.sendAway(s) })
	}
}

// sendAway has a user go elsewhere, if there is somewhere.
func (w *world) sendAway(s *seat) {
	w.mu.Lock()
	moot := w.over || w.seats[s.user] != s
	w.mu.Unlock()
	if moot {
		return
	}
	if !slices.ContainsFunc(w.living(), func(n *node) bool { return !n.leaving.Load() }) {
		time.AfterFunc(time.Second, func() { w.sendAway(s) })
		return
	}
	s.tell(func(ctx *actors.Context, p *peer) { p.leave(ctx) })
	w.login(s.user, w.some(), s)
}

// TakenBack implements entry.Host.
func (k *keys) TakenBack() {
	k.mu.Lock()
	was := k.out != nil
	k.out = nil
	k.mu.Unlock()
	if was {
		k.n.w.net.Note("%s is taken back", k.n.id)
		k.n.leaving.Store(false)
		k.n.member.SetState(member.Active)
	}
}

// IsOutcast implements entry.Host.
func (k *keys) IsOutcast() bool { return k.outcast() != nil }

func (k *keys) outcast() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.out
}
