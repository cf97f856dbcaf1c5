// Command testcount reads what `go test -json` prints and makes a short report of it: a line for each package, the output of what
// failed, the reasons of what was skipped, and as the closing line
//
//	N passed, N failed, N skipped
//
// Tests and subtests count alike; a package that doesn't build, or ends in the middle of a test, counts as one failure more. Several
// runs may follow each other on standard input. The exit status is 1 if anything failed or no test ran.
package main

import (
	"fmt"
	"os"
)

func main() {
	c := newCounter(os.Stdout)
	err := c.read(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testcount:", err)
	}
	if !c.close() || err != nil {
		os.Exit(1)
	}
}
