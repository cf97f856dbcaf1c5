package main

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"
)

// maxIdle keeps both processes below a limit of 20,000 descriptors.
const maxIdle = 18_000

// settings say what is measured, and how long.
type settings struct {
	only       []string
	json       bool
	printUsers bool

	idle          int
	settle        time.Duration
	logins        int
	pairs, window int
	warm, measure time.Duration
	rate          int
	stored        int
	recipients    int

	server                   string
	pid                      int
	domain, prefix, password string
}

// defaults measure all, in about three minutes.
func defaults() settings {
	return settings{idle: 6000, settle: 5 * time.Second, logins: 2000, pairs: 200, window: 5, warm: 2 * time.Second, measure: 10 * time.Second,
		rate: 1000, stored: 60_000, recipients: 1000, domain: "localhost", prefix: "u", password: "benchmark"}
}

// parse reads the command line.
func (s *settings) parse(args []string) error {
	flags := flag.NewFlagSet("c2s", flag.ContinueOnError)
	only := flags.String("only", "", "parts to measure, with commas: "+strings.Join(partNames(), ","))
	flags.BoolVar(&s.json, "json", false, "print JSON")
	flags.BoolVar(&s.printUsers, "print-users", false, "print the users that a server needs, as name@domain,password, and end")
	flags.IntVar(&s.idle, "idle", s.idle, "idle connections; memory is the slope from a sixth of them to all")
	flags.DurationVar(&s.settle, "settle", s.settle, "rest before memory is read")
	flags.IntVar(&s.logins, "logins", s.logins, "logins to measure")
	flags.IntVar(&s.pairs, "pairs", s.pairs, "pairs of sender and recipient")
	flags.IntVar(&s.window, "window", s.window, "messages under way of one pair, in the closed loop")
	flags.DurationVar(&s.warm, "warm", s.warm, "load before each measurement")
	flags.DurationVar(&s.measure, "measure", s.measure, "length of each measurement")
	flags.IntVar(&s.rate, "rate", s.rate, "messages a second in the open loop")
	flags.IntVar(&s.stored, "stored", s.stored, "messages to store for who is offline")
	flags.IntVar(&s.recipients, "recipients", s.recipients, "offline recipients")
	flags.StringVar(&s.server, "server", "", "HOST:PORT (direct TLS) of another server; its users must exist")
	flags.IntVar(&s.pid, "pid", 0, "process id of the other server")
	flags.StringVar(&s.domain, "domain", s.domain, "the other server's domain")
	flags.StringVar(&s.prefix, "prefix", s.prefix, "the other server's users are PREFIX0, PREFIX1, ..")
	flags.StringVar(&s.password, "password", s.password, "password of all users")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *only != "" {
		s.only = strings.Split(*only, ",")
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("c2s: unexpected %q", flags.Arg(0))
	}
	return s.check()
}

// check refuses what can't be run.
func (s *settings) check() error {
	for _, n := range []int{s.idle / 6, s.logins, s.pairs, s.window, s.rate, s.stored, s.recipients} {
		if n < 1 {
			return errors.New("c2s: every number must be positive, and --idle at least 6")
		}
	}
	for _, name := range s.only {
		if !slices.Contains(partNames(), name) {
			return fmt.Errorf("c2s: there is no part %q", name)
		}
	}
	if s.idle > maxIdle {
		return fmt.Errorf("c2s: at most %d idle connections", maxIdle)
	}
	if (s.server == "") != (s.pid == 0) {
		return errors.New("c2s: --server and --pid go together")
	}
	return nil
}

// users is how many accounts are needed.
func (s *settings) users() int { return max(s.idle, s.logins, 2*s.pairs, s.pairs+s.recipients) }

// wants says whether a part is to be measured.
func (s *settings) wants(part string) bool { return len(s.only) == 0 || slices.Contains(s.only, part) }
