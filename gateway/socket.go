package gateway

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"syscall"
	"time"
)

// errSlow ends a connection whose client doesn't read.
var errSlow = errors.New("gateway: the client does not read what it is sent")

// wouldBlock is what a read returns when only bytes already decrypted were wanted. crypto/tls goes on after it, because it
// is temporary.
type wouldBlock struct{}

func (wouldBlock) Error() string   { return "gateway: nothing more is buffered" }
func (wouldBlock) Timeout() bool   { return true }
func (wouldBlock) Temporary() bool { return true }

// secureConn is a TLS connection over a socket that never blocks a writer once nonblocking is called.
type secureConn struct {
	*tls.Conn
	sock *socket
}

// socket is the net.Conn below crypto/tls. Until nonblocking is called it passes everything through; that is how the
// handshake runs. From then on Write only gathers ciphertext, flush offers it to the system without waiting, and a
// goroutine that lives only while there is a backlog writes the rest.
type socket struct {
	net.Conn
	raw      syscall.RawConn // nil where the system has no non-blocking write
	buffered bool            // set once, before a second goroutine knows the socket
	dry      bool            // reads fail with wouldBlock; owned by the reading goroutine
	first    []byte          // the ClientHello, not yet given to crypto/tls
	turn     *turn           // the handshake's, until it is done
	writable func()
	ended    func()

	mu struct {
		sync.Mutex
		tail     []byte
		writing  int  // bytes that the goroutine is writing
		flushing bool // a goroutine owns the writing
		high     bool // the backlog went over highMark
		finish   bool // close once the tail is out
		err      error
	}
}

var tails = sync.Pool{New: func() any { b := make([]byte, 0, 4096); return &b }}

func newSocket(c net.Conn) *socket {
	s := &socket{Conn: c}
	if sc, ok := c.(syscall.Conn); ok && canWriteNow {
		if raw, err := sc.SyscallConn(); err == nil {
			s.raw = raw
		}
	}
	return s
}

// nonblocking changes the mode after the handshake. writable is called when a backlog has gone, ended when this side has
// closed the connection; neither may block.
func (s *socket) nonblocking(writable, ended func()) {
	s.buffered, s.writable, s.ended = true, writable, ended
}

// Read reads from the system, or fails with wouldBlock while the reader only wants what crypto/tls has already.
func (s *socket) Read(p []byte) (int, error) {
	switch {
	case s.dry:
		return 0, wouldBlock{}
	case len(s.first) > 0:
		n := copy(p, s.first)
		s.first = s.first[n:]
		if len(s.first) == 0 {
			s.first = nil
		}
		return n, nil
	case s.turn == nil:
		return s.Conn.Read(p)
	}
	s.turn.pause()
	n, err := s.Conn.Read(p)
	if err == nil {
		err = s.turn.resume()
	}
	return n, err
}

// Write takes ciphertext. It fails only once the connection is lost: crypto/tls never forgives a failed write.
func (s *socket) Write(p []byte) (int, error) {
	if !s.buffered {
		return s.Conn.Write(p)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.err != nil {
		return 0, s.mu.err
	}
	if s.mu.tail == nil {
		s.mu.tail = *tails.Get().(*[]byte)
	}
	s.mu.tail = append(s.mu.tail, p...)
	return len(p), nil
}

// SetWriteDeadline does nothing once writes are gathered: crypto/tls ends its side by making writes fail from then on, which
// must not reach those of what was written before.
func (s *socket) SetWriteDeadline(t time.Time) error {
	if s.buffered {
		return nil
	}
	return s.Conn.SetWriteDeadline(t)
}

// slow ends the connection of a client that has let more than maxTail pile up. It is asked before a write and not after
// it: a single stanza, however long, must not cost a connection, or it would do so again on the next one.
func (s *socket) slow() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.err == nil && len(s.mu.tail)+s.mu.writing > maxTail {
		return s.fail(errSlow)
	}
	return s.mu.err
}

// flush offers the gathered bytes to the system and returns how many it did not take.
func (s *socket) flush() (backlog int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.err != nil {
		return 0, s.mu.err
	}
	if !s.mu.flushing && len(s.mu.tail) > 0 {
		n, err := s.writeNow(s.mu.tail)
		if err != nil {
			return 0, s.fail(err)
		}
		s.mu.tail = s.mu.tail[:copy(s.mu.tail, s.mu.tail[n:])]
		if len(s.mu.tail) > 0 {
			s.mu.flushing = true
			go s.drain()
		}
	}
	backlog = len(s.mu.tail) + s.mu.writing
	s.mu.high = s.mu.high || backlog > highMark
	if len(s.mu.tail) == 0 {
		s.release()
	}
	return backlog, nil
}

// release gives the empty tail back; called with the lock held.
func (s *socket) release() {
	if t := s.mu.tail; t != nil && cap(t) <= 64<<10 {
		t = t[:0]
		tails.Put(&t)
	}
	s.mu.tail = nil
}

// fail ends the connection; called with the lock held.
func (s *socket) fail(err error) error {
	if s.mu.err == nil {
		s.mu.err = err
		s.mu.tail = nil
		_ = s.Conn.Close()
		if s.ended != nil {
			s.ended()
		}
	}
	return s.mu.err
}

// drain writes the backlog and ends with it.
func (s *socket) drain() {
	var chunk []byte
	for {
		s.mu.Lock()
		if len(s.mu.tail) == 0 || s.mu.err != nil {
			s.mu.flushing = false
			s.release()
			if s.mu.finish && s.mu.err == nil {
				s.hangUp()
			}
			s.mu.Unlock()
			return
		}
		chunk = append(chunk[:0], s.mu.tail[:min(len(s.mu.tail), highMark)]...)
		s.mu.tail = s.mu.tail[:copy(s.mu.tail, s.mu.tail[len(chunk):])]
		s.mu.writing = len(chunk)
		var err error
		if !s.mu.finish { // else all of it has one deadline
			err = s.Conn.SetWriteDeadline(time.Now().Add(maxTailAge))
		}
		s.mu.Unlock()
		if err == nil {
			_, err = s.Conn.Write(chunk)
		}
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			err = errSlow
		}
		s.mu.Lock()
		s.mu.writing = 0
		rang := err == nil && s.mu.high && len(s.mu.tail) <= lowMark
		switch {
		case err != nil:
			_ = s.fail(err)
		case rang:
			s.mu.high = false
		}
		s.mu.Unlock()
		if rang {
			s.writable()
		}
	}
}

// finish closes the sending side once the tail is out, for which it has closeTimeout, also if a write is under way; the
// reader then has as long to see the peer's own close.
func (s *socket) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.finish || s.mu.err != nil {
		return
	}
	s.mu.finish = true
	if !s.mu.flushing {
		s.hangUp()
		return
	}
	_ = s.Conn.SetWriteDeadline(time.Now().Add(closeTimeout)) // of a connection that is gone, the writer hears
}

// expect sets when reading fails. Once the connection is being finished, that has its own deadline.
func (s *socket) expect(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.mu.finish {
		_ = s.Conn.SetReadDeadline(at)
	}
}

// hangUp sends FIN; called with the lock held and nothing left to send.
func (s *socket) hangUp() {
	if half, ok := s.Conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	_ = s.Conn.SetReadDeadline(time.Now().Add(closeTimeout))
}

// lost returns why the connection ended if this side ended it.
func (s *socket) lost() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.err
}

// Close ends the connection now.
func (s *socket) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.fail(net.ErrClosed)
	return nil
}

// writeNow writes what the system takes without waiting; called with the lock held.
func (s *socket) writeNow(p []byte) (n int, err error) {
	if s.raw == nil {
		return 0, nil
	}
	cerr := s.raw.Write(func(fd uintptr) bool {
		n, err = writeFD(fd, p)
		return true
	})
	if cerr != nil {
		return 0, cerr
	}
	return n, err
}
