package link

import (
	"cmp"
	"slices"
	"time"

	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// Stat says how one link with a peer does. Counts are of envelopes where nothing else is said. Those of what goes out are
// since PeerUp, those of what comes in since the peer's incarnation was first seen.
type Stat struct {
	Peer  Peer
	Class nodepb.LinkClass
	// Epoch is how often the peer has come up.
	Epoch uint64
	// Queue are waiting, Unacked have been sent, and Bytes is what both hold.
	Queue, Unacked, Bytes int
	// Oldest is for how long the oldest of them has been here.
	Oldest time.Duration
	// Sent counts each once; Resent counts those that went again, each time. Frames are those with envelopes.
	Sent, Resent, Frames uint64
	// Refused were answered with ErrFull; RefusedReserved of them were reserved.
	Refused, RefusedReserved uint64
	// CarrierErrors are frames that the carrier didn't take.
	CarrierErrors uint64
	// Tries is how often the oldest has been sent again without an answer. Above 2, the link is stalled.
	Tries int
	// RoundTrip is how long an acknowledgement takes, 0 while that isn't known.
	RoundTrip time.Duration
	// Received have been taken from the peer. Duplicates had come before, Stale were of an epoch that is over, Early came
	// before their turn, and Dropped went beyond what may wait.
	Received, Duplicates, Stale, Early, Dropped uint64
	// PeerRefuses is why the peer takes nothing, in its own words; "" if it doesn't say so.
	PeerRefuses string
}

// Strays counts frames that belong to no link and were dropped.
type Strays struct {
	// Version: of another format.
	Version uint64
	// Misdirected: to another node, or to another incarnation of this one.
	Misdirected uint64
	// Strangers: from a node that isn't up, or to be passed on to one.
	Strangers uint64
	// Nonsense: contradicting themselves, or what is known.
	Nonsense uint64
}

// Stats returns a Stat for each class of each peer that is up, by peer and class.
func (l *Links) Stats() []Stat {
	all := *l.up.Load()
	stats := make([]Stat, 0, len(all)*classes)
	for _, p := range all {
		for c := range p.out {
			stats = append(stats, p.stat(c))
		}
	}
	slices.SortFunc(stats, func(a, b Stat) int {
		return cmp.Or(cmp.Compare(a.Peer.ID, b.Peer.ID), cmp.Compare(a.Class, b.Class))
	})
	return stats
}

func (p *peer) stat(c int) Stat {
	st := Stat{Peer: *p.to.Load(), Class: nodepb.LinkClass(c)}
	p.out[c].fill(&st, p.links.now())
	p.in[c].fill(&st)
	return st
}

func (o *outbox) fill(st *Stat, now time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := &o.mu.sender
	st.Epoch, st.Tries, st.RoundTrip, st.PeerRefuses = s.epoch, s.level, s.trip.mean, s.refusal
	st.Queue, st.Unacked, st.Bytes = int(s.queue.end-s.high), int(s.high-s.base), s.queue.bytes
	if at, ok := s.queue.oldest(); ok {
		st.Oldest = now - at
	}
	st.Sent, st.Resent, st.Frames = s.count.sent, s.count.resent, s.count.frames
	st.Refused, st.RefusedReserved, st.CarrierErrors = s.count.full, s.count.reservedFull, o.mu.errors
}

func (i *inbox) fill(st *Stat) {
	i.mu.Lock()
	defer i.mu.Unlock()
	n := &i.mu.count
	st.Received, st.Duplicates, st.Stale, st.Early, st.Dropped = n.received, n.duplicates, n.stale, n.early, n.dropped
}

// Strays returns the counts since the start.
func (l *Links) Strays() Strays {
	s := &l.strays
	return Strays{s.version.Load(), s.misdirected.Load(), s.strangers.Load(), s.nonsense.Load()}
}
