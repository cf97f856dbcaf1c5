package lane

import (
	"context"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

const (
	pollerID = "foreign-writes"
	// pollTime bounds one look at the notices: a shard that is gone must not stop what the others have to say.
	pollTime = 5 * time.Second
	// reloadTime is after how long a mailbox that hasn't answered is asked again: after longer than one waits to hear whose it is.
	reloadTime = 30 * time.Second
)

var pollerRef = actors.Ref{Kind: PollerKind, ID: pollerID}

// poller looks for notices that other nodes have appended to mailboxes of this one, and has these load their rows again. A
// notice is removed only after that, and found again if anything goes wrong before.
type poller struct {
	lanes *Lanes
	due   map[ident.UserID]*reloading
	tag   uint64
}

// reloading is one mailbox that has to load its rows again.
type reloading struct {
	notices []int64 // not covered by the reload that is under way
	covered []int64 // by that
	claim   uint64  // the newest claim for which it is to be asked, whether there are notices or not; 0: there is none
	claimed uint64  // the one of the reload that is under way
	tag     uint64  // of the reload that is under way; 0: none is
	asked   time.Time
}

// pollNow is the timer's message; claimedNow tells that partitions are this node's now.
type (
	pollNow    struct{}
	claimedNow struct {
		partitions []ident.Partition
		number     uint64
	}
)

// Init implements actors.Behaviour; args are *Lanes.
func (p *poller) Init(ctx *actors.Context, args any) error {
	p.lanes = args.(*Lanes)
	p.due = map[ident.UserID]*reloading{}
	p.tag = uint64(ctx.Now().UnixNano()) // those of an earlier life are never used again
	ctx.SendAfter(p.lanes.opts.PollEvery, pollNow{})
	return nil
}

// Handle implements actors.Behaviour.
func (p *poller) Handle(ctx *actors.Context, msg any) error {
	switch m := msg.(type) {
	case pollNow:
		p.poll(ctx)
		p.ask(ctx)
		ctx.SendAfter(p.lanes.opts.PollEvery, pollNow{})
	case *claimedNow:
		p.claimed(ctx, m)
		p.ask(ctx)
	case *Reloaded:
		p.reloaded(m)
	}
	return nil
}

// poll reads the notices. Those of some shards may be had though others are gone.
func (p *poller) poll(ctx *actors.Context) {
	bounded, cancel := context.WithTimeout(context.Background(), pollTime)
	defer cancel()
	var found []store.ForeignWrite
	err := guarded(func() (err error) {
		found, err = p.lanes.engine.Claims().ForeignWrites(bounded)
		return err
	})
	if err != nil {
		ctx.Log().Warn("notices of other nodes' messages could not be read", zap.Error(err))
	}
	for _, w := range found {
		if p.claims(w.Mailbox).leaving(w.N) {
			continue
		}
		r := p.reloading(w.Mailbox)
		if !slices.Contains(r.notices, w.N) && !slices.Contains(r.covered, w.N) {
			p.lanes.Counters.Foreign.Add(1)
			r.notices = append(r.notices, w.N)
		}
	}
}

// claimed has the mailboxes of partitions that run load again what may have come there before the claim.
func (p *poller) claimed(ctx *actors.Context, m *claimedNow) {
	ctx.System().Each(func(ref actors.Ref) bool {
		if ref.Kind == store.MailKind && ref.Node == "" {
			mailbox := ident.UserID(ref.ID)
			if _, found := slices.BinarySearch(m.partitions, store.MailPartition(mailbox)); found {
				r := p.reloading(mailbox)
				r.claim = max(r.claim, m.number)
			}
		}
		return true
	})
}

func (p *poller) reloading(mailbox ident.UserID) *reloading {
	r := p.due[mailbox]
	if r == nil {
		r = &reloading{}
		p.due[mailbox] = r
	}
	return r
}

// ask tells the mailboxes that are due. One that has no room is told after the next look.
func (p *poller) ask(ctx *actors.Context) {
	sys, now := ctx.System(), ctx.Now()
	for mailbox, r := range p.due {
		if r.tag != 0 && now.Sub(r.asked) < reloadTime {
			continue
		}
		r.notices, r.covered = append(r.notices, r.covered...), nil
		r.claim, r.claimed = max(r.claim, r.claimed), 0
		to := actors.Ref{Kind: store.MailKind, ID: string(mailbox)}
		p.tag++
		if sys.Alive(to) {
			if sys.Receive(to, actors.Signal{How: actors.HowCast, From: ctx.Self(), Msg: r.reload(ctx.Self(), p.tag)}) != nil {
				r.tag = 0
				continue
			}
			r.tag, r.asked = p.tag, now
			r.notices, r.covered = nil, r.notices
			r.claim, r.claimed = 0, r.claim
			continue
		}
		p.remove(mailbox, r.notices) // it will load what there is when it starts
		delete(p.due, mailbox)
	}
}

// reload is what the mailbox is asked. What a notice tells of may have come after any claim.
func (r *reloading) reload(from actors.Ref, tag uint64) *Reload {
	m := &Reload{From: from, Tag: tag}
	if len(r.notices) == 0 {
		m.Claim = r.claim
	}
	return m
}

// reloaded takes that a mailbox has loaded what there is.
func (p *poller) reloaded(m *Reloaded) {
	r := p.due[m.Mailbox]
	if r == nil || r.tag != m.Tag {
		return
	}
	p.remove(m.Mailbox, r.covered)
	r.covered, r.claimed, r.tag = nil, 0, 0
	if len(r.notices) == 0 && r.claim == 0 {
		delete(p.due, m.Mailbox)
	}
}

// remove has notices of a mailbox removed.
func (p *poller) remove(mailbox ident.UserID, ns []int64) {
	if len(ns) > 0 {
		p.claims(mailbox).remove(ns)
	}
}

// claims are those of a mailbox's shard.
func (p *poller) claims(mailbox ident.UserID) *claims {
	return p.lanes.claims[p.lanes.places.shard(store.MailPartition(mailbox))]
}
