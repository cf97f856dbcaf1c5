package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"github.com/jackdaw-im/jackdaw/benchmarks/actors/measure"
)

// report is everything that a run has found out.
type report struct {
	// Setup says on what, and how, in order; Notes what a reader has to know.
	Setup []fact    `json:"setup"`
	Rows  []outcome `json:"workloads"`
	Notes []string  `json:"notes"`
}

// fact is something about the machine or a contestant.
type fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// outcome is a row with its figures.
type outcome struct {
	Name   string  `json:"name"`
	Title  string  `json:"title"`
	Metric metric  `json:"metric"`
	Size   int     `json:"size"`
	Who    []entry `json:"contestants"`
	Bars   []judge `json:"bars,omitempty"`
}

// entry is one contestant in one variant. Figures are those of one operation, medians over the rounds; ratios are to ours, medians of
// those within rounds. Those that weren't measured are absent.
type entry struct {
	Contestant string `json:"contestant"`
	Variant    string `json:"variant,omitempty"`
	// Best is set in the variant that the contestant is compared by.
	Best    bool               `json:"best"`
	Figures map[metric]float64 `json:"figures,omitempty"`
	Ratios  map[metric]float64 `json:"ratios,omitempty"`
	// Rounds are the figures of each round.
	Rounds []map[metric]float64 `json:"rounds,omitempty"`
	Error  string               `json:"error,omitempty"`
}

// judge is a bar, and what was measured of it.
type judge struct {
	Metric   metric  `json:"metric"`
	Of       string  `json:"of,omitempty"`
	Limit    float64 `json:"at_most"`
	Measured float64 `json:"measured"`
	Reached  bool    `json:"reached"`
	// Missing says that nothing was measured.
	Missing bool `json:"missing,omitempty"`
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

// figures are those of one operation of a measurement.
func figures(r measure.Result) map[metric]float64 {
	f := map[metric]float64{}
	for m, total := range map[metric]int64{cpu: r.CPU, wall: r.Wall, bytes: r.Bytes, allocs: r.Allocs} {
		if total != 0 {
			f[m] = float64(total) / float64(r.Ops)
		}
	}
	for name, v := range r.Extra {
		f[metric(name)] = v
	}
	return f
}

// summarise turns the runs of a row into its outcome.
func summarise(r row, runs []*series) outcome {
	o := outcome{Name: r.name, Title: r.title, Metric: r.metric, Size: r.size}
	for _, s := range runs {
		e := entry{Contestant: s.contestant, Variant: s.variant.name}
		if s.err != nil {
			e.Error = s.err.Error()
		}
		for _, result := range s.results {
			var f map[metric]float64
			if result.Ops > 0 {
				f = figures(result)
			}
			e.Rounds = append(e.Rounds, f) // one that failed stays, so that the others keep their places
		}
		e.Figures = overRounds(e.Rounds, func(_ int, _ metric, v float64) (float64, bool) { return v, true })
		o.Who = append(o.Who, e)
	}
	if us := slices.IndexFunc(o.Who, func(e entry) bool { return e.Contestant == ours }); us >= 0 {
		for i := range o.Who {
			o.Who[i].Ratios = overRounds(o.Who[i].Rounds, func(round int, m metric, v float64) (float64, bool) {
				if round >= len(o.Who[us].Rounds) {
					return 0, false
				}
				own := o.Who[us].Rounds[round][m]
				return v / own, own > 0
			})
		}
	}
	o.choose()
	for _, b := range r.bars {
		o.Bars = append(o.Bars, o.verdict(b))
	}
	return o
}

// overRounds is the median of each metric over the rounds, of what f makes of it; f may leave one out.
func overRounds(rounds []map[metric]float64, f func(round int, m metric, v float64) (float64, bool)) map[metric]float64 {
	values := map[metric][]float64{}
	for i, figures := range rounds {
		for m, v := range figures {
			if v, ok := f(i, m, v); ok {
				values[m] = append(values[m], v)
			}
		}
	}
	if len(values) == 0 {
		return nil
	}
	medians := map[metric]float64{}
	for m, v := range values {
		medians[m] = median(v)
	}
	return medians
}

// choose marks the variant of each contestant that has least of the row's metric: the one that is hardest to beat.
func (o *outcome) choose() {
	best := map[string]int{}
	for i, e := range o.Who {
		if _, ok := e.Figures[o.Metric]; !ok {
			continue
		}
		if j, ok := best[e.Contestant]; !ok || e.Figures[o.Metric] < o.Who[j].Figures[o.Metric] {
			best[e.Contestant] = i
		}
	}
	for _, i := range best {
		o.Who[i].Best = true
	}
}

// best is how a contestant is compared, if it was measured.
func (o *outcome) best(contestant string) (entry, bool) {
	i := slices.IndexFunc(o.Who, func(e entry) bool { return e.Contestant == contestant && e.Best })
	if i < 0 {
		return entry{}, false
	}
	return o.Who[i], true
}

// failed is the first error of a contestant that has no figures.
func (o *outcome) failed(contestant string) string {
	for _, e := range o.Who {
		if e.Contestant == contestant && e.Error != "" {
			return e.Error
		}
	}
	return ""
}

// verdict compares ours with a bar.
func (o *outcome) verdict(b bar) judge {
	j := judge{Metric: b.metric, Of: b.of, Limit: b.limit}
	if b.of != "" {
		if other, ok := o.best(b.of); ok && other.Ratios[b.metric] > 0 {
			j.Measured = 1 / other.Ratios[b.metric]
		} else {
			j.Missing = true
		}
	} else if own, ok := o.best(ours); ok {
		j.Measured = own.Figures[b.metric] // what isn't there is 0: no allocations
	} else {
		j.Missing = true
	}
	j.Reached = !j.Missing && j.Measured <= j.Limit+tolerance(b.metric)
	return j
}

// tolerance lets pass what rounds to the bar: an allocation now and then, when a pool is empty, is none for each operation.
func tolerance(m metric) float64 {
	if m == allocs {
		return 0.05
	}
	return 0
}

// text says what a bar asks for.
func (j judge) text() string {
	if j.Of != "" {
		return fmt.Sprintf("%s: at most %s of %s", heading(j.Metric), number(j.Limit), j.Of)
	}
	return fmt.Sprintf("%s: at most %s", heading(j.Metric), number(j.Limit))
}

// heading is what a metric is called in tables.
func heading(m metric) string {
	names := map[metric]string{cpu: "CPU ns", wall: "ns", bytes: "bytes", allocs: "allocations"}
	return cmp.Or(names[m], string(m))
}

// load reads a report that printJSON has written.
func load(name string) (*report, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("actors: %w", err)
	}
	rep := new(report)
	if err := json.Unmarshal(text, rep); err != nil {
		return nil, fmt.Errorf("actors: %s: %w", name, err)
	}
	return rep, nil
}
