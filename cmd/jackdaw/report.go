package main

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/jackdaw-im/jackdaw/cmd/jackdaw/top"
	"github.com/jackdaw-im/jackdaw/proto/adminpb"
)

// printable makes a text of several lines safe for a terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) || r == '\n' {
			return r
		}
		return '?'
	}, text)
}

// statusText is how an actor is, in words.
func statusText(st *adminpb.ActorStatus) string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "  %-10s%s\n", name, fmt.Sprintf(format, args...))
	}
	fmt.Fprintln(&b, st.GetRef())
	if st.GetBehaviour() != "" {
		line("behaviour", "%s", st.GetBehaviour())
	}
	line("phase", "%s", st.GetPhase())
	queue := fmt.Sprintf("%d waiting", st.GetQueue())
	if st.GetQueue() > 0 {
		queue += ", the oldest for " + top.Took(st.GetOldestUs())
	}
	if st.GetControl() > 0 {
		queue += fmt.Sprintf("; %d of them answers, timers and signals", st.GetControl())
	}
	line("queue", "%s", queue)
	for _, k := range st.GetWaiting() {
		line("", "%8d  %s", k.GetCount(), k.GetKind())
	}
	if st.GetRunning() != "" {
		line("handles", "%s, for %s", st.GetRunning(), top.Took(st.GetRunningUs()))
	} else if st.GetLast() != "" {
		line("handled", "%s", st.GetLast())
	}
	line("restarts", "%d", st.GetRestarts())
	if st.GetStuck() {
		line("", "it did not come to the question in time: this is what can be seen from outside")
		return printable(b.String())
	}
	line("memory", "about %s", top.Bytes(st.GetMemoryBytes()))
	line("has", "%d timers, %d monitors, %d links, %d calls under way", st.GetTimers(), st.GetMonitors(), st.GetLinks(), st.GetCalls())
	return printable(b.String())
}

// traceText is one message of a trace on one line.
func traceText(e *adminpb.TraceEvent) string {
	var b strings.Builder
	at := time.UnixMicro(e.GetTime()).Format("15:04:05.000000")
	fmt.Fprintf(&b, "%s  %-5s %s  took %s", at, e.GetHow(), e.GetKind(), top.Took(e.GetTookUs()))
	if e.GetQueue() > 0 {
		fmt.Fprintf(&b, ", %d waiting", e.GetQueue())
	}
	for i, s := range e.GetSent() {
		sep := "; sent "
		if i > 0 {
			sep = ", "
		}
		fmt.Fprintf(&b, "%s%s to %s", sep, s.GetKind(), s.GetTo())
	}
	if e.GetError() != "" {
		fmt.Fprintf(&b, "; error: %s", strings.ReplaceAll(e.GetError(), "\n", " "))
	}
	return printable(b.String()) + "\n"
}
