package gateway

import (
	"crypto/tls"
	"slices"
	"sync"
)

// tickets gives the listeners' configurations the keys of TLS session tickets. Where all nodes have the same keys, a client takes up
// its TLS session with any of them, which spares both a signature. Safe for concurrent use.
type tickets struct {
	keys    func() [][32]byte // nil: crypto/tls makes keys of its own
	configs []*tls.Config
	mu      struct {
		sync.Mutex
		last [][32]byte
	}
}

// refresh sets the keys if they have changed; each handshake begins with it. Without any, those in use stay.
func (t *tickets) refresh() {
	if t.keys == nil {
		return
	}
	keys := t.keys()
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(keys) == 0 || slices.Equal(keys, t.mu.last) {
		return
	}
	t.mu.last = slices.Clone(keys)
	for _, c := range t.configs {
		c.SetSessionTicketKeys(keys)
	}
}
