package actors

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"

	"github.com/jackdaw-im/jackdaw/ident"
)

// Config says how a System runs. The zero value is usable.
type Config struct {
	// Node is this node's identity; Refs pinned to it are local.
	Node ident.NodeID
	// Logger gets the system's few words; nil is silence.
	Logger *zap.Logger
	// Workers is how many turns run at a time; 0 is one per core.
	Workers int
	// DeadLetter, if set, sees each message that nobody handles. It must not block.
	DeadLetter func(to Ref, msg any)
}

// Router sends what isn't for this node.
type Router interface {
	// Route takes msg for a Ref that may live elsewhere. It reports false if the Ref is this node's after all.
	Route(to Ref, msg any) (taken bool, err error)
}

// Activator starts the actors of a kind on their first message.
type Activator interface {
	// Activate starts ref's actor unless it runs; the message that asked for it is queued afterwards.
	Activate(ref Ref) error
}

// System is a node's actors with what runs them. NewSystem makes it, Start launches it, Stop ends it.
type System struct {
	cfg      Config
	log      *zap.Logger
	root     *actor.ActorSystem
	pool     *pool
	wheel    *wheel
	registry registry
	watches  watches
	stats    stats
	router   Router
	alone    loners

	mu struct {
		sync.RWMutex
		kinds      map[string]*kind
		activators map[string]Activator
	}
}

// kind is what all actors of one Spec share.
type kind struct {
	spec     Spec
	props    *actor.Props
	queueLen int
	batchLen int
	batches  bool // the behaviour has EndBatch
	run      func(*process)

	mu      sync.Mutex // one spawn at a time: next is handed to protoactor's producers
	next    *process
	counter kindCounter
}

// NewSystem returns a system that runs nothing yet.
func NewSystem(cfg Config) *System {
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	if cfg.Workers == 0 {
		cfg.Workers = runtime.GOMAXPROCS(0)
	}
	s := &System{cfg: cfg, log: cfg.Logger, wheel: newWheel()}
	quiet := cfg.Logger.WithOptions(zap.IncreaseLevel(zap.WarnLevel))
	s.root = actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
		return slog.New(zapslog.NewHandler(quiet.Core()))
	}))
	s.pool = newPool(cfg.Workers, s.log, &s.stats)
	s.mu.kinds = map[string]*kind{}
	s.mu.activators = map[string]Activator{}
	return s
}

// Node returns this node's identity.
func (s *System) Node() ident.NodeID { return s.cfg.Node }

// Log returns the system's logger.
func (s *System) Log() *zap.Logger { return s.log }

// SetRouter installs what takes messages for other nodes; before Start, once.
func (s *System) SetRouter(r Router) { s.router = r }

// SetActivator makes Refs of a kind start their actors on the first message; nil ends that.
func (s *System) SetActivator(kind string, a Activator) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a == nil {
		delete(s.mu.activators, kind)
		return
	}
	s.mu.activators[kind] = a
}

// Start launches the workers and the timing wheel.
func (s *System) Start() error {
	s.wheel.launch()
	s.pool.start()
	return nil
}

// maxNamed is how many actors an error names.
const maxNamed = 10

// Stop ends the workers and the wheel and waits for them until ctx is over. The supervision tree is stopped before; what
// hangs even so is left behind, and named in the error.
func (s *System) Stop(ctx context.Context) error {
	s.wheel.halt()
	s.pool.halt()
	s.root.Shutdown()
	done := make(chan struct{})
	go func() {
		s.pool.wg.Wait()
		s.alone.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		left := append(s.pool.busy(), s.alone.busy()...)
		more := ""
		if n := len(left); n > maxNamed {
			left, more = left[:maxNamed], fmt.Sprintf(" and %d more", n-maxNamed)
		}
		return fmt.Errorf("actors: handlers that don't return are left behind: %v%s: %w", left, more, ctx.Err())
	}
}

// Cast sends msg to an actor and expects no answer. ErrOverloaded: its queue is full. ErrNoProc: it isn't there.
func (s *System) Cast(to Ref, msg any) error { return s.send(to, msg, false) }

// Answer sends msg as the answer to an earlier message, whose sender has reserved the room for it: it is not refused for a
// full queue.
func (s *System) Answer(to Ref, msg any) error { return s.send(to, msg, true) }

// maxFinds is how many actors of one name, each of which ends before it can be given a message, a sender looks for.
const maxFinds = 64

var errNoMessage = errors.New("actors: nil is no message")

func (s *System) send(to Ref, msg any, answer bool) error {
	if msg == nil { // which is what an empty queue gives
		return errNoMessage
	}
	if s.router != nil && to.Node != s.cfg.Node {
		if taken, err := s.router.Route(to, msg); taken {
			return err
		}
	}
	for range maxFinds { // an actor that is just being passivated is followed by another
		p, err := s.resolve(to)
		if err != nil {
			s.deadLetter(to, msg)
			return err
		}
		if answer {
			if p.control(msg) {
				return nil
			}
		} else if err := p.cast(msg); err != ErrNoProc {
			return err
		}
		s.registry.remove(p) // it has ended, and is about to do so itself
	}
	s.deadLetter(to, msg)
	return ErrNoProc
}

func (s *System) resolve(to Ref) (*process, error) {
	var a Activator
	for range maxFinds { // whom Activate found there may have ended since
		if p := s.registry.find(to); p != nil {
			return p, nil
		}
		if a == nil {
			if a = s.activator(to); a == nil {
				return nil, ErrNoProc
			}
		}
		if err := a.Activate(to); err != nil {
			return nil, err
		}
	}
	if p := s.registry.find(to); p != nil {
		return p, nil
	}
	return nil, ErrNoProc
}

// activator is what starts an actor of that name on demand; nil: nothing does.
func (s *System) activator(to Ref) Activator {
	if to.Node != "" {
		return nil
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.mu.activators[to.Kind]
}

// Spawn starts an actor for a supervisor. Its Init runs on its own first turn; until then its queue holds what comes.
// ErrExists: the Ref is taken.
func (s *System) Spawn(spec Spec, ref Ref, args any, owner Owner) (*Child, error) {
	k, err := s.kindOf(spec)
	if err != nil {
		return nil, err
	}
	p := &process{sys: s, kind: k, ref: ref, args: args, owner: owner}
	p.ctx.p = p
	p.home = uint32(shardOf(ref))
	p.q.state = queued // who finds it by its name from now on must not have it run before protoactor knows it
	if old := s.registry.add(p); old != p {
		return nil, fmt.Errorf("%w: %v", ErrExists, ref)
	}
	k.mu.Lock()
	k.next = p
	s.root.Root.Spawn(k.props)
	k.next = nil
	k.mu.Unlock()
	k.counter.live.Add(1)
	p.touch()
	p.q.mu.Lock()
	if p.q.phase != ended {
		p.q.pushControl(initMsg{})
	}
	p.q.mu.Unlock()
	k.run(p)
	return &Child{p}, nil
}

// Children calls f for every actor that owner has started and that has not ended. It walks over all actors: it is for
// shutdown and dumps.
func (s *System) Children(owner Owner, f func(*Child)) {
	s.registry.each(func(p *process) {
		if p.owner == owner {
			f(&Child{p})
		}
	})
}

// kindOf returns what the actors of a spec share, made at the first of them.
func (s *System) kindOf(spec Spec) (*kind, error) {
	s.mu.RLock()
	k := s.mu.kinds[spec.Kind]
	s.mu.RUnlock()
	if k != nil {
		return k, nil
	}
	if spec.Kind == "" || spec.New == nil {
		return nil, fmt.Errorf("actors: a spec needs a Kind and New")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.mu.kinds[spec.Kind]; k != nil {
		return k, nil
	}
	k = &kind{spec: spec, queueLen: spec.QueueLen, batchLen: spec.BatchLen, run: s.pool.put}
	if k.queueLen == 0 {
		k.queueLen = DefaultQueueLen
	}
	if k.batchLen == 0 {
		k.batchLen = DefaultBatchLen
	}
	_, k.batches = spec.New().(BatchEnder)
	if spec.Blocking {
		k.run = s.runAlone
	}
	k.props = actor.PropsFromProducer(func() actor.Actor { return k.next }, actor.WithMailbox(func() actor.Mailbox { return k.next }))
	s.mu.kinds[spec.Kind] = k
	return k, nil
}

// loners are the goroutines of blocking actors.
type loners struct {
	sync.WaitGroup
	mu struct {
		sync.Mutex
		running map[*process]int
	}
}

// note books a goroutine of p that begins or ends. The next one may begin before the last has ended.
func (l *loners) note(p *process, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.running == nil {
		l.mu.running = map[*process]int{}
	}
	if l.mu.running[p] += n; l.mu.running[p] == 0 {
		delete(l.mu.running, p)
	}
}

// busy names the actors that have a goroutine.
func (l *loners) busy() (refs []Ref) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p := range l.mu.running {
		refs = append(refs, p.ref)
	}
	return refs
}

// runAlone gives a blocking actor a goroutine until its queue is empty.
func (s *System) runAlone(p *process) {
	s.alone.Go(func() {
		s.alone.note(p, 1)
		defer s.alone.note(p, -1)
		for p.turn(nil) {
		}
	})
}

// deadLetter counts a message that nobody handles, and answers the call it may be.
func (s *System) deadLetter(to Ref, msg any) {
	switch m := msg.(type) {
	case callMsg:
		m.from.reply.complete(nil, ErrNoProc)
		msg = m.req
	case endBatch, initMsg, restartMsg, stopMsg, passivateMsg, systemMsg, Down, timerMsg, *expired, reply:
		return // the runtime's own
	}
	s.stats.deadLetter(to.Kind)
	if s.cfg.DeadLetter != nil {
		s.cfg.DeadLetter(to, msg)
	}
}
