package main

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
)

func sample() *report {
	rep := &report{Setup: []fact{{"machine", "2 cores"}}, Sizes: []int{1, 3}, Notes: []string{"a note"}}
	cpu := func(v float64) figure { return figure{paced, "CPU", "us", v} }
	rep.keep(3, 0, []figure{{joining, "moved", "", 1000}, cpu(300)})
	rep.keep(1, 0, []figure{cpu(100), {paced, "p50", "ms", 2}})
	rep.keep(1, 1, []figure{cpu(200), {paced, "p50", "ms", 4}})
	rep.keep(3, 1, []figure{cpu(400)})
	rep.keep(3, 2, []figure{cpu(10_000)}) // there is none of one node in this round
	rep.finish()
	return rep
}

func TestMediansAndRatios(t *testing.T) {
	rep := sample()
	var order []string
	for _, r := range rep.Rows {
		order = append(order, r.Part+" "+r.Name)
	}
	if want := []string{"paced CPU", "paced p50", "join moved"}; !slices.Equal(order, want) {
		t.Fatalf("rows %v, want %v", order, want)
	}
	one, three := rep.Rows[0].Cells[0], rep.Rows[0].Cells[1]
	if one.Median != 150 || one.Ratio != 0 || three.Median != 400 || three.Ratio != 2.5 {
		t.Errorf("%+v, %+v", one, three)
	}
	if rep.Rows[1].Cells[1] != nil || rep.Rows[2].Cells[0] != nil {
		t.Error("what wasn't measured has a figure")
	}
	if c := rep.Rows[2].Cells[1]; c.Ratio != 0 || c.Median != 1000 {
		t.Errorf("without anything to compare with: %+v", c)
	}
}

func TestRatiosToNothing(t *testing.T) {
	rep := &report{Sizes: []int{1, 3}}
	rep.keep(1, 0, []figure{{paced, "envelopes", "", 0}})
	rep.keep(3, 0, []figure{{paced, "envelopes", "", 3}})
	rep.finish()
	if c := rep.Rows[0].Cells[1]; c.Ratio != 0 || math.IsInf(c.Ratio, 0) {
		t.Errorf("%+v", c)
	}
}

func TestMedian(t *testing.T) {
	for _, tt := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{5, 1}, 3}, {[]float64{9, 1, 2}, 2}} {
		if got := median(tt.values); got != tt.want {
			t.Errorf("median of %v is %v, want %v", tt.values, got, tt.want)
		}
	}
}

func TestTable(t *testing.T) {
	rep := sample()
	rep.Errors = []string{"something broke"}
	var out strings.Builder
	if err := printTable(&out, rep); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"machine: 2 cores", "At a fixed rate", "1 node", "3 nodes", "3 / 1", "2.50x", "A node joins", "- a note", "FAILED: something broke"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "As fast as") {
		t.Error("a section without figures is printed")
	}
	fields := strings.Fields(out.String()[strings.Index(out.String(), "CPU"):])
	if want := []string{"CPU", "us", "150", "400", "2.50x", "3"}; !slices.Equal(fields[:6], want) {
		t.Errorf("row %v, want %v", fields[:6], want)
	}
}

func TestJSON(t *testing.T) {
	var out strings.Builder
	if err := printJSON(&out, sample()); err != nil {
		t.Fatal(err)
	}
	var back report
	if err := json.Unmarshal([]byte(out.String()), &back); err != nil {
		t.Fatal(err)
	}
	if len(back.Rows) != 3 || back.Rows[0].Cells[1].Median != 400 || len(back.Rows[0].Cells[1].Rounds) != 3 || back.Rows[1].Cells[1] != nil {
		t.Errorf("%s", out.String())
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.00123: "0.0012", 0.0123: "0.0123", 1.234: "1.23", 45.67: "45.7", 1234.5: "1234", -2.5: "-2.50"} {
		if got := number(v); got != want {
			t.Errorf("%v is printed as %s, want %s", v, got, want)
		}
	}
}

func TestEveryPartHasASection(t *testing.T) {
	for _, name := range append(parts(), joining, leaving, losing) {
		if order(name) < 0 {
			t.Errorf("%s has no section", name)
		}
	}
}
