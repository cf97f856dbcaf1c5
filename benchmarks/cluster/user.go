package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"time"

	"github.com/jackdaw-im/jackdaw/benchmarks/load"
	"github.com/jackdaw-im/jackdaw/client"
	"github.com/jackdaw-im/jackdaw/internal/talk"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

const (
	// dialTime is how long a login may take before the user tries another node; crowdDialTime where so many log in at once that the machine,
	// which they share with the nodes, needs longer for it: who gives up makes work for all, and has to begin again.
	dialTime      = 10 * time.Second
	crowdDialTime = time.Minute
	// pause is how long, at least and at random up to four times as long, a user waits after a connection that failed.
	pause = 100 * time.Millisecond
)

// user is one person and owner of a device.
type user struct {
	w      *world
	number int
	random *rand.Rand // of the goroutine that talks
	device *talk.Device
}

func newUser(w *world, number int) *user {
	u := &user{w: w, number: number, random: rand.New(rand.NewPCG(w.cfg.seed, uint64(number)))}
	login := dialTime
	if w.cfg.crowd {
		login = crowdDialTime
	}
	u.device = talk.NewDevice(talk.DeviceConfig{Owner: u, Client: func() *client.Config { return w.accounts.Config(number) }, Addrs: w.addrs, Start: number,
		Login: login, Patience: w.cfg.patience, Rest: pause, Spread: 3 * pause})
	return u
}

// start brings the user online until the world ends.
func (u *user) start() {
	u.w.lives.Go(func() { u.device.Live(u.w.ctx) })
	if u.number < u.w.cfg.users {
		u.w.lives.Go(u.talk)
	}
}

// talk sends a message to somebody from time to time.
func (u *user) talk() {
	if load.Rest(u.w.ctx, time.Duration(u.random.Int64N(int64(u.w.cfg.interval)))) != nil {
		return
	}
	ticker := time.NewTicker(u.w.cfg.interval)
	defer ticker.Stop()
	all := u.w.cfg.users + u.w.cfg.sleepers
	for u.w.ctx.Err() == nil {
		if m := u.w.compose(u.number, (u.number+1+u.random.IntN(all-1))%all); m != nil {
			u.device.Say(m)
		}
		u.device.Tend()
		select {
		case <-ticker.C:
		case <-u.w.ctx.Done():
		}
	}
}

// Sent implements talk.Owner.
func (u *user) Sent(a *talk.Attempt) { u.w.sent(a) }

// Acked implements talk.Owner.
func (u *user) Acked(list []*talk.Attempt) { u.w.acked(list) }

// Arrived implements talk.Owner.
func (u *user) Arrived(e *xmpp.Element) { u.w.received(u.number, e) }

// Refused implements talk.Owner.
func (u *user) Refused(e *xmpp.Element) talk.Message {
	if m := u.w.refused(e); m != nil {
		return m
	}
	return nil
}

// Online implements talk.Owner.
func (u *user) Online(bool, bool) {}

// Ended implements talk.Owner.
func (u *user) Ended(addr string, err error) { u.w.trouble(addr, err) }

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
