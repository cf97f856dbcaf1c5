package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// maxPassword bounds what is read as a password, in bytes.
const maxPassword = 4096

// password says where a password comes from. It is never an argument, which everybody on the machine can see.
type password struct{ stdin, generate bool }

func passwordFlags(cmd *cobra.Command) *password {
	p := &password{}
	cmd.Flags().BoolVar(&p.stdin, "password-stdin", false, "read the password from the first line of standard input")
	cmd.Flags().BoolVar(&p.generate, "generate", false, "make up a password and print it")
	return p
}

// check refuses what can't work before anything is asked.
func (p *password) check(c *console) error {
	switch {
	case p.stdin && p.generate:
		return usage("--password-stdin and --generate exclude each other")
	case !p.stdin && !p.generate && !c.terminal:
		return usage("there is no terminal to ask for a password: use --password-stdin or --generate")
	}
	return nil
}

// read gets the password.
func (p *password) read(c *console) (string, error) {
	switch {
	case p.generate:
		return madeUp(), nil
	case p.stdin:
		text, err := bufio.NewReader(io.LimitReader(c.in, maxPassword)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("reading the password: %w", err)
		}
		if text = strings.TrimRight(text, "\r\n"); text == "" {
			return "", errors.New("there is no password on standard input")
		}
		return text, nil
	}
	first, err := ask(c, "Password: ")
	if err != nil {
		return "", err
	}
	if first == "" {
		return "", errors.New("an empty password is none")
	}
	again, err := ask(c, "The same again: ")
	if err == nil && again != first {
		err = errors.New("the two passwords differ; nothing was changed")
	}
	return first, err
}

// ask asks without showing what is typed.
func ask(c *console, question string) (string, error) {
	_, _ = fmt.Fprint(c.err, question)
	text, err := c.readPassword()
	_, _ = fmt.Fprintln(c.err) // for the return key, which wasn't shown either
	if err != nil {
		return "", fmt.Errorf("reading the password: %w", err)
	}
	return string(text), nil
}
