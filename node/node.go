package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/account"
	"github.com/jackdaw-im/jackdaw/actors/lane"
	"github.com/jackdaw-im/jackdaw/actors/mailbox"
	"github.com/jackdaw-im/jackdaw/actors/session"
	"github.com/jackdaw-im/jackdaw/admin"
	"github.com/jackdaw-im/jackdaw/cluster"
	"github.com/jackdaw-im/jackdaw/cluster/member"
	"github.com/jackdaw-im/jackdaw/cluster/trust"
	"github.com/jackdaw-im/jackdaw/config"
	"github.com/jackdaw-im/jackdaw/dump"
	"github.com/jackdaw-im/jackdaw/gateway"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/store/pebblestore"
	"github.com/jackdaw-im/jackdaw/store/pgstore"
	"github.com/jackdaw-im/jackdaw/supervision"
	"github.com/jackdaw-im/jackdaw/telemetry"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

// Node is one server. Open makes it, Start launches it, Stop ends it, each once.
type Node struct {
	cfg     *config.Config
	log     *zap.Logger
	started time.Time
	version Version
	engine  store.Engine
	cert    *gateway.Certificate
	sys     *actors.System
	cluster *cluster.Cluster
	folder  *folder       // nil: the embedded store's lock holds it
	peers   *peers        // nil: no cluster
	drain   *drainer      // nil: no cluster
	timing  member.Timing // of gossip, for tests
	lanes   *lane.Lanes
	root    *supervision.Root
	tree    supervision.SupervisorSpec
	streams *supervision.Dynamic // the sessions
	dumps   *dump.Folder
	phase   atomic.Int32

	// What is counted while the node runs.
	connections gateway.Counters
	sessions    session.Counters
	mailboxes   mailbox.Counters
	accounts    account.Counters
	seconds     *telemetry.Histogram
	items       *telemetry.Histogram
	reunions    atomic.Uint64 // with nodes that were lost
	givenUp     atomic.Uint64 // how often a node was back that had lost this one
	busy        busy

	// Set by the tree's services as they start.
	gateway atomic.Pointer[gateway.Server]
	admin   atomic.Pointer[admin.Server]
}

// The phases of a node's life, as readiness tells them.
const (
	starting int32 = iota
	serving
	draining
)

// Addrs are where a node listens; empty is what isn't open.
type Addrs struct{ C2S, C2STLS, Admin string }

// Open opens the data folder of cfg: the store, the certificate, the server's secret; and joins or founds the cluster that it is to belong
// to, which it tries until ctx is over. It runs nothing else yet. The error says what is wrong with the folder or the files, and what to do.
func Open(ctx context.Context, cfg *config.Config, log *zap.Logger) (*Node, error) {
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return nil, fmt.Errorf("node: making the data folder: %w", err)
	}
	name, err := nodeName(cfg)
	if err != nil {
		return nil, err
	}
	var held *folder
	if cfg.Clustered() {
		if held, err = holdFolder(cfg); err != nil {
			return nil, err
		}
		if name, err = keepName(cfg, name); err != nil {
			held.release()
			return nil, err
		}
	}
	n, err := openAs(ctx, cfg, log, name)
	if err != nil {
		held.release()
		return nil, err
	}
	n.folder = held
	return n, nil
}

// openAs is Open for a node of that name.
func openAs(ctx context.Context, cfg *config.Config, log *zap.Logger, name string) (*Node, error) {
	l := newLobby(log)
	if cfg.Clustered() {
		if err := l.open(cfg); err != nil {
			return nil, err
		}
		defer l.close(ctx)
	}
	live, err := belongs(ctx, cfg, name, l, func(b *trust.Bundle) error {
		return l.patiently(ctx, func(ctx context.Context) error {
			if err := alreadyUsed(ctx, cfg); err != nil {
				return err
			}
			return tryShared(ctx, cfg, b, name, log, false)
		})
	})
	if err != nil {
		return nil, err
	}
	// The incarnation is what tells this run from the ones before.
	id := ident.NodeID(fmt.Sprintf("%s@%d", name, time.Now().UnixMicro()))
	var engine store.Engine
	if live == nil {
		engine, err = openStore(cfg, log)
	} else {
		err = l.patiently(ctx, func(ctx context.Context) error {
			id = ident.NodeID(fmt.Sprintf("%s@%d", name, time.Now().UnixMicro())) // others may have come while it waited
			engine, err = openShared(ctx, cfg, live.Bundle(), id, log)
			return err
		})
	}
	if err != nil {
		if live != nil {
			live.Close()
		}
		return nil, err
	}
	n, err := open(cfg, log, engine, id, live)
	if err != nil {
		return nil, errors.Join(err, engine.Close())
	}
	return n, nil
}

// openShared opens the store that the nodes of a cluster share, as a node does unless more is asked for. Who founds the cluster has tried it
// before, which makes the store.
func openShared(ctx context.Context, cfg *config.Config, b *trust.Bundle, id ident.NodeID, log *zap.Logger, more ...func(*pgstore.Options)) (store.Engine, error) {
	var list []string
	for _, s := range b.Stores {
		list = append(list, s.Reveal())
	}
	if err := sameStore("store.url", strings.Join(pgstore.Split(cfg.Store.URL), ","), strings.Join(list, ",")); err != nil {
		return nil, err
	}
	if err := sameStore("store.directory", cfg.Store.Directory, cmp.Or(b.Directory.Reveal(), list[0])); err != nil {
		return nil, err
	}
	o := pgstore.Options{
		Logger: log, Directory: b.Directory.Reveal(), Node: id, AllowUnreplicated: cfg.Store.AllowUnreplicated,
		Memory: filepath.Join(cfg.Data, "cluster", "store-memory.json"), Cluster: b.Cluster, Founded: true,
	}
	for _, f := range more {
		f(&o)
	}
	engine, err := pgstore.OpenWithin(ctx, strings.Join(list, ","), o)
	if err != nil {
		return nil, err // an interface that holds no nil pointer
	}
	return engine, nil
}

// sameStore refuses an address of the configuration that isn't the cluster's. One that is left out is the cluster's.
func sameStore(key, given, shared string) error {
	if given == "" || given == shared {
		return nil
	}
	own, of := pgstore.Redact(given), pgstore.Redact(shared)
	if own == of {
		return fmt.Errorf("node: %s and what the cluster has for %s differ in user or password: leave %[1]s out, or change the cluster's with `jackdaw cluster store`", key, own)
	}
	return fmt.Errorf("node: %s is %s, and the cluster's is %s: leave it out, or change the cluster's with `jackdaw cluster store`", key, own, of)
}

// openStore opens the store of a data folder.
func openStore(cfg *config.Config, log *zap.Logger) (store.Engine, error) {
	if cfg.Store.URL != "" {
		return nil, errors.New("node: store.url is given without a cluster: give --cluster HOST:PORT too, which may stay a cluster of one node")
	}
	if err := refuseMoved(cfg); err != nil {
		return nil, err
	}
	engine, err := pebblestore.Open(cfg.StoreURL(), pebblestore.Options{
		Logger:    log,
		StopBelow: uint64(cfg.Store.StopBelow), ResumeAbove: uint64(cfg.Store.ResumeAbove), Cache: int64(cfg.Store.Cache),
	})
	if err != nil {
		return nil, err // an interface that holds no nil pointer
	}
	return engine, nil
}

// OpenOn opens a node on a store that is open already and that the node closes at its Stop.
func OpenOn(cfg *config.Config, log *zap.Logger, engine store.Engine) (*Node, error) {
	return open(cfg, log, engine, ident.NodeID(fmt.Sprintf("node@%d", time.Now().UnixMicro())), nil)
}

func open(cfg *config.Config, log *zap.Logger, engine store.Engine, id ident.NodeID, live *trust.Live) (*Node, error) {
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return nil, fmt.Errorf("node: making the data folder: %w", err)
	}
	domain, err := xmpp.ParseJID(cfg.Domain)
	if err != nil || domain.Local != "" || domain.Resource != "" {
		return nil, fmt.Errorf("node: %q is no domain that users could be at", cfg.Domain)
	}
	served := *cfg
	served.Domain = domain.Domain
	if live != nil {
		if served.Domain, err = clusterDomain(cfg, domain.Domain, live.Bundle()); err != nil {
			return nil, err
		}
	}
	if err := rememberDomain(&served); err != nil {
		return nil, err
	}
	now := time.Now()
	cert, err := loadCertificate(&served, now)
	if err != nil {
		return nil, err
	}
	secret, err := loadSecret(cfg.Data)
	if err != nil {
		return nil, err
	}
	if live != nil {
		secret = live.Bundle().Salts
	}
	n := &Node{
		cfg: &served, log: log, started: now, version: CurrentVersion(), engine: engine, cert: cert,
		seconds: telemetry.NewHistogram(telemetry.CommitSecondsBounds),
		items:   telemetry.NewHistogram(telemetry.CommitItemsBounds),
	}
	n.sys = actors.NewSystem(actors.Config{Node: id, Logger: log})
	n.lanes = lane.New(engine, lane.Options{Mail: cfg.Store.Lanes, Linger: cfg.Store.Linger, Owned: n.owned, Stale: n.stale, Observe: func(seconds float64, items int) {
		n.seconds.Observe(seconds)
		n.items.Observe(float64(items))
	}})
	if err := n.newCluster(live); err != nil {
		return nil, err
	}
	n.tree = n.plan(secret)
	n.dumps = n.newDumps()
	return n, nil
}

// Start starts the tree and returns once the listeners are open. After an error nothing runs, and the store is closed.
func (n *Node) Start() error {
	if err := n.sys.Start(); err != nil {
		return errors.Join(err, n.engine.Close())
	}
	root, err := supervision.StartRoot(n.sys, n.tree)
	if err != nil {
		ctx, cancel := context.WithTimeout(context.Background(), stopTime)
		defer cancel()
		return errors.Join(err, n.sys.Stop(ctx), n.engine.Close())
	}
	n.root = root
	n.phase.Store(serving)
	return nil
}

// Done gets the reason if the node's tree ends by itself, because of a fault its supervisors could not mend. Stop is due all
// the same. Only after Start.
func (n *Node) Done() <-chan actors.Reason { return n.root.Done() }

// stopTime is for what is left once the tree has stopped: milliseconds, and more on a machine that is busy.
const stopTime = 5 * time.Second

// Stop drains the node: it hands over to the others of its cluster, if there are any, stops accepting, tells clients, lets what they had
// begun come to its end, and closes the store.
// Once ctx is over it waits no more; nothing acknowledged is lost even then.
func (n *Node) Stop(ctx context.Context) error {
	n.phase.Store(draining)
	n.handOver(ctx)
	err := n.root.Stop(ctx)
	rest, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	err = errors.Join(err, n.sys.Stop(rest), n.engine.Close())
	n.folder.release()
	return err
}

// ReloadCertificate reads the certificate's files again, for connections from now on. After an error the old one is used on.
func (n *Node) ReloadCertificate() error { return n.cert.Reload() }

// Fingerprint is the certificate's, as tools print it.
func (n *Node) Fingerprint() string { return n.cert.Fingerprint() }

// Domain is what the node serves: its cluster's, where it was told none.
func (n *Node) Domain() string { return n.cfg.Domain }

// Tree asks the live supervisors what runs; only between Start and Stop.
func (n *Node) Tree(ctx context.Context) (supervision.Node, error) { return n.root.Tree(ctx) }

// Users manages the users of this node; only between Start and Stop.
func (n *Node) Users() admin.Users {
	return admin.Live{System: n.sys, Accounts: n.engine.Directory().Accounts()}
}

// Listening returns where the node listens.
func (n *Node) Listening() Addrs {
	var a Addrs
	if s := n.gateway.Load(); s != nil {
		open := s.Addrs()
		for _, at := range []struct{ configured, to *string }{{&n.cfg.C2S, &a.C2S}, {&n.cfg.C2STLS, &a.C2STLS}} {
			if *at.configured != "" && len(open) > 0 {
				*at.to, open = open[0].String(), open[1:]
			}
		}
	}
	if s := n.admin.Load(); s != nil {
		a.Admin = s.Addr()
	}
	return a
}

// Ready says in one line why the node takes no new clients or messages; nil means that it does.
func (n *Node) Ready() error {
	switch n.phase.Load() {
	case starting:
		if err := n.joined(); err != nil && err != errStarting {
			return fmt.Errorf("starting: %w", err)
		}
		return errStarting
	case draining:
		return errors.New("draining")
	}
	if n.drain != nil && n.drain.away() {
		if err := n.peers.entry.Reason(); err != nil {
			return err
		}
		return errors.New("draining")
	}
	if err := n.joined(); err != nil {
		return err
	}
	if h := n.engine.Health(); h.State != store.Serving {
		return fmt.Errorf("store %v: %s", h.State, h.Reason)
	}
	return nil
}
