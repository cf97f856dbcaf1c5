package actors

import (
	"fmt"
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
	maxSpares = 1024                  // replaced workers at a time
)

var epoch = time.Now()

// now is a cheap monotonic time.
func now() time.Duration { return time.Since(epoch) }

// pool runs the turns of all actors that don't block. Each worker has a run queue; actors are spread over them by their
// address, and a worker whose queue is empty takes half of another's. A worker whose handler doesn't return is replaced, so
// that as many stuck handlers as there are cores don't stop the rest.
type pool struct {
	log     *zap.Logger
	stats   *stats
	queues  []runQueue
	current []atomic.Pointer[worker] // who serves each queue
	idle    atomic.Int32
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
	began    atomic.Int64 // when the running handler began, nanoseconds of now; 0 between handlers
	running  atomic.Pointer[process]
	replaced atomic.Bool

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
		w.pool.put(a)
	}
}

func newPool(n int, log *zap.Logger, st *stats) *pool {
	p := &pool{log: log, stats: st, queues: make([]runQueue, n), current: make([]atomic.Pointer[worker], n),
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

// put makes an actor runnable. A worker that is up takes a single one at the end of its turn, mostly within microseconds and
// without waking a thread; the watch sees to it that no long handler keeps it waiting.
func (p *pool) put(a *process) {
	q := &p.queues[a.home%uint32(len(p.queues))]
	q.mu.Lock()
	q.q = append(q.q, a)
	q.n.Add(1)
	q.mu.Unlock()
	if idle := int(p.idle.Load()); idle > 0 && (idle >= len(p.queues) || p.runnable() > 1) {
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

// wake gets a parked worker up.
func (p *pool) wake() {
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
		w.fill(n)
		for !w.replaced.Load() { // looked at after fill, too: the watch may have found nothing to give back before
			a := w.pop()
			if a == nil {
				break
			}
			w.running.Store(a)
			if a.turn(w) {
				p.put(a)
			}
		}
		if w.replaced.Load() {
			w.giveBack()
			p.spares.Add(-1)
			p.mu.Lock()
			delete(p.away, w)
			p.mu.Unlock()
			return
		}
		clear(w.batch[:n])
	}
}

// park waits until there is something to run.
func (p *pool) park() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle.Add(1)
	defer p.idle.Add(-1)
	if p.runnable() > 0 {
		return
	}
	if !p.quit.Load() {
		p.cond.Wait()
	}
}

// begin marks the start of a handler.
func (w *worker) begin() { w.began.Store(int64(now())) }

// end marks its return. It reports whether the worker has been replaced meanwhile.
func (w *worker) end(msg any) bool {
	began := time.Duration(w.began.Swap(0))
	if !w.replaced.Load() {
		return false
	}
	took, level := now()-began, zap.DebugLevel
	if took >= longTime {
		level = zap.WarnLevel
	}
	w.pool.log.Log(level, "a long handler has returned", refField(w.running.Load().ref),
		zap.String(telemetry.KeyMessage, fmt.Sprintf("%T", msg)), zap.Duration(telemetry.KeyTook, took))
	return true
}

// watch replaces workers whose handler runs for too long.
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
		if p.idle.Load() > 0 && p.runnable() > 0 {
			p.wake()
		}
		p.report()
		for i := range p.current {
			w := p.current[i].Load()
			began := w.began.Load()
			if began == 0 || now()-time.Duration(began) < stuckTime || p.spares.Load() >= maxSpares {
				continue
			}
			p.mu.Lock()
			p.away[w] = false
			p.mu.Unlock()
			w.replaced.Store(true)
			p.spares.Add(1)
			p.stats.stuck.Add(1)
			p.log.Debug("a handler runs for long; a spare worker takes over", refField(w.running.Load().ref))
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
		if began := time.Duration(w.began.Load()); !told && began != 0 && now()-began >= longTime {
			p.away[w] = true
			p.log.Warn("a handler doesn't return", refField(w.running.Load().ref))
		}
	}
}

// busy names the actors whose handlers run.
func (p *pool) busy() (refs []Ref) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for w := range p.away {
		refs = append(refs, w.running.Load().ref)
	}
	for i := range p.current {
		if w := p.current[i].Load(); w != nil && !w.replaced.Load() && w.began.Load() != 0 {
			refs = append(refs, w.running.Load().ref)
		}
	}
	return refs
}
