package session

import (
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors/mailbox"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

const toBob = "<message to='bob@example.org' type='chat' id='m'><body>x</body></message>"

// seqs are the numbers of the messages cast since last time.
func (r *rig) seqs() []uint64 {
	var all []uint64
	for _, d := range castsOf[*nodepb.Deliver](r) {
		all = append(all, d.Seq)
	}
	return all
}

func (r *rig) wantSeqs(when string, want ...uint64) {
	r.t.Helper()
	got := r.seqs()
	same := len(got) == len(want)
	for i := range min(len(got), len(want)) {
		same = same && got[i] == want[i]
	}
	if !same {
		r.t.Fatalf("%s: cast %v, want %v", when, got, want)
	}
}

// answerMessage is bob's mailbox's answer.
func (r *rig) answerMessage(seq uint64, code nodepb.Code) string {
	return r.do(func(fx *effects) { r.st.outcome(fx, outcomeOf(bob, seq, code)) })
}

// TestMessageToABusyMailbox: a refused cast is repeated until it is taken, and the client waits for its outcome.
func TestMessageToABusyMailbox(t *testing.T) {
	r := boundRig(t)
	r.give(toBob)
	refused := r.casts[0].refused
	r.wantSeqs("at first", 1)
	r.do(refused)
	r.give(toBob)
	r.wantSeqs("while the first waits")
	if got := r.pass(time.Second); got != "" {
		t.Fatalf("the client got %s", got)
	}
	r.wantSeqs("a little later", 1, 2)
	r.answerMessage(1, nodepb.Code_OK)
	r.answerMessage(2, nodepb.Code_OK)
	if r.st.in.pending() != 0 || r.stanzas != 2 || r.st.sending != nil {
		t.Fatalf("%d uncounted", r.st.in.pending())
	}
	r.give(toBob)
	r.wantSeqs("the next", 3)
}

func TestMessageAfterAGap(t *testing.T) {
	r := boundRig(t)
	r.give(toBob, toBob)
	r.wantSeqs("at first", 1, 2)
	r.answerMessage(2, nodepb.Code_GAP)
	r.wantSeqs("after a gap", 1)
	r.answerMessage(1, nodepb.Code_OK)
	r.wantSeqs("after the first", 2)
}

// TestMessageWithoutOutcome: after half a minute the client hears that nobody knows.
func TestMessageWithoutOutcome(t *testing.T) {
	r := boundRig(t)
	r.give("<enable xmlns='urn:xmpp:sm:3'/>", toBob)
	if got := r.give(askSM); got != answerSM(0) {
		t.Fatalf("counted without an outcome: %s", got)
	}
	if got := r.pass(mailbox.GiveUpTime - time.Second); got != "" {
		t.Fatalf("given up early: %s", got)
	}
	if n := len(r.seqs()); n < 3 {
		t.Fatalf("cast %d times", n)
	}
	got := r.pass(time.Second)
	r.want(got, "<message type='error' id='m' from='bob@example.org'", "<remote-server-timeout", "unknown", answerSM(1))
	if again := r.answerMessage(1, nodepb.Code_OK); again != "" || r.st.Counters.Refused.Load() != 1 {
		t.Fatalf("a late outcome: %s", again)
	}
}

// TestCountedOutcomes: what is refused is told or counted as dropped, never both.
func TestCountedOutcomes(t *testing.T) {
	for _, tt := range []struct {
		typ              string
		code             nodepb.Code
		refused, dropped int64
	}{
		{"chat", nodepb.Code_OK, 0, 0}, {"chat", nodepb.Code_DROPPED, 0, 1}, {"chat", nodepb.Code_QUOTA, 1, 0},
		{"error", nodepb.Code_OK, 0, 0}, {"error", nodepb.Code_NO_RESOURCE, 0, 1},
	} {
		r := boundRig(t)
		r.give(strings.Replace(toBob, "chat", tt.typ, 1))
		r.answerMessage(1, tt.code)
		if c := r.st.Counters; c.MessagesIn.Load() != 1 || c.Refused.Load() != tt.refused || c.Dropped.Load() != tt.dropped {
			t.Errorf("%s %v: %d in, %d refused, %d dropped", tt.typ, tt.code, c.MessagesIn.Load(), c.Refused.Load(), c.Dropped.Load())
		}
	}
}

// TestOutcomeOfNothing: answers to messages that this session never sent change nothing.
func TestOutcomeOfNothing(t *testing.T) {
	r := boundRig(t)
	if got := r.answerMessage(1, nodepb.Code_QUOTA); got != "" {
		t.Fatalf("got %s", got)
	}
	r.give(toBob)
	if got := r.answerMessage(7, nodepb.Code_QUOTA); got != "" || r.st.in.pending() != 1 {
		t.Fatalf("got %s", got)
	}
}

// TestGivenSessionSendsNothing: what had no outcome is sent again by the client, and by nobody else.
func TestGivenSessionSendsNothing(t *testing.T) {
	p := newPair(t)
	p.old.give(toBob)
	refused := p.old.casts[len(p.old.casts)-1].refused
	p.old.do(func(fx *effects) { p.old.st.closed(fx, Closed{Reason: SocketLost}) })
	p.ask(p.previd, 0)
	p.old.pass(handingTime)
	p.new.want(p.carry(), "<resumed", "h='0'")
	p.old.casts = nil
	p.old.do(refused)
	p.old.answerMessage(1, nodepb.Code_QUOTA)
	p.old.pass(forwardTime)
	if got := p.old.seqs(); len(got) != 0 || !p.old.stop {
		t.Fatalf("cast %v", got)
	}
	p.new.casts = nil
	first := p.new.st.self
	p.new.give(toBob)
	d := castsOf[*nodepb.Deliver](p.new)
	if len(d) != 1 || d[0].SenderRef.Id != first.ID {
		t.Fatalf("sent %v", d)
	}
}

// TestResentMessageIsTheSame: a stanza without outcome that the client sends again after a resumption keeps its id.
func TestResentMessageIsTheSame(t *testing.T) {
	p := newPair(t)
	p.old.give("<presence/>", toBob)
	before := castsOf[*nodepb.Deliver](p.old)[0]
	p.old.do(func(fx *effects) { p.old.st.closed(fx, Closed{Reason: SocketLost}) })
	p.ask(p.previd, 0)
	p.old.pass(handingTime)
	p.new.want(p.carry(), "<resumed", "h='1'")
	p.new.casts = nil
	p.new.give(toBob, toBob)
	after := castsOf[*nodepb.Deliver](p.new)
	if string(after[0].Id) != string(before.Id) || string(after[1].Id) == string(before.Id) {
		t.Fatal("the message sent again is another one, or the next is the same")
	}
}
