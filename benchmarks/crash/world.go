package main

import (
	"context"
	"math/rand/v2"
	"sync"

	"github.com/jackdaw-im/jackdaw/benchmarks/load"
	"github.com/jackdaw-im/jackdaw/client"
	"github.com/jackdaw-im/jackdaw/internal/talk"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

// world is all clients of a run. Users 0 .. senders-1 send; after them come the recipients who are online during the load, then
// those who are offline.
type world struct {
	cfg      settings
	accounts load.Accounts
	speech   speech
	changed  chan struct{} // gets a value when something was noted

	mu struct {
		sync.Mutex
		check    *talk.Checker
		fences   map[int]talk.Key // recipient -> the message that ends its drain
		refused  int
		stopped  bool // senders send nothing new
		outgoing int  // sent in this connection's life and not acknowledged
	}
}

func newWorld(cfg settings, accounts load.Accounts) *world {
	accounts.Open()
	w := &world{cfg: cfg, accounts: accounts, speech: speech{talk.NewScript()}, changed: make(chan struct{}, 1)}
	w.mu.check = talk.NewChecker()
	return w
}

// sender is one sending client. What it holds belongs to the goroutine of its connection, or before that runs, to who made it.
type sender struct {
	w      *world
	number int
	random *rand.Rand
}

// senderConfig is the configuration of a sending connection. With refill it sends a new message for each one acknowledged.
func (w *world) senderConfig(s *sender, refill bool) *client.Config {
	cfg := w.accounts.Config(s.number)
	cfg.Management = true
	cfg.OnAck = func(c *client.Conn, sent []client.Sent) {
		n := w.acked(sent)
		if refill && n > 0 {
			s.send(c, n)
		}
	}
	cfg.OnStanza = func(_ *client.Conn, e *xmpp.Element) {
		if e.Name == "message" && e.Attr("type") == "error" {
			w.note(func() { w.mu.refused++ })
		}
	}
	return cfg
}

// send sends n new messages to random recipients, and asks for their acknowledgement.
func (s *sender) send(c *client.Conn, n int) {
	w := s.w
	for range n {
		to := w.cfg.senders + s.random.IntN(w.cfg.online+w.cfg.offline)
		id := w.speech.originID(s.random)
		w.mu.Lock()
		if w.mu.stopped {
			w.mu.Unlock()
			return
		}
		key := w.newMessage(s.number, to, id)
		w.mu.Unlock()
		if c.Send(w.speech.stanza(key, w.accounts.JID(to), id), key) != nil {
			return // the crash; the message isn't acknowledged
		}
	}
	_ = c.RequestAck() // as above
}

// newMessage notes a message that is about to be sent. The caller holds the lock.
func (w *world) newMessage(from, to int, originID string) talk.Key {
	key := w.mu.check.Send(from, to, originID)
	w.mu.outgoing++
	return key
}

// acked notes what the server acknowledged and returns how many messages those are.
func (w *world) acked(sent []client.Sent) (n int) {
	w.note(func() {
		for _, s := range sent {
			if key, ok := s.Tag.(talk.Key); ok {
				w.mu.check.Ack(key)
				w.mu.outgoing--
				n++
			}
		}
	})
	return n
}

// recipientConfig is the configuration of a receiving connection.
func (w *world) recipientConfig(number int) *client.Config {
	cfg := w.accounts.Config(number)
	cfg.Management = true
	cfg.OnStanza = func(_ *client.Conn, e *xmpp.Element) {
		if e.Name != "message" || e.Attr("type") == "error" {
			return
		}
		key, id, ok := w.speech.Read(e)
		w.note(func() {
			switch {
			case !ok || key.Recipient != number:
				w.mu.check.ReceiveUnknown()
			default:
				w.mu.check.Receive(key, id)
				if w.mu.fences[number] == key {
					delete(w.mu.fences, number)
				}
			}
		})
	}
	return cfg
}

// note runs f under the lock and tells who waits.
func (w *world) note(f func()) {
	w.mu.Lock()
	f()
	w.mu.Unlock()
	select {
	case w.changed <- struct{}{}:
	default: // it knows already
	}
}

// wait waits until done, which runs under the lock, is true.
func (w *world) wait(ctx context.Context, done func() bool) error {
	for {
		w.mu.Lock()
		ok := done()
		w.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-w.changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// report is the judge's, with what was refused.
func (w *world) report() (talk.Findings, int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mu.check.Findings(), w.mu.refused
}
