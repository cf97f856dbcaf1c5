package gateway

import (
	"bytes"
	"errors"
	"net"
)

// maxHello is how long a ClientHello may be, records and all. The largest in use, with post-quantum keys, have 2 KiB.
const maxHello = 16 << 10

// errHello ends a connection whose ClientHello is longer than that.
var errHello = errors.New("gateway: the ClientHello is too long")

// readHello reads from conn until a whole ClientHello has come, or what can't become one. Only then is there something to
// compute, and a place needed to do it.
func readHello(conn net.Conn) ([]byte, error) {
	var room [2048]byte
	hello := room[:0]
	for !helloComplete(hello) {
		if len(hello) == maxHello {
			return nil, errHello
		}
		if len(hello) == cap(hello) {
			hello = append(make([]byte, 0, min(2*cap(hello), maxHello)), hello...)
		}
		n, err := conn.Read(hello[len(hello):cap(hello)])
		hello = hello[:len(hello)+n]
		if err != nil {
			return nil, err
		}
	}
	return bytes.Clone(hello), nil
}

// helloComplete reports whether b holds the first handshake message (RFC 8446 sections 4 and 5.1), which may be cut into
// several records, or begins with something else, which crypto/tls answers.
func helloComplete(b []byte) bool {
	const header, handshake = 5, 22
	var head [4]byte // the message's type and length
	have := 0
	for len(b) >= header && b[0] == handshake {
		n := int(b[3])<<8 | int(b[4])
		body := b[header:min(len(b), header+n)]
		if have < len(head) {
			copy(head[have:], body)
		}
		have += len(body)
		if have >= len(head) && have >= len(head)+int(head[1])<<16+int(head[2])<<8+int(head[3]) {
			return true
		}
		if len(b) < header+n {
			return false
		}
		b = b[header+n:]
	}
	return len(b) > 0 && b[0] != handshake
}
