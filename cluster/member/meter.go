package member

import (
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

// Traffic counts gossip, without the headers of UDP and TCP.
type Traffic struct {
	PacketsOut, PacketsIn uint64
	BytesOut, BytesIn     uint64 // of packets
	Dials, Accepts        uint64 // connections
	StreamOut, StreamIn   uint64 // bytes in connections
}

// meter counts what passes a transport.
type meter struct {
	memberlist.NodeAwareTransport
	packets    chan *memberlist.Packet
	streams    chan net.Conn
	stop       chan struct{}
	relay      sync.WaitGroup
	begun, end sync.Once

	packetsOut, packetsIn, bytesOut, bytesIn, dials, accepts, streamOut, streamIn atomic.Uint64
}

func newMeter(t memberlist.NodeAwareTransport) *meter {
	return &meter{NodeAwareTransport: t, packets: make(chan *memberlist.Packet), streams: make(chan net.Conn), stop: make(chan struct{})}
}

func (m *meter) traffic() Traffic {
	return Traffic{m.packetsOut.Load(), m.packetsIn.Load(), m.bytesOut.Load(), m.bytesIn.Load(),
		m.dials.Load(), m.accepts.Load(), m.streamOut.Load(), m.streamIn.Load()}
}

// begin starts passing on what comes.
func (m *meter) begin() {
	m.begun.Do(func() {
		m.relay.Go(func() {
			for {
				select {
				case <-m.stop:
					return
				case p := <-m.NodeAwareTransport.PacketCh():
					m.packetsIn.Add(1)
					m.bytesIn.Add(uint64(len(p.Buf)))
					select {
					case m.packets <- p:
					case <-m.stop:
						return
					}
				case c := <-m.NodeAwareTransport.StreamCh():
					m.accepts.Add(1)
					select {
					case m.streams <- meteredConn{c, m}:
					case <-m.stop:
						_ = c.Close()
						return
					}
				}
			}
		})
	})
}

// PacketCh passes packets on.
func (m *meter) PacketCh() <-chan *memberlist.Packet {
	m.begin()
	return m.packets
}

// StreamCh passes connections on.
func (m *meter) StreamCh() <-chan net.Conn {
	m.begin()
	return m.streams
}

// WriteToAddress sends a packet.
func (m *meter) WriteToAddress(b []byte, a memberlist.Address) (time.Time, error) {
	m.packetsOut.Add(1)
	m.bytesOut.Add(uint64(len(b)))
	return m.NodeAwareTransport.WriteToAddress(b, a)
}

// DialAddressTimeout opens a connection.
func (m *meter) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	m.dials.Add(1)
	c, err := m.NodeAwareTransport.DialAddressTimeout(a, timeout)
	if err != nil {
		return nil, err
	}
	return meteredConn{c, m}, nil
}

// Shutdown ends the transport. What it still had to pass on is dropped, so that it doesn't wait for a reader that has gone.
func (m *meter) Shutdown() error {
	m.end.Do(func() { close(m.stop) })
	m.begun.Do(func() {}) // what hasn't begun doesn't begin any more
	done := make(chan struct{})
	go func() { // a transport may wait for its last packet to be taken
		for {
			select {
			case <-m.NodeAwareTransport.PacketCh():
			case c := <-m.NodeAwareTransport.StreamCh():
				_ = c.Close()
			case <-done:
				return
			}
		}
	}()
	err := m.NodeAwareTransport.Shutdown()
	close(done)
	return err
}

// wait waits until nothing is passed on any more.
func (m *meter) wait() { m.relay.Wait() }

// meteredConn counts what passes a connection.
type meteredConn struct {
	net.Conn
	m *meter
}

// Read counts what comes.
func (c meteredConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.m.streamIn.Add(uint64(n))
	return n, err
}

// Write counts what is sent.
func (c meteredConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.m.streamOut.Add(uint64(n))
	return n, err
}
