package session

import (
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

const reunionTime = reunionPause + reunionSpread/2 // in these tests

// TestReunion: when the cluster is one again, a session that is available tells its presence and asks for its contacts', once, after a while.
func TestReunion(t *testing.T) {
	reunite := func(r *rig) { r.do(func(fx *effects) { r.st.reunited(fx, reunited{}) }) }
	r := boundRig(t)
	reunite(r)
	r.pass(time.Minute)
	if got := r.took(); got != "" {
		t.Fatalf("a client that sees nobody: %s", got)
	}
	if len(r.calls) != 1 {
		t.Fatalf("it calls %v", r.calls)
	}
	if b, _ := r.calls[0].req.(*nodepb.Bind); !b.GetResumed() || b.GetResource() != "phone" {
		t.Fatalf("it doesn't bind again, to see whether it is known: %v", r.calls)
	}
	r.answer(&nodepb.Bound{Code: nodepb.Code_OK, Resource: "phone"}, nil)
	r.give("<presence><show>away</show></presence>")
	r.casts = nil
	reunite(r)
	r.pass(time.Second)
	reunite(r) // with another one, for which the same will do
	r.pass(reunionTime - time.Second - 1)
	if len(r.casts) != 0 {
		t.Fatalf("too early: %s", r.took())
	}
	r.pass(1)
	if told := castsOf[*nodepb.SetPresence](r); len(told) != 1 || told[0].Quiet || !told[0].Refresh || string(told[0].Payload) != "<show>away</show>" {
		t.Fatalf("asked by %v", told)
	}
	if p := r.st.presence; p.Refresh || p.Quiet {
		t.Fatalf("its presence is %v", p)
	}
	r.pass(time.Minute)
	if len(castsOf[*nodepb.SetPresence](r)) != 0 {
		t.Fatal("asked again")
	}
}

// TestReunionOfWhoIsBusy: what else is due to the account goes first, and a question that gets lost is asked again.
func TestReunionOfWhoIsBusy(t *testing.T) {
	r := boundRig(t)
	r.give("<presence/>")
	r.do(func(fx *effects) { r.st.reunited(fx, reunited{}) })
	r.pass(reunionTime - 1)
	r.casts = nil
	r.do(func(fx *effects) { r.st.down(fx, accountOf(alice), actors.NoConnection) })
	r.pass(spreadTime / 4)
	if told := castsOf[*nodepb.SetPresence](r); len(told) != 0 {
		t.Fatalf("the account doesn't know it: %v", told)
	}
	r.pass(spreadTime / 4)
	r.answer(&nodepb.Bound{Code: nodepb.Code_OK, Resource: "phone"}, nil)
	r.pass(2 * retryTime)
	told := castsOf[*nodepb.SetPresence](r)
	if len(told) != 2 || told[0].Refresh || !told[1].Refresh {
		t.Fatalf("told %v", told)
	}
	r.do(func(fx *effects) { r.st.undelivered(fx, accountOf(alice), told[1], actors.ErrNoConnection) })
	r.pass(reunionTime)
	if told := castsOf[*nodepb.SetPresence](r); len(told) == 0 || !told[len(told)-1].Refresh {
		t.Fatalf("told %v", told)
	}
}

// TestReunionWhileTheAccountMoves: an account that doesn't know the session yet takes no question; it is asked again, whatever the client says
// meanwhile.
func TestReunionWhileTheAccountMoves(t *testing.T) {
	unheard := &nodepb.Rebind{From: accountOf(alice).Proto(), Unheard: true}
	for _, meanwhile := range []string{"", "<presence><show>dnd</show></presence>"} {
		r := boundRig(t)
		r.give("<presence/>")
		r.do(func(fx *effects) { r.st.reunited(fx, reunited{}) })
		r.pass(reunionTime)
		r.casts = nil
		r.do(func(fx *effects) { r.st.rebindAsked(fx, unheard) })
		if meanwhile != "" {
			r.give(meanwhile)
		}
		r.pass(spreadTime)
		r.answer(&nodepb.Bound{Code: nodepb.Code_OK, Resource: "phone"}, nil)
		r.pass(3 * retryTime)
		asked := 0
		told := castsOf[*nodepb.SetPresence](r)
		for _, p := range told {
			if p.Refresh {
				asked++
			}
		}
		if asked != 1 {
			t.Fatalf("%q: asked %d times in %v", meanwhile, asked, told)
		}
		if last := told[len(told)-1]; strings.Contains(meanwhile, "dnd") != strings.Contains(string(last.Payload), "dnd") {
			t.Fatalf("%q: told %v at last", meanwhile, last)
		}
	}
}

// TestReunionOfWhoIsHandedOn: neither a session that has yet to give its state, nor one that waits for it, forgets it; nor one whose question
// the account had no room for.
func TestReunionOfWhoIsHandedOn(t *testing.T) {
	for _, who := range []string{"old", "new", "refused"} {
		p := newPairOfNodes(t)
		if who == "refused" {
			p.old.do(func(fx *effects) { p.old.st.reunited(fx, reunited{}) })
			p.old.pass(reunionTime)
			for _, c := range p.old.casts {
				if _, ok := c.msg.(*nodepb.SetPresence); ok {
					p.old.do(c.refused)
				}
			}
		}
		p.old.give("<message to='bob@example.org' id='m'><body>x</body></message>")
		sent := castsOf[*nodepb.Deliver](p.old)[0]
		p.ask(p.previd, 0)
		if told := map[string]*rig{"old": p.old, "new": p.new}[who]; told != nil {
			told.do(func(fx *effects) { told.st.reunited(fx, reunited{}) })
		}
		p.old.do(func(fx *effects) { p.old.st.outcome(fx, outcomeOf(bob, sent.Seq, nodepb.Code_OK)) })
		for _, c := range p.old.casts {
			if h, ok := c.msg.(*nodepb.Handover); ok {
				p.new.answer(wire(t, h), nil)
			}
		}
		p.new.answer(&nodepb.Bound{Code: nodepb.Code_OK, Resource: "phone", Digest: 78}, nil)
		p.new.casts = nil
		p.new.pass(2 * reunionTime)
		if asked := castsOf[*nodepb.SetPresence](p.new); len(asked) != 1 || !asked[0].Refresh {
			t.Fatalf("%s: asked %v", who, asked)
		}
	}
}

// TestReunionAndResumption: the question isn't lost with the session that was to ask it.
func TestReunionAndResumption(t *testing.T) {
	p := newPairOfNodes(t)
	p.old.do(func(fx *effects) { p.old.st.reunited(fx, reunited{}) })
	p.ask(p.previd, 0)
	for _, c := range p.old.casts {
		if h, ok := c.msg.(*nodepb.Handover); ok {
			p.new.answer(wire(t, h), nil)
		}
	}
	p.new.answer(&nodepb.Bound{Code: nodepb.Code_OK, Resource: "phone", Digest: 78}, nil)
	p.new.casts, p.old.casts = nil, nil
	p.old.pass(2 * reunionTime)
	p.new.pass(reunionTime)
	if told := castsOf[*nodepb.SetPresence](p.new); len(told) != 1 || !told[0].Refresh {
		t.Fatalf("told %v", told)
	}
	if told := castsOf[*nodepb.SetPresence](p.old); len(told) != 0 {
		t.Fatalf("the old one told %v", told)
	}
}

// TestReunions: all sessions of a node are told, once for all reunions that come together.
func TestReunions(t *testing.T) {
	onNodes(t, func(t *testing.T, c *cloud) {
		b, _ := c.hosts["o@1"].online(bob, "pc")
		a, _ := c.hosts["n@1"].online(alice, "phone")
		c.befriend(a, b)
		asks := func() {
			for range 3 {
				if err := c.hosts["n@1"].sys.Cast(KeeperRef("n@1"), Reunion{}); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(reunionWait + reunionPause + reunionSpread)
			a.seen, b.seen = "", ""
			a.read()
			b.read()
		}
		asks()
		if n := strings.Count(a.seen, "<presence from='bob@example.org/pc'"); n != 1 {
			t.Errorf("alice saw bob %d times: %s", n, a.seen)
		}
		if n := strings.Count(b.seen, "<presence from='alice@example.org/phone'"); n != 1 {
			t.Errorf("bob saw alice %d times: %s", n, b.seen)
		}
		b.take(b.send("<presence type='unavailable'/>"))
		asks()
		if !strings.Contains(a.seen, "<presence type='unavailable' from='bob@example.org'") {
			t.Errorf("alice isn't told that bob has gone: %s", a.seen)
		}
	})
}
