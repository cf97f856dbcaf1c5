package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/jackdaw-im/jackdaw/internal/testcluster"
	"github.com/jackdaw-im/jackdaw/internal/testnode"
)

func main() {
	cfg := defaults()
	if err := cfg.parse(os.Args[1:]); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(2)
	}
	os.Exit(outer(cfg))
}

// outer builds the server, and goes on in a private network if there may be one: what go needs from outside comes first.
func outer(cfg settings) (code int) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if cfg.binary == "" {
		path, err := testnode.Build(ctx)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		cfg.binary = path
		defer func() { _ = testnode.RemoveBuild() }() // temporary
	}
	if cfg.demo {
		return demo(ctx, cfg, os.Stdout)
	}
	if code, ran := testcluster.Private(testnode.BinaryEnv + "=" + cfg.binary); ran {
		return code
	}
	return run(ctx, cfg, os.Stdout)
}

// run shows all chosen faults and prints the table; it returns the exit code.
func run(ctx context.Context, cfg settings, out io.Writer) int {
	text := out
	if cfg.json {
		text = os.Stderr
	}
	results, err := showAll(ctx, cfg, text)
	if cfg.json {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		err = errors.Join(err, encoder.Encode(results))
	}
	fmt.Fprintln(text)
	if err == nil {
		err = verdict(cfg, results, text)
	}
	if err != nil {
		fmt.Fprintln(text, "FAILED:", err)
		return 1
	}
	return 0
}

// showAll shows the chosen faults, each as often as is wanted. A round that can't be finished doesn't keep the others from it.
func showAll(ctx context.Context, cfg settings, out io.Writer) (results []result, err error) {
	head(out)
	for _, f := range cfg.chosen() {
		if f.cuts && !testcluster.IsPrivate() {
			fmt.Fprintf(out, "%-13s left out: %v\n", f.name, testcluster.ErrNoCuts)
			continue
		}
		rounds := cfg.rounds
		if f.once {
			rounds = 1
		}
		for i := range rounds {
			r, roundErr := show(ctx, cfg, f, cfg.seed+uint64(i))
			if roundErr != nil {
				r.broken("%v", roundErr)
			}
			r.print(out)
			results = append(results, r)
			if ctx.Err() != nil {
				return results, ctx.Err()
			}
		}
	}
	return results, nil
}

// enough is how many messages a complete run must have had acknowledged.
const enough = 1_000_000

// verdict prints the sums. Its error says that something was broken, or was left out.
func verdict(cfg settings, results []result, out io.Writer) error {
	acked, lost, failed, shown := 0, 0, 0, map[string]bool{}
	for _, r := range results {
		acked += r.Acked
		lost += r.Lost
		shown[r.Fault] = true
		if r.failed() {
			failed++
		}
	}
	fmt.Fprintf(out, "%d rounds, %d acknowledged, %d of them lost\n", len(results), acked, lost)
	switch left := len(cfg.chosen()) - len(shown); {
	case failed > 0:
		return fmt.Errorf("cluster: something was broken in %d of %d rounds", failed, len(results))
	case left > 0:
		return fmt.Errorf("cluster: %d of %d faults were left out: %w", left, len(cfg.chosen()), testcluster.ErrNoCuts)
	case cfg.complete() && acked < enough:
		return fmt.Errorf("cluster: of a complete run, %d messages are acknowledged, and not a million", acked)
	}
	return nil
}
