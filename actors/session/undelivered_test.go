package session

import (
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// back gives a cast back, as from another node: what comes is a copy.
func (r *rig) back(to actors.Ref, m proto.Message, err error) string {
	r.t.Helper()
	return r.do(func(fx *effects) { r.st.undelivered(fx, to, proto.Clone(m), err) })
}

// TestUndeliveredMessages: they are cast again in order, and what may have been taken isn't said to have been not.
func TestUndeliveredMessages(t *testing.T) {
	for _, err := range []error{actors.ErrOverloaded, actors.ErrNoProc, actors.ErrNoConnection} {
		t.Run(err.Error(), func(t *testing.T) {
			r := boundRig(t)
			for i := range 3 {
				r.give(fmt.Sprintf("<message to='bob@example.org' type='chat' id='m%d'><body>x</body></message>", i))
			}
			all := castsOf[*nodepb.Deliver](r)
			for _, d := range all[1:] {
				r.back(mailboxOf(bob), d, err)
			}
			if again := castsOf[*nodepb.Deliver](r); len(again) != 0 {
				t.Fatalf("cast again without a pause: %v", again)
			}
			r.pass(100 * time.Millisecond)
			again := castsOf[*nodepb.Deliver](r)
			if len(again) != 2 || again[0].Seq != 2 || again[1].Seq != 3 || string(again[0].Id) != string(all[1].Id) {
				t.Fatalf("cast again: %v", again)
			}
			got := ""
			for range 40 {
				for _, d := range castsOf[*nodepb.Deliver](r) {
					got += r.back(mailboxOf(bob), d, err)
				}
				got += r.pass(time.Second)
			}
			r.want(got, "id='m0'", "<remote-server-timeout", "id='m2'")
			// Each was cast at least once without a word about it, so that nobody knows.
		})
	}
	r := boundRig(t)
	r.back(mailboxOf(bob), &nodepb.Deliver{Seq: 1}, actors.ErrNoConnection) // there is no outbox
}

// TestUndeliveredRequests: a request that reached nobody has an answer; of an answer, nobody hears.
func TestUndeliveredRequests(t *testing.T) {
	for err, want := range map[error]string{
		actors.ErrNoProc: "<service-unavailable", actors.ErrOverloaded: "<resource-constraint", actors.ErrNoConnection: "<remote-server-timeout",
	} {
		r := boundRig(t)
		r.give("<iq type='get' id='q' to='bob@example.org/pc'><x xmlns='y'/></iq>", "<iq type='result' id='p' to='bob@example.org/pc'/>")
		sent := castsOf[*nodepb.Relay](r)
		r.want(r.back(mailboxOf(bob), sent[0], err), "<iq type='error' id='q' from='bob@example.org/pc'", want)
		if got := r.back(mailboxOf(bob), sent[0], err); got != "" {
			t.Fatalf("answered twice: %s", got)
		}
		dropped := r.st.Counters.Dropped.Load()
		if err == actors.ErrOverloaded { // it was certainly not taken: once more, but not for ever
			got := r.back(mailboxOf(bob), sent[1], err)
			again := castsOf[*nodepb.Relay](r)
			if got != "" || len(again) != 1 || again[0].Tag != 0 || string(again[0].Stanza) != string(sent[1].Stanza) || r.st.Counters.Dropped.Load() != dropped {
				t.Fatalf("got %s, sent again: %v", got, again)
			}
			sent[1] = again[0]
		}
		if got := r.back(mailboxOf(bob), sent[1], err); got != "" || r.st.Counters.Dropped.Load() != dropped+1 {
			t.Fatalf("got %s", got)
		}
		other := &nodepb.Relay{Tag: sent[0].Tag, SenderRef: actors.Ref{Kind: Kind, ID: "s9", Node: "n@2"}.Proto()}
		if got := r.back(actors.Ref{}, other, err); got != "" {
			t.Fatalf("another's request was answered: %s", got)
		}
	}
}

// TestUndeliveredPresence: the account hears the latest; of what is best effort it is counted that it got lost.
func TestUndeliveredPresence(t *testing.T) {
	r := boundRig(t)
	r.give("<presence/>")
	first := castsOf[*nodepb.SetPresence](r)[0]
	r.give("<presence><priority>5</priority></presence>")
	r.casts = nil
	r.back(accountOf(alice), first, actors.ErrOverloaded)
	r.pass(retryTime)
	if told := castsOf[*nodepb.SetPresence](r); len(told) != 1 || told[0].Priority != 5 || told[0].Quiet {
		t.Fatalf("told %v", told)
	}
	r.give("<presence type='unavailable'/>")
	last := castsOf[*nodepb.SetPresence](r)[0]
	r.back(accountOf(alice), first, actors.ErrOverloaded) // an old one: it isn't true any more
	r.pass(retryTime)
	r.back(accountOf(alice), last, actors.ErrOverloaded)
	r.pass(retryTime)
	if told := castsOf[*nodepb.SetPresence](r); len(told) != 1 || told[0].Available {
		t.Fatalf("told %v", told)
	}
	r.back(accountOf(bob), &nodepb.Presence{Directed: true}, actors.ErrNoConnection)
	if n := r.st.Counters.Dropped.Load(); n != 1 {
		t.Fatalf("%d were counted", n)
	}
}

// TestUndeliveredAcks: what the client has it doesn't get again from whoever is the mailbox next.
func TestUndeliveredAcks(t *testing.T) {
	r := boundRig(t)
	r.give(enableSM)
	r.push(row("r1", "one"), row("r2", "two"))
	r.casts = nil
	r.give(answerSM(2))
	ack := castsOf[*nodepb.Ack](r)
	if len(ack) != 1 || len(ack[0].Ids) != 2 {
		t.Fatalf("acknowledged %v", ack)
	}
	r.back(mailboxOf(alice), ack[0], actors.ErrNoConnection)
	r.do(func(fx *effects) { r.st.down(fx, mailboxOf(alice), actors.NoConnection) })
	if len(r.casts) != 0 {
		t.Fatalf("told at once: %s", r.took())
	}
	r.pass(spreadTime)
	r.want(r.castText(), "Ack{", `ids:"r1" ids:"r2"`, "Attach{", "epoch:2")
	r.casts = nil
	r.pass(time.Minute)
	if len(castsOf[*nodepb.Ack](r)) != 0 {
		t.Fatal("acknowledged without end")
	}

	// So it is with a cast that fails at once.
	q := boundRig(t)
	q.give(enableSM)
	q.push(row("r1", "one"))
	q.casts = nil
	q.give(answerSM(1))
	c := q.casts[0]
	q.casts = nil
	q.do(c.refused)
	q.pass(spreadTime)
	q.want(q.took(), "Ack{", `ids:"r1"`, "Attach{")
}

func TestUndeliveredAttach(t *testing.T) {
	r := boundRig(t)
	r.give("<presence/>")
	a := castsOf[*nodepb.Attach](r)[0]
	r.back(mailboxOf(alice), a, actors.ErrNoConnection)
	r.pass(spreadTime)
	if again := castsOf[*nodepb.Attach](r); len(again) != 1 || again[0].Epoch != 2 || len(r.watch) != 0 {
		t.Fatalf("attached %v, watching %v", again, r.watch)
	}
	r.back(mailboxOf(alice), a, actors.ErrNoConnection) // of an old epoch
	r.pass(time.Minute)
	if again := castsOf[*nodepb.Attach](r); len(again) != 0 {
		t.Fatalf("attached %v", again)
	}
}
