package mailbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/lane"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/chatpb"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/store/memstore"
	"github.com/jackdaw-im/jackdaw/store/storetest"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// node is real mailboxes over real lanes and a store in memory, with peers in the place of sessions.
type node struct {
	testing.TB
	sys      *actors.System
	mem      *memstore.Engine
	gate     *gate
	lanes    *lane.Lanes
	counters Counters
	boxes    *supervision.Dynamic
	peers    map[string]*peer
}

// gate holds commits up while it is shut.
type gate struct {
	store.Engine
	mu   sync.Mutex
	shut chan struct{}
}

func (g *gate) Mail() store.Mail { return gatedMail{g.Engine.Mail(), g} }

type gatedMail struct {
	store.Mail
	g *gate
}

func (m gatedMail) Commit(b *store.Batch) (store.Result, error) {
	m.g.mu.Lock()
	shut := m.g.shut
	m.g.mu.Unlock()
	if shut != nil {
		<-shut
	}
	return m.Mail.Commit(b)
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = make(chan struct{})
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.shut)
	g.shut = nil
}

// poisoned is a mailbox that crashes on messages whose payload is "poison", as often as n says.
type poisoned struct {
	actor
	n *int
}

func (p *poisoned) Handle(ctx *actors.Context, msg any) error {
	if d, ok := msg.(*nodepb.Deliver); ok && string(d.GetMessage().GetPayload()) == "poison" && *p.n > 0 {
		*p.n--
		p.st.current = d
		panic("poison")
	}
	return p.actor.Handle(ctx, msg)
}

// peer is a session as far as mailboxes are concerned: it sends with an outbox, and gets pushes.
type peer struct {
	n      *node
	name   string
	ref    actors.Ref
	box    *Outbox
	epoch  uint64
	timer  time.Time
	heard  []string
	eager  bool   // acknowledges what it gets at once
	onDown func() // its mailbox has crashed
}

type tick struct{}

// Init implements actors.Behaviour.
func (p *peer) Init(*actors.Context, any) error { return nil }

// Handle implements actors.Behaviour.
func (p *peer) Handle(ctx *actors.Context, msg any) error {
	switch m := msg.(type) {
	case func(*actors.Context):
		m(ctx)
	case *nodepb.Outcome:
		p.follow(ctx, p.box.Outcome(ctx.Now(), m))
	case tick:
		p.timer = time.Time{}
		p.follow(ctx, p.box.Tick(ctx.Now()))
	case *nodepb.Push:
		p.pushed(ctx, m)
	case actors.Down:
		if p.onDown != nil && !m.Reason.Ended() {
			p.onDown()
			p.attach(ctx, 0, plenty)
		}
	}
	if next := p.box.Next(); !next.IsZero() && (p.timer.IsZero() || next.Before(p.timer)) {
		p.timer = next
		ctx.SendAfter(max(next.Sub(ctx.Now()), 0), tick{})
	}
	return nil
}

func (p *peer) pushed(ctx *actors.Context, m *nodepb.Push) {
	ack := &nodepb.Ack{Session: p.ref.Proto(), Epoch: m.Epoch}
	for _, row := range m.Rows {
		text := string(row.Message.Payload)
		if row.Message.Type == chatpb.MessageType_ERROR {
			text = "error about " + row.Message.Id
		}
		if row.Delayed {
			text += " delayed"
		}
		p.heard = append(p.heard, text)
		ack.Credit += row.Cost
		if p.eager {
			ack.Ids = append(ack.Ids, row.Id)
		}
	}
	_ = ctx.Answer(Ref(romeo), ack)
}

func (p *peer) follow(ctx *actors.Context, s Steps) {
	for _, x := range s.Settled {
		p.heard = append(p.heard, fmt.Sprintf("%s=%v", x.Deliver.Message.Payload, x.Code))
	}
	for _, c := range s.Casts {
		if ctx.Cast(c.To, c.Deliver) != nil {
			p.box.Refused(ctx.Now(), c.To, c.Deliver.Seq)
		}
	}
}

// send sends chat messages to romeo.
func (p *peer) send(ctx *actors.Context, texts ...string) {
	for _, text := range texts {
		id := ident.HashMessageID([]byte(p.name), []byte(text))
		d := &nodepb.Deliver{SenderRef: p.ref.Proto(), Id: id[:], Sender: p.name + "@example.org", Store: true, Message: &chatpb.Message{
			Type: chatpb.MessageType_CHAT, Id: text, From: p.name + "@example.org/x", To: romeo, Payload: []byte(text)}}
		if p.box.Send(ctx.Now(), Ref(romeo), d) && ctx.Cast(Ref(romeo), d) != nil {
			p.box.Refused(ctx.Now(), Ref(romeo), d.Seq)
		}
	}
}

// attach begins a new epoch with romeo's mailbox, as a session that watches it.
func (p *peer) attach(ctx *actors.Context, priority int32, credit uint32) {
	p.epoch++
	_ = ctx.Answer(Ref(romeo), &nodepb.Attach{Session: p.ref.Proto(), Resource: p.name, Epoch: p.epoch, Connected: true, Available: true, Priority: priority, Credit: credit})
	ctx.Monitor(Ref(romeo))
}

func (p *peer) ack(ctx *actors.Context, sender string, texts ...string) {
	m := &nodepb.Ack{Session: p.ref.Proto(), Epoch: p.epoch}
	for _, text := range texts {
		id := ident.HashMessageID([]byte(sender), []byte(text))
		m.Ids = append(m.Ids, id[:])
	}
	_ = ctx.Answer(Ref(romeo), m)
}

type config struct {
	lanes  lane.Options
	limits Limits
	poison int
}

// onNode runs a test in a bubble with a node that has the users romeo and juliet.
func onNode(t *testing.T, cfg config, test func(n *node)) {
	synctest.Test(t, func(t *testing.T) {
		mem := memstore.New(memstore.Options{})
		n := newNode(t, mem, mem, cfg)
		test(n)
		n.stop()
	})
}

func newNode(t testing.TB, mem *memstore.Engine, engine store.Engine, cfg config) *node {
	n := &node{TB: t, mem: mem, gate: &gate{Engine: engine}, peers: map[string]*peer{}}
	for _, u := range []ident.UserID{romeo, juliet} {
		if err := engine.Directory().Accounts().Create(&store.Account{User: u}); err != nil {
			t.Fatal(err)
		}
	}
	n.sys = actors.NewSystem(actors.Config{Node: "n@1"})
	if err := n.sys.Start(); err != nil {
		t.Fatal(err)
	}
	n.lanes = lane.New(n.gate, cfg.lanes)
	n.boxes = Supervisor(n.sys, Config{Lanes: n.lanes, Limits: cfg.limits, Counters: &n.counters})
	if cfg.poison > 0 {
		inner := Config{Lanes: n.lanes, Limits: cfg.limits, Counters: &n.counters}.withDefaults()
		n.boxes = supervision.NewDynamic(n.sys, supervision.DynamicSpec{ID: "mailboxes", Restart: supervision.Permanent, Entities: true,
			Child: actors.Spec{Kind: Kind, IdleTimeout: idleTime, New: func() actors.Behaviour { return &poisoned{actor{cfg: &inner}, &cfg.poison} }}})
	}
	return n.start()
}

func (n *node) start() *node {
	children := append(n.lanes.Children(), n.boxes.Child())
	for _, name := range []string{"juliet", "tybalt", "pc", "phone"} {
		ref := actors.Ref{Kind: "peer", ID: name}
		n.peers[name] = &peer{n: n, name: name, ref: ref, box: NewOutbox(0)}
		children = append(children, supervision.Actor(name, actors.Spec{Kind: "peer", New: func() actors.Behaviour { return &peer{} }}, nil))
	}
	for i := range children[len(children)-4:] {
		c := &children[len(children)-4+i]
		c.Spec.New = func() actors.Behaviour { return &lookup{n.peers} }
	}
	if _, err := supervision.StartRoot(n.sys, supervision.SupervisorSpec{ID: "root", Children: children}); err != nil {
		n.Fatal(err)
	}
	return n
}

// lookup lets all peers share one kind.
type lookup struct{ peers map[string]*peer }

// Init implements actors.Behaviour.
func (l *lookup) Init(*actors.Context, any) error { return nil }

// Handle implements actors.Behaviour.
func (l *lookup) Handle(ctx *actors.Context, msg any) error {
	if msg == "stop" {
		ctx.Stop(actors.Normal)
		return nil
	}
	return l.peers[ctx.Self().ID].Handle(ctx, msg)
}

func (n *node) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := errors.Join(n.sys.Stop(ctx)); err != nil {
		n.Error(err)
	}
}

// as runs f as a peer and waits until everything has settled.
func (n *node) as(name string, f func(ctx *actors.Context, p *peer)) {
	n.Helper()
	p := n.peers[name]
	if err := n.sys.Cast(p.ref, func(ctx *actors.Context) { f(ctx, p) }); err != nil {
		n.Fatal(err)
	}
	synctest.Wait()
}

func (n *node) send(name string, texts ...string) {
	n.as(name, func(ctx *actors.Context, p *peer) { p.send(ctx, texts...) })
}

func (n *node) attach(name string, priority int32) {
	n.as(name, func(ctx *actors.Context, p *peer) { p.attach(ctx, priority, plenty) })
}

func (n *node) wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// want compares what a peer has heard since it was last asked.
func (n *node) want(name, want string) {
	n.Helper()
	got := ""
	n.as(name, func(_ *actors.Context, p *peer) {
		got = strings.Join(p.heard, ", ")
		p.heard = nil
	})
	if got != want {
		n.Errorf("%s heard %s\nwant %s", name, got, want)
	}
}

// rows is how many rows a user has in the store, once acknowledgements that were in no hurry are there too.
func (n *node) rows(user ident.UserID) int {
	n.wait(100 * time.Millisecond)
	rows, err := storetest.Rows(context.Background(), n.gate.Engine, user)
	if err != nil {
		n.Fatal(err)
	}
	return len(rows)
}
