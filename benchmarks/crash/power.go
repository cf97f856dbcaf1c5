package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/admin"
	"github.com/jackdaw-im/jackdaw/benchmarks/load"
	"github.com/jackdaw-im/jackdaw/config"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/internal/testnode"
	"github.com/jackdaw-im/jackdaw/node"
	"github.com/jackdaw-im/jackdaw/store/pebblestore"
)

// powered is a whole server in this process, on a disk in memory that loses what was not flushed when its power is cut.
// Clients reach it through a proxy, so that they too hear nothing more from the moment of the cut.
type powered struct {
	cfg    *config.Config
	addr   string // of the proxy
	random *rand.Rand
	fs     *vfs.MemFS
	disk   func(vfs.FS) vfs.FS // what the store sees of fs
	node   *node.Node
	proxy  *proxy
}

// honest is a disk that has flushed what it says it has.
func honest(fs vfs.FS) vfs.FS { return fs }

// openPowered prepares one with its accounts, not started.
func openPowered(ctx context.Context, cfg settings, data string, disk func(vfs.FS) vfs.FS) (*powered, load.Accounts, error) {
	accounts := load.Accounts{Domain: cfg.domain, Prefix: cfg.prefix, Password: cfg.password}
	p := &powered{cfg: config.Default(), random: rand.New(rand.NewPCG(cfg.seed, 1)), fs: vfs.NewCrashableMem(), disk: disk}
	p.cfg.Data, p.cfg.Domain, p.cfg.C2S, p.cfg.Admin = data, cfg.domain, "", ""
	// A cut takes acknowledgements that were not flushed yet, of several rounds even: those messages wait again, and none of them is to keep out what follows.
	p.cfg.Mailbox.Stranger = p.cfg.Mailbox.Messages
	var err error
	if p.addr, err = testnode.FreeAddr(); err != nil {
		return nil, accounts, err
	}
	accounts.Addr = p.addr
	if err := p.open(); err != nil {
		return nil, accounts, err
	}
	var users []admin.User
	for _, u := range testnode.Users(cfg.prefix, cfg.domain, cfg.users(), cfg.password) {
		user, err := admin.NewUser(ident.UserID(u.JID), u.Password)
		if err != nil {
			return nil, accounts, err
		}
		users = append(users, user)
	}
	if err := p.node.Start(); err != nil {
		return nil, accounts, err
	}
	_, err = p.node.Users().Import(ctx, users)
	p.Kill()
	return p, accounts, err
}

// open opens a node on the disk as it is.
func (p *powered) open() error {
	addr, err := testnode.FreeAddr()
	if err != nil {
		return err
	}
	p.cfg.C2STLS = addr
	engine, err := pebblestore.Open("pebble:store", pebblestore.Options{
		FS: p.disk(p.fs), FreeSpace: func(string) (uint64, error) { return 1 << 40, nil },
	})
	if err != nil {
		return fmt.Errorf("crash: the store after a cut of power: %w", err)
	}
	p.node, err = node.OpenOn(p.cfg, zap.NewNop(), engine)
	return err
}

// Start implements target.
func (p *powered) Start(context.Context) error {
	if err := p.open(); err != nil {
		return err
	}
	if err := p.node.Start(); err != nil {
		return err
	}
	var err error
	p.proxy, err = newProxy(p.addr, p.cfg.C2STLS)
	return err
}

// Kill implements target: it cuts the power. Nobody hears from the server from then on; what it had not flushed is gone but
// for a random part, which a disk may have written all the same.
func (p *powered) Kill() {
	if p.node == nil {
		return
	}
	if p.proxy != nil {
		p.proxy.cut()
	}
	seed := p.random.Uint64()
	disk := p.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: p.random.IntN(101), RNG: rand.New(rand.NewPCG(seed, 2))})
	// The old process doesn't know that it is dead, and may write to its old disk what it likes.
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = p.node.Stop(ctx)
	p.fs, p.node, p.proxy = disk, nil, nil
}

// Output implements target.
func (p *powered) Output() string { return "" }
