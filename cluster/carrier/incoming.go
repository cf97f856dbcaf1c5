package carrier

import (
	"context"
	"fmt"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/remote"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	grpcpeer "google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/telemetry"
)

// receiveMethod is remote's only method that is served.
const receiveMethod = "/remote.Remoting/Receive"

// incoming is the stream from a node, as remote's reader sees it: one greeting, and batches of that node's frames for this one.
type incoming struct {
	grpc.ServerStream
	c       *Carrier
	node    string // by its certificate
	greeted bool
}

// accept is the interceptor of streams from nodes.
func (c *Carrier) accept(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) (err error) {
	if info.FullMethod != receiveMethod {
		return status.Error(codes.Unimplemented, "no such method")
	}
	s := &incoming{ServerStream: stream, c: c}
	if p, ok := grpcpeer.FromContext(stream.Context()); ok {
		if id, ok := p.AuthInfo.(identity); ok {
			s.node = id.node
		}
	}
	if s.node == "" {
		return status.Error(codes.Unauthenticated, "no certificate of a node")
	}
	defer func() {
		if r := recover(); r != nil {
			c.breach(s.node, fmt.Errorf("panic: %v", r))
			err = status.Error(codes.Internal, "what was sent could not be handled")
		}
	}()
	c.seen(s.node)
	return handler(srv, s)
}

// refuse is the interceptor of methods that remote has and doesn't implement.
func refuse(context.Context, any, *grpc.UnaryServerInfo, grpc.UnaryHandler) (any, error) {
	return nil, status.Error(codes.Unimplemented, "no such method")
}

// breach notes that a node has sent what it may not.
func (c *Carrier) breach(node string, err error) {
	c.count.breaches.Add(1)
	c.log.Debug("a stream is ended for what it brought", zap.String(telemetry.KeyPeer, node), zap.Error(err))
}

// RecvMsg returns the next message in which something is left for this node.
func (s *incoming) RecvMsg(m any) error {
	msg, ok := m.(*remote.RemoteMessage)
	if !ok {
		return status.Error(codes.Internal, "carrier: remote asks for what it should not")
	}
	for {
		if err := s.ServerStream.RecvMsg(msg); err != nil {
			return err
		}
		if !s.greeted {
			if err := checkGreeting(msg); err != nil {
				return s.ends(codes.InvalidArgument, err)
			}
			s.greeted = true
			return nil
		}
		batch := msg.GetMessageBatch()
		if batch == nil {
			return s.ends(codes.InvalidArgument, errForm)
		}
		if err := checkBatch(batch); err != nil {
			return s.ends(codes.InvalidArgument, err)
		}
		if err := s.filter(batch); err != nil {
			return err
		}
		if len(batch.Envelopes) > 0 {
			return nil
		}
	}
}

func (s *incoming) ends(code codes.Code, err error) error {
	s.c.breach(s.node, err)
	return status.Error(code, err.Error())
}

// filter leaves this node's frames in a batch, and answers those for another.
func (s *incoming) filter(batch *remote.MessageBatch) error {
	self, here := string(s.c.opts.Self), s.c.Addr()
	kept := batch.Envelopes[:0]
	for _, e := range batch.Envelopes {
		a, err := addressOf(e.MessageData)
		if err != nil {
			return s.ends(codes.InvalidArgument, err)
		}
		router, ok := routerOf(a.class)
		switch {
		case ident.NodeID(a.from).Name() != s.node:
			return s.ends(codes.PermissionDenied, fmt.Errorf("%s sends as %.100q", s.node, a.from))
		case !ok || batch.Targets[e.Target].Id != routers[router]:
			return s.ends(codes.InvalidArgument, fmt.Errorf("%w: of class %v for another's router", errFrame, a.class))
		case a.to == self:
			kept = append(kept, e)
		default:
			s.c.count.refused.Add(1)
			if err := s.refuse(a); err != nil {
				return err
			}
		}
	}
	batch.Envelopes = kept
	for _, t := range batch.Targets {
		t.Address = here // under whatever address the node reaches this one; remote would pass another's on
	}
	return nil
}

// refuse answers a frame that is for another incarnation. It runs on the stream's own goroutine, as remote's greeting does, so a node that
// doesn't read its answers holds up itself only.
func (s *incoming) refuse(a address) error {
	data, err := proto.Marshal(&nodepb.Frame{Version: 1, From: string(s.c.opts.Self), To: a.from, Class: a.class,
		Refused: "this is " + string(s.c.opts.Self)})
	if err != nil {
		return s.ends(codes.InvalidArgument, err)
	}
	return s.SendMsg(&remote.RemoteMessage{MessageType: &remote.RemoteMessage_MessageBatch{MessageBatch: &remote.MessageBatch{
		TypeNames: []string{typeName},
		Targets:   []*actor.PID{{Id: routers[a.class]}},
		Envelopes: []*remote.MessageEnvelope{{MessageData: data}},
	}}})
}

// deliver gives a frame to whom it is for.
func (c *Carrier) deliver(f *nodepb.Frame) {
	c.count.received.Add(1)
	c.opts.Receive(f)
}
