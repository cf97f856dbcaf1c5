package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/admin"
	"github.com/jackdaw-im/jackdaw/proto/adminpb"
)

// maxDocument bounds what is read as a new state, in bytes.
const maxDocument = 4 << 20

// defaultTrace is how many messages are traced if nothing is said.
const defaultTrace = 100

func newSys(c *console) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sys",
		Short: "Look into one actor of the running server, suspend it, trace it, replace its state",
		Long: `Look into one actor of the running server, suspend it, trace it, or replace its state, as
sys does in OTP. It happens on the actor's own turn, between two messages. An actor that
sleeps is not woken by it. The server logs each use.

REF is kind/id, or kind/id@node for an actor that is pinned to a node; without the node the
one of this server is found too. A name that was registered is a REF as well. "jackdaw top"
and "jackdaw tree" show them. Names of users are in them, but no command shows what users
write, or keys.`,
		Example: `  jackdaw sys status mailbox/juliet@localhost
  jackdaw sys trace mailbox/juliet@localhost -n 10`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	s := folderFlags(cmd)
	cmd.AddCommand(newSysStatus(c, s), newSysState(c, s), newSysReplace(c, s), newSysTrace(c, s),
		newSysSwitch(c, s, "suspend", "Let an actor's messages wait", `Let an actor's messages wait in its queue until "jackdaw sys resume". The queue stays bounded:
once it is full, senders are refused. What sys does, and what a supervisor does, goes on.`,
			"suspended", admin.Inspector.Suspend),
		newSysSwitch(c, s, "resume", "Let a suspended actor go on", "Let an actor go on that \"jackdaw sys suspend\" holds up. One that isn't suspended goes on anyway.",
			"resumed", admin.Inspector.Resume))
	return cmd
}

// oneRef is the argument of commands about one actor.
func oneRef(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usage("one actor is needed, such as mailbox/juliet@localhost")
	}
	return nil
}

// withActor reaches the running server for what is about one actor.
func (s *settings) withActor(cmd *cobra.Command, c *console, text string, f func(context.Context, *admin.Client, actors.Ref) error) error {
	ref, err := admin.ParseRef(text)
	if err != nil {
		return usage("%v", err)
	}
	return s.withServer(cmd, c, func(ctx context.Context, client *admin.Client) error { return f(ctx, client, ref) })
}

func newSysStatus(c *console, s *settings) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status REF",
		Short: "Print how an actor is: its queue, what it does, its restarts, its memory",
		Long: `Print how an actor is: how many messages wait and of which types, how old the oldest is,
what it handles now or handled last, how often it was restarted, and an estimate of its
memory. Of an actor that is stuck in a handler it prints what can be seen from outside.`,
		Example: `  jackdaw sys status mailbox/juliet@localhost
  jackdaw sys status lane/mail-0 --json`,
		Args: oneRef,
	}
	asJSON := jsonFlag(cmd, "the status")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return s.withActor(cmd, c, args[0], func(ctx context.Context, client *admin.Client, ref actors.Ref) error {
			st, err := client.ActorStatus(ctx, ref)
			switch {
			case err != nil:
				return reading(err)
			case *asJSON:
				return sayJSON(c, st)
			}
			_, err = io.WriteString(c.out, statusText(st))
			return err
		})
	}
	return cmd
}

func newSysState(c *console, s *settings) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "state REF",
		Short: "Print an actor's state",
		Long: `Print an actor's state as JSON: what its behaviour shows of itself, or if it shows nothing,
the types and sizes of what it holds.`,
		Example: `  jackdaw sys state mailbox/juliet@localhost
  jackdaw sys state mailbox/juliet@localhost --json | jq .`,
		Args: oneRef,
	}
	asJSON := cmd.Flags().Bool("json", false, "print the state on one line")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return s.withActor(cmd, c, args[0], func(ctx context.Context, client *admin.Client, ref actors.Ref) error {
			doc, err := client.State(ctx, ref)
			if err != nil {
				return reading(err)
			}
			var b bytes.Buffer
			if *asJSON {
				err = json.Compact(&b, doc)
			} else {
				err = json.Indent(&b, doc, "", "  ")
			}
			if err != nil {
				return fmt.Errorf("the state that the server sent is no JSON: %w", err)
			}
			return say(c, "%s", printable(b.String()))
		})
	}
	return cmd
}

func newSysReplace(c *console, s *settings) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "replace REF FILE",
		Short: "Give an actor another state",
		Long: `Give an actor another state: the JSON document in FILE; - is standard input. Only kinds of
actors whose behaviour takes one can be given a state, and each says what it takes. It is
for repairs, by who knows the behaviour: nothing else checks what comes of it.`,
		Example: `  jackdaw sys replace counter/a new.json
  echo '{"count": 1}' | jackdaw sys replace counter/a -`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usage("an actor and a file are needed, as in `jackdaw sys replace counter/a new.json`; - is standard input")
			}
			return nil
		},
	}
	asJSON := jsonFlag(cmd, "what was done")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return s.withActor(cmd, c, args[0], func(ctx context.Context, client *admin.Client, ref actors.Ref) error {
			doc, err := document(c.in, args[1])
			if err != nil {
				return err
			}
			if err := client.Replace(ctx, ref, doc); err != nil {
				return err
			}
			return did(c, *asJSON, "replaced", "replaced the state of", ref)
		})
	}
	return cmd
}

// document reads a JSON document from a file, or from standard input.
func document(stdin io.Reader, name string) ([]byte, error) {
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("the new state can't be read: %w", err)
		}
		defer func() { _ = file.Close() }() // only read
		stdin = file
	}
	doc, err := io.ReadAll(io.LimitReader(stdin, maxDocument+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("the new state can't be read: %w", err)
	case len(doc) > maxDocument:
		return nil, fmt.Errorf("the new state is larger than %d bytes", maxDocument)
	}
	var bad *json.SyntaxError
	var any json.RawMessage
	switch err := json.Unmarshal(doc, &any); {
	case errors.As(err, &bad):
		return nil, fmt.Errorf("the new state is no JSON: %w, at byte %d", err, bad.Offset)
	case err != nil:
		return nil, fmt.Errorf("the new state is no JSON: %w", err)
	}
	return any, nil
}

// newSysSwitch is a command that does something to an actor and has nothing to tell.
func newSysSwitch(c *console, s *settings, name, short, long, done string, f func(admin.Inspector, context.Context, actors.Ref) error) *cobra.Command {
	cmd := &cobra.Command{
		Use: name + " REF", Short: short, Long: long, Args: oneRef,
		Example: "  jackdaw sys " + name + " mailbox/juliet@localhost",
	}
	asJSON := jsonFlag(cmd, "what was done")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return s.withActor(cmd, c, args[0], func(ctx context.Context, client *admin.Client, ref actors.Ref) error {
			if err := f(client, ctx, ref); err != nil {
				return err
			}
			return did(c, *asJSON, done, done, ref)
		})
	}
	return cmd
}

// did tells what was done to an actor.
func did(c *console, asJSON bool, word, text string, ref actors.Ref) error {
	if !asJSON {
		return say(c, "%s %s", text, admin.RefText(ref))
	}
	line, err := json.Marshal(map[string]string{"done": word, "ref": admin.RefText(ref)})
	if err != nil {
		return err
	}
	return say(c, "%s", line)
}

func newSysTrace(c *console, s *settings) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "trace REF",
		Short: "Print an actor's next messages as it handles them",
		Long: `Print the types of an actor's next messages, as it handles them: how each came, how long its
handler took, how many wait behind it, and what the handler sent. It ends after -n messages,
when the actor ends, or with Ctrl-C. The actor doesn't wait for it.`,
		Example: `  jackdaw sys trace mailbox/juliet@localhost
  jackdaw sys trace mailbox/juliet@localhost -n 1000 --json > trace.json`,
		Args: oneRef,
	}
	n := cmd.Flags().IntP("messages", "n", defaultTrace, "end after `N` messages, 1 to "+fmt.Sprint(admin.MaxTrace))
	asJSON := jsonFlag(cmd, "each message on one line")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *n < 1 || *n > admin.MaxTrace {
			return usage("-n is 1 to %d", admin.MaxTrace)
		}
		return s.withActor(cmd, c, args[0], func(ctx context.Context, client *admin.Client, ref actors.Ref) error {
			ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
			defer stop()
			err := client.Trace(ctx, ref, *n, func(e *adminpb.TraceEvent) error {
				if *asJSON {
					return sayJSON(c, e)
				}
				_, err := io.WriteString(c.out, traceText(e))
				return err
			})
			if ctx.Err() != nil {
				return nil
			}
			return reading(err)
		})
	}
	return cmd
}
