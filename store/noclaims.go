package store

import (
	"context"

	"github.com/jackdaw-im/jackdaw/ident"
)

// NoClaims are the Claims of an engine that only one node can open: there is nothing to do.
type NoClaims struct{}

// Claim implements Claims.
func (NoClaims) Claim([]ident.Partition) error { return nil }

// ForeignWrites implements Claims.
func (NoClaims) ForeignWrites(context.Context) ([]ForeignWrite, error) { return nil, nil }

// Done implements Claims.
func (NoClaims) Done([]int64) error { return nil }
