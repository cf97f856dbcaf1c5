package carrier

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/remote"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// dialling is how long opening a connection may take, the greeting included.
const dialling = 10 * time.Second

// outgoing is the stream to a node, as remote's endpoint sees it. The endpoint's life is the stream's: it never fails to open, takes what is
// sent, and ends when RecvMsg says so, which it does once, as an error, and never before remote has announced the connection: else
// the announcement would open the next by itself.
type outgoing struct {
	grpc.ClientStream // nil if the node could not be reached
	p                 *peer
	cancel            context.CancelFunc
	late              *time.Timer // cancels, until the greeting is over
	greeted           bool        // RecvMsg has been called
	err               error       // why there is no stream
	told              sync.Once
	announcement      chan struct{}
}

// open is the interceptor of streams to nodes.
func (c *Carrier) open(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer,
	opts ...grpc.CallOption) (grpc.ClientStream, error) {
	p := c.known(cc.Target())
	if p == nil {
		return nil, fmt.Errorf("carrier: nothing was sent to %q", cc.Target())
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &outgoing{p: p, cancel: cancel, late: time.AfterFunc(dialling, cancel), announcement: make(chan struct{})}
	p.begin(s)
	stream, err := streamer(ctx, desc, cc, method, opts...)
	if err != nil {
		s.err = err
		return s, nil
	}
	s.ClientStream = stream
	return s, nil
}

// announce is called when remote has announced the connection.
func (s *outgoing) announce() { s.told.Do(func() { close(s.announcement) }) }

// SendMsg sends remote's greeting and its batches, cut. It returns no error: RecvMsg will.
func (s *outgoing) SendMsg(m any) error {
	if s.ClientStream == nil {
		return nil
	}
	msg, ok := m.(*remote.RemoteMessage)
	if !ok {
		return errors.New("carrier: remote sends what it should not")
	}
	batch := msg.GetMessageBatch()
	if batch == nil {
		if err := s.ClientStream.SendMsg(m); err != nil {
			s.cancel()
		}
		return nil
	}
	for rest := batch.Envelopes; len(rest) > 0; {
		n, bytes := cut(rest)
		batch.Envelopes = rest[:n]
		if err := s.ClientStream.SendMsg(m); err != nil {
			s.cancel()
			return nil
		}
		s.p.sent(s, n, bytes)
		rest = rest[n:]
	}
	return nil
}

// cut returns how many of the envelopes go in one batch, and how many bytes they carry.
func cut(envelopes []*remote.MessageEnvelope) (n, bytes int) {
	for _, e := range envelopes {
		if n > 0 && bytes+len(e.MessageData) > BatchBytes {
			break
		}
		n++
		bytes += len(e.MessageData)
	}
	return n, bytes
}

// RecvMsg returns a greeting first, and then the end.
func (s *outgoing) RecvMsg(m any) error {
	msg, ok := m.(*remote.RemoteMessage)
	if !ok {
		return errors.New("carrier: remote asks for what it should not")
	}
	if !s.greeted {
		s.greeted = true
		s.greet(msg)
		return nil
	}
	<-s.announcement
	err := s.err
	for err == nil {
		if err = s.ClientStream.RecvMsg(msg); err == nil {
			err = s.answered(msg)
		}
	}
	s.cancel()
	s.late.Stop()
	s.p.lost(s, err)
	return status.Error(codes.Unavailable, err.Error()) // never io.EOF, after which remote keeps the endpoint
}

// greet fills in the node's greeting, or what looks like one.
func (s *outgoing) greet(msg *remote.RemoteMessage) {
	if s.err == nil {
		if s.err = s.ClientStream.RecvMsg(msg); s.err == nil && msg.GetConnectResponse() == nil {
			s.err = errors.New("it doesn't greet")
		}
	}
	s.late.Stop()
	if s.err == nil {
		s.p.connected(s)
		return
	}
	proto.Reset(msg)
	msg.MessageType = &remote.RemoteMessage_ConnectResponse{ConnectResponse: &remote.ConnectResponse{}}
}

// answered takes what a node sends back on the stream to it: refusals. Everything else ends the stream.
func (s *outgoing) answered(msg *remote.RemoteMessage) error {
	batch := msg.GetMessageBatch()
	if batch == nil {
		return errors.New("it disconnects")
	}
	if err := checkBatch(batch); err != nil {
		return err
	}
	for _, e := range batch.Envelopes {
		f := new(nodepb.Frame)
		if err := proto.Unmarshal(e.MessageData, f); err != nil {
			return err
		}
		if f.Refused == "" || ident.NodeID(f.From).Name() != s.p.expects() || f.To != string(s.p.c.opts.Self) {
			return errors.New("it answers with what is no refusal of its own")
		}
		s.p.c.deliver(f)
	}
	return nil
}

// CloseSend ends the stream.
func (s *outgoing) CloseSend() error {
	if s.ClientStream == nil {
		return nil
	}
	return s.ClientStream.CloseSend()
}
