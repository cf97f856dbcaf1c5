package node

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/cluster"
	"github.com/jackdaw-im/jackdaw/cluster/carrier"
	"github.com/jackdaw-im/jackdaw/cluster/entry"
	"github.com/jackdaw-im/jackdaw/cluster/link"
	"github.com/jackdaw-im/jackdaw/cluster/member"
	"github.com/jackdaw-im/jackdaw/cluster/placement"
	"github.com/jackdaw-im/jackdaw/cluster/port"
	"github.com/jackdaw-im/jackdaw/cluster/trust"
	"github.com/jackdaw-im/jackdaw/config"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/store/pgstore"
	"github.com/jackdaw-im/jackdaw/telemetry"
)

// protocol is the version of what nodes say to each other, oldest the oldest that this one understands.
const (
	protocol       = 1
	oldestProtocol = 1
)

// peers is what connects a node with the others of its cluster: gossip, links and shared keys. It is nil on a node that has no cluster.
type peers struct {
	n       *Node
	live    *trust.Live
	fatal   chan error
	port    *port.Port
	carrier *carrier.Carrier
	links   *link.Links
	server  *trust.Server
	keeper  *trust.Keeper
	member  *member.Membership
	changed func() // ends what follows the bundle

	up      atomic.Bool // all of the above is there
	lost    atomic.Bool // this node has to end
	entry   *entry.Entry
	began   bool
	viewing sync.Mutex
	views   atomic.Int64  // how many there were
	last    atomic.Uint64 // the id of the latest
	viewed  atomic.Int64  // when that came, or another table of overrides, in nanoseconds since 1970
}

// belongs returns the bundle of the cluster that this node belongs to, joins now, or founds; nil if there is none. A new cluster's is written
// down once try has found the stores to be good: a mistake in their addresses can be mended until then.
func belongs(ctx context.Context, cfg *config.Config, name string, l *lobby, try func(*trust.Bundle) error) (*trust.Live, error) {
	k := cfg.Cluster
	opts := trust.Options{File: cfg.BundleFile(), Name: name, Logger: l.log}
	if k.Authority != "" {
		opts.Files = &trust.Files{Authorities: k.Authority, Certificate: k.NodeCert, Key: k.NodeKey}
	}
	if _, err := os.Stat(opts.File); err == nil {
		return belongsStill(ctx, cfg, opts, name, l)
	}
	if k.Listen == "" && k.Join == "" {
		return nil, nil
	}
	if err := refuseEmbedded(ctx, cfg, l.log); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(opts.File), 0o700); err != nil {
		return nil, fmt.Errorf("node: making the folder of the cluster's keys: %w", err)
	}
	switch {
	case k.Join != "" && k.Token == "":
		return nil, errors.New("node: cluster.join is given without cluster.token, and this node has not joined before: make a token with `jackdaw cluster token` on a node of the cluster")
	case k.Join != "":
		b, err := join(ctx, cfg, name, l)
		if err != nil {
			return nil, err
		}
		return trust.Create(opts, b)
	case cfg.Store.URL == "":
		return nil, errors.New("node: a cluster needs a store that all nodes share, and the embedded one is one node's alone: give --store postgres://USER:PASSWORD@HOST/NAME (and " +
			"copy what is in the data folder with `jackdaw store move`), or join a cluster with --join HOST:PORT --token TOKEN")
	}
	var stores []trust.DSN
	for _, s := range pgstore.Split(cfg.Store.URL) {
		stores = append(stores, trust.DSN(s))
	}
	b, err := trust.New(name, stores, trust.DSN(cfg.Store.Directory), time.Now())
	if err != nil {
		return nil, err
	}
	if b, err = b.WithDomain(foundedDomain(cfg), name, time.Now()); err != nil {
		return nil, err
	}
	if err := try(b); err != nil {
		return nil, err
	}
	l.log.Info("a new cluster begins", zap.String(telemetry.KeyCluster, b.Cluster))
	return trust.Create(opts, b)
}

// usedTime bounds the question whether a store is in use already.
const usedTime = 5 * time.Second

// alreadyUsed refuses to found a second cluster on the store of one that runs, which may be of a release that didn't write its id into its
// databases. A store that doesn't answer is no reason: opening it says more.
func alreadyUsed(ctx context.Context, cfg *config.Config) error {
	ctx, cancel := context.WithTimeout(ctx, usedTime)
	defer cancel()
	nodes, err := pgstore.Nodes(ctx, cfg.Store.URL, cfg.Store.Directory)
	if err != nil || len(nodes) == 0 {
		return nil
	}
	var names []string
	for _, n := range nodes {
		names = append(names, n.Name())
	}
	return fmt.Errorf("node: nodes of a cluster are at work on this store: %s. Join them with --join HOST:PORT --token TOKEN instead of --store (`jackdaw cluster token` on one of them "+
		"makes the token), or stop them first", strings.Join(names, ", "))
}

// belongsStill opens the bundle that the node has. With a token it asks for the present one first, which it can't get otherwise if it was
// away while all keys were rotated.
func belongsStill(ctx context.Context, cfg *config.Config, opts trust.Options, name string, l *lobby) (*trust.Live, error) {
	live, err := trust.Open(opts)
	if err != nil || cfg.Cluster.Token == "" {
		return live, err
	}
	token, err := trust.ParseToken(cfg.Cluster.Token)
	if err == nil && token.Cluster != live.Bundle().Cluster {
		err = fmt.Errorf("node: the join token is of another cluster than the one that %s belongs to: to make it a node of that one, begin with an empty data folder", cfg.Data)
	}
	if err != nil {
		live.Close()
		return nil, err
	}
	few, cancel := context.WithTimeout(ctx, joinPatience)
	defer cancel()
	b, err := join(few, cfg, name, l)
	if err != nil {
		l.log.Warn("the cluster's keys weren't fetched with the join token: this node goes on with those that it has", zap.Error(err))
		return live, nil
	}
	_, err = live.Merge(b)
	return live, err
}

const (
	// joinPatience is how long a node that has joined before tries to fetch the present keys.
	joinPatience = 10 * time.Second
	joinPause    = 200 * time.Millisecond
	maxJoinPause = 5 * time.Second
)

// join asks the seeds, one after the other, for the cluster's bundle, until one answers or ctx is over. Who asks for health meanwhile is
// told.
func join(ctx context.Context, cfg *config.Config, name string, l *lobby) (*trust.Bundle, error) {
	token, err := trust.ParseToken(cfg.Cluster.Token)
	if err != nil {
		return nil, err
	}
	defer l.why.Store(&errStarting)
	for pause := joinPause; ; pause = min(2*pause, maxJoinPause) {
		var last error
		for _, seed := range seeds(cfg) {
			b, err := trust.Join(ctx, trust.JoinRequest{Seed: seed, Token: token, Name: name, Advertise: cfg.Cluster.Advertise, Release: CurrentVersion().Version})
			if err == nil {
				l.log.Info("joined the cluster", zap.String(telemetry.KeyCluster, b.Cluster), zap.String(telemetry.KeyPeer, seed))
				return b, nil
			}
			last = fmt.Errorf("node: joining by %s: %w", seed, err)
			for _, final := range []error{trust.ErrTokenExpired, trust.ErrOtherCluster, trust.ErrTokenVoid, trust.ErrNotPinned, trust.ErrRevoked, trust.ErrRefused} {
				if errors.Is(err, final) {
					return nil, last
				}
			}
			if ctx.Err() != nil {
				return nil, last
			}
			l.waits("a node of the cluster can't be reached yet: trying again until one can", seed, last, zap.String(telemetry.KeyPeer, seed))
		}
		select {
		case <-ctx.Done():
			return nil, last
		case <-time.After(pause):
		}
	}
}

var errStarting = errors.New("starting")

func seeds(cfg *config.Config) (list []string) {
	for _, s := range strings.Split(cfg.Cluster.Join, ",") {
		if s = strings.TrimSpace(s); s != "" {
			list = append(list, s)
		}
	}
	return list
}

// nodeName is the configured name, or the machine's.
func nodeName(cfg *config.Config) (string, error) {
	name := cfg.Cluster.Name
	if name == "" && !cfg.Clustered() {
		return "node", nil
	}
	if name == "" {
		host, err := os.Hostname()
		if err != nil {
			return "", fmt.Errorf("node: the machine's name can't be found, give one with --node: %w", err)
		}
		name = strings.ToLower(host)
	}
	if err := trust.CheckName(name); err != nil {
		return "", fmt.Errorf("node: the name %q: %w", name, err)
	}
	return name, nil
}

// Start opens the cluster's address and takes part, as a node that owns nothing yet.
func (p *peers) Start() (err error) {
	defer func() {
		if err != nil {
			p.end()
		}
	}()
	if p.began { // by this time the others take it for one that has left
		err = errors.New("node: what connects this node with its cluster has failed, and can't begin again in this process")
		p.conflict(err)
		return err
	}
	p.began = true
	cfg, n := p.n.cfg.Cluster, p.n
	listen := cfg.Listen
	if listen == "" {
		listen = config.DefaultCluster
	}
	if p.port, err = port.Start(port.Config{Bind: listen, Advertise: cfg.Advertise, Logger: n.log}); err != nil {
		return err
	}
	carriage := cfg.Carriage
	if carriage == "" {
		at := p.port.Addr()
		carriage = net.JoinHostPort(hostOf(listen), strconv.Itoa(int(at.Port())+1))
	}
	p.links = link.New(link.Options{Self: n.sys.Node(), Carrier: link.CarrierFunc(func(to link.Peer, f *nodepb.Frame) error { return p.carrier.Send(to, f) }),
		Logger: n.log, Deliver: n.cluster.Receive, Return: n.cluster.Returned, Anew: n.cluster.Anew, Mutual: n.cluster.Mutual, Passes: p.passes})
	p.carrier, err = carrier.New(carrier.Options{
		Self: n.sys.Node(), Bind: carriage, Logger: n.log,
		ServerTLS: func() *tls.Config { return p.live.ServerTLS("h2") },
		ClientTLS: func(node string) *tls.Config { return p.live.ClientTLS(node, "h2") },
		NodeOf:    func(c *x509.Certificate) (string, error) { name, _, err := trust.NameOf(c); return name, err },
		Admit:     p.live.Admit,
		Receive:   func(f *nodepb.Frame) { p.links.Receive(f) },
	})
	if err != nil {
		return err
	}
	n.cluster.SetLinks(p.links)
	n.cluster.SetPins(pins(p.live.Bundle()))                                                                                                              // before the first view: nobody is taken for the home of what is pinned elsewhere
	p.keeper = trust.NewKeeper(trust.KeeperConfig{Live: p.live, Members: p.others, Missing: p.missing, Since: n.sys.Node().Incarnation(), Logger: n.log}) // before the first view, which kicks it
	if p.member, err = p.join(); err != nil {
		return err
	}
	p.changed = p.live.OnChange(p.follow)
	p.server = trust.NewServer(trust.ServerConfig{Live: p.live, Admit: p.admit, Logger: n.log})
	p.server.Start(p.port.TLS())
	p.keeper.Start()
	p.up.Store(true)
	p.n.cluster.SetPins(pins(p.live.Bundle()))
	return nil
}

func hostOf(addr string) string {
	host, _, _ := net.SplitHostPort(addr)
	return host
}

// join starts the gossip.
func (p *peers) join() (*member.Membership, error) {
	cfg, b := p.n.cfg.Cluster, p.live.Bundle()
	adv, _, _ := p.port.Transport().FinalAdvertiseAddr("", 0)
	_, carriagePort, err := net.SplitHostPort(p.carrier.Addr())
	if err != nil {
		return nil, err
	}
	host := hostOf(cfg.Advertise)
	if host == "" {
		host = adv.String()
	}
	return member.Start(member.Config{
		Self: member.Member{
			ID: p.n.sys.Node(), Carriage: net.JoinHostPort(host, carriagePort), Client: cfg.Client, Proto: protocol, Oldest: oldestProtocol,
			Release: p.n.version.Version, State: member.Joining, Weight: uint32(cfg.Weight), Trust: packStamp(b.Stamp()), Passes: true, Routed: true, ByAge: true,
		},
		Transport: p.port.Transport(), Keys: b.GossipKeys(), Label: b.Cluster, Seeds: seeds(p.n.cfg), Remembered: p.remembered, Remember: p.remember,
		Digest: p.digest(b), DigestOf: p.digest(b), Grace: cfg.Grace, OnView: p.view, OnConflict: p.conflict, Logger: p.n.log, Timing: p.timing(),
	})
}

// timing is that of the configuration, unless a test wants another.
func (p *peers) timing() member.Timing {
	t := p.n.timing
	t.GossipToTheDead = cmp.Or(t.GossipToTheDead, p.n.cfg.Cluster.Forget)
	t.Rejoin = cmp.Or(t.Rejoin, p.n.cfg.Cluster.Rejoin)
	return t
}

// digest is what all nodes must have alike.
func (p *peers) digest(b *trust.Bundle) string {
	return "domain " + p.n.cfg.Domain + ", stores " + b.StoresText()
}

// view gives the cluster what gossip says.
func (p *peers) view(v *member.View) {
	p.viewing.Lock()
	defer p.viewing.Unlock()
	if p.up.Load() {
		v = p.member.View() // which may have changed since
	}
	b := p.live.Bundle()
	to := cluster.View{ID: v.ID, Peers: map[ident.NodeID]string{}, Hears: map[ident.NodeID]bool{}, Revoked: b.Revoked}
	for _, n := range v.Placed() {
		if !b.IsRevoked(n.ID.Name()) { // gossip finds out later that it is gone
			to.Placed = append(to.Placed, n)
		}
	}
	for _, m := range v.Members {
		if m.ID != p.n.sys.Node() && m.Rejected == "" && !b.IsRevoked(m.Name) {
			to.Peers[m.ID], to.Hears[m.ID] = m.Carriage, m.Routed
		}
	}
	if p.last.Swap(v.ID) != v.ID {
		p.views.Add(1)
		p.viewed.Store(time.Now().UnixNano())
	}
	p.n.cluster.SetView(to)
	if p.up.Load() {
		p.keeper.Kick()
	}
}

// passes reports whether frames may take detours by another node, or to it.
func (p *peers) passes(id ident.NodeID) bool {
	if !p.up.Load() {
		return false
	}
	m, ok := p.member.View().Find(id)
	return ok && m.Passes
}

// conflict ends a node whose name another one has.
func (p *peers) conflict(err error) {
	p.lost.Store(true)
	select {
	case p.fatal <- err:
	default:
	}
}

// follow brings keys that have changed to whoever uses them.
func (p *peers) follow(from, to *trust.Bundle) {
	d := trust.DiffGossip(from, to)
	for _, k := range d.Install {
		p.complain(p.member.InstallKey(k))
	}
	if d.Use != nil {
		p.complain(p.member.UseKey(d.Use))
	}
	for _, k := range d.Remove {
		p.complain(p.member.RemoveKey(k))
	}
	p.member.SetTrust(packStamp(to.Stamp()))
	p.member.SetDigest(p.digest(to), p.digest(to))
	if before, now := pins(from), pins(to); !slices.Equal(before.List(), now.List()) {
		p.viewed.Store(time.Now().UnixNano()) // actors move by it
		p.n.cluster.SetPins(now)
	}
	p.carrier.Recheck()
	if !slices.Equal(from.Revoked, to.Revoked) {
		p.view(p.member.View())
	}
	if err := p.readdress(from, to); err != nil {
		p.n.log.Error("the stores' new addresses can't be used", zap.Error(err))
	}
}

func (p *peers) complain(err error) {
	if err != nil {
		p.n.log.Error("the keys of gossip can't be changed", zap.Error(err))
	}
}

// admit refuses a node whose name is in use.
func (p *peers) admit(j trust.Joining) error {
	for _, m := range p.member.View().Members {
		if m.Name == j.Name && !m.Suspect {
			return fmt.Errorf("a node called %s is in the cluster already, at %s: give this one another name with --node; or, if it takes the place of that one, which is lost, try again once `jackdaw cluster` says so", j.Name, m.Gossip)
		}
	}
	return nil
}

// others are the nodes that may have newer keys.
func (p *peers) others() (list []trust.Member) {
	for _, m := range p.member.View().Members {
		if m.ID == p.n.sys.Node() || m.Suspect {
			continue
		}
		to := trust.Member{Name: m.Name, Addr: m.Gossip, Stamp: trust.Stamp{Version: m.Trust >> 32, Digest: uint32(m.Trust)}}
		if m.ByAge {
			to.Since = m.ID.Incarnation()
		}
		list = append(list, to)
	}
	return list
}

// missing are those that may have older ones, and aren't there.
func (p *peers) missing() (list []trust.Member) {
	for _, m := range p.member.Missing() {
		list = append(list, trust.Member{Name: m.Name, Addr: m.Addr})
	}
	return list
}

// packStamp is a stamp as gossip tells it.
func packStamp(s trust.Stamp) uint64 { return s.Version<<32 | uint64(s.Digest) }

// pins is the override table of a bundle.
func pins(b *trust.Bundle) placement.Pins {
	var list []placement.Pin
	for _, o := range b.Overrides {
		list = append(list, placement.Pin{Kind: o.Kind, ID: o.ID, Node: o.Node})
	}
	return placement.MakePins(list)
}

// remembered reads what remember has written: a line for each node.
func (p *peers) remembered() (list []member.Past) {
	addresses, err := os.ReadFile(p.n.cfg.MembersFile())
	if err != nil {
		return nil
	}
	names := map[string]string{}
	known, _ := os.ReadFile(p.n.cfg.NamesFile()) // there is none of an older version
	for line := range strings.Lines(string(known)) {
		if f := strings.Fields(line); len(f) == 2 {
			names[f[0]] = f[1]
		}
	}
	for _, addr := range strings.Fields(string(addresses)) {
		list = append(list, member.Past{Addr: addr, Name: names[addr]})
	}
	return list
}

func (p *peers) remember(list []member.Past) {
	var addresses, names strings.Builder
	for _, m := range list {
		addresses.WriteString(m.Addr + "\n")
		if m.Name != "" {
			names.WriteString(m.Addr + " " + m.Name + "\n")
		}
	}
	err := os.WriteFile(p.n.cfg.NamesFile(), []byte(names.String()), 0o600)
	if err = errors.Join(err, os.WriteFile(p.n.cfg.MembersFile(), []byte(addresses.String()), 0o600)); err != nil {
		p.n.log.Warn("the addresses of the other nodes can't be kept for the next start", zap.Error(err))
	}
}

// Stop takes leave of the others.
func (p *peers) Stop(ctx context.Context) error {
	if err := p.member.Leave(ctx); err != nil { // they find out
		p.n.log.Info("not all of the other nodes may have heard that this one leaves", zap.Error(err))
	}
	p.end()
	return nil
}

// end closes what is open.
func (p *peers) end() {
	p.up.Store(false)
	if p.changed != nil {
		p.changed()
	}
	if p.keeper != nil {
		p.keeper.Stop()
	}
	if p.server != nil {
		p.server.Stop()
	}
	if p.member != nil {
		_ = p.member.Close()
	}
	if p.links != nil {
		p.links.Close()
	}
	if p.carrier != nil {
		p.carrier.Close()
	}
	if p.port != nil {
		_ = p.port.Close()
	}
}

// alone is the view of a node without a cluster.
func alone(self ident.NodeID) cluster.View {
	return cluster.View{ID: 1, Placed: []placement.Node{{ID: self, Weight: placement.UsualWeight}}}
}
