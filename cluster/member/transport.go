package member

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

const (
	tlsHandshake  = 0x16 // the first byte of a TLS connection (RFC 8446 section 5.1); memberlist's are others
	firstByte     = 10 * time.Second
	unsortedMost  = 1024 // connections whose first byte has not come; more are closed
	joinersQueued = 64
)

// Transport is the cluster address: gossip by UDP and TCP, and on the same TCP port, told apart by their first byte, the TLS connections
// of those who want to join, for Joiners.
type Transport struct {
	*memberlist.NetTransport
	advertised string // an IP address, "": that of the listener
	port       int
	ctx        context.Context
	cancel     context.CancelFunc
	streams    chan net.Conn
	joiners    chan net.Conn
	room       chan struct{} // one for each connection that is being sorted
	sorting    sync.WaitGroup
}

// Listen opens a cluster address: bind is HOST:PORT, port 0 for any that is free. advertise, HOST:PORT, is what others are told; "" is
// what is bound, and port 0 the bound port. Host names are looked up once. Shutdown closes it.
func Listen(bind, advertise string) (*Transport, error) {
	ip, port, err := resolve(bind)
	if err != nil {
		return nil, fmt.Errorf("member: the cluster's address: %w", err)
	}
	if ip == "" {
		ip = "0.0.0.0"
	}
	t := &Transport{streams: make(chan net.Conn), joiners: make(chan net.Conn, joinersQueued), room: make(chan struct{}, unsortedMost)}
	if advertise != "" {
		if t.advertised, t.port, err = resolve(advertise); err != nil {
			return nil, fmt.Errorf("member: the advertised address: %w", err)
		}
	}
	t.NetTransport, err = memberlist.NewNetTransport(&memberlist.NetTransportConfig{BindAddrs: []string{ip}, BindPort: port,
		Logger: log.New(io.Discard, "", 0)})
	if err != nil {
		return nil, fmt.Errorf("member: %w", err)
	}
	if t.port == 0 {
		t.port = t.GetAutoBindPort()
	}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	t.sorting.Go(t.accept)
	return t, nil
}

// resolve returns the IP address and the port of a HOST:PORT; an IPv4 address where there are both.
func resolve(addr string) (ip string, port int, err error) {
	host, service, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, err
	}
	if port, err = strconv.Atoi(service); err != nil || port < 0 || port > 1<<16-1 {
		return "", 0, fmt.Errorf("%q is no port", service)
	}
	if host == "" || net.ParseIP(host) != nil {
		return host, port, nil
	}
	ips, err := net.LookupIP(host)
	if err != nil {
		return "", 0, err
	}
	best := ips[0]
	for _, ip := range ips {
		if ip.To4() != nil {
			best = ip
			break
		}
	}
	return best.String(), port, nil
}

// accept sorts connections by their first byte, until Shutdown.
func (t *Transport) accept() {
	for {
		select {
		case <-t.ctx.Done():
			return
		case c := <-t.NetTransport.StreamCh():
			select {
			case t.room <- struct{}{}:
				t.sorting.Go(func() {
					t.sort(c)
					<-t.room
				})
			default:
				_ = c.Close()
			}
		}
	}
}

// sort waits for a connection's first byte and gives it to whom it belongs.
func (t *Transport) sort(c net.Conn) {
	stop := context.AfterFunc(t.ctx, func() { _ = c.SetReadDeadline(time.Unix(1, 0)) })
	_ = c.SetReadDeadline(time.Now().Add(firstByte))
	r := bufio.NewReaderSize(c, 16)
	first, err := r.Peek(1)
	if !stop() || err != nil {
		_ = c.Close()
		return
	}
	_ = c.SetReadDeadline(time.Time{})
	to := t.streams
	if first[0] == tlsHandshake {
		to = t.joiners
	}
	select {
	case to <- &peeked{c, r}:
	case <-t.ctx.Done():
		_ = c.Close()
	case <-time.After(firstByte): // nobody takes it
		_ = c.Close()
	}
}

// peeked is a connection of which something has been read already.
type peeked struct {
	net.Conn
	r *bufio.Reader
}

// Read reads what was read first.
func (p *peeked) Read(b []byte) (int, error) {
	if p.r != nil {
		if p.r.Buffered() > 0 {
			return p.r.Read(b)
		}
		p.r = nil
	}
	return p.Conn.Read(b)
}

// StreamCh returns the connections of gossip.
func (t *Transport) StreamCh() <-chan net.Conn { return t.streams }

// FinalAdvertiseAddr returns the address that others are told.
func (t *Transport) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	return t.NetTransport.FinalAdvertiseAddr(t.advertised, t.port)
}

// DialAddressTimeout opens a connection. Shutdown ends the attempt.
func (t *Transport) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	d := net.Dialer{Timeout: timeout}
	return d.DialContext(t.ctx, "tcp", a.Addr)
}

// DialTimeout is DialAddressTimeout without a node's name.
func (t *Transport) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	return t.DialAddressTimeout(memberlist.Address{Addr: addr}, timeout)
}

// Shutdown closes the address and waits until everything of it has ended.
func (t *Transport) Shutdown() error {
	t.cancel()
	done := make(chan struct{})
	t.sorting.Go(func() { // the library's goroutines may be about to pass something on
		for {
			select {
			case c := <-t.NetTransport.StreamCh():
				_ = c.Close()
			case <-done:
				return
			}
		}
	})
	err := t.NetTransport.Shutdown()
	close(done)
	t.sorting.Wait()
	for {
		select {
		case c := <-t.joiners:
			_ = c.Close()
		default:
			return err
		}
	}
}

// Joiners returns the TLS connections to the cluster address, as a listener. Closing it changes nothing: Shutdown ends it.
func (t *Transport) Joiners() net.Listener { return joiners{t} }

type joiners struct{ t *Transport }

// Accept waits for the next connection, until the Transport is shut down.
func (j joiners) Accept() (net.Conn, error) {
	select {
	case c := <-j.t.joiners:
		return c, nil
	case <-j.t.ctx.Done():
		return nil, net.ErrClosed
	}
}

// Close does nothing.
func (j joiners) Close() error { return nil }

// Addr returns the address that is listened on.
func (j joiners) Addr() net.Addr {
	ip, port, err := j.t.NetTransport.FinalAdvertiseAddr("", 0)
	if err != nil {
		return &net.TCPAddr{Port: j.t.GetAutoBindPort()}
	}
	return &net.TCPAddr{IP: ip, Port: port}
}
