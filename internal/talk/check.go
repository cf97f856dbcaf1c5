package talk

import (
	"cmp"
	"fmt"
	"slices"
)

// Pair is one direction of talk: what Sender sends to Recipient is numbered 1, 2, .. and must arrive in that order.
type Pair struct{ Sender, Recipient int }

// Key identifies one message in the checker.
type Key struct {
	Pair
	Seq int
}

// fate is what is known of one message.
type fate struct {
	originID string
	acked    bool
	excused  bool
	received int
}

// Checker decides whether a server kept its promises: what it acknowledged arrives, a duplicate has the id of the first, and each
// sender's messages reach each recipient in order. It holds all messages of a run, and belongs to one goroutine.
type Checker struct {
	fates   map[Key]*fate
	highest map[Pair]int // the highest Seq that has arrived
	sent    map[Pair]int // the highest Seq that was sent
	missing map[int]int  // recipient -> messages acknowledged, not arrived
	found   Findings
}

// Findings are what a Checker found. A server passes if Faults is empty.
type Findings struct {
	// Sent and Acked count messages, Received those that arrived at least once.
	Sent, Acked, Received int
	// Resent counts how often a client sent a message again.
	Resent int
	// Duplicates counts further arrivals of a message with the id of the first: the promise allows them after a crash.
	Duplicates int
	// Lost are messages acknowledged that didn't arrive; Altered arrived with an id that isn't theirs; Reordered arrived for the
	// first time after a later one of their pair; Unknown were never sent, or not to this recipient, or with another text.
	Lost, Altered, Reordered []Key
	Unknown                  int
}

// NewChecker returns a checker that knows of no message.
func NewChecker() *Checker {
	return &Checker{fates: make(map[Key]*fate), highest: make(map[Pair]int), sent: make(map[Pair]int), missing: make(map[int]int)}
}

// Next is the key that the next Send between two returns.
func (c *Checker) Next(sender, recipient int) Key {
	pair := Pair{sender, recipient}
	return Key{pair, c.sent[pair] + 1}
}

// Send notes that a message is about to be sent, and returns its key. originID may be empty.
func (c *Checker) Send(sender, recipient int, originID string) Key {
	key := c.Next(sender, recipient)
	c.sent[key.Pair]++
	c.fates[key] = &fate{originID: originID}
	c.found.Sent++
	return key
}

// OriginID is the id a message was sent with.
func (c *Checker) OriginID(key Key) string {
	if f := c.fates[key]; f != nil {
		return f.originID
	}
	return ""
}

// Resend notes that a message is about to be sent again.
func (c *Checker) Resend(Key) { c.found.Resent++ }

// Excuse takes a message out of the check of order, for good: its sender knows that it was refused, or that its outcome is unknown, and
// sends it again after others.
func (c *Checker) Excuse(key Key) {
	if f := c.fates[key]; f != nil {
		f.excused = true
	}
}

// Ack notes that the server acknowledged a message.
func (c *Checker) Ack(key Key) {
	f := c.fates[key]
	if f == nil || f.acked {
		return
	}
	f.acked = true
	c.found.Acked++
	if f.received == 0 {
		c.missing[key.Recipient]++
	}
}

// Receive notes that a message arrived with this id.
func (c *Checker) Receive(key Key, originID string) {
	f := c.fates[key]
	if f == nil {
		c.found.Unknown++
		return
	}
	if f.originID != originID {
		c.found.Altered = append(c.found.Altered, key)
	}
	f.received++
	if f.received > 1 {
		c.found.Duplicates++
		return
	}
	c.found.Received++
	if f.acked {
		c.missing[key.Recipient]--
	}
	switch {
	case f.excused:
	case key.Seq < c.highest[key.Pair]:
		c.found.Reordered = append(c.found.Reordered, key)
	default:
		c.highest[key.Pair] = key.Seq
	}
}

// ReceiveUnknown notes that something arrived that can't be what was sent.
func (c *Checker) ReceiveUnknown() { c.found.Unknown++ }

// IsAcked reports whether a message is acknowledged.
func (c *Checker) IsAcked(key Key) bool {
	f := c.fates[key]
	return f != nil && f.acked
}

// Open is how many messages were sent and are not acknowledged.
func (c *Checker) Open() int { return c.found.Sent - c.found.Acked }

// Missing is how many messages are acknowledged and haven't arrived at this recipient.
func (c *Checker) Missing(recipient int) int { return c.missing[recipient] }

// Acked is how many messages are acknowledged.
func (c *Checker) Acked() int { return c.found.Acked }

// Arrivals counts what has arrived, duplicates included.
func (c *Checker) Arrivals() int { return c.found.Received + c.found.Duplicates }

// Findings judges by what is known now.
func (c *Checker) Findings() Findings {
	r := c.found
	r.Altered, r.Reordered = slices.Clone(r.Altered), slices.Clone(r.Reordered)
	for key, f := range c.fates {
		if f.acked && f.received == 0 {
			r.Lost = append(r.Lost, key)
		}
	}
	for _, keys := range [][]Key{r.Lost, r.Altered, r.Reordered} {
		slices.SortFunc(keys, func(a, b Key) int {
			return cmp.Or(a.Sender-b.Sender, a.Recipient-b.Recipient, a.Seq-b.Seq)
		})
	}
	return r
}

// Faults are the broken promises, in words; none if all is well.
func (r Findings) Faults() []string {
	var faults []string
	add := func(keys []Key, what string) {
		if len(keys) > 0 {
			k := keys[0]
			faults = append(faults, fmt.Sprintf("%d %s, the first from sender %d to recipient %d, number %d", len(keys), what,
				k.Sender, k.Recipient, k.Seq))
		}
	}
	add(r.Lost, "acknowledged and lost")
	add(r.Altered, "with another origin-id")
	add(r.Reordered, "out of order")
	if r.Unknown > 0 {
		faults = append(faults, fmt.Sprintf("%d arrived that were never sent so", r.Unknown))
	}
	return faults
}
