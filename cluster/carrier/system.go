package carrier

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/remote"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/telemetry"
)

// What remote is set to.
const (
	// writerQueue is with how many slots of 16 bytes a node's queue begins; it grows up to twice PendingFrames.
	writerQueue = 256
	// writerBatch is how many frames go in one message.
	writerBatch = 256
	// A connection on which nothing came for alive is asked for a sign, and given up without one after silent.
	alive  = 10 * time.Second
	silent = 5 * time.Second
	// shaking is how long the handshake of who connects may take.
	shaking = 5 * time.Second
	// Bytes on the way that a reader has not taken, for a stream and for a connection.
	streamWindow = 2 << 20
	connWindow   = 4 << 20
	// answerMax is the largest message on the way back, where only refusals are.
	answerMax = 1 << 20
	headerMax = 16 << 10
)

// The names of remote's own actors.
const (
	activatorName  = "activator"
	supervisorName = "EndpointSupervisor"
)

// system is protoactor's part.
type system struct {
	actors  *actor.ActorSystem
	remote  *remote.Remote
	routers []*actor.PID
}

// starting lets one remote start at a time: it sets a variable of the process.
var starting sync.Mutex

// launch starts remote.
func launch(c *Carrier, bind string) (_ *system, err error) {
	host, port, err := net.SplitHostPort(bind)
	if err != nil {
		return nil, fmt.Errorf("carrier: %w", err)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("carrier: %q is no port", port)
	}
	actors := actor.NewActorSystem(func(cfg *actor.Config) {
		cfg.LoggerFactory = func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }
		cfg.DeadLetterThrottleInterval = time.Millisecond // a goroutine that lives as long
	})
	s := &system{actors: actors, remote: remote.NewRemote(actors, c.configure(hostOf(host), int(number)))}
	for i, name := range routers {
		pid, err := actors.Root.SpawnNamed(actor.PropsFromFunc(c.route, actor.WithDispatcher(actor.NewSynchronizedDispatcher(300))), name)
		if err != nil {
			return nil, fmt.Errorf("carrier: router %d: %w", i, err)
		}
		s.routers = append(s.routers, pid)
	}
	if err := s.start(); err != nil {
		return nil, err
	}
	actors.EventStream.Subscribe(c.event) // after remote's own subscription, so it hears what remote has already acted upon
	return s, nil
}

// hostOf puts an address of IPv6 in brackets, as remote doesn't.
func hostOf(host string) string {
	if ip := net.ParseIP(host); ip != nil && ip.To4() == nil {
		return "[" + host + "]"
	}
	return host
}

// configure is remote's configuration.
func (c *Carrier) configure(host string, port int) *remote.Config {
	tls := newSecurity(c)
	cfg := remote.Configure(host, port,
		remote.WithServerOptions(
			grpc.Creds(tls), grpc.StreamInterceptor(c.accept), grpc.UnaryInterceptor(refuse),
			grpc.MaxRecvMsgSize(MaxMessage), grpc.MaxHeaderListSize(headerMax), grpc.MaxConcurrentStreams(4), grpc.ConnectionTimeout(shaking),
			grpc.InitialWindowSize(streamWindow), grpc.InitialConnWindowSize(connWindow),
			grpc.KeepaliveParams(keepalive.ServerParameters{Time: alive, Timeout: silent}),
			grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: alive / 2, PermitWithoutStream: true}),
			grpc.WaitForHandlers(true)),
		remote.WithDialOptions(
			grpc.WithTransportCredentials(tls), grpc.WithStreamInterceptor(c.open), grpc.WithNoProxy(), grpc.WithDisableServiceConfig(),
			grpc.WithMaxHeaderListSize(headerMax), grpc.WithInitialWindowSize(streamWindow), grpc.WithInitialConnWindowSize(connWindow),
			grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: alive, Timeout: silent}),
			grpc.WithDefaultCallOptions(grpc.MaxCallSendMsgSize(MaxMessage), grpc.MaxCallRecvMsgSize(answerMax))),
		remote.WithEndpointWriterQueueSize(writerQueue),
		remote.WithEndpointWriterBatchSize(writerBatch))
	cfg.MaxRetryCount = 1 // each more leaks a connection; dialling never fails for remote anyway
	return cfg
}

// start starts remote, which panics where others return an error.
func (s *system) start() (err error) {
	starting.Lock()
	defer starting.Unlock()
	defer func() {
		if r := recover(); r != nil {
			if cause, ok := r.(error); ok {
				err = fmt.Errorf("carrier: %w", cause)
			} else {
				err = errors.New("carrier: remote can't be started")
			}
			s.end()
		}
	}()
	s.remote.Start()
	return nil
}

// stop stops what start and launch have started, once no stream to a node is left.
func (s *system) stop() {
	s.remote.Shutdown(false) // only the server, which waits for its streams
	s.end()
}

func (s *system) end() {
	pids := append([]*actor.PID{s.actors.NewLocalPID(supervisorName), s.actors.NewLocalPID(activatorName)}, s.routers...)
	for _, pid := range pids {
		if _, ok := s.actors.ProcessRegistry.GetLocal(pid.Id); ok {
			_ = s.actors.Root.StopFuture(pid).Wait() // it says no more than that it took long
		}
	}
	s.actors.Shutdown()
}

// route is what each router does. It runs on the goroutine of a stream, so that a stream is read no faster than its frames are taken. Frames of
// other peers that come meanwhile wait for that goroutine; there are no more of them than the credit of their links allows.
func (c *Carrier) route(ctx actor.Context) {
	f, ok := ctx.Message().(*nodepb.Frame)
	if !ok {
		return
	}
	defer func() {
		if r := recover(); r != nil { // else protoactor would start the router again, and stop it after ten times
			c.log.Error("a frame could not be handled", zap.Any(telemetry.KeyPanic, r), zap.StackSkip(telemetry.KeyText, 1))
		}
	}()
	c.deliver(f)
}

// event hears what remote says of its connections.
func (c *Carrier) event(e any) {
	switch e := e.(type) {
	case *remote.EndpointConnectedEvent:
		if p := c.known(e.Address); p != nil {
			p.announced()
		}
	case *remote.EndpointTerminatedEvent:
		if p := c.known(e.Address); p != nil {
			p.ended()
		}
	}
}
