package main

import (
	"github.com/jackdaw-im/jackdaw/cluster/placement"
	"github.com/jackdaw-im/jackdaw/ident"
)

// The kinds of actors that placement knows, as the server names them.
const (
	mailboxKind = "mailbox"
	accountKind = "account"
)

// pairSeats are the nodes, of n, that the sender and the recipient of a pair log in on. Any n*n pairs in a row have each combination once.
func pairSeats(pair, n int) (sender, recipient int) { return pair % n, pair / n % n }

// placing says who owns what, among nodes that are called as testcluster calls them.
type placing struct{ table *placement.Table }

func placed(names []string) placing {
	nodes := make([]placement.Node, len(names))
	for i, name := range names {
		nodes[i] = placement.Node{ID: ident.NodeID(name + "@1"), Weight: placement.UsualWeight}
	}
	return placing{placement.Make(nodes)}
}

// owner is the name of the node where an actor is.
func (p placing) owner(kind, id string) string {
	return p.table.Owner(ident.PartitionOf(kind, id)).Name()
}

// moved is how many of some actors are elsewhere with another placing.
func (p placing) moved(to placing, kind string, ids []string) (n int) {
	for _, id := range ids {
		if p.owner(kind, id) != to.owner(kind, id) {
			n++
		}
	}
	return n
}

// crossing is which share of messages goes to another node: on the way to the mailbox, from it to the recipient, on either.
type crossing struct{ in, out, either float64 }

// crossings are those of pairs that all send as much, on nodes of these names. to is a recipient's address.
func crossings(pairs int, names []string, to func(pair int) string) (c crossing) {
	p := placed(names)
	for pair := range pairs {
		sender, recipient := pairSeats(pair, len(names))
		box := p.owner(mailboxKind, to(pair))
		in, out := names[sender] != box, names[recipient] != box
		for _, count := range []struct {
			yes  bool
			into *float64
		}{{in, &c.in}, {out, &c.out}, {in || out, &c.either}} {
			if count.yes {
				*count.into += 1 / float64(pairs)
			}
		}
	}
	return c
}
