package actorstest

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"go.uber.org/zap/zapcore"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/telemetry"
)

// Crash is a crash as a supervisor has reported it.
type Crash struct {
	// After is when, since the kit was made.
	After time.Duration
	// Supervisor is the full ID of who decided what follows; of a dynamic supervisor, that of the partition.
	Supervisor string
	// Ref names the child.
	Ref actors.Ref
	// Reason is why, without a panic's stack.
	Reason string
	// Restarted says whether the child was started again.
	Restarted bool
}

// String writes it on one line, as failures print it.
func (c Crash) String() string {
	then := "not restarted"
	if c.Restarted {
		then = "restarted"
	}
	return fmt.Sprintf("after %v: %v of %s %s: %s", c.After, c.Ref, c.Supervisor, c.Reason, then)
}

// Crashes returns all crashes that supervisors have reported so far, in their order.
func (k *Kit) Crashes() []Crash {
	k.Wait()
	var list []Crash
	for _, e := range k.logs.All() {
		f := e.ContextMap()
		sup, _ := f[telemetry.KeySupervisor].(string)
		reason, _ := f[telemetry.KeyReason].(string)
		name, _ := f[telemetry.KeyActor].(string)
		again, decided := f[telemetry.KeyRestart].(bool)
		ref, err := actors.ParseRef(name)
		if decided && err == nil {
			list = append(list, Crash{k.since(e.Time), sup, ref, firstLine(reason), again})
		}
	}
	return list
}

// ExpectRestarts waits until all is at rest and fails the test unless the actor has crashed and been started again n times so far,
// each time by this supervisor: its ID, without those above it, and without the number of a dynamic supervisor's partition.
func (k *Kit) ExpectRestarts(ref actors.Ref, n int, supervisor string) {
	k.tb.Helper()
	got := 0
	for _, c := range k.Crashes() {
		if c.Ref != ref || !c.Restarted {
			continue
		}
		if !isSupervisor(c.Supervisor, supervisor) {
			k.fatalf("%v is restarted by %s, not by %s", ref, c.Supervisor, supervisor)
		}
		got++
	}
	if got != n {
		k.fatalf("%v has been restarted %d times, not %d", ref, got, n)
	}
}

// ExpectGivenUp waits until all is at rest and fails the test unless this supervisor, named as in ExpectRestarts, has had more
// restarts than it bears and has ended. Then the end of a whole tree is no failure either.
func (k *Kit) ExpectGivenUp(supervisor string) {
	k.tb.Helper()
	k.Wait()
	for _, e := range k.logs.All() {
		f := e.ContextMap()
		sup, _ := f[telemetry.KeySupervisor].(string)
		if _, over := f[telemetry.KeyIntensity]; over && isSupervisor(sup, supervisor) {
			for _, t := range k.trees {
				t.known = true
			}
			return
		}
	}
	k.fatalf("the supervisor %s has not given up", supervisor)
}

var partition = regexp.MustCompile(`-\d+$`)

// isSupervisor compares a supervisor's full ID with the name a test gives it.
func isSupervisor(full, name string) bool {
	last := full[strings.LastIndex(full, ".")+1:]
	return full == name || last == name || partition.ReplaceAllString(last, "") == name
}

// reports are what supervisors and the runtime have logged as more than news, one line each.
func (k *Kit) reports() (lines []string) {
	for _, e := range k.logs.All() {
		if e.Level < zapcore.WarnLevel {
			continue
		}
		line := fmt.Sprintf("after %v: %s", k.since(e.Time), e.Message)
		for _, f := range e.Context {
			v, ok := e.ContextMap()[f.Key]
			if !ok {
				continue
			}
			line += fmt.Sprintf(" %s=%s", f.Key, firstLine(fmt.Sprint(v)))
		}
		lines = append(lines, line)
	}
	return lines
}
