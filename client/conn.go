package client

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/jackdaw-im/jackdaw/xmpp"
)

// closeTime is how long Close waits for the server to end the stream, too.
const closeTime = 10 * time.Second

// Conn is one logged-in connection. Run must be called, by one goroutine; everything else may be called from any, also from the
// callbacks.
type Conn struct {
	cfg     *Config
	domain  string
	jid     string
	resumed bool
	carried []Sent
	wire    wire
	early   []*xmpp.Element // stanzas that came before the login was complete
	done    chan struct{}
	err     error // Run's; valid once done is closed

	mu struct {
		sync.Mutex
		conn    net.Conn
		out     []byte // collected, not written
		corked  bool   // Run will write out
		running bool   // Run handles what was read
		closing bool   // Close was called, or the server has ended the stream
		ended   bool
		sm      management
		waiting map[string]chan<- *xmpp.Element // requests without an answer
		lastID  uint64
	}
}

// JID is the bound address.
func (c *Conn) JID() string { return c.jid }

// Resumed says whether the login resumed the stream of Config.Resume.
func (c *Conn) Resumed() bool { return c.resumed }

// Carried is what the earlier stream left unacknowledged, when it could not be resumed. The server may or may not have got it:
// sending it again, with the same origin-ids, is up to the caller.
func (c *Conn) Carried() []Sent { return c.carried }

// Done is closed when Run has returned.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Err is what Run returned. It must not be called before Done is closed.
func (c *Conn) Err() error { return c.err }

// Send sends one complete stanza. With management it is kept, with the tag, until the server acknowledges it: its bytes must not
// change. After an error the stanza may have been sent, or not; with management it is among Unacked then.
func (c *Conn) Send(stanza []byte, tag any) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.ended || c.mu.closing {
		return ErrClosed
	}
	c.mu.sm.sent(Sent{Stanza: stanza, Tag: tag})
	return c.writeLocked(stanza)
}

// SendMessage sends a message.
func (c *Conn) SendMessage(m *Message, tag any) error {
	return c.Send(m.Append(make([]byte, 0, 256)), tag)
}

// Presence says that this resource is available, and wants messages with this priority: a negative one gets none that are addressed
// to the account (RFC 6121 section 8.5).
func (c *Conn) Presence(priority int) error { return c.Send(appendPresence(nil, priority), nil) }

// RequestAck asks the server to say what it has handled. The answer comes to OnAck.
func (c *Conn) RequestAck() error { return c.write([]byte("<r xmlns='" + nsSM + "'/>")) }

// Batch runs f and writes all it sends on this connection at once. f must not wait for anything that arrives.
func (c *Conn) Batch(f func()) error {
	c.mu.Lock()
	was := c.mu.corked
	c.mu.corked = true
	c.mu.Unlock()
	f()
	if was {
		return nil // Run, or an outer Batch, writes it
	}
	return c.uncork()
}

// Unacked are the stanzas which the server hasn't acknowledged, oldest first. It is empty without management.
func (c *Conn) Unacked() []Sent {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Sent(nil), c.mu.sm.queue...)
}

// Resumption is what it takes to go on with this stream on another connection. It is complete once Run has returned. ok is false if
// the server offered no resumption, or the stream was closed in order.
func (c *Conn) Resumption() (r Resumption, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.closing {
		return Resumption{}, false
	}
	return c.mu.sm.resumption(c.jid)
}

// Close ends the stream in order: what was handled is acknowledged, the end is sent, and Run returns nil when the server has ended
// the stream as well, at the latest after 10 s. Close doesn't wait for that; Done tells. The end of a stream that is closed while Run
// is in a callback is sent when the callback has returned, so that its stanza is acknowledged, too.
func (c *Conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.closing || c.mu.ended {
		return nil
	}
	c.mu.closing = true
	if c.mu.running {
		return nil // Run sends the end
	}
	c.endLocked()
	return c.flushLocked()
}

// endLocked collects the end of the stream.
func (c *Conn) endLocked() {
	if c.mu.sm.on && c.mu.sm.told != c.mu.sm.handled {
		c.mu.out = appendAck(c.mu.out, c.mu.sm.answer())
	}
	c.mu.out = append(c.mu.out, "</stream:stream>"...)
	_ = c.mu.conn.SetReadDeadline(time.Now().Add(closeTime)) // a connection that is gone ends Run anyway
}

// Cut closes the socket at once, as a lost network does. The stream can still be resumed.
func (c *Conn) Cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = abort(c.mu.conn)
}

// abort closes the socket below TLS, so that no alert is sent.
func abort(conn net.Conn) error {
	if secured, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = secured.NetConn()
	}
	return conn.Close()
}

// Run handles what arrives until the stream ends, and closes the connection. It returns nil after Close, ErrServerClosed if the
// server ended the stream in order, an *xmpp.StreamError if the server said why, or what failed.
func (c *Conn) Run() error {
	err := c.run()
	c.mu.Lock()
	c.mu.ended = true
	waiting := c.mu.waiting
	c.mu.waiting = nil
	_ = c.mu.conn.Close() // the stream is over either way
	c.mu.Unlock()
	for _, answer := range waiting {
		close(answer)
	}
	c.err = err
	close(c.done)
	return err
}

func (c *Conn) run() error {
	for {
		c.begin()
		err := c.handleBuffered()
		if flushErr := c.finish(); err == nil {
			err = flushErr
		}
		if errors.Is(err, errStreamEnd) {
			return c.serverEnded()
		}
		if err != nil {
			return err
		}
		if err := c.wire.fill(); err != nil {
			return err
		}
	}
}

// errStreamEnd says that the server sent its end tag.
var errStreamEnd = errors.New("client: stream end")

// serverEnded finishes a stream whose end tag has come.
func (c *Conn) serverEnded() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.closing {
		return nil
	}
	c.mu.closing = true
	_ = c.writeLocked([]byte("</stream:stream>")) // politeness to a server that is gone
	return ErrServerClosed
}

// handleBuffered handles all that was read.
func (c *Conn) handleBuffered() error {
	for _, e := range c.early {
		if err := c.handle(e); err != nil {
			return err
		}
	}
	c.early = nil
	for {
		item, err := c.wire.buffered()
		switch {
		case err != nil:
			return fmt.Errorf("client: %w", err)
		case item.Kind == xmpp.NeedMore:
			return nil
		case item.Kind == xmpp.StreamClose:
			return errStreamEnd
		}
		e, err := xmpp.Parse(item.Raw)
		if err != nil {
			return fmt.Errorf("client: %w", err)
		}
		if err := c.handle(e); err != nil {
			return err
		}
	}
}

// handle deals with one element of the stream.
func (c *Conn) handle(e *xmpp.Element) error {
	switch e.Space {
	case xmpp.NSClient:
		c.stanza(e)
		c.mu.Lock()
		c.mu.sm.handled++
		c.mu.Unlock()
		return nil
	case nsSM:
		return c.manage(e)
	case nsStream:
		if e.Name == "error" {
			return streamError(e)
		}
	}
	return nil // an unknown element that is no stanza: nothing to do (RFC 6120 section 4.9.3.24 lets the other side decide)
}

// stanza gives one stanza to whom it concerns.
func (c *Conn) stanza(e *xmpp.Element) {
	if e.Name == "iq" && (c.answered(e) || !c.cfg.Manual && c.reply(e)) {
		return
	}
	if c.cfg.OnStanza != nil {
		c.cfg.OnStanza(c, e)
	}
}

// begin opens Run's batch.
func (c *Conn) begin() {
	c.mu.Lock()
	c.mu.corked = true
	c.mu.running = !c.mu.closing // a stream is ended once
	c.mu.Unlock()
}

// finish writes Run's batch, and the end if the stream was closed meanwhile.
func (c *Conn) finish() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.running && c.mu.closing {
		c.endLocked()
	}
	c.mu.corked, c.mu.running = false, false
	return c.flushLocked()
}

func (c *Conn) uncork() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.corked = false
	return c.flushLocked()
}

func (c *Conn) write(b []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.ended || c.mu.closing {
		return ErrClosed
	}
	return c.writeLocked(b)
}

func (c *Conn) writeLocked(b []byte) error {
	c.mu.out = append(c.mu.out, b...)
	if c.mu.corked {
		return nil
	}
	return c.flushLocked()
}

func (c *Conn) flushLocked() error {
	if len(c.mu.out) == 0 {
		return nil
	}
	_, err := c.mu.conn.Write(c.mu.out)
	c.mu.out = c.mu.out[:0]
	if cap(c.mu.out) > readSize {
		c.mu.out = nil
	}
	if err != nil {
		return fmt.Errorf("client: write: %w", err)
	}
	return nil
}
