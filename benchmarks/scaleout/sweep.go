package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackdaw-im/jackdaw/benchmarks/load"
	"github.com/jackdaw-im/jackdaw/client"
	"github.com/jackdaw-im/jackdaw/internal/testcluster"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

const (
	// loginWidth is how many log in at a time.
	loginWidth = 16
	// dialTime is how long one login may take, and sweepTime all of a sweep.
	dialTime  = 10 * time.Second
	sweepTime = time.Minute
)

// throng is many users who are online and do nothing, but for a sweep now and then.
type throng struct {
	v     *visit
	fleet load.Fleet
	mu    struct {
		sync.Mutex
		conns []*client.Conn
		at    []*testcluster.Node // where each is logged in
		round round
	}
}

func newThrong(v *visit) *throng {
	t := &throng{v: v}
	t.mu.conns, t.mu.at = make([]*client.Conn, v.cfg.users), make([]*testcluster.Node, v.cfg.users)
	return t
}

// login brings a user online on a node.
func (t *throng) login(ctx context.Context, user int, at *testcluster.Node) error {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	cfg := t.v.config(user, at)
	cfg.OnStanza = func(_ *client.Conn, e *xmpp.Element) { t.received(user, e) }
	cfg.OnAck = func(_ *client.Conn, sent []client.Sent) { t.acked(sent) }
	conn, err := t.fleet.Login(ctx, cfg, func(c *client.Conn) error { return c.Presence(0) })
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.conns[user], t.mu.at[user] = conn, at
	return nil
}

// tag names a message of a sweep: who sent it in which.
type tag struct{ number, user int }

// String is the message's body.
func (t tag) String() string { return fmt.Sprintf("sweep %d %d", t.number, t.user) }

// round is one sweep: each user sends one message to the next user, and one to somebody who is offline. A user is served when both have been
// acknowledged, and the first has arrived.
type round struct {
	number int
	begin  time.Time
	users  []progress
	left   int           // users who aren't served
	last   time.Duration // when the last one was
	served load.Latencies
}

type progress struct {
	acks    int
	arrived bool
	done    bool
}

// note changes what is known of a user's messages.
func (r *round) note(of tag, now time.Time, change func(*progress)) {
	if of.number != r.number || of.user < 0 || of.user >= len(r.users) {
		return // of an earlier sweep
	}
	p := &r.users[of.user]
	change(p)
	if !p.done && p.acks >= 2 && p.arrived {
		p.done = true
		r.left--
		r.last = now.Sub(r.begin)
		r.served.Add(r.last)
	}
}

// acked is everybody's OnAck.
func (t *throng) acked(sent []client.Sent) {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range sent {
		if of, ok := s.Tag.(tag); ok {
			t.mu.round.note(of, now, func(p *progress) { p.acks++ })
		}
	}
}

// received is everybody's OnStanza.
func (t *throng) received(user int, e *xmpp.Element) {
	body := e.Child(xmpp.NSClient, "body")
	if e.Name != "message" || e.Attr("type") == "error" || body == nil {
		return
	}
	var of tag
	if _, err := fmt.Sscanf(body.Text(), "sweep %d %d", &of.number, &of.user); err != nil || (of.user+1)%t.v.cfg.users != user {
		return
	}
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.round.note(of, now, func(p *progress) { p.arrived = true })
}

// start begins a sweep. gone are the users of a node that is no more, who must log in elsewhere before they can send.
func (t *throng) start(gone *testcluster.Node) (lost []int) {
	t.mu.Lock()
	r := &t.mu.round
	*r = round{number: r.number + 1, begin: time.Now(), users: make([]progress, t.v.cfg.users), left: t.v.cfg.users}
	var here []int
	for user, at := range t.mu.at {
		if gone != nil && at == gone {
			lost = append(lost, user)
		} else {
			here = append(here, user)
		}
	}
	t.mu.Unlock()
	for _, user := range here {
		t.send(user)
	}
	return lost
}

// send sends a user's two messages. A connection that is gone shows as a user who isn't served.
func (t *throng) send(user int) {
	t.mu.Lock()
	conn, of := t.mu.conns[user], tag{t.mu.round.number, user}
	t.mu.Unlock()
	online, offline := (user+1)%t.v.cfg.users, t.v.cfg.users+user%t.v.cfg.resting
	_ = conn.Batch(func() {
		for _, to := range []int{online, offline} {
			_ = conn.SendMessage(&client.Message{To: t.v.accounts.JID(to), OriginID: client.NewID(), Body: of.String()}, of)
		}
		_ = conn.RequestAck()
	})
}

// sweep sends all messages and waits until everybody is served. Users of a node that is gone log in again on the others.
func (t *throng) sweep(ctx context.Context, gone *testcluster.Node) (round, error) {
	ctx, cancel := context.WithTimeout(ctx, sweepTime)
	defer cancel()
	lost := t.start(gone)
	if len(lost) > 0 {
		nodes := t.v.running()
		err := load.Each(ctx, len(lost), loginWidth, func(ctx context.Context, i int) error { return t.comeBack(ctx, lost[i], nodes) })
		if err != nil {
			return round{}, err
		}
	}
	for {
		t.mu.Lock()
		r := t.mu.round
		t.mu.Unlock()
		if r.left == 0 {
			return r, nil
		}
		if err := load.Rest(ctx, lookPause); err != nil {
			return r, fmt.Errorf("scaleout: %d of %d users aren't served after %v: %w", r.left, len(r.users), sweepTime, err)
		}
	}
}

// comeBack logs a user in again, on one node after the other until one takes it, and sends what it has to.
func (t *throng) comeBack(ctx context.Context, user int, nodes []*testcluster.Node) error {
	for try := user; ; try++ {
		err := t.login(ctx, user, nodes[try%len(nodes)])
		if err == nil {
			t.send(user)
			return nil
		}
		if load.Rest(ctx, 2*lookPause) != nil {
			return fmt.Errorf("scaleout: nobody takes user %d: %w", user, err)
		}
	}
}
