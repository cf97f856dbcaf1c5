package talk

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jackdaw-im/jackdaw/client"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

// Message is one that a device sends as often as it takes, until a server is responsible for it. It is comparable: a pointer.
type Message interface {
	// Stanza is the message as it is sent.
	Stanza() []byte
}

// Attempt is one time that a message was sent.
type Attempt struct {
	// Message is what was sent.
	Message Message
	// At is when, and Addr the node's address where.
	At   time.Time
	Addr string

	refused bool // answered with an error; the device's lock guards it
}

// Owner is told what happens to a device. No method may call the device: [Owner.Sent] runs while its lock is held, the others on the
// goroutine of its connection.
type Owner interface {
	// Sent is told of each attempt before it goes out.
	Sent(*Attempt)
	// Acked is told of those that a server is responsible for. Those that were refused before aren't among them.
	Acked([]*Attempt)
	// Arrived gets each message that isn't an error.
	Arrived(*xmpp.Element)
	// Refused gets each message that is one, and returns what is to be sent again; nil: nothing.
	Refused(*xmpp.Element) Message
	// Online is told of a new connection: whether it goes on with the stream of the one before, and whether that was tried.
	Online(resumed, tried bool)
	// Ended is told why a connection to an address has ended, or could not be made.
	Ended(addr string, err error)
}

// DeviceConfig says whose device it is, and how it behaves. All but Start is needed.
type DeviceConfig struct {
	// Owner is told what happens.
	Owner Owner
	// Client returns a new configuration of its user's connections, without address and callbacks.
	Client func() *client.Config
	// Addrs are where nodes take clients, also those that are away for the moment. Each connection is to the one after that of the one
	// before, the first to number Start, in circles.
	Addrs func() []string
	Start int
	// Login is how long a login may take before the next node is tried.
	Login time.Duration
	// Patience is how long a message may stay without an answer before the connection is given up.
	Patience time.Duration
	// Rest is how long to wait, at least and at random up to Spread longer, after a connection that failed.
	Rest, Spread time.Duration
}

// Device is one user's client: it stays online as long as any node lets it in, goes on with its stream there (XEP-0198), and sends again
// what may be lost. Its methods are for any goroutine.
type Device struct {
	cfg DeviceConfig

	mu struct {
		sync.Mutex
		conn   *client.Conn         // nil: offline
		outbox []Message            // to be sent, oldest first
		last   map[Message]*Attempt // of those that were sent and have no answer
		resume *client.Resumption
		addr   string // where the connection is, or was last
		next   int    // which address is tried next
		anew   bool   // streams are not gone on with
	}
}

// NewDevice makes one that is offline until Live runs.
func NewDevice(cfg DeviceConfig) *Device {
	d := &Device{cfg: cfg}
	d.mu.next, d.mu.last = cfg.Start, map[Message]*Attempt{}
	return d
}

// Live logs in, again and again, until ctx is over.
func (d *Device) Live(ctx context.Context) {
	for ctx.Err() == nil {
		conn, err := d.dial(ctx)
		if err == nil {
			stop := context.AfterFunc(ctx, func() { _ = conn.Close() }) // the end
			d.begin(conn)
			err = conn.Run()
			stop()
			d.over(conn)
		}
		if ctx.Err() != nil {
			return
		}
		d.mu.Lock()
		addr := d.mu.addr
		d.mu.next++
		d.mu.Unlock()
		if err != nil {
			d.cfg.Owner.Ended(addr, err)
		}
		select {
		case <-time.After(d.cfg.Rest + rand.N(d.cfg.Spread)):
		case <-ctx.Done():
		}
	}
}

func (d *Device) dial(ctx context.Context) (*client.Conn, error) {
	cfg, addrs := d.cfg.Client(), d.cfg.Addrs()
	cfg.Management, cfg.OnAck, cfg.OnStanza = true, d.acked, d.stanza
	d.mu.Lock()
	d.mu.addr = addrs[d.mu.next%len(addrs)]
	cfg.Addr, cfg.Resume = d.mu.addr, d.mu.resume
	d.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, d.cfg.Login)
	defer cancel()
	return client.Dial(ctx, cfg)
}

// begin takes a connection into use: first goes again what the stream before left, then what has waited.
func (d *Device) begin(conn *client.Conn) {
	d.mu.Lock()
	tried := d.mu.resume != nil
	d.mu.conn, d.mu.resume = conn, nil
	if !conn.Resumed() {
		_ = conn.Presence(0) // a connection that has ended shows in Run
		d.carry(conn.Carried())
	}
	d.flush()
	d.mu.Unlock()
	d.cfg.Owner.Online(conn.Resumed(), tried)
}

// carry puts messages among stanzas before those that wait. The caller holds the lock.
func (d *Device) carry(stanzas []client.Sent) {
	var list []Message
	for _, s := range stanzas {
		if a, ok := s.Tag.(*Attempt); ok && !a.refused {
			list = append(list, a.Message)
		}
	}
	d.mu.outbox = append(list, d.mu.outbox...)
}

// over keeps what is left of a connection.
func (d *Device) over(conn *client.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mu.conn = nil
	if r, ok := conn.Resumption(); ok && !d.mu.anew {
		d.mu.resume = &r
		return
	}
	d.carry(conn.Unacked())
}

// Anew makes the device log in again as if it had been started anew. From then on it doesn't go on with streams.
func (d *Device) Anew() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mu.anew = true
	if d.mu.conn != nil {
		d.mu.conn.Cut()
	}
}

// At is the address of the node where the device is online; ok is false if it is offline.
func (d *Device) At() (addr string, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mu.addr, d.mu.conn != nil
}

// Say sends a message, as soon as the device is online.
func (d *Device) Say(m Message) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mu.outbox = append(d.mu.outbox, m)
	d.flush()
}

// Tend sends what waits, and gives the connection up if nothing is acknowledged on it. The owner calls it from time to time.
func (d *Device) Tend() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.flush()
	if d.mu.conn == nil {
		return
	}
	for _, s := range d.mu.conn.Unacked() {
		if a, ok := s.Tag.(*Attempt); ok {
			if time.Since(a.At) > d.cfg.Patience {
				d.mu.conn.Cut()
			}
			return // the others are younger
		}
	}
}

// flush sends what waits. The caller holds the lock.
func (d *Device) flush() {
	if d.mu.conn == nil || len(d.mu.outbox) == 0 {
		return
	}
	_ = d.mu.conn.Batch(func() {
		for len(d.mu.outbox) > 0 {
			m := d.mu.outbox[0]
			a := &Attempt{Message: m, At: time.Now(), Addr: d.mu.addr}
			d.mu.last[m] = a
			d.cfg.Owner.Sent(a)
			if errors.Is(d.mu.conn.Send(m.Stanza(), a), client.ErrClosed) {
				return // it waits for the next connection
			}
			d.mu.outbox = d.mu.outbox[1:]
		}
		_ = d.mu.conn.RequestAck() // Run tells
	})
}

// acked is the connection's OnAck.
func (d *Device) acked(_ *client.Conn, sent []client.Sent) {
	var list []*Attempt
	d.mu.Lock()
	for _, s := range sent {
		if a, ok := s.Tag.(*Attempt); ok && !a.refused {
			delete(d.mu.last, a.Message)
			list = append(list, a)
		}
	}
	d.mu.Unlock()
	if len(list) > 0 {
		d.cfg.Owner.Acked(list)
	}
}

// stanza is the connection's OnStanza.
func (d *Device) stanza(_ *client.Conn, e *xmpp.Element) {
	switch {
	case e.Name != "message":
		return
	case e.Attr("type") != "error":
		d.cfg.Owner.Arrived(e)
		return
	}
	m := d.cfg.Owner.Refused(e)
	if m == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if a := d.mu.last[m]; a != nil {
		a.refused = true // that the server has dealt with this one doesn't mean the next
		delete(d.mu.last, m)
		d.mu.outbox = append(d.mu.outbox, m)
	}
}
