package main

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/jackdaw-im/jackdaw/benchmarks/actors/measure"
	"github.com/jackdaw-im/jackdaw/internal/golden"
)

// example is a report with a bit of everything.
func example() *report {
	idle := row{name: "idle-3m", title: "idle actor <of 3 M>", metric: bytes, bars: []bar{{bytes, 500, ""}}}
	weighed := []*series{
		{entrant: entrant{contestant: ours}, results: []measure.Result{{Ops: 1000, CPU: 1e6, Wall: 2e6, Bytes: 450_000}}},
		{entrant: entrant{contestant: beam}, results: []measure.Result{{Ops: 1000, CPU: 2e6, Wall: 2e6, Bytes: 2_700_000}}},
		{entrant: entrant{beam, variant{name: "hibernated"}}, results: []measure.Result{{Ops: 1000, CPU: 3e6, Wall: 2e6, Bytes: 900_000}}},
		{entrant: entrant{contestant: channels}, err: errors.New("it needs 12 GB of memory,\nand 3 are free"), results: []measure.Result{{}}},
	}
	gc := row{name: "gc-3m", title: "a message to one of 3 M", metric: "p99 us", bars: []bar{{"p99 us", 1000, ""}}}
	watched := []*series{{entrant: entrant{contestant: ours}, results: []measure.Result{
		{Ops: 1000, CPU: 1e6, Wall: 2e6, Extra: map[string]float64{"p99 us": 1234.5, "worst us": 2000}}}}}
	wake := row{name: "wake", title: "wake", metric: cpu}
	return &report{
		Setup: []fact{{"machine", "a small one"}, {"go", "go1"}},
		Rows:  []outcome{summarise(sample()), summarise(wake, sampleOf(ours, 3000)), summarise(idle, weighed), summarise(gc, watched)},
		Notes: []string{"Everything is made up."},
	}
}

func sampleOf(contestant string, cpu int64) []*series {
	r := spent(cpu, cpu)
	r.Allocs = 25
	return []*series{{entrant: entrant{contestant: contestant}, results: []measure.Result{r}}}
}

func TestTables(t *testing.T) {
	var out strings.Builder
	if err := printTables(&out, example()); err != nil {
		t.Fatal(err)
	}
	golden.File(t, "testdata/tables.txt", out.String())
}

func TestChart(t *testing.T) {
	var out strings.Builder
	if err := drawChart(&out, example()); err != nil {
		t.Fatal(err)
	}
	golden.File(t, "testdata/chart.svg", out.String())
}

func TestJSON(t *testing.T) {
	var out strings.Builder
	if err := printJSON(&out, example()); err != nil {
		t.Fatal(err)
	}
	back := new(report)
	if err := json.Unmarshal([]byte(out.String()), back); err != nil || !reflect.DeepEqual(back, example()) {
		t.Errorf("%v\n%s", err, out.String())
	}
	golden.File(t, "testdata/report.json", out.String())
}

// broken is an output that takes nothing.
type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("full") }

func TestAFullDisk(t *testing.T) {
	for name, err := range map[string]error{
		"tables": printTables(broken{}, example()), "JSON": printJSON(broken{}, example()), "chart": drawChart(broken{}, example()),
	} {
		if err == nil || !strings.Contains(err.Error(), "full") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNumbers(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.01234: "0.0123", 1: "1", 0.5: "0.5", 45.67: "45.7", 123.4: "123", 68600: "68600", 2.5: "2.5"} {
		if got := number(v); got != want {
			t.Errorf("%v is printed %q, want %q", v, got, want)
		}
	}
	for v, want := range map[float64]string{12.4: "12x", 2.34: "2.3x", 0.997: "1.0x", 0.25: "0.25x"} {
		if got := ratio(v); got != want {
			t.Errorf("ratio %v is printed %q, want %q", v, got, want)
		}
	}
}

func TestAxis(t *testing.T) {
	a := axisOf([]group{{bars: []stroke{{beam, 0.2}, {channels, 9}}}})
	if a != (axis{-3, 4}) {
		t.Errorf("%+v", a)
	}
	if a.x(1.0/8) != labelWidth || a.x(16) != chartWidth-rightSpace || a.x(1) <= a.x(0.5) {
		t.Errorf("%v .. %v", a.x(1.0/8), a.x(16))
	}
	if got := axisOf(nil); got != (axis{-1, 1}) {
		t.Errorf("of nothing: %+v", got)
	}
}
