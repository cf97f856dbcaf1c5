package dump

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// size is a number of bytes for people.
func size(n uint64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d B", n)
}

// table prints rows in columns.
func (o *printer) table(rows ...[]string) {
	t := tabwriter.NewWriter(&o.Buffer, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		_, _ = fmt.Fprintln(t, "  "+strings.TrimRight(strings.Join(row, "\t"), "\t")) // into memory
	}
	_ = t.Flush()
}

// counts writes a map of counts, the largest first.
func counts(of map[string]int) string {
	names := slices.SortedFunc(maps.Keys(of), func(a, b string) int { return cmp.Or(cmp.Compare(of[b], of[a]), cmp.Compare(a, b)) })
	for i, name := range names {
		names[i] = fmt.Sprintf("%d %s", of[name], name)
	}
	return strings.Join(names, ", ")
}

func count[T int | int64](n T) string { return strconv.FormatInt(int64(n), 10) }

// some is count, with nothing for 0.
func some[T int | int64](n T) string {
	if n == 0 {
		return "-"
	}
	return count(n)
}

// age is a time that has passed, with nothing for 0.
func age(d Duration) string {
	if d == 0 {
		return "-"
	}
	return time.Duration(d).Round(time.Millisecond).String()
}

func printUsage(o *printer, u Usage) {
	share := ""
	if u.Limit > 0 {
		share = fmt.Sprintf("%d%% of %s", u.Used()*100/u.Limit, size(u.Limit))
	}
	rows := [][]string{{"resident", size(u.RSS), share}, {"of Go", size(u.Go), fmt.Sprintf("heap %s, of it live %s; stacks %s", size(u.Heap), size(u.Live), size(u.Stack))}}
	for _, limit := range []struct {
		name  string
		value uint64
	}{{"GOMEMLIMIT", u.GoLimit}, {"control group", u.GroupLimit}, {"machine", u.Machine}} {
		if limit.value > 0 {
			rows = append(rows, []string{limit.name, size(limit.value)})
		}
	}
	o.table(rows...)
}

func printKinds(o *printer, k Kinds) {
	rows := [][]string{{"KIND", "LIVE", "HANDLED", "DEAD LETTERS"}}
	for _, name := range slices.Sorted(maps.Keys(k.Kinds)) {
		kind := k.Kinds[name]
		rows = append(rows, []string{name, count(kind.Live), count(kind.Handled), some(kind.DeadLetters)})
	}
	o.table(rows...)
	o.printf("  restarts %d, casts refused %d, late answers %d, stuck handlers %d (spare workers now %d)\n", k.Restarts, k.Overloads, k.LateReplies, k.Stuck, k.Spares)
}

func printActors(o *printer, a Actors) {
	for _, list := range []struct {
		title  string
		actors []Actor
	}{
		{"in a handler", a.Running}, {"longest queues", a.Longest}, {"oldest messages", a.Oldest}, {"most restarts", a.Restarted},
		{"most messages, estimated", a.Busiest},
	} {
		if len(list.actors) == 0 {
			continue
		}
		o.printf("  %s\n", list.title)
		rows := [][]string{{"  QUEUE", "OLDEST", "MSGS/S", "RESTARTS", "PHASE", "ACTOR", "DOES OR DID LAST", "WAITING"}}
		for _, actor := range list.actors[:o.most(len(list.actors))] {
			does := actor.Last
			if actor.Running != "" {
				does = actor.Running + " for " + time.Duration(actor.For).Round(time.Millisecond).String()
			}
			rows = append(rows, []string{"  " + count(actor.Queue), age(actor.Oldest), some(actor.PerSecond), some(actor.Restarts), actor.Phase, actor.Ref, does,
				counts(actor.Waiting)})
		}
		o.table(rows...)
	}
	if len(a.Recent) == 0 {
		return
	}
	o.printf("  handled last\n")
	rows := [][]string{{"  WORKER", "ACTOR", "MESSAGE"}}
	for i, h := range a.Recent {
		if last := i+1 == len(a.Recent) || a.Recent[i+1].Worker != h.Worker; last || o.all {
			rows = append(rows, []string{"  " + count(h.Worker), h.Ref, h.Kind})
		}
	}
	o.table(rows...)
}

// most is how many rows of n are printed.
func (o *printer) most(n int) int {
	if o.all {
		return n
	}
	return min(n, maxRows/2)
}

func printTree(o *printer, c Child) { o.tree(c, "  ") }

// manyParts is how many partitions of a dynamic supervisor are one line.
const manyParts = 2

func (o *printer) tree(c Child, indent string) {
	parts, live, restarted := 0, int64(0), int64(0)
	for _, below := range c.Children {
		if below.Type == dynamic {
			parts, live, restarted = parts+1, live+below.Live, restarted+below.Restarted
		}
	}
	what := c.Type
	folded := parts >= manyParts && !o.all
	switch {
	case folded:
		what = fmt.Sprintf("dynamic, %d partitions, %d children", parts, live)
	case c.Type == dynamic:
		what, restarted = fmt.Sprintf("dynamic, %d children", c.Live), c.Restarted
	case c.Type == worker:
		what = c.Restart
	}
	o.printf("%s%s (%s)", indent, c.ID, what)
	if c.Restarts > 0 {
		o.printf(" restarts=%d", c.Restarts)
	}
	if restarted > 0 && (folded || c.Type == dynamic) {
		o.printf(" restarts of children=%d", restarted)
	}
	if c.State != running {
		o.printf(" %s", c.State)
	}
	if c.Error != "" {
		o.printf(" doesn't answer: %s", c.Error)
	}
	o.printf("\n")
	for _, below := range c.Children {
		if !folded || below.Type != dynamic || below.Restarts > 0 || below.State != running {
			o.tree(below, indent+"  ")
		}
	}
}

func printStates(o *printer, states []State) {
	for _, s := range states {
		if s.Error != "" {
			o.printf("  %s: %s\n", s.Ref, s.Error)
			continue
		}
		lines := strings.Split(compact(s.State), "\n")
		if more := len(lines) - stateLines; more > 0 && !o.all {
			lines = append(lines[:stateLines], fmt.Sprintf("    (and %d more lines)", more))
		}
		o.printf("  %s\n    %s\n", s.Ref, strings.Join(lines, "\n"))
	}
}

func printSamples(o *printer, all []Sample) {
	rows := [][]string{{"METRIC", "VALUE OR COUNT", "MEDIAN", "99 %", "MOST"}}
	for _, s := range all {
		if s.Value == 0 && !o.all {
			continue
		}
		row := []string{s.Name, strconv.FormatFloat(s.Value, 'g', 10, 64)}
		if s.Max != 0 {
			for _, v := range []float64{s.P50, s.P99, s.Max} {
				row = append(row, strconv.FormatFloat(v, 'g', 4, 64))
			}
		}
		rows = append(rows, row)
	}
	o.table(rows...)
}

func printDescriptors(o *printer, d Descriptors) {
	o.printf("  %d", d.Open)
	if d.Limit > 0 {
		o.printf(" of %d", d.Limit)
	}
	o.printf(": %s\n", counts(d.Kinds))
}

// stackDepth is how many functions of a stack are printed, and stateLines how many lines of one state.
const (
	stackDepth = 4
	stateLines = 40
)

// printGoroutines prints the groups of a goroutine profile, as debug=1 of runtime/pprof writes them, one a line.
func printGoroutines(o *printer, p part) error {
	groups := strings.Split(strings.TrimSpace(string(p.body)), "\n\n")
	first, rest, _ := strings.Cut(groups[0], "\n")
	groups[0] = rest
	var lines []string
	for _, group := range groups {
		head, stack, _ := strings.Cut(group, "\n")
		n, _, ok := strings.Cut(head, " @")
		if !ok {
			continue
		}
		lines = append(lines, fmt.Sprintf("%6s  %s", n, strings.Join(o.frames(stack), " < ")))
	}
	o.printf("  %s, by stack; the innermost function first\n", strings.TrimPrefix(first, "goroutine profile: "))
	o.lines(lines)
	return nil
}

// library reports whether a function is of Go's own library, whose packages have no domain in their path.
func library(fn string) bool {
	domain, _, path := strings.Cut(fn, "/")
	return !path && !strings.HasPrefix(fn, "main.") || path && !strings.Contains(domain, ".")
}

// frames are the functions of one stack with their lines: the innermost, and then those that aren't Go's own.
func (o *printer) frames(stack string) (frames []string) {
	for line := range strings.Lines(stack) {
		fields := strings.Fields(line)
		if len(fields) < 4 || fields[0] != "#" {
			continue
		}
		fn, _, _ := strings.Cut(fields[2], "+0x")
		if !o.all && (len(frames) == stackDepth || strings.HasPrefix(fn, "runtime.") || strings.HasPrefix(fn, "internal/") || len(frames) > 0 && library(fn)) {
			continue
		}
		at := fields[len(fields)-1]
		at = at[strings.LastIndexByte(at, '/')+1:]
		frames = append(frames, fn[strings.LastIndexByte(fn, '/')+1:]+" "+at)
	}
	return frames
}
