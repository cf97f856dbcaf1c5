package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/jackdaw-im/jackdaw/benchmarks/actors/measure"
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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var rep *report
	var err error
	if cfg.from != "" {
		rep, err = load(cfg.from)
	} else {
		rep, err = competition(ctx, &cfg, cfg.rows(), progress)
	}
	if rep != nil {
		err = errors.Join(err, show(&cfg, rep, out))
	}
	if err != nil {
		fmt.Fprintln(progress, err)
		return 1
	}
	return 0
}

// competition builds the contestants and measures them. Of an error of ours the report is returned too.
func competition(ctx context.Context, cfg *settings, plan []row, progress io.Writer) (*report, error) {
	root, err := moduleRoot(ctx)
	if err != nil {
		return nil, err
	}
	if cfg.plot == plotFile {
		cfg.plot = filepath.Join(root, plotFile)
	}
	dir, err := os.MkdirTemp("", "jackdaw-actors-")
	if err != nil {
		return nil, fmt.Errorf("actors: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // nothing is of use later
	fmt.Fprintln(progress, "building ..")
	b, err := build(ctx, root, dir, cfg.wants)
	if err != nil {
		return nil, err
	}
	rep := &report{Setup: setup(cfg, b), Notes: notes()}
	for _, c := range contestants() {
		if err := b.missing[c]; err != nil {
			fmt.Fprintf(progress, "without %s: %v\n", c, err)
			rep.Notes = append(rep.Notes, fmt.Sprintf("%s is missing: %v", c, err))
			if cfg.require {
				return nil, fmt.Errorf("%s is missing: %w", c, err)
			}
		}
	}
	all := compete(ctx, plan, cfg.rounds, func(c string) bool { return cfg.wants(c) && b.missing[c] == nil },
		func(ctx context.Context, e entrant, r row) (measure.Result, error) { return b.run(ctx, e, r, cfg) }, progress)
	for i, r := range plan {
		o := summarise(r, all[i])
		rep.Rows = append(rep.Rows, o)
		if why := o.failed(ours); why != "" {
			err = errors.Join(err, fmt.Errorf("%s: %s", r.name, why))
		}
	}
	return rep, errors.Join(err, ctx.Err())
}

// show prints the report and leaves it where it is wanted.
func show(cfg *settings, rep *report, out io.Writer) error {
	var err error
	if cfg.json && cfg.jsonFile == "" {
		err = printJSON(out, rep)
	} else {
		err = printTables(out, rep)
	}
	if cfg.jsonFile != "" {
		err = errors.Join(err, write(cfg.jsonFile, func(w io.Writer) error { return printJSON(w, rep) }))
	}
	if cfg.plot != "" {
		err = errors.Join(err, write(cfg.plot, func(w io.Writer) error { return drawChart(w, rep) }))
	}
	return err
}

// write writes a file.
func write(name string, print func(io.Writer) error) error {
	f, err := os.Create(name)
	if err != nil {
		return fmt.Errorf("actors: %w", err)
	}
	return errors.Join(print(f), f.Close())
}
