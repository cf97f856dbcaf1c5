package mailbox

import (
	"fmt"
	"time"

	"pgregory.net/rapid"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/lane"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/chatpb"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/store"
)

// The two owners of romeo's mailbox, before and after it moves.
const (
	before = 0
	after  = 1
)

// handing is romeo's mailbox on its way from one node to another, over one store, among senders and a session that hear of it
// sooner or later. Everything between nodes is a queue of its own, and the test draws what comes next.
type handing struct {
	*rapid.T
	now     time.Time
	rows    map[ident.MessageID]stored
	owners  [2]*owner
	senders []*correspondent
	device  pocket
	byID    map[string]*note
	// parted says that the old owner doesn't hear that it is one: both take messages for a while.
	parted bool
	// moved: the old owner's node sends on what comes. open: the new owner's node takes messages.
	moved, open bool
	held        []parcelOf   // wait at the new owner's node until it is open
	notices     int          // appends of the old owner after the new one has claimed
	snapshot    *lane.Loaded // what the new owner's lane has read, and not answered yet
	trail       []string     // for the failure
}

// owner is one node's mailbox.
type owner struct {
	r     *rig
	alive bool // the mailbox runs
	dead  bool // the node is gone
	queue []any
	// out are what is on its way from this node, by addressee: senders' names, "device", or "link" to the new owner's node.
	out map[string][]any
}

// parcelOf is a message at the new owner's node; forwarded ones came by way of the old one.
type parcelOf struct {
	msg       any
	forwarded bool
}

// correspondent sends to romeo.
type correspondent struct {
	name  string
	ref   actors.Ref
	box   *Outbox
	route int
	out   [2][]*nodepb.Deliver // on their way to the nodes
	count int
	seen  int // how many the device has seen
}

// note is one message.
type note struct {
	by   *correspondent
	n    int
	code nodepb.Code
	full bool // a full store refused it once: that word may be lost with its node, and it is sent again after what follows it
	seen int  // the place among its author's messages in which the device saw it first; 0: it didn't
}

// pocket is romeo's device: it knows one owner at a time.
type pocket struct {
	at     int
	epoch  uint64
	out    [2][]any
	unread [][]byte // to be acknowledged
	owed   uint32
}

func newHanding(t *rapid.T) *handing {
	w := &handing{T: t, now: t0, rows: map[ident.MessageID]stored{}, byID: map[string]*note{}, parted: rapid.IntRange(0, 3).Draw(t, "parted") == 0}
	for i := range w.owners {
		o := &owner{out: map[string][]any{}}
		cfg := &Config{Limits: Limits{}.withDefaults(), Counters: new(Counters)}
		o.r = &rig{tester: t, now: w.now, rows: w.rows, refuse: map[string]bool{}, gone: map[ident.MessageID]bool{}}
		o.r.st = newState(cfg, Ref(romeo), ident.NodeID(fmt.Sprint("n@", i)), w.now)
		o.r.seen = func(to actors.Ref, msg any) {
			if _, own := msg.(*lane.Reloaded); !own {
				o.out[to.ID] = append(o.out[to.ID], msg)
			}
		}
		w.owners[i] = o
	}
	for _, name := range []string{"juliet", "tybalt"} {
		w.senders = append(w.senders, &correspondent{name: name, ref: sessionRef(name), box: NewOutbox(0)})
	}
	w.start(before)
	w.attach(before)
	return w
}

// start begins a mailbox, which loads what there is.
func (w *handing) start(i int) {
	o := w.owners[i]
	o.alive = true
	o.r.now = w.now
	o.r.do(func(fx *effects) { o.r.st.start(fx) })
	o.r.load(store.MailboxInfo{Exists: true, Contacts: []ident.UserID{"juliet@example.org", "tybalt@example.org"}})
}

func (w *handing) note(format string, args ...any) {
	w.trail = append(w.trail, fmt.Sprintf(format, args...))
}

func (w *handing) fail(format string, args ...any) {
	w.Fatalf("%s\n%v", fmt.Sprintf(format, args...), w.trail)
}

// attach begins a new epoch of the device at one owner.
func (w *handing) attach(i int) {
	d := &w.device
	d.at, d.unread, d.owed = i, nil, 0
	d.epoch++
	w.note("attach %d", i)
	d.out[i] = append(d.out[i], &nodepb.Attach{Session: sessionRef("device").Proto(), Resource: "device", Epoch: d.epoch, Connected: true, Available: true, Credit: 1000})
}

func (w *handing) send(c *correspondent) {
	c.count++
	id := ident.HashMessageID([]byte(c.name), []byte{byte(c.count), byte(c.count >> 8)})
	d := &nodepb.Deliver{SenderRef: c.ref.Proto(), Id: id[:], Sender: c.name + "@example.org", Store: true,
		Message: &chatpb.Message{Type: chatpb.MessageType_CHAT, Payload: fmt.Appendf(nil, "%s %d", c.name, c.count)}}
	w.byID[string(id[:])] = &note{by: c, n: c.count}
	if c.box.Send(w.now, Ref(romeo), d) {
		c.out[c.route] = append(c.out[c.route], d)
	}
}

// follow casts what an outbox asks for.
func (w *handing) follow(c *correspondent, s Steps) {
	for _, x := range s.Casts {
		c.out[c.route] = append(c.out[c.route], x.Deliver)
	}
	for _, x := range s.Settled {
		n := w.byID[string(x.Deliver.Id)]
		w.note("%s %d=%v", c.name, n.n, x.Code)
		if n.code != 0 {
			w.fail("%s %d has two outcomes", c.name, n.n)
		}
		n.code = x.Code
	}
}

// arrive is a message at a node: for the mailbox there, to be sent on, or to wait for the new owner.
func (w *handing) arrive(i int, msg any, forwarded bool) {
	o := w.owners[i]
	switch {
	case o.dead:
		w.bounce(msg, true)
	case i == after && !w.open:
		w.held = append(w.held, parcelOf{msg, forwarded})
	case i == after || !w.moved:
		o.queue = append(o.queue, msg)
	case o.alive && isAnswer(msg): // what was on its way into the queue
		w.handle(o, msg)
	default:
		o.out["link"] = append(o.out["link"], msg)
	}
}

// isAnswer reports whether a message has its room reserved: it is handled also by who retires.
func isAnswer(msg any) bool {
	_, deliver := msg.(*nodepb.Deliver)
	return !deliver
}

// bounce gives a message back to its sender; lost says that it isn't known whether it was taken.
func (w *handing) bounce(msg any, lost bool) {
	d, ok := msg.(*nodepb.Deliver)
	if !ok {
		return // an attachment or an acknowledgement: the device finds out
	}
	for _, c := range w.senders {
		if c.ref == actors.RefOf(d.SenderRef) {
			w.note("bounce %s %d", c.name, d.Seq)
			if lost {
				c.box.Bounced(w.now, Ref(romeo), d.Seq)
			} else {
				c.box.Refused(w.now, Ref(romeo), d.Seq)
			}
		}
	}
}

// handle lets a mailbox handle a message.
func (w *handing) handle(o *owner, msg any) {
	o.r.now = w.now
	o.r.do(func(fx *effects) {
		switch m := msg.(type) {
		case *nodepb.Attach:
			o.r.st.visit(fx, m)
		default:
			o.r.st.message(fx, m)
		}
	})
}

// move tells the old owner's node.
func (w *handing) move() {
	if !w.moved && !w.owners[before].dead {
		w.note("move")
		w.moved = true
		if w.owners[before].alive {
			w.retire()
		}
	}
}

// retire asks the old owner, which ends when it is done.
func (w *handing) retire() {
	o := w.owners[before]
	o.r.now = w.now
	if o.r.retire() {
		w.end(true)
	}
}

// end is the old owner's end in order, or after its time: then its lane stores no more than what it is at work on.
func (w *handing) end(done bool) {
	o := w.owners[before]
	w.note("end, done %v", done)
	w.abandon(o)
	o.alive = false
	o.r.st.handOver(func(to actors.Ref, m *nodepb.Outcome) { o.out[to.ID] = append(o.out[to.ID], m) },
		func(m any) { o.out["link"] = append(o.out["link"], m) })
	o.out["link"] = append(o.out["link"], o.queue...)
	o.queue = nil
	if done {
		o.out["link"] = append(o.out["link"], "release")
	}
}

// abandon lets a commit that is under way come to its end, and no other.
func (w *handing) abandon(o *owner) {
	n := rapid.IntRange(0, len(o.r.appends)).Draw(w.T, "stored")
	for _, a := range o.r.appends[:n] {
		o.r.put(a.Append)
		w.noticed(o)
	}
	o.r.appends, o.r.reads, o.r.flushes = nil, nil, nil
}

// noticed is what the store does at an append of who isn't the owner.
func (w *handing) noticed(o *owner) {
	if w.open && o == w.owners[before] {
		w.notices++
	}
}

// die ends the old owner's node: what is on its way from it may be lost from any place on.
func (w *handing) die() {
	o := w.owners[before]
	w.note("die")
	w.abandon(o)
	o.alive, o.dead = false, true
	for to, list := range o.out {
		o.out[to] = list[:rapid.IntRange(0, len(list)).Draw(w.T, "out")]
	}
	o.queue = nil
}

// opens lets the new owner take what waits: all after a release, else without what came by way of the old one.
func (w *handing) opens(released bool) {
	w.note("open, released %v", released)
	w.open = true
	w.start(after)
	for _, p := range w.held {
		if p.forwarded && !released {
			w.bounce(p.msg, false)
		} else {
			w.owners[after].queue = append(w.owners[after].queue, p.msg)
		}
	}
	w.held = nil
}

// deliver brings the oldest of what is on its way from a node to its addressee.
func (w *handing) deliver(i int, to string) {
	o := w.owners[i]
	list := o.out[to]
	if len(list) == 0 {
		return
	}
	msg := list[0]
	o.out[to] = list[1:]
	switch m := msg.(type) {
	case *nodepb.Outcome:
		for _, c := range w.senders {
			if c.ref.ID == to {
				w.follow(c, c.box.Outcome(w.now, m))
			}
		}
	case *nodepb.Push:
		w.pushed(i, m)
	case string:
		if !w.open {
			w.opens(true)
		}
	default:
		if to == "link" {
			w.arrive(after, msg, true)
		}
	}
}

// pushed checks what the device is given.
func (w *handing) pushed(i int, m *nodepb.Push) {
	d := &w.device
	if d.at != i || d.epoch != m.Epoch {
		return
	}
	for _, row := range m.Rows {
		n := w.byID[string(row.Id)]
		if n.seen == 0 {
			w.note("seen %s %d", n.by.name, n.n)
			n.by.seen++
			n.seen = n.by.seen
		}
		d.unread = append(d.unread, row.Id)
		d.owed += row.Cost
	}
}

// ackSome lets the device acknowledge what it has.
func (w *handing) ackSome() {
	d := &w.device
	d.out[d.at] = append(d.out[d.at], &nodepb.Ack{Session: sessionRef("device").Proto(), Epoch: d.epoch, Ids: d.unread, Credit: d.owed})
	d.unread, d.owed = nil, 0
}

// commit answers the oldest append of an owner.
func (w *handing) commit(o *owner, result lane.Result) {
	if len(o.r.appends) > 0 && (o == w.owners[before] || w.snapshot == nil) {
		o.r.now = w.now
		id := o.r.appends[0].ID
		w.byID[string(id[:])].full = w.byID[string(id[:])].full || result == lane.Full
		o.r.commit(result)
		w.noticed(o)
	}
}

// lanes lets the lane of an owner answer what isn't an append: in the order in which it was asked.
func (w *handing) lanes(o *owner) {
	if len(o.r.appends) > 0 || !o.alive {
		return
	}
	o.r.now = w.now
	o.r.answerReads()
	for len(o.r.flushes) > 0 {
		o.r.flushed()
	}
}

// reload lets the new owner load again what the old one has stored since: its lane reads first, and answers later.
func (w *handing) reload() {
	r := w.owners[after].r
	switch {
	case !w.open:
	case w.snapshot != nil:
		m := w.snapshot
		w.snapshot = nil
		r.loaded(m)
	case r.st.reload.tag != 0:
		if len(r.appends) == 0 {
			w.snapshot = r.read()
			w.snapshot.Info.Contacts = r.st.contacts
		}
	case w.notices > 0:
		w.notices = 0
		r.reload(1)
	}
}

func (w *handing) tick() {
	for _, o := range w.owners {
		if o.alive {
			o.r.now = w.now
			o.r.pass(0)
		}
	}
	for _, c := range w.senders {
		if n := c.box.Next(); !n.IsZero() && !n.After(w.now) {
			w.follow(c, c.box.Tick(w.now))
		}
	}
}

// follows lets a sender hear that the mailbox has moved.
func (w *handing) follows(c *correspondent) {
	if c.route == before && (w.moved || w.open || w.owners[before].dead) {
		w.note("%s follows", c.name)
		c.route = after
		w.follow(c, c.box.Moved(w.now, Ref(romeo)))
	}
}
