package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/jackdaw-im/jackdaw/cmd/jackdaw/top"
	"github.com/jackdaw-im/jackdaw/store/pebblestore"
)

// The exit codes. The store itself ends the process with pebblestore.ExitCode when its disk fails.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

func main() {
	stdin := int(os.Stdin.Fd())
	c := &console{
		name: os.Args[0], in: os.Stdin, out: os.Stdout, err: os.Stderr, environ: os.Environ(), terminal: term.IsTerminal(stdin),
		readPassword: func() ([]byte, error) { return term.ReadPassword(stdin) },
	}
	if c.terminal && term.IsTerminal(int(os.Stdout.Fd())) && os.Getenv("TERM") != "dumb" {
		c.screen = func() (*top.TTY, error) { return top.OpenTTY(os.Stdin, os.Stdout) }
	}
	os.Exit(run(os.Args[1:], c))
}

// console is what a command sees of the outside.
type console struct {
	name         string // as the program was called
	in           io.Reader
	out, err     io.Writer
	environ      []string
	terminal     bool                     // somebody sits there who can be asked
	readPassword func() ([]byte, error)   // reads a line without showing it
	screen       func() (*top.TTY, error) // takes the terminal for a live screen; nil: there is none
	poll         time.Duration            // how often to look how far something is; 0 is pollTime
}

func (c *console) pollTime() time.Duration { return cmp.Or(c.poll, pollTime) }

// hint says on standard error what isn't the command's answer.
func hint(c *console, format string, args ...any) {
	_, _ = fmt.Fprintf(c.err, format+"\n", args...)
}

// errUsage marks errors of how a command was called.
var errUsage = errors.New("wrong usage")

// usage is an error that ends with exitUsage.
func usage(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...)}
}

type usageError struct{ text string }

// Error implements error.
func (e *usageError) Error() string { return e.text }

// Is makes every usageError errUsage.
func (e *usageError) Is(target error) bool { return target == errUsage }

// run runs one command and returns the exit code.
func run(args []string, c *console) int {
	root, entered := newRoot(c)
	root.SetArgs(args)
	root.SetIn(c.in)
	root.SetOut(c.out)
	root.SetErr(c.err)
	cmd, err := root.ExecuteC()
	switch {
	case err == nil:
		return exitOK
	case !*entered || errors.Is(err, errUsage): // cobra refused flags or arguments
		complain(c.err, err)
		_, _ = fmt.Fprintf(c.err, "`%s --help` says how it is used\n", cmd.CommandPath())
		return exitUsage
	}
	complain(c.err, err)
	return exitFailure
}

// complain writes an error. One that is several has a line for each; cobra's suggestions come with empty ones.
func complain(to io.Writer, err error) {
	for _, line := range strings.Split(err.Error(), "\n") {
		if line = strings.TrimSpace(line); line != "" {
			_, _ = fmt.Fprintf(to, "jackdaw: %s\n", line)
		}
	}
}

// newRoot makes the command tree. entered becomes true when a command begins its own work.
func newRoot(c *console) (root *cobra.Command, entered *bool) {
	entered = new(bool)
	root = &cobra.Command{
		Use:   "jackdaw",
		Short: "A messaging server for XMPP clients",
		Long: fmt.Sprintf(`Jackdaw is a messaging server for XMPP clients.

Start it with "jackdaw serve", add a user with "jackdaw user add", and log in with any
XMPP client. Nothing needs to be configured first.

Exit codes: %d success, %d failure, %d wrong usage, %d the store's disk failed.`, exitOK, exitFailure, exitUsage, pebblestore.ExitCode),
		Example: `  jackdaw serve
  jackdaw user add juliet@localhost`,
		SilenceErrors: true, SilenceUsage: true,
		PersistentPreRun: func(*cobra.Command, []string) { *entered = true },
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(newServe(c), newUser(c), newCluster(c), newDrain(c), newUndrain(c), newTop(c), newTree(c), newSys(c), newDump(c), newBackup(c), newRestore(c), newStore(c), newCert(c), newConfig(c), newVersion(c))
	return root, entered
}
