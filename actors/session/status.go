package session

import "time"

// phaseNames are the phases in words.
var phaseNames = [...]string{
	opening: "opening", login: "login", reopening: "reopening", binding: "binding", bound: "bound", closing: "closing",
	detached: "detached", handing: "handing", given: "given", lingering: "lingering",
}

// status is what may be shown of a session: numbers and flags. Whose it is, what it is called and what resumes it stay here.
type status struct {
	Phase     string    `json:"phase"`
	Until     time.Time `json:"until,omitzero"` // when its patience is over
	Heard     time.Time `json:"heard"`          // when the client was last heard
	Connected bool      `json:"connected"`
	Blocked   bool      `json:"blocked"` // the outlet's backlog is high

	Authenticated bool `json:"authenticated"`
	Tries         int  `json:"tries"` // to log in that failed
	Busy          bool `json:"busy"`  // an answer decides what the next stanza means
	Waiting       int  `json:"waiting"`

	In  inStatus  `json:"in"`
	Out outStatus `json:"out"`

	Managed   bool `json:"managed"` // stream management is on
	Resumable bool `json:"resumable"`
	Asked     bool `json:"asked"` // the client owes an answer

	Available  bool  `json:"available"`
	Priority   int32 `json:"priority"`
	Interested bool  `json:"interested"`
	Directed   int   `json:"directed"` // addresses that got directed presence
	Arriving   int   `json:"arriving"` // presence on its way to the client

	Epoch  uint64 `json:"epoch"`
	Held   int    `json:"held"`   // rows that wait for the outlet
	Credit uint32 `json:"credit"` // not returned to the mailbox yet

	Sending       int  `json:"sending"` // messages without outcome
	Subscriptions int  `json:"subscriptions"`
	Relayed       int  `json:"relayed"`
	Calls         int  `json:"calls"`
	Resuming      bool `json:"resuming"`
	Lost          bool `json:"lost"` // account or mailbox must be told of this session again
}

// inStatus is the client's stanzas, by number.
type inStatus struct {
	Received uint64 `json:"received"`
	Handled  uint64 `json:"handled"`
}

// outStatus is the stanzas to the client, by number, and what of them is kept.
type outStatus struct {
	Sent  uint64 `json:"sent"`
	Acked uint64 `json:"acked"`
	Rows  int    `json:"rows"`
	Bytes int    `json:"bytes"`
}

// FormatStatus implements actors.StatusFormatter.
func (a *actor) FormatStatus() any {
	s := a.st.status()
	s.Connected, s.Calls = a.outlet != nil, len(a.calls)
	return s
}

func (st *state) status() status {
	s := status{
		Phase: phaseNames[st.phase], Until: st.until, Heard: st.heard, Blocked: st.blocked,
		Authenticated: st.user != "", Busy: st.busy, Waiting: len(st.waiting),
		In:      inStatus{st.in.received, st.in.handled},
		Out:     outStatus{st.out.sent, st.out.acked, st.out.rows, st.out.bytes},
		Managed: st.sm.on, Resumable: st.sm.resumable, Asked: !st.ask.opened.IsZero(),
		Available: st.presence != nil, Priority: st.presence.GetPriority(), Interested: st.interested,
		Directed: len(st.directed), Arriving: len(st.arriving.list) - st.arriving.holes,
		Epoch: st.epoch, Held: len(st.held), Credit: st.unreturned + st.acks.credit,
		Sending: len(st.sending), Relayed: len(st.relayed), Resuming: st.resuming,
		Lost: st.lostAccount.due || st.lostMail.due,
	}
	if st.auth != nil {
		s.Tries = st.auth.tries
	}
	for _, queue := range st.subs {
		s.Subscriptions += len(queue)
	}
	return s
}
