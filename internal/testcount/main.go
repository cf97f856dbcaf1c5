// Command testcount reads what `go test -json` prints and makes a short report of it: a line for each package, the output of what
// failed, the reasons of what was skipped, and as the closing line
//
//	N passed, N failed, N skipped
//
// Tests and subtests count alike; a package that doesn't build, or ends in the middle of a test, counts as one failure more. Several
// runs may follow each other on standard input. The exit status is 1 if anything failed or no test ran.
//
// With -again FILE it reports nothing: it passes on what it reads, but what packages said in which the race detector itself failed, and
// writes the names of these to FILE. The exit status is 1 if another package failed, or none ended.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	again := flag.String("again", "", "pass events on, and write the packages in which the race detector failed to this file")
	flag.Parse()
	run := report
	if *again != "" {
		run = func() (bool, error) { return sift(*again) }
	}
	ok, err := run()
	if err != nil {
		fmt.Fprintln(os.Stderr, "testcount:", err)
	}
	if !ok || err != nil {
		os.Exit(1)
	}
}

// report counts what comes on standard input.
func report() (bool, error) {
	c := newCounter(os.Stdout)
	err := c.read(os.Stdin)
	return c.close(), err
}

// sift passes it on.
func sift(again string) (bool, error) {
	names, err := os.Create(again)
	if err != nil {
		return false, err
	}
	defer names.Close()
	s := newSieve(os.Stdout)
	if err := s.read(os.Stdin); err != nil {
		return false, err
	}
	for _, pkg := range s.again {
		fmt.Fprintln(os.Stderr, "the race detector itself failed, once more:", short(pkg))
	}
	return s.close(names)
}
