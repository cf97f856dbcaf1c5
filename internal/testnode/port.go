package testnode

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
)

// Ports are taken from below the range from which systems pick the ports of outgoing connections. Otherwise one of a thousand
// clients that try to reconnect while the server is down may get the server's own port, and be connected to itself.
const (
	firstPort = 20_000
	lastPort  = 32_000
)

// taken are the ports this process has handed out.
var taken struct {
	sync.Mutex
	ports map[int]bool
}

// FreeAddr returns a loopback address on which nobody listens. It isn't returned again by this process.
func FreeAddr() (string, error) {
	taken.Lock()
	defer taken.Unlock()
	if taken.ports == nil {
		taken.ports = make(map[int]bool)
	}
	for range 1000 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		if taken.ports[port] {
			continue
		}
		addr := fmt.Sprintf("127.0.0.1:%d", port)
		listener, err := net.Listen("tcp", addr)
		if err != nil {
			continue // in use
		}
		if err := listener.Close(); err != nil {
			return "", fmt.Errorf("testnode: free address: %w", err)
		}
		taken.ports[port] = true
		return addr, nil
	}
	return "", errors.New("testnode: no free port")
}
