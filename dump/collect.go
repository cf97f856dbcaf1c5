package dump

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
)

// Limits of a dump.
const (
	maxRows   = 20 // of each list of actors
	maxRecent = 8  // of what one worker handled last
	maxStates = 64
	maxState  = 16 << 10 // bytes of one

	// callTime is for one supervisor's answer, stateTime for one actor's.
	callTime  = 250 * time.Millisecond
	stateTime = 100 * time.Millisecond
	// treeTime and actorsTime are for whole sections.
	treeTime   = 3 * time.Second
	actorsTime = 3 * time.Second
	// grace is for what was collected until its time was over.
	grace = 500 * time.Millisecond
)

// section is one part of a dump. collect may return what it has together with an error, and should end with its context; where it
// doesn't, it is left behind.
type section struct {
	name    string
	limit   time.Duration
	collect func(ctx context.Context) (any, error)
}

// collector makes one dump. What one section has found may help another.
type collector struct {
	source Source
	about  About
	actors *Actors
	tree   *Child
}

// Collect writes a dump to w, each section as soon as it is collected. An error is one of writing: what could not be collected is told
// in the dump. It takes less than a second where all is well, and at most half a minute; ctx ends it earlier, and what was not collected
// by then is missing. Two of them may run at a time.
func Collect(ctx context.Context, w io.Writer, h Head, s Source) error {
	h.Version = Version
	if err := writeSection(w, sectionHead, made{}, h); err != nil {
		return err
	}
	c := &collector{source: s, about: h.About}
	return c.write(ctx, w, c.all())
}

// snapshot writes what is cheap and tells most.
func (c *collector) snapshot(ctx context.Context, w io.Writer) error {
	return c.write(ctx, w, c.cheap())
}

// write collects and writes sections, and the end.
func (c *collector) write(ctx context.Context, w io.Writer, sections []section) error {
	for _, s := range sections {
		if ctx.Err() != nil {
			if err := writeSection(w, s.name, made{Error: fmt.Sprintf("dump: %s: no time for it: %v", s.name, ctx.Err())}, nil); err != nil {
				return err
			}
			continue
		}
		begin := time.Now()
		body, err := s.run(ctx)
		m := made{Took: took(begin, time.Now())}
		if err != nil {
			m.Error = err.Error()
		}
		switch v := body.(type) {
		case *Actors:
			c.actors = v
		case *Child:
			c.tree = v
		}
		if err := writeSection(w, s.name, m, body); err != nil {
			return err
		}
	}
	return writeSection(w, sectionEnd, made{}, nil)
}

// cheap are the sections that a snapshot has. They take nothing away from others: the counters and the list of the busiest tell what
// there was since somebody last asked.
func (c *collector) cheap() []section {
	return []section{
		{sectionMemory, time.Second, func(context.Context) (any, error) { return CurrentUsage(), nil }},
		{sectionActors, actorsTime, func(context.Context) (any, error) { return lately(c.source), nil }},
		{sectionTree, treeTime, func(ctx context.Context) (any, error) { return treeOf(ctx, c.source) }},
	}
}

// all are the sections of a dump, but for its first and last.
func (c *collector) all() []section {
	return []section{
		{sectionMemory, time.Second, func(context.Context) (any, error) { return CurrentUsage(), nil }},
		{sectionKinds, time.Second, func(context.Context) (any, error) { return kindsOf(c.source.Snapshot()), nil }},
		{sectionActors, actorsTime, func(ctx context.Context) (any, error) { return everybody(ctx, c.source) }},
		{sectionTree, treeTime, func(ctx context.Context) (any, error) { return treeOf(ctx, c.source) }},
		{sectionStates, 3 * time.Second, c.states},
		{sectionMetrics, 2 * time.Second, func(context.Context) (any, error) { return c.source.Metrics() }},
		{sectionRuntime, time.Second, func(context.Context) (any, error) { return samples(), nil }},
		{sectionGoroutines, 10 * time.Second, func(context.Context) (any, error) { return goroutines() }},
		{sectionDescriptors, time.Second, func(context.Context) (any, error) { return descriptors(root()) }},
		{sectionConfig, time.Second, func(context.Context) (any, error) { return c.about.Config, nil }},
	}
}

// run collects a section. Whoever is asked may hang, or panic: that must not spoil the rest.
func (s section) run(ctx context.Context) (any, error) {
	type result struct {
		body any
		err  error
	}
	ctx, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	done := make(chan result, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				done <- result{err: fmt.Errorf("dump: %s: panic: %s", s.name, harmless(r))}
			}
		}()
		body, err := s.collect(ctx)
		done <- result{body, err}
	}()
	select {
	case r := <-done:
		return r.body, r.err
	case <-ctx.Done():
	}
	late := time.NewTimer(grace) // for what was collected until then
	defer late.Stop()
	select {
	case r := <-done:
		return r.body, r.err
	case <-late.C:
		return nil, fmt.Errorf("dump: %s: no answer: %w", s.name, context.Cause(ctx))
	}
}

// harmless is what may be told of a panic's value: what others have put there may hold what users wrote.
func harmless(r any) string {
	if err, ok := r.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("a %T", r)
}

// kindsOf turns the counters round.
func kindsOf(s actors.Snapshot) *Kinds {
	k := &Kinds{Kinds: map[string]Kind{}, Overloads: s.Overloads, Restarts: s.Restarts, LateReplies: s.LateReplies, Stuck: s.Stuck, Spares: s.Spares}
	for name, n := range s.Live {
		k.Kinds[name] = Kind{Live: n, Handled: s.Handled[name]}
	}
	for name, n := range s.DeadLetters {
		kind := k.Kinds[name]
		kind.DeadLetters = n
		k.Kinds[name] = kind
	}
	return k
}

// treeOf asks all supervisors. One that doesn't answer in time is shown with the reason.
func treeOf(ctx context.Context, s Source) (*Child, error) {
	roots, err := s.Children(ctx, actors.Ref{})
	if err != nil || len(roots) == 0 {
		return nil, errors.Join(err, errNoRoot)
	}
	top := childOf(roots[0])
	below(ctx, s, &top, roots[0].Ref)
	return &top, nil
}

var errNoRoot = errors.New("dump: no supervision tree runs")
