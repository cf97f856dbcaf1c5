package lane

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/telemetry"
)

// The pause before a commit of unknown outcome is repeated: it doubles from one to the other.
const (
	retryMin = 10 * time.Millisecond
	retryMax = time.Second
)

// Acknowledgements alone are in no hurry: nobody waits for them, and losing one only delivers a message again. They go along
// with the next append, or after ackDelay, or when there are lazyAcks of them.
const (
	ackDelay = 25 * time.Millisecond
	lazyAcks = 256
)

// enough is how many appends a lane commits without waiting for more. The wait costs a sender a moment of the time to its
// acknowledgement; a flush for each message costs the machine more than all the rest of it.
const enough = 32

// mailLane gathers in its handlers and commits at the end of each turn.
type mailLane struct {
	lanes *Lanes
	mail  store.Mail
	batch batch
	// timed says that acksDue is on its way; due that acknowledgements are committed in this turn, come what may.
	timed, due bool
	// lingered says that this batch has waited for company.
	lingered bool
	// reads wait for the end of the turn, after its commits.
	reads []any
	// current is the message that is being handled, should it be the last.
	current any
	lost    lost
}

// acksDue is the timer's message, commitNow the one that ends a linger.
type (
	acksDue   struct{}
	commitNow struct{}
)

// Init implements actors.Behaviour; args are *Lanes.
func (m *mailLane) Init(ctx *actors.Context, args any) error {
	m.lanes = args.(*Lanes)
	m.mail = m.lanes.engine.Mail()
	m.lost = m.lanes.lost[ctx.Self().ID]
	return nil
}

// Handle implements actors.Behaviour.
func (m *mailLane) Handle(ctx *actors.Context, msg any) (err error) {
	m.current = msg
	switch msg := msg.(type) {
	case *Append:
		err = m.append(ctx, msg)
	case *acknowledge:
		err = m.acknowledge(ctx, msg)
	case *load:
		if !msg.again {
			delete(m.lost, msg.mailbox)
			m.lanes.abandoned.over(msg.mailbox)
		}
		m.reads = append(m.reads, msg)
	case *read, *flush:
		m.reads = append(m.reads, msg)
	case acksDue:
		m.timed, m.due = false, true
	case *purge:
		err = m.purge(ctx, msg)
	case *abandon:
		m.forsake()
		m.lanes.abandoned.over(msg.mailbox)
	}
	if err == nil {
		m.current = nil
	}
	return err
}

func (m *mailLane) purge(ctx *actors.Context, p *purge) error {
	if err := m.commit(ctx); err != nil {
		return err
	}
	err := guarded(func() error {
		_, err := m.mail.Purge(p.mailbox)
		return err
	})
	if err != nil {
		ctx.Log().Warn("a mailbox could not be emptied", zap.Error(err))
	}
	return nil
}

// EndBatch implements actors.BatchEnder.
func (m *mailLane) EndBatch(ctx *actors.Context) error {
	if m.batch.lazy() && len(m.reads) == 0 && !m.due {
		m.wait(ctx)
		return nil
	}
	if m.lingers() {
		m.lingered = true
		time.Sleep(m.lanes.opts.Linger)
		_ = ctx.Answer(ctx.Self(), commitNow{}) // ends the turn that handles what has come meanwhile
		return nil
	}
	m.due, m.lingered = false, false
	if err := m.commit(ctx); err != nil {
		return err
	}
	for i, r := range m.reads {
		m.answer(ctx, r)
		m.reads[i] = nil
	}
	m.reads = m.reads[:0]
	return nil
}

// lingers reports whether a batch is so small that waiting for more is worth it. Whoever asks to read isn't made to wait.
func (m *mailLane) lingers() bool {
	return !m.lingered && !m.due && m.batch.live > 0 && m.batch.live < enough && len(m.reads) == 0 && m.lanes.opts.Linger > 0
}

// wait leaves a batch that holds only acknowledgements for later.
func (m *mailLane) wait(ctx *actors.Context) {
	m.answerGone(ctx)
	if !m.timed && len(m.batch.Acks) > 0 {
		m.timed = true
		ctx.SendAfter(ackDelay, acksDue{})
	}
}

// answerGone tells of the appends that were acknowledged before they could be committed: there is nothing to wait for.
func (m *mailLane) answerGone(ctx *actors.Context) {
	b := &m.batch
	m.lanes.Counters.Annihilated.Add(int64(len(b.gone)))
	tell(ctx, b.gone, Stored)
	clear(b.gone)
	b.gone = b.gone[:0]
}

// Terminate implements actors.Terminator: what was gathered is committed, but after a crash, when those who asked are told.
func (m *mailLane) Terminate(ctx *actors.Context, reason actors.Reason) {
	if reason.IsNormal() {
		m.due = true
		_ = m.EndBatch(ctx) // the store is closed: nobody was told that anything is stored
		return
	}
	m.loseAll(ctx)
}

func (m *mailLane) append(ctx *actors.Context, a *Append) error {
	if err := a.Validate(); err != nil {
		ctx.Log().Warn("a message can't be stored", zap.Error(err))
		tell(ctx, []*Append{a}, Invalid)
		return nil
	}
	if m.lanes.abandoned.has(a.Mailbox) {
		return nil // the mailbox has ended
	}
	if _, known := m.lost[a.Mailbox]; known {
		m.lose(ctx, []*Append{a})
		return nil
	}
	if !m.batch.fits(a) {
		if err := m.commit(ctx); err != nil {
			return err
		}
	}
	m.batch.append(a)
	return nil
}

func (m *mailLane) acknowledge(ctx *actors.Context, acks *acknowledge) error {
	for i := range acks.acks {
		if err := acks.acks[i].Validate(); err != nil {
			ctx.Log().Warn("an acknowledgement can't be stored", zap.Error(err))
			continue
		}
		if m.batch.full() {
			if err := m.commit(ctx); err != nil {
				return err
			}
		}
		m.batch.ack(acks.acks[i])
	}
	return nil
}

// commit writes what was gathered and tells those who asked for it.
func (m *mailLane) commit(ctx *actors.Context) error {
	b := &m.batch
	if b.empty() {
		return nil
	}
	if m.lanes.abandoned.n.Load() > 0 {
		m.forsake()
	}
	b.settle()
	c := &m.lanes.Counters
	sure, err := m.write(ctx, &b.Batch)
	if errors.Is(err, store.ErrFull) {
		// What makes the store shrink goes on.
		if sure {
			c.Full.Add(int64(len(b.asked)))
			tell(ctx, b.asked, Full)
		} else {
			m.lose(ctx, b.asked)
		}
		clear(b.asked)
		clear(b.Appends)
		b.asked, b.Appends = b.asked[:0], b.Appends[:0]
		_, err = m.write(ctx, &b.Batch)
	}
	if err != nil {
		return fmt.Errorf("lane: commit: %w", err)
	}
	c.Appends.Add(int64(len(b.asked)))
	c.Acks.Add(int64(len(b.Acks)))
	tell(ctx, b.asked, Stored)
	m.answerGone(ctx)
	b.reset()
	return nil
}

// write commits until the outcome is known. The error is one of those after which nothing was stored; sure is false where an
// earlier try may have.
func (m *mailLane) write(ctx *actors.Context, b *store.Batch) (sure bool, err error) {
	items := len(b.Appends) + len(b.Acks)
	if items == 0 {
		return true, nil
	}
	sure = true
	for pause := retryMin; ; pause = min(2*pause, retryMax) {
		begin := time.Now()
		var result store.Result
		err = guarded(func() (err error) {
			result, err = m.mail.Commit(b)
			return err
		})
		switch {
		case err == nil:
			if len(result.Stale) > 0 {
				m.lanes.Counters.Stale.Add(1)
				m.lanes.opts.Stale(result.Stale)
			}
			m.lanes.Counters.Commits.Add(1)
			m.lanes.opts.Observe(time.Since(begin).Seconds(), items)
			return true, nil
		case errors.Is(err, store.ErrFull), errors.Is(err, store.ErrClosed), errors.Is(err, store.ErrInvalid):
			return sure, err
		}
		sure = false // a panic of the engine says as little about the outcome as any other error
		m.lanes.Counters.Retries.Add(1)
		ctx.Log().Error("a commit has no known outcome and is repeated", zap.Error(err), zap.Int(telemetry.KeyItems, items))
		time.Sleep(pause)
		if m.lanes.abandoned.n.Load() > 0 {
			m.forsake()
			m.batch.settle()
		}
	}
}

// answer reads for a mailbox.
func (m *mailLane) answer(ctx *actors.Context, request any) {
	background := context.Background()
	switch r := request.(type) {
	case *load:
		m.lanes.Counters.Loads.Add(1)
		a := &Loaded{Tag: r.tag, Claim: m.lanes.taken.claims.Load()} // before the store is asked
		a.Err = guarded(func() error {
			found, err := m.mail.Load(background, r.mailbox, r.page)
			if err != nil {
				return err
			}
			a.Info, a.Rows, a.Bodies = found.User, found.Rows, found.Bodies
			if a.Info == nil && r.again {
				m.lanes.Counters.Requests.Add(1)
				a.Info, err = userOf(m.lanes.engine, r.mailbox)
			}
			return err
		})
		answer(ctx, r.from, a)
	case *flush:
		answer(ctx, r.from, &Flushed{r.tag})
	case *read:
		m.lanes.Counters.Reads.Add(1)
		a := &Bodies{Tag: r.tag, IDs: r.ids}
		a.Err = guarded(func() (err error) {
			a.Bodies, err = m.mail.Read(background, r.mailbox, r.ids)
			return err
		})
		answer(ctx, r.from, a)
	}
}
