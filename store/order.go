package store

import (
	"bytes"
	"cmp"
)

// CompareRows orders rows as a mailbox delivers them: by hybrid clock, then sender and the sender's sequence. The id makes
// the order total.
func CompareRows(a, b Row) int {
	return cmp.Or(cmp.Compare(a.Ord, b.Ord), cmp.Compare(a.Sender, b.Sender), cmp.Compare(a.CSeq, b.CSeq), bytes.Compare(a.ID[:], b.ID[:]))
}

// ComparePlaces orders the entries of a group's log.
func ComparePlaces(a, b GroupPlace) int {
	return cmp.Or(cmp.Compare(a.Ord, b.Ord), bytes.Compare(a.ID[:], b.ID[:]))
}
