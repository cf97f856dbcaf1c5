package loadtest

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"
)

// Password is every user's.
const Password = "benchmark"

// Fault changes a message on its way to the recipient's queue: nil drops it, two deliver it twice. n counts messages from 1.
type Fault func(n int, raw []byte) [][]byte

// Server is the server in memory. Its methods may be called by any goroutine.
type Server struct {
	// Addr is where it listens, also after a restart.
	Addr string

	tls   *tls.Config
	fault Fault
	wg    sync.WaitGroup
	mu    struct {
		sync.Mutex
		listener net.Listener
		streams  map[*stream]bool
		queues   map[string][][]byte // bare address -> messages nobody has acknowledged
		online   map[string]*stream
		messages int
	}
}

// New starts a server that ends with the test. fault may be nil.
func New(tb testing.TB, fault Fault) *Server {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		tb.Fatal(err)
	}
	s := &Server{Addr: "127.0.0.1:0", fault: fault, tls: &tls.Config{NextProtos: []string{"xmpp-client"},
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}}
	s.mu.queues = make(map[string][][]byte)
	if err := s.Start(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Kill)
	return s
}

// Start listens again after Kill.
func (s *Server) Start(context.Context) error {
	listener, err := net.Listen("tcp", s.Addr)
	if err != nil {
		return fmt.Errorf("loadtest: %w", err)
	}
	s.Addr = listener.Addr().String()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.listener = listener
	s.mu.streams = make(map[*stream]bool)
	s.mu.online = make(map[string]*stream)
	s.wg.Go(func() { s.accept(listener) })
	return nil
}

// Kill closes every socket. What is queued stays.
func (s *Server) Kill() {
	s.mu.Lock()
	if s.mu.listener != nil {
		_ = s.mu.listener.Close() // nothing can be done
	}
	s.mu.listener = nil
	for st := range s.mu.streams {
		_ = st.socket.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
}

// Output is nothing: the server says nothing.
func (s *Server) Output() string { return "" }

// Queued is how many messages nobody has acknowledged.
func (s *Server) Queued() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range s.mu.queues {
		n += len(q)
	}
	return n
}

func (s *Server) accept(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return // killed
		}
		st := &stream{server: s, socket: conn, conn: tls.Server(conn, s.tls)}
		s.mu.Lock()
		if s.mu.listener != listener {
			_ = conn.Close() // accepted while Kill ran
		}
		s.mu.streams[st] = true
		s.mu.Unlock()
		s.wg.Go(func() {
			_ = st.serve() // every end is the same here
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.mu.streams, st)
			if s.mu.online[st.bare] == st {
				delete(s.mu.online, st.bare)
			}
			_ = conn.Close()
		})
	}
}

// deliver queues a message and writes it to whoever is there. from is the sender's full address.
func (s *Server) deliver(from, to string, raw []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.messages++
	copies := [][]byte{raw}
	if s.fault != nil {
		copies = s.fault(s.mu.messages, raw)
	}
	for _, raw := range copies {
		raw = bytes.Replace(raw, []byte("<message"), []byte("<message from='"+from+"'"), 1)
		s.mu.queues[to] = append(s.mu.queues[to], raw)
		if st := s.mu.online[to]; st != nil {
			st.push(raw)
		}
	}
}

// available writes what is queued.
func (s *Server) available(st *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.online[st.bare] = st
	for _, raw := range s.mu.queues[st.bare] {
		st.push(raw)
	}
}

// handled removes what the recipient acknowledged.
func (s *Server) handled(st *stream, h int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := h - st.acked; n > 0 && n <= len(s.mu.queues[st.bare]) {
		s.mu.queues[st.bare] = s.mu.queues[st.bare][n:]
		st.acked = h
	}
}
