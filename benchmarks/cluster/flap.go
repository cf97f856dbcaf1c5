package main

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/jackdaw-im/jackdaw/benchmarks/load"
)

// What the server's parts say of themselves.
const (
	// Links try again what isn't acknowledged: at first after linkResend seconds, then with pauses that double up to linkResendMax.
	linkResend    = 0.2
	linkResendMax = 5.0
	linkClasses   = 3
	// retryTime is how long a sender's message has no outcome before it is cast again, and perTry what that costs: the cast, and an outcome.
	retryTime = 5 * time.Second
	perTry    = 2
	// perLogin is what a user's return costs, in logins of one who comes for the first time: its stream is fetched from where it was, and what
	// was on its way to it comes once more.
	perLogin = 2
)

// flapBound is how many envelopes at most may be sent between so many nodes, repetitions included, while all links fail, again and again, and
// until everything that was sent meanwhile has its outcome. usual is how many a message takes without a fault, login how many the login of a user.
//
//   - Each time that a client sent a message costs what it usually does: its cast and its outcome, a push to the recipient's session and the
//     acknowledgement of that, as far as the two are on different nodes. More of them go in one envelope after a cut, not fewer.
//   - A sender repeats by itself what has no outcome, once in each retryTime that it is open (actors/mailbox, Outbox), and what it has sent behind
//     that to the same mailbox: a cast, and an outcome.
//   - A link sends again what it had sent and heard nothing of: one frame of it, and all of it once there is a way again (cluster/link, "What
//     a flap costs"). What came to it later waits, and is sent once.
//   - Meanwhile each link probes by single envelopes, with pauses that double, shortened by up to a quarter.
//   - A user whose connection ends, because its patience is over, comes back.
//   - A node that gives another one up has its share of what was open cast again, as the links return it, and its share of the sessions tell
//     accounts and mailboxes of themselves; once more when that one is back. That takes longer than these cuts, on a machine that has time.
func flapBound(nodes int, usual, login float64, did burden, cuts []cut) float64 {
	pairs, open := float64(nodes*(nodes-1)), 0
	most := usual*float64(did.sent) + perTry*float64(did.repeats) + perLogin*login*float64(did.logins)
	for _, c := range cuts {
		probes := 1 + math.Ceil(math.Log2(linkResendMax/linkResend)) + c.seconds/(0.75*linkResendMax)
		most += 2*float64(c.unacked) + pairs*linkClasses*probes
		open = max(open, c.open)
	}
	return most + 2*float64(did.givenUp)/pairs*(perTry*float64(open)+login*float64(did.users))
}

// cut is one of a flap: how long it took, and at its end, how many messages had no outcome, and how many envelopes links had sent in vain.
type cut struct {
	seconds       float64
	open, unacked int
}

// String tells of a cut as notes do.
func (c cut) String() string {
	return fmt.Sprintf("%d messages were open, %d envelopes not acknowledged", c.open, c.unacked)
}

// flap cuts all links between nodes at once, again and again. It is too short for anybody to be given up, so that everything has its order
// (docs/FAULTS.md excepts only what one user sends through both parts of a cluster). On a machine without time for its nodes one may be given up all the
// same: then any two of them may have been apart.
func flap(ctx context.Context, r *round) error {
	var meter meter
	before, err := r.traffic(ctx, &meter)
	if err != nil {
		return err
	}
	ackedBefore := r.w.ackedSoFar()
	if err := load.Rest(ctx, 2*calm); err != nil {
		return err
	}
	acked := r.w.ackedSoFar()
	start, err := r.traffic(ctx, &meter)
	if err != nil {
		return err
	}
	usual := (start.envelopes - before.envelopes) / float64(max(acked-ackedBefore, 1))
	login := max(before.envelopes-usual*float64(ackedBefore), 0) / float64(r.cfg.users) // so far all have logged in once
	began, ends := time.Now(), r.w.ends()
	cuts, err := r.cutAll(ctx, &meter)
	if err != nil {
		return err
	}
	after, err := r.settled(ctx, &meter)
	if err != nil {
		return err
	}
	did := r.w.burden(began)
	did.users, did.logins = r.cfg.users, r.w.ends()-ends
	for _, n := range r.c.Nodes {
		did.givenUp += strings.Count(n.Output(), "a lost node is given up")
	}
	r.together = did.givenUp == 0
	sent := after.envelopes - start.envelopes
	bound := flapBound(len(r.c.Nodes), usual, login, did, cuts)
	r.result.note("%.0f envelopes between nodes, of at most %.0f; %.2f a message and %.1f a login without a flap; %v; at the ends of cuts %v", sent, bound, usual,
		login, did, cuts)
	if sent > bound {
		r.result.broken("%.0f envelopes went between nodes, more than %.0f", sent, bound)
	}
	return nil
}

// cutAll cuts all links three times, with a second between.
func (r *round) cutAll(ctx context.Context, m *meter) (cuts []cut, err error) {
	each := r.during(4*time.Second, 2*time.Second)
	for range 3 {
		began := time.Now()
		for i := range r.c.Nodes {
			if err := r.c.Part(ctx, r.c.Nodes[i:i+1], r.c.Nodes[i+1:]); err != nil {
				return nil, err
			}
		}
		now, err := r.watch(ctx, m, each)
		if err != nil {
			return nil, err
		}
		cuts = append(cuts, cut{time.Since(began).Seconds(), r.w.open(), int(now.unacked)})
		if err := r.c.Heal(ctx); err != nil {
			return nil, err
		}
		if _, err := r.watch(ctx, m, time.Second); err != nil {
			return nil, err
		}
	}
	return cuts, nil
}

// settled waits until the cluster is one again and all that was sent by now has its outcome: what a flap costs has been sent then.
func (r *round) settled(ctx context.Context, m *meter) (traffic, error) {
	now := time.Now()
	whole := make(chan error, 1)
	go func() { whole <- r.whole(ctx) }()
	for one := false; !one || r.w.openOf(now) > 0; {
		if time.Since(now) > 2*wholeTime {
			return traffic{}, fmt.Errorf("cluster: %d messages that were sent in a flap have no outcome", r.w.openOf(now))
		}
		select {
		case err := <-whole:
			if err != nil {
				return traffic{}, err
			}
			one = true
		case <-time.After(meterPause):
			_, _ = r.traffic(ctx, m)
		case <-ctx.Done():
			return traffic{}, ctx.Err()
		}
	}
	return r.traffic(ctx, m)
}

// burden is what users and senders had to do in a flap.
type burden struct {
	sent    int // messages that were open as it began, or sent since, each time that a client sent one
	repeats int // how often senders may have cast one of them again by themselves
	logins  int // connections that ended
	users   int // all there are
	givenUp int // how often a node gave another one up
}

// String tells of it as notes do.
func (b burden) String() string {
	return fmt.Sprintf("clients sent %d messages and logged in %d times, senders repeated at most %d, nodes were given up %d times", b.sent, b.logins, b.repeats, b.givenUp)
}

// burden counts what was open at a moment, or was sent since.
func (w *world) burden(since time.Time) (b burden) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	for k, m := range w.mu.messages {
		if m.last == nil || m.acked && m.ackedAt.Before(since) {
			continue
		}
		end := now
		if m.acked {
			end = m.ackedAt
		}
		repeats := int(end.Sub(m.first) / retryTime)
		k.Seq--
		if ahead := w.mu.messages[k]; ahead != nil && ahead.last != nil && (!ahead.acked || ahead.ackedAt.After(m.first)) {
			repeats++ // with that one
		}
		b.sent += m.tries
		b.repeats += m.tries * repeats
	}
	return b
}

// openOf counts what was sent before a moment and has no outcome.
func (w *world) openOf(until time.Time) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range w.mu.messages {
		if m.last != nil && !m.acked && m.first.Before(until) {
			n++
		}
	}
	return n
}

// ends counts the connections that have ended, or could not be made.
func (w *world) ends() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, times := range w.mu.troubles {
		n += times
	}
	return n
}
