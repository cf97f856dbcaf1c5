package talk

import (
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestCheckerPasses(t *testing.T) {
	c := NewChecker()
	first, second := c.Send(1, 2, "a"), c.Send(1, 2, "b")
	bare := c.Send(1, 3, "")
	c.Ack(first)
	c.Ack(first)
	c.Ack(bare)
	if c.Missing(2) != 1 || c.Missing(3) != 1 {
		t.Errorf("missing %d and %d", c.Missing(2), c.Missing(3))
	}
	c.Receive(first, "a")
	c.Receive(bare, "")
	c.Resend(second)
	c.Receive(first, "a") // a duplicate with its own id
	c.Receive(second, "b")
	c.Ack(second)
	if c.Acked() != 3 || c.Arrivals() != 4 {
		t.Errorf("%d acknowledged, %d arrivals", c.Acked(), c.Arrivals())
	}
	r := c.Findings()
	want := Findings{Sent: 3, Acked: 3, Received: 3, Resent: 1, Duplicates: 1}
	if !reflect.DeepEqual(r, want) || len(r.Faults()) != 0 || c.Missing(2) != 0 {
		t.Errorf("report %+v, faults %q", r, r.Faults())
	}
}

func TestCheckerFindsFaults(t *testing.T) {
	at := func(seq int) Key { return Key{Pair{1, 2}, seq} }
	for name, test := range map[string]struct {
		do    func(c *Checker)
		fault string
		keys  func(r Findings) []Key
		want  []Key
	}{
		"lost": {
			do:    func(c *Checker) { c.Ack(at(2)); c.Ack(at(1)); c.Receive(at(3), "c") },
			fault: "2 acknowledged and lost, the first from sender 1 to recipient 2, number 1",
			keys:  func(r Findings) []Key { return r.Lost }, want: []Key{at(1), at(2)},
		},
		"another id": {
			do:    func(c *Checker) { c.Receive(at(1), "a"); c.Receive(at(1), "x") },
			fault: "1 with another origin-id",
			keys:  func(r Findings) []Key { return r.Altered }, want: []Key{at(1)},
		},
		"excused, and another not": {
			do: func(c *Checker) {
				c.Excuse(at(1))
				c.Excuse(at(9))
				c.Receive(at(3), "c")
				c.Receive(at(1), "a")
				c.Receive(at(2), "b")
			},
			fault: "1 out of order, the first from sender 1 to recipient 2, number 2",
			keys:  func(r Findings) []Key { return r.Reordered }, want: []Key{at(2)},
		},
		"no id": {
			do:    func(c *Checker) { c.Receive(at(1), "") },
			fault: "1 with another origin-id",
			keys:  func(r Findings) []Key { return r.Altered }, want: []Key{at(1)},
		},
		"reordered": {
			do:    func(c *Checker) { c.Receive(at(3), "c"); c.Receive(at(1), "a"); c.Receive(at(2), "b") },
			fault: "2 out of order",
			keys:  func(r Findings) []Key { return r.Reordered }, want: []Key{at(1), at(2)},
		},
		"unknown":         {do: func(c *Checker) { c.Receive(at(9), "a") }, fault: "1 arrived that were never sent so"},
		"wrong recipient": {do: func(c *Checker) { c.Receive(Key{Pair{1, 3}, 1}, "a") }, fault: "1 arrived"},
		"another text":    {do: func(c *Checker) { c.ReceiveUnknown() }, fault: "1 arrived"},
	} {
		t.Run(name, func(t *testing.T) {
			c := NewChecker()
			for _, id := range []string{"a", "b", "c"} {
				c.Send(1, 2, id)
			}
			test.do(c)
			r := c.Findings()
			if faults := r.Faults(); len(faults) != 1 || !strings.HasPrefix(faults[0], test.fault) {
				t.Errorf("faults %q, want %q", faults, test.fault)
			}
			if test.keys != nil && !reflect.DeepEqual(test.keys(r), test.want) {
				t.Errorf("keys %v, want %v", test.keys(r), test.want)
			}
		})
	}
}

// TestCheckerOnAGoodServer lets a model server deliver at least once and in order: no fault may be found.
func TestCheckerOnAGoodServer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := NewChecker()
		ids := make(map[Key]string)
		queues := make(map[Pair][]Key)
		for range rapid.IntRange(1, 100).Draw(t, "messages") {
			sender, recipient := rapid.IntRange(0, 2).Draw(t, "sender"), rapid.IntRange(0, 2).Draw(t, "recipient")
			id := rapid.StringMatching(`[a-z]{0,2}`).Draw(t, "id")
			key := c.Send(sender, recipient, id)
			ids[key] = id
			if rapid.Bool().Draw(t, "stored") {
				queues[key.Pair] = append(queues[key.Pair], key)
				if rapid.Bool().Draw(t, "acked") {
					c.Ack(key)
				}
			}
		}
		for _, queue := range queues {
			delivered := rapid.IntRange(0, len(queue)).Draw(t, "delivered before the crash")
			for _, key := range append(queue[:delivered:delivered], queue...) {
				c.Receive(key, ids[key])
			}
		}
		if faults := c.Findings().Faults(); len(faults) != 0 {
			t.Fatalf("faults %q", faults)
		}
	})
}
