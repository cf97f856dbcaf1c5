package main

import (
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"os"
	"sync"
)

// helloLen is how many bytes a connection begins with: 's' for a sender or 'r' for a recipient, and the number of the pair.
const helloLen = 5

// relay passes what sender n sends on to recipient n and answers the sender.
type relay struct {
	log *os.File // flushed before each answer; nil: nothing is kept

	mu         sync.Mutex
	recipients map[uint32]net.Conn
	wg         sync.WaitGroup
}

// serve takes connections until the listener is closed, and returns when all have ended.
func (r *relay) serve(l net.Listener, cert tls.Certificate) {
	r.recipients = map[uint32]net.Conn{}
	l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}})
	for {
		c, err := l.Accept()
		if err != nil {
			r.wg.Wait()
			return
		}
		r.wg.Go(func() {
			_ = r.pass(c) // the driver sees a connection that ends
			_ = c.Close()
		})
	}
}

// pass serves one connection.
func (r *relay) pass(c net.Conn) error {
	var hello [helloLen]byte
	if _, err := io.ReadFull(c, hello[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(hello[1:])
	if hello[0] == 'r' {
		r.mu.Lock()
		r.recipients[n] = c
		r.mu.Unlock()
		_, err := io.Copy(io.Discard, c) // acknowledgements
		return err
	}
	buf := make([]byte, 4096)
	for {
		m, err := c.Read(buf)
		if err != nil {
			return err
		}
		r.mu.Lock()
		to := r.recipients[n]
		r.mu.Unlock()
		if _, err := to.Write(buf[:m]); err != nil {
			return err
		}
		if err := r.keep(buf[:m]); err != nil {
			return err
		}
		if _, err := c.Write([]byte("<a h='1'/>")); err != nil {
			return err
		}
	}
}

func (r *relay) keep(p []byte) error {
	if r.log == nil {
		return nil
	}
	if _, err := r.log.Write(p); err != nil {
		return err
	}
	return r.log.Sync()
}
