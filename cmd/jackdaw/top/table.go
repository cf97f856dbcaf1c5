package top

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/jackdaw-im/jackdaw/proto/adminpb"
)

// The widths of the columns. The actor gets what is left, as long as what it does has doingWidth beside it.
const (
	numberWidth = 7
	actorStarts = 4*numberWidth + 2
	actorWidth  = 24
	doingWidth  = 20
	doingFrom   = actorStarts + actorWidth + 2 + 8 // columns of a screen, below which nothing is told of what an actor does
)

// ordered are the actors, the worst first.
func (s *Screen) ordered() []*adminpb.ActorLoad {
	actors := slices.Clone(s.top.GetActors())
	by := map[Key]func(a, b *adminpb.ActorLoad) int{
		SortQueue: func(a, b *adminpb.ActorLoad) int { return cmp.Compare(b.GetQueue(), a.GetQueue()) },
		SortAge:   func(a, b *adminpb.ActorLoad) int { return cmp.Compare(b.GetOldestUs(), a.GetOldestUs()) },
		SortMessages: func(a, b *adminpb.ActorLoad) int {
			return cmp.Compare(b.GetMessagesPerSecond(), a.GetMessagesPerSecond())
		},
		SortRestarts: func(a, b *adminpb.ActorLoad) int { return cmp.Compare(b.GetRestarts(), a.GetRestarts()) },
	}
	first := by[cmp.Or(s.sort, SortQueue)]
	slices.SortFunc(actors, func(a, b *adminpb.ActorLoad) int {
		return cmp.Or(first(a, b), by[SortQueue](a, b), by[SortMessages](a, b), by[SortRestarts](a, b), by[SortAge](a, b),
			cmp.Compare(a.GetRef(), b.GetRef()))
	})
	return actors
}

// table is the heading and the line of each actor.
func (s *Screen) table(width int) (head Line, rows []Line) {
	actors := s.ordered()
	names := make([]string, len(actors))
	room := len("ACTOR")
	for i, a := range actors {
		names[i] = s.name(a)
		room = max(room, wide(names[i]))
	}
	switch {
	case width >= doingFrom:
		room = min(room, max(actorWidth, width-actorStarts-2-doingWidth))
	case width > 0:
		room = max(width-actorStarts, 0)
	}
	line := func(numbers []string, actor, doing string) string {
		var b strings.Builder
		for _, n := range numbers {
			b.WriteString(right(n, numberWidth))
		}
		b.WriteString("  " + pad(actor, room))
		if width == 0 || width >= doingFrom {
			b.WriteString("  " + doing)
		}
		return b.String()
	}
	titles := []string{"QUEUE", "AGE", "MSG/S", "RST"}
	titles[cmp.Or(s.sort, SortQueue)-SortQueue] += "v"
	head = Line{line(titles, "ACTOR", "DOING"), Reverse}
	for i, a := range actors {
		style := Plain
		if a.GetPhase() != "running" {
			style = Bold
		}
		numbers := []string{Count(float64(a.GetQueue())), Took(a.GetOldestUs()), Count(a.GetMessagesPerSecond()), Count(float64(a.GetRestarts()))}
		rows = append(rows, Line{line(numbers, names[i], doing(a)), style})
	}
	return head, rows
}

// name is the actor's; that it is of this node goes without saying.
func (s *Screen) name(a *adminpb.ActorLoad) string {
	return clean(strings.TrimSuffix(a.GetRef(), "@"+s.top.GetNode()))
}

// doing is what is unusual about an actor, the message in its handler and since when, or the last one, in brackets.
func doing(a *adminpb.ActorLoad) string {
	text := ""
	if a.GetPhase() != "running" {
		text = clean(a.GetPhase()) + " "
	}
	kind := func(name string) string { return clean(strings.TrimPrefix(name, "*")) }
	switch {
	case a.GetRunning() != "":
		text += fmt.Sprintf("%s for %s", kind(a.GetRunning()), Took(a.GetRunningUs()))
	case a.GetLast() != "":
		text += "(" + kind(a.GetLast()) + ")"
	}
	return text
}
