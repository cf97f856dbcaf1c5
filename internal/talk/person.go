package talk

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jackdaw-im/jackdaw/client"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

const (
	// loginTime is how long a login may take before another node is tried.
	loginTime = 8 * time.Second
	// ackTime is how long a message may stay without an answer before the connection is given up.
	ackTime = 10 * time.Second
	// rest is how long somebody waits, at least and at random up to twice as long, after a connection that failed.
	rest = 50 * time.Millisecond
)

// message is one that somebody says, as often as it takes.
type message struct {
	id     string
	stanza []byte
	at     time.Time // when it was last sent
}

// person is one user of a crowd.
type person struct {
	c      *Crowd
	number int

	mu struct {
		sync.Mutex
		conn   *client.Conn // nil: offline
		waits  []*message   // to be sent, oldest first
		sent   map[string]*message
		resume *client.Resumption
		at     int // which address is next
	}
}

// live logs in, again and again.
func (p *person) live() {
	p.mu.Lock()
	p.mu.sent = map[string]*message{}
	p.mu.Unlock()
	for p.c.ctx.Err() == nil {
		conn, err := p.dial()
		if err == nil {
			stop := context.AfterFunc(p.c.ctx, func() { _ = conn.Close() }) // the end
			p.begin(conn)
			_ = conn.Run() // whatever it was, it goes on elsewhere
			stop()
			p.over(conn)
		}
		select {
		case <-time.After(rest + rand.N(rest)):
		case <-p.c.ctx.Done():
		}
	}
}

func (p *person) dial() (*client.Conn, error) {
	addrs := p.c.cfg.Addrs()
	p.mu.Lock()
	cfg := client.Config{
		Addr: addrs[p.mu.at%len(addrs)], JID: p.c.jid(p.number) + "/crowd", Password: Password, TLS: TLS(p.c.cfg.Domain), Management: true,
		Resume: p.mu.resume, OnAck: p.acked, OnStanza: p.stanza,
	}
	p.mu.at++
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(p.c.ctx, loginTime)
	defer cancel()
	return client.Dial(ctx, &cfg)
}

// begin takes a connection into use: first goes again what the stream before left, then what has waited.
func (p *person) begin(conn *client.Conn) {
	p.mu.Lock()
	again := p.mu.resume != nil
	p.mu.conn, p.mu.resume = conn, nil
	if !conn.Resumed() {
		_ = conn.Presence(0) // a connection that has ended shows in Run
		p.carry(conn.Carried())
	}
	p.flush()
	p.mu.Unlock()
	p.c.happened(func() {
		switch {
		case conn.Resumed():
			p.c.mu.report.Resumed++
		case again:
			p.c.mu.report.Anew++
		}
	})
}

// carry puts messages among stanzas before those that wait. The caller holds the lock.
func (p *person) carry(stanzas []client.Sent) {
	var list []*message
	for _, s := range stanzas {
		if m, ok := s.Tag.(*message); ok && p.mu.sent[m.id] == m {
			list = append(list, m)
		}
	}
	p.mu.waits = append(list, p.mu.waits...)
}

// over keeps what is left of a connection.
func (p *person) over(conn *client.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.conn = nil
	if r, ok := conn.Resumption(); ok {
		p.mu.resume = &r
		return
	}
	p.carry(conn.Unacked())
}

func (p *person) online() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.conn != nil
}

// flush sends what waits. The caller holds the lock.
func (p *person) flush() {
	if p.mu.conn == nil || len(p.mu.waits) == 0 {
		return
	}
	_ = p.mu.conn.Batch(func() {
		for len(p.mu.waits) > 0 {
			m := p.mu.waits[0]
			m.at, p.mu.sent[m.id] = time.Now(), m
			if p.mu.conn.Send(m.stanza, m) == client.ErrClosed {
				return // it waits for the next connection
			}
			p.mu.waits = p.mu.waits[1:]
		}
		_ = p.mu.conn.RequestAck() // Run tells
	})
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
		to := (p.number + 1 + rand.IntN(p.c.cfg.Users-1)) % p.c.cfg.Users
		m := p.c.say(p.number, to)
		p.mu.Lock()
		if m != nil {
			p.mu.waits = append(p.mu.waits, m)
		}
		p.flush()
		p.watch()
		p.mu.Unlock()
	}
}

// watch gives up a connection on which nothing is acknowledged. The caller holds the lock.
func (p *person) watch() {
	if p.mu.conn == nil {
		return
	}
	for _, s := range p.mu.conn.Unacked() {
		if m, ok := s.Tag.(*message); ok {
			if time.Since(m.at) > ackTime {
				p.mu.conn.Cut()
			}
			return // the others are younger
		}
	}
}

// acked is the connection's OnAck.
func (p *person) acked(_ *client.Conn, sent []client.Sent) {
	var ids []string
	p.mu.Lock()
	for _, s := range sent {
		if m, ok := s.Tag.(*message); ok && p.mu.sent[m.id] == m { // not one that was refused
			delete(p.mu.sent, m.id)
			ids = append(ids, m.id)
		}
	}
	p.mu.Unlock()
	p.c.happened(func() {
		for _, id := range ids {
			p.c.mu.ack(id)
		}
	})
}

// stanza is the connection's OnStanza.
func (p *person) stanza(_ *client.Conn, e *xmpp.Element) {
	if e.Name != "message" {
		return
	}
	id := p.c.heard(p.number, e)
	if id == "" {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if m := p.mu.sent[id]; m != nil {
		delete(p.mu.sent, id)
		// A message of its own for the next try: that the server has dealt with this one doesn't mean the next.
		p.mu.waits = append(p.mu.waits, &message{id: m.id, stanza: m.stanza})
	}
}
