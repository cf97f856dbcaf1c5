package testcluster

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"sync/atomic"
)

// privateEnv marks the process that has a private network.
const privateEnv = "TESTCLUSTER_PRIVATE"

// The addresses of a private network are of those that RFC 2544 reserves for benchmarks: 198.18.K.N is node N of this process's cluster K.
const (
	hub       = "254" // this process
	store     = "253"
	mostNodes = 100
)

// networks counts those that this process has made.
var networks atomic.Int32

// network is where the nodes of one cluster are.
type network struct {
	private bool
	bridge  string // joins the nodes' cables
	prefix  string // of their addresses
	store   string // the database's address; "": its own choice
	places  []*place
}

// place is the network of one node. It outlives the node's process.
type place struct {
	host string
	ns   *os.File // the namespace; nil: this process's
	link string   // the bridge's end of its cable
}

// newNetwork makes one without nodes.
func newNetwork(prefix string) (*network, error) {
	if !IsPrivate() {
		random := fmt.Sprintf("127.%d.%d.", 1+rand.IntN(254), rand.IntN(256))
		return &network{prefix: cmp.Or(prefix, random)}, nil
	}
	i := int(networks.Add(1)) % 256
	n := &network{private: true, prefix: fmt.Sprintf("198.18.%d.", i), bridge: fmt.Sprintf("jd%d", i)}
	n.store = n.prefix + store
	return n, n.open()
}

// place makes the network of node i, from 1 on.
func (n *network) place(i int) (*place, error) {
	if i > mostNodes {
		return nil, fmt.Errorf("testcluster: there is room for %d nodes", mostNodes)
	}
	p := &place{host: fmt.Sprintf("%s%d", n.prefix, i)}
	if n.private {
		p.link = fmt.Sprintf("%s-%d", n.bridge, i)
		n.places = append(n.places, p)
		if err := p.open(n.bridge); err != nil {
			return nil, err
		}
	}
	return p, nil
}
