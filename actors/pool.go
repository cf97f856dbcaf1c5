package actors

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/telemetry"
)

// Times of the pool.
const (
	turnTime  = time.Millisecond      // after which an actor makes room for the next
	stuckTime = 10 * time.Millisecond // after which a handler's worker is replaced
	longTime  = time.Second           // after which a handler is reported
	yieldTime = time.Millisecond / 2  // after which a busy worker lets other goroutines run
	maxSpares = 1024                  // replaced workers at a time
)

// nextMax is how many actors in a row a worker runs that were woken by the one before, while others wait in its queue.
const nextMax = 64

// clockTurns is after how many turns a worker that always finds something to do looks at the clock.
const clockTurns = 64

var epoch = time.Now()

// now is a cheap monotonic time.
func now() time.Duration { return time.Since(epoch) }

// pool runs the turns of all actors that don't block. Each worker has a run queue. An actor that is woken by another runs on the
// same worker, right after it; one that is woken from outside of any actor goes where its name's hash says; and a worker whose queue
// is empty takes half of another's. A worker whose handler doesn't return is replaced, so that as many stuck handlers as there are
// cores don't stop the rest.
type pool struct {
	log     *zap.Logger
	stats   *stats
	queues  []runQueue
	current []atomic.Pointer[worker] // who serves each queue
	clock   *atomic.Uint32           // the system's tick, which the watch sets
	idle    atomic.Int32
	waking  atomic.Bool // a worker has been told to get up, and isn't up yet
	spares  atomic.Int32
	quit    atomic.Bool
	wg      sync.WaitGroup
	stop    chan struct{}

	mu   sync.Mutex
	cond *sync.Cond
	away map[*worker]bool // replaced, and not yet back from their handlers; true once reported
}

// runQueue is one worker's list of actors with something to do.
type runQueue struct {
	mu   sync.Mutex
	q    []*process
	head int
	n    atomic.Int32
	_    [64]byte
}

// worker is one goroutine of the pool. It takes actors in batches; what of its batch waits can be taken from it.
type worker struct {
	pool     *pool
	index    int
	turn     turn
	handled  atomic.Uint64           // messages begun
	running  atomic.Pointer[process] // whose turn it is; nil if it has nothing to do
	replaced atomic.Bool
	since    atomic.Int64            // when the handler that it is stuck in began, about, nanoseconds of now
	next     atomic.Pointer[process] // woken by the running one
	skip     int32                   // turns until one is sampled
	turns    uint32
	yielded  time.Duration // when it let others run last

	seen   uint64   // handled when the watch looked last; the watch's own
	seenOn *process // running then

	batch [batchMax]*process
	left  atomic.Uint64 // next<<32 | end: which of batch still wait
}

// batchMax is how many actors a worker takes at a time.
const batchMax = 64

// fill gives an empty worker n actors, which it has written to its batch.
func (w *worker) fill(n int) { w.left.Store(uint64(n)) }

// pop takes the next actor of the batch, nil if none waits.
func (w *worker) pop() *process {
	for {
		v := w.left.Load()
		next, end := v>>32, v&(1<<32-1)
		if next == end {
			return nil
		}
		if w.left.CompareAndSwap(v, (next+1)<<32|end) {
			return w.batch[next] // whoever has claimed the place reads it: nobody fills a batch that is being given back
		}
	}
}

// giveBack makes the waiting actors of a replaced worker runnable elsewhere. The worker fills its batch no more, or gives it
// back itself.
func (w *worker) giveBack() {
	for a := w.pop(); a != nil; a = w.pop() {
		w.pool.put(a, nil)
	}
	if a := w.next.Swap(nil); a != nil {
		w.pool.put(a, nil)
	}
}

func newPool(n int, log *zap.Logger, st *stats, clock *atomic.Uint32) *pool {
	p := &pool{log: log, stats: st, clock: clock, queues: make([]runQueue, n), current: make([]atomic.Pointer[worker], n),
		stop: make(chan struct{}), away: map[*worker]bool{}}
	p.cond = sync.NewCond(&p.mu)
	return p
}

func (p *pool) start() {
	for i := range p.queues {
		p.hire(i)
	}
	p.wg.Add(1)
	go p.watch()
}

func (p *pool) hire(i int) {
	w := &worker{pool: p, index: i}
	w.turn.w = w
	p.current[i].Store(w)
	p.wg.Add(1)
	go w.run()
}

// halt tells the workers to end once their handlers return; wg waits for that.
func (p *pool) halt() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.quit.Store(true)
	close(p.stop)
	p.cond.Broadcast()
}

// put makes an actor runnable; w is the worker whose running actor has woken it, if one has. A worker that is up takes a single one
// at the end of its turn, mostly within microseconds and without waking a thread; the watch sees to it that no long handler keeps
// it waiting.
func (p *pool) put(a *process, w *worker) {
	if w == nil || w.replaced.Load() {
		p.enqueue(a, int(a.hash>>shardBits%uint32(len(p.queues))))
		return
	}
	if w.next.Load() != nil || !w.next.CompareAndSwap(nil, a) {
		p.enqueue(a, w.index)
	} else if w.replaced.Load() { // and has been given back already, perhaps
		w.giveBack()
	}
}

// enqueue puts an actor at the end of a run queue.
func (p *pool) enqueue(a *process, i int) {
	q := &p.queues[i]
	q.mu.Lock()
	q.q = append(q.q, a)
	n := q.n.Add(1)
	q.mu.Unlock()
	if idle := int(p.idle.Load()); idle > 0 && (idle >= len(p.queues) || n > 1 || p.runnable() > 1) {
		p.wake()
	}
}

// runnable is about how many actors wait in the run queues.
func (p *pool) runnable() (n int) {
	for i := range p.queues {
		n += int(p.queues[i].n.Load())
	}
	return n
}

// wake gets a parked worker up, unless one is getting up already: that one wakes the next if there is enough to do.
func (p *pool) wake() {
	if p.waking.Load() || !p.waking.CompareAndSwap(false, true) {
		return
	}
	p.mu.Lock()
	p.cond.Signal()
	p.mu.Unlock()
}

// take moves up to half of a queue into a worker's batch and returns how many actors that were.
func (q *runQueue) take(batch *[batchMax]*process) int {
	if q.n.Load() == 0 {
		return 0
	}
	q.mu.Lock()
	n := copy(batch[:], q.q[q.head:q.head+(len(q.q)-q.head+1)/2])
	clear(q.q[q.head : q.head+n])
	q.head += n
	q.n.Add(int32(-n))
	if q.head == len(q.q) {
		q.q, q.head = q.q[:0], 0
		if cap(q.q) > 1<<16 {
			q.q = nil
		}
	} else if q.head > 4096 && q.head*2 > len(q.q) {
		k := copy(q.q, q.q[q.head:])
		clear(q.q[k:])
		q.q, q.head = q.q[:k], 0
	}
	q.mu.Unlock()
	return n
}

func (w *worker) run() {
	p := w.pool
	defer p.wg.Done()
	spins := 0
	for !p.quit.Load() {
		n := 0
		for k := 0; n == 0 && k < len(p.queues); k++ {
			n = p.queues[(w.index+k)%len(p.queues)].take(&w.batch)
		}
		if n == 0 {
			if spins++; spins < 16 {
				runtime.Gosched()
				continue
			}
			spins = 0
			p.park()
			continue
		}
		spins = 0
		if p.idle.Load() > 0 && p.runnable() > 0 { // for what is left: the batch may take long
			p.wake()
		}
		w.fill(n)
		if w.work(); w.replaced.Load() {
			w.giveBack()
			p.spares.Add(-1)
			p.mu.Lock()
			delete(p.away, w)
			p.mu.Unlock()
			return
		}
		w.running.Store(nil)
		clear(w.batch[:n])
	}
}

// work runs the actors of the batch and those that they wake, until it is replaced or nothing is left.
func (w *worker) work() {
	inRow := 0
	for !w.replaced.Load() { // looked at after fill, too: the watch may have found nothing to give back before
		var a *process
		if inRow < nextMax {
			a = w.takeNext()
		}
		if a != nil {
			inRow++
		} else {
			inRow = 0
			if a = w.pop(); a == nil {
				if a = w.takeNext(); a == nil {
					return
				}
				// The neighbours of a pair that never rests have their turn, too.
				w.pool.enqueue(a, w.index)
				return
			}
		}
		w.running.Store(a)
		again := a.turn(&w.turn)
		if w.skip--; w.skip < 0 {
			w.skip = w.pool.stats.sample(w.index, a, w.turn.n)
		}
		if again {
			w.pool.enqueue(a, w.index)
		}
		if w.turns++; w.turns%clockTurns == 0 {
			w.yield()
		}
	}
}

// yield lets other goroutines run, readers of sockets and timers say, if they have had no chance for a while: beside workers that are
// always busy they would wait for the 10 ms after which Go interrupts one. It isn't done more often because the worker mostly comes
// back on another core.
func (w *worker) yield() {
	if at := now(); at-w.yielded >= yieldTime {
		w.yielded = at
		w.running.Store(nil) // nobody is stuck meanwhile
		runtime.Gosched()
	}
}

func (w *worker) takeNext() *process {
	if w.next.Load() == nil {
		return nil
	}
	return w.next.Swap(nil)
}

// park waits until there is something to run.
func (p *pool) park() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle.Add(1)
	p.waking.Store(false) // of a wake that met nobody: it would keep the next from waking this one
	if p.runnable() == 0 && !p.quit.Load() {
		p.cond.Wait()
	}
	p.idle.Add(-1)
	p.waking.Store(false)
}

// began marks the start of a handler.
func (w *worker) began() { w.handled.Store(w.handled.Load() + 1) }

// returned tells of a handler that was so long that its worker has been replaced. It reports true.
func (w *worker) returned(p *process, msg any) bool {
	took, level := now()-time.Duration(w.since.Load()), zap.DebugLevel
	if took >= longTime {
		level = zap.WarnLevel
	}
	w.pool.log.Log(level, "a long handler has returned", refField(p.ref()),
		zap.String(telemetry.KeyMessage, kindOfMessage(msg)), zap.Duration(telemetry.KeyTook, took))
	return true
}

// watch replaces workers whose handler runs for too long, and sets the clock.
func (p *pool) watch() {
	defer p.wg.Done()
	t := time.NewTicker(stuckTime)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-p.stop:
			return
		}
		p.clock.Store(uint32(now() / tick))
		if p.idle.Load() > 0 && p.runnable() > 0 {
			p.waking.Store(false) // should a wake ever have met nobody
			p.wake()
		}
		p.report()
		for i := range p.current {
			w := p.current[i].Load()
			a, handled := w.running.Load(), w.handled.Load()
			// One that had nothing to do when the watch looked last has only just got a turn.
			stuck := a != nil && a == w.seenOn && handled == w.seen
			if w.seen, w.seenOn = handled, a; !stuck || p.spares.Load() >= maxSpares {
				continue
			}
			p.mu.Lock()
			p.away[w] = false
			p.mu.Unlock()
			w.since.Store(int64(now() - stuckTime)) // about
			w.replaced.Store(true)
			p.spares.Add(1)
			p.stats.stuck.Add(1)
			p.log.Debug("a handler runs for long; a spare worker takes over", refField(a.ref()))
			p.hire(i)
			w.giveBack()
		}
	}
}

// report names, once each, the actors whose handlers don't return. A machine that is busy elsewhere makes any handler late; that
// is counted and not worth a line.
func (p *pool) report() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for w, told := range p.away {
		if a := w.running.Load(); !told && a != nil && now()-time.Duration(w.since.Load()) >= longTime {
			p.away[w] = true
			p.log.Warn("a handler doesn't return", refField(a.ref()), zap.String(telemetry.KeyMessage, a.facts().Running))
		}
	}
}

// busy names the actors whose handlers run.
func (p *pool) busy() (refs []Ref) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for w := range p.away {
		if a := w.running.Load(); a != nil {
			refs = append(refs, a.ref())
		}
	}
	for i := range p.current {
		if w := p.current[i].Load(); w != nil && !w.replaced.Load() {
			if a := w.running.Load(); a != nil {
				refs = append(refs, a.ref())
			}
		}
	}
	return refs
}
