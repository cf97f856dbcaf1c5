package gateway

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/jackdaw-im/jackdaw/xmpp"
)

// Errors that end a connection before TLS.
var (
	errNoTLS     = errors.New("gateway: the client went on without TLS")
	errInjection = errors.New("gateway: bytes came between <starttls/> and its answer")
)

// negotiate answers the stream before TLS (RFC 6120 section 5.4). It offers nothing but STARTTLS and returns nil once
// <proceed/> is sent. Whatever else the client wants gets its error. The deadline of conn holds.
func (s *Server) negotiate(conn net.Conn) error {
	n := &negotiation{srv: s, conn: conn}
	n.framer.SetLimit(s.cfg.StanzaBytesBeforeAuth)
	buf := make([]byte, 0, 2048)
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, make([]byte, cap(buf))...)[:len(buf)]
		}
		m, err := conn.Read(buf[len(buf):cap(buf)])
		if err != nil {
			return n.lost(err)
		}
		buf = buf[:len(buf)+m]
		used, done, err := n.take(buf)
		if err != nil {
			return n.refuse(err)
		}
		buf = buf[:copy(buf, buf[used:])]
		if !done {
			continue
		}
		// White space is dropped: some clients end the line (go-sendxmpp), and it says nothing.
		if len(bytes.TrimLeft(buf, " \t\r\n")) > 0 {
			return n.refuse(errInjection)
		}
		_, err = conn.Write([]byte("<proceed xmlns='" + xmpp.NSTLS + "'/>"))
		return err
	}
}

// negotiation is one stream before TLS.
type negotiation struct {
	srv    *Server
	conn   net.Conn
	framer xmpp.Framer
	opened bool
}

// take reads the items in data. It is done once <starttls/> has come.
func (n *negotiation) take(data []byte) (used int, done bool, err error) {
	for used < len(data) && !done {
		item, m, err := n.framer.Next(data[used:])
		used += m
		if err != nil {
			return used, false, err
		}
		switch item.Kind {
		case xmpp.NeedMore:
			return used, false, nil
		case xmpp.StreamOpen:
			err = n.greet(item.Header)
		case xmpp.StreamClose:
			err = net.ErrClosed
		case xmpp.StanzaItem:
			done, err = n.request(item.Raw)
		}
		if err != nil {
			return used, false, err
		}
	}
	return used, done, nil
}

// greet answers the stream header with the one feature there is.
func (n *negotiation) greet(h xmpp.StreamHeader) error {
	if to, err := xmpp.ParseJID(h.To); h.To != "" && (err != nil || to != xmpp.JID{Domain: n.srv.cfg.Domain}) {
		return &xmpp.StreamError{Condition: xmpp.HostUnknown}
	}
	n.opened = true
	b := n.header()
	b = append(b, "<stream:features><starttls xmlns='"+xmpp.NSTLS+"'><required/></starttls></stream:features>"...)
	_, err := n.conn.Write(b)
	return err
}

func (n *negotiation) header() []byte {
	return xmpp.StreamHeader{From: n.srv.cfg.Domain, ID: streamID(), Version: "1.0"}.Append(nil)
}

// streamID makes the name of a stream, which nobody can guess (RFC 6120 section 4.7.3).
func streamID() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // it never fails: crypto/rand ends the process instead
	return hex.EncodeToString(b[:])
}

// request reads one element. Authentication without TLS gets SASL's own refusal (RFC 6120 section 6.5.4).
func (n *negotiation) request(raw []byte) (done bool, err error) {
	e, err := xmpp.Parse(raw)
	switch {
	case err != nil:
		return false, err
	case e.Space == xmpp.NSTLS && e.Name == "starttls":
		return true, nil
	case e.Space == xmpp.NSSASL && e.Name == "auth":
		_, err := n.conn.Write([]byte("<failure xmlns='" + xmpp.NSSASL + "'><encryption-required/></failure>"))
		return false, err
	}
	return false, &xmpp.StreamError{Condition: xmpp.PolicyViolation, Text: "use STARTTLS first"}
}

// lost ends a stream whose client says nothing more. One whose time is over is told so.
func (n *negotiation) lost(err error) error {
	if !errors.Is(err, os.ErrDeadlineExceeded) || n.conn.SetDeadline(time.Now().Add(closeTimeout)) != nil {
		return err
	}
	_ = n.refuse(&xmpp.StreamError{Condition: xmpp.ConnectionTimeout}) // what ended it is the time
	return err
}

// refuse tells the client what ends its stream and returns err.
func (n *negotiation) refuse(err error) error {
	var se *xmpp.StreamError
	switch {
	case errors.As(err, &se):
		n.srv.count.StreamErrors.Add(1)
	case errors.Is(err, errInjection):
		se = &xmpp.StreamError{Condition: xmpp.PolicyViolation, Text: "nothing may follow <starttls/> before TLS"}
	default:
		_, _ = n.conn.Write([]byte("</stream:stream>"))
		return err
	}
	var b []byte
	if !n.opened {
		b = n.header()
	}
	b = append(se.Append(b), "</stream:stream>"...)
	_, _ = n.conn.Write(b)
	return fmt.Errorf("%w: %w", errNoTLS, err)
}
