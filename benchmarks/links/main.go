package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"

	"github.com/jackdaw-im/jackdaw/benchmarks/links/pair"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run is main with its outside as arguments; it returns the exit code, which is 1 too if a bar is missed.
func run(args []string, out, progress io.Writer) int {
	cfg := defaults()
	if err := cfg.parse(args, progress); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(progress, err)
		}
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	rep, err := competition(ctx, &cfg, progress)
	if rep != nil {
		err = errors.Join(err, show(&cfg, rep, out), verdict(rep.Bars))
	}
	if err != nil {
		fmt.Fprintln(progress, err)
		return 1
	}
	return 0
}

// competition builds the contestants and measures them. Of an error of ours the report is returned too.
func competition(ctx context.Context, cfg *settings, progress io.Writer) (*report, error) {
	root, err := moduleRoot(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "jackdaw-links-")
	if err != nil {
		return nil, fmt.Errorf("links: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // nothing is of use later
	fmt.Fprintln(progress, "building ..")
	b, err := build(ctx, root, dir, cfg.wanted())
	if err != nil {
		return nil, err
	}
	rep := &report{Setup: setup(cfg, b), Notes: notes()}
	var all []*outcome
	for _, c := range cfg.wanted() {
		if err := b.missing[c.program]; err != nil {
			fmt.Fprintf(progress, "without %s: %v\n", c.name, err)
			if cfg.require {
				return nil, err
			}
			rep.Notes = append(rep.Notes, fmt.Sprintf("%s is missing: %v", c.name, err))
			continue
		}
		all = append(all, &outcome{contestant: c})
	}
	compete(ctx, all, cfg.rounds, func(c contestant) (sides, error) { return b.duel(ctx, c, cfg) }, progress)
	rep.Contestants = summarise(all)
	rep.Bars = judges(rep.Contestants)
	for _, o := range all {
		if o.err != nil && o.program == "ours" {
			err = errors.Join(err, fmt.Errorf("%s: %w", o.name, o.err))
		}
	}
	return rep, errors.Join(err, ctx.Err())
}

// compete runs all rounds. One that fails isn't run again.
func compete(ctx context.Context, all []*outcome, rounds int, do func(contestant) (sides, error), progress io.Writer) {
	for round := range rounds {
		fmt.Fprintf(progress, "round %d ..\n", round+1)
		for i := range all {
			o := all[(i+round)%len(all)]
			if o.err != nil || ctx.Err() != nil {
				continue
			}
			s, err := do(o.contestant)
			o.rounds = append(o.rounds, s)
			if o.err = err; err != nil {
				fmt.Fprintf(progress, "%s: %v\n", o.name, err)
			}
		}
	}
}

// setup says on what, with what and how is measured.
func setup(cfg *settings, b *built) []fact {
	facts := []fact{
		{"machine", fmt.Sprintf("%d cores, %s/%s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH)},
		{"used", fmt.Sprintf("%d cores by each of two processes, on the loopback", cfg.cores)},
		{"rounds", fmt.Sprintf("%d of %v each, after a quarter of it for warming up", cfg.rounds, cfg.span)},
		{"go", runtime.Version()},
	}
	if b.erlang != "" {
		facts = append(facts, fact{"erlang", b.erlang})
	}
	return facts
}

// notes are what a reader of the figures has to know.
func notes() []string {
	return []string{
		fmt.Sprintf("An envelope has %d bytes. Processor time is user and system time of all threads of both processes, each taken inside.", pair.EnvelopeBytes),
		fmt.Sprintf("At most %d envelopes are on their way in each. links makes its own frames; carrier and stream have %d envelopes in each, and acknowledge "+
			"each; remote and Erlang acknowledge every %d.", pair.Window, pair.Batch, pair.AckEach),
		"links, carrier and stream speak mutual TLS 1.3; remote and Erlang speak as they do by default, without.",
	}
}

// show prints the report and leaves it where it is wanted.
func show(cfg *settings, rep *report, out io.Writer) error {
	if cfg.json && cfg.jsonFile == "" {
		return printJSON(out, rep)
	}
	err := printTable(out, rep)
	if cfg.jsonFile == "" {
		return err
	}
	f, failed := os.Create(cfg.jsonFile)
	if failed != nil {
		return errors.Join(err, fmt.Errorf("links: %w", failed))
	}
	return errors.Join(err, printJSON(f, rep), f.Close())
}
