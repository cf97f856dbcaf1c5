package actorstest

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

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
	// Message is the type of the message on which it crashed, as far as it is known.
	Message string
	// Reason is why, without a panic's stack.
	Reason string
	// Restarted says whether the child was started again.
	Restarted bool
}

// String writes it on one line, as failures print it.
func (c Crash) String() string {
	on, then := "", "not restarted"
	if c.Message != "" {
		on = " on " + c.Message
	}
	if c.Restarted {
		then = "restarted"
	}
	return fmt.Sprintf("after %v: %v, child of %s, %s%s: %s", c.After, c.Ref, c.Supervisor, c.Reason, on, then)
}

// Crashes waits until all is at rest and returns all crashes that supervisors have reported so far, in their order.
func (k *Kit) Crashes() []Crash {
	k.Wait()
	var list []Crash
	for _, e := range k.logs.All() {
		if c, ok := k.crash(e); ok {
			list = append(list, c)
		}
	}
	return list
}

// crash reads a log entry as the report of a crash about which a supervisor has decided.
func (k *Kit) crash(e observer.LoggedEntry) (Crash, bool) {
	f := e.ContextMap()
	text := func(key string) string { s, _ := f[key].(string); return s }
	again, decided := f[telemetry.KeyRestart].(bool)
	ref, err := actors.ParseRef(text(telemetry.KeyActor))
	return Crash{
		After: k.since(e.Time), Supervisor: text(telemetry.KeySupervisor), Ref: ref, Message: text(telemetry.KeyMessage),
		Reason: firstLine(text(telemetry.KeyReason)), Restarted: again,
	}, decided && err == nil
}

// gaveUp reads a log entry as that of a supervisor that ends for its restarts, and returns its ID.
func gaveUp(e observer.LoggedEntry) (supervisor string, ok bool) {
	f := e.ContextMap()
	supervisor, _ = f[telemetry.KeySupervisor].(string)
	_, ok = f[telemetry.KeyIntensity]
	return supervisor, ok
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
		if sup, over := gaveUp(e); over && isSupervisor(sup, supervisor) {
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
		if c, ok := k.crash(e); ok {
			lines = append(lines, c.String())
			continue
		}
		line := fmt.Sprintf("after %v: %s", k.since(e.Time), e.Message)
		if sup, ok := gaveUp(e); ok {
			lines = append(lines, fmt.Sprintf("%s: %s", line, sup))
			continue
		}
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
