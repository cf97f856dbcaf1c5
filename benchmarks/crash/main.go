package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"time"

	"github.com/jackdaw-im/jackdaw/internal/testnode"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout)) }

// run is main with its outside as arguments; it returns the exit code.
func run(args []string, out io.Writer) int {
	cfg := defaults()
	if err := cfg.parse(args); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(out, err)
		}
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	data, err := os.MkdirTemp("", "jackdaw-crash-")
	if err != nil {
		fmt.Fprintln(out, err)
		return 1
	}
	rounds, err := crash(ctx, cfg, data, out)
	if removeErr := testnode.RemoveBuild(); err == nil {
		err = removeErr
	}
	if err == nil {
		err = verdict(cfg, rounds, out)
	}
	if err != nil {
		fmt.Fprintf(out, "\nFAILED (seed %d; the data folder %s stays): %v\n", cfg.seed, data, err)
		return 1
	}
	if err := os.RemoveAll(data); err != nil {
		fmt.Fprintln(out, err)
		return 1
	}
	return 0
}

// crash does all rounds and prints one line for each.
func crash(ctx context.Context, cfg settings, data string, out io.Writer) ([]*round, error) {
	server, accounts, err := open(ctx, cfg, data)
	if err != nil {
		return nil, err
	}
	defer server.Kill()
	if err := server.Start(ctx); err != nil {
		return nil, err
	}
	w := newWorld(cfg, accounts)
	random := rand.New(rand.NewPCG(cfg.seed, 0))
	fmt.Fprintf(out, "%d rounds, %d senders with a window of %d, recipients: %d online, %d offline; seed %d\n\n", cfg.rounds, cfg.senders,
		cfg.window, cfg.online, cfg.offline, cfg.seed)
	fmt.Fprintln(out, "round  crashes   acked  per s  unacked  resent  dupl.  restart  drain   lost  other id  reordered  unknown  refused")
	var rounds []*round
	for i := range cfg.rounds {
		r, err := w.runRound(ctx, server, i+1, random)
		if err != nil {
			return rounds, fmt.Errorf("round %d: %w\nthe server's last output:\n%s", i+1, err, server.Output())
		}
		rounds = append(rounds, r)
		r.print(out)
	}
	return rounds, nil
}

// print prints a round as a line of the table.
func (r *round) print(out io.Writer) {
	note := ""
	if late := r.late - r.lost; late > 0 {
		note = fmt.Sprintf("  (%d after the recipient's last message)", late)
	}
	fmt.Fprintf(out, "%5d %8d %7d %6.0f %8d %7d %6d %7.2fs %5.2fs %6d %9d %10d %8d %8d%s\n", r.number, r.crashes, r.acked, r.rate, r.unacked, r.resent,
		r.duplicates, r.restart.Seconds(), r.drain.Seconds(), r.lost, r.altered, r.reordered, r.unknown, r.refused, note)
}

// verdict prints the sums. Its error says what was wrong: a fault of the server, or a load that wasn't what the test asks for.
func verdict(cfg settings, rounds []*round, out io.Writer) error {
	acked, crashes, slow, failed := 0, 0, 0, 0
	var longest time.Duration
	for _, r := range rounds {
		acked += r.acked
		crashes += r.crashes
		longest = max(longest, r.restart)
		if r.rate < cfg.rate {
			slow++
		}
		if r.failed() {
			failed++
		}
	}
	total := rounds[len(rounds)-1].total
	fmt.Fprintf(out, "\n%d crashes, %d acknowledged under load (%d in all), %d acknowledged and lost; longest restart %.2f s\n", crashes,
		acked, total.Acked, len(total.Lost), longest.Seconds())
	for _, fault := range total.Faults() {
		fmt.Fprintln(out, "fault:", fault)
	}
	switch {
	case failed > 0:
		return fmt.Errorf("crash: faults in %d of %d rounds", failed, len(rounds))
	case slow > 0:
		return fmt.Errorf("crash: %d of %d rounds had fewer than %.0f acknowledged messages a second", slow, len(rounds), cfg.rate)
	}
	return nil
}
