package measuretest

import (
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/benchmarks/actors/measure"
)

// Smoke runs each workload once, and looks whether the result is one that can be divided. It asserts no times.
func Smoke(t *testing.T, workloads map[string]measure.Workload) {
	t.Helper()
	for name, work := range workloads {
		t.Run(name, func(t *testing.T) {
			result, err := work(measure.Job{Workload: name, Size: 10, Span: time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			if result.Ops < 1 || result.Wall <= 0 || result.CPU < 0 || result.Allocs < 0 {
				t.Errorf("%+v", result)
			}
		})
	}
}
