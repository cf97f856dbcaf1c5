package main

import (
	"context"
	"net"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/jackdaw-im/jackdaw/benchmarks/links/pair"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// service is one bidirectional stream of frames.
var service = grpc.ServiceDesc{ServiceName: "Links", HandlerType: (*any)(nil), Streams: []grpc.StreamDesc{{
	StreamName: "Stream", ClientStreams: true, ServerStreams: true,
	Handler: func(srv any, s grpc.ServerStream) error { return srv.(*streamReceiver).stream(s) },
}}}

// The windows are the carrier's.
const (
	streamWindow = 2 << 20
	connWindow   = 4 << 20
)

type streamReceiver struct {
	hello string
	count atomic.Int64
}

func receiveStream() (pair.Receiver, error) {
	sender, receiver, err := pairOfKeys()
	if err != nil {
		return nil, err
	}
	server, _, err := receiver.configs(senderID)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &streamReceiver{hello: hello{l.Addr().String(), sender}.String()}
	s := grpc.NewServer(grpc.Creds(credentials.NewTLS(server)), grpc.InitialWindowSize(streamWindow), grpc.InitialConnWindowSize(connWindow))
	s.RegisterService(&service, r)
	go func() { _ = s.Serve(l) }() // until the process ends
	return r, nil
}

func (r *streamReceiver) stream(s grpc.ServerStream) error {
	for {
		f := new(nodepb.Frame)
		if err := s.RecvMsg(f); err != nil {
			return err
		}
		n := r.count.Add(int64(len(f.Envelopes)))
		if err := s.SendMsg(frameOf(receiverID, senderID, nil, n)); err != nil {
			return err
		}
	}
}

func (r *streamReceiver) Hello() string     { return r.hello }
func (r *streamReceiver) Meet(string) error { return nil }
func (r *streamReceiver) Count() int64      { return r.count.Load() }

type streamSender struct {
	stream grpc.ClientStream
	acks   *pair.Acks
	batch  [][]byte
}

func sendStream(text string) (pair.Sender, error) {
	h, err := parseHello(text)
	if err != nil {
		return nil, err
	}
	_, client, err := h.Keys.configs(receiverID)
	if err != nil {
		return nil, err
	}
	// The server's name is taken from the target.
	conn, err := grpc.NewClient("passthrough:///"+h.Addr, grpc.WithTransportCredentials(credentials.NewTLS(client)), grpc.WithAuthority(receiverID.Name()),
		grpc.WithInitialWindowSize(streamWindow), grpc.WithInitialConnWindowSize(connWindow))
	if err != nil {
		return nil, err
	}
	s := &streamSender{acks: pair.NewAcks(), batch: batchOf()}
	s.stream, err = conn.NewStream(context.Background(), &service.Streams[0], "/Links/Stream")
	if err != nil {
		return nil, err
	}
	go s.receive()
	return s, nil
}

// receive takes acknowledgements until the stream ends, which ends the run.
func (s *streamSender) receive() {
	for {
		f := new(nodepb.Frame)
		if s.stream.RecvMsg(f) != nil {
			return
		}
		s.acks.Acked(int64(f.Ack))
	}
}

func (s *streamSender) Hello() string { return "-" }
func (s *streamSender) Settle() error { return s.acks.Settle() }
func (s *streamSender) Send() error {
	if err := s.acks.Room(pair.Batch); err != nil {
		return err
	}
	s.acks.Sent(pair.Batch)
	return s.stream.SendMsg(frameOf(senderID, receiverID, s.batch, 0))
}
