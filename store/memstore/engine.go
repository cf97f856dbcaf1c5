package memstore

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

// Scheme begins the URLs that Open takes: "mem:".
const Scheme = "mem"

// Options of a store in memory. The zero value is fine.
type Options struct {
	Now func() time.Time // the store's clock; nil = time.Now
	// Shared says that the store is one that several nodes use at once: each of them has its own view of it, made by Node.
	Shared bool
	// Apart says that the directory is to look like one in another store than the mail: a load of a mailbox doesn't say who its user is.
	Apart bool
}

// Engine is a store in memory. Its methods may be called by any number of goroutines.
type Engine struct {
	now    func() time.Time
	shared bool
	apart  bool
	mu     struct {
		sync.Mutex
		closed  bool
		full    string // why appends are refused; "" = they are not
		mail    map[ident.UserID]map[ident.MessageID]*row
		users   map[ident.UserID]*user
		groups  map[ident.GroupID]*group
		log     map[ident.GroupID]map[ident.MessageID]*entry
		members map[ident.UserID]map[ident.GroupID]bool
		loading store.LoadPlace
		owners  map[ident.Partition]ident.NodeID // who has claimed them
		foreign []notice                         // in the order of their numbers
		noticed int64                            // the newest notice's number
	}
}

// Open makes an empty store of the URL "mem:".
func Open(url string, o Options) (*Engine, error) {
	if !strings.HasPrefix(url, Scheme+":") {
		return nil, fmt.Errorf("memstore: the url of a store in memory is %q, not %q", Scheme+":", url)
	}
	return New(o), nil
}

// New makes an empty store.
func New(o Options) *Engine {
	e := &Engine{now: o.Now, shared: o.Shared, apart: o.Apart}
	if e.now == nil {
		e.now = time.Now
	}
	e.mu.mail = map[ident.UserID]map[ident.MessageID]*row{}
	e.mu.users = map[ident.UserID]*user{}
	e.mu.groups = map[ident.GroupID]*group{}
	e.mu.log = map[ident.GroupID]map[ident.MessageID]*entry{}
	e.mu.members = map[ident.UserID]map[ident.GroupID]bool{}
	e.mu.owners = map[ident.Partition]ident.NodeID{}
	return e
}

// SetFull makes the store refuse what would make it grow, as an engine on a full disk does, until it is called with "".
func (e *Engine) SetFull(reason string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.mu.full = reason
}

// Mail implements store.Engine.
func (e *Engine) Mail() store.Mail { return mail{e} }

// Claims implements store.Engine. Those of a shared store are its nodes' own: see Node.
func (e *Engine) Claims() store.Claims { return store.NoClaims{} }

// GroupLog implements store.Engine.
func (e *Engine) GroupLog() store.GroupLog { return groupLog{e} }

// Directory implements store.Engine.
func (e *Engine) Directory() store.Directory { return directory{e} }

// Info implements store.Engine.
func (e *Engine) Info() store.Info {
	return store.Info{Name: "memory", SchemaVersion: 1, Capabilities: store.Capabilities{Shared: e.shared}}
}

// Health implements store.Engine.
func (e *Engine) Health() store.Health {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.mu.full != "" {
		return store.Health{State: store.Full, Reason: e.mu.full}
	}
	return store.Health{}
}

// Close implements store.Engine. What was stored is gone.
func (e *Engine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.mu.closed {
		return store.ErrClosed
	}
	e.mu.closed = true
	return nil
}

// enter locks the engine for one call; the caller unlocks. grows says that the call is one that a full store refuses.
func (e *Engine) enter(grows bool) error {
	e.mu.Lock()
	err := error(nil)
	switch {
	case e.mu.closed:
		err = store.ErrClosed
	case grows && e.mu.full != "":
		err = fmt.Errorf("memstore: %w: %s", store.ErrFull, e.mu.full)
	default:
		return nil
	}
	e.mu.Unlock()
	return err
}

type directory struct{ *Engine }

func (d directory) Accounts() store.Accounts { return accounts(d) }
func (d directory) Rosters() store.Rosters   { return rosters(d) }
func (d directory) Devices() store.Devices   { return devices(d) }
func (d directory) Groups() store.Groups     { return groups(d) }
