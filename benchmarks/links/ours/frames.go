package main

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/jackdaw-im/jackdaw/benchmarks/links/pair"
	"github.com/jackdaw-im/jackdaw/cluster/carrier"
	"github.com/jackdaw-im/jackdaw/cluster/link"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// frameOf is a frame as links make them.
func frameOf(from, to ident.NodeID, envelopes [][]byte, ack int64) *nodepb.Frame {
	return &nodepb.Frame{Version: 1, From: string(from), To: string(to), Class: nodepb.LinkClass_MESSAGES, Epoch: 1, First: 1 << 20,
		Envelopes: envelopes, AckEpoch: 1, Ack: uint64(ack), Credit: 1 << 20}
}

// batchOf are the envelopes of a frame.
func batchOf() [][]byte {
	batch := make([][]byte, pair.Batch)
	envelope := make([]byte, pair.EnvelopeBytes)
	for i := range batch {
		batch[i] = envelope
	}
	return batch
}

// frameReceiver acknowledges each frame with one.
type frameReceiver struct {
	carrier *carrier.Carrier
	keys    *keys // the sender's
	sender  atomic.Pointer[link.Peer]
	count   atomic.Int64
}

func receiveFrames() (pair.Receiver, error) {
	sender, receiver, err := pairOfKeys()
	if err != nil {
		return nil, err
	}
	r := &frameReceiver{keys: sender}
	r.carrier, err = carry(receiverID, senderID, receiver, r.receive)
	return r, err
}

func (r *frameReceiver) receive(f *nodepb.Frame) {
	n := r.count.Add(int64(len(f.Envelopes)))
	if to := r.sender.Load(); to != nil {
		_ = r.carrier.Send(*to, frameOf(receiverID, senderID, nil, n)) // one that is lost ends the run
	}
}

func (r *frameReceiver) Hello() string { return hello{r.carrier.Addr(), r.keys}.String() }
func (r *frameReceiver) Count() int64  { return r.count.Load() }
func (r *frameReceiver) Meet(addr string) error {
	r.sender.Store(&link.Peer{ID: senderID, Addr: addr})
	return nil
}

// frameSender sends frames with a window.
type frameSender struct {
	carrier *carrier.Carrier
	to      link.Peer
	acks    *pair.Acks
	batch   [][]byte
}

func sendFrames(text string) (pair.Sender, error) {
	h, err := parseHello(text)
	if err != nil {
		return nil, err
	}
	s := &frameSender{to: link.Peer{ID: receiverID, Addr: h.Addr}, acks: pair.NewAcks(), batch: batchOf()}
	s.carrier, err = carry(senderID, receiverID, h.Keys, func(f *nodepb.Frame) { s.acks.Acked(int64(f.Ack)) })
	return s, err
}

func (s *frameSender) Hello() string { return s.carrier.Addr() }
func (s *frameSender) Settle() error { return s.acks.Settle() }
func (s *frameSender) Send() error {
	if err := s.acks.Room(pair.Batch); err != nil {
		return err
	}
	s.acks.Sent(pair.Batch)
	for {
		err := s.carrier.Send(s.to, frameOf(senderID, receiverID, s.batch, 0))
		if !errors.Is(err, carrier.ErrBusy) {
			return err
		}
		time.Sleep(time.Millisecond)
	}
}
