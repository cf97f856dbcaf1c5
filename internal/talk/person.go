package talk

import (
	"math/rand/v2"
	"time"

	"github.com/jackdaw-im/jackdaw/client"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

const (
	// loginTime, ackTime and rest are those of a crowd's devices.
	loginTime = 8 * time.Second
	ackTime   = 10 * time.Second
	rest      = 50 * time.Millisecond
)

// message is one of a crowd's.
type message struct {
	key    Key
	stanza []byte
}

// Stanza implements Message.
func (m *message) Stanza() []byte { return m.stanza }

// person is one user of a crowd, and owner of a device.
type person struct {
	c      *Crowd
	number int
	device *Device
}

func newPerson(c *Crowd, number int) *person {
	p := &person{c: c, number: number}
	p.device = NewDevice(DeviceConfig{Owner: p, Addrs: c.cfg.Addrs, Start: number, Login: loginTime, Patience: ackTime, Rest: rest, Spread: rest,
		Client: func() *client.Config {
			return &client.Config{JID: c.jid(number) + "/crowd", Password: Password, TLS: TLS(c.cfg.Domain)}
		}})
	return p
}

// talk says something to somebody from time to time.
func (p *person) talk() {
	tick := time.NewTicker(p.c.cfg.Every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-p.c.ctx.Done():
			return
		}
		if m := p.c.say(p.number, (p.number+1+rand.IntN(p.c.cfg.Users-1))%p.c.cfg.Users); m != nil {
			p.device.Say(m)
		}
		p.device.Tend()
	}
}

// Sent implements Owner.
func (p *person) Sent(*Attempt) {}

// Acked implements Owner.
func (p *person) Acked(list []*Attempt) {
	p.c.happened(func() {
		for _, a := range list {
			p.c.mu.check.Ack(a.Message.(*message).key)
		}
	})
}

// Arrived implements Owner.
func (p *person) Arrived(e *xmpp.Element) {
	p.c.happened(func() { p.c.mu.arrive(p.number, e) })
}

// Refused implements Owner.
func (p *person) Refused(e *xmpp.Element) (again Message) {
	p.c.happened(func() {
		if m := p.c.mu.refuse(e); m != nil {
			again = m
		}
	})
	return again
}

// Online implements Owner.
func (p *person) Online(resumed, tried bool) {
	p.c.happened(func() {
		switch {
		case resumed:
			p.c.mu.resumed++
		case tried:
			p.c.mu.anew++
		}
	})
}

// Ended implements Owner: whatever it was, it goes on elsewhere.
func (p *person) Ended(string, error) {}
