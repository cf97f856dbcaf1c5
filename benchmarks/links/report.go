package main

import (
	"errors"
	"fmt"
	"slices"
)

// report is everything that a run has found out.
type report struct {
	Setup       []fact   `json:"setup"`
	Contestants []entry  `json:"contestants"`
	Bars        []judge  `json:"bars"`
	Notes       []string `json:"notes"`
}

// fact is something about the machine or a contestant.
type fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// figures are what an envelope costs.
type figures struct {
	// CPU is the processor time of both sides, in microseconds; Sender and Receiver are its parts.
	CPU      float64 `json:"cpu_us"`
	Sender   float64 `json:"sender_cpu_us"`
	Receiver float64 `json:"receiver_cpu_us"`
	// Rate is envelopes a second.
	Rate float64 `json:"rate"`
	// Allocs are those of both sides; 0 if they can't be counted.
	Allocs float64 `json:"allocations,omitempty"`
}

// entry is one contestant: medians over the rounds, and ratios to ours, medians of those within rounds, 0 if ours wasn't measured.
type entry struct {
	Name      string    `json:"name"`
	Title     string    `json:"title"`
	Figures   figures   `json:"figures"`
	CPURatio  float64   `json:"cpu_ratio,omitempty"`
	RateRatio float64   `json:"rate_ratio,omitempty"`
	Rounds    []figures `json:"rounds,omitempty"`
	Error     string    `json:"error,omitempty"`
}

// judge is a bar, and what was measured of it.
type judge struct {
	Text     string  `json:"text"`
	Limit    float64 `json:"at_most"`
	Measured float64 `json:"measured"`
	Reached  bool    `json:"reached"`
	// Aim says that it is wished for, and needn't hold.
	Aim bool `json:"aim,omitempty"`
	// Missing says that nothing was measured.
	Missing bool `json:"missing,omitempty"`
}

// outcome is what a contestant did in all rounds. A round that failed has no operations.
type outcome struct {
	contestant
	rounds []sides
	err    error // the first
}

// perEnvelope are the figures of one run.
func perEnvelope(s sides) figures {
	n := float64(s.Sender.Ops)
	if n == 0 {
		return figures{}
	}
	return figures{
		CPU:      float64(s.Sender.CPU+s.Receiver.CPU) / n / 1e3,
		Sender:   float64(s.Sender.CPU) / n / 1e3,
		Receiver: float64(s.Receiver.CPU) / n / 1e3,
		Rate:     n / (float64(max(s.Sender.Wall, 1)) / 1e9),
		Allocs:   float64(s.Sender.Allocs+s.Receiver.Allocs) / n,
	}
}

// summarise turns runs into entries.
func summarise(all []*outcome) []entry {
	var own []figures
	entries := make([]entry, len(all))
	for i, o := range all {
		e := &entries[i]
		e.Name, e.Title = o.name, o.title
		for _, s := range o.rounds {
			e.Rounds = append(e.Rounds, perEnvelope(s))
		}
		if o.err != nil {
			e.Error = o.err.Error()
		}
		if o.name == ours {
			own = e.Rounds
		}
		e.Figures = figures{
			CPU:      medianOf(e.Rounds, func(f figures) float64 { return f.CPU }),
			Sender:   medianOf(e.Rounds, func(f figures) float64 { return f.Sender }),
			Receiver: medianOf(e.Rounds, func(f figures) float64 { return f.Receiver }),
			Rate:     medianOf(e.Rounds, func(f figures) float64 { return f.Rate }),
			Allocs:   medianOf(e.Rounds, func(f figures) float64 { return f.Allocs }),
		}
	}
	for i := range entries {
		entries[i].CPURatio = ratioOf(entries[i].Rounds, own, func(f figures) float64 { return f.CPU })
		entries[i].RateRatio = ratioOf(entries[i].Rounds, own, func(f figures) float64 { return f.Rate })
	}
	return entries
}

// medianOf is the median of a figure over the rounds in which it was measured.
func medianOf(rounds []figures, of func(figures) float64) float64 {
	var values []float64
	for _, f := range rounds {
		if v := of(f); v > 0 {
			values = append(values, v)
		}
	}
	return median(values)
}

// ratioOf is the median of the ratios to ours in the rounds in which both were measured.
func ratioOf(rounds, own []figures, of func(figures) float64) float64 {
	var values []float64
	for i, f := range rounds {
		if i < len(own) && of(f) > 0 && of(own[i]) > 0 {
			values = append(values, of(f)/of(own[i]))
		}
	}
	return median(values)
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

// The bars. A plain gRPC stream would take the carrier's place if it took half as much.
const (
	most      = 2.0
	aim       = 1.0
	advantage = 2.0
)

// judges compares what was measured with the bars.
func judges(entries []entry) []judge {
	cpu := func(name string) float64 {
		if i := slices.IndexFunc(entries, func(e entry) bool { return e.Name == name }); i >= 0 {
			return entries[i].Figures.CPU
		}
		return 0
	}
	of := func(text string, limit, measured float64) judge {
		return judge{Text: text, Limit: limit, Measured: measured, Reached: measured > 0 && measured <= limit, Missing: measured == 0}
	}
	bars := []judge{
		of(fmt.Sprintf("links, CPU of both sides: at most %.0f us", most), most, cpu(ours)),
		of(fmt.Sprintf("links, aim: %.0f us", aim), aim, cpu(ours)),
	}
	bars[1].Aim = true
	ratio := 0.0
	if stream := cpu("stream"); stream > 0 {
		ratio = cpu("carrier") / stream
	}
	return append(bars, of(fmt.Sprintf("the carrier: less than %.0f times a plain gRPC stream", advantage), advantage, ratio))
}

// verdict is the error of the bars that were missed. Aims may be, and so may what wasn't measured.
func verdict(bars []judge) (err error) {
	for _, j := range bars {
		if !j.Reached && !j.Missing && !j.Aim {
			err = errors.Join(err, fmt.Errorf("links: missed, with %.2f: %s", j.Measured, j.Text))
		}
	}
	return err
}
