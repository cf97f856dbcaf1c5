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

// plotFile is where a complete run leaves its plot, in the module's folder.
const plotFile = "docs/actors.svg"

// settings say what is measured, and where the figures go.
type settings struct {
	only        []string
	contestants []string
	rounds      int
	span        time.Duration
	cores       int
	require     bool

	json     bool
	jsonFile string
	plot     string
	from     string
}

// defaults measure all, in about five minutes.
func defaults() settings {
	return settings{rounds: 5, span: 250 * time.Millisecond, cores: runtime.NumCPU()}
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
	flags := flag.NewFlagSet("actors", flag.ContinueOnError)
	flags.SetOutput(usage)
	only := flags.String("only", "", "workloads to measure, with commas: "+strings.Join(rowNames(), ","))
	who := flags.String("contestants", "", "who is measured, besides ours, with commas: "+strings.Join(contestants()[1:], ","))
	flags.IntVar(&s.rounds, "rounds", s.rounds, "rounds of each workload; memory is read once")
	flags.DurationVar(&s.span, "span", s.span, "length of one measurement")
	flags.IntVar(&s.cores, "cores", s.cores, "GOMAXPROCS, and Erlang's schedulers")
	flags.BoolVar(&s.require, "require", s.require, "fail if a contestant is missing")
	flags.Var(optional{&s.json, &s.jsonFile}, "json", "print JSON instead of tables; with a FILE, write it there besides")
	plot := flags.String("plot", "", "SVG file for the plot; \"none\" is none. Of a complete run it is "+plotFile)
	flags.StringVar(&s.from, "from", "", "measure nothing: show the figures of a FILE that --json has written")
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
		return fmt.Errorf("actors: unexpected %q", flags.Arg(0))
	}
	s.only, s.contestants = list(*only), list(*who)
	switch {
	case *plot == "none":
	case *plot != "":
		s.plot = *plot
	case s.only == nil && s.contestants == nil && s.from == "":
		s.plot = plotFile
	}
	return s.check()
}

// list splits at commas; nil is all.
func list(names string) []string {
	if names == "" {
		return nil
	}
	return strings.Split(names, ",")
}

// check refuses what can't be run.
func (s *settings) check() error {
	if s.rounds < 1 || s.span <= 0 || s.cores < 1 {
		return errors.New("actors: --rounds, --span and --cores must be positive")
	}
	for _, name := range s.only {
		if !slices.Contains(rowNames(), name) {
			return fmt.Errorf("actors: there is no workload %q", name)
		}
	}
	for _, name := range s.contestants {
		if !slices.Contains(contestants(), name) {
			return fmt.Errorf("actors: there is no contestant %q", name)
		}
	}
	return nil
}

// rows are those that are wanted.
func (s *settings) rows() []row {
	return slices.DeleteFunc(rows(), func(r row) bool { return len(s.only) > 0 && !slices.Contains(s.only, r.name) })
}

// wants says whether a contestant is to be measured. Ours always is.
func (s *settings) wants(contestant string) bool {
	return contestant == ours || len(s.contestants) == 0 || slices.Contains(s.contestants, contestant)
}
