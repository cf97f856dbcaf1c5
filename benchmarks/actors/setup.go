package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// setup says on what, with what and how is measured.
func setup(cfg *settings, b *built) []fact {
	facts := []fact{{"machine", fmt.Sprintf("%s, %d cores, %s/%s", processor(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH)},
		{"used", fmt.Sprintf("%d cores: GOMAXPROCS, Erlang's schedulers", cfg.cores)},
		{"rounds", fmt.Sprintf("%d of %v each, after a quarter of it for warming up", cfg.rounds, cfg.span)},
		{"go", runtime.Version()}}
	for _, c := range contestants() {
		if v := b.facts[c]; v != "" {
			facts = append(facts, fact{c, v})
		}
	}
	for _, name := range []string{"GOGC", "GOMEMLIMIT", "GODEBUG"} {
		if v := os.Getenv(name); v != "" {
			facts = append(facts, fact{name, v + ", from the environment"})
		}
	}
	return facts
}

// processor is the name of this machine's, where Linux tells it.
func processor() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "a processor"
	}
	return model(string(info))
}

// model reads the name from the text of /proc/cpuinfo.
func model(cpuinfo string) string {
	for line := range strings.Lines(cpuinfo) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "a processor"
}

// notes are what a reader of the figures has to know.
func notes() []string {
	return []string{
		"Processor time is user and system time of all threads of a contestant's process, taken inside it around the work; time is what passed meanwhile.",
		"A message is a small number: boxed in Go, with an allocation from 256 on (not in calls), immediate in Erlang. Counts, warm-up and the deadline of a call, 5 s, are the same for all.",
		"Memory is the growth of VmRSS by so many actors, each of which has handled a message. The Go programs run with Go's default GOGC and no " +
			"limit, as the server does, and before each reading collect garbage and call debug.FreeOSMemory, as the server does when it is quiet. " +
			"Each of their actors is registered under a name of its own, a decimal number; Erlang's processes have pids, goroutines a channel in a slice.",
		"beam runs with its schedulers' default busy wait, without any, and for fan-in without any and with off-heap queues; idle processes wait in " +
			"receive, or hibernate. Each row compares the one that is better for beam.",
		"call: Erlang's is gen_server:call, also where the others call from outside. Ours and protoactor's don't hold up the calling actor. " +
			"From outside, ours is CallTimeout; with a deadline for 1,000 it is Call with their one context.",
		"restart: 6,400 children under 64 supervisors crash, and are all waited for. Erlang's supervisors are new in each round: they get slower with each " +
			"restart within their period.",
		"wake: ours ends when it was idle and is started by the next message, under its dynamic supervisor; Erlang's hibernates and stays.",
		"The collector: for a third of the time it ran when it wanted to, which gives its share; then one collection followed the other, for the pauses. " +
			"They are those of an idle machine only: a thread that waits for a core while the world is stopped makes a pause longer.",
	}
}
