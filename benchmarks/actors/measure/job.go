package measure

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"
)

// Job is one measurement.
type Job struct {
	// Workload is what is done.
	Workload string
	// Size is the workload's measure: pairs, senders, actors.
	Size int
	// Span is how long to repeat what is repeated.
	Span time.Duration
}

// ParseJob reads a contestant's arguments.
func ParseJob(args []string) (Job, error) {
	if len(args) != 3 {
		return Job{}, fmt.Errorf("measure: %d arguments instead of: workload size seconds", len(args))
	}
	size, err := strconv.Atoi(args[1])
	if err != nil || size < 1 {
		return Job{}, fmt.Errorf("measure: no size: %q", args[1])
	}
	seconds, err := strconv.ParseFloat(args[2], 64)
	if err != nil || seconds <= 0 {
		return Job{}, fmt.Errorf("measure: no number of seconds: %q", args[2])
	}
	return Job{args[0], size, time.Duration(seconds * float64(time.Second))}, nil
}

// Args are the arguments that ParseJob reads.
func (j Job) Args() []string {
	return []string{j.Workload, strconv.Itoa(j.Size), strconv.FormatFloat(j.Span.Seconds(), 'f', -1, 64)}
}

// Result is what a contestant prints: totals, to be divided by Ops.
type Result struct {
	// Ops is how many operations were measured.
	Ops int64 `json:"ops"`
	// CPU is the user and system time of the process while they ran, Wall the time that passed, in nanoseconds.
	CPU  int64 `json:"cpu_ns"`
	Wall int64 `json:"wall_ns"`
	// Allocs are the objects allocated meanwhile; contestants that can't count them leave it 0.
	Allocs int64 `json:"allocs,omitempty"`
	// Bytes is by how much the resident memory grew, where that is measured.
	Bytes int64 `json:"bytes,omitempty"`
	// Extra are figures of this workload alone, each with its unit in its name.
	Extra map[string]float64 `json:"extra,omitempty"`
}

// Add adds up two parts of one measurement.
func (r *Result) Add(more Result) {
	r.Ops += more.Ops
	r.CPU += more.CPU
	r.Wall += more.Wall
	r.Allocs += more.Allocs
	r.Bytes += more.Bytes
}

// Workload does one measurement.
type Workload func(Job) (Result, error)

// Main is the main function of a contestant, with its outside as arguments; it returns the exit code.
func Main(args []string, out, errs io.Writer, workloads map[string]Workload) int {
	result, err := do(args, workloads)
	if err == nil {
		err = json.NewEncoder(out).Encode(result)
	}
	if err != nil {
		fmt.Fprintln(errs, err)
		return 1
	}
	return 0
}

func do(args []string, workloads map[string]Workload) (Result, error) {
	job, err := ParseJob(args)
	if err != nil {
		return Result{}, err
	}
	work := workloads[job.Workload]
	if work == nil {
		return Result{}, fmt.Errorf("measure: no workload %q here", job.Workload)
	}
	result, err := work(job)
	if err != nil {
		return Result{}, fmt.Errorf("%s: %w", job.Workload, err)
	}
	return result, nil
}
