package gateway

import (
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/session"
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
	timed  bool // a deadline is set because rest holds a part of a stanza
	ended  bool // the session has been told Closed

	mu struct {
		sync.Mutex
		stanzas, bytes int // given to the session, not yet counted
		written        uint64
		paused         bool // the transport waits for Resume
		authed         bool
		restart        bool
	}
}

func newStream(s *Server, conn Conn) *stream {
	st := &stream{srv: s, conn: conn}
	st.framer.SetLimit(s.cfg.StanzaBytesBeforeAuth)
	st.rate.start(s.cfg.Rate, time.Since(s.start))
	return st
}

// begin is called once the session exists and before anything is received.
func (st *stream) begin(ref actors.Ref) {
	st.session = ref
	st.conn.Expect(st.srv.cfg.LoginTime)
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
	resume := st.mu.paused && (st.roomLocked() || out.Restart)
	if resume {
		st.mu.paused = false
	}
	st.mu.Unlock()
	if out.Authed {
		st.conn.Expect(0)
	}
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
	if st.ended {
		return Pause{} // the session ends the stream; what still comes is read and forgotten
	}
	data := p
	if len(st.rest) > 0 {
		data = append(st.rest, p...)
	}
	st.srv.count.BytesIn.Add(int64(len(p)))
	used, stanzas, pause := st.frame(data)
	st.keep(data[used:], pause)
	if wait := st.rate.take(st.srv.cfg.Rate, time.Since(st.srv.start), stanzas, len(p)); wait > 0 && !pause.UntilResume {
		st.srv.count.RateLimited.Add(1)
		pause.For = wait
	}
	return pause
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

// keep copies what is left for the next call. A client that has begun a stanza must complete it in time.
func (st *stream) keep(left []byte, pause Pause) {
	if len(left) == 0 {
		st.rest = nil
	} else {
		st.rest = append(make([]byte, 0, len(left)), left...)
	}
	st.mu.Lock()
	authed := st.mu.authed
	st.mu.Unlock()
	partial := authed && len(left) > 0 && !pause.UntilResume
	if partial != st.timed {
		st.timed = partial
		if partial {
			st.conn.Expect(st.srv.cfg.StanzaTime)
		} else {
			st.conn.Expect(0)
		}
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
		se = &xmpp.StreamError{Condition: "internal-server-error"}
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
		st.srv.log.Debug("a session is gone before its connection", zap.Stringer("session", st.session), zap.Error(err))
		_ = st.conn.Close()
	}
}
