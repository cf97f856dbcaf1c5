package main

import (
	"slices"
	"testing"
)

func TestField(t *testing.T) {
	if field[0].name != ours {
		t.Errorf("the first is %s", field[0].name)
	}
	names, colours := map[string]bool{}, map[string]bool{}
	for _, c := range field {
		if names[c.name] || colours[c.colour] || (c.name == ours) != (c.colour == "") || c.room <= 0 {
			t.Errorf("%+v", c)
		}
		names[c.name], colours[c.colour] = true, true
		for _, workload := range c.lacks {
			if !slices.ContainsFunc(rows(), func(r row) bool { return r.workload == workload }) {
				t.Errorf("%s lacks %s, which is no workload", c.name, workload)
			}
		}
	}
}

func TestAble(t *testing.T) {
	for workload, want := range map[string][]string{
		"":                {ours, beam, protoactor, channels},
		"pingpong":        {ours, beam, protoactor, channels},
		"restart-dynamic": {ours, beam, protoactor},
	} {
		if got := able(workload); !slices.Equal(got, want) {
			t.Errorf("%q: %v", workload, got)
		}
	}
}

func TestOf(t *testing.T) {
	if c := of(beam); c.name != beam || c.room == 0 {
		t.Errorf("%+v", c)
	}
	if c := of("somebody"); c.name != "somebody" || c.room != 0 || c.colour != "" {
		t.Errorf("%+v", c)
	}
}
