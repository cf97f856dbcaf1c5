package session

import (
	"slices"
	"time"

	"github.com/jackdaw-im/jackdaw/ident"
)

const (
	// lateTime is how long an acknowledgement may be on its way to a mailbox that moves meanwhile.
	lateTime = 10 * time.Second
	// lateRows bounds the rows remembered for each lateTime: older ones may come to the client twice, which it can tell by their ids.
	lateRows = 128
)

// lately are the rows acknowledged to the mailbox within the last lateTime, or up to twice that. While a mailbox moves, an acknowledgement may be
// sent on by the node that had it, and reach the next one only after the session has attached there, and after the rows were pushed anew. So
// whoever attaches says it again; a mailbox that has heard it minds it not. nil is none.
type lately struct {
	newer, older []ident.MessageID
	since        time.Time // when newer was begun
}

// add notes acknowledged rows, and returns all that are remembered now.
func (l *lately) add(now time.Time, ids [][]byte) *lately {
	l = l.age(now)
	for _, b := range ids {
		id, err := ident.MessageIDFrom(b)
		if err != nil {
			continue
		}
		if l == nil {
			l = &lately{since: now}
		}
		l.newer = append(l.newer, id)
	}
	if l != nil && len(l.newer) > lateRows {
		l.newer = slices.Delete(l.newer, 0, len(l.newer)-lateRows)
	}
	return l
}

// age forgets what is too old, and returns the rest.
func (l *lately) age(now time.Time) *lately {
	if l == nil {
		return nil
	}
	switch old := now.Sub(l.since); {
	case old >= 2*lateTime, old >= lateTime && len(l.newer) == 0:
		return nil
	case old >= lateTime:
		l.newer, l.older, l.since = nil, l.newer, l.since.Add(lateTime)
	}
	return l
}

// has reports whether a row is remembered.
func (l *lately) has(b []byte) bool {
	if l == nil {
		return false
	}
	id, err := ident.MessageIDFrom(b)
	return err == nil && (slices.Contains(l.newer, id) || slices.Contains(l.older, id))
}

// with returns all that is remembered and more, each row once.
func (l *lately) with(now time.Time, more [][]byte) [][]byte {
	l = l.age(now)
	if l == nil {
		return more
	}
	var all [][]byte
	known := map[string]bool{}
	add := func(id []byte) {
		if !known[string(id)] {
			known[string(id)] = true
			all = append(all, id)
		}
	}
	for _, id := range slices.Concat(l.older, l.newer) {
		add(id[:])
	}
	for _, id := range more {
		add(id)
	}
	return all
}
