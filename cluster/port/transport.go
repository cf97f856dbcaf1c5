package port

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// lookup bounds how long a name of a host is looked up: memberlist waits meanwhile.
const lookup = 5 * time.Second

// transport is memberlist's side of a Port.
type transport struct {
	port    *Port
	packets chan *memberlist.Packet
	streams chan net.Conn
	done    chan struct{}
	once    sync.Once
}

var _ memberlist.NodeAwareTransport = (*transport)(nil)

// FinalAdvertiseAddr implements memberlist.Transport. What memberlist's own configuration says goes before the Port's.
func (t *transport) FinalAdvertiseAddr(ip string, number int) (net.IP, int, error) {
	bound := t.port.Addr()
	if ip == "" && t.port.cfg.Advertise != "" {
		ip, number, _ = splitAddr(t.port.cfg.Advertise) // Start has checked it
	} else if ip == "" {
		number = 0
	}
	if number == 0 {
		number = int(bound.Port())
	}
	if ip == "" {
		addr := bound.Addr()
		if addr.IsUnspecified() {
			var err error
			if addr, err = private(net.InterfaceAddrs); err != nil {
				return nil, 0, err
			}
		}
		return addr.AsSlice(), number, nil
	}
	addr, err := resolve(ip)
	if err != nil {
		return nil, 0, err
	}
	return addr.AsSlice(), number, nil
}

// resolve returns an address of a host, an IPv4 one if there is one.
func resolve(host string) (netip.Addr, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap(), nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookup)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("port: the advertised address: %w", err)
	}
	for _, a := range addrs {
		if a = a.Unmap(); a.Is4() {
			return a, nil
		}
	}
	return addrs[0], nil
}

// private returns the first private address of the machine, an IPv4 one if there is one, else the first that is public.
func private(interfaces func() ([]net.Addr, error)) (netip.Addr, error) {
	all, err := interfaces()
	if err != nil {
		return netip.Addr{}, fmt.Errorf("port: the machine's addresses: %w", err)
	}
	var best netip.Addr
	rank := 0
	for _, a := range all {
		prefix, err := netip.ParsePrefix(a.String())
		if err != nil {
			continue
		}
		addr, r := prefix.Addr().Unmap(), 0
		switch {
		case !addr.IsGlobalUnicast():
		case addr.IsPrivate() && addr.Is4():
			r = 4
		case addr.IsPrivate():
			r = 3
		case addr.Is4():
			r = 2
		default:
			r = 1
		}
		if r > rank {
			best, rank = addr, r
		}
	}
	if rank == 0 {
		return netip.Addr{}, errors.New("port: the machine has no address that other nodes could use: say which one to advertise")
	}
	return best, nil
}

// WriteTo implements memberlist.Transport.
func (t *transport) WriteTo(b []byte, addr string) (time.Time, error) {
	to, err := netip.ParseAddrPort(addr)
	if err != nil {
		resolved, err := net.ResolveUDPAddr("udp", addr)
		if err != nil {
			return time.Time{}, fmt.Errorf("port: %w", err)
		}
		to = resolved.AddrPort()
	}
	n, err := t.port.udp.WriteToUDPAddrPort(b, netip.AddrPortFrom(to.Addr().Unmap(), to.Port()))
	if err != nil {
		return time.Now(), fmt.Errorf("port: %w", err)
	}
	t.port.stats.packetsOut.Add(1)
	t.port.stats.bytesOut.Add(uint64(n))
	return time.Now(), nil
}

// WriteToAddress implements memberlist.NodeAwareTransport.
func (t *transport) WriteToAddress(b []byte, addr memberlist.Address) (time.Time, error) {
	return t.WriteTo(b, addr.Addr)
}

// PacketCh implements memberlist.Transport.
func (t *transport) PacketCh() <-chan *memberlist.Packet { return t.packets }

// DialTimeout implements memberlist.Transport.
func (t *transport) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	conn, err := net.DialTimeout("tcp", addr, timeout)
	if err != nil {
		return nil, fmt.Errorf("port: %w", err)
	}
	return conn, nil
}

// DialAddressTimeout implements memberlist.NodeAwareTransport.
func (t *transport) DialAddressTimeout(addr memberlist.Address, timeout time.Duration) (net.Conn, error) {
	return t.DialTimeout(addr.Addr, timeout)
}

// StreamCh implements memberlist.Transport.
func (t *transport) StreamCh() <-chan net.Conn { return t.streams }

// Shutdown implements memberlist.Transport. What comes from now on is dropped; packets can still be sent until the Port is closed.
func (t *transport) Shutdown() error {
	t.once.Do(func() { close(t.done) })
	drain(t.streams)
	return nil
}

// drain closes the connections that nobody has taken up.
func drain(conns <-chan net.Conn) {
	for {
		select {
		case c := <-conns:
			_ = c.Close()
		default:
			return
		}
	}
}

// tlsListener is the TLS side of a Port.
type tlsListener struct {
	port  *Port
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

// Accept implements net.Listener.
func (l *tlsListener) Accept() (net.Conn, error) {
	select {
	case <-l.done:
		return nil, net.ErrClosed
	default:
	}
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *tlsListener) Close() error {
	l.once.Do(func() { close(l.done) })
	drain(l.conns)
	return nil
}

// Addr implements net.Listener.
func (l *tlsListener) Addr() net.Addr { return l.port.tcp.Addr() }
