package main

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// settings say what a run does.
type settings struct {
	only            []string
	rounds          int
	seed            uint64
	users, sleepers int
	interval        time.Duration
	patience, grace time.Duration
	sessions        int
	crowd           bool // there are so many users that logins take minutes
	short           bool // faults are as short as they may be
	json            bool
	binary, keep    string
	demo            bool
	nodes           int
}

// defaults are those of the full suite.
func defaults() settings {
	return settings{rounds: 5, seed: rand.Uint64(), users: 200, sleepers: 6, interval: time.Second / 3, patience: 10 * time.Second,
		grace: 10 * time.Second, sessions: 10_000, nodes: 3}
}

// parse reads the command line.
func (s *settings) parse(args []string) error {
	flags := flag.NewFlagSet("cluster", flag.ContinueOnError)
	only := flags.String("only", "", "faults to show, separated by commas: "+strings.Join(names(), ", "))
	flags.IntVar(&s.rounds, "rounds", s.rounds, "how often each fault is shown, each time with another seed")
	flags.Uint64Var(&s.seed, "seed", s.seed, "seed of all random choices")
	flags.IntVar(&s.users, "users", s.users, "users who are online, and send")
	flags.IntVar(&s.sleepers, "sleepers", s.sleepers, "users who log in at the end")
	flags.DurationVar(&s.interval, "interval", s.interval, "time between two messages of a user")
	flags.DurationVar(&s.patience, "patience", s.patience, "how long a user waits for an acknowledgement before it tries another node")
	flags.DurationVar(&s.grace, "grace", s.grace, "what hasn't arrived when nothing did for so long is lost")
	flags.IntVar(&s.sessions, "sessions", s.sessions, "how many users the fault sessions has online")
	flags.BoolVar(&s.short, "short", false, "shorter pauses and cuts")
	flags.BoolVar(&s.json, "json", false, "print the table as JSON")
	flags.StringVar(&s.binary, "binary", "", "the server to run; empty: it is built")
	flags.StringVar(&s.keep, "keep", "", "folder for what the nodes say, those of the last round")
	flags.BoolVar(&s.demo, "demo", false, "run a cluster to try things with, until Ctrl-C")
	flags.IntVar(&s.nodes, "nodes", s.nodes, "nodes of the demo")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("cluster: unexpected %q", flags.Arg(0))
	}
	if *only != "" {
		s.only = strings.Split(*only, ",")
	}
	return s.check()
}

// check refuses what can't be run.
func (s *settings) check() error {
	if s.rounds < 1 || s.users < 2 || s.sleepers < 0 || s.sessions < 1 || s.nodes < 1 {
		return errors.New("cluster: every number must be positive, and one user has nobody to talk to")
	}
	if s.interval <= 0 || s.patience <= 0 || s.grace <= 0 {
		return errors.New("cluster: every time must be positive")
	}
	for _, name := range s.only {
		if _, ok := faultCalled(name); !ok {
			return fmt.Errorf("cluster: there is no fault %q: %s", name, strings.Join(names(), ", "))
		}
	}
	return nil
}

// chosen are the faults to show.
func (s *settings) chosen() []fault {
	if len(s.only) == 0 {
		return faults()
	}
	var list []fault
	for _, name := range s.only {
		if f, ok := faultCalled(name); ok {
			list = append(list, f)
		}
	}
	return list
}

// complete says whether all is shown as it stands in docs/BENCHMARKS.md.
func (s *settings) complete() bool {
	d := defaults()
	return len(s.only) == 0 && !s.short && s.rounds >= d.rounds && s.users >= d.users && s.interval <= d.interval
}
