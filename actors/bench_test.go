package actors_test

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
)

// Each benchmark has a twin, "channels", made of bare goroutines and channels: the baseline, in the same run, to whose numbers the
// actors' are a ratio. ns/msg is wall time; one round is many messages.
//
//	go test -run '^$' -bench . ./actors

// function is a behaviour of one function, the same for all actors of a kind: what differs is in args.
type function struct {
	args any
	f    func(ctx *actors.Context, args, msg any) error
}

func (f *function) Init(_ *actors.Context, args any) error { f.args = args; return nil }

func (f *function) Handle(ctx *actors.Context, msg any) error { return f.f(ctx, f.args, msg) }

func (f *function) HandleCall(_ *actors.Context, _ actors.From, req any) (any, error) {
	return req, nil
}

// crew starts n actors of one kind; args gives each its own.
func crew(b *testing.B, s *actors.System, kind string, n int, args func(int) any, f func(ctx *actors.Context, args, msg any) error) []actors.Ref {
	b.Helper()
	spec := actors.Spec{Kind: kind, QueueLen: 1 << 20, New: func() actors.Behaviour { return &function{f: f} }}
	refs := make([]actors.Ref, n)
	own := &restarter{}
	for i := range refs {
		refs[i] = actors.Ref{Kind: kind, ID: fmt.Sprint(i)}
		if _, err := s.Spawn(spec, refs[i], args(i), own); err != nil {
			b.Fatal(err)
		}
	}
	return refs
}

func nothing(int) any { return nil }

// perMessage reports the time of one message, of those of a round.
func perMessage(b *testing.B, perRound int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(perRound), "ns/msg")
}

// BenchmarkPingPong: pairs send a message to and fro.
func BenchmarkPingPong(b *testing.B) {
	const each = 1000 // messages of a pair in a round
	for _, pairs := range []int{1, 1000} {
		b.Run(fmt.Sprintf("pairs=%d/actors", pairs), func(b *testing.B) {
			s := system(b, actors.Config{})
			defer stop(b, s)
			var round sync.WaitGroup
			peer := func(i int) any { return actors.Ref{Kind: "player", ID: fmt.Sprint(i ^ 1)} }
			players := crew(b, s, "player", 2*pairs, peer, func(ctx *actors.Context, to, left any) error {
				if left == 0 {
					round.Done()
					return nil
				}
				return ctx.Cast(to.(actors.Ref), left.(int)-1)
			})
			b.ReportAllocs()
			for b.Loop() {
				round.Add(pairs)
				for i := 0; i < 2*pairs; i += 2 {
					_ = s.Cast(players[i], each)
				}
				round.Wait()
			}
			perMessage(b, pairs*each)
		})
		b.Run(fmt.Sprintf("pairs=%d/channels", pairs), func(b *testing.B) {
			var round, all sync.WaitGroup
			courts := make([][2]chan any, pairs)
			for i := range courts {
				courts[i] = [2]chan any{make(chan any, 1), make(chan any, 1)}
				for side := range 2 {
					in, out := courts[i][side], courts[i][1-side]
					all.Go(func() {
						for left := range in {
							if left == 0 {
								round.Done()
							} else {
								out <- left.(int) - 1
							}
						}
					})
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				round.Add(pairs)
				for i := range courts {
					courts[i][0] <- each
				}
				round.Wait()
			}
			perMessage(b, pairs*each)
			for i := range courts {
				close(courts[i][0])
				close(courts[i][1])
			}
			all.Wait()
		})
	}
}

// BenchmarkFanIn: a hundred send to one.
func BenchmarkFanIn(b *testing.B) {
	const senders, each = 100, 100
	b.Run("actors", func(b *testing.B) {
		s := system(b, actors.Config{})
		defer stop(b, s)
		round := make(chan bool)
		n := 0
		sink := crew(b, s, "sink", 1, nothing, func(*actors.Context, any, any) error {
			if n++; n == senders*each {
				n = 0
				round <- true
			}
			return nil
		})[0]
		crowd := crew(b, s, "sender", senders, nothing, func(ctx *actors.Context, _, msg any) error {
			for range each {
				if err := ctx.Cast(sink, msg); err != nil {
					return err
				}
			}
			return nil
		})
		b.ReportAllocs()
		for b.Loop() {
			for _, to := range crowd {
				_ = s.Cast(to, "go")
			}
			<-round
		}
		perMessage(b, senders*each)
	})
	b.Run("channels", func(b *testing.B) {
		var all sync.WaitGroup
		sink, round := make(chan any, senders*each), make(chan bool)
		all.Go(func() {
			n := 0
			for range sink {
				if n++; n%(senders*each) == 0 {
					round <- true
				}
			}
		})
		crowd := make([]chan any, senders)
		var sending sync.WaitGroup
		for i := range crowd {
			crowd[i] = make(chan any, 1)
			sending.Go(func() {
				for msg := range crowd[i] {
					for range each {
						sink <- msg
					}
				}
			})
		}
		b.ReportAllocs()
		for b.Loop() {
			for _, to := range crowd {
				to <- "go"
			}
			<-round
		}
		perMessage(b, senders*each)
		for _, c := range crowd {
			close(c)
		}
		sending.Wait()
		close(sink)
		all.Wait()
	})
}

// BenchmarkBroadcast: one sends to ten thousand.
func BenchmarkBroadcast(b *testing.B) {
	const receivers = 10_000
	var left atomic.Int64
	heard := func(round chan bool) {
		if left.Add(-1) == 0 {
			round <- true
		}
	}
	b.Run("actors", func(b *testing.B) {
		s := system(b, actors.Config{})
		defer stop(b, s)
		round := make(chan bool)
		crowd := crew(b, s, "receiver", receivers, nothing, func(*actors.Context, any, any) error { heard(round); return nil })
		speaker := crew(b, s, "speaker", 1, nothing, func(ctx *actors.Context, _, msg any) error {
			for _, to := range crowd {
				if err := ctx.Cast(to, msg); err != nil {
					return err
				}
			}
			return nil
		})[0]
		b.ReportAllocs()
		for b.Loop() {
			left.Store(receivers)
			_ = s.Cast(speaker, "go")
			<-round
		}
		perMessage(b, receivers)
	})
	b.Run("channels", func(b *testing.B) {
		var all sync.WaitGroup
		round := make(chan bool)
		crowd := make([]chan any, receivers)
		for i := range crowd {
			crowd[i] = make(chan any, 1)
			all.Go(func() {
				for range crowd[i] {
					heard(round)
				}
			})
		}
		b.ReportAllocs()
		for b.Loop() {
			left.Store(receivers)
			for _, to := range crowd {
				to <- "go"
			}
			<-round
		}
		perMessage(b, receivers)
		for _, c := range crowd {
			close(c)
		}
		all.Wait()
	})
}

// BenchmarkCall is a request and its answer, one after the other: from outside, from an actor, and over channels.
func BenchmarkCall(b *testing.B) {
	b.Run("outside", func(b *testing.B) {
		s := system(b, actors.Config{})
		defer stop(b, s)
		to := crew(b, s, "server", 1, nothing, func(*actors.Context, any, any) error { return nil })[0]
		b.ReportAllocs()
		for b.Loop() {
			if v, err := s.Call(b.Context(), to, "?"); v != "?" || err != nil {
				b.Fatal(v, err)
			}
		}
	})
	b.Run("actor", func(b *testing.B) {
		const each = 1000
		s := system(b, actors.Config{})
		defer stop(b, s)
		to := crew(b, s, "server", 1, nothing, func(*actors.Context, any, any) error { return nil })[0]
		round := make(chan bool)
		n := 0
		asker := crew(b, s, "asker", 1, nothing, func(ctx *actors.Context, _, _ any) error {
			if n++; n > each {
				n = 0
				round <- true
				return nil
			}
			ctx.Call(to, "?", time.Minute)
			return nil
		})[0]
		b.ReportAllocs()
		for b.Loop() {
			_ = s.Cast(asker, "go")
			<-round
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/each, "ns/call")
	})
	b.Run("channels", func(b *testing.B) {
		type request struct {
			v     any
			reply chan any
		}
		requests := make(chan request)
		var all sync.WaitGroup
		all.Go(func() {
			for r := range requests {
				r.reply <- r.v
			}
		})
		b.ReportAllocs()
		for b.Loop() {
			reply := make(chan any, 1)
			select {
			case requests <- request{"?", reply}:
			case <-b.Context().Done():
			}
			select {
			case <-reply:
			case <-b.Context().Done():
			}
		}
		close(requests)
		all.Wait()
	})
}

// BenchmarkSpawn starts ten thousand idle actors, each of which has handled a message, and reports what each of them takes, the
// name and the entry under it included; a goroutine with a channel is its twin.
func BenchmarkSpawn(b *testing.B) {
	const n = 10_000
	weigh := func(b *testing.B, build func(s *actors.System) (keep any, end func())) {
		var bytes float64
		for b.Loop() {
			b.StopTimer()
			s := system(b, actors.Config{}) // what it takes itself, some 3 MB, doesn't grow with the actors
			before := memory()
			b.StartTimer()
			keep, end := build(s)
			b.StopTimer()
			bytes += float64(int64(memory() - before))
			runtime.KeepAlive(keep)
			end()
			stop(b, s)
			b.StartTimer()
		}
		b.ReportMetric(bytes/float64(b.N)/n, "B/actor")
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/actor")
	}
	b.Run("actors", func(b *testing.B) {
		weigh(b, func(s *actors.System) (any, func()) {
			var up sync.WaitGroup
			up.Add(n)
			refs := crew(b, s, "idle", n, nothing, func(*actors.Context, any, any) error { up.Done(); return nil })
			for _, ref := range refs {
				_ = s.Cast(ref, "hello")
			}
			up.Wait()
			return refs, func() {}
		})
	})
	b.Run("channels", func(b *testing.B) {
		weigh(b, func(*actors.System) (any, func()) {
			var up, all sync.WaitGroup
			up.Add(n)
			queues := make([]chan any, n)
			for i := range queues {
				queues[i] = make(chan any, 1)
				all.Go(func() {
					for range queues[i] {
						up.Done()
					}
				})
				queues[i] <- "hello"
			}
			up.Wait()
			return queues, func() {
				for _, q := range queues {
					close(q)
				}
				all.Wait()
			}
		})
	})
}

// memory is what is in use after a collection.
func memory() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}
