package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// sieve passes on events, package by package as they end, but those of packages in which the race detector itself failed: they tell
// nothing, and are to be run again.
type sieve struct {
	out    io.Writer
	open   map[string]*kept // by package
	ended  int
	failed bool     // a package did, and not by the detector
	again  []string // packages
}

// kept is what one package has said so far.
type kept struct {
	lines strings.Builder
	// broke: the detector gave up, or its runtime crashed. found: a test failed, the detector found a race, or the program panicked.
	broke, found bool
}

func newSieve(out io.Writer) *sieve { return &sieve{out: out, open: map[string]*kept{}} }

// read takes events until the end of in. Lines that belong to no package are passed on at once.
func (s *sieve) read(in io.Reader) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			var e event
			if !strings.HasPrefix(line, "{") || json.Unmarshal([]byte(line), &e) != nil || e.Package == "" {
				_, _ = io.WriteString(s.out, line)
			} else {
				s.take(e, line)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (s *sieve) take(e event, line string) {
	k := s.open[e.Package]
	if k == nil {
		k = &kept{}
		s.open[e.Package] = k
	}
	k.lines.WriteString(line)
	switch e.Action {
	case "output":
		k.broke = k.broke || strings.Contains(e.Output, "ThreadSanitizer: CHECK failed") || strings.HasPrefix(e.Output, "SIGSEGV: segmentation violation")
		k.found = k.found || strings.Contains(e.Output, "WARNING: DATA RACE") || strings.HasPrefix(e.Output, "panic: ")
	case "fail":
		if e.Test != "" {
			k.found = true
			return
		}
		fallthrough
	case "pass", "skip":
		if e.Test == "" {
			s.end(e.Package, k, e.Action == "fail")
		}
	}
}

// end takes the end of a package.
func (s *sieve) end(pkg string, k *kept, failed bool) {
	delete(s.open, pkg)
	s.ended++
	if failed && k.broke && !k.found {
		s.again = append(s.again, pkg)
		return
	}
	s.failed = s.failed || failed
	_, _ = io.WriteString(s.out, k.lines.String())
}

// close passes on what has no end, writes the packages that are to be run again to names, and reports whether all is well but for them.
func (s *sieve) close(names io.Writer) (bool, error) {
	for _, pkg := range slices.Sorted(maps.Keys(s.open)) {
		_, _ = io.WriteString(s.out, s.open[pkg].lines.String())
		s.failed = true
	}
	for _, pkg := range s.again {
		if _, err := fmt.Fprintln(names, pkg); err != nil {
			return false, err
		}
	}
	return !s.failed && s.ended > 0, nil
}
