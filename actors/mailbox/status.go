package mailbox

// status is what may be shown of a mailbox: numbers and flags, nothing of a message or of who sent it.
type status struct {
	Ready    bool `json:"ready"` // the index is there
	Exists   bool `json:"exists"`
	Waiting  int  `json:"waiting"` // messages that came before it was
	Contacts int  `json:"contacts"`
	Blocks   int  `json:"blocks"`

	Rows     rowStatus          `json:"rows"`
	Kept     int                `json:"kept_bytes"` // of messages in memory that sessions are to get
	Held     int                `json:"held_bytes"` // of those that are there in case a session comes
	Pending  int                `json:"pending"`    // appends without answer
	Recent   int                `json:"recent"`     // ids of acknowledged rows that are remembered
	Senders  int                `json:"senders"`
	Sessions []attachmentStatus `json:"sessions"`

	Cautious bool `json:"cautious"` // the store was full
	Acks     int  `json:"acks"`     // for the lane
	Purging  bool `json:"purging"`
	Retrying bool `json:"retrying"` // the lane, or a session, had no room
	Expiring int  `json:"expiring"` // rows whose senders are being told

	Reloading bool `json:"reloading"` // another node may have written to the rows
	Retiring  bool `json:"retiring"`  // the mailbox is leaving this node
	Left      int  `json:"left"`      // messages for the next owner
}

// rowStatus is the queue.
type rowStatus struct {
	Messages int   `json:"messages"`
	Bytes    int64 `json:"bytes"`
	Unheld   int   `json:"unheld"` // that no session has
	Hidden   int   `json:"hidden"` // that are given to nobody before they are stored
	Senders  int   `json:"senders"`
}

// attachmentStatus is one session of the user. Which of the user's it is, its priority may tell.
type attachmentStatus struct {
	Connected bool   `json:"connected"`
	Available bool   `json:"available"`
	Priority  int32  `json:"priority"`
	Epoch     uint64 `json:"epoch"`
	Credit    int64  `json:"credit_bytes"`
	Todo      int    `json:"todo"`  // rows that wait for its credit
	Holds     int    `json:"holds"` // rows that it has
	Reading   bool   `json:"reading"`
	Flight    int    `json:"flight"` // pushes on their way to another node
	Full      bool   `json:"full"`   // it had no room for the last one
}

// FormatStatus implements actors.StatusFormatter.
func (a *actor) FormatStatus() any { return a.st.status() }

func (st *state) status() status {
	s := status{
		Ready: st.ready, Exists: st.exists, Waiting: len(st.stash), Contacts: len(st.contacts), Blocks: len(st.blocks),
		Rows: rowStatus{len(st.rows.byID), st.rows.bytes, st.rows.unheld, st.rows.hidden, len(st.rows.shares)},
		Kept: st.kept, Held: st.held.bytes, Pending: len(st.pending), Recent: len(st.recent.queue), Senders: len(st.senders.m),
		Sessions: make([]attachmentStatus, len(st.sessions)),
		Cautious: st.cautious, Acks: len(st.acks), Purging: st.purging, Retrying: !st.retryAt.IsZero(),
		Expiring:  len(st.expiry.flight) + len(st.expiry.batch),
		Reloading: st.reload.busy(), Retiring: st.handoff.retiring, Left: len(st.handoff.left),
	}
	for i, a := range st.sessions {
		s.Sessions[i] = attachmentStatus{a.connected, a.available, a.priority, a.epoch, a.credit, len(a.todo), a.holds, a.reading != 0, len(a.flight), a.full}
	}
	return s
}

// EndpointStatus is what may be shown of an Endpoint.
type EndpointStatus struct {
	// Senders are the actors whose numbers are remembered, Underway the sent messages that have no outcome.
	Senders  int `json:"senders"`
	Underway int `json:"underway"`
}

// Status returns what its actor's FormatStatus may show.
func (e *Endpoint) Status() EndpointStatus {
	return EndpointStatus{Senders: len(e.senders.m), Underway: e.outbox.Len()}
}
