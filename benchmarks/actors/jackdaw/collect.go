package main

import (
	"fmt"
	"runtime"
	"time"

	"github.com/jackdaw-im/jackdaw/benchmarks/actors/measure"
)

// The load while the collector is looked at.
const (
	rate     = 200_000 // messages a second
	bodySize = 1 << 10 // bytes that each brings: a chat message, and what is made of it on its way
	step     = time.Millisecond
)

// collect looks at the garbage collector while messages come to very many actors, at a fixed rate. For a third of the time it runs
// when it wants to, which tells what share of the processor it takes. Then one collection follows the other, so that
// there are pauses enough to speak of.
var collect = within(func(w *world, job measure.Job) (measure.Result, error) {
	greeted := measure.NewTally()
	p, err := w.people(residents(greeted), greeted)
	if err != nil {
		return measure.Result{}, err
	}
	if err := p.greet(0, job.Size, false); err != nil {
		return measure.Result{}, err
	}
	runtime.GC()
	start := readCollector()
	m, err := measure.Begin()
	if err != nil {
		return measure.Result{}, err
	}
	load := &pacer{begun: time.Now(), send: p.post(job.Size)}
	err = load.run(func(spent time.Duration) bool { // longer, if nothing was collected
		return spent >= job.Span || spent >= job.Span/3 && readCollector().cycles > start.cycles
	})
	if err != nil {
		return measure.Result{}, err
	}
	natural, since := readCollector(), time.Since(load.begun)
	if natural.cycles == start.cycles {
		runtime.GC()
		natural = readCollector()
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				runtime.GC()
			}
		}
	}()
	err = load.run(func(spent time.Duration) bool { return spent >= since+job.Span*2/3 })
	close(stop)
	<-stopped
	if err != nil {
		return measure.Result{}, err
	}
	result, err := m.End(load.sent)
	all := readCollector()
	pauses := all.pauses.since(start.pauses)
	result.Extra = map[string]float64{
		"messages/s": float64(load.sent) / time.Since(load.begun).Seconds(), "collections": float64(all.cycles - start.cycles),
		"pauses": float64(pauses.count()), "p50 us": pauses.quantile(0.5) * 1e6, "p99 us": pauses.quantile(0.99) * 1e6,
		"worst us": pauses.quantile(1) * 1e6,
		"% of CPU": 100 * natural.share(start, false), "% of cores": 100 * natural.share(start, true),
	}
	return result, err
})

// post returns what sends message number i to one of n.
func (p *people) post(n int) func(i int) error {
	return func(i int) error {
		to := p.ref(int(uint64(i) * 2_654_435_761 % uint64(n))) // all over the place
		if err := p.w.Cast(to, make([]byte, bodySize)); err != nil {
			return fmt.Errorf("message %d: %w", i, err)
		}
		return nil
	}
}

// pacer sends at the fixed rate, as many at a step as are due.
type pacer struct {
	begun time.Time
	sent  int
	send  func(i int) error
}

// run sends until done says so, but something at least. It is asked at each step with the time since the pacer began.
func (p *pacer) run(done func(spent time.Duration) bool) error {
	ticker := time.NewTicker(step)
	defer ticker.Stop()
	for ; p.sent == 0 || !done(time.Since(p.begun)); <-ticker.C {
		for due := int(time.Since(p.begun).Seconds() * rate); p.sent < due; p.sent++ {
			if err := p.send(p.sent); err != nil {
				return err
			}
		}
	}
	return nil
}
