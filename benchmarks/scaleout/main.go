package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/jackdaw-im/jackdaw/internal/testnode"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run is main with its outside as arguments; it returns the exit code.
func run(args []string, out, progress io.Writer) int {
	cfg := defaults()
	if err := cfg.parse(args, progress); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(progress, err)
		}
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if cfg.binary == "" {
		path, err := testnode.Build(ctx)
		if err != nil {
			fmt.Fprintln(progress, err)
			return 1
		}
		cfg.binary = path
		defer func() { _ = testnode.RemoveBuild() }() // temporary
	}
	rep := measureAll(ctx, &cfg, progress)
	show := printTable
	if cfg.json {
		show = printJSON
	}
	if err := show(out, rep); err != nil {
		fmt.Fprintln(progress, err)
		return 1
	}
	if len(rep.Errors) > 0 {
		return 1
	}
	return 0
}

// measureAll does all rounds. What fails is said in the report, and keeps nothing else from being measured.
func measureAll(ctx context.Context, cfg *settings, progress io.Writer) *report {
	rep := &report{Setup: cfg.facts(), Sizes: cfg.nodes, Notes: notes()}
	begin := time.Now()
	var loads []string
	for round := range cfg.rounds {
		for i := range cfg.nodes {
			n := cfg.nodes[(i+round)%len(cfg.nodes)]
			for _, what := range cfg.visits(round) {
				if ctx.Err() != nil {
					break
				}
				loads = append(loads, loadAverage())
				fmt.Fprintf(progress, "%4.0f s  round %d, %s, %s, load average %s ..\n", time.Since(begin).Seconds(), round+1, plural(n), what.name, loads[len(loads)-1])
				figures, err := visitCluster(ctx, cfg, n, what.users, what.measure)
				rep.keep(n, round, figures)
				if err != nil {
					rep.Errors = append(rep.Errors, fmt.Sprintf("round %d, %s, %s: %v", round+1, plural(n), what.name, err))
					fmt.Fprintln(progress, rep.Errors[len(rep.Errors)-1])
				}
			}
		}
	}
	if err := ctx.Err(); err != nil {
		rep.Errors = append(rep.Errors, err.Error())
	}
	rep.Setup = append(rep.Setup, fact{"load average before each visit", strings.Join(loads, " ")},
		fact{"time", time.Since(begin).Round(time.Second).String()})
	rep.finish()
	return rep
}

// errand is what one cluster is started for.
type errand struct {
	name    string
	users   int
	measure func(context.Context, *visit) error
}

// visits are the clusters of each size that a round takes.
func (s *settings) visits(round int) (list []errand) {
	if s.wants(paced) || s.wants(full) {
		list = append(list, errand{"load", s.accounts(paced), underLoad})
	}
	if s.wants(crowd) && round == 0 {
		list = append(list, errand{crowd, s.accounts(crowd), inACrowd})
	}
	return list
}

// loadAverage is how many processes wanted to run, over the last minute, others' included.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "?"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}

// notes are what a reader of the figures has to know.
func notes() []string {
	return []string{
		"All nodes, PostgreSQL and the clients share the cores of this machine: compare processor time, not rates or times. What else runs, as the load average tells, makes everything slower and the caches colder.",
		"Processor time is user and system time of all processes of a kind, from /proc, in steps of 10 ms.",
		"Which messages go to another node is computed as the nodes do it; envelopes are what the nodes have counted. Bytes are those of the TCP connections between nodes, TLS included, in both directions.",
		"A ratio is the median of those within rounds; clusters of all sizes take turns in each.",
		"A node is lost by kill -9. Until the view changes, the others wait whether it comes back.",
	}
}
