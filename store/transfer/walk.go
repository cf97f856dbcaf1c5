package transfer

import (
	"context"
	"fmt"

	"github.com/jackdaw-im/jackdaw/store"
)

// The bounds of a page.
const (
	pageEntries = 1000
	pageBytes   = 4 << 20
)

// Progress hears now and then how far a long run has come. May be nil.
type Progress func(what string, part store.Part, entries int64)

func (p Progress) tell(what string, part store.Part, entries int64) {
	if p != nil {
		p(what, part, entries)
	}
}

// walker returns the ability to walk a store.
func walker(e store.Engine) (store.Walker, error) {
	if w, ok := e.(store.Walker); ok {
		return w, nil
	}
	return nil, fmt.Errorf("transfer: the store %s can't be read as a whole", e.Info().Name)
}

// pages passes the pages of a part to each, from a place on.
func pages(ctx context.Context, w store.Walker, part store.Part, after string, each func(*store.WalkPage) error) error {
	for {
		p, err := w.Walk(ctx, store.WalkQuery{Part: part, After: after, Limit: pageEntries, Bytes: pageBytes})
		if err != nil {
			return err
		}
		if err := each(p); err != nil || p.Next == "" {
			return err
		}
		after = p.Next
	}
}

// entries passes the entries of a part to each.
func entries(ctx context.Context, w store.Walker, part store.Part, each func(*store.Entry) error) error {
	return pages(ctx, w, part, "", func(p *store.WalkPage) error {
		for i := range p.Entries {
			if err := each(&p.Entries[i]); err != nil {
				return err
			}
		}
		return nil
	})
}
