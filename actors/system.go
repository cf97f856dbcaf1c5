package actors

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

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
	// OnCall, if set, hears of each call of an actor: when it begins to wait, and when it has its answer, its deadline has passed or
	// it has crashed. For tests that look for circles; it must not block.
	OnCall func(caller, callee Ref, waits bool)
}

// Activator starts the actors of a kind on their first message.
type Activator interface {
	// Activate starts ref's actor unless it runs; the message that asked for it is queued afterwards.
	Activate(ref Ref) error
}

// System is a node's actors with what runs them. NewSystem makes it, Start launches it, Stop ends it.
type System struct {
	cfg       Config
	log       *zap.Logger
	root      *actor.ActorSystem
	pool      *pool
	wheel     *wheel
	lives     atomic.Uint64 // numbers given to lives and links
	clock     atomic.Uint32 // ticks of 10 ms since the process began, about
	registry  registry
	names     names
	suspended refs // by sys
	watches   watches
	stats     stats
	router    Router
	alone     loners
	waiters   sync.Pool // of calls from outside

	mu struct {
		sync.RWMutex
		kinds      map[kindName]*kind
		activators map[string]Activator
	}
}

// kindName is what a kind is found by: the Kind of the Spec, and that of the Refs.
type kindName struct{ spec, refs string }

// kind is what all actors of one Spec share.
type kind struct {
	sys      *System
	spec     Spec
	name     string // of the Refs
	queueLen int
	batchLen int
	batches  bool // the behaviour has EndBatch
	// idleAfter is when an actor that nothing comes to is looked at first; 0 is never.
	idleAfter time.Duration
	run       func(*process, *worker)
	counter   *kindCounter
}

// OwnID as args of Spawn stands for the ID of the actor's Ref, which is there already.
var OwnID any = ownID{}

type ownID struct{}

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
	s.root.ProcessRegistry.RegisterAddressResolver(s.process)
	s.stats.samples = make([]samples, cfg.Workers)
	s.pool = newPool(cfg.Workers, s.log, &s.stats, &s.clock)
	s.alone.none.L = &s.alone.mu
	s.mu.kinds = map[kindName]*kind{}
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
	s.clock.Store(uint32(now() / tick))
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
		s.alone.wait()
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
func (s *System) Cast(to Ref, msg any) error { return s.send(to, msg, false, nil) }

// Answer sends msg as the answer to an earlier message, whose sender has reserved the room for it: it is not refused for a
// full queue.
func (s *System) Answer(to Ref, msg any) error { return s.send(to, msg, true, nil) }

// maxFinds is how many actors of one name, each of which ends before it can be given a message, a sender looks for.
const maxFinds = 64

var errNoMessage = errors.New("actors: nil is no message")

// send is from an actor on its turn, or from outside: nil.
func (s *System) send(to Ref, msg any, answer bool, from *process) error {
	if msg == nil { // which is what an empty queue gives
		return errNoMessage
	}
	if to.Kind == namedKind {
		to = s.named(to)
	}
	if s.away(to) {
		return s.export(to, msg, answer, from)
	}
	err := s.hand(to, msg, answer, from, false)
	if err == nil || err == ErrOverloaded {
		return err
	}
	if s.away(to) { // it has just moved to another node
		return s.export(to, msg, answer, from)
	}
	s.deadLetter(to, msg)
	return err
}

// hand gives a message to an actor of this node, started if it has to be. ErrNoProc: it isn't there, or is another node's by now; here says
// that it may run here, whatever the Router says.
func (s *System) hand(to Ref, msg any, answer bool, from *process, here bool) error {
	var w *worker
	if from != nil {
		w = from.worker()
	}
	for range maxFinds { // an actor that is just being passivated is followed by another
		p, err := s.resolve(to, here)
		if err != nil {
			return err
		}
		if answer {
			if p.control(msg, w) {
				return nil
			}
		} else if err := p.cast(msg, w); err != ErrNoProc {
			return err
		}
	}
	return ErrNoProc
}

func (s *System) resolve(to Ref, here bool) (*process, error) {
	p := s.registry.find(to)
	if p != nil {
		return p, nil
	}
	if !here && s.away(to) { // the one before has just left this node
		return nil, ErrNoProc
	}
	var a Activator
	for range maxFinds { // whom Activate found there may have ended since
		if p := s.registry.find(to); p != nil {
			return p, nil
		}
		if a == nil {
			if a = s.activator(to); a == nil {
				return s.ofThisNode(to)
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

// ofThisNode finds an actor of which each node has one of its own, such as a service, by a Ref that says that this node's is meant.
func (s *System) ofThisNode(to Ref) (*process, error) {
	if to.Node != "" && to.Node == s.cfg.Node {
		if p := s.registry.find(Ref{Kind: to.Kind, ID: to.ID}); p != nil {
			return p, nil
		}
	}
	return nil, ErrNoProc
}

// sinceTick is how long ago a tick of the clock was, in steps of 10 ms.
func (s *System) sinceTick(at uint32) time.Duration {
	return max(time.Duration(int32(uint32(now()/tick)-at))*tick, 0)
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
	k, err := s.kindOf(spec, ref.Kind)
	if err != nil {
		return nil, err
	}
	if ref.Node != "" && ref.Node != s.cfg.Node {
		return nil, fmt.Errorf("actors: %v can't be started on node %q", ref, s.cfg.Node)
	}
	p := &process{kind: k, id: ref.ID, args: args, owner: owner, hash: hashOf(ref.ID)}
	p.pinned = ref.Node != ""
	p.touch()
	p.q.state = queued // whoever finds it by its name must not have it run before it is known to all
	p.q.ctl.push(initMsg{}, 0)
	if old := s.registry.add(p); old != p {
		return nil, fmt.Errorf("%w: %v", ErrExists, ref)
	}
	k.counter.live.Add(1)
	if f, ok := owner.(family); ok {
		list := f.Family()
		p.q.mu.Lock()
		if p.q.phase != ended { // it has a name already, by which it may have been found and given up
			list.add(p)
		}
		p.q.mu.Unlock()
	}
	k.run(p, nil)
	return &Child{p}, nil
}

// ChildOf returns the actor of a name if owner has started it and it has not ended.
func (s *System) ChildOf(owner Owner, ref Ref) (*Child, bool) {
	p := s.registry.find(s.named(ref))
	if p == nil || p.owner != owner {
		return nil, false
	}
	return &Child{p}, true
}

// kindOf returns what the actors of a spec share, made at the first of them. Mostly their Refs have the Kind of the Spec; those that
// have another share all but the name with them.
func (s *System) kindOf(spec Spec, name string) (*kind, error) {
	s.mu.RLock()
	k := s.mu.kinds[kindName{spec.Kind, name}]
	s.mu.RUnlock()
	if k != nil {
		return k, nil
	}
	if spec.Kind == "" || spec.New == nil || name == "" || name == namedKind {
		return nil, fmt.Errorf("actors: a spec needs a Kind and New, and its actors a Ref with a Kind")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.mu.kinds[kindName{spec.Kind, name}]; k != nil {
		return k, nil
	}
	first := s.mu.kinds[kindName{spec.Kind, spec.Kind}]
	if first == nil {
		first = s.newKind(spec)
		s.mu.kinds[kindName{spec.Kind, spec.Kind}] = first
	}
	if name == spec.Kind {
		return first, nil
	}
	other := *first
	other.name = name
	s.mu.kinds[kindName{spec.Kind, name}] = &other
	return &other, nil
}

func (s *System) newKind(spec Spec) *kind {
	k := &kind{sys: s, spec: spec, name: spec.Kind, queueLen: spec.QueueLen, batchLen: spec.BatchLen, run: s.pool.put}
	k.counter = &kindCounter{handled: make([]padded, s.cfg.Workers+1)}
	if k.queueLen == 0 {
		k.queueLen = DefaultQueueLen
	}
	if k.batchLen == 0 {
		k.batchLen = DefaultBatchLen
	}
	k.idleAfter = spec.IdleTimeout
	if d := spec.HibernateAfter; d > 0 && (k.idleAfter == 0 || d < k.idleAfter) {
		k.idleAfter = d
	}
	_, k.batches = spec.New().(BatchEnder)
	if spec.Blocking {
		k.run = s.runAlone
	}
	return k
}

// loners are the goroutines of blocking actors. No WaitGroup counts them: one mustn't grow again as its last waiter leaves.
type loners struct {
	none sync.Cond // of running
	mu   struct {
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
	if len(l.mu.running) == 0 {
		l.none.Broadcast()
	}
}

// wait returns once there are none.
func (l *loners) wait() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.mu.running) > 0 {
		l.none.Wait()
	}
}

// busy names the actors that have a goroutine.
func (l *loners) busy() (refs []Ref) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p := range l.mu.running {
		refs = append(refs, p.ref())
	}
	return refs
}

// runAlone gives a blocking actor a goroutine until its queue is empty.
func (s *System) runAlone(p *process, _ *worker) {
	s.alone.note(p, 1)
	go func() {
		defer s.alone.note(p, -1)
		t := &turn{}
		for p.turn(t) {
		}
	}()
}

// left takes a message that an actor had not handled when it ended. That of one that goes on at another node goes there, and that of
// one that retired and has come back meanwhile to the next of its name.
func (s *System) left(p *process, msg any, answer bool) {
	to := p.ref()
	err := ErrNoProc
	switch {
	case s.internal(msg):
	case s.away(to):
		err = s.passOn(to, msg, answer)
	case p.retiring:
		err = s.hand(to, msg, answer, nil, false)
	}
	if err != nil {
		s.deadLetter(to, msg)
	}
}

// internal reports whether a message is the runtime's own, which is of one actor's life.
func (s *System) internal(msg any) bool {
	switch msg.(type) {
	case linkMsg, *inspectMsg, endBatch, initMsg, restartMsg, stopMsg, idleMsg, endedMsg, unlinkMsg, exitSignal, Down, timerMsg, *callExpiry,
		*callReply, retireMsg, *Undelivered:
		return true
	}
	return false
}

// deadLetter counts a message that nobody handles, and answers the call it may be.
func (s *System) deadLetter(to Ref, msg any) {
	switch m := msg.(type) {
	case *callRequest:
		(*pendingCall)(m).complete(nil, ErrNoProc, nil)
		msg = m.req
	case linkMsg:
		s.signal(m.from, m.refused(to))
		return
	case *inspectMsg:
		m.fail()
		return
	case endBatch, initMsg, restartMsg, stopMsg, idleMsg, endedMsg, unlinkMsg, exitSignal, Down, timerMsg, *callExpiry, *callReply, retireMsg:
		return // the runtime's own
	case *Undelivered:
		to, msg = m.To, m.Msg
	}
	s.counted(to, msg)
}

func (s *System) counted(to Ref, msg any) {
	s.stats.deadLetter(to.Kind)
	if s.cfg.DeadLetter != nil {
		s.cfg.DeadLetter(to, msg)
	}
}
