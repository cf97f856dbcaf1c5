package simcluster

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/mailbox"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/chatpb"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

const (
	beat   = 50 * time.Millisecond // of a peer
	spread = time.Second           // over which peers come back that have lost their mailbox
	credit = 128 << 10
)

// seat is where a user is logged in.
type seat struct {
	user ident.UserID
	n    *node
	ref  actors.Ref
}

// peer is what a session is to mailboxes: an actor of one node that sends for its user, and gets what is for it.
type peer struct {
	*seat
	rng     *rand.Rand
	box     *mailbox.Outbox
	counts  map[ident.UserID]int // messages to each
	nextAt  time.Time            // when it says something
	epoch   uint64
	pushed  uint64 // the number of the latest push of the epoch
	has     map[string]bool
	acks    [][]byte // to be sent
	owed    uint32   // credit
	unheard [][]byte // acknowledgements that may have reached nobody
	lazy    bool     // acknowledges a beat later

	replaces  actors.Ref
	unwatched bool
	lostAt    time.Time // when it is to attach again; zero: no need
	told      time.Time // when it did last
	gone      bool      // the user is elsewhere; only outcomes are waited for
}

type heartbeat struct{}

// login puts a user's peer on a node. It takes over from another one, if that isn't nil.
func (w *world) login(u ident.UserID, n *node, from *seat) {
	life := w.lives.Add(1)
	s := &seat{user: u, n: n, ref: actors.Ref{Kind: "peer", ID: fmt.Sprintf("%s#%d", u.Local(), life), Node: n.id}}
	p := &peer{seat: s, rng: rand.New(rand.NewPCG(uint64(life), uint64(w.draw(1<<30)))), box: mailbox.NewOutbox(0), counts: map[ident.UserID]int{},
		has: map[string]bool{}, unwatched: true}
	p.lazy = p.rng.IntN(3) == 0
	if from != nil {
		p.replaces = from.ref
	}
	w.mu.Lock()
	w.seats[u] = s
	w.mu.Unlock()
	w.net.Note("%s logs in at %s", s.ref.ID, n.id)
	if _, err := n.sys.Spawn(actors.Spec{Kind: "peer", QueueLen: 10_000, New: func() actors.Behaviour { return &stage{} }}, s.ref, p, owner{}); err != nil {
		w.Errorf("%v: %v", s.ref, err)
	}
}

// seatsAt are those of the users on a node.
func (w *world) seatsAt(n *node) (list []*seat) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.seats {
		if s.n == n {
			list = append(list, s)
		}
	}
	return list
}

// evict brings the users of a node that is lost to others, sooner or later.
func (w *world) evict(n *node) {
	for _, s := range w.seatsAt(n) {
		time.AfterFunc(w.between(100*time.Millisecond, 15*time.Second), func() { w.again(s) })
	}
	for _, d := range w.devices {
		d.missing(n, w.between(100*time.Millisecond, 15*time.Second))
	}
}

// again logs a user in that has lost its node, at one that runs, if there is any.
func (w *world) again(s *seat) {
	w.mu.Lock()
	over, now := w.over, w.seats[s.user]
	w.mu.Unlock()
	switch {
	case over || now != s:
	case len(w.living()) == 0:
		time.AfterFunc(time.Second, func() { w.again(s) })
	default:
		w.login(s.user, w.some(), nil)
	}
}

// tell has a peer do something.
func (s *seat) tell(f func(ctx *actors.Context, p *peer)) {
	_ = s.n.sys.Cast(s.ref, f)
}

type owner struct{}

// Exited implements actors.Owner.
func (owner) Exited(*actors.Child, actors.Reason) {}

// stage lets a peer act, as long as its node lives.
type stage struct{ p *peer }

// Init implements actors.Behaviour.
func (s *stage) Init(ctx *actors.Context, args any) error {
	s.p = args.(*peer)
	s.p.attach(ctx)
	ctx.SendAfter(beat, heartbeat{})
	return nil
}

// Handle implements actors.Behaviour.
func (s *stage) Handle(ctx *actors.Context, msg any) error {
	p := s.p
	if p.n.dead.Load() {
		return nil
	}
	switch m := msg.(type) {
	case func(*actors.Context, *peer):
		m(ctx, p)
	case heartbeat:
		p.beats(ctx)
		ctx.SendAfter(beat, heartbeat{})
	case *nodepb.Outcome:
		p.follow(ctx, p.box.Outcome(ctx.Now(), m))
	case *nodepb.Push:
		p.take(ctx, m)
	case actors.Down:
		p.unwatched = true
		p.lost(ctx.Now().Add(time.Duration(p.rng.Int64N(int64(spread)))))
	}
	if p.gone && p.box.Len() == 0 {
		ctx.Stop(actors.Normal)
	}
	return nil
}

// Undelivered implements actors.UndeliveredHandler.
func (s *stage) Undelivered(ctx *actors.Context, u actors.Undelivered) error {
	p := s.p
	if p.n.dead.Load() {
		return nil
	}
	switch m := u.Msg.(type) {
	case *nodepb.Deliver:
		if errors.Is(u.Err, actors.ErrNoConnection) {
			p.box.Bounced(ctx.Now(), u.To, m.GetSeq())
		} else {
			p.box.Refused(ctx.Now(), u.To, m.GetSeq())
		}
	case *nodepb.Ack:
		p.unheard = append(p.unheard, m.GetIds()...)
		p.lost(ctx.Now().Add(time.Duration(p.rng.Int64N(int64(spread)))))
	case *nodepb.Attach:
		if m.GetEpoch() == p.epoch {
			p.lost(ctx.Now().Add(time.Duration(p.rng.Int64N(int64(spread)))))
		}
	}
	return nil
}

// beats does what is due.
func (p *peer) beats(ctx *actors.Context) {
	now := ctx.Now()
	if next := p.box.Next(); !next.IsZero() && !next.After(now) {
		p.follow(ctx, p.box.Tick(now))
	}
	if p.gone {
		return
	}
	if !p.lostAt.IsZero() && !p.lostAt.After(now) {
		p.attach(ctx)
		p.follow(ctx, p.box.Moved(now, mailbox.Ref(p.user)))
	}
	p.acknowledge(ctx)
	pause := p.n.w.pause.Load()
	if pause > 0 && !p.nextAt.After(now) {
		if !p.nextAt.IsZero() {
			p.say(ctx, p.n.w.users[p.rng.IntN(len(p.n.w.users))])
		}
		p.nextAt = now.Add(time.Duration(p.rng.Int64N(2 * pause)))
	}
}

// say sends the next message to a user.
func (p *peer) say(ctx *actors.Context, to ident.UserID) {
	p.counts[to]++
	n := p.counts[to]
	text := fmt.Sprintf("%s %s %d", p.ref.ID, to.Local(), n)
	id := ident.HashMessageID([]byte(text))
	p.n.w.book.said(id, p.ref.ID, to, n)
	d := &nodepb.Deliver{SenderRef: p.ref.Proto(), Id: id[:], Sender: string(p.user), Store: true, Message: &chatpb.Message{
		Type: chatpb.MessageType_CHAT, Id: text, From: string(p.user) + "/x", To: string(to), Payload: []byte(text)}}
	if p.box.Send(ctx.Now(), mailbox.Ref(to), d) {
		p.cast(ctx, mailbox.Ref(to), d)
	}
}

func (p *peer) cast(ctx *actors.Context, to actors.Ref, d *nodepb.Deliver) {
	if ctx.Cast(to, d) != nil {
		p.box.Refused(ctx.Now(), to, d.GetSeq())
	}
}

// follow does what the outbox asks for.
func (p *peer) follow(ctx *actors.Context, s mailbox.Steps) {
	for _, x := range s.Settled {
		id, _ := ident.MessageIDFrom(x.Deliver.GetId())
		p.n.w.book.settled(id, x.Code)
	}
	for _, c := range s.Casts {
		p.cast(ctx, c.To, c.Deliver)
	}
}

// lost has the peer attach again, at the earliest a second after the last time.
func (p *peer) lost(at time.Time) {
	if again := p.told.Add(time.Second); again.After(at) {
		at = again
	}
	if p.lostAt.IsZero() || at.Before(p.lostAt) {
		p.lostAt = at
	}
}

// attach begins a new epoch with the user's mailbox.
func (p *peer) attach(ctx *actors.Context) {
	box := mailbox.Ref(p.user)
	p.epoch++
	p.pushed, p.owed, p.lostAt, p.told = 0, 0, time.Time{}, ctx.Now()
	p.acks = append(p.unheard, p.acks...)
	p.unheard = nil
	p.acknowledge(ctx)
	a := &nodepb.Attach{Session: p.ref.Proto(), Resource: "x", Epoch: p.epoch, Connected: true, Available: true, Credit: credit}
	if !p.replaces.IsZero() {
		a.Replaces = p.replaces.Proto()
		p.replaces = actors.Ref{}
	}
	_ = ctx.Answer(box, a) // who can't be reached is not watched either: Down follows
	if p.unwatched {
		p.unwatched = false
		ctx.Monitor(box)
	}
}

// take takes a push.
func (p *peer) take(ctx *actors.Context, m *nodepb.Push) {
	if p.gone || m.GetEpoch() != p.epoch {
		return
	}
	if n := m.GetNumber(); n != 0 {
		if m.GetAfter() != p.pushed {
			return
		}
		p.pushed = n
	}
	for _, row := range m.GetRows() {
		p.owed += row.GetCost()
		p.acks = append(p.acks, row.GetId())
		if row.GetMessage().GetType() == chatpb.MessageType_ERROR {
			p.n.w.book.returned(p.user)
			continue
		}
		id, err := ident.MessageIDFrom(row.GetId())
		if err != nil {
			p.n.w.Error(err)
			continue
		}
		p.n.w.book.saw(id, p.user, string(p.user))
	}
	if !p.lazy {
		p.acknowledge(ctx)
	}
}

func (p *peer) acknowledge(ctx *actors.Context) {
	if len(p.acks) == 0 && p.owed == 0 {
		return
	}
	m := &nodepb.Ack{Session: p.ref.Proto(), Epoch: p.epoch, Ids: p.acks, Credit: p.owed, Pushed: p.pushed}
	p.acks, p.owed = nil, 0
	if ctx.Answer(mailbox.Ref(p.user), m) != nil {
		p.unheard = append(p.unheard, m.Ids...)
		p.lost(ctx.Now().Add(time.Duration(p.rng.Int64N(int64(spread)))))
	}
}

// leave ends the peer once what it has sent has its outcomes.
func (p *peer) leave(ctx *actors.Context) {
	p.acks = append(p.unheard, p.acks...)
	p.acknowledge(ctx)
	p.gone = true
	_ = ctx.Answer(mailbox.Ref(p.user), &nodepb.Detach{Session: p.ref.Proto()})
}
