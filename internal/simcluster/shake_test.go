package simcluster

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"

	"go.uber.org/zap/zapcore"

	"github.com/jackdaw-im/jackdaw/cluster/link"
	"github.com/jackdaw-im/jackdaw/cluster/trust"
)

// handshake is one of TLS between two processes, with the bundles that they had.
type handshake struct {
	client, server *trust.Live
	from, to       trust.Stamp
}

// admits returns why a frame doesn't come through: the simulated carrier has no TLS, so each frame is let through as if it came by a new
// connection, by a handshake for each pair of nodes and of their bundles. A connection that has stood for long would know less.
func (k *keys) admits(to link.Peer) error {
	w := k.n.w
	w.mu.Lock()
	other := w.nodes[to.ID.Name()]
	w.mu.Unlock()
	if other == nil || other.dead.Load() {
		return nil // whom the network doesn't reach either
	}
	v, h := w.vault, handshake{k.live, other.keys.live, k.live.Stamp(), other.keys.live.Stamp()}
	v.mu.Lock()
	defer v.mu.Unlock()
	err, known := v.shaken[h]
	if !known {
		err = shake(h.server.ServerTLS("h2"), h.client.ClientTLS(to.ID.Name(), "h2"))
		v.shaken[h] = err
		if err != nil {
			w.net.Note("%s (%v) and %s (%v) don't let each other in: %v", k.n.id, h.from, other.id, h.to, err)
		}
	}
	return err
}

// shake tries a handshake.
func shake(server, client *tls.Config) error {
	near, far := net.Pipe()
	var wg sync.WaitGroup
	var served error
	wg.Go(func() {
		_, served = tls.Server(far, server).Write([]byte{1})
		_ = far.Close()
	})
	conn := tls.Client(near, client)
	_, err := conn.Read(make([]byte, 1)) // a server that doesn't take the certificate says so only after the client's part
	_ = near.Close()
	wg.Wait()
	return errors.Join(err, served)
}

// The messages of nodes that histories wait for.
const (
	saidLost   = "two bundles were made beside each other"
	saidParted = "a part of the cluster has later keys: this node and those that it sees have missed a rotation, and need tokens"
)

// hear counts what nodes log.
func (v *vault) hear(e zapcore.Entry) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.said[e.Message]++
	return nil
}

// times is how often nodes have logged a message.
func (v *vault) times(message string) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.said[message]
}
