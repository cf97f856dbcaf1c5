package mailbox

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/lane"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/chatpb"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/store"
)

// world is romeo's mailbox among senders with outboxes and sessions of his own, with a model of what must hold.
type world struct {
	*rapid.T
	r       *rig
	info    store.MailboxInfo
	senders []*author
	devices []*device
	byID    map[string]*letter
}

// author sends messages to romeo.
type author struct {
	user  string
	ref   actors.Ref
	box   *Outbox
	queue []*nodepb.Deliver // cast and not handled yet
	count int
}

// letter is one message of an author.
type letter struct {
	author *author
	n      int // its author's count
	code   nodepb.Code
	acked  bool
	by     *device // who has acknowledged it
	risk   bool    // the mailbox crashed while it had no outcome or was acknowledged: it may come twice
}

// device is one session of romeo's. Their priorities differ, so that each message is for one of them.
type device struct {
	name      string
	priority  int32
	epoch     uint64
	attached  bool
	connected bool
	credit    int64
	flight    map[string]bool // pushed in this epoch and not acknowledged
	newest    map[*author]int
	owed      uint32
}

func newWorld(t *rapid.T) *world {
	w := &world{T: t, byID: map[string]*letter{}, info: store.MailboxInfo{Exists: true, Contacts: []ident.UserID{juliet}}}
	w.r = newRig(t)
	w.r.st.cfg.Limits = Limits{Messages: 10, Bytes: 1 << 20, Stranger: 5, SharePercent: 70, TTL: time.Hour}
	w.r.st.cfg.Held = rapid.SampledFrom([]int64{0, 500, 1 << 20}).Draw(t, "held")
	w.r.taken = rapid.Bool().Draw(t, "taken over")
	w.r.seen = w.seen
	for _, u := range []string{juliet, "tybalt@example.org"} {
		w.senders = append(w.senders, &author{user: u, ref: sessionRef(u), box: NewOutbox(0)})
	}
	for i, name := range []string{"pc", "phone"} {
		w.devices = append(w.devices, &device{name: name, priority: int32(i)})
	}
	return w
}

// seen takes what the mailbox casts.
func (w *world) seen(to actors.Ref, msg any) {
	switch m := msg.(type) {
	case *nodepb.Outcome:
		for _, a := range w.senders {
			if a.ref == to {
				w.steps(a, a.box.Outcome(w.r.now, m))
			}
		}
	case *nodepb.Push:
		for _, d := range w.devices {
			if d.name == to.ID {
				w.pushed(d, m)
			}
		}
	}
}

func (w *world) steps(a *author, s Steps) {
	for _, c := range s.Casts {
		a.queue = append(a.queue, c.Deliver)
	}
	for _, c := range s.Settled {
		l := w.byID[string(c.Deliver.Id)]
		if l.code != 0 {
			w.Fatalf("%s %d has two outcomes", a.user, l.n)
		}
		l.code = c.Code
	}
}

// pushed checks a push against what may be pushed.
func (w *world) pushed(d *device, m *nodepb.Push) {
	if !d.connected || m.Epoch != d.epoch {
		w.Fatalf("pushed to %s in epoch %d", d.name, m.Epoch)
	}
	for _, p := range m.Rows {
		l := w.byID[string(p.Id)]
		if d.credit <= 0 {
			w.Fatalf("%s has no credit", d.name)
		}
		again := l.risk && (l.acked || l.code != 0) // a resend that a crash made a new message of
		if l.n < d.newest[l.author] && !d.flight[string(p.Id)] && !again {
			w.Fatalf("%s gets %s %d after %d", d.name, l.author.user, l.n, d.newest[l.author])
		}
		if l.acked && l.by == d && !l.risk { // another may have been about to get it
			w.Fatalf("%s gets what it has acknowledged", d.name)
		}
		d.newest[l.author] = max(d.newest[l.author], l.n)
		d.flight[string(p.Id)] = true
		d.credit -= int64(p.Cost)
		d.owed += p.Cost
	}
}

// attach begins a new epoch of a device.
func (w *world) attach(d *device, connected bool) {
	var had []*row
	for _, x := range w.r.st.rows.order {
		if s := w.r.st.session(sessionRef(d.name)); s != nil && slices.Contains(x.holders, s) {
			had = append(had, x)
		}
	}
	d.epoch++
	d.attached, d.connected, d.credit, d.owed = true, connected, 600, 0
	d.flight, d.newest = map[string]bool{}, map[*author]int{}
	w.r.attachAs(&nodepb.Attach{Session: sessionRef(d.name).Proto(), Resource: d.name, Epoch: d.epoch, Connected: connected,
		Available: true, Priority: d.priority, Credit: uint32(d.credit)})
	s := w.r.st.session(sessionRef(d.name))
	for _, x := range had {
		if connected != slices.Contains(x.holders, s) && !x.gone {
			w.Fatalf("%s, now connected %v, had %s %d before", d.name, connected, x.Sender, x.CSeq)
		}
	}
}

// settled checks that all sessions of the highest priority have everything that isn't acknowledged, or are to get it.
func (w *world) settled() {
	for _, s := range w.r.st.highest(nil) {
		for _, x := range w.r.st.rows.order {
			if !x.gone && !x.hidden && !slices.Contains(x.holders, s) {
				w.Fatalf("%s is not to get %s %d", s.ref.ID, x.Sender, x.CSeq)
			}
		}
	}
}

func (w *world) gone(d *device) {
	d.attached, d.connected, d.flight = false, false, nil
}

// send is a new message of an author.
func (w *world) send(a *author) {
	a.count++
	id := ident.HashMessageID([]byte(a.user), []byte{byte(a.count), byte(a.count >> 8)})
	d := &nodepb.Deliver{SenderRef: a.ref.Proto(), Id: id[:], Sender: a.user, Store: true,
		Message: &chatpb.Message{Type: chatpb.MessageType_CHAT, From: a.user, To: romeo, Payload: fmt.Appendf(nil, "%d", a.count)}}
	w.byID[string(id[:])] = &letter{author: a, n: a.count}
	if a.box.Send(w.r.now, Ref(romeo), d) {
		a.queue = append(a.queue, d)
	}
}

// take lets the mailbox handle an author's oldest message, and checks the quota.
func (w *world) take(a *author) {
	if len(a.queue) == 0 {
		return
	}
	d := a.queue[0]
	a.queue = a.queue[1:]
	q := &w.r.st.rows
	total, booked := len(q.byID), q.shares[ident.UserID(a.user)]
	isNew := q.byID[ident.MessageID(d.Id)] == nil
	refused := w.r.st.cfg.Counters.Refused.Load()
	w.r.deliver(d)
	room := total < 10 && booked.messages < 7 && (a.user == juliet || booked.messages-booked.flying < 5)
	admitted := len(q.byID) > total
	if admitted && (!room || !isNew) {
		w.Fatalf("%+v and one more, of %d in all, were admitted", booked, total+1)
	}
	if w.r.st.cfg.Counters.Refused.Load() > refused && (room || admitted) {
		w.Fatalf("refused at %+v of %d", booked, total)
	}
}

// ackSome acknowledges some of what a device has, and returns its credit.
func (w *world) ackSome(d *device, share int) {
	m := &nodepb.Ack{Session: sessionRef(d.name).Proto(), Epoch: d.epoch, Credit: d.owed}
	d.credit, d.owed = d.credit+int64(d.owed), 0
	for _, x := range w.r.st.rows.order {
		id := string(x.ID[:])
		if d.flight[id] && len(m.Ids) < share {
			m.Ids = append(m.Ids, []byte(id))
			w.byID[id].acked, w.byID[id].by = true, d
			delete(d.flight, id)
		}
	}
	w.r.do(func(fx *effects) { w.r.st.message(fx, m) })
}

func (w *world) tick() {
	w.r.pass(0)
	for _, a := range w.senders {
		if n := a.box.Next(); !n.IsZero() && !n.After(w.r.now) {
			w.steps(a, a.box.Tick(w.r.now))
		}
	}
}

// TestHistories: whatever happens in whatever order, nothing that was accepted is lost, each sender's messages come in order,
// no session gets what another connected one has, and the quotas are exact.
func TestHistories(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		author := func(t *rapid.T) *author { return rapid.SampledFrom(w.senders).Draw(t, "author") }
		dev := func(t *rapid.T) *device { return rapid.SampledFrom(w.devices).Draw(t, "device") }
		act := map[string]func(*rapid.T){
			"send": func(t *rapid.T) {
				a := author(t)
				for range rapid.IntRange(1, 3).Draw(t, "n") {
					w.send(a)
				}
			},
			"take": func(t *rapid.T) {
				a := author(t)
				for range rapid.IntRange(1, 3).Draw(t, "n") {
					w.take(a)
				}
			},
			"commit": func(t *rapid.T) {
				if len(w.r.appends) > 0 {
					w.r.commit(rapid.SampledFrom([]lane.Result{lane.Stored, lane.Stored, lane.Stored, lane.Full}).Draw(t, "result"))
				}
			},
			"read": func(*rapid.T) {
				if len(w.r.reads) > 0 && len(w.r.appends) == 0 {
					w.r.answerRead()
				}
			},
			"attach": func(t *rapid.T) { w.attach(dev(t), true) },
			"lose": func(t *rapid.T) {
				if d := dev(t); d.connected {
					w.attach(d, false)
				}
			},
			"detach": func(t *rapid.T) {
				d := dev(t)
				w.gone(d)
				w.r.detach(d.name)
			},
			"ack": func(t *rapid.T) {
				if d := dev(t); d.connected {
					w.ackSome(d, rapid.IntRange(0, 5).Draw(t, "share"))
				}
			},
			"room": func(t *rapid.T) { w.r.noRoom = rapid.IntRange(0, 3).Draw(t, "full") == 0 },
			"time": func(t *rapid.T) {
				w.r.now = w.r.now.Add(time.Duration(rapid.IntRange(0, 3000).Draw(t, "ms")) * time.Millisecond)
				w.tick()
			},
			"crash": func(t *rapid.T) {
				if rapid.IntRange(0, 4).Draw(t, "lucky") == 0 {
					for _, d := range w.devices {
						w.gone(d)
					}
					var told []func()
					w.r.st.crashed(func(to actors.Ref, m *nodepb.Outcome) { told = append(told, func() { w.seen(to, m) }) })
					for _, l := range w.byID {
						l.risk = true
					}
					w.r.noRoom = false
					w.r.crash(w.info)
					for _, f := range told {
						f()
					}
				}
			},
			"": func(*rapid.T) { w.settled(); w.r.check() },
		}
		t.Repeat(act)
		w.finish()
	})
}

// finish lets everything come to rest and looks for what was lost.
func (w *world) finish() {
	w.r.noRoom = false
	for _, d := range w.devices {
		w.gone(d)
		w.r.detach(d.name)
	}
	for i := 0; ; i++ {
		open := 0
		for _, a := range w.senders {
			for len(a.queue) > 0 {
				w.take(a)
			}
			open += a.box.Len()
		}
		w.r.commitAll()
		if open == 0 {
			break
		}
		if i > 1000 {
			w.Fatalf("%d messages have no outcome", open)
		}
		w.r.now = w.r.now.Add(100 * time.Millisecond)
		w.tick()
	}
	w.r.answerReads()
	w.r.pass(time.Second)
	d := w.devices[0]
	w.attach(d, true)
	for i := 0; len(w.r.st.rows.byID) > 0; i++ {
		w.r.answerReads()
		w.ackSome(d, 100)
		if i > 100 {
			w.Fatalf("%d rows never come", len(w.r.st.rows.byID))
		}
	}
	w.r.check()
	for _, l := range w.byID {
		switch {
		case l.code == ok && !l.acked:
			w.Fatalf("%s %d was accepted and never came", l.author.user, l.n)
		case l.acked && !l.risk && (l.code == later || l.code == quota):
			w.Fatalf("%s %d was told %v and came", l.author.user, l.n, l.code)
		}
	}
	if len(w.r.rows) != 0 {
		w.Fatalf("%d rows are left in the store", len(w.r.rows))
	}
}
