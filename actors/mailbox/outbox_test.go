package mailbox

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

var (
	toRomeo = actors.Ref{Kind: Kind, ID: "romeo@example.org"}
	toNurse = actors.Ref{Kind: Kind, ID: "nurse@example.org"}
	t0      = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
)

// desk drives an outbox by hand and writes down what it asks for.
type desk struct {
	*testing.T
	o   *Outbox
	now time.Time
}

func newDesk(t *testing.T) *desk { return &desk{T: t, o: NewOutbox(0), now: t0} }

func (d *desk) send(id string) string {
	m := &nodepb.Deliver{Id: []byte(id)}
	if d.o.Send(d.now, toRomeo, m) {
		return fmt.Sprintf("%d/%d ", m.Seq, m.Base)
	}
	return ""
}

func (d *desk) sendMany(n int) (casts string) {
	for i := range n {
		casts += d.send(fmt.Sprint("m", i))
	}
	return casts
}

func (d *desk) outcome(seq uint64, code nodepb.Code) string {
	return show(d.o.Outcome(d.now, &nodepb.Outcome{From: toRomeo.Proto(), Seq: seq, Code: code}))
}

func (d *desk) pass(t time.Duration) string {
	d.now = d.now.Add(t)
	return show(d.o.Tick(d.now))
}

// show prints seq/base of each cast and seq=code of each outcome.
func show(s Steps) (out string) {
	for _, c := range s.Casts {
		out += fmt.Sprintf("%d/%d ", c.Deliver.Seq, c.Deliver.Base)
	}
	for _, c := range s.Settled {
		out += fmt.Sprintf("%d=%v ", c.Deliver.Seq, c.Code)
	}
	return out
}

func (d *desk) want(got, want string) {
	d.Helper()
	if got != want {
		d.Fatalf("got %q, want %q", got, want)
	}
}

const (
	ok      = nodepb.Code_OK
	gap     = nodepb.Code_GAP
	later   = nodepb.Code_LATER
	quota   = nodepb.Code_QUOTA
	unknown = nodepb.Code_OUTCOME_UNKNOWN
)

func TestOutboxInOrder(t *testing.T) {
	d := newDesk(t)
	if !d.o.Next().IsZero() {
		t.Error("an empty outbox wants to be woken")
	}
	d.want(d.sendMany(3), "1/1 2/1 3/1 ")
	d.want(d.outcome(2, quota), "2=QUOTA ")
	d.want(d.send("m"), "4/1 ")
	d.want(d.outcome(1, ok), "1=OK ")
	d.want(d.send("m"), "5/3 ")
	d.want(d.outcome(1, ok), "")
	d.want(d.outcome(9, ok), "")
	d.want(d.outcome(5, ok)+d.outcome(4, ok)+d.outcome(3, ok), "5=OK 4=OK 3=OK ")
	if d.o.Len() != 0 || !d.o.Next().IsZero() || len(d.o.streams) != 0 {
		t.Errorf("something is left: %d, %v", d.o.Len(), d.o.Next())
	}
	d.want(d.send("m"), "6/6 ")
}

func TestOutboxNumbersPerRef(t *testing.T) {
	o := NewOutbox(41)
	a, b := &nodepb.Deliver{}, &nodepb.Deliver{}
	o.Send(t0, toRomeo, a)
	o.Send(t0, toNurse, b)
	if a.Seq != 42 || b.Seq != 42 {
		t.Errorf("numbers %d and %d", a.Seq, b.Seq)
	}
	steps := o.Outcome(t0, &nodepb.Outcome{From: toNurse.Proto(), Seq: 42, Code: ok})
	if len(steps.Settled) != 1 || steps.Settled[0].Deliver != b || steps.Settled[0].To != toNurse || o.Len() != 1 {
		t.Errorf("settled %+v", steps.Settled)
	}
}

func TestOutboxGap(t *testing.T) {
	d := newDesk(t)
	d.sendMany(4)
	d.want(d.outcome(2, gap), "1/1 ") // 1 was lost: it alone is cast again
	d.want(d.outcome(3, gap)+d.outcome(4, gap), "")
	d.want(d.send("m"), "")
	d.want(d.outcome(1, ok), "2/2 3/2 4/2 5/2 1=OK ")
	d.want(d.outcome(2, ok), "2=OK ")
	d.want(d.send("m"), "6/3 ")
}

// TestOutboxNothingIsChangedAfterItWasCast: other actors may still be reading it.
func TestOutboxNothingIsChangedAfterItWasCast(t *testing.T) {
	d := newDesk(t)
	m := &nodepb.Deliver{Id: []byte("x"), Sender: "juliet@example.org", Resource: "orchard", Store: true}
	d.send("first")
	d.o.Send(d.now, toRomeo, m)
	d.outcome(2, gap)
	steps := d.o.Outcome(d.now, &nodepb.Outcome{From: toRomeo.Proto(), Seq: 1, Code: ok})
	if m.Base != 1 || len(steps.Casts) != 1 {
		t.Fatalf("base %d, %v", m.Base, steps.Casts)
	}
	again := steps.Casts[0].Deliver
	if again == m || again.Base != 2 || string(again.Id) != "x" || again.Sender != m.Sender || again.Resource != m.Resource || !again.Store {
		t.Errorf("cast again: %v", again)
	}
}

func TestOutboxLater(t *testing.T) {
	d := newDesk(t)
	d.sendMany(3)
	d.want(d.outcome(2, later)+d.outcome(3, gap), "")
	d.want(d.outcome(1, ok), "1=OK ")
	if d.o.Next() != d.now.Add(laterMin) {
		t.Errorf("goes on at %v", d.o.Next().Sub(d.now))
	}
	d.want(d.pass(laterMin-1), "")
	d.want(d.pass(1), "2/2 3/2 ")
	d.want(d.outcome(2, later), "")
	d.want(d.pass(2*laterMin-1), "") // the pause doubles
	d.want(d.pass(1), "2/2 3/2 ")
	d.want(d.outcome(2, ok)+d.outcome(3, ok), "2=OK 3=OK ")
}

func TestOutboxRefusedCast(t *testing.T) {
	d := newDesk(t)
	d.sendMany(2)
	d.o.Refused(d.now, toRomeo, 2)
	d.want(d.send("m"), "")
	d.want(d.pass(laterMin), "2/1 3/1 ")
	d.o.Refused(d.now, toNurse, 2)
	d.o.Refused(d.now, toRomeo, 99)
	d.want(d.outcome(2, ok), "2=OK ")
	d.o.Refused(d.now, toRomeo, 2)
	if until := d.o.streams[toRomeo].until; !until.IsZero() {
		t.Error("an old refusal holds up the stream")
	}
}

func TestOutboxSilence(t *testing.T) {
	d := newDesk(t)
	d.sendMany(3)
	if d.o.Next() != t0.Add(ResendTime) {
		t.Errorf("wakes after %v", d.o.Next().Sub(t0))
	}
	d.want(d.pass(ResendTime-1), "")
	d.want(d.pass(1), "1/1 ")
	d.want(d.pass(ResendTime), "1/1 ")
	d.want(d.outcome(1, ok), "2/2 3/2 1=OK ")
	d.want(d.pass(GiveUpTime-2*ResendTime), "2=OUTCOME_UNKNOWN 3=OUTCOME_UNKNOWN ")
	if d.o.Len() != 0 {
		t.Error("not empty")
	}
}

// TestOutboxGiveUp: unknown is said of what may have been taken, LATER of what certainly was not.
func TestOutboxGiveUp(t *testing.T) {
	for _, c := range []struct {
		name   string
		events func(d *desk)
		want   string
	}{
		{"no word", func(*desk) {}, "1=OUTCOME_UNKNOWN "},
		{"cast refused", func(d *desk) { d.o.Refused(d.now, toRomeo, 1) }, "1=LATER "},
		{"told to try later", func(d *desk) { d.outcome(1, later) }, "1=LATER "},
		{"crashed on once", func(d *desk) { d.outcome(1, unknown); d.outcome(1, later) }, "1=OUTCOME_UNKNOWN "},
		{"cast twice, one answer", func(d *desk) { d.pass(ResendTime); d.outcome(1, later) }, "1=OUTCOME_UNKNOWN "},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(t)
			d.send("m")
			c.events(d)
			d.now = t0.Add(GiveUpTime)
			d.want(d.pass(0), c.want)
			d.want(d.send("m"), "2/2 ") // the mailbox takes what is its sender's base
		})
	}
}

func TestOutboxCrash(t *testing.T) {
	d := newDesk(t)
	d.sendMany(4)
	d.want(d.outcome(2, unknown), "1/1 ")
	d.want(d.outcome(0, gap), "") // it has crashed once more: no haste
	d.want(d.outcome(1, ok)+d.pass(laterMin), "1=OK 2/2 3/2 4/2 ")
	d.want(d.outcome(2, unknown), "3/3 2=OUTCOME_UNKNOWN ")
	d.want(d.outcome(3, ok)+d.outcome(4, ok), "4/4 3=OK 4=OK ")
}

func TestOutboxGapWithoutNumber(t *testing.T) {
	d := newDesk(t)
	d.sendMany(2)
	d.want(d.outcome(0, gap), "1/1 ")
	d.want(d.outcome(1, ok), "2/2 1=OK ")
}

// TestOutboxSecondCrash: a crash with the message that was cast to mend the one before is heard too, without haste.
func TestOutboxSecondCrash(t *testing.T) {
	d := newDesk(t)
	d.want(d.sendMany(3), "1/1 2/1 3/1 ")
	d.want(d.outcome(0, gap), "1/1 ")
	d.want(d.outcome(3, gap), "") // of the life before
	d.want(d.outcome(0, gap), "")
	d.want(d.pass(laterMin), "1/1 ")
	d.want(d.outcome(1, ok), "2/2 3/2 1=OK ")
}

// TestOutboxGapForTheFirst happens only if two actors answer to one Ref: it must not become a storm.
func TestOutboxGapForTheFirst(t *testing.T) {
	d := newDesk(t)
	d.send("m")
	for range 10 {
		d.want(d.outcome(1, gap), "")
	}
	d.want(d.pass(laterMin), "1/1 ")
}

// TestOutboxAgainstALossyMailbox: whatever is lost, refused or crashed on, everything is taken in order, and what the outbox
// says of each message is true.
func TestOutboxAgainstALossyMailbox(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o, now := NewOutbox(0), t0
		var wire, taken []uint64
		bases := map[uint64]uint64{}
		told := map[uint64]nodepb.Code{}
		var m receiver
		var queue []*nodepb.Deliver
		var answers []*nodepb.Outcome
		steps := func(s Steps) {
			queue = append(queue, deliveries(s.Casts)...)
			for _, c := range s.Settled {
				if _, twice := told[c.Deliver.Seq]; twice {
					t.Fatalf("%d settled twice", c.Deliver.Seq)
				}
				told[c.Deliver.Seq] = c.Code
			}
		}
		sent := 0
		act := map[string]func(*rapid.T){
			"send": func(*rapid.T) {
				sent++
				if d := (&nodepb.Deliver{}); o.Send(now, toRomeo, d) {
					queue = append(queue, d)
				}
			},
			"refuse a cast": func(t *rapid.T) {
				if len(queue) > 0 {
					o.Refused(now, toRomeo, queue[len(queue)-1].Seq)
					queue = queue[:len(queue)-1]
				}
			},
			"take": func(t *rapid.T) {
				if len(queue) == 0 {
					return
				}
				d := queue[0]
				queue = queue[1:]
				bases[d.Seq] = d.Base
				code := m.take(d, rapid.IntRange(0, 9).Draw(t, "mood"))
				if code == ok && !slices.Contains(taken, d.Seq) {
					taken = append(taken, d.Seq)
				}
				wire = append(wire, d.Seq)
				answers = append(answers, &nodepb.Outcome{From: toRomeo.Proto(), Seq: d.Seq, Code: code})
			},
			"answer": func(*rapid.T) {
				if len(answers) > 0 {
					a := answers[0]
					answers = answers[1:]
					steps(o.Outcome(now, a))
				}
			},
			"crash": func(t *rapid.T) {
				if rapid.IntRange(0, 9).Draw(t, "lucky") == 0 {
					m, answers = receiver{}, nil
					queue = queue[rapid.IntRange(0, len(queue)).Draw(t, "lost"):]
				}
			},
			"time": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(0, 6000).Draw(t, "ms")) * time.Millisecond)
				if n := o.Next(); !n.IsZero() && !n.After(now) {
					steps(o.Tick(now))
				}
			},
		}
		t.Repeat(act)
		for i := 0; o.Len() > 0; i++ {
			if i > 10_000 {
				t.Fatalf("%d messages never get an outcome", o.Len())
			}
			for len(queue) > 0 {
				d := queue[0]
				queue = queue[1:]
				code := m.take(d, 0)
				if code == ok && !slices.Contains(taken, d.Seq) {
					taken = append(taken, d.Seq)
				}
				answers = append(answers, &nodepb.Outcome{From: toRomeo.Proto(), Seq: d.Seq, Code: code})
			}
			for _, a := range answers {
				steps(o.Outcome(now, a))
			}
			answers = nil
			if len(queue) == 0 && o.Len() > 0 {
				now = o.Next()
				steps(o.Tick(now))
			}
		}
		if !slices.IsSorted(taken) {
			t.Fatalf("taken out of order: %v", taken)
		}
		if len(told) != sent {
			t.Fatalf("%d sent, %d outcomes", sent, len(told))
		}
		for seq, code := range told {
			if in := slices.Contains(taken, seq); code == ok && !in || code == later && in {
				t.Fatalf("%d was told %v, taken %v", seq, code, in)
			}
		}
	})
}

func deliveries(casts []Cast) (out []*nodepb.Deliver) {
	for _, c := range casts {
		out = append(out, c.Deliver)
	}
	return out
}

// receiver is the rule of the other side, without anything else.
type receiver struct{ last uint64 }

func (r *receiver) take(d *nodepb.Deliver, mood int) nodepb.Code {
	switch {
	case d.Seq <= r.last:
		return ok
	case d.Seq != max(r.last+1, d.Base):
		return gap
	case mood == 9:
		return later
	}
	r.last = d.Seq
	return ok
}
