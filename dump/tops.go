package dump

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/jackdaw-im/jackdaw/actors"
)

// ranking keeps the actors that have the most of something.
type ranking struct {
	of   func(*Actor) int64
	list []Actor
}

// offer takes an actor in if it is among the first. One that has nothing isn't.
func (r *ranking) offer(a *Actor) {
	n := r.of(a)
	if n <= 0 {
		return
	}
	i, _ := slices.BinarySearchFunc(r.list, a, func(in Actor, a *Actor) int {
		return cmp.Or(cmp.Compare(n, r.of(&in)), cmp.Compare(in.Ref, a.Ref))
	})
	if i == maxRows {
		return
	}
	r.list = slices.Insert(r.list[:min(len(r.list), maxRows-1)], i, *a)
}

// rankings are the lists of the section actors.
type rankings struct{ longest, oldest, busiest, restarted, running ranking }

func newRankings() *rankings {
	return &rankings{
		longest:   ranking{of: func(a *Actor) int64 { return int64(a.Queue) }},
		oldest:    ranking{of: func(a *Actor) int64 { return int64(a.Oldest) }},
		busiest:   ranking{of: func(a *Actor) int64 { return a.PerSecond }},
		restarted: ranking{of: func(a *Actor) int64 { return a.Restarts }},
		running: ranking{of: func(a *Actor) int64 {
			if a.Running == "" {
				return 0
			}
			return int64(a.For) + 1
		}},
	}
}

// offer asks for the facts of an actor. One that has ended has none.
func (r *rankings) offer(s System, l actors.Load) {
	f, err := s.Facts(l.Ref)
	if err != nil || f.Queue == 0 && f.Running == "" && l.PerSecond < 1 && l.Restarts == 0 { // as most are
		return
	}
	a := &Actor{
		Ref: l.Ref.String(), Phase: f.Phase, Queue: f.Queue, Control: f.Control, Oldest: Duration(f.Oldest), Waiting: f.Waiting,
		Running: f.Running, For: Duration(f.For), Last: f.Last, PerSecond: int64(l.PerSecond + 0.5), Restarts: max(l.Restarts, int64(f.Restarts)),
	}
	for _, list := range []*ranking{&r.longest, &r.oldest, &r.busiest, &r.restarted, &r.running} {
		list.offer(a)
	}
}

// section is what the lists come to.
func (r *rankings) section(recent []actors.Handled) *Actors {
	a := &Actors{Longest: r.longest.list, Oldest: r.oldest.list, Busiest: r.busiest.list, Restarted: r.restarted.list, Running: r.running.list}
	for _, h := range newest(recent, maxRecent) {
		a.Recent = append(a.Recent, Handled{h.Worker, h.Ref.String(), h.Kind})
	}
	return a
}

// newest are the last n of each worker.
func newest(recent []actors.Handled, n int) []actors.Handled {
	of := map[int]int{}
	for _, r := range recent {
		of[r.Worker]++
	}
	return slices.DeleteFunc(slices.Clone(recent), func(r actors.Handled) bool {
		of[r.Worker]--
		return of[r.Worker] >= n
	})
}

// lately looks at those actors alone that are known to be worth it, or ran a moment ago.
func lately(s System) *Actors {
	recent, r, seen := s.Recent(), newRankings(), map[actors.Ref]bool{}
	for _, l := range s.Busiest() {
		seen[l.Ref] = true
		r.offer(s, l)
	}
	for _, h := range recent {
		if !seen[h.Ref] {
			seen[h.Ref] = true
			r.offer(s, actors.Load{Ref: h.Ref})
		}
	}
	return r.section(recent)
}

// everybody looks at all actors, and first at those that are known to be worth it.
func everybody(ctx context.Context, s System) (*Actors, error) {
	r, seen := newRankings(), map[actors.Ref]bool{}
	for _, l := range s.Busiest() {
		seen[l.Ref] = true
		r.offer(s, l)
	}
	looked := 0
	s.Each(func(ref actors.Ref) bool {
		if !seen[ref] {
			r.offer(s, actors.Load{Ref: ref})
		}
		looked++
		return looked%256 != 0 || ctx.Err() == nil
	})
	var err error
	if ctx.Err() != nil {
		err = fmt.Errorf("dump: actors: only %d were looked at: %w", looked, ctx.Err())
	}
	return r.section(s.Recent()), err
}
