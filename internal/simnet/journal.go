package simnet

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Kind is one kind of traffic.
type Kind uint8

// The kinds of traffic.
const (
	Packet Kind = iota // of gossip
	Stream             // of gossip: what is written at a time
	Link               // frames
	Call               // of streams that aren't gossip's: what is written at a time
	kinds
)

// String returns the kind's name.
func (k Kind) String() string {
	return [...]string{"packet", "stream", "link", "call", ""}[min(k, kinds)]
}

// Count counts traffic.
type Count struct {
	Sent    uint64 // packets, writes or frames
	Bytes   uint64 // in those sent, without headers of UDP or TCP
	Dropped uint64 // of those sent, for whatever reason
}

// kept is how many events the log holds: the latest.
const kept = 1 << 15

// event is one line of the log; nothing is formatted until a test fails.
type event struct {
	at       time.Time
	what     string
	from, to string
	size     int
	kind     Kind
}

// journal holds the latest events, in a ring.
type journal struct {
	events []event
	next   int
	total  int
}

// note adds an event to the log. The lock is held.
func (n *Net) note(what string, k Kind, from, to string, size int) {
	j := &n.mu.log
	e := event{time.Now(), what, from, to, size, k}
	j.total++
	if len(j.events) < kept {
		j.events = append(j.events, e)
		return
	}
	j.events[j.next] = e
	j.next = (j.next + 1) % kept
}

// lines returns the log as text, oldest first.
func (n *Net) lines() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	j := &n.mu.log
	list := make([]string, 0, len(j.events))
	for i := range j.events {
		e := j.events[(j.next+i)%len(j.events)]
		line := fmt.Sprintf("%14s  %s", e.at.Sub(n.start), e.what)
		if e.size > 0 {
			line += fmt.Sprintf(" %s of %d bytes", e.kind, e.size)
		}
		if e.from != "" {
			line += " " + e.from
		}
		if e.to != "" {
			line += " -> " + e.to
		}
		list = append(list, line)
	}
	return list
}

// shown is how many events a failure prints; the rest is in the file.
const shown = 60

// report writes the log: its end among the test's output, all of it to a file of the test's artifacts (go test -artifacts).
func (n *Net) report(t testing.TB, seed uint64) {
	lines := n.lines()
	name := filepath.Join(t.ArtifactDir(), fmt.Sprintf("simnet-%d.log", seed))
	if err := os.WriteFile(name, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		name = err.Error()
	}
	t.Logf("simnet: seed %d, the latest of %d events (the latest %d: %s):\n%s", seed, n.mu.log.total, len(lines), name,
		strings.Join(lines[max(0, len(lines)-shown):], "\n"))
}
