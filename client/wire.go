package client

import (
	"fmt"
	"net"

	"github.com/jackdaw-im/jackdaw/xmpp"
)

const (
	readSize  = 4 << 10  // a connection's read buffer
	keepSize  = 16 << 10 // a larger buffer goes as soon as it is empty
	maxStanza = 1 << 20  // an inbound stanza may have so many bytes
)

// wire reads items from a stream. It belongs to one goroutine.
type wire struct {
	conn   net.Conn
	framer xmpp.Framer
	buf    []byte // buf[start:] is read and not yet taken
	start  int
}

// attach starts reading from conn, which begins with a stream header. Nothing read before counts.
func (w *wire) attach(conn net.Conn) {
	w.conn = conn
	w.buf, w.start = nil, 0
	w.restart()
}

// restart says that a new stream header comes next.
func (w *wire) restart() {
	w.framer.Reset()
	w.framer.SetLimit(maxStanza)
}

// buffered returns the next item of what was read. Its Kind is NeedMore if there is none. Raw is valid until the next fill.
func (w *wire) buffered() (xmpp.Item, error) {
	for w.start < len(w.buf) {
		item, n, err := w.framer.Next(w.buf[w.start:])
		w.start += n
		if err != nil || item.Kind != xmpp.NeedMore {
			return item, err
		}
		if n == 0 {
			break
		}
	}
	return xmpp.Item{Kind: xmpp.NeedMore}, nil
}

// fill reads once from the connection and waits for that.
func (w *wire) fill() error {
	rest := len(w.buf) - w.start
	switch {
	case w.buf == nil, rest == 0 && cap(w.buf) > keepSize:
		w.buf = make([]byte, 0, readSize)
	case w.start > 0:
		copy(w.buf[:rest], w.buf[w.start:])
		w.buf = w.buf[:rest]
	}
	w.start = 0
	if rest == cap(w.buf) {
		w.buf = append(make([]byte, 0, 2*cap(w.buf)), w.buf...)
	}
	n, err := w.conn.Read(w.buf[rest:cap(w.buf)])
	w.buf = w.buf[:rest+n]
	if n > 0 {
		return nil // an error comes again
	}
	if err != nil {
		return fmt.Errorf("client: read: %w", err)
	}
	return nil
}

// next waits for the next item.
func (w *wire) next() (xmpp.Item, error) {
	for {
		item, err := w.buffered()
		if err != nil || item.Kind != xmpp.NeedMore {
			return item, err
		}
		if err := w.fill(); err != nil {
			return item, err
		}
	}
}
