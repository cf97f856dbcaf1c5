package session

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// pair is an old session and a new one of the same node.
type pair struct {
	t        *testing.T
	old, new *rig
	previd   string
}

func newPair(t *testing.T) *pair {
	sh := testShared()
	p := &pair{t: t, old: newRigOn(t, sh, "s1"), new: newRigOn(t, sh, "s2")}
	p.old.bind("phone")
	p.old.give("<presence><priority>2</priority></presence>")
	p.old.give(enableSM)
	p.previd = p.old.st.previd()
	p.old.casts, p.old.stanzas, p.old.bytes = nil, 0, 0
	p.new.authenticated()
	return p
}

// ask sends <resume/> and returns what the client got and, if a call went out, lets the old session hear it.
func (p *pair) ask(previd string, h int) string {
	p.t.Helper()
	got := p.new.give(fmt.Sprintf("<resume xmlns='urn:xmpp:sm:3' previd='%s' h='%d'/>", previd, h))
	if len(p.new.calls) > 0 {
		req := p.new.calls[0].req.(*nodepb.Takeover)
		p.old.now, p.new.now = maxTime(p.old.now, p.new.now), maxTime(p.old.now, p.new.now)
		p.old.do(func(fx *effects) { p.old.st.handOver(fx, actors.From{}, req) })
	}
	return got
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// carry takes the old session's answer to the new one, and the account's after it.
func (p *pair) carry() string {
	p.t.Helper()
	got := ""
	for _, c := range p.old.casts {
		if h, ok := c.msg.(*nodepb.Handover); ok && c.from != nil {
			got += p.new.answer(h, nil)
		}
	}
	if len(p.new.calls) == 0 {
		return got
	}
	if _, ok := p.new.calls[0].req.(*nodepb.FindStream); ok {
		if p.new.calls[0].to != accountOf(alice) {
			p.t.Fatalf("sought at %v", p.new.calls[0].to)
		}
		return got + p.new.answer(&nodepb.StreamFound{Code: nodepb.Code_NOT_FOUND}, nil)
	}
	if _, waits := p.new.calls[0].req.(*nodepb.Takeover); waits {
		return got
	}
	b, ok := p.new.calls[0].req.(*nodepb.Bind)
	if !ok || !b.Resumed || b.Resource != "phone" {
		p.t.Fatalf("the account was asked %v", p.new.calls[0].req)
	}
	return got + p.new.answer(&nodepb.Bound{Code: nodepb.Code_OK, Resource: "phone"}, nil)
}

func TestResumption(t *testing.T) {
	p := newPair(t)
	p.old.pass(hearTime)
	p.new.pass(hearTime)
	p.old.give("<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>") // 1 in, 1 out
	p.old.push(row("r1", "one"), row("r2", "two"))                         // 2, 3
	p.old.give("<iq type='get' id='2'><ping xmlns='urn:xmpp:ping'/></iq>") // 2 in, 4 out
	p.old.casts = nil
	p.old.do(func(fx *effects) { p.old.st.closed(fx, Closed{Reason: SocketLost}) })
	if a := castsOf[*nodepb.Attach](p.old); len(a) != 1 || a[0].Connected || a[0].Epoch != 2 || !a[0].Available {
		t.Fatalf("the mailbox was told %v", a)
	}
	p.old.do(func(fx *effects) {
		p.old.st.presenceIn(fx, &nodepb.Presence{From: "bob@example.org/pc", To: "alice@example.org"})
		p.old.st.rosterPush(fx, &nodepb.RosterPush{Item: &nodepb.RosterItem{Jid: "bob@example.org"}})
	})

	if got := p.ask(p.previd, 2); got != "" {
		t.Fatalf("answered before the old session did: %s", got)
	}
	ids, _ := p.old.ackedKeeping()
	if fmt.Sprint(ids) != "[r1]" {
		t.Fatalf("acknowledged %v", ids)
	}
	p.old.want(p.old.castText(), "mailbox/alice@example.org <- Detach")
	if strings.Contains(p.old.castText(), "Unbind") {
		t.Fatal("the account was told goodbye")
	}
	got := p.carry()
	p.new.want(got, "<resumed xmlns='urn:xmpp:sm:3' previd='"+p.previd+"' h='2'/>", "type='result' id='2'", "type='set' id='push-",
		"<presence from='bob@example.org/pc'")
	if strings.Contains(got, "id='1'") || strings.Contains(got, "body") {
		t.Fatalf("sent again what the client has, or what is the mailbox's: %s", got)
	}
	p.new.want(p.new.castText(), "SetPresence{", "priority:2", "quiet:true", "Ack{", "r1", "Attach{", "epoch:1", "connected:true", "available:true")
	if got := p.new.push(row("r2", "two")); !strings.Contains(got, "two") {
		t.Fatalf("the row didn't come: %s", got)
	}
	p.new.casts = nil
	p.new.give(answerSM(6)) // 3, 4, 5: the stanzas sent again; 6: the row
	p.new.wantAcked("r2")
	p.new.give("<iq type='get' id='3'><ping xmlns='urn:xmpp:ping'/></iq>")
	if got := p.new.give(askSM); got != answerSM(3) {
		t.Fatalf("numbering goes on with %s", got)
	}
	p.old.pass(forwardTime)
	if !p.old.stop {
		t.Fatal("the old session lives on")
	}
}

// castText is took without forgetting.
func (r *rig) castText() string {
	casts := r.casts
	s := r.took()
	r.casts = casts
	return s
}

// ackedKeeping is acked without forgetting the other casts.
func (r *rig) ackedKeeping() ([]string, uint32) {
	casts := r.casts
	defer func() { r.casts = casts }()
	return r.acked()
}

// TestResumptionAgain: the id outlives the session that gave it.
func TestResumptionAgain(t *testing.T) {
	p := newPair(t)
	p.old.do(func(fx *effects) { p.old.st.closed(fx, Closed{Reason: SocketLost}) })
	p.ask(p.previd, 0)
	p.new.want(p.carry(), "<resumed")
	third := newRigOn(t, p.new.st.shared, "s3")
	third.authenticated()
	p.new.casts = nil
	q := &pair{t: t, old: p.new, new: third}
	q.ask(p.previd, 0)
	if to := p.new.st.heir; to == nil {
		t.Fatal("the second session wasn't asked")
	}
	third.want(q.carry(), "<resumed xmlns='urn:xmpp:sm:3' previd='"+p.previd+"'")
	if ref, ok := third.st.heirs.find("s1"); !ok || ref.ID != "s3" {
		t.Fatalf("the stream is at %v", ref)
	}
	third.do(func(fx *effects) { third.st.closed(fx, Closed{Reason: ClientClosed}) })
	if _, ok := third.st.heirs.find("s1"); ok {
		t.Fatal("the stream is remembered after its end")
	}
}

func TestResumptionRefused(t *testing.T) {
	const unknown, over = "<failed xmlns='urn:xmpp:sm:3'><item-not-found", "<failed xmlns='urn:xmpp:sm:3' h='1'><item-not-found"
	tests := map[string]func(p *pair) string{
		"wrong secret":   func(p *pair) string { return "s1." + strings.Repeat("0", 16) + ".n@1" },
		"no secret":      func(*pair) string { return "s1" },
		"empty":          func(*pair) string { return "" },
		"another user's": func(p *pair) string { p.old.st.user = bob; return p.previd },
		"not resumable":  func(p *pair) string { p.old.st.sm.resumable = false; return p.previd },
		"over":           func(p *pair) string { p.old.do(func(fx *effects) { p.old.st.leave(fx) }); return p.previd },
	}
	for name, previd := range tests {
		t.Run(name, func(t *testing.T) {
			p := newPair(t)
			p.old.give("<presence/>")
			got := p.ask(previd(p), 0)
			got += p.carry()
			want := unknown
			if name == "not resumable" || name == "over" {
				want = over // the client needn't send again what was handled
			}
			p.new.want(got, want)
			if p.old.closed {
				t.Fatal("the old session was disturbed")
			}
			p.new.give(`<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>`)
			p.new.want(p.new.answer(&nodepb.Bound{Code: nodepb.Code_OK, Resource: "x"}, nil), "<jid>alice@example.org/x</jid>")
			a := castsOf[*nodepb.Attach](p.new)
			if len(a) != 1 || (a[0].Replaces != nil) != (want == over) {
				t.Fatalf("attached %v", a) // in the place of who lives on, or is another's: never
			}
		})
	}
}

func TestResumptionOfNobody(t *testing.T) {
	r := newRig(t)
	r.authenticated()
	r.give("<resume xmlns='urn:xmpp:sm:3' previd='gone.secret.n@0' h='0'/>")
	if to := r.calls[0].to; to.ID != "gone" || to.Node != "n@0" {
		t.Fatalf("asked %v", to)
	}
	if got := r.answer(nil, actors.ErrNoProc); got != "" {
		t.Fatalf("the account may know: %s", got)
	}
	r.want(r.answer(&nodepb.StreamFound{Code: nodepb.Code_NOT_FOUND}, nil), "<failed", "<item-not-found")
	if r.stanzas == 0 {
		t.Fatal("no credit came back")
	}
}

func TestResumptionOfABoundSession(t *testing.T) {
	r := boundRig(t)
	r.want(r.give("<resume xmlns='urn:xmpp:sm:3' previd='a.b.c' h='0'/>"), "<failed", "<unexpected-request")
}

func TestResumptionWithTooHighACount(t *testing.T) {
	p := newPair(t)
	p.ask(p.previd, 5)
	p.new.want(p.carry(), "<handled-count-too-high xmlns='urn:xmpp:sm:3' h='5' send-count='0'/>", streamEnd)
	if p.old.st.phase != bound {
		t.Fatal("the old session was disturbed")
	}
}

// TestResumptionWhileConnected: the old connection is told and closed.
func TestResumptionWhileConnected(t *testing.T) {
	p := newPair(t)
	p.ask(p.previd, 0)
	if !p.old.closed {
		t.Fatal("the old connection stands")
	}
	p.new.want(p.carry(), "<resumed")
}

// TestResumptionWaitsForOutcomes: <resumed/> is sent once every stanza received has an outcome, or after five seconds.
func TestResumptionWaitsForOutcomes(t *testing.T) {
	const send = "<message to='bob@example.org' type='chat' id='m'><body>x</body></message>"
	answered := newPair(t)
	answered.old.give(send)
	d, _ := answered.old.delivered()
	answered.old.do(func(fx *effects) { answered.old.st.closed(fx, Closed{Reason: SocketLost}) })
	answered.ask(answered.previd, 0)
	if got := answered.carry(); got != "" {
		t.Fatalf("resumed before the outcome: %s", got)
	}
	answered.old.do(func(fx *effects) { answered.old.st.outcome(fx, outcomeOf(bob, d.Seq, nodepb.Code_NO_SUCH_USER)) })
	answered.new.want(answered.carry(), "<resumed", "h='1'", "<message type='error' id='m'")

	silent := newPair(t)
	silent.old.give("<presence/>", send)
	silent.old.do(func(fx *effects) { silent.old.st.closed(fx, Closed{Reason: SocketLost}) })
	silent.ask(silent.previd, 0)
	silent.old.pass(handingTime)
	silent.new.want(silent.carry(), "<resumed", "h='1'")
}

func TestDetachedSessionEnds(t *testing.T) {
	p := newPair(t)
	p.old.do(func(fx *effects) { p.old.st.closed(fx, Closed{Reason: SocketLost}) })
	p.old.casts = nil
	p.old.pass(DefaultResumeTime - time.Second)
	if p.old.stop {
		t.Fatal("too early")
	}
	p.old.pass(time.Second)
	p.old.want(p.old.took(), "Unbind", "Detach")
	if !p.old.stop {
		t.Fatal("it lives on")
	}
}

func TestDetachedSessionIsReplaced(t *testing.T) {
	p := newPair(t)
	p.old.do(func(fx *effects) { p.old.st.closed(fx, Closed{Reason: SocketLost}) })
	p.old.do(func(fx *effects) { p.old.st.endSession(fx, &nodepb.EndSession{Condition: "conflict"}) })
	if !p.old.stop {
		t.Fatal("it lives on")
	}
}

func TestDetachedSessionKeepsLittle(t *testing.T) {
	p := newPair(t)
	p.old.do(func(fx *effects) { p.old.st.closed(fx, Closed{Reason: SocketLost}) })
	for range 10_000 {
		p.old.do(func(fx *effects) {
			p.old.st.rosterPush(fx, &nodepb.RosterPush{Item: &nodepb.RosterItem{Jid: "bob@example.org"}})
		})
	}
	if !p.old.stop {
		t.Fatalf("%d bytes are kept", p.old.st.out.bytes)
	}
}

// TestLostWhileResuming: the new socket is lost before the old session answered; the client may try once more.
func TestLostWhileResuming(t *testing.T) {
	p := newPair(t)
	p.old.do(func(fx *effects) { p.old.st.closed(fx, Closed{Reason: SocketLost}) })
	p.ask(p.previd, 0)
	p.new.do(func(fx *effects) { p.new.st.closed(fx, Closed{Reason: SocketLost}) })
	if p.new.stop {
		t.Fatal("the state would be lost")
	}
	if got := p.carry(); got != "" {
		t.Fatalf("wrote %s without a socket", got)
	}
	if p.new.st.phase != detached || p.new.stop {
		t.Fatalf("phase %d", p.new.st.phase)
	}
	third := newRigOn(t, p.new.st.shared, "s3")
	third.authenticated()
	p.new.casts = nil
	q := &pair{t: t, old: p.new, new: third}
	q.ask(p.previd, 0)
	third.want(q.carry(), "<resumed")
}

// TestLostWhileResumingKeepsStanzas: what the client never got survives the second loss, too.
func TestLostWhileResumingKeepsStanzas(t *testing.T) {
	p := newPair(t)
	p.old.give("<iq type='get' id='answered' to='example.org'><ping xmlns='urn:xmpp:ping'/></iq>")
	p.old.do(func(fx *effects) { p.old.st.closed(fx, Closed{Reason: SocketLost}) })
	p.ask(p.previd, 0)
	p.new.do(func(fx *effects) {
		p.new.st.rosterPush(fx, &nodepb.RosterPush{Item: &nodepb.RosterItem{Jid: "bob@example.org"}})
	})
	p.new.do(func(fx *effects) { p.new.st.closed(fx, Closed{Reason: SocketLost}) })
	if got := p.carry(); got != "" {
		t.Fatalf("wrote %s without a socket", got)
	}
	third := newRigOn(t, p.new.st.shared, "s3")
	third.authenticated()
	p.new.casts = nil
	q := &pair{t: t, old: p.new, new: third}
	q.ask(p.previd, 0)
	third.want(q.carry(), "<resumed", "h='1'", "type='result' id='answered'", "bob@example.org")
}

// TestResumptionRefusedByTheAccount: the old session has given its state away, and the client hears at least its h.
func TestResumptionRefusedByTheAccount(t *testing.T) {
	p := newPair(t)
	p.old.give("<presence/>", "<presence/>")
	p.old.do(func(fx *effects) { p.old.st.closed(fx, Closed{Reason: SocketLost}) })
	p.ask(p.previd, 0)
	for _, c := range p.old.casts {
		if h, ok := c.msg.(*nodepb.Handover); ok {
			p.new.answer(h, nil)
		}
	}
	p.new.want(p.new.answer(&nodepb.Bound{Code: nodepb.Code_LATER}, nil), "<failed xmlns='urn:xmpp:sm:3' h='2'><item-not-found")
	p.new.give(`<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>`)
	p.new.want(p.new.answer(&nodepb.Bound{Code: nodepb.Code_OK, Resource: "x"}, nil), "<jid>alice@example.org/x</jid>")
}

// TestAnswersWhileAway: a request is told at once that nobody is there; an answer that the client waits for is kept.
func TestAnswersWhileAway(t *testing.T) {
	p := newPair(t)
	p.old.do(func(fx *effects) { p.old.st.closed(fx, Closed{Reason: SocketLost}) })
	relay := func(r *rig, m *nodepb.Relay) { r.do(func(fx *effects) { r.st.relayIn(fx, m) }) }
	relay(p.old, &nodepb.Relay{Stanza: []byte("<iq type='result' id='mine'/>")})
	relay(p.old, &nodepb.Relay{Tag: 1, Stanza: []byte("<iq type='get' id='theirs' from='bob@example.org/pc'/>")})
	if failed := castsOf[*nodepb.Relay](p.old); len(failed) != 1 || failed[0].Resource != "pc" || !strings.Contains(string(failed[0].Stanza), "type='error'") {
		t.Fatalf("told %v", failed)
	}
	p.ask(p.previd, 0)
	got := p.carry()
	p.new.want(got, "<resumed", "id='mine'")
	if strings.Contains(got, "theirs") {
		t.Fatal("a request was both refused and handed on")
	}
	p.old.casts = nil
	relay(p.old, &nodepb.Relay{Stanza: []byte("<iq type='result' id='late'/>")})
	p.old.want(p.old.took(), "session/s2@n@1 <- Relay")
}

func TestAnswersWhileAwayAreBounded(t *testing.T) {
	p := newPair(t)
	p.old.do(func(fx *effects) { p.old.st.closed(fx, Closed{Reason: SocketLost}) })
	for range maxKeptDetached/1000 + 2 {
		p.old.do(func(fx *effects) { p.old.st.relayIn(fx, &nodepb.Relay{Stanza: []byte(strings.Repeat("x", 1000))}) })
	}
	if !p.old.stop {
		t.Fatalf("%d bytes are kept", p.old.st.out.bytes)
	}
}

// TestForwarding: what still comes to the old session's address reaches the new one.
func TestForwarding(t *testing.T) {
	p := newPair(t)
	p.old.do(func(fx *effects) { p.old.st.closed(fx, Closed{Reason: SocketLost}) })
	p.ask(p.previd, 0)
	answer := p.old.casts
	p.old.casts = nil
	late := &nodepb.Presence{From: "bob@example.org/pc"}
	push := &nodepb.RosterPush{Item: &nodepb.RosterItem{Jid: "carol@example.org"}}
	p.old.do(func(fx *effects) {
		p.old.st.presenceIn(fx, late)
		p.old.st.rosterPush(fx, push)
	})
	if n := strings.Count(p.old.took(), "session/s2@n@1 <- "); n != 2 {
		t.Fatalf("%d messages were passed on", n)
	}
	p.new.do(func(fx *effects) {
		p.new.st.presenceIn(fx, late)
		p.new.st.rosterPush(fx, push)
	})
	p.old.casts = answer
	p.new.want(p.carry(), "<resumed", "carol@example.org", "<presence from='bob@example.org/pc'")
}
