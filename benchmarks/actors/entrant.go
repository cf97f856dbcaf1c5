package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/jackdaw-im/jackdaw/benchmarks/actors/measure"
)

// entrant is a contestant in one of its variants.
type entrant struct {
	contestant string
	variant    variant
}

// limit ends a run that is stuck.
const limit = 10 * time.Minute

// run starts the entrant's program for one measurement and returns what it prints.
func (b *built) run(ctx context.Context, e entrant, r row, cfg *settings) (measure.Result, error) {
	job := measure.Job{Workload: r.workload, Size: r.size, Span: cfg.span}
	if r.span > 0 {
		job.Span = r.span
	}
	if e.variant.workload != "" {
		job.Workload = e.variant.workload
	}
	if err := roomFor(e.contestant, r.size); err != nil {
		return measure.Result{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	out, err := output(b.command(ctx, e, job, cfg.cores))
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return measure.Result{}, fmt.Errorf("actors: it was not done after %v", limit)
	}
	if err != nil {
		return measure.Result{}, err
	}
	var result measure.Result
	if err := json.Unmarshal([]byte(out), &result); err != nil {
		return measure.Result{}, fmt.Errorf("actors: %s said %q: %w", e.contestant, out, err)
	}
	if result.Ops < 1 {
		return measure.Result{}, fmt.Errorf("actors: %s did nothing", e.contestant)
	}
	return result, nil
}

// command is the program with its arguments.
func (b *built) command(ctx context.Context, e entrant, job measure.Job, cores int) *exec.Cmd {
	if e.contestant == beam {
		args := append(erlangFlags(cores, job.Size, b.dir), e.variant.flags...)
		return exec.CommandContext(ctx, "erl", append(append(args, "-run", "contest", "main"), job.Args()...)...)
	}
	cmd := exec.CommandContext(ctx, b.program(e.contestant), append(e.variant.flags, job.Args()...)...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS="+strconv.Itoa(cores))
	return cmd
}

// roomFor says no if a crowd wouldn't fit into the memory that is free. Where that can't be known it fits.
func roomFor(contestant string, size int) error {
	info, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return nil
	}
	free, ok := available(string(info))
	if need := of(contestant).room * int64(size); ok && need > free {
		return fmt.Errorf("actors: it needs %.1f GB of memory, and %.1f are free", float64(need)/1e9, float64(free)/1e9)
	}
	return nil
}

// available reads how many bytes of memory are free, or can be made so, from the text of /proc/meminfo.
func available(meminfo string) (int64, bool) {
	for line := range strings.Lines(meminfo) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != "MemAvailable:" {
			continue
		}
		kilobytes, err := strconv.ParseInt(fields[1], 10, 64)
		return kilobytes << 10, err == nil
	}
	return 0, false
}
