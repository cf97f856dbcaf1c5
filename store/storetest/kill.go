package storetest

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/jackdaw-im/jackdaw/store"
)

// OpenFolder opens the store in a folder, which it makes if there is none.
type OpenFolder func(folder string) (store.Engine, error)

// The environment of the process that is killed.
const (
	envFolder = "STORETEST_FOLDER"
	envFrom   = "STORETEST_FROM"
)

// Main runs the tests, or is the process that Kill kills. TestMain calls it.
func Main(m *testing.M, open OpenFolder) {
	if folder := os.Getenv(envFolder); folder != "" {
		if err := victim(folder, open); err != nil {
			fmt.Fprintln(os.Stderr, "storetest:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// victim writes, and tells its ledger to standard output, until it is killed.
func victim(folder string, open OpenFolder) error {
	from, err := strconv.Atoi(os.Getenv(envFrom))
	if err != nil {
		return err
	}
	e, err := open(folder)
	if err != nil {
		return err
	}
	if err := prepareCrash(e); err != nil {
		return err
	}
	var out sync.Mutex
	tell := func(kind byte, ns ...int) {
		if len(ns) == 0 {
			return
		}
		line := []byte{kind}
		for _, n := range ns {
			line = strconv.AppendInt(append(line, ' '), int64(n), 10)
		}
		out.Lock()
		defer out.Unlock()
		if _, err := os.Stdout.Write(append(line, '\n')); err != nil {
			os.Exit(1) // nobody listens any more
		}
	}
	errs := make(chan error, crashWriters)
	for w := range crashWriters {
		go func() { errs <- write(e, w, from, tell, func() bool { return false }) }()
	}
	return <-errs
}

// Kill runs rounds in which a process writes to the store in a folder, gets SIGKILL in the middle of it, and the store is
// opened again and compared with what the process had been promised. The store goes through all rounds.
func Kill(t *testing.T, open OpenFolder, rounds int) {
	folder, l := t.TempDir(), newLedger()
	total := 0
	for round := range rounds {
		lines := 300 + 700*round
		killed(t, folder, 1_000_000*(round+1), lines, l)
		e, err := open(folder)
		if err != nil {
			t.Fatalf("round %d: opening after the kill: %v", round, err)
		}
		p := l.promise(l.len(), l.len())
		p.check(t, e, fmt.Sprintf("round %d", round))
		must(t, e.Close())
		total = 0
		for _, e := range l.mu.events {
			if e.kind == 'A' {
				total += len(e.ns)
			}
		}
	}
	t.Logf("%d rounds: %d appends acknowledged, none lost", rounds, total)
}

// killed runs one process until it has told enough, kills it, and reads what it has told.
func killed(t *testing.T, folder string, from, lines int, l *ledger) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envFolder+"="+folder, fmt.Sprintf("%s=%d", envFrom, from))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	defer func() { _ = cmd.Process.Kill() }()
	in := bufio.NewReaderSize(stdout, 1<<20)
	for n := 0; ; n++ {
		line, err := in.ReadString('\n')
		if err != nil {
			break // a half line was never told
		}
		if n == lines {
			must(t, cmd.Process.Kill())
		}
		e, err := parseEvent(line)
		must(t, err)
		l.add(e.kind, e.ns...)
	}
	err = cmd.Wait()
	if err == nil || err.Error() != "signal: killed" {
		t.Fatalf("the process ended with %v before it was killed: %s", err, stderr.String())
	}
}

func parseEvent(line string) (event, error) {
	fields := strings.Fields(line)
	if len(fields) < 2 || len(fields[0]) != 1 {
		return event{}, fmt.Errorf("storetest: a line of a ledger is %q", line)
	}
	e := event{kind: fields[0][0]}
	for _, f := range fields[1:] {
		n, err := strconv.Atoi(f)
		if err != nil {
			return event{}, fmt.Errorf("storetest: a line of a ledger is %q", line)
		}
		e.ns = append(e.ns, n)
	}
	return e, nil
}
