package pg

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// filled is a state with a group of n.
func filled(n int) *state {
	s := newState()
	for i := range n {
		s.join("g", []actors.Ref{named(fmt.Sprint(i))}, life{})
		s.effects = s.effects[:0]
	}
	return s
}

// BenchmarkJoinLeave is one join and one leave of a group of n: the same for each n but for the path.
func BenchmarkJoinLeave(b *testing.B) {
	for _, n := range []int{1, 100, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := filled(n)
			one := []actors.Ref{named("one")}
			b.ReportAllocs()
			for b.Loop() {
				s.join("g", one, life{})
				s.leave("g", one, life{})
				s.effects = s.effects[:0]
			}
		})
	}
}

// BenchmarkFill makes a group of n by n joins, and empties it by n ends; per member.
func BenchmarkFill(b *testing.B) {
	for _, n := range []int{1000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			list := make([]actors.Ref, n)
			for i := range list {
				list[i] = named(fmt.Sprint(i))
			}
			var bytes uint64
			for b.Loop() {
				s := newState()
				var m0, m1 runtime.MemStats
				b.StopTimer()
				runtime.GC()
				runtime.ReadMemStats(&m0)
				b.StartTimer()
				for i := range list {
					s.join("g", list[i:i+1], life{})
					s.effects = s.effects[:0]
				}
				b.StopTimer()
				clear(s.effects[:cap(s.effects)])
				runtime.GC()
				runtime.ReadMemStats(&m1)
				bytes = (m1.HeapAlloc - m0.HeapAlloc) / uint64(n)
				b.StartTimer()
				for _, ref := range list {
					s.ended(ref)
					s.effects = s.effects[:0]
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/member")
			b.ReportMetric(float64(bytes), "B/member")
		})
	}
}

// BenchmarkRead is what readers pay in a group of n.
func BenchmarkRead(b *testing.B) {
	for _, n := range []int{1, 100, 100_000} {
		s := filled(n)
		sc := New(actors.NewSystem(actors.Config{}), "s")
		sc.table.store("g", s.view("g"))
		b.Run(fmt.Sprint("at/", n), func(b *testing.B) {
			i := 0
			for b.Loop() {
				g := sc.Group("g")
				_ = g.At(i % g.Len())
				i += 7919
			}
		})
		b.Run(fmt.Sprint("members/", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = sc.Members("g")
			}
		})
	}
}

// idler is a member that wants nothing.
type idler struct{}

func (idler) Init(ctx *actors.Context, args any) error {
	if s, ok := args.(*Scope); ok {
		return s.CastJoin(ctx, "g", ctx.Self())
	}
	return nil
}

func (idler) Handle(*actors.Context, any) error { return nil }

// BenchmarkActors is a join by a call with the answer awaited, beside a group of n live actors that have joined in their Init; and
// a message to all of them.
func BenchmarkActors(b *testing.B) {
	for _, n := range []int{1000, 100_000} {
		sys := actors.NewSystem(actors.Config{})
		if err := sys.Start(); err != nil {
			b.Fatal(err)
		}
		s := New(sys, "s")
		all := supervision.NewDynamic(sys, supervision.DynamicSpec{ID: "idlers", Child: actors.Spec{Kind: "idler", New: func() actors.Behaviour { return idler{} }}})
		root, err := supervision.StartRoot(sys, supervision.SupervisorSpec{ID: "root", Children: []supervision.ChildSpec{Spec(s), all.Child()}})
		if err != nil {
			b.Fatal(err)
		}
		ctx := context.Background()
		for i := range n {
			if _, err := all.StartChild(fmt.Sprint(i), s); err != nil {
				b.Fatal(err)
			}
		}
		one, err := all.StartChild("one", nil)
		if err != nil {
			b.Fatal(err)
		}
		for s.Group("g").Len() < n {
			if err := s.Join(ctx, "h", one); err != nil {
				b.Fatal(err)
			}
		}
		b.Run(fmt.Sprint("join and leave by call/", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := s.Join(ctx, "g", one); err != nil {
					b.Fatal(err)
				}
				if err := s.Leave(ctx, "g", one); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprint("broadcast/", n), func(b *testing.B) {
			refused := 0
			for b.Loop() {
				_, no := s.Broadcast(sys, "g", "x")
				refused += len(no)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/member")
			b.ReportMetric(float64(refused)/float64(b.N), "refused/op")
		})
		if err := root.Stop(ctx); err != nil {
			b.Fatal(err)
		}
		if err := sys.Stop(ctx); err != nil {
			b.Fatal(err)
		}
	}
}
