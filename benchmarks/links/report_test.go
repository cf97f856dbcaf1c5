package main

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/jackdaw-im/jackdaw/benchmarks/actors/measure"
)

// cost is a run of 1,000 envelopes with so many microseconds for each on both sides.
func cost(sender, receiver float64) sides {
	return sides{
		Sender:   measure.Result{Ops: 1000, CPU: int64(sender * 1e6), Wall: 1e6, Allocs: 2000},
		Receiver: measure.Result{Ops: 1000, CPU: int64(receiver * 1e6), Wall: 2e6, Allocs: 500},
	}
}

func of(name string, rounds ...sides) *outcome {
	for _, c := range contestants() {
		if c.name == name {
			return &outcome{contestant: c, rounds: rounds}
		}
	}
	panic(name)
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 }

func TestPerEnvelope(t *testing.T) {
	want := figures{CPU: 1.5, Sender: 0.5, Receiver: 1, Rate: 1e6, Allocs: 2.5}
	if got := perEnvelope(cost(0.5, 1)); got != want {
		t.Errorf("%+v", got)
	}
	if got := perEnvelope(sides{}); got != (figures{}) {
		t.Errorf("%+v", got)
	}
}

func TestSummarise(t *testing.T) {
	all := []*outcome{
		of("stream", cost(1, 1), cost(4, 4), cost(2, 2)),
		of("links", cost(1, 1), cost(1, 1), cost(2, 2)),
		of("beam", cost(5, 5), sides{}),
		of("remote-1"),
	}
	all[2].err = errors.New("broken")
	e := summarise(all)
	if e[0].Figures.CPU != 4 || e[0].CPURatio != 1 || len(e[0].Rounds) != 3 || e[0].Name != "stream" {
		t.Errorf("%+v", e[0]) // the ratios are 1, 4, 1
	}
	if e[1].Figures.CPU != 2 || e[1].CPURatio != 1 || e[1].RateRatio != 1 {
		t.Errorf("%+v", e[1])
	}
	if e[2].Figures.CPU != 10 || e[2].CPURatio != 5 || e[2].Error != "broken" {
		t.Errorf("%+v", e[2])
	}
	if e[3].Figures != (figures{}) || e[3].CPURatio != 0 {
		t.Errorf("%+v", e[3])
	}
	if alone := summarise(all[:1]); alone[0].CPURatio != 0 || alone[0].Figures.CPU != 4 {
		t.Errorf("%+v", alone)
	}
}

func TestMedian(t *testing.T) {
	for want, values := range map[float64][]float64{0: nil, 3: {3}, 2: {3, 1}, 5: {9, 1, 5}} {
		if got := median(values); got != want {
			t.Errorf("%v: %v", values, got)
		}
	}
}

func TestJudges(t *testing.T) {
	for name, c := range map[string]struct {
		all    []*outcome
		want   []string
		missed []string // of what run's exit code tells
	}{
		"good":   {[]*outcome{of("links", cost(0.4, 0.5)), of("carrier", cost(0.5, 0.5)), of("stream", cost(0.3, 0.3))}, []string{"yes", "yes", "yes"}, nil},
		"no aim": {[]*outcome{of("links", cost(1, 1)), of("carrier", cost(0.5, 0.5)), of("stream", cost(0.3, 0.3))}, []string{"yes", "no", "yes"}, nil},
		"enough": {[]*outcome{of("links", cost(1, 0.9)), of("carrier", cost(1, 1)), of("stream", cost(0.3, 0.3))}, []string{"yes", "no", "no"}, []string{"3.33: the carrier"}},
		"bad":    {[]*outcome{of("links", cost(1, 1.1))}, []string{"no", "no", "missing"}, []string{"2.10: links, CPU of both sides"}},
		"both":   {[]*outcome{of("links", cost(2, 2)), of("carrier", cost(1, 1)), of("stream", cost(0.25, 0.25))}, []string{"no", "no", "no"}, []string{"4.00: links", "4.00: the carrier"}},
		"none":   {nil, []string{"missing", "missing", "missing"}, nil},
	} {
		bars := judges(summarise(c.all))
		var got []string
		for _, j := range bars {
			switch {
			case j.Missing:
				got = append(got, "missing")
			case j.Reached:
				got = append(got, "yes")
			default:
				got = append(got, "no")
			}
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v", name, got)
		}
		err := verdict(bars)
		if (err != nil) != (c.missed != nil) {
			t.Errorf("%s: %v", name, err)
		}
		for _, text := range c.missed {
			if err != nil && !strings.Contains(err.Error(), "missed, with "+text) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if j := judges(summarise([]*outcome{of("carrier", cost(1, 1)), of("stream", cost(0.25, 0.25))})); !near(j[2].Measured, 4) {
		t.Errorf("%+v", j)
	}
}

func sample() *report {
	all := []*outcome{of("links", cost(0.5, 0.75)), of("stream", cost(0.25, 0.5)), of("beam")}
	all[2].err = errors.New("it\nbroke")
	entries := summarise(all)
	return &report{Setup: []fact{{"machine", "this"}}, Contestants: entries, Bars: judges(entries), Notes: []string{"a note"}}
}

func TestTable(t *testing.T) {
	var out strings.Builder
	if err := printTable(&out, sample()); err != nil {
		t.Fatal(err)
	}
	want := `machine: this

An envelope, both sides together
                                        CPU us  sender  receiver  allocations  a second   CPU / ours  rate / ours
  links over the carrier, TLS           1.25    0.50    0.75      2.50         1,000,000  1.00x       1.00x
  frames over a plain gRPC stream, TLS  0.75    0.25    0.50      2.50         1,000,000  0.60x       1.00x
  distributed Erlang                    -       -       -         -            -          -           -

What must hold
  links, CPU of both sides: at most 2 us              1.25  reached
  links, aim: 1 us                                    1.25  MISSED
  the carrier: less than 2 times a plain gRPC stream  -     not measured

- distributed Erlang: it / broke
- a note
`
	if out.String() != want {
		t.Errorf("printed\n%s\ninstead of\n%s", out.String(), want)
	}
	if err := printTable(full{}, sample()); err == nil {
		t.Error("a full disk is no error")
	}
}

// full takes nothing.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("full") }

func TestNumbers(t *testing.T) {
	for v, want := range map[float64]string{0: "0,000", 499: "0,000", 500: "1,000", 351_400: "351,000", 1_234_567: "1,235,000"} {
		if got := thousands(v); got != want {
			t.Errorf("%v: %s", v, got)
		}
	}
	if ratio(0) != "-" || ratio(1.234) != "1.23x" {
		t.Error("ratios")
	}
}

func TestJSON(t *testing.T) {
	var out strings.Builder
	if err := printJSON(&out, sample()); err != nil {
		t.Fatal(err)
	}
	var back report
	if err := json.Unmarshal([]byte(out.String()), &back); err != nil || !reflect.DeepEqual(&back, sample()) {
		t.Errorf("%v, %+v", err, back)
	}
	if err := printJSON(full{}, sample()); err == nil {
		t.Error("a full disk is no error")
	}
}
