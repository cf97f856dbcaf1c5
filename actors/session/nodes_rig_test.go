package session

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/account"
	"github.com/jackdaw-im/jackdaw/actors/lane"
	"github.com/jackdaw-im/jackdaw/actors/mailbox"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/store/memstore"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// cloud is nodes over one store in memory, with real accounts and mailboxes. What passes between nodes is encoded on its way, which
// takes no time; what a lost node has not answered is lost.
type cloud struct {
	t      *testing.T
	engine *countingEngine
	hosts  map[ident.NodeID]*host

	mu      sync.Mutex
	places  map[actors.Ref]ident.NodeID // of accounts and mailboxes
	dead    map[ident.NodeID]bool
	cut     map[ident.NodeID]bool // dead, and nobody has noticed
	watches map[*actors.Watch]func()
	calls   map[*actors.Asked]ident.NodeID
}

// host is one node.
type host struct {
	*node
	c  *cloud
	id ident.NodeID
}

// countingEngine counts what is read for accounts and mailboxes that begin.
type countingEngine struct {
	store.Engine
	mu    sync.Mutex
	reads map[string]int
}

func (e *countingEngine) count(what string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.reads[what]++
}

type countingMail struct {
	store.Mail
	e *countingEngine
}

func (e *countingEngine) Mail() store.Mail { return countingMail{e.Engine.Mail(), e} }

func (m countingMail) Load(ctx context.Context, user ident.UserID, page store.Page) (*store.Mailbox, error) {
	m.e.count("mailbox " + string(user))
	return m.Mail.Load(ctx, user, page)
}

type countingDirectory struct {
	store.Directory
	e *countingEngine
}

func (e *countingEngine) Directory() store.Directory {
	return countingDirectory{e.Engine.Directory(), e}
}

type countingAccounts struct {
	store.Accounts
	e *countingEngine
}

func (d countingDirectory) Accounts() store.Accounts {
	return countingAccounts{d.Directory.Accounts(), d.e}
}

func (a countingAccounts) Account(ctx context.Context, user ident.UserID) (*store.Profile, error) {
	a.e.count("account " + string(user))
	return a.Accounts.Account(ctx, user)
}

// takeReads returns what was read since the last time.
func (c *cloud) takeReads() map[string]int {
	c.engine.mu.Lock()
	defer c.engine.mu.Unlock()
	reads := c.engine.reads
	c.engine.reads = map[string]int{}
	return reads
}

// onNodes runs a test on the nodes n@1, m@1 and o@1, where alice and bob have accounts; those and their mailboxes are on m@1.
func onNodes(t *testing.T, test func(t *testing.T, c *cloud)) {
	synctest.Test(t, func(t *testing.T) {
		c := &cloud{
			t: t, engine: &countingEngine{Engine: memstore.New(memstore.Options{Apart: true}), reads: map[string]int{}},
			hosts: map[ident.NodeID]*host{}, places: map[actors.Ref]ident.NodeID{}, dead: map[ident.NodeID]bool{},
			cut: map[ident.NodeID]bool{}, watches: map[*actors.Watch]func(){}, calls: map[*actors.Asked]ident.NodeID{},
		}
		for _, user := range []ident.UserID{alice, bob} {
			c.places[accountOf(user)], c.places[mailboxOf(user)] = "m@1", "m@1"
		}
		for _, id := range []ident.NodeID{"n@1", "m@1", "o@1"} {
			c.start(id)
		}
		for _, user := range []ident.UserID{alice, bob} {
			if _, err := account.Create(t.Context(), c.hosts["n@1"].sys, user, known().Sha1, known().Sha256); err != nil {
				t.Fatal(err)
			}
		}
		test(t, c)
		for id, h := range c.hosts {
			c.mu.Lock()
			c.dead[id], c.cut[id] = false, false // so that all can end in order
			c.mu.Unlock()
			h.node.stop()
		}
		for _, h := range c.hosts {
			if err := h.sys.Stop(context.Background()); err != nil {
				t.Error(err)
			}
		}
	})
}

func (c *cloud) start(id ident.NodeID) {
	h := &host{node: &node{t: c.t, at: map[string]actors.Ref{}}, c: c, id: id}
	h.sys = actors.NewSystem(actors.Config{Node: id, Workers: 1})
	h.sys.SetRouter(h)
	if err := h.sys.Start(); err != nil {
		c.t.Fatal(err)
	}
	lanes := lane.New(c.engine, lane.Options{})
	mailboxes := mailbox.Supervisor(h.sys, mailbox.Config{Lanes: lanes, Account: account.Ref})
	accounts := account.Supervisor(h.sys, account.Config{Lanes: lanes})
	h.sessions = Supervisor(h.sys, Config{Domain: "example.org", Secret: []byte("secret"), Counters: &h.counters, Location: string(id.Name()) + ".example.org", Moving: func() bool { return true }})
	keepers := Keepers(h.sys)
	children := append(lanes.Children(), mailboxes.Child(), accounts.Child(), h.sessions.Child(), keepers.Child())
	var err error
	if h.root, err = supervision.StartRoot(h.sys, supervision.SupervisorSpec{ID: "test", Children: children}); err != nil {
		c.t.Fatal(err)
	}
	if err := StartKeeper(keepers, h.sessions); err != nil {
		c.t.Fatal(err)
	}
	c.hosts[id] = h
}

// place is where an actor is; empty: it is of each node its own.
func (c *cloud) place(to actors.Ref) ident.NodeID {
	if to.Node != "" {
		return to.Node
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.places[to]
}

// Local implements actors.Router.
func (h *host) Local(to actors.Ref) bool {
	at := h.c.place(to)
	return at == h.id || at == ""
}

// Send implements actors.Router.
func (h *host) Send(to actors.Ref, sig actors.Signal) error {
	c, at := h.c, h.c.place(to)
	there := c.hosts[at]
	c.mu.Lock()
	gone := there == nil || c.dead[at] || c.dead[h.id]
	lost := c.cut[at] || c.cut[h.id] // its sender hears when the node is given up, or finds out itself
	switch {
	case gone:
	case sig.How == actors.HowCall:
		c.calls[sig.Call] = at
	case sig.How == actors.HowMonitor:
		c.watches[sig.Watch] = func() {}
	}
	c.mu.Unlock()
	if gone {
		return actors.ErrNoConnection
	}
	if m, ok := sig.Msg.(proto.Message); ok {
		sig.Msg = wire(c.t, m)
	} else if sig.Msg != nil {
		c.t.Errorf("%T can't go to another node", sig.Msg)
	}
	if lost {
		return nil
	}
	switch sig.How {
	case actors.HowCast, actors.HowAnswer:
		if err := there.sys.Receive(to, sig); err != nil && !sig.From.IsZero() {
			_ = h.sys.Bounce(sig.From, actors.Undelivered{To: to, Msg: sig.Msg, Err: err})
		}
	case actors.HowCall:
		there.sys.Ask(to, sig.Msg, func(v any, err error) { c.answer(sig.Call, v, err) })
	case actors.HowMonitor:
		unwatch := there.sys.WatchFor(to, func(r actors.Reason) { c.down(sig.Watch, r) })
		c.mu.Lock()
		if _, stands := c.watches[sig.Watch]; stands {
			c.watches[sig.Watch] = unwatch
		}
		c.mu.Unlock()
	case actors.HowDemonitor:
		c.mu.Lock()
		unwatch := c.watches[sig.Watch]
		delete(c.watches, sig.Watch)
		c.mu.Unlock()
		if unwatch != nil {
			unwatch()
		}
	}
	return nil
}

// answer brings an answer back, unless it is lost.
func (c *cloud) answer(call *actors.Asked, v any, err error) {
	if m, ok := v.(proto.Message); ok {
		v = wire(c.t, m)
	}
	c.mu.Lock()
	at := c.calls[call]
	delete(c.calls, call)
	lost := c.dead[at] || c.cut[at]
	c.mu.Unlock()
	if !lost {
		call.Answer(v, err)
	}
}

func (c *cloud) down(w *actors.Watch, reason actors.Reason) {
	c.mu.Lock()
	_, stands := c.watches[w]
	delete(c.watches, w)
	c.mu.Unlock()
	if stands {
		w.Down(reason)
	}
}

// move gives an account or a mailbox to another node.
func (c *cloud) move(ref actors.Ref, to ident.NodeID) {
	c.mu.Lock()
	old := c.places[ref]
	c.places[ref] = to
	c.mu.Unlock()
	if old != to {
		c.hosts[old].sys.Retire(ref, 2*time.Second)
	}
}

// crash loses a node, which nobody has noticed yet: what is sent there is lost.
func (c *cloud) crash(id ident.NodeID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut[id] = true
}

// notice has the others give up a node that has crashed: what it had is given to another one, and who watches or waits hears so.
func (c *cloud) notice(id, heir ident.NodeID) {
	c.mu.Lock()
	c.dead[id] = true
	for ref, at := range c.places {
		if at == id {
			c.places[ref] = heir
		}
	}
	var asked []*actors.Asked
	for call, at := range c.calls {
		if at == id {
			asked = append(asked, call)
			delete(c.calls, call)
		}
	}
	watches := c.watches
	c.watches = map[*actors.Watch]func(){}
	var lost []*actors.Watch
	for w, unwatch := range watches {
		at := w.Target().Node
		if kind := w.Target().Kind; kind == accountKind || kind == mailboxKind {
			at = id // they all were there, in these tests
		}
		if at == id {
			lost = append(lost, w)
		} else {
			c.watches[w] = unwatch
		}
	}
	c.mu.Unlock()
	for _, call := range asked {
		call.Answer(nil, actors.ErrNoConnection)
	}
	for _, w := range lost {
		w.Down(actors.NoConnection)
	}
}

// client is one that keeps what it gets.
type client struct {
	*conn
	h      *host
	user   ident.UserID
	bodies []string
	seen   string // everything else
	count  int    // stanzas, for h
}

// login connects a user to a node, up to an authenticated stream.
func (h *host) login(user ident.UserID) *client {
	h.t.Helper()
	cl := &client{conn: h.connect(), h: h, user: user}
	cl.want(cl.open(), "<mechanism>PLAIN</mechanism>")
	cl.want(cl.send(auth("PLAIN", b64("\x00"+user.Local()+"\x00"+password))), "<success")
	cl.want(cl.open(), "<bind")
	return cl
}

// online is login, a resource, stream management and presence. It returns the previd.
func (h *host) online(user ident.UserID, resource string) (*client, string) {
	h.t.Helper()
	cl := h.login(user)
	cl.want(cl.send("<iq type='set' id='b'><bind xmlns='"+nsBind+"'><resource>"+resource+"</resource></bind></iq>"), "<jid>"+string(user)+"/"+resource+"</jid>")
	got := cl.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>", "<presence/>")
	previd := regexp.MustCompile(`<enabled [^>]* id='([^']*)'`).FindStringSubmatch(got)
	if previd == nil {
		h.t.Fatalf("got %s", got)
	}
	cl.take(got)
	return cl, previd[1]
}

var (
	bodyOf  = regexp.MustCompile(`<body>(\d+)</body>`)
	stanzas = regexp.MustCompile(`<(message|presence|iq) [^>]*>`)
)

// take reads what came.
func (cl *client) take(got string) {
	for _, m := range bodyOf.FindAllStringSubmatch(got, -1) {
		cl.bodies = append(cl.bodies, m[1])
	}
	cl.count += len(stanzas.FindAllString(got, -1))
	cl.seen += got
}

// read takes what came, and acknowledges it.
func (cl *client) read() {
	cl.take(cl.got())
	cl.take(cl.send(answerSM(cl.count)))
}

// says sends bob's or alice's next numbered message to the other.
func (cl *client) says(to ident.UserID, n int) {
	cl.take(cl.send(fmt.Sprintf("<message to='%s' type='chat'><body>%d</body></message>", to, n)))
}

// wantBodies fails unless the client has got the messages 1 to n in order; each may have come again, but not after a later one came
// first.
func (cl *client) wantBodies(n int, again bool) {
	cl.n.t.Helper()
	var first []string
	for _, b := range cl.bodies {
		if !slices.Contains(first, b) {
			first = append(first, b)
		}
	}
	var want []string
	for i := range n {
		want = append(want, fmt.Sprint(i+1))
	}
	if got := strings.Join(first, " "); got != strings.Join(want, " ") || !again && len(first) != len(cl.bodies) {
		cl.n.t.Fatalf("%s got %v", cl.user, cl.bodies)
	}
}

// befriend makes the two see each other's presence.
func (c *cloud) befriend(a, b *client) {
	c.t.Helper()
	for _, step := range []struct {
		by        *client
		typ, whom string
	}{{a, "subscribe", "bob"}, {b, "subscribed", "alice"}, {b, "subscribe", "alice"}, {a, "subscribed", "bob"}} {
		step.by.take(step.by.send(fmt.Sprintf("<presence type='%s' to='%s@example.org'/>", step.typ, step.whom)))
	}
	for _, cl := range []*client{a, b} {
		cl.take(cl.send("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>"))
		cl.read()
	}
}

// children are the sessions of a node.
func (h *host) children() (all []actors.Ref) {
	h.sessions.WhichChildren(func(c supervision.ChildInfo) bool {
		all = append(all, c.Ref)
		return true
	})
	return all
}
