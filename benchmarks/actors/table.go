package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// number prints v with three significant digits, and all digits before the point.
func number(v float64) string {
	if v == 0 {
		return "0"
	}
	digits := 2 - int(math.Floor(math.Log10(math.Abs(v))))
	s := strconv.FormatFloat(v, 'f', max(0, digits), 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// ratio prints a ratio with two digits.
func ratio(v float64) string {
	switch {
	case v >= 9.95:
		return strconv.FormatFloat(v, 'f', 0, 64) + "x"
	case v >= 0.995:
		return strconv.FormatFloat(v, 'f', 1, 64) + "x"
	}
	return strconv.FormatFloat(v, 'f', 2, 64) + "x"
}

// printTables prints the report for people.
func printTables(out io.Writer, rep *report) error {
	p := &printer{out: out}
	for _, f := range rep.Setup {
		p.line("%s: %s", f.Name, f.Value)
	}
	p.matrix("Processor time of one operation, ns", rep, cpu, cpu)
	p.matrix("Time of one operation, ns", rep, wall, cpu)
	p.matrix("Resident memory of one actor, bytes", rep, bytes, bytes)
	p.matrix("Processor time of one actor when so many are started, ns", rep, cpu, bytes)
	p.matrix("Allocations of one operation", rep, allocs, cpu)
	p.extras(rep)
	p.variants(rep)
	p.bars(rep)
	p.failures(rep)
	if len(rep.Notes) > 0 {
		p.line("")
	}
	for _, n := range rep.Notes {
		p.line("- %s", n)
	}
	return p.err
}

// printer writes, and remembers the first error.
type printer struct {
	out io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if _, err := fmt.Fprintf(p.out, format+"\n", args...); p.err == nil {
		p.err = err
	}
}

// table prints lines of cells under a title, nothing if there is no line.
func (p *printer) table(title string, head []string, lines [][]string) {
	if len(lines) == 0 {
		return
	}
	p.line("\n%s", title)
	w := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	for _, cells := range append([][]string{head}, lines...) {
		if _, err := fmt.Fprintln(w, "  "+strings.Join(cells, "\t")); p.err == nil {
			p.err = err
		}
	}
	if err := w.Flush(); p.err == nil {
		p.err = err
	}
}

// matrix prints one metric of the rows that are about another, a column for each contestant, with the ratio to ours.
func (p *printer) matrix(title string, rep *report, m, about metric) {
	var lines [][]string
	for i := range rep.Rows {
		o := &rep.Rows[i]
		if o.Metric != about {
			continue
		}
		cells, any := []string{o.Title}, false
		for _, c := range contestants() {
			e, _ := o.best(c)
			v, ok := e.Figures[m]
			switch {
			case !ok:
				cells = append(cells, "-")
			case m == allocs:
				cells = append(cells, strconv.FormatFloat(v, 'f', 1, 64))
			case c == ours || e.Ratios[m] == 0:
				cells = append(cells, number(v))
			default:
				cells = append(cells, number(v)+" ("+ratio(e.Ratios[m])+")")
			}
			any = any || ok
		}
		if any {
			lines = append(lines, cells)
		}
	}
	if m != allocs {
		title += "; in brackets how many times ours"
	}
	p.table(title, append([]string{""}, contestants()...), lines)
}

// extras prints the figures that only one workload has.
func (p *printer) extras(rep *report) {
	var lines [][]string
	for i := range rep.Rows {
		o := &rep.Rows[i]
		e, _ := o.best(ours)
		var figures []string
		for _, m := range slices.Sorted(maps.Keys(e.Figures)) {
			if !slices.Contains([]metric{cpu, wall, bytes, allocs}, m) {
				figures = append(figures, string(m)+" "+number(e.Figures[m]))
			}
		}
		if figures != nil {
			lines = append(lines, []string{o.Title, strings.Join(figures, ", ")})
		}
	}
	p.table("More of ours", []string{"", ""}, lines)
}

// variants prints what those with a choice have in each.
func (p *printer) variants(rep *report) {
	var lines [][]string
	for _, o := range rep.Rows {
		for _, e := range o.Who {
			alone := !slices.ContainsFunc(o.Who, func(other entry) bool { return other.Contestant == e.Contestant && other.Variant != e.Variant })
			if alone || e.Figures == nil {
				continue
			}
			compared := ""
			if e.Best {
				compared = "compared"
			}
			name := e.Variant
			if name == "" {
				name = "as it is"
			}
			lines = append(lines, []string{o.Title, e.Contestant + ", " + name, number(e.Figures[o.Metric]), number(e.Figures[wall]), compared})
		}
	}
	p.table("With a choice of settings", []string{"", "", "CPU ns or bytes", "ns", ""}, lines)
}

// bars prints what ours must reach.
func (p *printer) bars(rep *report) {
	var lines [][]string
	for _, o := range rep.Rows {
		for _, j := range o.Bars {
			measured, verdict := number(j.Measured), "reached"
			switch {
			case j.Missing:
				measured, verdict = "-", "not measured"
			case !j.Reached:
				verdict = "MISSED"
			}
			lines = append(lines, []string{o.Title, j.text(), measured, verdict})
		}
	}
	p.table("What ours must show", []string{"", "bar", "measured", ""}, lines)
}

// failures prints why something is missing.
func (p *printer) failures(rep *report) {
	var lines [][]string
	for i := range rep.Rows {
		o := &rep.Rows[i]
		for _, c := range contestants() {
			if why := o.failed(c); why != "" {
				lines = append(lines, []string{o.Title, c, strings.ReplaceAll(why, "\n", " / ")})
			}
		}
	}
	p.table("Not measured", []string{"", "", "why"}, lines)
}

// printJSON prints the report for programs.
func printJSON(out io.Writer, rep *report) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(rep); err != nil {
		return fmt.Errorf("actors: %w", err)
	}
	return nil
}
