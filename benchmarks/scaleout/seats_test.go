package main

import (
	"fmt"
	"math"
	"testing"

	"github.com/jackdaw-im/jackdaw/actors/account"
	"github.com/jackdaw-im/jackdaw/actors/mailbox"
)

func TestKindsAreTheServers(t *testing.T) {
	if mailboxKind != mailbox.Kind || accountKind != account.Kind {
		t.Error("the server calls its kinds otherwise")
	}
}

func TestSeatsAreEven(t *testing.T) {
	for _, n := range []int{1, 2, 3, 5} {
		seen := map[[2]int]int{}
		for pair := range 3 * n * n {
			sender, recipient := pairSeats(pair, n)
			seen[[2]int{sender, recipient}]++
		}
		if len(seen) != n*n {
			t.Errorf("%d nodes: %d combinations", n, len(seen))
		}
		for seats, times := range seen {
			if times != 3 || seats[0] >= n || seats[1] >= n {
				t.Errorf("%d nodes: %v %d times", n, seats, times)
			}
		}
	}
}

func user(pair int) string { return fmt.Sprintf("u%d@localhost", 2*pair+1) }

func TestCrossings(t *testing.T) {
	if c := crossings(100, []string{"n1"}, user); c != (crossing{}) {
		t.Errorf("one node: %+v", c)
	}
	near := func(got, want float64) bool { return math.Abs(got-want) < 0.03 }
	names := []string{"n1", "n2", "n3", "n4", "n5"}
	for _, n := range []int{2, 3, 5} {
		away := 1 - 1/float64(n)
		either := 1 - 1/float64(n*n)
		if c := crossings(100*n*n, names[:n], user); !near(c.in, away) || !near(c.out, away) || !near(c.either, either) {
			t.Errorf("%d nodes: %+v, want near %v and %v", n, c, away, either)
		}
	}
}

func TestMovedActors(t *testing.T) {
	three, four := placed([]string{"n1", "n2", "n3"}), placed([]string{"n1", "n2", "n3", "n4"})
	var users []string
	for i := range 4000 {
		users = append(users, user(i))
	}
	there, back := three.moved(four, mailboxKind, users), four.moved(three, mailboxKind, users)
	if there != back || there < 800 || there > 1200 {
		t.Errorf("%d move to the fourth node, %d back, want about 1000", there, back)
	}
	if n := three.moved(three, accountKind, users); n != 0 {
		t.Errorf("%d move although nothing changes", n)
	}
}
