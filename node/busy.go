package node

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/proto/adminpb"
)

const (
	// leastLook is the least time between two looks. Who asks sooner gets the last one.
	leastLook = 200 * time.Millisecond
	// perList is how many actors are told for each thing that they may be the first in.
	perList = 50
)

// busy finds the actors that are worth a look. It remembers those that still were at the last look: a queue that stays long passes no
// marks. Safe for concurrent use.
type busy struct {
	mu struct {
		sync.Mutex
		at    time.Time
		last  []*adminpb.ActorLoad
		known map[actors.Ref]bool
	}
}

// look asks who is busy, and what is known of each from outside.
func (b *busy) look(system *actors.System, now time.Time) []*adminpb.ActorLoad {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Sub(b.mu.at) < leastLook && b.mu.last != nil {
		return b.mu.last
	}
	loads := map[actors.Ref]actors.Load{}
	for ref := range b.mu.known {
		loads[ref] = actors.Load{Ref: ref}
	}
	for _, l := range system.Busiest() {
		loads[l.Ref] = l
	}
	b.mu.at, b.mu.known = now, map[actors.Ref]bool{}
	var all []found
	for ref, l := range loads {
		f, err := system.Facts(ref)
		if err != nil {
			continue // it has ended
		}
		all = append(all, measured(f, l))
	}
	b.mu.last = nil
	for _, f := range foremost(all) {
		b.mu.last = append(b.mu.last, f.load)
		if f.load.GetQueue() > 0 || f.load.GetPhase() != "running" {
			b.mu.known[f.ref] = true
		}
	}
	return b.mu.last
}

// found is one actor with what it does.
type found struct {
	ref  actors.Ref
	load *adminpb.ActorLoad
}

func measured(f actors.Facts, l actors.Load) found {
	load := &adminpb.ActorLoad{
		Ref: f.Ref.String(), Phase: f.Phase, Queue: int64(f.Queue), OldestUs: f.Oldest.Microseconds(), Restarts: l.Restarts,
		Running: f.Running, RunningUs: f.For.Microseconds(), Last: f.Last, MessagesPerSecond: l.PerSecond,
	}
	return found{f.Ref, load}
}

// foremost are those that are among the first in anything, each once.
func foremost(all []found) []found {
	chosen := map[actors.Ref]bool{}
	var list []found
	for _, of := range []func(*adminpb.ActorLoad) float64{
		func(l *adminpb.ActorLoad) float64 { return float64(l.GetQueue()) },
		func(l *adminpb.ActorLoad) float64 { return float64(l.GetOldestUs()) },
		(*adminpb.ActorLoad).GetMessagesPerSecond,
		func(l *adminpb.ActorLoad) float64 { return float64(l.GetRestarts()) },
		func(l *adminpb.ActorLoad) float64 { return float64(l.GetRunningUs()) },
		func(l *adminpb.ActorLoad) float64 { // held up by an operator, or a fault
			if l.GetPhase() != "running" {
				return 1
			}
			return 0
		},
	} {
		slices.SortFunc(all, func(a, b found) int {
			return cmp.Or(cmp.Compare(of(b.load), of(a.load)), cmp.Compare(a.load.GetRef(), b.load.GetRef()))
		})
		for _, f := range all[:min(len(all), perList)] {
			if of(f.load) > 0 && !chosen[f.ref] {
				chosen[f.ref] = true
				list = append(list, f)
			}
		}
	}
	return list
}
