package main

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/jackdaw-im/jackdaw/benchmarks/load"
)

// What the links' package says of itself: a first repetition after linkResend, later ones with pauses that double up to linkResendMax.
const (
	linkResend    = 0.2 // seconds
	linkResendMax = 5.0
	linkClasses   = 3
)

// Senders repeat what has no outcome after retryTime, in seconds.
const retryTime = 5.0

// flapBound is how many envelopes at most may be sent between nodes, repetitions included, while all links of so many nodes fail, again and
// again. usual is how many a message takes, messages how many there were; of each cut it is known how many seconds it lasted, how many messages
// had no outcome at its end, and how many envelopes waited for links.
//
// Each message costs what it usually does. One that is open at the end of a cut costs as much again for each time that its sender tries
// again: because a node is lost, because it is back, and once for each retryTime. Links send what they hold once more, and probe: single
// envelopes, with pauses that double.
func flapBound(nodes int, usual float64, messages int, cuts []cut) float64 {
	links := float64(nodes * (nodes - 1) * linkClasses)
	most := usual * float64(messages)
	for _, c := range cuts {
		tries := 2 + math.Ceil(c.seconds/retryTime)
		probes := 1 + math.Ceil(math.Log2(linkResendMax/linkResend)) + c.seconds/(0.75*linkResendMax)
		most += tries*usual*float64(c.open) + float64(c.held) + links*probes
	}
	return most
}

// cut is one of a flap.
type cut struct {
	seconds    float64
	open, held int
}

// flap cuts all links between nodes at once, again and again.
func flap(ctx context.Context, r *round) error {
	var meter meter
	before, err := r.traffic(ctx, &meter)
	if err != nil {
		return err
	}
	ackedBefore := r.w.ackedSoFar()
	if err := load.Rest(ctx, 2*calm); err != nil {
		return err
	}
	acked := r.w.ackedSoFar()
	start, err := r.traffic(ctx, &meter)
	if err != nil {
		return err
	}
	usual := (start.envelopes - before.envelopes) / float64(max(acked-ackedBefore, 1))
	var cuts []cut
	each := r.during(4*time.Second, 2*time.Second)
	for range 3 {
		began := time.Now()
		for i := range r.c.Nodes {
			if err := r.c.Part(ctx, r.c.Nodes[i:i+1], r.c.Nodes[i+1:]); err != nil {
				return err
			}
		}
		now, err := r.watch(ctx, &meter, each)
		if err != nil {
			return err
		}
		cuts = append(cuts, cut{time.Since(began).Seconds(), r.w.open(), int(now.held)})
		if err := r.c.Heal(ctx); err != nil {
			return err
		}
		if _, err := r.watch(ctx, &meter, time.Second); err != nil {
			return err
		}
	}
	whole := make(chan error, 1)
	go func() { whole <- r.whole(ctx) }()
	for waiting := true; waiting; {
		select {
		case err := <-whole:
			if err != nil {
				return err
			}
			waiting = false
		case <-time.After(meterPause):
			_, _ = r.traffic(ctx, &meter)
		}
	}
	after, err := r.traffic(ctx, &meter)
	if err != nil {
		return err
	}
	messages := r.w.ackedSoFar() - acked + r.w.open()
	sent := after.envelopes - start.envelopes
	bound := flapBound(len(r.c.Nodes), usual, messages, cuts)
	r.result.note("%.0f envelopes between nodes, of at most %.0f; %.2f a message without a flap; at the ends of cuts %v", sent, bound, usual, cuts)
	if sent > bound {
		r.result.broken("%.0f envelopes went between nodes, more than %.0f", sent, bound)
	}
	return nil
}

// String tells of a cut as notes do.
func (c cut) String() string {
	return fmt.Sprintf("%d messages were open, %d envelopes waited", c.open, c.held)
}
