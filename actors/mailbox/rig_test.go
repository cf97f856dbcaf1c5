package mailbox

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/lane"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/chatpb"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/store"
)

const (
	romeo  = "romeo@example.org"
	juliet = "juliet@example.org"
)

var julietRef = actors.Ref{Kind: "session", ID: "juliet1", Node: "n@1"}

// tester is what a rig needs of a test.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
}

// rig drives the pure state of romeo's mailbox by hand. It is lane and store, and writes down everything else.
type rig struct {
	tester
	st  *state
	fx  *effects
	now time.Time

	noRoom  bool            // the lane refuses
	refuse  map[string]bool // sessions whose queue is full
	appends []lane.Append   // taken by the lane, not answered yet
	reads   []readAsked
	rows    map[ident.MessageID]stored // the store
	order   []ident.MessageID
	loads   int
	page    store.Page // of the last load
	taken   bool       // the node has the partition since lately
	asks    bool       // waits for the account
	looksUp bool       // waits for the directory
	again   int        // loads of a mailbox that runs
	flushes []uint64
	purges  int
	log     []string                 // outcomes, pushes and the rest, as text
	gone    map[ident.MessageID]bool // acknowledged before they were committed
	seen    func(to actors.Ref, msg any)
	seq     uint64
	givenUp uint64 // Config.GivenUp
}

type stored struct {
	row  store.Row
	body []byte
}

func newRig(t tester) *rig {
	cfg := &Config{Limits: Limits{}.withDefaults(), Counters: new(Counters)}
	r := &rig{tester: t, now: t0, rows: map[ident.MessageID]stored{}, refuse: map[string]bool{}, gone: map[ident.MessageID]bool{}}
	r.begin(cfg)
	r.load(store.MailboxInfo{Exists: true, Contacts: []ident.UserID{juliet}})
	return r
}

// begin makes a new state, as a start or a restart does.
func (r *rig) begin(cfg *Config) {
	r.st = newState(cfg, Ref(romeo), "n@1", r.now)
	r.do(func(fx *effects) { r.st.start(fx) })
}

// load answers the load.
func (r *rig) load(info store.MailboxInfo) { r.answerLoad(&info) }

// answerLoad is load; nil: it doesn't say who the user is.
func (r *rig) answerLoad(info *store.MailboxInfo) {
	m := &lane.Loaded{Tag: r.st.tag, Info: info}
	for _, s := range r.rows {
		m.Rows = append(m.Rows, s.row)
	}
	slices.SortFunc(m.Rows, store.CompareRows)
	for _, row := range m.Rows[:r.page.Of(m.Rows)] {
		m.Bodies = append(m.Bodies, r.rows[row.ID].body)
	}
	r.do(func(fx *effects) { r.st.loaded(fx, m) })
}

// do runs one handler as a turn of its own, as actor.go does.
func (r *rig) do(handle func(fx *effects)) {
	r.fx = &effects{now: r.now, givenUp: r.givenUp}
	handle(r.fx)
	r.run()
	for r.st.next(r.fx) {
		r.run()
	}
	r.st.current = nil
	r.st.endTurn(r.fx)
	r.run()
	acks := r.st.takeAcks()
	if len(acks) > 0 && r.noRoom {
		r.st.acksRefused(r.fx, acks)
		return
	}
	for _, a := range acks {
		r.log = append(r.log, "delete "+string(a.ID[:1]))
		r.forget(a.ID)
	}
}

// forget is an acknowledgement in the lane: the append and it may vanish together.
func (r *rig) forget(id ident.MessageID) {
	delete(r.rows, id)
	for _, a := range r.appends {
		if a.ID == id {
			r.gone[id] = true
		}
	}
}

func (r *rig) run() {
	fx, st := r.fx, r.st
	if fx.load {
		fx.load = false
		if r.noRoom {
			st.loadFailed(fx, laneRetry)
		} else {
			r.loads++
			r.page = st.page(r.taken)
		}
	}
	r.asks, fx.ask = r.asks || fx.ask, false
	r.looksUp, fx.lookUp = r.looksUp || fx.lookUp, false
	if fx.loadAgain {
		fx.loadAgain = false
		if r.noRoom {
			st.reloadFailed(fx, laneRetry)
		} else {
			r.again++
		}
	}
	if t := fx.take; t != nil {
		fx.take = nil
		if r.noRoom {
			st.notTaken(fx, t)
		} else {
			r.appends = append(r.appends, t.append)
			st.taken(fx, t)
		}
	}
	if fx.purge {
		fx.purge = false
		if r.noRoom {
			st.purgeFailed(fx)
		} else {
			r.purges++
			clear(r.rows)
		}
	}
	if fx.flush {
		fx.flush = false
		if r.noRoom {
			st.flushFailed()
		} else {
			r.flushes = append(r.flushes, st.handoff.flushing)
		}
	}
	for i := 0; i < len(fx.sends); i++ {
		s := fx.sends[i]
		if !s.answer && r.refuse[s.to.ID] {
			if s.refused != nil {
				s.refused(fx)
			}
			continue
		}
		r.note(s)
	}
	fx.sends = nil
	for _, rd := range fx.reads {
		if r.noRoom {
			st.readFailed(fx, rd.tag)
		} else {
			r.reads = append(r.reads, rd)
		}
	}
	fx.reads = nil
}

// note writes down a message to another actor.
func (r *rig) note(s send) {
	if r.seen != nil {
		r.seen(s.to, s.msg)
	}
	switch m := s.msg.(type) {
	case *nodepb.Outcome:
		r.log = append(r.log, fmt.Sprintf("%s:%d=%v", s.to.ID, m.Seq, m.Code))
	case *nodepb.Push:
		for _, row := range m.Rows {
			text := s.to.ID + "<" + string(row.GetMessage().GetPayload())
			if len(row.GetId()) == 0 {
				text += " transient"
			}
			if row.GetDelayed() {
				text += " delayed"
			}
			if row.GetRestored() {
				text += " restored"
			}
			r.log = append(r.log, text)
		}
	default:
		r.log = append(r.log, fmt.Sprintf("%s<-%T", s.to.ID, s.msg))
	}
}

// took returns what was written down, and forgets it.
func (r *rig) took() string {
	s := strings.Join(r.log, ", ")
	r.log = nil
	return s
}

func (r *rig) want(want string) {
	r.Helper()
	if got := r.took(); got != want {
		r.Fatalf("got  %s\nwant %s", got, want)
	}
}

// chat is a message with the one-letter id and text, and juliet's next number.
func (r *rig) chat(letter string) *nodepb.Deliver {
	r.seq++
	return deliver(letter, r.seq)
}

func deliver(letter string, seq uint64) *nodepb.Deliver {
	id := ident.MessageID{}
	copy(id[:], letter)
	return &nodepb.Deliver{SenderRef: julietRef.Proto(), Seq: seq, Base: 1, Id: id[:], Sender: juliet, Store: true,
		Message: &chatpb.Message{Type: chatpb.MessageType_CHAT, From: juliet + "/balcony", To: romeo, Id: "stanza-" + letter, Payload: []byte(letter)}}
}

func (r *rig) deliver(d *nodepb.Deliver) { r.do(func(fx *effects) { r.st.message(fx, d) }) }

// send delivers chat messages of these letters.
func (r *rig) send(letters ...string) {
	for _, l := range letters {
		r.deliver(r.chat(l))
	}
}

// commit answers the oldest append.
func (r *rig) commit(result lane.Result) {
	r.Helper()
	if len(r.appends) == 0 {
		r.Fatalf("no append waits")
	}
	a := r.appends[0]
	r.appends = r.appends[1:]
	if result == lane.Stored {
		r.put(a.Append)
	}
	r.do(func(fx *effects) { r.st.committed(fx, &lane.Committed{ID: a.ID, Tag: a.Tag, Result: result}) })
}

// crash ends the state; what the lane has is stored, and nobody hears of it.
func (r *rig) crash(info store.MailboxInfo) {
	for _, a := range r.appends {
		r.put(a.Append)
	}
	r.appends, r.reads = nil, nil
	r.st.release()
	r.begin(r.st.cfg)
	r.load(info)
}

// put stores a row, unless the mailbox has deleted it already.
func (r *rig) put(a store.Append) {
	if r.gone[a.ID] {
		delete(r.gone, a.ID)
		return
	}
	if _, there := r.rows[a.ID]; there {
		return // the first write wins
	}
	r.rows[a.ID] = stored{store.Row{ID: a.ID, Ord: a.Ord, Sender: a.Sender, CSeq: a.CSeq, Size: len(a.Body), Flags: a.Flags}, a.Body}
	r.order = append(r.order, a.ID)
}

func (r *rig) commitAll() {
	for len(r.appends) > 0 {
		r.commit(lane.Stored)
	}
}

// answerRead answers the oldest read.
func (r *rig) answerRead() {
	r.Helper()
	if len(r.reads) == 0 {
		r.Fatalf("no read waits")
	}
	rd := r.reads[0]
	r.reads = r.reads[1:]
	m := &lane.Bodies{Tag: rd.tag, IDs: rd.ids}
	for _, id := range rd.ids {
		m.Bodies = append(m.Bodies, r.rows[id].body)
	}
	r.do(func(fx *effects) { r.st.bodies(fx, m) })
}

func (r *rig) answerReads() {
	for len(r.reads) > 0 {
		r.answerRead()
	}
}

// sessionRef is a session of romeo's.
func sessionRef(id string) actors.Ref { return actors.Ref{Kind: "session", ID: id, Node: "n@1"} }

// attach attaches a session: its name is its resource.
func (r *rig) attach(name string, epoch uint64, priority int32, credit uint32) {
	r.attachAs(&nodepb.Attach{Session: sessionRef(name).Proto(), Resource: name, Epoch: epoch, Connected: true, Available: true, Priority: priority, Credit: credit})
}

func (r *rig) attachAs(m *nodepb.Attach) { r.do(func(fx *effects) { r.st.visit(fx, m) }) }

func (r *rig) detach(name string) {
	r.do(func(fx *effects) { r.st.detach(fx, sessionRef(name)) })
}

// ack acknowledges rows by their letters.
func (r *rig) ack(name string, epoch uint64, credit uint32, letters ...string) {
	m := &nodepb.Ack{Session: sessionRef(name).Proto(), Epoch: epoch, Credit: credit}
	for _, l := range letters {
		id := ident.MessageID{}
		copy(id[:], l)
		m.Ids = append(m.Ids, id[:])
	}
	r.do(func(fx *effects) { r.st.message(fx, m) })
}

// pass lets time go by.
func (r *rig) pass(d time.Duration) {
	until := r.now.Add(d)
	for i := 0; i < 1000; i++ {
		at := r.st.nextTick()
		if at.IsZero() || at.After(until) {
			r.now = until
			return
		}
		if at.After(r.now) {
			r.now = at
		}
		r.do(r.st.tick)
	}
	r.Fatalf("the tick doesn't go forward")
}

// check compares the state's own books with what they are books of.
func (r *rig) check() {
	r.Helper()
	q := &r.st.rows
	var unheld, hidden, live, kept, held int
	var bytes int64
	shares := map[ident.UserID]share{}
	keptOf := map[*row]bool{}
	for i, x := range q.order {
		if i > 0 && !q.order[i-1].gone && !x.gone && store.CompareRows(q.order[i-1].Row, x.Row) >= 0 {
			r.Fatalf("row %d is out of order", i)
		}
		keptOf[x] = true
		if x.gone {
			continue
		}
		live++
		bytes += int64(x.Size)
		if x.Flags&store.FlagError == 0 {
			s := shares[x.Sender]
			s.messages, s.bytes = s.messages+1, s.bytes+int64(x.Size)
			if x.flying {
				s.flying++
			}
			shares[x.Sender] = s
		}
		if x.flying && len(x.holders) == 0 {
			r.Fatalf("row %d is on its way to nobody", i)
		}
		switch {
		case x.hidden:
			hidden++
		case len(x.holders) == 0:
			unheld++
		}
		if q.byID[x.ID] != x {
			r.Fatalf("row %d is not found by its id", i)
		}
	}
	for _, s := range r.st.sessions {
		for i, x := range s.todo {
			keptOf[x] = true
			if i > 0 && store.CompareRows(s.todo[i-1].Row, x.Row) >= 0 {
				r.Fatalf("%s is to get row %d out of order", s.ref.ID, i)
			}
		}
	}
	for x := range keptOf {
		switch {
		case x.held && (x.msg == nil || x.queued > 0 || x.gone):
			r.Fatalf("a row is held that shouldn't be: %+v", x)
		case x.held:
			held += x.cost()
		case x.msg != nil:
			kept += x.cost()
		}
	}
	if all := r.st.cfg.Counters.Held.Load(); held != r.st.held.bytes || all != int64(held) || held > maxHeld || all > r.st.cfg.Held {
		r.Fatalf("held %d/%d/%d", held, r.st.held.bytes, all)
	}
	if live != len(q.byID) || unheld != q.unheld || hidden != q.hidden || bytes != q.bytes || len(shares) != len(q.shares) || kept != r.st.kept {
		r.Fatalf("rows %d/%d, unheld %d/%d, hidden %d/%d, bytes %d/%d, shares %v/%v, kept %d/%d", live, len(q.byID), unheld, q.unheld,
			hidden, q.hidden, bytes, q.bytes, shares, q.shares, kept, r.st.kept)
	}
	for user, s := range shares {
		if q.shares[user] != s {
			r.Fatalf("share of %s: %v, booked %v", user, s, q.shares[user])
		}
	}
}
