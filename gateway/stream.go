package gateway

import (
	"bytes"
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/session"
	"github.com/jackdaw-im/jackdaw/telemetry"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

// stream stands between one connection and its session actor: upwards it frames and parses, downwards it is the session's
// Outlet. Receive, Closed and what they own belong to the transport's goroutine; what the session touches is behind mu.
type stream struct {
	srv     *Server
	conn    Conn
	session actors.Ref

	framer xmpp.Framer
	rest   []byte // bytes of an incomplete or not yet admitted item
	rate   rate
	due    time.Duration // when the stanza that rest begins must be complete, since the server's start; 0: there is none
	ended  bool          // the session has been told Closed

	mu struct {
		sync.Mutex
		stanzas, bytes int // given to the session, not yet counted
		written        uint64
		paused         bool // the transport waits for Resume
		authed         bool
		restart        bool
		closing        bool // the session is done with the connection
	}
}

func newStream(s *Server, conn Conn) *stream {
	st := &stream{srv: s, conn: conn}
	st.framer.SetLimit(s.cfg.StanzaBytesBeforeAuth)
	st.rate.start(s.cfg.Rate, time.Since(s.start))
	return st
}

// Write implements session.Outlet.
func (st *stream) Write(out session.Out) (int, error) {
	backlog, err := st.conn.Write(out.Data)
	if err != nil {
		return backlog, err
	}
	st.srv.count.BytesOut.Add(int64(len(out.Data)))
	st.mu.Lock()
	st.mu.written += uint64(len(out.Data))
	st.mu.stanzas -= out.Stanzas
	st.mu.bytes -= out.Bytes
	st.mu.authed = st.mu.authed || out.Authed
	st.mu.restart = st.mu.restart || out.Restart
	st.mu.closing = st.mu.closing || out.Close
	resume := st.mu.paused && (st.roomLocked() || out.Restart || out.Close)
	if resume {
		st.mu.paused = false
	}
	if out.Authed {
		st.conn.Expect(0) // under the lock: a deadline for a stanza comes after it
	}
	st.mu.Unlock()
	if out.Close {
		st.conn.Finish()
	}
	if resume {
		st.conn.Resume()
	}
	return backlog, nil
}

// roomLocked says whether the session may be given another stanza. Before authentication it gets one at a time, since its
// answer may change how the next bytes are read.
func (st *stream) roomLocked() bool {
	if !st.mu.authed {
		return st.mu.stanzas == 0
	}
	return st.mu.stanzas < session.MaxUncounted && st.mu.bytes < session.MaxUncountedBytes
}

// admit books one stanza, or says that the session has enough.
func (st *stream) admit() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	if !st.roomLocked() {
		st.mu.paused = true
		return false
	}
	if st.mu.authed {
		st.framer.SetLimit(st.srv.cfg.StanzaBytes)
	}
	if st.mu.restart {
		st.mu.restart = false
		st.framer.Reset()
	}
	return true
}

// book counts one stanza as given to the session.
func (st *stream) book(size int) {
	st.mu.Lock()
	st.mu.stanzas++
	st.mu.bytes += size
	st.mu.Unlock()
}

// Receive implements Handler.
func (st *stream) Receive(p []byte) Pause {
	if st.ended || st.closing() {
		return Pause{} // the session ends the stream; what still comes is read and forgotten
	}
	data := p
	if len(st.rest) > 0 {
		data = append(st.rest, p...)
	}
	st.srv.count.BytesIn.Add(int64(len(p)))
	used, stanzas, pause := st.frame(data)
	now := time.Since(st.srv.start)
	if wait := st.rate.take(st.srv.cfg.Rate, now, stanzas, len(p)); wait > 0 && !pause.UntilResume {
		st.srv.count.RateLimited.Add(1)
		pause.For = wait
	}
	if !st.ended {
		st.keep(data, used)
		st.expect(now, used > 0, pause)
	}
	return pause
}

func (st *stream) closing() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.mu.closing
}

// frame gives every complete item of data to the session and returns how many bytes it took.
func (st *stream) frame(data []byte) (used, stanzas int, pause Pause) {
	for used < len(data) {
		if !st.admit() {
			return used, stanzas, Pause{UntilResume: true}
		}
		item, n, err := st.framer.Next(data[used:])
		used += n
		switch {
		case err != nil:
			st.fault(err)
			return len(data), stanzas, Pause{}
		case item.Kind == xmpp.NeedMore:
			return used, stanzas, Pause{}
		case item.Kind == xmpp.StreamOpen:
			st.cast(session.Opened{Header: item.Header})
		case item.Kind == xmpp.StreamClose:
			st.end(session.Closed{Reason: session.ClientClosed})
			return len(data), stanzas, Pause{}
		case item.Kind == xmpp.StanzaItem:
			elem, err := xmpp.Parse(item.Raw)
			if err != nil {
				st.fault(err)
				return len(data), stanzas, Pause{}
			}
			stanzas++
			st.book(len(item.Raw))
			st.srv.count.StanzasIn.Add(1)
			st.cast(session.Stanza{Elem: elem, Size: len(item.Raw)})
		}
	}
	return used, stanzas, Pause{}
}

// keep holds what is left for the next call. While a stanza grows it stays where it is, so that one which comes byte by
// byte isn't copied each time; what follows a complete one is copied to memory of its size.
func (st *stream) keep(data []byte, used int) {
	switch {
	case used == len(data):
		st.rest = nil
	case used == 0 && len(st.rest) > 0:
		st.rest = data
	default:
		st.rest = bytes.Clone(data[used:])
	}
}

// expect gives a client that has begun a stanza its time to complete it, from when it began. While it isn't read, time
// stands still.
func (st *stream) expect(now time.Duration, progress bool, pause Pause) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if !st.mu.authed {
		return // the time to log in runs
	}
	due := st.due
	switch {
	case len(st.rest) == 0 || pause.UntilResume:
		due = 0
	case progress || due == 0:
		due = now + st.srv.cfg.StanzaTime + pause.For
	default:
		due += pause.For
	}
	if due == st.due {
		return
	}
	if st.due = due; due == 0 {
		st.conn.Expect(0)
	} else {
		st.conn.Expect(max(due-now, 1))
	}
}

// Writable implements Handler.
func (st *stream) Writable() { st.cast(session.Writable{}) }

// Closed implements Handler.
func (st *stream) Closed(err error) {
	if errors.Is(err, errSlow) {
		st.srv.count.Slow.Add(1)
	}
	st.end(session.Closed{Reason: session.SocketLost})
	st.srv.ended(st)
}

// fault tells the session that the bytes can't be read on.
func (st *stream) fault(err error) {
	st.srv.count.StreamErrors.Add(1)
	var se *xmpp.StreamError
	if !errors.As(err, &se) {
		se = &xmpp.StreamError{Condition: xmpp.InternalServerError}
	}
	st.end(session.Closed{Reason: session.StreamFault, Err: se})
}

// shutdown asks the session to end the stream because the server stops.
func (st *stream) shutdown() { st.cast(session.Closed{Reason: session.Shutdown}) }

// end tells the session the last it hears of reading. After an orderly end or a fault the socket's own end follows; the
// session must hear of both.
func (st *stream) end(c session.Closed) {
	st.ended = true
	st.rest = nil
	if c.Reason == session.ClientClosed {
		st.mu.Lock()
		c.Written = st.mu.written
		st.mu.Unlock()
		c.AllSent = st.conn.Delivered()
	}
	st.cast(c)
}

// cast sends to the session. One that is gone has closed this connection, or its end does so here.
func (st *stream) cast(msg any) {
	if err := st.srv.cfg.Cast(st.session, msg); err != nil {
		st.srv.log.Debug("a session is gone before its connection", zap.Stringer(telemetry.KeySession, st.session), zap.Error(err))
		if !st.closing() { // else it ends once all is written
			_ = st.conn.Close()
		}
	}
}
