package lane

// mailStatus is what may be shown of a mail lane: what it has gathered, in numbers.
type mailStatus struct {
	Appends  int  `json:"appends"`
	Bytes    int  `json:"bytes"` // of the appends
	Acks     int  `json:"acks"`
	Reads    int  `json:"reads"`
	Timed    bool `json:"timed"`    // acknowledgements wait for company
	Lingered bool `json:"lingered"` // the batch has waited for more
	Lost     int  `json:"lost"`     // mailboxes with an append of which nothing is known
}

// FormatStatus implements actors.StatusFormatter.
func (m *mailLane) FormatStatus() any {
	b := &m.batch
	return mailStatus{b.live, b.bytes, len(b.Acks), len(m.reads), m.timed, m.lingered, len(m.lost)}
}

// walkerStatus is what may be shown of the walker: how far it has come is a key of the store.
type walkerStatus struct {
	Walking bool `json:"walking"`
}

// FormatStatus implements actors.StatusFormatter.
func (w *walker) FormatStatus() any { return walkerStatus{w.after != ""} }

// claimerStatus is what may be shown of who claims the partitions of one shard.
type claimerStatus struct {
	Waiting  int  `json:"waiting"`  // claims that the store has not taken
	Removing int  `json:"removing"` // notices
	Retrying bool `json:"retrying"`
}

// FormatStatus implements actors.StatusFormatter.
func (c *claimer) FormatStatus() any {
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	return claimerStatus{len(c.of.mu.waiting), len(c.of.mu.removing), c.armed}
}

// pollerStatus is what may be shown of who looks for what other nodes have written.
type pollerStatus struct {
	Reloading int `json:"reloading"` // mailboxes that are to load their rows again
}

// FormatStatus implements actors.StatusFormatter.
func (p *poller) FormatStatus() any { return pollerStatus{len(p.due)} }
