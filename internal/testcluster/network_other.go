//go:build !linux

package testcluster

import "context"

// Private makes sure that this program has a network of its own, if it may have one. Here it may not.
func Private(...string) (code int, ran bool) { return 0, false }

func (n *network) open() error  { return ErrNoCuts }
func (n *network) close() error { return nil }

func (p *place) open(string) error                    { return ErrNoCuts }
func (p *place) enter(f func() error) error           { return f() }
func (p *place) drop(context.Context, string) error   { return ErrNoCuts }
func (p *place) dropTo(context.Context, string) error { return ErrNoCuts }
func (p *place) heal(context.Context) error           { return nil }
