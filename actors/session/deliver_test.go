package session

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

const enableSM = "<enable xmlns='urn:xmpp:sm:3' resume='true'/>"

func answerSM(h int) string { return fmt.Sprintf("<a xmlns='urn:xmpp:sm:3' h='%d'/>", h) }

const askSM = "<r xmlns='urn:xmpp:sm:3'/>"

// acked returns what the mailbox heard since last time: ids and credit.
func (r *rig) acked() (ids []string, credit uint32) {
	for _, a := range castsOf[*nodepb.Ack](r) {
		ids = append(ids, strs(a.Ids)...)
		credit += a.Credit
	}
	return ids, credit
}

func (r *rig) wantAcked(want ...string) {
	r.t.Helper()
	if ids, _ := r.acked(); !slices.Equal(ids, want) {
		r.t.Fatalf("acknowledged %v, want %v", ids, want)
	}
}

func TestRowsWithStreamManagement(t *testing.T) {
	r := boundRig(t)
	r.want(r.give(enableSM), "<enabled xmlns='urn:xmpp:sm:3' resume='true' id='s1.", "' max='900'/>")
	delayed := row("r2", "two")
	delayed.Delayed, delayed.Restored = true, true
	got := r.push(row("r1", "one"), delayed)
	r.want(got, "<body>one</body>", "<body>two</body>", "example.org", "restored from a backup", askSM)
	if strings.Count(got, "<r ") != 1 {
		t.Fatalf("asked more than once: %s", got)
	}
	if ids, credit := r.acked(); len(ids) != 0 || credit != 0 {
		t.Fatalf("acknowledged %v with credit %d, want nothing before the client has", ids, credit)
	}
	if got := r.push(row("r3", "three")); strings.Contains(got, "<r ") {
		t.Fatalf("asked again while a question is open: %s", got)
	}
	r.acked()
	if got := r.give(answerSM(1)); got != askSM {
		t.Fatalf("after the answer: %q, want a question about the new row", got)
	}
	if ids, credit := r.acked(); !slices.Equal(ids, []string{"r1"}) || credit != 311 {
		t.Fatalf("acknowledged %v with credit %d, want r1 and that of all three", ids, credit)
	}
	r.give(answerSM(3))
	r.wantAcked("r2", "r3")
	if got := r.pass(time.Minute); got != "" {
		t.Fatalf("everything is acknowledged, and yet: %s", got)
	}
}

func TestQuestionAgainWhenTheClientLags(t *testing.T) {
	r := boundRig(t)
	r.give(enableSM)
	r.push(row("r1", "one"))
	r.give(answerSM(0))
	if got := r.pass(askEvery - time.Millisecond); got != "" {
		t.Fatalf("asked again after less than a second: %s", got)
	}
	if got := r.pass(time.Second); got != askSM {
		t.Fatalf("after a second: %q", got)
	}
	r.wantAcked()
}

func TestAcknowledgedTooMuch(t *testing.T) {
	r := boundRig(t)
	r.give(enableSM)
	r.push(row("r1", "one"))
	r.want(r.give(answerSM(2)), "<undefined-condition", "<handled-count-too-high xmlns='urn:xmpp:sm:3' h='2' send-count='1'/>", streamEnd)
	if !r.closed {
		t.Fatal("the stream goes on")
	}
}

func TestAcknowledgedNonsense(t *testing.T) {
	for _, h := range []string{"", "x", "-1", "4294967296"} {
		r := boundRig(t)
		r.give(enableSM)
		r.want(r.give("<a xmlns='urn:xmpp:sm:3' h='"+h+"'/>"), "<bad-format", streamEnd)
	}
}

func TestEnableTwice(t *testing.T) {
	r := boundRig(t)
	r.give("<enable xmlns='urn:xmpp:sm:3'/>")
	r.want(r.give(enableSM), "<failed xmlns='urn:xmpp:sm:3'><unexpected-request")
	if r.st.sm.resumable {
		t.Fatal("the second <enable/> took effect")
	}
	q := newRig(t)
	q.authenticated()
	q.want(q.give(enableSM), "<failed", "<unexpected-request")
}

// TestHandledCount: h is the longest handled prefix, told at once when asked and again when it reaches what was asked about.
func TestHandledCount(t *testing.T) {
	r := boundRig(t)
	r.give("<presence/>", "<enable xmlns='urn:xmpp:sm:3'/>")
	const roster = "<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>"
	got := r.give("<presence/>", roster, "<presence/>", askSM)
	if got != answerSM(1) {
		t.Fatalf("asked at once: %s", got)
	}
	r.want(r.answer(&nodepb.Roster{Code: nodepb.Code_OK}, nil), "type='result'", answerSM(3))
	if got := r.give("<presence/>"); strings.Contains(got, "<a ") {
		t.Fatalf("unasked: %s", got)
	}
	if got := r.give(askSM); got != answerSM(4) {
		t.Fatal(got)
	}
}

// TestRowsWithoutStreamManagement: an answer to a ping written after the rows acknowledges them, result or error.
func TestRowsWithoutStreamManagement(t *testing.T) {
	for _, typ := range []string{"result", "error"} {
		r := boundRig(t)
		got := r.push(row("r1", "one"), row("r2", "two"))
		r.want(got, "<body>two</body>", "<iq type='get' id='ping-1' from='example.org' to='alice@example.org/phone'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>")
		if got := r.push(row("r3", "three")); strings.Contains(got, "ping") {
			t.Fatalf("a second ping: %s", got)
		}
		r.wantAcked()
		r.give("<iq type='" + typ + "' id='other' to='example.org'/>")
		r.wantAcked()
		if got := r.give("<iq type='" + typ + "' id='ping-1' to='example.org'/>"); strings.Contains(got, "ping") {
			t.Fatalf("two pings within a second: %s", got)
		}
		r.wantAcked("r1", "r2")
		r.want(r.pass(time.Second), "id='ping-2'")
		r.give("<iq type='" + typ + "' id='ping-1' to='example.org'/>")
		r.wantAcked()
		r.give("<iq type='" + typ + "' id='ping-2' to='example.org'/>")
		r.wantAcked("r3")
	}
}

func TestUnansweredPing(t *testing.T) {
	r := boundRig(t)
	r.push(row("r1", "one"))
	if got := r.pass(DefaultPingTimeout - time.Millisecond); got != "" {
		t.Fatalf("closed early: %s", got)
	}
	r.want(r.pass(time.Second), "<connection-timeout", streamEnd)
	if !r.closed || !r.stop {
		t.Fatal("the connection isn't closed")
	}
	r.wantAcked()
}

func TestUnansweredQuestionOfAResumableStream(t *testing.T) {
	r := boundRig(t)
	r.give(enableSM)
	r.push(row("r1", "one"))
	r.want(r.pass(DefaultPingTimeout), "<connection-timeout", streamEnd)
	if !r.closed || r.stop || r.st.phase != detached {
		t.Fatalf("closed %v, stopped %v, phase %d", r.closed, r.stop, r.st.phase)
	}
}

func TestSilentClientIsPinged(t *testing.T) {
	r := boundRig(t)
	if got := r.pass(DefaultIdlePing - time.Second); got != "" {
		t.Fatalf("pinged early: %s", got)
	}
	r.want(r.pass(time.Second), "#info")
	r.give("<iq type='result' id='ping-1'/>")
	if got := r.pass(DefaultIdlePing - time.Second); got != "" {
		t.Fatalf("pinged again too early: %s", got)
	}
	r.want(r.pass(DefaultPingTimeout+time.Second), "#info", "<connection-timeout")
}

func TestCleanCloseAcknowledges(t *testing.T) {
	tests := []struct {
		name   string
		closed Closed
		sm     bool
		behind bool
		want   []string
	}{
		{"all sent", Closed{Reason: ClientClosed, AllSent: true}, false, false, []string{"r1"}},
		{"not all sent", Closed{Reason: ClientClosed}, false, false, nil},
		{"more written since", Closed{Reason: ClientClosed, AllSent: true}, false, true, []string{"r1"}},
		{"more written since, and not all sent", Closed{Reason: ClientClosed}, false, true, nil},
		{"with stream management its word counts", Closed{Reason: ClientClosed, AllSent: true}, true, false, nil},
		{"lost", Closed{Reason: SocketLost, AllSent: true}, false, false, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := boundRig(t)
			if tt.sm {
				r.give("<enable xmlns='urn:xmpp:sm:3'/>")
			}
			r.push(row("r1", "one"))
			tt.closed.Written = r.st.written
			if tt.behind {
				r.push(row("r2", "two"))
			}
			r.do(func(fx *effects) { r.st.closed(fx, tt.closed) })
			casts := r.took()
			if i, j := strings.Index(casts, "Ack{"), strings.Index(casts, "Detach{"); len(tt.want) > 0 && i > j {
				t.Fatalf("acknowledged after the goodbye: %s", casts)
			}
			if got := strings.Contains(casts, `ids:"r1"`); got != (len(tt.want) > 0) {
				t.Fatalf("told the mailbox: %s", casts)
			}
			if strings.Contains(casts, `"r2"`) {
				t.Fatalf("what was written later is acknowledged: %s", casts)
			}
		})
	}
}

// TestCreditWaitsForAcknowledgements: a little credit goes along with them, a quarter of the window doesn't wait, nor does any when none
// is to come.
func TestCreditWaitsForAcknowledgements(t *testing.T) {
	r := boundRig(t)
	r.give(enableSM)
	big := row("r1", "one")
	big.Cost = creditShare - 1
	for i, want := range []uint32{0, creditShare + 102} {
		r.push(big)
		if ids, credit := r.acked(); len(ids) != 0 || credit != want {
			t.Fatalf("after push %d: acknowledged %v with credit %d, want %d", i, ids, credit, want)
		}
		big = row("r2", "two")
	}
	r.give(answerSM(2))
	if ids, credit := r.acked(); !slices.Equal(ids, []string{"r1", "r2"}) || credit != 0 {
		t.Fatalf("acknowledged %v with credit %d", ids, credit)
	}
	fleeting := row("", "typing")
	r.push(fleeting)
	if _, credit := r.acked(); credit != fleeting.Cost {
		t.Fatalf("credit %d of a message that nobody acknowledges, want %d", credit, fleeting.Cost)
	}
}

func TestRowsWaitForRoom(t *testing.T) {
	r := boundRig(t)
	r.backlog = HighMark + 1
	r.push(row("r1", "one"))
	if _, credit := r.acked(); credit != 0 {
		t.Fatal("credit came back while the bytes are in the outlet")
	}
	if got := r.push(row("r2", "two")); got != "" {
		t.Fatalf("wrote %s above the high mark", got)
	}
	r.backlog = 0
	r.want(r.do(func(*effects) { r.st.writable() }), "<body>two</body>")
	r.give("<iq type='result' id='ping-1'/>")
	if _, credit := r.acked(); credit != 206 {
		t.Fatalf("credit %d came back, want 206", credit)
	}
}

func TestManyRowsAreWrittenInChunks(t *testing.T) {
	r := boundRig(t)
	var rows []*nodepb.PushedRow
	for i := range 100 {
		rows = append(rows, row(fmt.Sprint("r", i), strings.Repeat("x", 2000)))
	}
	got := r.push(rows...)
	if n := strings.Count(got, "<message"); n != 100 {
		t.Fatalf("%d messages were written", n)
	}
	if strings.Count(got, "#info") != 1 || !strings.HasSuffix(got, "</iq>") {
		t.Fatal("the ping doesn't follow all rows")
	}
	if r.st.held != nil {
		t.Fatal("the list of held rows is kept")
	}
}

func TestOldPushes(t *testing.T) {
	r := boundRig(t)
	got := r.do(func(*effects) { r.st.push(&nodepb.Push{Epoch: 7, Rows: []*nodepb.PushedRow{row("r1", "one")}}) })
	if got != "" {
		t.Fatalf("a push of another epoch was written: %s", got)
	}
}

// TestMailboxCrash: after a crash of the mailbox the session attaches again, and doesn't write twice what is on its way.
func TestMailboxCrash(t *testing.T) {
	r := boundRig(t)
	r.push(row("r1", "one"))
	r.acked()
	r.do(func(fx *effects) { r.st.down(fx, mailboxOf(alice), crashed) })
	a := castsOf[*nodepb.Attach](r)
	if len(a) != 1 || a[0].Epoch != 2 || !a[0].Connected {
		t.Fatalf("attached with %v", a)
	}
	got := r.push(row("r1", "one"), row("r2", "two"))
	if strings.Contains(got, "one") || !strings.Contains(got, "two") {
		t.Fatalf("wrote %s", got)
	}
	r.give("<iq type='result' id='ping-1'/>")
	if ids, credit := r.acked(); !slices.Equal(ids, []string{"r1"}) || credit != 206 {
		t.Fatalf("acknowledged %v with credit %d", ids, credit)
	}
}

func TestAccountCrash(t *testing.T) {
	r := boundRig(t)
	r.give("<presence><priority>1</priority></presence>", "<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>")
	r.answer(&nodepb.Roster{Code: nodepb.Code_OK}, nil)
	r.casts = nil
	r.do(func(fx *effects) { r.st.down(fx, accountOf(alice), crashed) })
	if b, ok := r.calls[0].req.(*nodepb.Bind); !ok || !b.Resumed || b.Resource != "phone" || !b.Interested {
		t.Fatalf("asked %v", r.calls[0].req)
	}
	r.casts = nil
	r.answer(&nodepb.Bound{Code: nodepb.Code_OK, Resource: "phone"}, nil)
	if p := castsOf[*nodepb.SetPresence](r); len(p) != 1 || !p[0].Quiet || p[0].Priority != 1 {
		t.Fatalf("told %v", p)
	}
	if len(r.calls) != 0 {
		t.Fatalf("asked %v", r.calls[0].req)
	}
}

func TestAccountCrashesAllTheTime(t *testing.T) {
	r := boundRig(t)
	for range 100 {
		r.do(func(fx *effects) { r.st.down(fx, accountOf(alice), crashed) })
	}
	if len(r.calls) != 1 {
		t.Fatalf("%d binds in no time", len(r.calls))
	}
	r.calls = nil
	r.pass(retryTime)
	if len(r.calls) != 1 {
		t.Fatalf("%d binds a second later", len(r.calls))
	}
	if r.answer(&nodepb.Bound{Code: nodepb.Code_NO_SUCH_USER}, nil); !r.closed {
		t.Fatal("the user is gone, and the stream goes on")
	}
}

// TestWatchedOnce: each crash is heard of once, however many there were before.
func TestWatchedOnce(t *testing.T) {
	r := boundRig(t)
	for i := range 5 {
		target := []actors.Ref{accountOf(alice), mailboxOf(alice)}[i%2]
		r.watch, r.calls = nil, nil
		r.do(func(fx *effects) { r.st.down(fx, target, crashed) })
		if len(r.watch) != 1 || r.watch[0] != target {
			t.Fatalf("after the end of %v: watching %v", target, r.watch)
		}
		if i%2 == 0 {
			r.answer(&nodepb.Bound{Code: nodepb.Code_OK, Resource: "phone"}, nil)
		} else if len(r.calls) != 0 {
			t.Fatal("the account was asked for the mailbox's sake")
		}
		r.pass(time.Minute / 2)
		r.give("<iq type='result' id='" + r.st.pingID() + "'/>")
	}
	r.watch, r.calls = nil, nil
	r.do(func(fx *effects) { r.st.down(fx, accountOf(alice), crashed) })
	r.do(func(fx *effects) { r.st.down(fx, mailboxOf(alice), crashed) })
	if len(r.watch) != 2 || r.watch[0] != accountOf(alice) || r.watch[1] != mailboxOf(alice) {
		t.Fatalf("watching %v", r.watch)
	}
}

// TestRowsBeforeEnable: an <a/> that answers nothing says nothing of what was written before counting began.
func TestRowsBeforeEnable(t *testing.T) {
	r := boundRig(t)
	r.want(r.push(row("r1", "one")), "id='ping-1'")
	r.give(enableSM, answerSM(0))
	r.wantAcked()
	r.give("<iq type='result' id='ping-1'/>")
	r.wantAcked("r1")

	q := boundRig(t)
	q.push(row("r1", "one"))
	q.give(enableSM)
	q.push(row("r2", "two"))
	q.give(answerSM(1)) // whoever has the second has the first
	q.wantAcked("r1", "r2")
}

func TestTooMuchUnacknowledged(t *testing.T) {
	r := boundRig(t)
	r.give(enableSM)
	got := ""
	for range maxKeptLive/1000 + 10 {
		got += r.do(func(fx *effects) { r.st.relayIn(fx, &nodepb.Relay{Stanza: []byte(strings.Repeat("x", 1000))}) })
	}
	r.want(got, "<resource-constraint", streamEnd)
}
