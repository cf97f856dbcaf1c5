package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The parts of a run.
const (
	paced = "paced"
	full  = "full"
	crowd = "crowd"
)

// parts are all, in the order of the table.
func parts() []string { return []string{paced, full, crowd} }

// settings say what is measured, and how long.
type settings struct {
	only   []string
	nodes  []int
	rounds int

	rate, pairs, window int
	warm, measure       time.Duration
	users, resting      int
	settle              time.Duration
	standby             bool

	json            bool
	binary, profile string
}

// defaults measure all, in about four minutes.
func defaults() settings {
	return settings{nodes: []int{1, 3, 5}, rounds: 3, rate: 500, pairs: 225, window: 5, warm: time.Second, measure: 4 * time.Second,
		users: 1500, resting: 1500, settle: 2 * time.Second}
}

// parse reads the command line.
func (s *settings) parse(args []string, usage io.Writer) error {
	flags := flag.NewFlagSet("scaleout", flag.ContinueOnError)
	flags.SetOutput(usage)
	flags.Usage = func() {
		fmt.Fprint(usage, "Measures clusters of several sizes on this machine under the same load. It needs PostgreSQL's programs.\n"+
			"  paced  messages at a fixed rate: processor time, latency, traffic between nodes\n"+
			"  full   messages as fast as the window of each pair allows\n"+
			"  crowd  memory of a node and of an idle connection; activation, a join, a leave and a loss; in the first round only\n\n")
		flags.PrintDefaults()
	}
	only := flags.String("only", "", "parts to measure, with commas: "+strings.Join(parts(), ","))
	nodes := flags.String("nodes", joined(s.nodes), "sizes of clusters, with commas; the first is the one that others are compared with")
	flags.IntVar(&s.rounds, "rounds", s.rounds, "rounds; a figure is the median over them")
	flags.IntVar(&s.rate, "rate", s.rate, "messages a second of all users together, in paced")
	flags.IntVar(&s.pairs, "pairs", s.pairs, "pairs of users who talk; a multiple of the square of each size spreads them evenly")
	flags.IntVar(&s.window, "window", s.window, "messages under way of one pair, in full")
	flags.DurationVar(&s.warm, "warm", s.warm, "load before each measurement")
	flags.DurationVar(&s.measure, "measure", s.measure, "length of each measurement")
	flags.IntVar(&s.users, "users", s.users, "idle users who are logged in, in crowd; memory is the slope from a sixth of them to all")
	flags.IntVar(&s.resting, "resting", s.resting, "users who aren't, and get messages, in crowd")
	flags.DurationVar(&s.settle, "settle", s.settle, "rest before memory is read")
	flags.BoolVar(&s.standby, "standby", false, "commits wait for a synchronous standby, which is on this machine, too")
	flags.BoolVar(&s.json, "json", false, "print JSON instead of the table")
	flags.StringVar(&s.binary, "binary", "", "the server to run; empty: it is built")
	flags.StringVar(&s.profile, "profile", "", "folder for processor profiles of every node under load, which cost some processor time themselves")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("scaleout: unexpected %q", flags.Arg(0))
	}
	if *only != "" {
		s.only = strings.Split(*only, ",")
	}
	s.nodes = nil
	for _, text := range strings.Split(*nodes, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil {
			return fmt.Errorf("scaleout: --nodes: %q is no number", text)
		}
		s.nodes = append(s.nodes, n)
	}
	return s.check()
}

// mostNodes is what the addresses of a cluster on the loopback, and the cores of one machine, are enough for.
const mostNodes = 20

// check refuses what can't be run.
func (s *settings) check() error {
	for _, n := range []int{s.rounds, s.rate, s.pairs, s.window, s.users / 6, s.resting} {
		if n < 1 {
			return errors.New("scaleout: every number must be positive, and --users at least 6")
		}
	}
	if s.warm <= 0 || s.measure <= 0 || s.settle <= 0 {
		return errors.New("scaleout: every time must be positive")
	}
	for _, name := range s.only {
		if !slices.Contains(parts(), name) {
			return fmt.Errorf("scaleout: there is no part %q", name)
		}
	}
	for i, n := range s.nodes {
		if n < 1 || n > mostNodes || slices.Contains(s.nodes[:i], n) {
			return fmt.Errorf("scaleout: --nodes are different numbers from 1 to %d", mostNodes)
		}
	}
	return nil
}

// wants says whether a part is to be measured.
func (s *settings) wants(part string) bool { return len(s.only) == 0 || slices.Contains(s.only, part) }

// accounts is how many users a cluster needs for a part.
func (s *settings) accounts(part string) int {
	if part == crowd {
		return s.users + s.resting
	}
	return 2 * s.pairs
}

// facts say on what, with what and how is measured.
func (s *settings) facts() []fact {
	store := "flushes before it acknowledges"
	if s.standby {
		store += ", and so does one synchronous standby"
	}
	return []fact{
		{"machine", fmt.Sprintf("%d cores, %s/%s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH)},
		{"store", "one PostgreSQL, which " + store},
		{"load", fmt.Sprintf("%d pairs; paced at %d a second, full with a window of %d; %v each, after %v", s.pairs, s.rate, s.window, s.measure, s.warm)},
		{"crowd", fmt.Sprintf("%d users logged in, %d not", s.users, s.resting)},
		{"rounds", strconv.Itoa(s.rounds)},
	}
}

func joined(numbers []int) string {
	texts := make([]string, len(numbers))
	for i, n := range numbers {
		texts[i] = strconv.Itoa(n)
	}
	return strings.Join(texts, ",")
}
