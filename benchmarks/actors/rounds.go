package main

import (
	"context"
	"fmt"
	"io"

	"github.com/jackdaw-im/jackdaw/benchmarks/actors/measure"
)

// series is what one entrant did in all rounds of one row. A round that failed has no operations.
type series struct {
	entrant
	results []measure.Result
	err     error // the first
}

// runner measures one entrant once.
type runner func(ctx context.Context, e entrant, r row) (measure.Result, error)

// compete runs all rows. In a round the entrants of a row run one after the other, each round beginning with another one. An entrant that
// fails isn't run again in that row.
func compete(ctx context.Context, plan []row, rounds int, takesPart func(contestant string) bool, do runner, progress io.Writer) [][]*series {
	all := make([][]*series, len(plan))
	for i, r := range plan {
		runs := entrants(r, takesPart)
		n := rounds
		if r.once() {
			n = 1
		}
		fmt.Fprintf(progress, "%s ..\n", r.name)
		for round := range n {
			for j := range runs {
				e := runs[(j+round)%len(runs)]
				if e.err != nil || ctx.Err() != nil {
					continue
				}
				result, err := do(ctx, e.entrant, r)
				e.results = append(e.results, result)
				if e.err = err; err != nil {
					fmt.Fprintf(progress, "%s, %s: %v\n", r.name, e.contestant, err)
				}
			}
		}
		all[i] = runs
	}
	return all
}

// entrants are those of a row.
func entrants(r row, takesPart func(contestant string) bool) []*series {
	var runs []*series
	for _, c := range r.who {
		if !takesPart(c) {
			continue
		}
		for _, v := range variants(c, r) {
			runs = append(runs, &series{entrant: entrant{c, v}})
		}
	}
	return runs
}
