package gateway

import (
	"crypto/tls"
	"sync/atomic"
	"testing"

	"github.com/jackdaw-im/jackdaw/actors/session"
)

// keyring is ticket keys that a test changes.
type keyring struct{ atomic.Pointer[[][32]byte] }

func (k *keyring) set(keys ...byte) {
	var all [][32]byte
	for _, b := range keys {
		all = append(all, [32]byte{b})
	}
	k.Store(&all)
}

func (k *keyring) get() [][32]byte { return *k.Load() }

// TestTicketsOfAnotherNode: a TLS session is taken up with any node that has the key, by either port, also after the keys have been
// rotated once.
func TestTicketsOfAnotherNode(t *testing.T) {
	var keys keyring
	keys.set(1)
	nodes := []*rig{newRig(t, func(c *Config) { c.TicketKeys = keys.get }), newRig(t, func(c *Config) { c.TicketKeys = keys.get })}
	cache := tls.NewLRUClientSessionCache(4)
	// visit connects to a node, and reports whether that took up an earlier session.
	visit := func(n int) bool {
		t.Helper()
		r := nodes[n]
		c, err := tls.Dial("tcp", r.srv.Addrs()[1].String(), &tls.Config{ServerName: "localhost", ClientSessionCache: cache,
			InsecureSkipVerify: true, NextProtos: []string{"xmpp-client"}}) // each node has a certificate of its own
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		out := <-r.outlets
		if _, err := out.Write(session.Out{Data: []byte("hello")}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(make([]byte, 8)); err != nil { // with which the ticket comes
			t.Fatal(err)
		}
		return c.ConnectionState().DidResume
	}
	steps := []struct {
		what    string
		keys    []byte
		node    int
		resumes bool
	}{
		{"the first time", []byte{1}, 0, false},
		{"the same node", []byte{1}, 0, true},
		{"another node", []byte{1}, 1, true},
		{"with the old key as the second", []byte{2, 1}, 0, true},
		{"another node with the new key", []byte{2, 1}, 1, true},
		{"without the first key", []byte{3, 2}, 0, true},
		{"with none of the keys before", []byte{4}, 1, false},
		{"no keys: the last stay", nil, 1, true},
	}
	for _, s := range steps {
		keys.set(s.keys...)
		if got := visit(s.node); got != s.resumes {
			t.Fatalf("%s: resumed %v", s.what, got)
		}
	}
}

func TestTicketKeysAreSetOnce(t *testing.T) {
	asked := 0
	s := tickets{configs: []*tls.Config{{}}, keys: func() [][32]byte {
		asked++
		return [][32]byte{{1}}
	}}
	s.refresh()
	first := &s.mu.last[0]
	s.refresh()
	if asked != 2 || &s.mu.last[0] != first {
		t.Fatalf("asked %d times, set again: %v", asked, &s.mu.last[0] != first)
	}
	(&tickets{}).refresh() // no getter: nothing to do
}
