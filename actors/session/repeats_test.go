package session

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// told are the presences that the account has been told since, "quiet" where others know them, "gone" where the client is unavailable.
func (r *rig) told() string {
	var list []string
	for _, p := range castsOf[*nodepb.SetPresence](r) {
		text := strings.TrimSuffix(strings.TrimPrefix(string(p.GetPayload()), "<status>"), "</status>")
		switch {
		case !p.GetAvailable():
			text = "gone"
		case p.GetQuiet():
			text += " quiet"
		}
		list = append(list, text)
	}
	return strings.Join(list, ", ")
}

const (
	unanswered = "<message to='bob@example.org' type='chat' id='m'><body>x</body></message>"
	gone       = "<presence type='unavailable'/>"
)

func saying(n int) string { return fmt.Sprintf("<presence><status>%d</status></presence>", n) }

// resumed is a client that goes on with its stream after a message without outcome, and what it sent behind that.
func resumed(t *testing.T, sent ...string) *pair {
	p := newPair(t)
	p.old.give(append([]string{unanswered}, sent...)...)
	p.old.do(func(fx *effects) { p.old.st.closed(fx, Closed{Reason: SocketLost}) })
	p.resume()
	return p
}

// resume goes on with it once more.
func (p *pair) resume() {
	p.t.Helper()
	p.ask(p.previd, 0)
	p.old.pass(handingTime)
	p.new.casts = nil
	p.new.want(p.carry(), "<resumed", "h='0'")
}

// TestRepeatedPresence: what a client repeats doesn't make others see again what they have seen already.
func TestRepeatedPresence(t *testing.T) {
	const damaged = "<presence><priority>x</priority></presence>"
	for name, x := range map[string]struct {
		sent, then []string
		want       string // what others are told
		handled    int    // of what is sent then, without the message
	}{
		"as it was":         {[]string{saying(8), saying(9)}, []string{unanswered, saying(8), saying(9)}, "", 2},
		"and something new": {[]string{saying(8), saying(9)}, []string{unanswered, saying(8), saying(9), saying(10)}, "10", 3},
		"and the same":      {[]string{saying(8), saying(9)}, []string{unanswered, saying(8), saying(9), saying(8)}, "8", 3},
		"went and came":     {[]string{saying(8), gone, saying(9)}, []string{unanswered, saying(8), gone, saying(9)}, "", 3},
		"went":              {[]string{saying(8), gone}, []string{unanswered, saying(8), gone}, "", 2},
		"between others":    {[]string{saying(8), unanswered, saying(9)}, []string{unanswered, saying(8), unanswered, saying(9)}, "", 2},
		"damaged":           {[]string{saying(8), damaged}, []string{unanswered, saying(8), damaged, saying(9)}, "9", 3},
		"in part":           {[]string{saying(8), saying(9)}, []string{unanswered, saying(8), saying(11)}, "8, 11", 2},
		"without some":      {[]string{saying(7), saying(8), unanswered, saying(9)}, []string{unanswered, saying(7), saying(8), saying(9), unanswered}, "7, 8, 9", 3},
		"something else":    {[]string{saying(8), saying(9)}, []string{unanswered, saying(11), saying(9)}, "11, 9", 2},
		"nothing of it":     {[]string{saying(8), saying(9)}, []string{gone, unanswered, saying(9)}, "gone, 9", 2},
		"of a message":      {nil, []string{unanswered, saying(8), saying(8)}, "8, 8", 2},
	} {
		t.Run(name, func(t *testing.T) {
			p := resumed(t, x.sent...)
			p.new.casts = nil
			p.new.give(x.then...)
			if got := p.new.told(); got != x.want {
				t.Errorf("told %q, want %q", got, x.want)
			}
			if p.new.st.repeats != nil {
				t.Error("more may come again")
			}
			done := int(p.new.st.in.handled)
			for _, s := range p.new.st.in.slots[p.new.st.in.head:] {
				if s.done {
					done++
				}
			}
			if n := int(p.new.st.in.received); done != x.handled || n != len(x.then) {
				t.Errorf("%d of %d stanzas were handled, want %d of %d", done, n, x.handled, len(x.then))
			}
		})
	}
}

// TestRepeatedDirectedPresence: it isn't told again either, and is withdrawn from whom it was directed at when the client goes.
func TestRepeatedDirectedPresence(t *testing.T) {
	const directed = "<presence to='bob@example.org/pc'/>"
	all := []string{directed, gone, saying(9), directed}
	p := resumed(t, all...)
	p.new.casts = nil
	p.new.give(append([]string{unanswered}, all...)...)
	if list := castsOf[*nodepb.Presence](p.new); len(list) != 0 {
		t.Errorf("told %v", list)
	}
	p.new.give(gone)
	if list := castsOf[*nodepb.Presence](p.new); len(list) != 1 || list[0].GetType() != nodepb.PresenceType_UNAVAILABLE || list[0].GetTo() != "bob@example.org/pc" {
		t.Errorf("told %v", list)
	}
}

// TestRepeatedAgain: a client that loses its connection before it has repeated all repeats all of it to the next.
func TestRepeatedAgain(t *testing.T) {
	all := []string{unanswered, saying(8), saying(9), unanswered, gone, saying(10)}
	for n := range all {
		p := resumed(t, all[1:]...)
		p.new.give(all[:n]...)
		p.new.do(func(fx *effects) { p.new.st.closed(fx, Closed{Reason: SocketLost}) })
		third := newRigOn(t, p.old.st.shared, "s3")
		third.authenticated()
		p.old, p.new = p.new, third
		p.resume()
		p.new.casts = nil
		p.new.give(all...)
		if got := p.new.told(); got != "" {
			t.Errorf("after %d: told %q", n, got)
		}
	}
}

// TestUntoldPresenceGoesAlong: what the account had no room for is told by who has the stream then, as something that others don't know.
func TestUntoldPresenceGoesAlong(t *testing.T) {
	for sent, want := range map[string]string{saying(9): "9", gone: "gone"} {
		p := newPair(t)
		p.old.give(sent)
		c := p.old.casts[len(p.old.casts)-1]
		for _, x := range p.old.casts {
			if _, ok := x.msg.(*nodepb.SetPresence); ok {
				c = x
			}
		}
		p.old.do(func(fx *effects) { c.refused(fx) })
		p.old.do(func(fx *effects) { p.old.st.closed(fx, Closed{Reason: SocketLost}) })
		p.ask(p.previd, 0)
		p.new.casts = nil
		p.carry()
		list := castsOf[*nodepb.SetPresence](p.new)
		if len(list) == 0 {
			t.Fatalf("%s: nothing was told", want)
		}
		if last := list[len(list)-1]; last.GetQuiet() || last.GetAvailable() != (sent != gone) || last.GetSession().GetId() != "s2" {
			t.Errorf("%s: told %v", want, last)
		}
		if own := p.new.st.presence; own != nil && own.GetSession().GetId() != "s2" {
			t.Errorf("%s: it would be told of %v", want, own)
		}
	}
}

// TestDoubtGoesAlong: an account that was told of late, and lost then, may not have told others: who has the stream then has it told again.
func TestDoubtGoesAlong(t *testing.T) {
	for name, x := range map[string]struct {
		before time.Duration // that the presence was told
		lost   bool          // the node of the account is lost, as the old session knows
		astray bool          // the new one can't reach the account at first
		quiet  bool
	}{
		"told just now":               {time.Second, false, false, false},
		"nothing happened":            {hearTime, false, false, true},
		"lost":                        {hearTime, true, false, false},
		"lost long after":             {doubtTime + time.Second, true, false, true},
		"out of reach":                {hearTime, false, true, false},
		"out of reach, long after it": {doubtTime + time.Second, false, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPair(t)
			p.old.give(saying(9))
			p.old.pass(x.before)
			if x.lost { // and it has just begun to bind again
				p.old.do(func(fx *effects) { p.old.st.down(fx, p.old.st.account(), actors.Reason{Code: actors.CodeNoConnection}) })
				p.old.pass(spreadTime)
				if len(p.old.calls) == 0 {
					t.Fatal("it doesn't bind")
				}
			}
			p.old.do(func(fx *effects) { p.old.st.closed(fx, Closed{Reason: SocketLost}) })
			p.new.now = p.old.now
			p.new.turn()
			p.ask(p.previd, 0)
			for _, c := range p.old.casts {
				if h, ok := c.msg.(*nodepb.Handover); ok && c.from != nil {
					p.new.answer(h, nil)
				}
			}
			if x.astray {
				p.new.answer(nil, actors.ErrNoConnection)
				p.new.pass(2 * minPause)
			}
			p.new.casts = nil
			p.new.answer(&nodepb.Bound{Code: nodepb.Code_OK, Resource: "phone"}, nil)
			want := "9"
			if x.quiet {
				want += " quiet"
			}
			if got := p.new.told(); got != want {
				t.Errorf("told %q, want %q", got, want)
			}
		})
	}
}

// TestUntoldWhileHanding: what comes back from the account while the session waits to hand over goes along, too.
func TestUntoldWhileHanding(t *testing.T) {
	p := newPair(t)
	p.old.give(unanswered, saying(9))
	sent := castsOf[*nodepb.SetPresence](p.old)
	p.old.do(func(fx *effects) { p.old.st.closed(fx, Closed{Reason: SocketLost}) })
	p.ask(p.previd, 0)
	if p.old.st.phase != handing || len(sent) != 1 {
		t.Fatal(p.old.st.phase, sent)
	}
	p.old.do(func(fx *effects) { p.old.st.presenceUndelivered(fx, sent[0]) })
	p.old.do(func(fx *effects) { p.old.st.give(fx) })
	p.new.casts = nil
	p.carry()
	if got := p.new.told(); got != "9" {
		t.Errorf("told %q", got)
	}
}

// TestLostWhileHanding: a session that waits to hand over hears of the loss of its account's node, and of what that doesn't know.
func TestLostWhileHanding(t *testing.T) {
	for name, happens := range map[string]func(st *state, fx *effects){
		"lost": func(st *state, fx *effects) { st.down(fx, st.account(), actors.Reason{Code: actors.CodeNoConnection}) },
		"unheard": func(st *state, fx *effects) {
			st.rebindAsked(fx, &nodepb.Rebind{From: st.account().Proto(), Unheard: true})
		},
	} {
		p := newPair(t)
		p.old.give(unanswered, saying(9))
		p.old.pass(hearTime)
		p.old.do(func(fx *effects) { p.old.st.closed(fx, Closed{Reason: SocketLost}) })
		p.new.now = p.old.now
		p.new.turn()
		p.ask(p.previd, 0)
		p.old.do(func(fx *effects) { happens(p.old.st, fx) })
		p.old.pass(handingTime)
		p.new.casts = nil
		p.carry()
		if got := p.new.told(); got != "9" {
			t.Errorf("%s: told %q", name, got)
		}
	}
}

// TestRepeatedSubscription: it is made again, with what it goes with.
func TestRepeatedSubscription(t *testing.T) {
	const subscribe = "<presence type='subscribe' to='bob@example.org'/>"
	p := newPair(t)
	p.old.give(unanswered, subscribe)
	p.old.answer(&nodepb.SubscriptionDone{}, nil)
	p.old.do(func(fx *effects) { p.old.st.closed(fx, Closed{Reason: SocketLost}) })
	p.resume()
	p.new.give(unanswered, subscribe)
	if len(p.new.calls) != 1 {
		t.Errorf("%d calls", len(p.new.calls))
	}
}

// TestNotRepeatedAtAll: a client that repeats no presence may say later what it said before the last.
func TestNotRepeatedAtAll(t *testing.T) {
	p := resumed(t, saying(8), saying(9))
	p.new.casts = nil
	p.new.give(unanswered, saying(8))
	if got := p.new.told(); got != "" {
		t.Errorf("told %q at once", got)
	}
	p.new.pass(repeatTime)
	if got := p.new.told(); got != "8" {
		t.Errorf("told %q", got)
	}
	p.new.give(saying(9))
	if got := p.new.told(); got != "9" {
		t.Errorf("told %q", got)
	}
}

// TestSubscriptionAfterHandover: an answer to what the heir has to ask again changes nothing.
func TestSubscriptionAfterHandover(t *testing.T) {
	p := newPair(t)
	p.old.give("<presence type='subscribe' to='bob@example.org'/>")
	c := p.old.takeCall()
	p.old.do(func(fx *effects) { p.old.st.closed(fx, Closed{Reason: SocketLost}) })
	p.ask(p.previd, 0)
	p.old.do(func(fx *effects) { p.old.st.give(fx) })
	p.old.do(func(fx *effects) { c.done(fx, &nodepb.SubscriptionDone{}, nil) })
	if p.old.st.phase != given || len(p.old.calls) != 0 {
		t.Error(p.old.st.phase, p.old.calls)
	}
}

// TestRepeatedAndLostAgain: a client that repeats no presence, and whose connection is lost once more, isn't told that the server has what others
// haven't heard: it sends that again, or it is found to have said nothing.
func TestRepeatedAndLostAgain(t *testing.T) {
	p := resumed(t, saying(8), saying(9))
	p.new.give(unanswered, saying(8)) // which it says as something new
	d, _ := p.new.delivered()
	p.new.do(func(fx *effects) { p.new.st.outcome(fx, outcomeOf(bob, d.Seq, nodepb.Code_OK)) })
	if p.new.st.in.handled != 1 {
		t.Errorf("%d are handled", p.new.st.in.handled)
	}
	p.new.do(func(fx *effects) { p.new.st.closed(fx, Closed{Reason: SocketLost}) })
	third := newRigOn(t, p.old.st.shared, "s3")
	third.authenticated()
	p.old, p.new = p.new, third
	p.ask(p.previd, 0)
	p.new.want(p.carry(), "<resumed", "h='1'") // at once: nothing is waited for
	p.new.casts = nil
	p.new.give(saying(8), unanswered)
	if got := p.new.told(); got != "8" {
		t.Errorf("told %q", got)
	}
}

// TestRepeatedDirectedPresenceThatWasLost: it is told when it comes again.
func TestRepeatedDirectedPresenceThatWasLost(t *testing.T) {
	const directed = "<presence to='bob@example.org/pc'/>"
	for name, lose := range map[string]func(p *pair, c cast){
		"refused": func(p *pair, c cast) { p.old.do(func(fx *effects) { c.refused(fx) }) },
		"lost": func(p *pair, c cast) {
			p.old.do(func(fx *effects) { p.old.st.undelivered(fx, c.to, c.msg, actors.ErrNoConnection) })
		},
	} {
		p := newPair(t)
		p.old.give(unanswered, directed)
		lose(p, p.old.casts[len(p.old.casts)-1])
		p.old.do(func(fx *effects) { p.old.st.closed(fx, Closed{Reason: SocketLost}) })
		p.resume()
		p.new.casts = nil
		p.new.give(unanswered, directed)
		if list := castsOf[*nodepb.Presence](p.new); len(list) != 1 {
			t.Errorf("%s: told %v", name, list)
		}
	}
}

// TestRepeatedPresenceThatGrows: what is too long is refused however often it comes.
func TestRepeatedPresenceThatGrows(t *testing.T) {
	big := "<presence><status>" + strings.Repeat(">", bigStanza+1) + "</status></presence>"
	p := resumed(t, big, saying(9))
	p.new.casts = nil
	p.new.give(unanswered, big, saying(1))
	if got := p.new.told(); got != "1" {
		t.Errorf("told %.100q", got)
	}
}

// TestRefusedPresenceIsOld: what the account had no room for isn't told once something newer was.
func TestRefusedPresenceIsOld(t *testing.T) {
	r := boundRig(t)
	r.casts = nil
	r.give(saying(1), gone, saying(2))
	for _, c := range r.casts {
		if p, ok := c.msg.(*nodepb.SetPresence); ok && !strings.Contains(string(p.GetPayload()), "2") {
			r.do(func(fx *effects) { c.refused(fx) })
		}
	}
	r.casts = nil
	r.pass(2 * retryTime)
	if got := r.told(); got != "" {
		t.Errorf("told %q", got)
	}
}

// TestGoodbyeAmongRepetitions: a client that ends its stream doesn't wait for what it might have repeated.
func TestGoodbyeAmongRepetitions(t *testing.T) {
	p := resumed(t, saying(8), saying(9))
	p.new.give(unanswered, saying(8))
	d, _ := p.new.delivered()
	p.new.do(func(fx *effects) { p.new.st.outcome(fx, outcomeOf(bob, d.Seq, nodepb.Code_OK)) })
	got := p.new.do(func(fx *effects) { p.new.st.closed(fx, Closed{Reason: ClientClosed}) })
	p.new.want(got, "h='2'", streamEnd)
}
