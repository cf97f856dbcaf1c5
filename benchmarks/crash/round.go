package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackdaw-im/jackdaw/benchmarks/load"
	"github.com/jackdaw-im/jackdaw/client"
	"github.com/jackdaw-im/jackdaw/internal/talk"
)

// Bounds of the phases of a round. They end a run against a server that is stuck; none decides how long a good round takes.
const (
	loadTime    = 2 * time.Minute
	startTime   = time.Minute
	recoverTime = 3 * time.Minute
	drainCrash  = 300 * time.Millisecond // a crash during the drain comes within this time
)

// target is a server that can be crashed.
type target interface {
	// Start starts it and waits until it accepts logins.
	Start(ctx context.Context) error
	// Kill ends it as kill -9 does.
	Kill()
	// Output is what it last said.
	Output() string
}

// round is the result of one crash.
type round struct {
	number  int
	crashes int           // one, or with another during the drain, two
	acked   int           // in the load, before the crash
	rate    float64       // of these, a second
	unacked int           // sent and not acknowledged at the crash
	restart time.Duration // the longer one, from the start of the new process until it accepted logins
	drain   time.Duration // from the first login after it until all had arrived
	late    int           // acknowledged messages that came after their recipient's last

	resent, duplicates                         int // allowed
	lost, altered, reordered, unknown, refused int // faults
	total                                      talk.Findings
}

// runRound does one round. An error means that the round couldn't be finished, not that the server lost something.
func (w *world) runRound(ctx context.Context, server target, number int, random *rand.Rand) (*round, error) {
	r := &round{number: number, late: -1}
	before, refusedBefore := w.report()
	unacked, err := w.load(ctx, server, r, random, before)
	if err != nil {
		return nil, err
	}
	if err := w.recover(ctx, server, r, unacked, random); err != nil {
		return nil, err
	}
	var refused int
	r.total, refused = w.report()
	r.since(before, refused-refusedBefore)
	return r, nil
}

// since fills in what this round added to the report.
func (r *round) since(before talk.Findings, refused int) {
	r.resent = r.total.Resent - before.Resent
	r.duplicates = r.total.Duplicates - before.Duplicates
	r.lost = len(r.total.Lost) - len(before.Lost)
	r.altered = len(r.total.Altered) - len(before.Altered)
	r.reordered = len(r.total.Reordered) - len(before.Reordered)
	r.unknown = r.total.Unknown - before.Unknown
	r.refused = refused
}

// failed says whether the server broke a promise in this round.
func (r *round) failed() bool { return r.lost+r.altered+r.reordered+r.unknown+r.refused > 0 }

// load puts the server under load and kills it. It returns what was not acknowledged, for each sender.
func (w *world) load(ctx context.Context, server target, r *round, random *rand.Rand, before talk.Findings) ([][]client.Sent, error) {
	var recipients, senders load.Fleet
	defer recipients.Cut()
	defer senders.Cut()
	w.note(func() { w.mu.stopped, w.mu.outgoing = false, 0 })
	if err := w.loginRecipients(ctx, &recipients, w.cfg.online); err != nil {
		return nil, err
	}
	all := make([]*sender, w.cfg.senders)
	for i := range all {
		all[i] = &sender{w: w, number: i, random: rand.New(rand.NewPCG(random.Uint64(), uint64(i)))}
	}
	conns, err := senders.LoginAll(ctx, len(all), func(i int) *client.Config { return w.senderConfig(all[i], true) }, nil)
	if err != nil {
		return nil, fmt.Errorf("crash: senders: %w", err)
	}
	start := time.Now()
	for i, c := range conns {
		if err := c.Batch(func() { all[i].send(c, w.cfg.window) }); err != nil {
			return nil, fmt.Errorf("crash: first messages: %w", err)
		}
	}
	goal := before.Acked + w.cfg.acked*4/5 + random.IntN(w.cfg.acked*2/5+1)
	loadCtx, cancel := context.WithTimeout(ctx, loadTime)
	err = w.wait(loadCtx, func() bool { return w.mu.check.Acked() >= goal || senders.Ended() != nil })
	cancel()
	if err == nil {
		err = senders.Ended()
	}
	if err != nil {
		return nil, fmt.Errorf("crash: the load ended early: %w", err)
	}
	pause := time.NewTimer(time.Duration(random.Int64N(int64(20 * time.Millisecond))))
	<-pause.C
	elapsed := time.Since(start)
	server.Kill()
	senders.Wait()
	recipients.Wait()
	w.note(func() { w.mu.stopped = true })
	after, _ := w.report()
	r.acked = after.Acked - before.Acked
	r.rate = float64(r.acked) / elapsed.Seconds()
	unacked := make([][]client.Sent, len(conns))
	for i, c := range conns {
		unacked[i] = c.Unacked()
		r.unacked += len(unacked[i])
	}
	return unacked, nil
}

// recover starts the server again, sends again what has no acknowledgement, and drains every recipient.
func (w *world) recover(ctx context.Context, server target, r *round, unacked [][]client.Sent, random *rand.Rand) error {
	ctx, cancel := context.WithTimeout(ctx, recoverTime)
	defer cancel()
	if err := w.restart(ctx, server, r); err != nil {
		return err
	}
	begin := time.Now()
	if err := w.goOn(ctx, unacked); err != nil {
		return err
	}
	if random.IntN(2) == 0 {
		if err := w.crashAgain(ctx, server, r, random); err != nil {
			return err
		}
	}
	var fleet load.Fleet
	defer fleet.Close()
	if err := w.loginRecipients(ctx, &fleet, w.cfg.online+w.cfg.offline); err != nil {
		return err
	}
	err := w.drain(ctx, &fleet, r)
	r.drain = time.Since(begin)
	return err
}

// restart starts the server, and measures how long that takes.
func (w *world) restart(ctx context.Context, server target, r *round) error {
	begin := time.Now()
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	if err := server.Start(ctx); err != nil {
		return fmt.Errorf("crash: restart: %w", err)
	}
	r.crashes++
	r.restart = max(r.restart, time.Since(begin))
	return nil
}

// goOn lets the clients that were online come back, send again, and end with one last message to everybody.
func (w *world) goOn(ctx context.Context, unacked [][]client.Sent) error {
	var fleet load.Fleet
	defer fleet.Close()
	if err := w.loginRecipients(ctx, &fleet, w.cfg.online); err != nil {
		return err
	}
	conns, err := fleet.LoginAll(ctx, w.cfg.senders, func(i int) *client.Config { return w.senderConfig(&sender{w: w, number: i}, false) },
		nil)
	if err != nil {
		return fmt.Errorf("crash: senders after the crash: %w", err)
	}
	w.note(func() { w.mu.outgoing = 0 })
	for i, c := range conns {
		if err := w.resend(c, unacked[i]); err != nil {
			return err
		}
	}
	if err := w.settle(ctx, &fleet, "what was sent again"); err != nil {
		return err
	}
	if err := w.fence(conns[0]); err != nil {
		return err
	}
	return w.settle(ctx, &fleet, "the last messages")
}

// crashAgain kills the server while the recipients log in and drain.
func (w *world) crashAgain(ctx context.Context, server target, r *round, random *rand.Rand) error {
	var fleet load.Fleet
	killed := make(chan struct{})
	timer := time.AfterFunc(time.Duration(random.Int64N(int64(drainCrash))), func() {
		server.Kill()
		close(killed)
	})
	defer timer.Stop()
	_ = w.loginRecipients(ctx, &fleet, w.cfg.online+w.cfg.offline) // most or none succeed
	<-killed
	fleet.Wait()
	return w.restart(ctx, server, r)
}

// loginRecipients makes the first n recipients available.
func (w *world) loginRecipients(ctx context.Context, fleet *load.Fleet, n int) error {
	_, err := fleet.LoginAll(ctx, n, func(i int) *client.Config { return w.recipientConfig(w.cfg.senders + i) },
		func(_ int, c *client.Conn) error { return c.Presence(0) })
	if err != nil {
		return fmt.Errorf("crash: recipients: %w", err)
	}
	return nil
}

// resend sends again, with the same ids, what can be recognised.
func (w *world) resend(c *client.Conn, unacked []client.Sent) error {
	for _, s := range unacked {
		key, ok := s.Tag.(talk.Key)
		if !ok {
			continue
		}
		w.mu.Lock()
		recognisable := w.mu.check.OriginID(key) != ""
		if recognisable {
			w.mu.check.Resend(key)
			w.mu.outgoing++
		}
		w.mu.Unlock()
		if !recognisable {
			continue
		}
		if err := c.Send(s.Stanza, key); err != nil {
			return fmt.Errorf("crash: send again: %w", err)
		}
	}
	return c.RequestAck()
}

// fence sends every recipient one last message.
func (w *world) fence(c *client.Conn) error {
	fences := make(map[int]talk.Key)
	for i := range w.cfg.online + w.cfg.offline {
		to := w.cfg.senders + i
		id := client.NewID()
		w.mu.Lock()
		fences[to] = w.newMessage(0, to, id)
		w.mu.Unlock()
	}
	w.note(func() { w.mu.fences = make(map[int]talk.Key, len(fences)) })
	for to, key := range fences {
		w.mu.Lock()
		w.mu.fences[to] = key
		id := w.mu.check.OriginID(key)
		w.mu.Unlock()
		if err := c.Send(w.speech.stanza(key, w.accounts.JID(to), id), key); err != nil {
			return fmt.Errorf("crash: last messages: %w", err)
		}
	}
	return c.RequestAck()
}

// settle waits until all that was sent is acknowledged.
func (w *world) settle(ctx context.Context, fleet *load.Fleet, what string) error {
	err := w.wait(ctx, func() bool { return w.mu.outgoing == 0 || fleet.Ended() != nil })
	if err == nil {
		err = fleet.Ended()
	}
	if err != nil {
		return fmt.Errorf("crash: %s: no acknowledgement: %w", what, err)
	}
	return nil
}

// drain waits until every recipient has got its last message and all that was acknowledged. Where nothing has arrived for a while
// that doesn't come any more: the report says what is lost.
func (w *world) drain(ctx context.Context, fleet *load.Fleet, r *round) error {
	arrived := func() int { return w.mu.check.Arrivals() }
	for before := -1; ; {
		quiet, cancel := context.WithTimeout(ctx, w.cfg.grace)
		err := w.wait(quiet, func() bool {
			if len(w.mu.fences) == 0 && r.late < 0 {
				r.late = w.missing()
			}
			return len(w.mu.fences) == 0 && w.missing() == 0 || fleet.Ended() != nil
		})
		cancel()
		w.mu.Lock()
		now := arrived()
		w.mu.Unlock()
		switch {
		case fleet.Ended() != nil:
			return fmt.Errorf("crash: drain: %w", fleet.Ended())
		case err == nil || ctx.Err() != nil || now == before:
			r.late = max(r.late, 0)
			return ctx.Err()
		}
		before = now
	}
}

// missing counts what is acknowledged and hasn't arrived. The caller holds the lock.
func (w *world) missing() int {
	n := 0
	for i := range w.cfg.online + w.cfg.offline {
		n += w.mu.check.Missing(w.cfg.senders + i)
	}
	return n
}
