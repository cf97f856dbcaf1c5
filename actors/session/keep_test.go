package session

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// TestMove: a session that waits asks the other node's keeper, and none that has its client, or has given its stream away.
func TestMove(t *testing.T) {
	p := newPairOfNodes(t)
	move := func() []*nodepb.KeepStream {
		p.old.casts = nil
		p.old.do(func(fx *effects) { p.old.st.move(fx, Move{To: "o@1"}) })
		for _, c := range p.old.casts {
			if c.to != KeeperRef("o@1") {
				t.Fatalf("%v was asked", c.to)
			}
		}
		return castsOf[*nodepb.KeepStream](p.old)
	}
	if got := move(); got != nil {
		t.Fatalf("its client is there, and it asks %v", got)
	}
	p.old.do(func(fx *effects) { p.old.st.closed(fx, Closed{Reason: SocketLost}) })
	for range 2 {
		got := move()
		if len(got) != 1 || got[0].User != string(alice) || got[0].Id != "s1" || !strings.HasPrefix(p.previd, "s1."+got[0].Secret+".") ||
			actors.RefOf(got[0].Session) != p.old.st.self {
			t.Fatalf("asked %v", got)
		}
	}
	p.ask(p.previd, 0)
	if got := move(); got != nil {
		t.Fatalf("it is given away, and it asks %v", got)
	}
}

// keeper is a session that has just been started to keep the old one's stream.
func (p *pair) keeper(id string, node ident.NodeID) *rig {
	r := rigOfNode(p.t, id, node)
	r.do(func(fx *effects) {
		r.st.keep(fx, &nodepb.KeepStream{User: string(alice), Id: p.old.st.sm.id, Secret: p.old.st.sm.secret, Session: p.old.st.ref})
	})
	return r
}

// TestKeep: all of the stream goes to the session that keeps it, which gives it to the client's.
func TestKeep(t *testing.T) {
	p := newPairOfNodes(t)
	p.old.give("<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>") // 1
	p.old.push(row("r1", "one"), row("r2", "two"))                         // 2, 3
	p.old.st.out.skip()                                                    // 4
	p.old.give("<iq type='get' id='2'><ping xmlns='urn:xmpp:ping'/></iq>") // 5
	p.old.do(func(fx *effects) { p.old.st.closed(fx, Closed{Reason: SocketLost}) })
	k := p.keeper("k1", "o@1")
	if !k.st.waits() || k.stop {
		t.Fatal("it isn't counted as one that waits")
	}
	k.answer(takeover(p.old, k), nil)
	b := k.calls[0].req.(*nodepb.Bind)
	if b.Stream != "s1" || actors.RefOf(b.Replaces) != p.old.st.self || !b.Resumed {
		t.Fatalf("the account was asked %v", b)
	}
	k.casts = nil
	if got := k.answer(&nodepb.Bound{Code: nodepb.Code_OK, Resource: "phone"}, nil); got != "" || k.st.phase != detached || !k.st.waits() || p.old.st.waits() {
		t.Fatalf("phase %d, wrote %q", k.st.phase, got)
	}
	k.want(k.took(), "SetPresence{", "Attach{")
	k.do(func(fx *effects) { // 6, which nobody has been sent
		k.st.relayIn(fx, &nodepb.Relay{Resource: "phone", Stanza: []byte("<iq type='result' id='6'/>")})
	})
	p.new.give(fmt.Sprintf("<resume xmlns='urn:xmpp:sm:3' previd='%s' h='2'/>", p.previd))
	p.new.answer(nil, actors.ErrNoConnection) // the old node is gone
	p.new.answer(&nodepb.StreamFound{Code: nodepb.Code_OK, Session: k.st.ref}, nil)
	k.casts = nil
	k.do(func(fx *effects) {
		k.st.handOver(fx, actors.From{}, wire(t, p.new.calls[0].req.(*nodepb.Takeover)))
	})
	if ids, _ := k.ackedKeeping(); fmt.Sprint(ids) != "[r1]" {
		t.Fatalf("acknowledged %v", ids)
	}
	h := castsOf[*nodepb.Handover](k)[0]
	if h.Delivered != 2 || h.Kept != nil || h.Written != 0 {
		t.Fatalf("handed over %v", h)
	}
	p.new.answer(h, nil)
	got := p.new.answer(&nodepb.Bound{Code: nodepb.Code_OK, Resource: "phone"}, nil)
	p.new.want(got, "<resumed xmlns='urn:xmpp:sm:3' previd='"+p.previd+"' h='2'/>", "id='2'", "id='6'")
	if strings.Contains(got, "id='1'") || strings.Contains(got, "body") {
		t.Fatalf("sent again what the client has, or what is the mailbox's: %s", got)
	}
	q := p.keeper("k2", "o@1") // and from the beginning, with nothing unread
	q.answer(&nodepb.Handover{Verdict: nodepb.Handover_GRANTED, Resource: "phone", Delivered: 7, Written: 9}, nil)
	q.answer(&nodepb.Bound{Code: nodepb.Code_OK, Resource: "phone"}, nil)
	if q.st.out.sent != 9 || q.st.out.acked != 7 {
		t.Fatalf("it has %+v", q.st.out)
	}
}

// TestKeepAndTheClientComes: whichever of the two is first, the client has its stream, and only one session has it.
func TestKeepAndTheClientComes(t *testing.T) {
	for name, test := range map[string]func(p *pair, k *rig){
		"before the keeper asks": func(p *pair, k *rig) {
			p.ask(p.previd, 0)
			req := k.takeCall().req.(*nodepb.Takeover)
			h := p.old.casts
			p.old.do(func(fx *effects) { p.old.st.handOver(fx, actors.From{}, req) })
			if got := castsOf[*nodepb.Handover](p.old); len(got) == 0 || got[len(got)-1].Verdict == nodepb.Handover_GRANTED {
				t.Fatalf("the keeper got %v", got)
			}
			k.do(func(fx *effects) { k.st.notResumed(fx, k.st.taking, "") })
			p.old.casts = h
		},
		"while the old one waits for outcomes": func(p *pair, k *rig) {
			n := p.old.st.in.add(1) // which has none
			if h := takeover(p.old, k); h != nil {
				t.Fatalf("the keeper got %v", h)
			}
			p.ask(p.previd, 0)
			if got := castsOf[*nodepb.Handover](p.old); len(got) != 1 || got[0].Verdict != nodepb.Handover_UNKNOWN {
				t.Fatalf("the keeper got %v", got)
			}
			k.answer(&nodepb.Handover{Verdict: nodepb.Handover_UNKNOWN}, nil)
			p.old.do(func(fx *effects) { p.old.st.done(fx, n) })
		},
		"after it, from which it hears where": func(p *pair, k *rig) {
			given := takeover(p.old, k)
			p.new.give(fmt.Sprintf("<resume xmlns='urn:xmpp:sm:3' previd='%s' h='0'/>", p.previd))
			moved := takeover(p.old, p.new)
			if moved.GetVerdict() != nodepb.Handover_MOVED || actors.RefOf(moved.Heir) != k.st.self {
				t.Fatalf("the client got %v", moved)
			}
			p.new.answer(moved, nil)
			if h := takeover(k, p.new); h != nil {
				t.Fatalf("the keeper's session has nothing yet, and said %v", h)
			}
			k.answer(given, nil)
			k.answer(&nodepb.Bound{Code: nodepb.Code_OK, Resource: "phone"}, nil)
			p.old.casts = k.casts
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPairOfNodes(t)
			p.old.do(func(fx *effects) { p.old.st.closed(fx, Closed{Reason: SocketLost}) })
			k := p.keeper("k1", "o@1")
			p.old.casts = nil
			test(p, k)
			p.new.want(p.carry(), "<resumed xmlns='urn:xmpp:sm:3' previd='"+p.previd+"'")
			if k.st.phase != given && !k.stop {
				t.Fatalf("the keeper's session is in phase %d", k.st.phase)
			}
		})
	}
}

// TestKeepOfNothing: a keeper's session without a stream ends, and whoever has claimed that hears so.
func TestKeepOfNothing(t *testing.T) {
	for name, end := range map[string]func(k *rig){
		"gone":    func(k *rig) { k.answer(nil, actors.ErrNoProc) },
		"over":    func(k *rig) { k.answer(&nodepb.Handover{Verdict: nodepb.Handover_OVER}, nil) },
		"moved":   func(k *rig) { k.answer(&nodepb.Handover{Verdict: nodepb.Handover_MOVED, Heir: echoRef.Proto()}, nil) },
		"nothing": func(k *rig) { k.answer(nil, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPairOfNodes(t)
			k := p.keeper("k1", "o@1")
			for range 2 { // the client tries twice
				k.do(func(fx *effects) {
					k.st.handOver(fx, actors.From{}, &nodepb.Takeover{User: string(alice), Id: "s1", Secret: p.old.st.sm.secret})
				})
			}
			k.do(func(fx *effects) { // another keeper's, and one who doesn't know the secret
				k.st.handOver(fx, actors.From{}, &nodepb.Takeover{User: string(alice), Id: "s1", Secret: p.old.st.sm.secret, Keep: true})
				k.st.handOver(fx, actors.From{}, &nodepb.Takeover{User: string(alice), Id: "s1", Secret: "?"})
			})
			if got := castsOf[*nodepb.Handover](k); len(got) != 3 || k.stop {
				t.Fatalf("answered %v", got)
			}
			end(k)
			if got := castsOf[*nodepb.Handover](k); len(got) != 1 || got[0].Verdict != nodepb.Handover_UNKNOWN || !k.stop || k.st.waits() {
				t.Fatalf("answered %v, stopped %v", got, k.stop)
			}
		})
	}
}

// TestStreamIsFoundLater: an account that has just begun on a new node is asked again.
func TestStreamIsFoundLater(t *testing.T) {
	later := &nodepb.StreamFound{Code: nodepb.Code_LATER}
	seek := func(moving bool) *pair {
		p := newPairOfNodes(t)
		p.new.st.Moving = func() bool { return moving }
		p.old.do(func(fx *effects) { p.old.st.closed(fx, Closed{Reason: SocketLost}) })
		p.new.give(fmt.Sprintf("<resume xmlns='urn:xmpp:sm:3' previd='%s' h='0'/>", "s1."+p.old.st.sm.secret+".z@1"))
		p.new.answer(nil, actors.ErrNoConnection)
		return p
	}
	p := seek(true)
	for range 3 {
		if got := p.new.answer(later, nil); got != "" || len(p.new.calls) != 0 {
			t.Fatalf("got %s", got)
		}
		p.new.pass(minPause)
	}
	p.new.answer(&nodepb.StreamFound{Code: nodepb.Code_OK, Session: p.old.st.ref}, nil)
	p.new.answer(takeover(p.old, p.new), nil)
	p.new.want(p.new.answer(&nodepb.Bound{Code: nodepb.Code_OK, Resource: "phone"}, nil), "<resumed")

	p = seek(true)
	got, start := "", p.new.now
	for len(p.new.calls) > 0 {
		got += p.new.answer(later, nil) + p.new.pass(minPause)
	}
	p.new.want(got, "<item-not-found")
	if took := p.new.now.Sub(start); took > findTime+minPause {
		t.Fatalf("it took %v", took)
	}
	p = seek(false) // who begins then does so because nobody has needed it
	p.new.want(p.new.answer(later, nil), "<item-not-found")
}

// TestTheGoneTakeNothing: a session whose client has gone while it sought the stream doesn't take it from where the client has it since.
func TestTheGoneTakeNothing(t *testing.T) {
	for name, answers := range map[string][]any{
		"moved":   {&nodepb.Handover{Verdict: nodepb.Handover_MOVED, Heir: echoRef.Proto()}},
		"unknown": {&nodepb.Handover{Verdict: nodepb.Handover_UNKNOWN}},
		"over":    {&nodepb.Handover{Verdict: nodepb.Handover_OVER}},
		"found":   {&nodepb.Handover{Verdict: nodepb.Handover_UNKNOWN}, &nodepb.StreamFound{Code: nodepb.Code_OK, Session: echoRef.Proto()}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPairOfNodes(t)
			p.new.give(fmt.Sprintf("<resume xmlns='urn:xmpp:sm:3' previd='%s' h='0'/>", p.previd))
			for _, a := range answers[1:] {
				p.new.answer(answers[0], nil)
				answers[0] = a
			}
			p.new.do(func(fx *effects) { p.new.st.closed(fx, Closed{Reason: SocketLost}) })
			if p.new.answer(answers[0], nil); len(p.new.calls) != 0 || !p.new.stop {
				t.Fatalf("it asks %v, stopped %v", p.new.calls, p.new.stop)
			}
		})
	}
}

// TestKeepAmongNodes: streams whose clients are away move from node to node before each ends, and go on wherever the client comes.
func TestKeepAmongNodes(t *testing.T) {
	onNodes(t, func(t *testing.T, c *cloud) {
		b, _ := c.hosts["m@1"].online(bob, "pc")
		a, previd := c.hosts["n@1"].online(alice, "phone")
		c.befriend(a, b)
		b.says(alice, 1)
		a.read()
		b.says(alice, 2)
		a.take(a.got()) // which it doesn't acknowledge
		a.cast(Drain{Host: "elsewhere.example.org"})
		a.got()
		waiting := func(id ident.NodeID) int64 { return c.hosts[id].counters.Waiting.Load() }
		from := ident.NodeID("n@1")
		for i, to := range []ident.NodeID{"o@1", "n@1", "o@1"} {
			b.says(alice, 3+i)
			if waiting(from) != 1 || waiting(to) != 0 {
				t.Fatalf("%d wait on %s, %d on %s", waiting(from), from, waiting(to), to)
			}
			for _, s := range c.hosts[from].children() {
				if err := c.hosts[from].sys.Cast(s, Move{To: to}); err != nil {
					t.Fatal(err)
				}
			}
			b.got()
			if waiting(from) != 0 || waiting(to) != 1 {
				t.Fatalf("%d wait on %s, %d on %s", waiting(from), from, waiting(to), to)
			}
			time.Sleep(2 * forwardTime)
			from = to
		}
		next := &client{conn: c.hosts["n@1"].login(alice).conn, h: c.hosts["n@1"], user: alice, bodies: a.bodies, count: a.count}
		got := next.send(fmt.Sprintf("<resume xmlns='urn:xmpp:sm:3' previd='%s' h='%d'/>", previd, a.count))
		next.want(got, "<resumed xmlns='urn:xmpp:sm:3' previd='"+previd+"'")
		next.take(got)
		b.says(alice, 6)
		next.read()
		next.wantBodies(6, false)
		if b.read(); strings.Contains(b.seen, "unavailable") {
			t.Fatalf("bob saw her go: %s", b.seen)
		}
		if waiting("n@1")+waiting("o@1")+waiting("m@1") != 0 {
			t.Fatal("some still wait")
		}
	})
}
