package session

import (
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// TestSpread: after a crash account and mailbox are told at once; when they move, or their node is lost, the sessions spread.
func TestSpread(t *testing.T) {
	for _, test := range []struct {
		reason actors.Reason
		after  time.Duration
	}{
		{crashed, 0}, {actors.Killed, 0}, {actors.NoProc, 0},
		{actors.NoConnection, spreadTime / 2}, {actors.Shutdown, spreadTime / 2}, {actors.Normal, spreadTime / 2},
	} {
		t.Run(test.reason.String(), func(t *testing.T) {
			r := boundRig(t)
			r.give("<presence/>")
			r.pass(doubtTime)
			r.casts = nil
			r.do(func(fx *effects) { r.st.down(fx, mailboxOf(alice), test.reason) })
			r.do(func(fx *effects) { r.st.down(fx, accountOf(alice), test.reason) })
			if test.after > 0 {
				r.pass(test.after - 1)
				if len(r.calls)+len(r.casts)+len(r.watch) != 0 {
					t.Fatalf("told too early: %s", r.took())
				}
				r.pass(1)
			}
			if len(r.calls) != 1 || len(castsOf[*nodepb.Attach](r)) != 1 || len(r.watch) != 2 {
				t.Fatalf("%d calls, watching %v", len(r.calls), r.watch)
			}
			r.answer(&nodepb.Bound{Code: nodepb.Code_OK, Resource: "phone"}, nil)
			if told := castsOf[*nodepb.SetPresence](r); len(told) != 1 || !told[0].Quiet {
				t.Fatalf("told %v", told)
			}
			r.pass(time.Minute)
			if len(r.calls) != 0 || len(castsOf[*nodepb.Attach](r)) != 0 {
				t.Fatal("told again")
			}
		})
	}
}

// TestOwnMessagesAfterTheMailboxMoved: they follow the attachment, under their numbers, without waiting to be missed.
func TestOwnMessagesAfterTheMailboxMoved(t *testing.T) {
	r := boundRig(t)
	r.give("<message to='alice@example.org' type='chat'><body>1</body></message>", "<message to='alice@example.org' type='chat'><body>2</body></message>")
	r.casts = nil
	r.do(func(fx *effects) { r.st.down(fx, mailboxOf(alice), actors.NoConnection) })
	r.pass(spreadTime)
	r.want(r.took(), "Attach{", "Deliver{", "seq:1", "Deliver{", "seq:2")

	// A session that is over for its mailbox sends them, too.
	q := boundRig(t)
	q.give("<message to='alice@example.org' type='chat'><body>1</body></message>")
	q.do(func(fx *effects) { q.st.closed(fx, Closed{Reason: SocketLost}) })
	q.casts = nil
	q.do(func(fx *effects) { q.st.down(fx, mailboxOf(alice), actors.NoConnection) })
	if again := castsOf[*nodepb.Deliver](q); len(again) != 1 {
		t.Fatalf("cast again %v", again)
	}
}

// TestWhatTheClientDoesMeanwhile waits for the new account and the new mailbox.
func TestWhatTheClientDoesMeanwhile(t *testing.T) {
	r := boundRig(t)
	r.give("<presence/>")
	r.casts = nil
	r.do(func(fx *effects) {
		r.st.down(fx, mailboxOf(alice), actors.NoConnection)
		r.st.down(fx, accountOf(alice), actors.NoConnection)
	})
	r.give("<presence><priority>7</priority></presence>")
	if len(r.casts) != 0 {
		t.Fatalf("told who doesn't know it: %s", r.took())
	}
	r.pass(spreadTime)
	if a := castsOf[*nodepb.Attach](r); len(a) != 1 || a[0].Priority != 7 || a[0].Epoch != 2 {
		t.Fatalf("attached %v", a)
	}
	r.answer(&nodepb.Bound{Code: nodepb.Code_OK, Resource: "phone"}, nil)
	if told := castsOf[*nodepb.SetPresence](r); len(told) != 1 || told[0].Priority != 7 || told[0].Quiet {
		t.Fatalf("told %v", told)
	}
	// A socket that is lost meanwhile, too.
	r.give(enableSM)
	r.do(func(fx *effects) { r.st.down(fx, mailboxOf(alice), actors.NoConnection) })
	r.do(func(fx *effects) { r.st.closed(fx, Closed{Reason: SocketLost}) })
	if a := castsOf[*nodepb.Attach](r); len(a) != 0 {
		t.Fatalf("attached %v", a)
	}
	r.pass(2 * spreadTime)
	if a := castsOf[*nodepb.Attach](r); len(a) != 1 || a[0].Connected || a[0].Epoch != 4 {
		t.Fatalf("attached %v", a)
	}
}

// TestAwayForLong: those who were told that the client is gone hear that it is there.
func TestAwayForLong(t *testing.T) {
	for away, quiet := range map[time.Duration]bool{5 * time.Second: true, quietTime + 2*time.Second: false} {
		r := boundRig(t)
		r.give("<presence/>")
		r.pass(doubtTime)
		r.do(func(fx *effects) { r.st.down(fx, accountOf(alice), actors.NoConnection) })
		for start := r.now; r.now.Sub(start) < away; {
			r.pass(time.Second)
			if len(r.calls) > 0 {
				r.answer(nil, actors.ErrNoConnection)
			}
		}
		for len(r.calls) == 0 {
			r.pass(time.Second)
		}
		r.casts = nil
		r.answer(&nodepb.Bound{Code: nodepb.Code_OK, Resource: "phone"}, nil)
		if told := castsOf[*nodepb.SetPresence](r); len(told) != 1 || told[0].Quiet != quiet {
			t.Fatalf("after %v: told %v", away, told)
		}
	}
}

// TestPresenceJustBeforeTheLoss may not have got anywhere, and is told again.
func TestPresenceJustBeforeTheLoss(t *testing.T) {
	for _, reason := range []actors.Reason{actors.NoConnection, actors.Shutdown} {
		r := boundRig(t)
		r.give("<presence/>")
		r.pass(doubtTime / 2)
		r.do(func(fx *effects) { r.st.down(fx, accountOf(alice), reason) })
		r.pass(spreadTime)
		r.answer(nil, actors.ErrNoConnection)
		r.pass(2 * retryTime)
		r.casts = nil
		r.answer(&nodepb.Bound{Code: nodepb.Code_OK, Resource: "phone"}, nil)
		if told := castsOf[*nodepb.SetPresence](r); len(told) != 1 || told[0].Quiet == (reason == actors.NoConnection) {
			t.Fatalf("%v: told %v", reason, told)
		}
	}
}

// TestAskedToBindAgain: the account and the mailbox may say that they don't know a session.
func TestAskedToBindAgain(t *testing.T) {
	ask := func(r *rig, from actors.Ref, unheard bool) {
		r.do(func(fx *effects) { r.st.rebindAsked(fx, &nodepb.Rebind{From: from.Proto(), Unheard: unheard}) })
	}
	for _, unheard := range []bool{false, true} {
		r := boundRig(t)
		r.give("<presence/>")
		r.casts = nil
		ask(r, accountOf(alice), unheard)
		r.pass(spreadTime)
		if len(r.watch) != 0 {
			t.Fatal("watched twice")
		}
		if b := r.calls[0].req.(*nodepb.Bind); !b.Resumed || b.Since != epoch0.UnixMicro() || b.Replaces != nil || b.Stream != "" {
			t.Fatalf("asked %v", b)
		}
		r.answer(&nodepb.Bound{Code: nodepb.Code_OK, Resource: "phone"}, nil)
		if told := castsOf[*nodepb.SetPresence](r); len(told) != 1 || told[0].Quiet == unheard {
			t.Fatalf("told %v", told)
		}
		ask(r, mailboxOf(alice), false)
		ask(r, mailboxOf(bob), false)
		r.pass(spreadTime)
		if a := castsOf[*nodepb.Attach](r); len(a) != 1 || a[0].Epoch != 2 || len(r.calls) != 0 {
			t.Fatalf("attached %v", a)
		}
	}
	r := newRig(t)
	if ask(r, accountOf(alice), true); r.pass(time.Second) != "" || len(r.calls) != 0 {
		t.Fatal("nobody has a resource here")
	}
}

// TestSomebodyElseHasTheResource: of two that claim it the account chooses.
func TestSomebodyElseHasTheResource(t *testing.T) {
	r := boundRig(t)
	r.do(func(fx *effects) { r.st.down(fx, accountOf(alice), crashed) })
	r.want(r.answer(&nodepb.Bound{Code: nodepb.Code_ALREADY_EXISTS}, nil), "<conflict", streamEnd)
	if !r.closed {
		t.Fatal("it goes on")
	}
}

// TestRosterChangedMeanwhile: a client that was not told of a change comes again and reads the roster.
func TestRosterChangedMeanwhile(t *testing.T) {
	const get = "<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>"
	for name, test := range map[string]struct {
		change  func(r *rig)
		stands  uint64
		expects bool
	}{
		"unchanged":      {func(*rig) {}, 7, false},
		"changed":        {func(*rig) {}, 8, true},
		"changed, known": {func(r *rig) { r.st.rosterPush(r.fx, &nodepb.RosterPush{Item: &nodepb.RosterItem{}, Digest: 8}) }, 8, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := boundRig(t)
			r.give(get)
			r.answer(&nodepb.Roster{Code: nodepb.Code_OK, Digest: 7}, nil)
			test.change(r)
			r.do(func(fx *effects) { r.st.down(fx, accountOf(alice), crashed) })
			got := r.answer(&nodepb.Bound{Code: nodepb.Code_OK, Resource: "phone", Digest: test.stands}, nil)
			if r.closed != test.expects {
				t.Fatalf("closed %v: %s", r.closed, got)
			}
			if test.expects {
				r.want(got, "<reset", "the roster has changed", streamEnd)
			}
		})
	}
	r := boundRig(t) // it never read the roster
	r.do(func(fx *effects) { r.st.down(fx, accountOf(alice), crashed) })
	if r.answer(&nodepb.Bound{Code: nodepb.Code_OK, Resource: "phone", Digest: 9}, nil); r.closed {
		t.Fatal("closed")
	}
}

// TestPushesInOrder: a push that overtook another, which had no room, comes again with it.
func TestPushesInOrder(t *testing.T) {
	r := boundRig(t)
	push := func(number, after uint64, body string) string {
		return r.do(func(*effects) {
			r.st.push(&nodepb.Push{Epoch: r.st.epoch, Number: number, After: after, Rows: []*nodepb.PushedRow{row(body, body)}})
		})
	}
	r.want(push(1, 0, "one"), "one")
	r.casts = nil
	if got := push(3, 2, "three"); got != "" {
		t.Fatalf("wrote %s", got)
	}
	r.want(push(4, 1, "two"), "two")
	r.want(push(5, 4, "three"), "three")
	r.give("<iq type='result' id='ping-1'/>")
	if a := castsOf[*nodepb.Ack](r); len(a) == 0 || a[len(a)-1].Pushed != 5 {
		t.Fatalf("said %v", a)
	}
	r.do(func(fx *effects) { r.st.down(fx, mailboxOf(alice), crashed) })
	r.want(push(1, 0, "four"), "four")
}
