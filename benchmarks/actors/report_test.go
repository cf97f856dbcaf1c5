package main

import (
	"errors"
	"math"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/jackdaw-im/jackdaw/benchmarks/actors/measure"
)

func TestMedian(t *testing.T) {
	for _, test := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1}, 5}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 3, 2, 1}, 2.5}} {
		if got := median(test.values); got != test.want {
			t.Errorf("%v: %v", test.values, got)
		}
	}
	values := []float64{3, 1, 2}
	if median(values); values[0] != 3 {
		t.Error("the values are sorted in place")
	}
}

// spent is a result of ten operations.
func spent(cpu, wall int64) measure.Result {
	return measure.Result{Ops: 10, CPU: 10 * cpu, Wall: 10 * wall}
}

// sample is a row in which Erlang has two variants, and one contestant has failed in its second round.
func sample() (row, []*series) {
	r := row{name: "pingpong-1", title: "a message", workload: "pingpong", metric: cpu,
		bars: []bar{{cpu, 1, beam}, {cpu, 0.4, beam}, {cpu, 150, ""}, {allocs, 1, ""}, {cpu, 1, channels}}}
	return r, []*series{
		{entrant: entrant{contestant: ours}, results: []measure.Result{spent(100, 200), spent(200, 400), spent(120, 200)}},
		{entrant: entrant{contestant: beam}, results: []measure.Result{spent(210, 100), spent(420, 100), spent(300, 100)}},
		{entrant: entrant{beam, variant{name: "quiet"}}, results: []measure.Result{spent(200, 900), spent(500, 100), spent(180, 100)}},
		{entrant: entrant{contestant: protoactor}, results: []measure.Result{spent(400, 400), {}}, err: errors.New("broken")},
	}
}

func TestSummarise(t *testing.T) {
	o := summarise(sample())
	own, ok := o.best(ours)
	if !ok || own.Figures[cpu] != 120 || own.Figures[wall] != 200 || own.Ratios[cpu] != 1 {
		t.Errorf("ours: %+v", own)
	}
	// Its medians are 300 and 200, but its ratios are 2.1, 2.1, 2.5 and 2, 2.5, 1.5.
	b, ok := o.best(beam)
	if !ok || b.Variant != "quiet" || b.Figures[cpu] != 200 || b.Ratios[cpu] != 2 {
		t.Errorf("beam: %+v", b)
	}
	if first := o.Who[1]; first.Best || math.Abs(first.Ratios[cpu]-2.1) > 1e-9 {
		t.Errorf("beam's other variant: %+v", first)
	}
	p, ok := o.best(protoactor)
	if !ok || p.Figures[cpu] != 400 || p.Ratios[cpu] != 4 || p.Error != "broken" || o.failed(protoactor) != "broken" {
		t.Errorf("protoactor: %+v", p)
	}
	if _, ok := o.best(channels); ok || o.failed(channels) != "" {
		t.Error("channels took part")
	}
	want := []judge{
		{Metric: cpu, Of: beam, Limit: 1, Measured: 0.5, Reached: true},
		{Metric: cpu, Of: beam, Limit: 0.4, Measured: 0.5},
		{Metric: cpu, Limit: 150, Measured: 120, Reached: true},
		{Metric: allocs, Limit: 1, Reached: true},
		{Metric: cpu, Of: channels, Limit: 1, Missing: true},
	}
	if !reflect.DeepEqual(o.Bars, want) {
		t.Errorf("bars %+v", o.Bars)
	}
}

func TestNobodyIsComparedWithNothing(t *testing.T) {
	r, runs := sample()
	runs[0].results, runs[0].err = nil, errors.New("it doesn't start")
	o := summarise(r, runs)
	if b, ok := o.best(beam); !ok || b.Ratios != nil {
		t.Errorf("beam: %+v", b)
	}
	for _, j := range o.Bars {
		if !j.Missing || j.Reached {
			t.Errorf("%+v", j)
		}
	}
}

func TestFigures(t *testing.T) {
	got := figures(measure.Result{Ops: 4, CPU: 8, Bytes: 2000, Allocs: 6, Extra: map[string]float64{"p99 us": 3}})
	want := map[metric]float64{cpu: 2, bytes: 500, allocs: 1.5, "p99 us": 3}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v", got)
	}
}

func TestLoad(t *testing.T) {
	rep := &report{Setup: []fact{{"go", "1"}}, Rows: []outcome{summarise(sample())}, Notes: []string{"a < b"}}
	name := filepath.Join(t.TempDir(), "a.json")
	cfg := &settings{jsonFile: name}
	if err := show(cfg, rep, new(strings.Builder)); err != nil {
		t.Fatal(err)
	}
	if back, err := load(name); err != nil || !reflect.DeepEqual(back, rep) {
		t.Errorf("%v\n%+v\n%+v", err, back, rep)
	}
	if _, err := load(name + "x"); err == nil {
		t.Error("a file that isn't there is loaded")
	}
}
