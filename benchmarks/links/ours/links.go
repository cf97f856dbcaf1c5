package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackdaw-im/jackdaw/benchmarks/links/pair"
	"github.com/jackdaw-im/jackdaw/cluster/carrier"
	"github.com/jackdaw-im/jackdaw/cluster/link"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// carry starts a carrier.
func carry(self, other ident.NodeID, k *keys, receive func(*nodepb.Frame)) (*carrier.Carrier, error) {
	server, client, err := k.configs(other)
	if err != nil {
		return nil, err
	}
	return carrier.New(carrier.Options{Self: self, Bind: "127.0.0.1:0", Receive: receive,
		ServerTLS: func() *tls.Config { return server }, ClientTLS: func(string) *tls.Config { return client }})
}

// connected are links over a carrier.
type connected struct {
	links   *link.Links
	carrier *carrier.Carrier
	count   atomic.Int64
	hello   string
}

// connect starts them. The carrier may receive before the links are there, so it finds them in a box.
func connect(self, other ident.NodeID, k *keys) (*connected, error) {
	c := &connected{}
	var box atomic.Pointer[link.Links]
	var err error
	c.carrier, err = carry(self, other, k, func(f *nodepb.Frame) {
		if l := box.Load(); l != nil {
			l.Receive(f)
		}
	})
	if err != nil {
		return nil, err
	}
	c.links = link.New(link.Options{Self: self, Carrier: c.carrier,
		Deliver: func(ident.NodeID, nodepb.LinkClass, []byte) { c.count.Add(1) },
		Return:  func(ident.NodeID, nodepb.LinkClass, [][]byte) {}})
	box.Store(c.links)
	c.hello = c.carrier.Addr()
	return c, nil
}

func receiveLinks() (pair.Receiver, error) {
	sender, receiver, err := pairOfKeys()
	if err != nil {
		return nil, err
	}
	c, err := connect(receiverID, senderID, receiver)
	if err != nil {
		return nil, err
	}
	c.hello = hello{c.carrier.Addr(), sender}.String()
	return c, nil
}

func sendLinks(text string) (pair.Sender, error) {
	h, err := parseHello(text)
	if err != nil {
		return nil, err
	}
	c, err := connect(senderID, receiverID, h.Keys)
	if err != nil {
		return nil, err
	}
	c.links.PeerUp(link.Peer{ID: receiverID, Addr: h.Addr})
	return &linkSender{c, make([]byte, pair.EnvelopeBytes)}, nil
}

func (c *connected) Hello() string { return c.hello }
func (c *connected) Count() int64  { return c.count.Load() }
func (c *connected) Meet(addr string) error {
	c.links.PeerUp(link.Peer{ID: senderID, Addr: addr})
	return nil
}

// linkSender sends envelopes.
type linkSender struct {
	*connected
	envelope []byte
}

func (s *linkSender) Send() error {
	for range pair.Batch {
		for {
			err := s.links.Send(receiverID, nodepb.LinkClass_MESSAGES, s.envelope, false)
			if err == nil {
				break
			}
			if !errors.Is(err, link.ErrFull) {
				return err
			}
			time.Sleep(time.Millisecond) // a full queue is several times that
		}
	}
	return nil
}

func (s *linkSender) Settle() error {
	for end := time.Now().Add(pair.Patience); time.Now().Before(end); time.Sleep(100 * time.Microsecond) {
		held := 0
		for _, stat := range s.links.Stats() {
			held += stat.Queue + stat.Unacked
		}
		if held == 0 {
			return nil
		}
	}
	return fmt.Errorf("links: not all has arrived: %+v", s.links.Stats())
}
