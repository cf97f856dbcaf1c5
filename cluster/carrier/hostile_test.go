package carrier

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/remote"
	"go.uber.org/zap/zapcore"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/cluster/link"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// raw is a client of gRPC with a bundle, as somebody has it who writes his own.
func raw(t *testing.T, b *bundle, server, addr string) *grpc.ClientConn {
	t.Helper()
	cfg := b.client("")
	cfg.ServerName = server
	cfg.InsecureSkipVerify = true
	conn, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(credentials.NewTLS(cfg)),
		grpc.WithDefaultCallOptions(grpc.MaxCallSendMsgSize(1<<30)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// greeting is what a stream has to begin with.
func greeting() *remote.RemoteMessage {
	return &remote.RemoteMessage{MessageType: &remote.RemoteMessage_ConnectRequest{ConnectRequest: &remote.ConnectRequest{
		ConnectionType: &remote.ConnectRequest_ServerConnection{ServerConnection: &remote.ServerConnection{SystemId: "x", Address: "127.0.0.1:1"}}}}}
}

// batch is one of a frame as it should be, after changes.
func batch(f *nodepb.Frame, changes ...func(*remote.MessageBatch)) *remote.RemoteMessage {
	data, err := proto.Marshal(f)
	if err != nil {
		panic(err)
	}
	b := &remote.MessageBatch{TypeNames: []string{typeName}, Targets: []*actor.PID{{Address: "anywhere:1", Id: routers[f.Class]}},
		Envelopes: []*remote.MessageEnvelope{{MessageData: data}}}
	for _, change := range changes {
		change(b)
	}
	return &remote.RemoteMessage{MessageType: &remote.RemoteMessage_MessageBatch{MessageBatch: b}}
}

// attack is what a node with a valid certificate sends, and what it gets.
type attack struct {
	name string
	msgs []*remote.RemoteMessage
	want codes.Code
}

func attacks(from, to ident.NodeID) []attack {
	good := frame(from, to, nodepb.LinkClass_MESSAGES, 1)
	bad := func(name string, change func(*remote.MessageBatch)) attack {
		return attack{name, []*remote.RemoteMessage{greeting(), batch(good, change)}, codes.InvalidArgument}
	}
	envelope := func(name string, change func(*remote.MessageEnvelope)) attack {
		return bad(name, func(b *remote.MessageBatch) { change(b.Envelopes[0]) })
	}
	target := func(id string) attack {
		return bad("for "+id, func(b *remote.MessageBatch) { b.Targets[0].Id = id })
	}
	system := func(name string, m proto.Message) attack {
		data, _ := proto.Marshal(m)
		return bad(name, func(b *remote.MessageBatch) { b.TypeNames[0], b.Envelopes[0].MessageData = name, data })
	}
	list := []attack{
		{"nothing first", []*remote.RemoteMessage{{}}, codes.InvalidArgument},
		{"a batch first", []*remote.RemoteMessage{batch(good)}, codes.InvalidArgument},
		{"a client", []*remote.RemoteMessage{{MessageType: &remote.RemoteMessage_ConnectRequest{ConnectRequest: &remote.ConnectRequest{
			ConnectionType: &remote.ConnectRequest_ClientConnection{}}}}}, codes.InvalidArgument},
		{"an empty greeting", []*remote.RemoteMessage{{MessageType: &remote.RemoteMessage_ConnectRequest{}}}, codes.InvalidArgument},
		{"two greetings", []*remote.RemoteMessage{greeting(), greeting()}, codes.InvalidArgument},
		{"nothing", []*remote.RemoteMessage{greeting(), {}}, codes.InvalidArgument},
		{"disconnect", []*remote.RemoteMessage{greeting(), {MessageType: &remote.RemoteMessage_DisconnectRequest{DisconnectRequest: &remote.DisconnectRequest{}}}}, codes.InvalidArgument},
		{"another's name", []*remote.RemoteMessage{greeting(), batch(frame("other@1", to, 1, 1))}, codes.PermissionDenied},
		{"no name", []*remote.RemoteMessage{greeting(), batch(frame("", to, 1, 1))}, codes.PermissionDenied},
		{"another class", []*remote.RemoteMessage{greeting(), batch(good, func(b *remote.MessageBatch) { b.Targets[0].Id = routers[2] })}, codes.InvalidArgument},
		bad("unknown type", func(b *remote.MessageBatch) { b.TypeNames[0] = "no.such.Type" }),
		bad("no type", func(b *remote.MessageBatch) { b.TypeNames = nil }),
		bad("two types", func(b *remote.MessageBatch) { b.TypeNames = append(b.TypeNames, "no.such.Type") }),
		bad("no target", func(b *remote.MessageBatch) { b.Targets = nil }),
		bad("senders", func(b *remote.MessageBatch) { b.Senders = []*actor.PID{{Id: "x"}} }),
		bad("request", func(b *remote.MessageBatch) { b.Targets[0].RequestId = 1 }),
		envelope("type 1", func(e *remote.MessageEnvelope) { e.TypeId = 1 }),
		envelope("type -1", func(e *remote.MessageEnvelope) { e.TypeId = -1 }),
		envelope("target 1", func(e *remote.MessageEnvelope) { e.Target = 1 }),
		envelope("target -1", func(e *remote.MessageEnvelope) { e.Target = -1 }),
		envelope("sender 1", func(e *remote.MessageEnvelope) { e.Sender = 1 }),
		envelope("sender -1", func(e *remote.MessageEnvelope) { e.Sender = -1 }),
		envelope("json", func(e *remote.MessageEnvelope) { e.SerializerId = 1 }),
		envelope("serializer 99", func(e *remote.MessageEnvelope) { e.SerializerId = 99 }),
		envelope("header", func(e *remote.MessageEnvelope) { e.MessageHeader = &remote.MessageHeader{} }),
		envelope("request of target", func(e *remote.MessageEnvelope) { e.TargetRequestId = 1 }),
		envelope("request of sender", func(e *remote.MessageEnvelope) { e.SenderRequestId = 1 }),
		envelope("half a frame", func(e *remote.MessageEnvelope) { e.MessageData = e.MessageData[:len(e.MessageData)-1] }),
		envelope("garbage", func(e *remote.MessageEnvelope) { e.MessageData = []byte("\xff\xff\xff\xff") }),
		system("actor.Stop", &actor.Stop{}),
		system("actor.PoisonPill", &actor.PoisonPill{}),
		system("actor.Watch", &actor.Watch{Watcher: &actor.PID{Address: "127.0.0.1:1", Id: "x"}}),
		system("actor.Terminated", &actor.Terminated{Who: &actor.PID{Address: "127.0.0.1:1", Id: "x"}}),
		system("remote.ActorPidRequest", &remote.ActorPidRequest{Kind: "x"}),
	}
	for _, id := range []string{"activator", "EndpointSupervisor", "eventstream", "deadletter", "$1", "", "nobody"} {
		list = append(list, target(id))
	}
	wild := batch(good)
	wild.GetMessageBatch().Envelopes = append(wild.GetMessageBatch().Envelopes, &remote.MessageEnvelope{MessageData: []byte{0x12, 0x05, 'a'}})
	return append(list, attack{"a good one and half a one", []*remote.RemoteMessage{greeting(), wild}, codes.InvalidArgument})
}

func TestAHostileNodeEndsItsStreamOnly(t *testing.T) {
	ca := newAuthority(t)
	a, b := start(t, ca, "a@1"), start(t, ca, "b@1")
	client := remote.NewRemotingClient(raw(t, ca.issue(t, "evil"), "b", b.addr))
	breaches := uint64(0)
	for _, at := range attacks("evil@1", b.id) {
		stream, err := client.Receive(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range at.msgs {
			if err := stream.Send(m); err != nil {
				break // RecvMsg tells why
			}
		}
		for err = nil; err == nil; {
			_, err = stream.Recv()
		}
		if status.Code(err) != at.want {
			t.Errorf("%s: %v", at.name, err)
		}
		breaches++
	}
	if s := b.look(); s.Stats.Breaches != breaches || s.Stats.Received != 0 || s.Loudest > zapcore.DebugLevel {
		t.Errorf("%d attacks: %+v", breaches, s)
	}
	if err := a.send(b.peer(), 1, 99); err != nil {
		t.Fatal(err)
	}
	if f := b.next().Got; f.First != 99 {
		t.Errorf("%v", f)
	}
}

// anything is a message of bytes for gRPC.
type anything struct{}

func (anything) Marshal(v any) ([]byte, error)      { return v.([]byte), nil }
func (anything) Unmarshal(data []byte, v any) error { *v.(*[]byte) = data; return nil }
func (anything) Name() string                       { return "proto" }

func TestGarbageOnAStream(t *testing.T) {
	ca := newAuthority(t)
	a, b := start(t, ca, "a@1"), start(t, ca, "b@1")
	conn := raw(t, ca.issue(t, "evil"), "b", b.addr)
	hello, _ := proto.Marshal(greeting())
	for name, msgs := range map[string][][]byte{
		"text":      {[]byte("GET / HTTP/1.1")},
		"garbage":   {hello, bytes.Repeat([]byte{0xff}, 1000)},
		"too large": {hello, make([]byte, MaxMessage+1)},
		"deep":      {hello, bytes.Repeat([]byte{0x0b}, 1<<20)},
	} {
		stream, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, receiveMethod, grpc.ForceCodec(anything{}))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range msgs {
			_ = stream.SendMsg(m) // RecvMsg tells why not
		}
		var answer []byte
		for err = nil; err == nil; {
			err = stream.RecvMsg(&answer)
		}
		if err == io.EOF {
			t.Errorf("%s: taken", name)
		}
	}
	for _, method := range []string{"/remote.Remoting/ListProcesses", "/remote.Remoting/GetProcessDiagnostics", "/remote.Remoting/Other", "/x"} {
		var answer []byte
		if err := conn.Invoke(t.Context(), method, []byte{}, &answer, grpc.ForceCodec(anything{})); err == nil {
			t.Errorf("%s is answered", method)
		}
	}
	if err := a.send(b.peer(), 1, 99); err != nil {
		t.Fatal(err)
	}
	if f := b.next().Got; f.First != 99 {
		t.Errorf("%v", f)
	}
	if r := b.look(); r.Loudest > zapcore.InfoLevel {
		t.Errorf("%+v", r)
	}
}

func TestStrangersGetNothing(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	b := start(t, ca, "b@1")
	strangers := map[string]*bundle{"another authority's": other.issue(t, "a"), "nobody's": ca.issue(t, "")}
	for name, bundle := range strangers {
		stream, err := remote.NewRemotingClient(raw(t, bundle, "b", b.addr)).Receive(t.Context())
		if err == nil {
			_ = stream.Send(greeting())
			_, err = stream.Recv()
		}
		if status.Code(err) != codes.Unavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, say := range map[string]string{"http": "GET / HTTP/1.1\r\n\r\n", "h2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "zeros": strings.Repeat("\x00", 1<<16), "nothing": ""} {
		conn, err := net.Dial("tcp", b.addr)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, say)
		if say != "" {
			_ = conn.SetReadDeadline(time.Now().Add(patience))
			if _, err := io.Copy(io.Discard, conn); err != nil && !strings.Contains(err.Error(), "reset") {
				t.Errorf("%s: %v", name, err)
			}
		}
		_ = conn.Close()
	}
	conn, err := tls.Dial("tcp", b.addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}) // without a certificate
	if err == nil {
		_, err = conn.Read(make([]byte, 1))
		_ = conn.Close()
	}
	if err == nil {
		t.Error("who has no certificate is let in")
	}
	if conn, err := tls.Dial("tcp", b.addr, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}); err == nil {
		_ = conn.Close()
		t.Error("TLS 1.2 is let in")
	}
	r := b.look()
	if !poll(func() bool { r = b.look(); return r.Stats.Strangers >= 8 }) || r.Loudest > zapcore.DebugLevel || r.Stats.Received != 0 {
		t.Errorf("%+v", r)
	}
}

// impostor answers as a node with another's certificate, or with nonsense.
type impostor struct {
	remote.UnimplementedRemotingServer
	answers []*remote.RemoteMessage
	took    chan struct{}
}

func (i *impostor) Receive(stream remote.Remoting_ReceiveServer) error {
	if _, err := stream.Recv(); err != nil {
		return err
	}
	for _, m := range i.answers {
		if err := stream.Send(m); err != nil {
			return err
		}
	}
	select {
	case i.took <- struct{}{}:
	default:
	}
	return nil // in order, after which remote would keep its endpoint for ever
}

// serve serves an impostor with a bundle.
func serve(t *testing.T, b *bundle, i *impostor) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(grpc.Creds(credentials.NewTLS(b.server())))
	remote.RegisterRemotingServer(s, i)
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(l) }()
	t.Cleanup(func() { s.Stop(); <-done })
	return l.Addr().String()
}

func TestServersThatAreNotWhatTheyShould(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	a := start(t, ca, "a@1")
	hello := &remote.RemoteMessage{MessageType: &remote.RemoteMessage_ConnectResponse{ConnectResponse: &remote.ConnectResponse{}}}
	bye := &remote.RemoteMessage{MessageType: &remote.RemoteMessage_DisconnectRequest{DisconnectRequest: &remote.DisconnectRequest{}}}
	refusal := func(from, to ident.NodeID, why string) *remote.RemoteMessage {
		f := frame(from, to, 1, 5)
		f.Refused = why
		return batch(f)
	}
	for name, c := range map[string]struct {
		bundle  *bundle
		answers []*remote.RemoteMessage
	}{
		"another authority's": {bundle: other.issue(t, "b")},
		"another node":        {bundle: ca.issue(t, "c")},
		"no greeting":         {ca.issue(t, "b"), []*remote.RemoteMessage{bye, hello}},
		"silence":             {ca.issue(t, "b"), nil},
		"the end":             {ca.issue(t, "b"), []*remote.RemoteMessage{hello}},
		"disconnects":         {ca.issue(t, "b"), []*remote.RemoteMessage{hello, bye, bye}},
		"no refusal":          {ca.issue(t, "b"), []*remote.RemoteMessage{hello, refusal("b@2", "a@1", "")}},
		"another's refusal":   {ca.issue(t, "b"), []*remote.RemoteMessage{hello, refusal("c@2", "a@1", "no")}},
		"for another":         {ca.issue(t, "b"), []*remote.RemoteMessage{hello, refusal("b@2", "a@2", "no")}},
		"garbage": {ca.issue(t, "b"), []*remote.RemoteMessage{hello, batch(frame("b@1", "a@1", 1, 1),
			func(b *remote.MessageBatch) { b.TypeNames[0] = "no.such.Type" })}},
	} {
		to := link.Peer{ID: "b@1", Addr: serve(t, c.bundle, &impostor{answers: c.answers, took: make(chan struct{}, 1)})}
		before := a.look().Stats
		a.until(func() bool { return a.look().Stats.Dials >= before.Dials+3 }, to)
		if s := a.look().Stats; s.Received != 0 || s.Dials > before.Dials+4 {
			t.Errorf("%s: %+v", name, s)
		}
	}
	to := link.Peer{ID: "b@1", Addr: serve(t, ca.issue(t, "b"), &impostor{answers: []*remote.RemoteMessage{hello, refusal("b@2", "a@1", "no")}, took: make(chan struct{}, 1)})}
	if err := a.send(to, 1, 1); err != nil {
		t.Fatal(err)
	}
	if f := a.next().Got; f.Refused != "no" {
		t.Errorf("%v", f)
	}
	if r := a.look(); r.Loudest > zapcore.InfoLevel {
		t.Errorf("%+v", r.Logs)
	}
}

func TestKeysRotate(t *testing.T) {
	old, next := newAuthority(t), newAuthority(t)
	a, b := start(t, old, "a@1"), start(t, old, "b@1")
	arrives := func(when string) {
		t.Helper()
		for len(b.got) > 0 {
			<-b.got
		}
		a.until(func() bool { return len(b.got) > 0 }, b.peer())
	}
	reconnect := func() {
		t.Helper()
		for _, deny := range []string{"a", ""} {
			b.do(order{Do: "deny", Deny: deny})
		}
	}
	arrives("at first")
	for i, step := range []struct{ a, b *bundle }{
		{old.issue(t, "a", next), old.issue(t, "b", next)}, // both trust both
		{next.issue(t, "a", old), old.issue(t, "b", next)}, // one has a new certificate
		{next.issue(t, "a", old), next.issue(t, "b", old)}, // so has the other
		{next.issue(t, "a"), next.issue(t, "b")},           // the old authority is gone
	} {
		a.do(order{Do: "bundle", Bundle: step.a})
		b.do(order{Do: "bundle", Bundle: step.b})
		connected := a.look().Stats.Connected
		reconnect()
		a.until(func() bool { return a.look().Stats.Connected > connected }, b.peer())
		arrives(fmt.Sprint(i))
	}
	b.do(order{Do: "bundle", Bundle: old.issue(t, "b")})
	reconnect()
	dials := a.look().Stats
	a.until(func() bool { return a.look().Stats.Dials >= dials.Dials+2 }, b.peer())
	if s := a.look().Stats; s.Connected != dials.Connected {
		t.Errorf("a node of the old authority is trusted: %+v", s)
	}
}

func TestARevokedNodeIsCutOff(t *testing.T) {
	ca := newAuthority(t)
	a, b := start(t, ca, "a@1"), start(t, ca, "b@1")
	a.until(func() bool { return len(b.got) > 0 }, b.peer())
	b.until(func() bool { return len(a.got) > 0 }, a.peer())
	b.do(order{Do: "deny", Deny: "a"})
	for _, n := range []*testNode{a, b} { // neither direction is left, and neither comes again
		before := n.look().Stats
		to := b
		if n == b {
			to = a
		}
		n.until(func() bool { return n.look().Stats.Dials >= before.Dials+2 }, to.peer())
		if s := n.look().Stats; s.Connected != before.Connected {
			t.Errorf("%s: %+v, %+v", n.id, before, s)
		}
	}
	received := b.look().Stats.Received
	_ = a.send(b.peer(), 1, 1)
	b.do(order{Do: "deny"})
	b.until(func() bool { return len(a.got) > 0 }, a.peer())
	if s := b.look().Stats; s.Received != received {
		t.Errorf("%+v", s)
	}
}

func TestWhoHoldsConnectionsKeepsNobodyOut(t *testing.T) {
	ca := newAuthority(t)
	a, b := start(t, ca, "a@1"), start(t, ca, "b@1")
	for range handshakes + 20 {
		conn, err := net.DialTimeout("tcp", b.addr, patience)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
	}
	if !poll(func() bool { return b.look().Stats.Strangers >= 20 }) {
		t.Errorf("%+v", b.look())
	}
	if err := a.send(b.peer(), 1, 99); err != nil {
		t.Fatal(err)
	}
	if f := b.next().Got; f.First != 99 {
		t.Errorf("%v", f)
	}
}
