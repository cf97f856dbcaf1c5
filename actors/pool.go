package actors

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// Times of the pool.
const (
	turnTime  = time.Millisecond      // after which an actor makes room for the next
	stuckTime = 10 * time.Millisecond // after which a handler's worker is replaced
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
}

// runQueue is one worker's list of actors with something to do.
type runQueue struct {
	mu   sync.Mutex
	q    []*process
	head int
	n    atomic.Int32
	_    [64]byte
}

// worker is one goroutine of the pool.
type worker struct {
	pool     *pool
	index    int
	began    atomic.Int64 // when the running handler began, nanoseconds of now; 0 between handlers
	replaced atomic.Bool
	msg      any
}

func newPool(n int, log *zap.Logger, st *stats) *pool {
	p := &pool{log: log, stats: st, queues: make([]runQueue, n), current: make([]atomic.Pointer[worker], n), stop: make(chan struct{})}
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

// halt ends the workers; those inside a handler that never returns are left behind.
func (p *pool) halt() {
	p.mu.Lock()
	p.quit.Store(true)
	close(p.stop)
	p.cond.Broadcast()
	p.mu.Unlock()
	done := make(chan struct{})
	go func() { p.wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(time.Second):
	}
}

// put makes an actor runnable.
func (p *pool) put(a *process) {
	q := &p.queues[a.home%uint32(len(p.queues))]
	q.mu.Lock()
	q.q = append(q.q, a)
	q.n.Add(1)
	q.mu.Unlock()
	if p.idle.Load() > 0 {
		p.mu.Lock()
		p.cond.Signal()
		p.mu.Unlock()
	}
}

// take moves up to half of a queue, at most 64 actors, into buf.
func (q *runQueue) take(buf []*process) []*process {
	if q.n.Load() == 0 {
		return buf[:0]
	}
	q.mu.Lock()
	n := min((len(q.q)-q.head+1)/2, 64)
	buf = append(buf[:0], q.q[q.head:q.head+n]...)
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
	return buf
}

func (w *worker) run() {
	defer w.pool.wg.Done()
	p := w.pool
	var buf []*process
	spins := 0
	for !p.quit.Load() {
		for k := range p.queues {
			if buf = p.queues[(w.index+k)%len(p.queues)].take(buf); len(buf) > 0 {
				break
			}
		}
		if len(buf) == 0 {
			if spins++; spins < 16 {
				runtime.Gosched()
				continue
			}
			spins = 0
			p.park()
			continue
		}
		spins = 0
		for i, a := range buf {
			again := a.turn(w)
			if again {
				p.put(a)
			}
			if w.replaced.Load() {
				for _, b := range buf[i+1:] {
					p.put(b)
				}
				p.spares.Add(-1)
				return
			}
		}
		clear(buf)
	}
}

// park waits until there is something to run.
func (p *pool) park() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle.Add(1)
	defer p.idle.Add(-1)
	for i := range p.queues {
		if p.queues[i].n.Load() > 0 {
			return
		}
	}
	if !p.quit.Load() {
		p.cond.Wait()
	}
}

// begin and end mark the handler that runs. end reports whether the worker has been replaced meanwhile.
func (w *worker) begin(msg any) {
	w.msg = msg
	w.began.Store(int64(now()))
}

func (w *worker) end() bool {
	w.began.Store(0)
	return w.replaced.Load()
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
		for i := range p.current {
			w := p.current[i].Load()
			began := w.began.Load()
			if began == 0 || now()-time.Duration(began) < stuckTime || p.spares.Load() >= maxSpares {
				continue
			}
			w.replaced.Store(true)
			p.spares.Add(1)
			p.stats.stuck.Add(1)
			p.log.Warn("a handler runs for long; a spare worker takes over", zap.String("message", fmt.Sprintf("%T", w.msg)))
			p.hire(i)
		}
	}
}
