package session

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// newPairOfNodes is a session on one node and a new one on another, which know nothing of each other.
func newPairOfNodes(t *testing.T) *pair {
	p := newPair(t)
	p.new = rigOfNode(t, "s2", "m@1")
	p.new.authenticated()
	return p
}

func rigOfNode(t *testing.T, id string, node ident.NodeID) *rig {
	r := &rig{t: t, now: epoch0}
	r.st = newState(testShared(), actors.Ref{Kind: Kind, ID: id, Node: node}, r.now)
	r.turn()
	return r
}

// wire is a message after its way to another node.
func wire[M proto.Message](t *testing.T, m M) M {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	copied := m.ProtoReflect().New().Interface()
	if err := proto.Unmarshal(b, copied); err != nil {
		t.Fatal(err)
	}
	return copied.(M)
}

// takeover lets a session hear the oldest call of another, and returns what it answers, if it does at once.
func takeover(r, heir *rig) *nodepb.Handover {
	r.t.Helper()
	req := heir.calls[0].req.(*nodepb.Takeover)
	if heir.calls[0].to != r.st.self {
		r.t.Fatalf("%v was asked", heir.calls[0].to)
	}
	r.casts = nil
	r.do(func(fx *effects) { r.st.handOver(fx, actors.From{}, wire(r.t, req)) })
	for _, h := range castsOf[*nodepb.Handover](r) {
		return wire(r.t, h)
	}
	return nil
}

// TestResumptionOnAnotherNode: all of the old session's state comes along.
func TestResumptionOnAnotherNode(t *testing.T) {
	p := newPairOfNodes(t)
	p.old.give("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>")
	p.old.answer(&nodepb.Roster{Code: nodepb.Code_OK, Digest: 77}, nil)
	p.old.give(answerSM(1), "<presence to='bob@example.org/pc'/>", "<iq type='get' id='2'><ping xmlns='urn:xmpp:ping'/></iq>")
	p.old.push(row("r1", "one"))
	p.old.do(func(fx *effects) { p.old.st.closed(fx, Closed{Reason: SocketLost}) })
	p.old.do(func(fx *effects) {
		for i := range 3 {
			p.old.st.presenceIn(fx, &nodepb.Presence{From: fmt.Sprintf("bob@example.org/%d", i), To: "alice@example.org"})
		}
	})
	p.ask(p.previd, 1)
	if to := p.new.calls[0].to; to != p.old.st.self {
		t.Fatalf("asked %v", to)
	}
	for _, c := range p.old.casts {
		if h, ok := c.msg.(*nodepb.Handover); ok {
			p.new.answer(wire(t, h), nil)
		}
	}
	b := p.new.calls[0].req.(*nodepb.Bind)
	if actors.RefOf(b.Replaces) != p.old.st.self || b.Stream != "s1" || !b.Interested || b.Since == 0 || b.Resource != "phone" {
		t.Fatalf("the account was asked %v", b)
	}
	p.new.casts = nil
	got := p.new.answer(&nodepb.Bound{Code: nodepb.Code_OK, Resource: "phone", Digest: 78}, nil) // a push is on its way
	p.new.want(got, "<resumed xmlns='urn:xmpp:sm:3' previd='"+p.previd+"' h='3'/>", "type='result' id='2'",
		"from='bob@example.org/0'", "from='bob@example.org/1'", "from='bob@example.org/2'")
	if a := castsOf[*nodepb.Attach](p.new); len(a) != 1 || actors.RefOf(a[0].Replaces) != p.old.st.self || !a[0].Available || a[0].Priority != 2 {
		t.Fatalf("attached %v", a)
	}
	if st := p.new.st; st.roster != 77 || !st.interested || len(st.directed) != 1 {
		t.Fatalf("came along: %d %v %v", st.roster, st.interested, st.directed)
	}
	p.new.give("<presence><priority>3</priority></presence>")
	if a := castsOf[*nodepb.Attach](p.new); len(a) != 1 || a[0].Replaces != nil {
		t.Fatalf("attached %v", a)
	}
	if _, here := p.old.st.heirs.find("s1"); here {
		t.Fatal("the old node keeps what the account knows")
	}
	// Should the account be lost, the next one learns of the stream, too.
	p.new.do(func(fx *effects) { p.new.st.down(fx, accountOf(alice), crashed) })
	if b := p.new.calls[0].req.(*nodepb.Bind); b.Stream != "s1" || b.Replaces != nil {
		t.Fatalf("the account was asked %v", b)
	}
}

// TestResumptionOnAThirdNode: whichever node the client names, the stream is found: the old session says where it went while it lives,
// and after that the account does.
func TestResumptionOnAThirdNode(t *testing.T) {
	for name, test := range map[string]struct {
		old    bool // the previd with the old node
		finder string
	}{
		"old session":  {true, "old"},
		"account":      {true, "account"},
		"the new node": {false, "account"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPairOfNodes(t)
			p.old.do(func(fx *effects) { p.old.st.closed(fx, Closed{Reason: SocketLost}) })
			p.ask(p.previd, 0)
			p.new.want(p.carry(), "<resumed")
			previd := p.new.st.previd()
			if test.old {
				previd = p.previd
			}
			third := rigOfNode(t, "s3", "o@1")
			third.authenticated()
			third.give("<resume xmlns='urn:xmpp:sm:3' previd='" + previd + "' h='0'/>")
			switch test.finder {
			case "old":
				third.answer(takeover(p.old, third), nil)
			case "account":
				p.old.pass(forwardTime)
				if !p.old.stop {
					t.Fatal("the old session lives on")
				}
				if to := third.calls[0].to; (to == p.old.st.self) != test.old || to.ID != "s1" {
					t.Fatalf("asked %v", to)
				}
				third.answer(nil, []error{actors.ErrNoConnection, actors.ErrNoProc}[len(name)%2])
				if f := third.calls[0].req.(*nodepb.FindStream); f.Id != "s1" || third.calls[0].to != accountOf(alice) {
					t.Fatalf("sought %v", f)
				}
				third.answer(&nodepb.StreamFound{Code: nodepb.Code_OK, Session: p.new.st.ref}, nil)
			}
			third.answer(takeover(p.new, third), nil)
			third.want(third.answer(&nodepb.Bound{Code: nodepb.Code_OK, Resource: "phone"}, nil), "<resumed xmlns='urn:xmpp:sm:3' previd='"+previd+"'")
		})
	}
}

// TestResumptionOfTheUnreachable: the client hears so in bounded time, whoever doesn't answer, and can bind.
func TestResumptionOfTheUnreachable(t *testing.T) {
	for name, test := range map[string]struct {
		err  error // of the old session
		then any   // the account's answer
	}{
		"dead":                      {actors.ErrNoConnection, &nodepb.StreamFound{Code: nodepb.Code_NOT_FOUND}},
		"dead, the account as well": {actors.ErrNoConnection, nil},
		"paused":                    {actors.ErrTimeout, &nodepb.StreamFound{Code: nodepb.Code_NOT_FOUND}},
		"dead, as the account says": {actors.ErrNoConnection, &nodepb.StreamFound{Code: nodepb.Code_OK, Session: actors.Ref{Kind: Kind, ID: "s1", Node: "n@1"}.Proto()}},
		"it is this one":            {actors.ErrNoProc, &nodepb.StreamFound{Code: nodepb.Code_OK, Session: actors.Ref{Kind: Kind, ID: "s2", Node: "m@1"}.Proto()}},
		"no answer anybody expects": {nil, &nodepb.StreamFound{}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPairOfNodes(t)
			got := p.new.give("<resume xmlns='urn:xmpp:sm:3' previd='" + p.previd + "' h='0'/>")
			total := p.new.calls[0].timeout
			got += p.new.answer(nil, test.err)
			total += p.new.calls[0].timeout
			if test.then == nil {
				got += p.new.answer(nil, actors.ErrTimeout)
			} else {
				got += p.new.answer(test.then, nil)
			}
			p.new.want(got, "<failed xmlns='urn:xmpp:sm:3'><item-not-found")
			if total > resumeTime || total > loginTime/2 || len(p.new.calls) != 0 {
				t.Fatalf("it may take %v, %d calls are open", total, len(p.new.calls))
			}
			p.new.give(`<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>`)
			p.new.want(p.new.answer(&nodepb.Bound{Code: nodepb.Code_OK, Resource: "x"}, nil), "<jid>alice@example.org/x</jid>")
			// The mailbox hears that the old one, if it is gone, is not to be waited for: what that one held comes first.
			a := castsOf[*nodepb.Attach](p.new)
			if len(a) != 1 || (a[0].Replaces != nil) != (test.err != nil) || test.err != nil && actors.RefOf(a[0].Replaces) != p.old.st.self {
				t.Fatalf("attached %v", a)
			}
			p.new.give("<presence/>")
			if a := castsOf[*nodepb.Attach](p.new); len(a) != 1 || a[0].Replaces != nil {
				t.Fatalf("attached %v", a)
			}
		})
	}
}

// TestResumptionNeverEnds: sessions that send a client on and on don't keep it for ever.
func TestResumptionNeverEnds(t *testing.T) {
	p := newPairOfNodes(t)
	got, start := p.new.give("<resume xmlns='urn:xmpp:sm:3' previd='"+p.previd+"' h='0'/>"), p.new.now
	for i := 0; got == ""; i++ {
		p.new.now = p.new.now.Add(time.Second)
		p.new.turn()
		next := actors.Ref{Kind: Kind, ID: fmt.Sprint("s", i+10), Node: "n@1"}
		got += p.new.answer(&nodepb.Handover{Verdict: nodepb.Handover_MOVED, Heir: next.Proto()}, nil)
	}
	p.new.want(got, "<item-not-found")
	if d := p.new.now.Sub(start); d > resumeTime {
		t.Fatalf("it took %v", d)
	}
}

// TestMovedIsASecret: it is told only to those who know the stream's.
func TestMovedIsASecret(t *testing.T) {
	p := newPairOfNodes(t)
	p.old.do(func(fx *effects) { p.old.st.closed(fx, Closed{Reason: SocketLost}) })
	p.ask(p.previd, 0)
	p.carry()
	third := rigOfNode(t, "s3", "o@1")
	third.authenticated()
	third.give("<resume xmlns='urn:xmpp:sm:3' previd='s1." + strings.Repeat("0", 16) + ".n@1' h='0'/>")
	if h := takeover(p.old, third); h.GetVerdict() != nodepb.Handover_UNKNOWN || h.Heir != nil {
		t.Fatalf("told %v", h)
	}
}

// TestResumptionWhileTheAccountMoves: the old session has given all it had, so that the account is asked until it answers.
func TestResumptionWhileTheAccountMoves(t *testing.T) {
	p := newPairOfNodes(t)
	p.old.do(func(fx *effects) { p.old.st.closed(fx, Closed{Reason: SocketLost}) })
	p.ask(p.previd, 0)
	for _, c := range p.old.casts {
		if h, ok := c.msg.(*nodepb.Handover); ok {
			p.new.answer(wire(t, h), nil)
		}
	}
	p.new.stray(3)
	p.new.want(p.new.answer(&nodepb.Bound{Code: nodepb.Code_OK, Resource: "phone"}, nil), "<resumed")
	if p.old.stop {
		t.Fatal("the old session didn't wait for what still comes")
	}
}
