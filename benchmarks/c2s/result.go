package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"text/tabwriter"
)

// result is one measured figure. Bars that are 0 don't exist.
type result struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	// FirstBar and Goal are what Jackdaw has set itself.
	FirstBar float64 `json:"first_bar,omitempty"`
	Goal     float64 `json:"goal,omitempty"`
	// More says that more is better.
	More bool `json:"more_is_better,omitempty"`
	// Note says under which circumstances.
	Note string `json:"note,omitempty"`
}

// verdict compares the value with the bars.
func (r result) verdict() string {
	reached := func(bar float64) bool {
		if r.More {
			return r.Value >= bar
		}
		return r.Value <= bar
	}
	switch {
	case r.FirstBar == 0 && r.Goal == 0:
		return ""
	case r.Goal != 0 && reached(r.Goal):
		return "goal"
	case r.FirstBar != 0 && reached(r.FirstBar):
		return "first bar"
	default:
		return "MISSED"
	}
}

// number prints v with three significant digits at least, and all digits before the point.
func number(v float64) string {
	if v == 0 {
		return "0"
	}
	digits := 2 - int(math.Floor(math.Log10(math.Abs(v))))
	return strconv.FormatFloat(v, 'f', max(0, digits), 64)
}

// bar prints a bar, or nothing where there is none.
func bar(v float64) string {
	if v == 0 {
		return ""
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

// printTable prints the results for people.
func printTable(out io.Writer, results []result) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "what\tmeasured\tunit\tfirst bar\tgoal\treached\thow")
	for _, r := range results {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Name, number(r.Value), r.Unit, bar(r.FirstBar), bar(r.Goal), r.verdict(), r.Note)
	}
	return table.Flush()
}

// printJSON prints the results for programs.
func printJSON(out io.Writer, results []result) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(results)
}
