package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jackdaw-im/jackdaw/benchmarks/load"
	"github.com/jackdaw-im/jackdaw/internal/talk"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

// message is one that a user sends, as often as it takes.
type message struct {
	key            talk.Key
	stanza         []byte
	due            time.Time // when the user wanted it sent
	first          time.Time // when it was first sent
	ackedAt        time.Time
	last           *talk.Attempt // nil: it has not been sent
	tries          int
	acked, arrived bool
	at             time.Time // of its first arrival
}

// Stanza implements talk.Message.
func (m *message) Stanza() []byte { return m.stanza }

// world is all users of a run and what they know. Users 0 .. users-1 send and receive all the time; after them come sleepers, who
// log in when the load is over.
type world struct {
	cfg      settings
	accounts load.Accounts
	script   talk.Script
	addrs    func() []string // where the nodes take clients
	users    []*user
	ctx      context.Context
	end      context.CancelFunc
	lives    sync.WaitGroup

	mu struct {
		sync.Mutex
		check     *talk.Checker
		messages  map[talk.Key]*message
		arrived   time.Time
		sending   bool            // users make new messages
		wait      []time.Duration // of each user: the longest that a message of it took to be acknowledged
		arrival   []time.Duration // and the longest that one took to reach it
		refused   map[string]int  // conditions of errors that messages were answered with
		withdrawn int             // refused after they had been acknowledged: a fault
		troubles  map[string]int  // why connections ended or failed
		dark      map[string]bool // addresses of nodes that may acknowledge nothing
		darkened  time.Time
		lit       time.Time // when it was light again
		inDark    darkness
		answers   map[*talk.Attempt]answer // to each attempt that was made in the dark
		acks      []time.Time              // of every acknowledgement
		parted    [2]time.Time             // from when to when the cluster had no one order
		cut       map[string]bool          // addresses of the nodes that were apart from the others meanwhile; nil: any two were
		ways      []map[string]time.Time   // of each user: when it last sent something, by the address where
	}
}

// newWorld makes the users of a run, none of whom is online.
func newWorld(ctx context.Context, cfg settings, accounts load.Accounts, addrs func() []string) *world {
	accounts.Open()
	w := &world{cfg: cfg, accounts: accounts, script: talk.NewScript(), addrs: addrs}
	w.ctx, w.end = context.WithCancel(ctx)
	w.mu.check = talk.NewChecker()
	w.mu.messages, w.mu.refused, w.mu.troubles = map[talk.Key]*message{}, map[string]int{}, map[string]int{}
	w.mu.wait, w.mu.arrival = make([]time.Duration, cfg.users+cfg.sleepers), make([]time.Duration, cfg.users+cfg.sleepers)
	w.mu.ways = make([]map[string]time.Time, cfg.users+cfg.sleepers)
	for i := range cfg.users + cfg.sleepers {
		w.mu.ways[i] = map[string]time.Time{}
		w.users = append(w.users, newUser(w, i))
	}
	return w
}

// start brings the users online and lets them talk.
func (w *world) start() {
	w.mu.sending = true
	for _, u := range w.users[:w.cfg.users] {
		u.start()
	}
}

// close ends all connections, and waits for that.
func (w *world) close() {
	w.end()
	w.lives.Wait()
}

// compose makes a new message that is due now.
func (w *world) compose(from, to int) *message {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.mu.sending {
		return nil
	}
	key := w.mu.check.Next(from, to)
	w.mu.check.Send(from, to, w.script.ID(key))
	m := &message{key: key, stanza: w.script.Stanza(key, w.accounts.JID(to)), due: time.Now()}
	w.mu.messages[key] = m
	return m
}

// sent notes that a message goes out.
func (w *world) sent(a *talk.Attempt) {
	w.mu.Lock()
	defer w.mu.Unlock()
	m := a.Message.(*message)
	if m.last != nil {
		w.mu.check.Resend(m.key)
	} else {
		m.first = a.At
	}
	m.tries++
	m.last = a
	w.mu.ways[m.key.Sender][a.Addr] = a.At
	if w.mu.dark[a.Addr] {
		w.mu.answers[a] = answer{}
	}
}

// acked notes what a server acknowledged.
func (w *world) acked(sent []*talk.Attempt) {
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range sent {
		m := a.Message.(*message)
		w.answered(a, acknowledged)
		if m.acked {
			continue
		}
		switch {
		case !w.mu.dark[a.Addr] || a.At.Before(w.mu.darkened):
			// Acknowledgements count up: what was stored before the dark may have waited for the outcome of one sent before it.
		case m.arrived:
			w.mu.inDark.arrived++
		default:
			w.mu.inDark.acked++
			w.mu.inDark.first = cmp.Or(w.mu.inDark.first, fmt.Sprintf("%s at %s, due %v ago, sent %d times, last %v ago", w.script.ID(m.key), a.Addr,
				now.Sub(m.due), m.tries, now.Sub(a.At)))
		}
		m.acked, m.ackedAt = true, now
		w.mu.check.Ack(m.key)
		w.mu.acks = append(w.mu.acks, now)
		from := m.key.Sender
		w.mu.wait[from] = max(w.mu.wait[from], now.Sub(m.due))
	}
}

// received notes a message that has arrived at a user.
func (w *world) received(at int, e *xmpp.Element) {
	now := time.Now()
	key, id, ok := w.script.Read(e)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.arrived = now
	if !ok || key.Recipient != at {
		w.mu.check.ReceiveUnknown()
		return
	}
	w.mu.check.Receive(key, id)
	if m := w.mu.messages[key]; m != nil && !m.arrived {
		m.arrived, m.at = true, now
		w.mu.arrival[at] = max(w.mu.arrival[at], now.Sub(m.due))
	}
}

// refused notes an error that answers a message, and returns the message if it is to be sent again.
func (w *world) refused(e *xmpp.Element) *message {
	key, ok := w.script.Parse(e.Attr("id"))
	w.mu.Lock()
	defer w.mu.Unlock()
	m := w.mu.messages[key]
	if !ok || m == nil {
		w.mu.check.ReceiveUnknown()
		return nil
	}
	why := condition(e)
	w.mu.refused[why]++
	w.answered(m.last, why)
	if m.acked {
		w.mu.withdrawn++
		return nil
	}
	w.mu.check.Excuse(key)
	return m
}

// excuse says when the cluster was parted, and which nodes were apart from the others then, by their addresses. Nil: any two may have been.
func (w *world) excuse(from, to time.Time, cut map[string]bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.parted, w.mu.cut = [2]time.Time{from, to}, cut
}

// excused reports whether a message may be out of order: it was on its way while the cluster was parted, and its sender may have sent through
// both parts. Who sent nothing by a node that was apart has sent through one part only, wherever the mailbox and its owner were. The caller
// holds mu.
func (w *world) excused(k talk.Key) bool {
	m := w.mu.messages[k]
	if m == nil || !m.due.Before(w.mu.parted[1]) || m.arrived && !m.at.After(w.mu.parted[0]) {
		return false
	}
	if w.mu.cut == nil {
		return true
	}
	for addr, last := range w.mu.ways[k.Sender] {
		if w.mu.cut[addr] && !last.Before(w.mu.parted[0]) {
			return true
		}
	}
	return false
}

// condition is why a message was refused.
func condition(e *xmpp.Element) string {
	if err := e.Child(xmpp.NSClient, "error"); err != nil {
		if first := err.First(); first != nil {
			return err.Attr("type") + " " + first.Name
		}
	}
	return "without a reason"
}

// trouble notes why a connection ended or failed.
func (w *world) trouble(addr string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mu.dark[addr] {
		w.mu.inDark.ended++
	}
	w.mu.troubles[reason(err)]++
}

// ackedSoFar counts what has been acknowledged.
func (w *world) ackedSoFar() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.mu.acks)
}

// open counts what was sent and has no outcome.
func (w *world) open() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mu.check.Open()
}

// ackedSince counts what was acknowledged after a moment.
func (w *world) ackedSince(t time.Time) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.mu.acks) - firstAfter(w.mu.acks, t)
}

func firstAfter(times []time.Time, t time.Time) int {
	i, _ := slices.BinarySearchFunc(times, t, func(a, t time.Time) int { return a.Compare(t) })
	return i
}

// composed counts the messages that users wanted sent.
func (w *world) composed() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.mu.messages)
}
