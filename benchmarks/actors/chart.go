package main

import (
	"fmt"
	"html"
	"io"
	"math"
	"strings"
)

// Measures of the plot, in pixels.
const (
	chartWidth = 900
	labelWidth = 300
	rightSpace = 60
	topSpace   = 92
	barHeight  = 12
	groupSpace = 12
	footSpace  = 34
)

// group is a row of the plot: what the others have, as ratios to ours.
type group struct {
	title string
	own   string
	bars  []stroke
}

type stroke struct {
	who   string
	ratio float64
}

// height leaves room for two lines of text.
func (g group) height() int { return max(2, len(g.bars)) * barHeight }

// groups are the rows that somebody else was measured in.
func groups(rep *report) []group {
	var all []group
	for i := range rep.Rows {
		o := &rep.Rows[i]
		own, ok := o.best(ours)
		if !ok || o.Metric != cpu && o.Metric != bytes {
			continue
		}
		unit := " ns"
		if o.Metric == bytes {
			unit = " B"
		}
		g := group{title: o.Title, own: number(own.Figures[o.Metric]) + unit}
		for _, c := range contestants()[1:] {
			if e, ok := o.best(c); ok && e.Ratios[o.Metric] > 0 {
				g.bars = append(g.bars, stroke{c, e.Ratios[o.Metric]})
			}
		}
		if g.bars != nil {
			all = append(all, g)
		}
	}
	return all
}

// axis is a logarithmic scale of powers of two between two bounds, which it includes; 1 is always within.
type axis struct{ low, high int }

func axisOf(all []group) axis {
	a := axis{-1, 1}
	for _, g := range all {
		for _, b := range g.bars {
			a.low = min(a.low, int(math.Floor(math.Log2(b.ratio))))
			a.high = max(a.high, int(math.Ceil(math.Log2(b.ratio))))
		}
	}
	return a
}

// x is where a ratio stands.
func (a axis) x(ratio float64) float64 {
	const width = chartWidth - labelWidth - rightSpace
	return labelWidth + width*(math.Log2(ratio)-float64(a.low))/float64(a.high-a.low)
}

// drawChart draws the ratios of all rows as bars that begin at 1, which is ours: to the right of it somebody needs more, to the left less.
func drawChart(out io.Writer, rep *report) error {
	all := groups(rep)
	a := axisOf(all)
	height := topSpace + footSpace
	for _, g := range all {
		height += g.height() + groupSpace
	}
	var s strings.Builder
	fmt.Fprintf(&s, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="sans-serif" font-size="12" fill="#222222">`+"\n",
		chartWidth, height, chartWidth, height)
	fmt.Fprintf(&s, "<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n", chartWidth, height)
	s.WriteString("<text x=\"16\" y=\"26\" font-size=\"16\" font-weight=\"bold\">What an actor costs, compared with Jackdaw's</text>\n")
	s.WriteString("<text x=\"16\" y=\"45\">Processor time of an operation, and memory of an actor. A bar to the right: so many times as much as Jackdaw; to the left: less.</text>\n")
	legend(&s)
	grid(&s, a, height)
	y := topSpace
	for _, g := range all {
		g.draw(&s, a, y)
		y += g.height() + groupSpace
	}
	s.WriteString("</svg>\n")
	if _, err := io.WriteString(out, s.String()); err != nil {
		return fmt.Errorf("actors: %w", err)
	}
	return nil
}

func legend(s *strings.Builder) {
	x := labelWidth
	for _, c := range contestants()[1:] {
		fmt.Fprintf(s, "<rect x=\"%d\" y=\"58\" width=\"12\" height=\"12\" fill=\"%s\"/><text x=\"%d\" y=\"68\">%s</text>\n", x, of(c).colour, x+17, c)
		x += 110
	}
}

// grid draws the scale: a line for each power of two, a strong one at 1.
func grid(s *strings.Builder, a axis, height int) {
	bottom := height - footSpace
	for power := a.low; power <= a.high; power++ {
		x, label, line := a.x(math.Exp2(float64(power))), number(math.Exp2(float64(power)))+"x", `stroke="#dddddd"`
		if power < 0 {
			label = fmt.Sprintf("1/%dx", 1<<-power)
		}
		if power == 0 {
			label, line = "Jackdaw", `stroke="#222222" stroke-width="1.5"`
		}
		fmt.Fprintf(s, "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" %s/><text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\" fill=\"#555555\">%s</text>\n",
			x, topSpace-8, x, bottom, line, x, bottom+18, label)
	}
}

// draw draws one group with its top at y.
func (g group) draw(s *strings.Builder, a axis, y int) {
	middle := y + g.height()/2
	fmt.Fprintf(s, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text><text x=\"%d\" y=\"%d\" text-anchor=\"end\" fill=\"#777777\" font-size=\"10\">Jackdaw: %s</text>\n",
		labelWidth-12, middle-2, html.EscapeString(g.title), labelWidth-12, middle+11, g.own)
	y = middle - len(g.bars)*barHeight/2
	one := a.x(1)
	for i, b := range g.bars {
		top, x := y+i*barHeight, a.x(b.ratio)
		fmt.Fprintf(s, "<rect x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\"><title>%s %s</title></rect>",
			min(one, x), top+1, math.Abs(x-one), barHeight-2, of(b.who).colour, b.who, ratio(b.ratio))
		fmt.Fprintf(s, "<text x=\"%.1f\" y=\"%d\" font-size=\"10\" fill=\"#555555\">%s</text>\n", max(one, x)+4, top+10, ratio(b.ratio))
	}
}
