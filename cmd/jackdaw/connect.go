package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/jackdaw-im/jackdaw/admin"
)

// errGone is told where a server ends the connection that a command only reads from.
var errGone = errors.New("the server has ended the connection: it was stopped, or died")

// withServer reaches the running server and calls f.
func (s *settings) withServer(cmd *cobra.Command, c *console, f func(context.Context, *admin.Client) error) (err error) {
	cfg, err := s.load(c)
	if err != nil {
		return err
	}
	client, err := admin.Connect(cmd.Context(), cfg)
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }() // it has nothing left to say
	return f(cmd.Context(), client)
}

// reading gives the error of a command that changes nothing.
func reading(err error) error {
	if errors.Is(err, admin.ErrUnknown) {
		return errGone
	}
	return err
}

// jsonFlag defines --json.
func jsonFlag(cmd *cobra.Command, what string) *bool {
	return cmd.Flags().Bool("json", false, "print "+what+" as JSON")
}
