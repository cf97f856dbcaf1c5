package transfer

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackdaw-im/jackdaw/store"
)

// ErrNotEmpty refuses a target that holds other data.
var ErrNotEmpty = errors.New("transfer: the target holds data of its own, which a move would mix with another store's: give it empty databases")

// Moved says what a move has copied, by parts.
type Moved struct {
	Parts   [store.Parts]Digest
	Resumed bool // it went on with one that was interrupted
}

// Move copies all that a store holds into another one, which must be empty, or hold what an interrupted move of the same
// source, known by its name, has copied before. Then it reads both as a whole and compares. No server may use either.
//
// An error leaves the target marked as unfinished, so that no server opens it; the same move may be repeated.
func Move(ctx context.Context, from, to store.Engine, source string, progress Progress) (*Moved, error) {
	w, err := walker(from)
	if err != nil {
		return nil, err
	}
	m := &mover{from: w, source: source, progress: progress, moved: &Moved{}}
	ok := false
	if m.to, ok = to.(store.Loader); ok {
		m.check, ok = to.(store.Walker)
	}
	if !ok {
		return nil, fmt.Errorf("transfer: nothing can be loaded into the store %s", to.Info().Name)
	}
	at, err := m.begin(ctx)
	if err != nil {
		return nil, err
	}
	for part := at.Part; part < store.PartIndexes; part++ {
		after := ""
		if part == at.Part {
			after = at.After
		}
		if err := m.copy(ctx, part, after); err != nil {
			return nil, fmt.Errorf("transfer: moving %s: %w", part, err)
		}
	}
	if err := m.compare(ctx); err != nil {
		return nil, err
	}
	return m.moved, m.to.SetLoading(ctx, store.LoadPlace{})
}

// mover is one Move while it runs.
type mover struct {
	from     store.Walker
	to       store.Loader
	check    store.Walker // of the target
	source   string
	progress Progress
	moved    *Moved
}

// begin says where to go on, and marks the target.
func (m *mover) begin(ctx context.Context) (store.LoadPlace, error) {
	at, err := m.to.Loading(ctx)
	switch {
	case err != nil:
		return at, err
	case at.Source == m.source:
		m.moved.Resumed = true
		return at, nil
	case at.Source != "":
		return at, fmt.Errorf("%w (an unfinished move from %s)", ErrNotEmpty, at.Source)
	}
	for part := range store.PartIndexes {
		p, err := m.check.Walk(ctx, store.WalkQuery{Part: part, Limit: 1})
		if err != nil {
			return at, err
		}
		if len(p.Entries)+len(p.Damage) > 0 {
			return at, fmt.Errorf("%w (there are %s)", ErrNotEmpty, part)
		}
	}
	at = store.LoadPlace{Source: m.source}
	return at, m.to.SetLoading(ctx, at)
}

// copy copies one part from a place on.
func (m *mover) copy(ctx context.Context, part store.Part, after string) error {
	n := int64(0)
	return pages(ctx, m.from, part, after, func(p *store.WalkPage) error {
		if len(p.Damage) > 0 {
			return fmt.Errorf("%w: %s", store.ErrCorrupt, strings.Join(p.Damage, "; "))
		}
		if err := m.to.Load(ctx, p); err != nil {
			return err
		}
		n += int64(len(p.Entries))
		m.progress.tell("copied", part, n)
		next := store.LoadPlace{Source: m.source, Part: part, After: p.Next}
		if p.Next == "" {
			next.Part++
		}
		return m.to.SetLoading(ctx, next)
	})
}

// compare reads both stores as a whole.
func (m *mover) compare(ctx context.Context) error {
	for part := range store.PartIndexes {
		var of [2]Digest
		for i, w := range []store.Walker{m.from, m.check} {
			err := pages(ctx, w, part, "", func(p *store.WalkPage) error {
				if len(p.Damage) > 0 {
					return fmt.Errorf("%w: %s", store.ErrCorrupt, strings.Join(p.Damage, "; "))
				}
				for j := range p.Entries {
					of[i].add(part, &p.Entries[j])
				}
				m.progress.tell("compared", part, of[i].Entries)
				return nil
			})
			if err != nil {
				return fmt.Errorf("transfer: comparing %s: %w", part, err)
			}
		}
		if of[0] != of[1] {
			return fmt.Errorf("transfer: the %s differ after the move: the source has %d (%s), the target %d (%s). Was either changed meanwhile? Empty the target, and move again",
				part, of[0].Entries, of[0], of[1].Entries, of[1])
		}
		m.moved.Parts[part] = of[0]
	}
	return nil
}
