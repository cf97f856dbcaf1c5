package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

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

// table prints lines of cells.
func (p *printer) table(lines [][]string) {
	w := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, cells := range lines {
		if _, err := fmt.Fprintln(w, strings.Join(cells, "\t")+"\t"); p.err == nil {
			p.err = err
		}
	}
	if err := w.Flush(); p.err == nil {
		p.err = err
	}
}

// section is a part of the table.
type section struct{ name, title string }

func sections() []section {
	return []section{{paced, "At a fixed rate"}, {full, "As fast as the windows allow"}, {crowd, "Idle nodes and connections"},
		{joining, "A node joins"}, {leaving, "It leaves in order"}, {losing, "A node is lost, with the connections to it"}}
}

// order is where a section stands.
func order(name string) int {
	return slices.IndexFunc(sections(), func(s section) bool { return s.name == name })
}

// printTable prints the report for people.
func printTable(out io.Writer, rep *report) error {
	p := &printer{out: out}
	for _, f := range rep.Setup {
		p.line("%s: %s", f.Name, f.Value)
	}
	for _, s := range sections() {
		if lines := rep.lines(s.name); len(lines) > 1 {
			p.line("\n%s", s.title)
			p.table(lines)
		}
	}
	p.line("")
	for _, n := range rep.Notes {
		p.line("- %s", n)
	}
	for _, e := range rep.Errors {
		p.line("FAILED: %s", e)
	}
	return p.err
}

// lines are a part's table: figures in clusters of all sizes, then the ratios to the first one.
func (rep *report) lines(part string) [][]string {
	head := []string{"", ""}
	for _, n := range rep.Sizes {
		head = append(head, plural(n))
	}
	for _, n := range rep.Sizes[min(1, len(rep.Sizes)):] {
		head = append(head, fmt.Sprintf("%d / %d", n, rep.Sizes[0]))
	}
	all := [][]string{append(head, "rounds")}
	for _, r := range rep.Rows {
		if r.Part != part {
			continue
		}
		line, ratios, rounds := []string{r.Name, r.Unit}, []string(nil), 0
		for i, c := range r.Cells {
			value, ratio := "-", "-"
			if c != nil {
				value, rounds = number(c.Median), max(rounds, len(c.Rounds))
				if c.Ratio > 0 {
					ratio = strconv.FormatFloat(c.Ratio, 'f', 2, 64) + "x"
				}
			}
			line = append(line, value)
			if i > 0 {
				ratios = append(ratios, ratio)
			}
		}
		all = append(all, append(append(line, ratios...), strconv.Itoa(rounds)))
	}
	return all
}

func plural(nodes int) string {
	if nodes == 1 {
		return "1 node"
	}
	return strconv.Itoa(nodes) + " nodes"
}

// number prints v with three significant digits at least, and all digits before the point.
func number(v float64) string {
	if v == 0 {
		return "0"
	}
	digits := 2 - int(math.Floor(math.Log10(math.Abs(v))))
	return strconv.FormatFloat(v, 'f', min(max(0, digits), 4), 64)
}

// printJSON prints the report for programs.
func printJSON(out io.Writer, rep *report) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(rep); err != nil {
		return fmt.Errorf("scaleout: %w", err)
	}
	return nil
}
