package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// event is one line of `go test -json`, as `go doc test2json` describes it.
type event struct {
	Action      string
	Package     string
	Test        string
	Elapsed     float64 // seconds
	Output      string
	ImportPath  string // of build output, instead of Package
	FailedBuild string // of a package that failed: what didn't build
}

// place is the place of a log line in a test.
var place = regexp.MustCompile(`^\w+\.go:\d+: `)

// counter counts the results of events, and reports to out.
type counter struct {
	out                     io.Writer
	passed, failed, skipped int
	open                    map[string]map[string]*strings.Builder // by package: the output of running tests, "" for the package's own
	count                   map[string]int                         // results by package
	builds                  map[string]*strings.Builder            // output of compilers
	reasons                 map[string]map[string]int              // by package: why how many tests were skipped
}

func newCounter(out io.Writer) *counter {
	return &counter{
		out:     out,
		open:    map[string]map[string]*strings.Builder{},
		count:   map[string]int{},
		builds:  map[string]*strings.Builder{},
		reasons: map[string]map[string]int{},
	}
}

// read takes events until the end of in. Lines that are no events are passed on.
func (c *counter) read(in io.Reader) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			var e event
			if !strings.HasPrefix(line, "{") || json.Unmarshal([]byte(line), &e) != nil || e.Action == "" {
				_, _ = fmt.Fprintln(c.out, strings.TrimSuffix(line, "\n"))
			} else {
				c.take(e)
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

func (c *counter) take(e event) {
	switch e.Action {
	case "start":
		c.open[e.Package] = map[string]*strings.Builder{}
		c.count[e.Package] = 0
	case "output":
		c.output(e.Package, e.Test).WriteString(e.Output)
	case "build-output":
		if c.builds[e.ImportPath] == nil {
			c.builds[e.ImportPath] = &strings.Builder{}
		}
		c.builds[e.ImportPath].WriteString(e.Output)
	case "run":
		c.output(e.Package, e.Test)
	case "pass", "fail", "skip":
		if e.Test == "" {
			c.ended(e)
		} else {
			c.result(e)
		}
	}
}

// output returns where the output of a test gathers.
func (c *counter) output(pkg, test string) *strings.Builder {
	if c.open[pkg] == nil {
		c.open[pkg] = map[string]*strings.Builder{}
	}
	if c.open[pkg][test] == nil {
		c.open[pkg][test] = &strings.Builder{}
	}
	return c.open[pkg][test]
}

// result takes the end of one test.
func (c *counter) result(e event) {
	said := c.output(e.Package, e.Test).String()
	delete(c.open[e.Package], e.Test)
	c.count[e.Package]++
	switch e.Action {
	case "pass":
		c.passed++
	case "fail":
		c.failed++
		c.print("--- FAIL: %s %s (%.1fs)\n%s", e.Package, e.Test, e.Elapsed, withoutFrame(said))
	case "skip":
		c.skipped++
		if c.reasons[e.Package] == nil {
			c.reasons[e.Package] = map[string]int{}
		}
		reason := strings.Join(strings.Fields(withoutFrame(said)), " ")
		c.reasons[e.Package][place.ReplaceAllString(reason, "")]++
	}
}

// ended takes the end of one package: what still runs then was cut off.
func (c *counter) ended(e event) {
	own := c.output(e.Package, "").String()
	delete(c.open[e.Package], "")
	running := c.open[e.Package]
	delete(c.open, e.Package)
	for _, reason := range slices.Sorted(maps.Keys(c.reasons[e.Package])) {
		c.print("skip  %-28s %4d tests: %s\n", short(e.Package), c.reasons[e.Package][reason], reason)
	}
	delete(c.reasons, e.Package)
	switch {
	case e.Action != "fail":
		if c.count[e.Package] > 0 {
			c.print("ok    %-28s %4d tests %6.1fs\n", short(e.Package), c.count[e.Package], e.Elapsed)
		}
		return
	case e.FailedBuild != "":
		c.failed++
		c.print("FAIL  %s doesn't build\n", short(e.Package))
		if b := c.builds[e.FailedBuild]; b != nil {
			c.print("%s", b.String())
			delete(c.builds, e.FailedBuild)
		}
		return
	case len(running) > 0 || c.count[e.Package] == 0:
		c.failed++
		for _, test := range slices.Sorted(maps.Keys(running)) {
			c.print("--- FAIL: %s %s did not end\n%s", e.Package, test, withoutFrame(running[test].String()))
		}
	}
	c.print("FAIL  %-28s %4d tests %6.1fs\n%s", short(e.Package), c.count[e.Package], e.Elapsed, withoutFrame(own))
}

// close prints the closing line, and reports whether tests ran and all passed.
func (c *counter) close() bool {
	for _, pkg := range slices.Sorted(maps.Keys(c.open)) {
		c.failed++
		c.print("FAIL  %s: its output ends before its tests\n", short(pkg))
	}
	c.print("%d passed, %d failed, %d skipped\n", c.passed, c.failed, c.skipped)
	return c.failed == 0 && c.passed > 0
}

func (c *counter) print(format string, args ...any) { _, _ = fmt.Fprintf(c.out, format, args...) }

// withoutFrame drops the lines in which go test says what the events say.
func withoutFrame(output string) string {
	var kept strings.Builder
	for line := range strings.Lines(output) {
		bare := strings.TrimLeft(line, " ")
		frame := false
		for _, prefix := range []string{"=== ", "--- PASS", "--- FAIL", "--- SKIP", "PASS\n", "FAIL\n", "FAIL\t", "ok  \t", "exit status "} {
			frame = frame || strings.HasPrefix(bare, prefix)
		}
		if !frame {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

// short is a package without the path of a host's module.
func short(pkg string) string {
	if parts := strings.SplitN(pkg, "/", 4); len(parts) == 4 && strings.Contains(parts[0], ".") {
		return parts[3]
	}
	return pkg
}
