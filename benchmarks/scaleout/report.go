package main

import "slices"

// fact is something about the machine or the run.
type fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// figure is one thing measured in one visit.
type figure struct {
	part, name, unit string
	value            float64
}

// report is everything that a run has found out.
type report struct {
	Setup []fact `json:"setup"`
	// Sizes are those of the clusters, as given: the first is the one that others are compared with.
	Sizes  []int    `json:"sizes"`
	Rows   []*row   `json:"rows"`
	Errors []string `json:"errors,omitempty"`
	Notes  []string `json:"notes"`
}

// row is one figure, in clusters of all sizes.
type row struct {
	Part string `json:"part"`
	Name string `json:"name"`
	Unit string `json:"unit,omitempty"`
	// Cells are in the order of the sizes; nil where nothing was measured.
	Cells []*cell `json:"cells"`
}

// cell is one figure in clusters of one size.
type cell struct {
	Median float64 `json:"median"`
	// Ratio is the median of the ratios to the first size, each within a round; 0 if there is none.
	Ratio float64 `json:"ratio,omitempty"`
	// Rounds are all, in their order.
	Rounds []float64 `json:"rounds"`

	of []int // the number of the round of each
}

// keep adds what a visit to clusters of a size has measured in a round.
func (rep *report) keep(size, round int, figures []figure) {
	column := slices.Index(rep.Sizes, size)
	for _, f := range figures {
		r := rep.row(f)
		if r.Cells[column] == nil {
			r.Cells[column] = &cell{}
		}
		c := r.Cells[column]
		c.Rounds, c.of = append(c.Rounds, f.value), append(c.of, round)
	}
}

// row finds a figure's row, or makes it: below those of its part.
func (rep *report) row(f figure) *row {
	at := len(rep.Rows)
	for i, r := range rep.Rows {
		if r.Part != f.part {
			continue
		}
		if r.Name == f.name {
			return r
		}
		at = i + 1
	}
	r := &row{Part: f.part, Name: f.name, Unit: f.unit, Cells: make([]*cell, len(rep.Sizes))}
	rep.Rows = slices.Insert(rep.Rows, at, r)
	return r
}

// finish computes medians and ratios.
func (rep *report) finish() {
	for _, r := range rep.Rows {
		for i, c := range r.Cells {
			if c == nil {
				continue
			}
			c.Median = median(c.Rounds)
			if i > 0 && r.Cells[0] != nil {
				c.Ratio = median(ratios(c, r.Cells[0]))
			}
		}
	}
	slices.SortStableFunc(rep.Rows, func(a, b *row) int { return order(a.Part) - order(b.Part) })
}

// ratios are those within the rounds in which both were measured, and the base isn't 0.
func ratios(c, base *cell) (list []float64) {
	for i, round := range c.of {
		if j := slices.Index(base.of, round); j >= 0 && base.Rounds[j] != 0 {
			list = append(list, c.Rounds[i]/base.Rounds[j])
		}
	}
	return list
}

// median is the middle of values, 0 of none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}
