// Remote is protoactor-go's remote as it is: messages from outside to one actor of the other process, or to 10,000 in turn. It speaks
// without TLS.
package main

import (
	"io"
	"log/slog"
	"os"
	"strconv"
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/remote"
	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/benchmarks/links/pair"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

func main() { os.Exit(pair.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr, contestants())) }

const many = 10_000

func contestants() map[string]pair.Contestant {
	of := func(targets int) pair.Contestant {
		return pair.Contestant{
			Receive: func() (pair.Receiver, error) { return receive(targets) },
			Send:    func(hello string) (pair.Sender, error) { return send(hello, targets) },
		}
	}
	return map[string]pair.Contestant{"remote-1": of(1), "remote-10000": of(many)}
}

// launch starts an actor system with its remote.
func launch() *actor.ActorSystem {
	silent := func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }
	system := actor.NewActorSystem(actor.WithLoggerFactory(silent))
	remote.NewRemote(system, remote.Configure("127.0.0.1", 0)).Start()
	return system
}

type receiver struct {
	system *actor.ActorSystem
	sender atomic.Pointer[actor.PID]
	count  atomic.Int64
}

func receive(targets int) (pair.Receiver, error) {
	r := &receiver{system: launch()}
	for i := range targets {
		if _, err := r.system.Root.SpawnNamed(actor.PropsFromFunc(r.take), target(i)); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func target(i int) string { return "target" + strconv.Itoa(i) }

func (r *receiver) take(ctx actor.Context) {
	if _, ok := ctx.Message().(*nodepb.Envelope); !ok {
		return
	}
	if n := r.count.Add(1); n%pair.AckEach == 0 {
		ctx.Send(r.sender.Load(), &nodepb.Frame{Ack: uint64(n)})
	}
}

func (r *receiver) Hello() string { return r.system.Address() }
func (r *receiver) Count() int64  { return r.count.Load() }
func (r *receiver) Meet(addr string) error {
	r.sender.Store(actor.NewPID(addr, "acks"))
	return nil
}

type sender struct {
	system   *actor.ActorSystem
	targets  []*actor.PID
	acks     *pair.Acks
	envelope *nodepb.Envelope
	next     int
}

func send(hello string, targets int) (pair.Sender, error) {
	s := &sender{system: launch(), acks: pair.NewAcks(), envelope: envelope()}
	for i := range targets {
		s.targets = append(s.targets, actor.NewPID(hello, target(i)))
	}
	_, err := s.system.Root.SpawnNamed(actor.PropsFromFunc(func(ctx actor.Context) {
		if f, ok := ctx.Message().(*nodepb.Frame); ok {
			s.acks.Acked(int64(f.Ack))
		}
	}), "acks")
	return s, err
}

// envelope is one that is as long, encoded, as those of the others.
func envelope() *nodepb.Envelope {
	e := &nodepb.Envelope{How: nodepb.Envelope_CAST, To: &nodepb.Ref{Kind: "mailbox", Id: "romeo@montague.example"}, Body: make([]byte, 128)}
	e.Body = make([]byte, 128+pair.EnvelopeBytes-proto.Size(e))
	return e
}

func (s *sender) Hello() string { return s.system.Address() }
func (s *sender) Settle() error { return s.acks.Settle() }
func (s *sender) Send() error {
	if err := s.acks.Room(pair.Batch); err != nil {
		return err
	}
	for range pair.Batch {
		s.system.Root.Send(s.targets[s.next%len(s.targets)], s.envelope)
		s.next++
	}
	s.acks.Sent(pair.Batch)
	return nil
}
