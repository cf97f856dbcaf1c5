package main

import (
	"encoding/json"
	"fmt"
	"io"
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

// table prints lines of cells under a title.
func (p *printer) table(title string, lines [][]string) {
	p.line("\n%s", title)
	w := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	for _, cells := range lines {
		if _, err := fmt.Fprintln(w, "  "+strings.Join(cells, "\t")); p.err == nil {
			p.err = err
		}
	}
	if err := w.Flush(); p.err == nil {
		p.err = err
	}
}

// printTable prints the report for people.
func printTable(out io.Writer, rep *report) error {
	p := &printer{out: out}
	for _, f := range rep.Setup {
		p.line("%s: %s", f.Name, f.Value)
	}
	lines := [][]string{{"", "CPU us", "sender", "receiver", "allocations", "a second", "CPU / ours", "rate / ours"}}
	for _, e := range rep.Contestants {
		if e.Figures.CPU == 0 {
			lines = append(lines, []string{e.Title, "-", "-", "-", "-", "-", "-", "-"})
			continue
		}
		allocs := "-"
		if e.Figures.Allocs > 0 {
			allocs = fixed(e.Figures.Allocs, 2)
		}
		lines = append(lines, []string{e.Title, fixed(e.Figures.CPU, 2), fixed(e.Figures.Sender, 2), fixed(e.Figures.Receiver, 2), allocs,
			thousands(e.Figures.Rate), ratio(e.CPURatio), ratio(e.RateRatio)})
	}
	p.table("An envelope, both sides together", lines)
	lines = nil
	for _, j := range rep.Bars {
		measured, verdict := fixed(j.Measured, 2), "reached"
		switch {
		case j.Missing:
			measured, verdict = "-", "not measured"
		case !j.Reached:
			verdict = "MISSED"
		}
		lines = append(lines, []string{j.Text, measured, verdict})
	}
	p.table("What must hold", lines)
	p.line("")
	for _, e := range rep.Contestants {
		if e.Error != "" {
			p.line("- %s: %s", e.Title, strings.ReplaceAll(e.Error, "\n", " / "))
		}
	}
	for _, n := range rep.Notes {
		p.line("- %s", n)
	}
	return p.err
}

func fixed(v float64, digits int) string { return strconv.FormatFloat(v, 'f', digits, 64) }

// ratio prints a ratio, or that there is none.
func ratio(v float64) string {
	if v == 0 {
		return "-"
	}
	return fixed(v, 2) + "x"
}

// thousands prints a rate rounded to thousands.
func thousands(v float64) string {
	text := strconv.Itoa(int(v/1000 + 0.5))
	if len(text) > 3 {
		text = text[:len(text)-3] + "," + text[len(text)-3:]
	}
	return text + ",000"
}

// printJSON prints the report for programs.
func printJSON(out io.Writer, rep *report) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(rep); err != nil {
		return fmt.Errorf("links: %w", err)
	}
	return nil
}
