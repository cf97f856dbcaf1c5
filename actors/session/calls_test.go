package session

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// strays are the errors of calls that got lost on their way.
var strays = []error{actors.ErrNoConnection, actors.ErrTimeout, actors.ErrNoProc}

// stray loses the oldest call a number of times, each time waiting until it is made again, and returns what the client got.
func (r *rig) stray(times int) (got string) {
	r.t.Helper()
	for i := range times {
		first := r.calls[0]
		got += r.answer(nil, strays[i%len(strays)])
		if len(r.calls) != 0 {
			r.t.Fatal("called again without a pause")
		}
		got += r.pass(2 * maxPause)
		if len(r.calls) != 1 || r.calls[0].req != first.req || r.calls[0].to != first.to {
			r.t.Fatalf("after %d lost calls: %d are under way", i+1, len(r.calls))
		}
	}
	return got
}

// TestCallsAreRepeated: a login, and what follows it, succeeds though the account is just moving.
func TestCallsAreRepeated(t *testing.T) {
	r := newRig(t)
	r.open()
	r.give(plain(password))
	if got := r.stray(2); got != "" {
		t.Fatalf("got %s", got)
	}
	r.want(r.answer(known(), nil), "<success")
	if r.st.Counters.LoginsFailed.Load() != 0 {
		t.Fatal("counted as a wrong password")
	}

	r = newRig(t)
	r.authenticated()
	r.give(`<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>`)
	r.stray(2)
	r.want(r.answer(&nodepb.Bound{Code: nodepb.Code_OK, Resource: "phone"}, nil), "<jid>alice@example.org/phone</jid>")

	r.give("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>")
	r.stray(3)
	r.want(r.answer(&nodepb.Roster{Code: nodepb.Code_OK}, nil), "<iq type='result' id='r'")

	r.give("<iq type='set' id='s'><query xmlns='jabber:iq:roster'><item jid='bob@example.org'/></query></iq>")
	r.stray(1)
	r.want(r.answer(&nodepb.RosterChanged{Code: nodepb.Code_OK}, nil), "<iq type='result' id='s'")
}

// TestCallsAreGivenUp: patience ends, and what isn't lost isn't repeated.
func TestCallsAreGivenUp(t *testing.T) {
	r := boundRig(t)
	r.give("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>")
	start, tries, got := r.now, 0, ""
	for got == "" {
		if len(r.calls) == 0 {
			got += r.pass(minPause)
			continue
		}
		c := r.takeCall()
		if left := start.Add(callPatience).Sub(r.now); c.timeout > left+minPause || c.timeout > readTime {
			t.Fatalf("an answer is awaited for %v, %v before the end", c.timeout, left)
		}
		tries++
		got += r.do(func(fx *effects) { c.done(fx, nil, actors.ErrNoConnection) })
	}
	r.want(got, "<iq type='error' id='r'", "<remote-server-timeout")
	if tries < 5 || tries > 20 || r.now.Sub(start) > callPatience+minPause {
		t.Fatalf("%d tries in %v", tries, r.now.Sub(start))
	}
	r.give("<iq type='get' id='q'><query xmlns='jabber:iq:roster'/></iq>")
	r.want(r.answer(nil, actors.ErrOverloaded), "<iq type='error' id='q'")
}

// TestRemovalWhoseAnswerWasLost: the contact is gone, and the client needn't hear that it was not there. Its account hears all that it
// may have to.
func TestRemovalWhoseAnswerWasLost(t *testing.T) {
	const remove = "<iq type='set' id='s'><query xmlns='jabber:iq:roster'><item jid='bob@example.org' subscription='remove'/></query></iq>"
	r := boundRig(t)
	r.give(remove)
	r.want(r.answer(&nodepb.RosterChanged{Code: nodepb.Code_NOT_FOUND}, nil), "<item-not-found")
	r.give(remove)
	r.stray(1)
	r.want(r.answer(&nodepb.RosterChanged{Code: nodepb.Code_NOT_FOUND}, nil), "<iq type='result' id='s'")
	for _, typ := range []nodepb.PresenceType{nodepb.PresenceType_UNSUBSCRIBE, nodepb.PresenceType_UNSUBSCRIBED} {
		if s, ok := r.calls[0].req.(*nodepb.Subscription); !ok || s.Type != typ || r.calls[0].to != accountOf(bob) {
			t.Fatalf("asked %v", r.calls[0].req)
		}
		r.answer(&nodepb.SubscriptionDone{Code: nodepb.Code_OK}, nil)
	}
}

// TestNobodyCallsForTheGone: calls that wait to be repeated end with the session.
func TestNobodyCallsForTheGone(t *testing.T) {
	r := newRig(t)
	r.open()
	r.give(plain(password))
	r.answer(nil, actors.ErrNoConnection)
	r.do(func(fx *effects) { r.st.closed(fx, Closed{Reason: SocketLost}) })
	if r.pass(time.Minute); len(r.calls) != 0 || !r.stop {
		t.Fatalf("%d calls, stopped %v", len(r.calls), r.stop)
	}
}

// TestBoundInAnothersPlace: the mailbox hears from the session that took a resource whose place it has: what that one held goes first. The
// client gets its address, and all else, once the mailbox has heard, or that is known not to be.
func TestBoundInAnothersPlace(t *testing.T) {
	old := actors.Ref{Kind: Kind, ID: "old", Node: "n@1"}
	begin := func(t *testing.T) (*rig, *nodepb.Attach) {
		r := newRig(t)
		r.authenticated()
		r.give("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>phone</resource></bind></iq>")
		got := r.answer(&nodepb.Bound{Code: nodepb.Code_OK, Resource: "phone", Replaced: old.Proto()}, nil)
		a, ok := r.calls[0].req.(*nodepb.Attach)
		if !ok || actors.RefOf(a.Replaces) != old || !a.Connected || r.calls[0].to != r.st.mail() || got != "" || castsOf[*nodepb.Attach](r) != nil {
			t.Fatalf("attached by %v, wrote %q", r.calls[0].req, got)
		}
		got = r.push(row("r1", "one"))
		got += r.do(func(fx *effects) {
			r.st.relayIn(fx, &nodepb.Relay{Tag: 7, Resource: "phone", SenderRef: echoRef.Proto(), Stanza: []byte("<iq id='7' from='echo@example.org/x'/>")})
			r.st.presenceIn(fx, &nodepb.Presence{From: "bob@example.org/pc", To: "alice@example.org"})
		})
		got += r.give("<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>")
		if got != "" {
			t.Fatalf("wrote %q before the client knows its address", got)
		}
		return r, a
	}
	for name, end := range map[string]struct {
		v    any
		err  error
		cast int // Attach is cast
	}{
		"heard":            {&nodepb.Attached{}, nil, 0},
		"an older version": {nil, errors.New("mailbox: called"), 1},
		"on the move":      {nil, actors.ErrTimeout, 1},
	} {
		t.Run(name, func(t *testing.T) {
			r, _ := begin(t)
			r.casts = nil
			r.want(r.answer(end.v, end.err), "<jid>alice@example.org/phone</jid>", "<iq id='7' from='echo@example.org/x'/>", "id='p'", "<presence from='bob@example.org/pc'", "one")
			a := castsOf[*nodepb.Attach](r)
			if len(a) != end.cast || len(a) > 0 && actors.RefOf(a[0].Replaces) != old {
				t.Fatalf("attached by %v", a)
			}
			r.give("<presence/>")
			if a := castsOf[*nodepb.Attach](r); len(a) != 1 || a[0].Replaces != nil {
				t.Fatalf("attached by %v", a)
			}
		})
	}
	// A client that goes meanwhile.
	r, _ := begin(t)
	r.casts = nil
	r.do(func(fx *effects) { r.st.closed(fx, Closed{Reason: SocketLost}) })
	if f := castsOf[*nodepb.Relay](r); len(f) != 1 || !strings.Contains(string(f[0].Stanza), "type='error' id='7'") {
		t.Fatalf("who asked something heard %v", f)
	}
	if r.answer(&nodepb.Attached{}, nil); !r.stop {
		t.Fatal("the session lives on")
	}
	// And one too many that asks.
	r, _ = begin(t)
	r.casts = nil
	r.do(func(fx *effects) {
		for range maxRelayed {
			r.st.relayIn(fx, &nodepb.Relay{Tag: 8, Resource: "phone", SenderRef: echoRef.Proto(), Stanza: []byte("<iq type='get' id='8' from='echo@example.org/x'/>")})
		}
	})
	if f := castsOf[*nodepb.Relay](r); len(f) != 1 {
		t.Fatalf("who asked something heard %v", f)
	}
}
