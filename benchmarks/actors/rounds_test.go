package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/jackdaw-im/jackdaw/benchmarks/actors/measure"
)

func TestRoundsAreInterleaved(t *testing.T) {
	var order []string
	plan := []row{
		{name: "one", workload: "pingpong", metric: cpu, who: []string{ours, beam}},
		{name: "two", workload: "idle", metric: bytes, who: []string{ours, protoactor, channels}},
	}
	all := compete(t.Context(), plan, 2, func(c string) bool { return c != channels }, func(_ context.Context, e entrant, r row) (measure.Result, error) {
		order = append(order, fmt.Sprintf("%s %s%d", r.name, e.contestant, len(e.variant.flags)))
		return measure.Result{Ops: 1}, nil
	}, io.Discard)
	want := "one jackdaw0, one beam0, one beam6, one beam0, one beam6, one jackdaw0, two jackdaw0, two protoactor0"
	if got := strings.Join(order, ", "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if len(all) != 2 || len(all[0]) != 3 || len(all[0][2].results) != 2 || len(all[1]) != 2 || len(all[1][0].results) != 1 {
		t.Errorf("%+v", all)
	}
}

func TestWhoFailsIsLeftOut(t *testing.T) {
	var progress strings.Builder
	plan := []row{{name: "one", metric: cpu, who: []string{ours, protoactor}}}
	runs := 0
	all := compete(t.Context(), plan, 3, func(string) bool { return true }, func(_ context.Context, e entrant, _ row) (measure.Result, error) {
		if runs++; e.contestant == protoactor && runs > 2 {
			return measure.Result{}, errors.New("broken")
		}
		return measure.Result{Ops: 1}, nil
	}, &progress)
	if got, want := all[0][0].results, []measure.Result{{Ops: 1}, {Ops: 1}, {Ops: 1}}; !reflect.DeepEqual(got, want) {
		t.Errorf("ours: %v", got)
	}
	if got, want := all[0][1].results, []measure.Result{{Ops: 1}, {}}; !reflect.DeepEqual(got, want) || all[0][1].err == nil {
		t.Errorf("protoactor: %v, %v", got, all[0][1].err)
	}
	if got := progress.String(); got != "one ..\none, protoactor: broken\n" {
		t.Errorf("%q", got)
	}
}

func TestNothingRunsAfterTheEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	compete(ctx, rows(), 1, func(string) bool { return true }, func(context.Context, entrant, row) (measure.Result, error) {
		t.Error("it runs")
		return measure.Result{}, nil
	}, io.Discard)
}
