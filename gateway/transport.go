package gateway

import (
	"net"
	"time"

	"github.com/jackdaw-im/jackdaw/actors/session"
)

// Transport carries connections whose handshake is done. There is one implementation today, with a parked goroutine per
// connection; one on epoll, and WebSocket, fit behind the same interface.
type Transport interface {
	// Start takes conn over: the handler that open returns hears what arrives on it. It returns at once; after an error
	// of open nothing has been started and the connection is still the caller's.
	Start(conn *secureConn, open func(Conn) (Handler, error)) error
}

// Handler is the side of a connection that understands its bytes. The transport calls Receive and Closed from one
// goroutine at a time and never concurrently; Writable may come from another one. None of them may block.
type Handler interface {
	// Receive is given decrypted bytes, which are valid during the call only. It says whether to pause before the next
	// call, which after a pause may come with no bytes.
	Receive(p []byte) Pause
	// Writable says that the backlog has fallen under lowMark after it had been over highMark.
	Writable()
	// Closed is the last call: the peer is gone (io.EOF), or err says what ended the connection.
	Closed(err error)
}

// Pause says how to go on after Receive. The zero value goes on at once.
type Pause struct {
	// For is how long not to read.
	For time.Duration
	// UntilResume stops the reading until Conn.Resume is called.
	UntilResume bool
}

// Conn is one connection as its handler sees it. Its methods may be called from any goroutine and never block.
type Conn interface {
	// Write sends p, or keeps what the system doesn't take at once. It returns how many bytes are kept. After an error the
	// connection is closed and Handler.Closed follows.
	Write(p []byte) (backlog int, err error)
	// Resume ends a pause.
	Resume()
	// Expect closes the connection in d, unless it is called again before then; 0 waits for ever.
	Expect(d time.Duration)
	// Finish closes the connection once everything written is out, and at the latest after closeTimeout.
	Finish()
	// Close ends the connection now; what is not out is lost.
	Close() error
	// Delivered reports whether the peer's system has acknowledged everything written. Where that can't be known it is false.
	Delivered() bool
	// RemoteAddr is the peer's address.
	RemoteAddr() net.Addr
}

// Bounds of what a connection keeps unsent, in bytes and time. A write is refused once maxTail is exceeded, so that what
// is kept is bounded by maxTail and one write.
const (
	maxTail      = 256 << 10
	highMark     = session.HighMark
	lowMark      = session.LowMark
	maxTailAge   = 30 * time.Second
	closeTimeout = 2 * time.Second
)
