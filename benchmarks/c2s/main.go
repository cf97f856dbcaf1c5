package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/jackdaw-im/jackdaw/benchmarks/load"
	"github.com/jackdaw-im/jackdaw/internal/testnode"
)

// part is one thing to measure.
type part struct {
	name    string
	measure func(ctx context.Context, cfg *settings, server *load.Server) ([]result, error)
}

// parts are all, in the order in which they run: memory first, while the server is fresh.
func parts() []part {
	return []part{{"idle", idle}, {"login", login}, {"closed", closed(true)}, {"closed-plain", closed(false)}, {"open", paced},
		{"offline", offline}}
}

func partNames() []string {
	var names []string
	for _, p := range parts() {
		names = append(names, p.name)
	}
	return names
}

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run is main with its outside as arguments; it returns the exit code.
func run(args []string, out, progress io.Writer) int {
	cfg := defaults()
	if err := cfg.parse(args); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(progress, err)
		}
		return 2
	}
	if cfg.printUsers {
		for _, u := range testnode.Users(cfg.prefix, cfg.domain, cfg.users(), cfg.password) {
			fmt.Fprintf(out, "%s,%s\n", u.JID, u.Password)
		}
		return 0
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	results, err := measure(ctx, &cfg, progress)
	show := printTable
	if cfg.json {
		show = printJSON
	}
	if showErr := show(out, results); err == nil {
		err = showErr
	}
	if err != nil {
		fmt.Fprintln(progress, err)
		return 1
	}
	return 0
}

// measure does all parts that are wanted. A part that fails doesn't stop the others; what was measured is returned with the errors.
func measure(ctx context.Context, cfg *settings, progress io.Writer) (results []result, err error) {
	server, end, err := setup(ctx, cfg)
	defer end()
	if err != nil {
		return nil, err
	}
	for _, p := range parts() {
		if !cfg.wants(p.name) || ctx.Err() != nil {
			continue
		}
		fmt.Fprintf(progress, "%s ..\n", p.name)
		measured, partErr := p.measure(ctx, cfg, server)
		results = append(results, measured...)
		if partErr != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", p.name, partErr))
		}
	}
	return results, err
}
