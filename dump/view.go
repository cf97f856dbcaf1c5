package dump

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Options say what View prints. The zero value is usable.
type Options struct {
	// Sections are the names of those that are printed; none are all, but for config.
	Sections []string
	// All prints every line of a section that has many.
	All bool
}

// shortLines is how many lines of a long section are printed.
const shortLines = 60

// sections are how each section is printed, in the order in which they stand in a file.
var sections = []struct {
	name, title string
	asked       bool // printed only for who asks for it
	print       func(o *printer, p part) error
}{
	{sectionMemory, "memory", false, of(printUsage)},
	{sectionKinds, "actors by kind", false, of(printKinds)},
	{sectionActors, "actors", false, of(printActors)},
	{sectionTree, "supervision tree", false, of(printTree)},
	{sectionStates, "states", false, of(printStates)},
	{sectionMetrics, "metrics", false, text(shortMetrics)},
	{sectionRuntime, "runtime metrics", false, of(printSamples)},
	{sectionGoroutines, "goroutines", false, printGoroutines},
	{sectionDescriptors, "open descriptors", false, of(printDescriptors)},
	{sectionConfig, "configuration", true, text(shortConfig)},
	{sectionTraceback, "Go's last words", false, printTraceback},
}

// Sections are the names of the sections that View knows.
func Sections() []string {
	var names []string
	for _, s := range sections {
		names = append(names, s.name)
	}
	return names
}

// View prints a dump for people. A dump that is cut off is printed as far as it goes, and it says so; so does one of a newer version.
// ErrFormat: r is no dump at all.
func View(w io.Writer, r io.Reader, options Options) error {
	for _, name := range options.Sections {
		if !slices.Contains(Sections(), name) {
			return fmt.Errorf("dump: no section is called %q: there are %s", name, strings.Join(Sections(), ", "))
		}
	}
	parts, err := split(r)
	if err != nil {
		return err
	}
	if len(parts) == 0 || parts[0].name != sectionHead {
		return ErrFormat
	}
	o := &printer{all: options.All}
	o.head(parts)
	for _, p := range parts[1:] {
		o.part(p, options)
	}
	if _, err := w.Write(o.Bytes()); err != nil {
		return fmt.Errorf("dump: %w", err)
	}
	return nil
}

// part prints a section, or nothing.
func (o *printer) part(p part, options Options) {
	if p.name == sectionSnapshot {
		o.snapshot(p)
		return
	}
	for _, s := range sections {
		if s.name != p.name || s.asked && len(options.Sections) == 0 || len(options.Sections) > 0 && !slices.Contains(options.Sections, s.name) {
			continue
		}
		o.printf("\n== %s", s.title)
		if p.made.Error != "" {
			o.printf(" (not complete: %s)", p.made.Error)
		}
		o.printf("\n")
		body := bytes.TrimSpace(p.body)
		if len(body) == 0 || string(body) == "null" {
			continue
		}
		before := o.Len()
		if err := s.print(o, p); err != nil {
			o.Truncate(before)
			o.printf("(cut off or damaged; as it stands in the file:)\n%s\n", body)
		}
	}
}

// words say what a reason means.
var words = map[Reason]string{
	Request: "asked for by an operator", Signal: "asked for by SIGQUIT", Memory: "memory passed its mark", Ended: "the supervision tree gave up",
	Panic: "a goroutine panicked", Fatal: "the server died of a fatal error", Killed: "the server ended without last words: it was killed, or its disk or machine failed",
}

// head prints what the dump is.
func (o *printer) head(parts []part) {
	h := headOf(parts)
	why := words[h.Reason]
	if why == "" {
		why = string(h.Reason)
	}
	o.printf("Jackdaw dump: %s\n", why)
	o.printf("  when     %s\n", instant(h.When))
	o.printf("  up       %s, since %s\n", h.When.Sub(h.Started).Round(time.Second), instant(h.Started))
	o.printf("  node     %s, domain %s, pid %d\n", h.Node, h.Domain, h.PID)
	o.printf("  program  %s", h.Program)
	if h.Revision != "" {
		o.printf(" (%s)", h.Revision)
	}
	o.printf(", %s\n", h.Go)
	if h.Version > Version {
		o.printf("  It is of version %d of the format, newer than this program: some of it may be missing here.\n", h.Version)
	}
	if last := parts[len(parts)-1]; last.name != sectionEnd && last.name != sectionTraceback {
		o.printf("  It is cut off in or after its section %s: the process ended, or had no room, while it wrote.\n", last.name)
	}
}

// snapshot prints from when the sections below are.
func (o *printer) snapshot(p part) {
	h := headOf([]part{p})
	o.printf("\nWhat follows is from %s, the last time that the server wrote it down.\n", instant(h.When))
}

func instant(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000 UTC") }

// printer gathers what is printed.
type printer struct {
	bytes.Buffer
	all bool
}

func (o *printer) printf(format string, args ...any) { fmt.Fprintf(&o.Buffer, format, args...) }

// lines prints lines, only the first of many unless all are wanted.
func (o *printer) lines(lines []string) {
	for i, line := range lines {
		if i == shortLines && !o.all {
			o.printf("  (and %d more lines)\n", len(lines)-i)
			return
		}
		o.printf("%s\n", strings.TrimRight("  "+line, " "))
	}
}

// of makes a section's printer of a function that takes its body decoded.
func of[T any](print func(*printer, T)) func(*printer, part) error {
	return func(o *printer, p part) error {
		v, err := decode[T](p)
		if err == nil {
			print(o, v)
		}
		return err
	}
}

// text makes a section's printer for one that is text; short takes out what a reader rarely needs.
func text(short func(line string) (string, bool)) func(*printer, part) error {
	return func(o *printer, p part) error {
		var lines []string
		for line := range strings.Lines(string(p.body)) {
			line, keep := strings.TrimRight(line, "\n"), true
			if short != nil && !o.all {
				line, keep = short(line)
			}
			if keep {
				lines = append(lines, line)
			}
		}
		o.lines(lines)
		return nil
	}
}

// shortMetrics leaves out explanations, the buckets of histograms, what is 0, and what the section runtime has.
func shortMetrics(line string) (string, bool) {
	name, value, _ := strings.Cut(line, " ")
	if i := strings.LastIndexByte(line, ' '); i > 0 {
		name, value = line[:i], line[i+1:]
	}
	return line, strings.HasPrefix(name, "jackdaw_") && !strings.Contains(name, "_bucket{") && value != "0"
}

// shortConfig leaves out the explanations.
func shortConfig(line string) (string, bool) {
	trimmed := strings.TrimSpace(line)
	return line, trimmed != "" && !strings.HasPrefix(trimmed, "#")
}

// printTraceback prints what Go wrote as the process died.
func printTraceback(o *printer, p part) error {
	if first := string(p.body); strings.HasPrefix(first, "goroutine ") || strings.HasPrefix(first, "runtime stack") {
		o.printf("  (what the error was, Go has told the server's standard error alone)\n")
	}
	return text(nil)(o, p)
}

// compact writes JSON on one line, if it is short.
func compact(doc json.RawMessage) string {
	var b bytes.Buffer
	if err := json.Compact(&b, doc); err != nil || b.Len() > 100 {
		b.Reset()
		_ = json.Indent(&b, doc, "    ", "  ") // it was read as JSON
	}
	return b.String()
}
