package client

import "slices"

// Sent is one stanza that was sent under stream management.
type Sent struct {
	// Stanza is its bytes.
	Stanza []byte
	// Tag is what the sender gave along with it.
	Tag any
}

// Resumption is what it takes to go on with a stream on another connection.
type Resumption struct {
	// ID names the stream; JID is its bound address.
	ID, JID string
	// Location is where the server would have the client resume the stream, host:port or host alone, for STARTTLS; empty: it hasn't said. The
	// stream may be resumed elsewhere, too, where the server has several nodes.
	Location string
	// Handled is the number of stanzas handled here, the h that the server is told.
	Handled uint32
	// Acked is the number of stanzas the server has acknowledged.
	Acked uint32
	// Unacked are those it has not, oldest first.
	Unacked []Sent
}

// management counts one stream's stanzas, as XEP-0198 section 4 says. Numbers wrap around at 2^32.
type management struct {
	on      bool   // what is sent is counted and kept
	id      string // for resumption; empty if the server doesn't offer it
	where   string // where to resume it
	handled uint32 // inbound stanzas handled
	told    uint32 // the last h given to the server
	acked   uint32 // outbound stanzas acknowledged
	queue   []Sent // outbound stanzas not acknowledged
}

// sent counts one outbound stanza.
func (m *management) sent(s Sent) {
	if m.on {
		m.queue = append(m.queue, s)
	}
}

// ack takes the server's h and returns what it newly covers. The result is valid until the next call of any method.
func (m *management) ack(h uint32) ([]Sent, error) {
	n := h - m.acked
	if uint64(n) > uint64(len(m.queue)) {
		return nil, ErrAckAhead
	}
	covered := m.queue[:n]
	m.acked = h
	m.queue = m.queue[n:]
	if len(m.queue) == 0 {
		m.queue = nil // the array goes with what it held
	}
	return covered, nil
}

// answer is the h for the server; afterwards the server knows it.
func (m *management) answer() uint32 {
	m.told = m.handled
	return m.handled
}

// resumption is the state to go on with. ok is false if the stream can't be resumed.
func (m *management) resumption(jid string) (r Resumption, ok bool) {
	if m.id == "" {
		return Resumption{}, false
	}
	return Resumption{ID: m.id, JID: jid, Location: m.where, Handled: m.handled, Acked: m.acked, Unacked: slices.Clone(m.queue)}, true
}

// resume takes over from an earlier stream. Its location was that of before.
func (m *management) resume(r *Resumption) {
	*m = management{on: true, id: r.ID, handled: r.Handled, told: r.Handled, acked: r.Acked, queue: slices.Clone(r.Unacked)}
}
