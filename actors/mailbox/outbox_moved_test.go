package mailbox

import (
	"fmt"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// TestOutboxMoved: all without outcome goes to the new place at once, in order, under its old numbers.
func TestOutboxMoved(t *testing.T) {
	d := newDesk(t)
	moved := func() string { return show(d.o.Moved(d.now, toRomeo)) }
	d.want(moved(), "")
	d.want(d.sendMany(4), "1/1 2/1 3/1 4/1 ")
	d.want(d.outcome(1, ok)+d.outcome(3, quota), "1=OK 3=QUOTA ")
	d.want(moved(), "2/2 4/2 ")
	d.want(d.send("m"), "5/2 ")
	d.want(d.outcome(2, ok)+d.outcome(4, ok)+d.outcome(5, ok), "2=OK 4=OK 5=OK ")
	d.want(moved(), "")
}

// TestOutboxMovedEndsPauses: what held messages back was the old place's.
func TestOutboxMovedEndsPauses(t *testing.T) {
	d := newDesk(t)
	d.sendMany(2)
	d.want(d.outcome(1, later), "")
	d.want(d.send("m"), "")
	d.want(show(d.o.Moved(d.now, toRomeo)), "1/1 2/1 3/1 ")

	e := newDesk(t)
	e.sendMany(2)
	e.want(e.outcome(2, gap), "1/1 ")
	e.want(show(e.o.Moved(e.now, toRomeo)), "1/1 2/1 ")
}

// TestOutboxBounced: however many come back, each is cast again once, after a pause, with what follows it.
func TestOutboxBounced(t *testing.T) {
	d := newDesk(t)
	d.want(d.sendMany(4), "1/1 2/1 3/1 4/1 ")
	for _, seq := range []uint64{2, 3, 4, 9} {
		d.o.Bounced(d.now, toRomeo, seq)
	}
	d.o.Bounced(d.now, toNurse, 1)
	d.want(d.send("m"), "")
	if got := d.o.Next().Sub(d.now); got != laterMin {
		t.Fatalf("goes on after %v", got)
	}
	d.want(d.pass(laterMin), "2/1 3/1 4/1 5/1 ")
	d.want(d.outcome(1, ok), "1=OK ")
	d.o.Bounced(d.now, toRomeo, 1) // it has its outcome
	d.o.Bounced(d.now, toRomeo, 2)
	d.want(d.pass(laterMin), "2/2 3/2 4/2 5/2 ")
}

// TestOutboxBouncedIsNoRefusal: what may have been taken is not said to have been not.
func TestOutboxBouncedIsNoRefusal(t *testing.T) {
	for name, test := range map[string]struct {
		back func(d *desk)
		want nodepb.Code
	}{
		"refused": {func(d *desk) { d.o.Refused(d.now, toRomeo, 1) }, later},
		"bounced": {func(d *desk) { d.o.Bounced(d.now, toRomeo, 1) }, unknown},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.send("m")
			test.back(d)
			for range 100 {
				got := d.pass(time.Second)
				if got == fmt.Sprintf("1=%v ", test.want) {
					return
				}
				if got != "1/1 " && got != "" {
					t.Fatalf("got %q", got)
				}
				if got == "1/1 " {
					test.back(d)
				}
			}
			t.Fatal("it has no outcome")
		})
	}
}
