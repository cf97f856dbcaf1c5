package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/jackdaw-im/jackdaw/client"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

const (
	// dialTime is how long a login may take before the user tries another node.
	dialTime = 10 * time.Second
	// pause is how long, at least and at random up to four times as long, a user waits after a connection that failed.
	pause = 100 * time.Millisecond
)

// user is one person's client: it stays online as long as any node lets it in, resumes its stream or sends again what may be lost.
type user struct {
	w      *world
	number int
	random *rand.Rand // of the goroutine that talks

	mu struct {
		sync.Mutex
		conn   *client.Conn // nil: offline
		outbox []*message   // to be sent, oldest first
		resume *client.Resumption
		addr   string // of the node that the connection is to
		fresh  bool   // the stream isn't to be resumed
		at     int    // which node is tried next
	}
}

func newUser(w *world, number int) *user {
	u := &user{w: w, number: number, random: rand.New(rand.NewPCG(w.cfg.seed, uint64(number)))}
	u.mu.at = number
	return u
}

// start brings the user online until the world ends.
func (u *user) start() {
	u.w.lives.Go(u.live)
	if u.number < u.w.cfg.users {
		u.w.lives.Go(u.talk)
	}
}

// live logs in, again and again.
func (u *user) live() {
	for u.w.ctx.Err() == nil {
		conn, err := u.dial()
		if err == nil {
			stop := context.AfterFunc(u.w.ctx, func() { _ = conn.Close() }) // the run is over
			u.begin(conn)
			err = conn.Run()
			stop()
			u.over(conn)
		}
		if err == nil || u.w.ctx.Err() != nil {
			continue // closed by us: the world ends
		}
		u.mu.Lock()
		u.w.trouble(u.mu.addr, err)
		u.mu.at++
		u.mu.Unlock()
		u.rest(pause + time.Duration(rand.Int64N(int64(3*pause))))
	}
}

// rest waits.
func (u *user) rest(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-u.w.ctx.Done():
	}
}

// dial logs in on the node whose turn it is, with the stream before if it can be resumed.
func (u *user) dial() (*client.Conn, error) {
	cfg := u.w.accounts.Config(u.number)
	cfg.Management = true
	cfg.OnAck = func(_ *client.Conn, sent []client.Sent) { u.w.acked(sent) }
	cfg.OnStanza = u.stanza
	addrs := u.w.addrs()
	u.mu.Lock()
	u.mu.addr = addrs[u.mu.at%len(addrs)]
	cfg.Addr, cfg.Resume = u.mu.addr, u.mu.resume
	u.mu.Unlock()
	ctx, cancel := context.WithTimeout(u.w.ctx, dialTime)
	defer cancel()
	return client.Dial(ctx, cfg)
}

// begin takes a new connection into use: first goes again what the stream before left, then what has waited.
func (u *user) begin(conn *client.Conn) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.mu.conn, u.mu.resume = conn, nil
	if conn.Resumed() {
		u.flush()
		return
	}
	_ = conn.Presence(0) // a connection that has ended shows in Run
	u.mu.outbox = append(messages(conn.Carried()), u.mu.outbox...)
	u.flush()
}

// over keeps what is left of a connection.
func (u *user) over(conn *client.Conn) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.mu.conn = nil
	if r, ok := conn.Resumption(); ok && !u.mu.fresh {
		u.mu.resume = &r
		return
	}
	u.mu.outbox = append(messages(conn.Unacked()), u.mu.outbox...)
}

// anew makes the user log in again, as if its client had been started anew.
func (u *user) anew() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.mu.fresh = true
	if u.mu.conn != nil {
		u.mu.conn.Cut()
	}
}

// messages are those among stanzas.
func messages(sent []client.Sent) (list []*message) {
	for _, s := range sent {
		if a, ok := s.Tag.(*attempt); ok && !a.refused {
			list = append(list, a.m)
		}
	}
	return list
}

// flush sends what waits. The caller holds the lock.
func (u *user) flush() {
	if u.mu.conn == nil || len(u.mu.outbox) == 0 {
		return
	}
	_ = u.mu.conn.Batch(func() {
		for len(u.mu.outbox) > 0 {
			m := u.mu.outbox[0]
			if errors.Is(u.mu.conn.Send(m.stanza, u.w.sent(m, u.mu.addr)), client.ErrClosed) {
				return // it waits for the next connection
			}
			u.mu.outbox = u.mu.outbox[1:]
		}
		_ = u.mu.conn.RequestAck() // as above
	})
}

// talk sends a message to somebody from time to time.
func (u *user) talk() {
	u.rest(time.Duration(u.random.Int64N(int64(u.w.cfg.interval))))
	ticker := time.NewTicker(u.w.cfg.interval)
	defer ticker.Stop()
	all := u.w.cfg.users + u.w.cfg.sleepers
	for u.w.ctx.Err() == nil {
		to := (u.number + 1 + u.random.IntN(all-1)) % all
		m := u.w.compose(u.number, to)
		u.mu.Lock()
		if m != nil {
			u.mu.outbox = append(u.mu.outbox, m)
		}
		u.flush()
		u.watch()
		u.mu.Unlock()
		select {
		case <-ticker.C:
		case <-u.w.ctx.Done():
		}
	}
}

// watch gives up a connection on which nothing is acknowledged. The caller holds the lock.
func (u *user) watch() {
	if u.mu.conn == nil {
		return
	}
	for _, s := range u.mu.conn.Unacked() {
		if a, ok := s.Tag.(*attempt); ok {
			if time.Since(a.at) > u.w.cfg.patience {
				u.mu.conn.Cut()
			}
			return // the others are younger
		}
	}
}

// stanza is the connection's OnStanza.
func (u *user) stanza(_ *client.Conn, e *xmpp.Element) {
	switch {
	case e.Name != "message":
	case e.Attr("type") != "error":
		u.w.received(u.number, e)
	default:
		if m := u.w.refused(e); m != nil {
			u.mu.Lock()
			u.mu.outbox = append(u.mu.outbox, m)
			u.mu.Unlock()
		}
	}
}

// reason is an error without what makes it unlike others of its kind.
func reason(err error) string {
	var op *net.OpError
	var stream *xmpp.StreamError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "a login took too long"
	case errors.As(err, &stream):
		return "stream error " + stream.Condition
	case errors.As(err, &op) && op.Err != nil:
		return fmt.Sprintf("%s: %v", op.Op, op.Err)
	}
	return err.Error()
}
