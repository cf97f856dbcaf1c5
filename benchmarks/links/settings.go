package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"time"
)

// settings say what is measured, and where the figures go.
type settings struct {
	only     []string
	rounds   int
	span     time.Duration
	cores    int
	require  bool
	json     bool
	jsonFile string
}

// defaults measure all, in about a minute.
func defaults() settings {
	return settings{rounds: 5, span: time.Second, cores: runtime.NumCPU()}
}

// optional is a flag that may have a value, behind "=".
type optional struct {
	given *bool
	value *string
}

func (o optional) String() string   { return "" }
func (o optional) IsBoolFlag() bool { return true }
func (o optional) Set(s string) error {
	*o.given = true
	if s != "true" {
		*o.value = s
	}
	return nil
}

// parse reads the command line.
func (s *settings) parse(args []string, usage io.Writer) error {
	flags := flag.NewFlagSet("links", flag.ContinueOnError)
	flags.SetOutput(usage)
	only := flags.String("only", "", "contestants to measure, with commas: "+strings.Join(names(), ","))
	flags.IntVar(&s.rounds, "rounds", s.rounds, "rounds")
	flags.DurationVar(&s.span, "span", s.span, "length of one measurement")
	flags.IntVar(&s.cores, "cores", s.cores, "GOMAXPROCS of each process, and Erlang's schedulers")
	flags.BoolVar(&s.require, "require", s.require, "fail if a contestant is missing")
	flags.Var(optional{&s.json, &s.jsonFile}, "json", "print JSON instead of the table; with a FILE, write it there besides")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if s.json && s.jsonFile == "" && flags.NArg() > 0 { // "--json FILE"
		s.jsonFile = flags.Arg(0)
		if err := flags.Parse(flags.Args()[1:]); err != nil {
			return err
		}
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("links: unexpected %q", flags.Arg(0))
	}
	if *only != "" {
		s.only = strings.Split(*only, ",")
	}
	if s.rounds < 1 || s.span <= 0 || s.cores < 1 {
		return errors.New("links: --rounds, --span and --cores must be positive")
	}
	for _, name := range s.only {
		if !slices.Contains(names(), name) {
			return fmt.Errorf("links: there is no contestant %q", name)
		}
	}
	return nil
}

// wanted are the contestants that take part.
func (s *settings) wanted() []contestant {
	return slices.DeleteFunc(contestants(), func(c contestant) bool { return len(s.only) > 0 && !slices.Contains(s.only, c.name) })
}
