package main

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestVerdict(t *testing.T) {
	for _, test := range []struct {
		r    result
		want string
	}{
		{result{Value: 5}, ""},
		{result{Value: 5, FirstBar: 10, Goal: 4}, "first bar"},
		{result{Value: 4, FirstBar: 10, Goal: 4}, "goal"},
		{result{Value: 11, FirstBar: 10, Goal: 4}, "MISSED"},
		{result{Value: 3, FirstBar: 10}, "first bar"},
		{result{Value: 5, FirstBar: 10, Goal: 20, More: true}, "MISSED"},
		{result{Value: 10, FirstBar: 10, Goal: 20, More: true}, "first bar"},
		{result{Value: 21, FirstBar: 10, Goal: 20, More: true}, "goal"},
	} {
		if got := test.r.verdict(); got != test.want {
			t.Errorf("%+v: %q, want %q", test.r, got, test.want)
		}
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.01234: "0.0123", 1: "1.00", 45.67: "45.7", 123.4: "123", 68600: "68600", -2.5: "-2.50"} {
		if got := number(v); got != want {
			t.Errorf("%v is printed %q, want %q", v, got, want)
		}
	}
}

func TestPrint(t *testing.T) {
	results := []result{{Name: "idle", Value: 29000, Unit: "B", FirstBar: 30000, Goal: 12000, Note: "1k"}, {Name: "rate", Value: 9, More: true}}
	var out strings.Builder
	if err := printTable(&out, results); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 3 || strings.Join(strings.Fields(lines[1]), " ") != "idle 29000 B 30000 12000 first bar 1k" {
		t.Errorf("table\n%s", out.String())
	}
	out.Reset()
	if err := printJSON(&out, results); err != nil {
		t.Fatal(err)
	}
	var back []result
	if err := json.Unmarshal([]byte(out.String()), &back); err != nil || !reflect.DeepEqual(back, results) {
		t.Errorf("read back %+v, %v", back, err)
	}
}
