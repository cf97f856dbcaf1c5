package actors_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// world is two systems and who is where: names that begin with "a" are placed on the first, others on the second.
type world struct {
	systems map[string]*actors.System
	moved   map[string]string
	cut     bool
	watches map[*actors.Watch]func()
	silent  bool // calls have no answer
	asked   []*actors.Asked
}

type side struct {
	w    *world
	name string
}

func (w *world) place(to actors.Ref) string {
	if to.Node != "" {
		return string(to.Node)
	}
	if m, ok := w.moved[to.ID]; ok {
		return m
	}
	if to.ID < "b" {
		return "a@1"
	}
	return "b@1"
}

func (s *side) Local(to actors.Ref) bool { return s.w.place(to) == s.name }

func (s *side) Send(to actors.Ref, sig actors.Signal) error {
	there := s.w.systems[s.w.place(to)]
	if s.w.cut || there == nil {
		return actors.ErrNoConnection
	}
	here := s.w.systems[s.name]
	switch sig.How {
	case actors.HowCast, actors.HowAnswer:
		if err := there.Receive(to, sig); err != nil && sig.How == actors.HowCast {
			_ = here.Bounce(sig.From, actors.Undelivered{To: to, Msg: sig.Msg, Err: err})
		}
	case actors.HowCall:
		if s.w.asked = append(s.w.asked, sig.Call); s.w.silent {
			return nil
		}
		there.Ask(to, sig.Msg, sig.Call.Answer)
	case actors.HowMonitor:
		s.w.watches[sig.Watch] = there.WatchFor(to, sig.Watch.Down)
	case actors.HowDemonitor:
		s.w.watches[sig.Watch]()
	case actors.HowExit:
		_ = there.Receive(to, sig)
	}
	return nil
}

func twoNodes(t *testing.T, f func(t *testing.T, w *world, a, b *actors.System)) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{systems: map[string]*actors.System{}, moved: map[string]string{}, watches: map[*actors.Watch]func(){}}
		var all []*actors.System
		for _, name := range []string{"a@1", "b@1"} {
			s := actors.NewSystem(actors.Config{Workers: 1, Node: ident.NodeID(name)})
			s.SetRouter(&side{w, name})
			w.systems[name] = s
			all = append(all, s)
			if err := s.Start(); err != nil {
				t.Fatal(err)
			}
			defer stop(t, s)
		}
		f(t, w, all[0], all[1])
	})
}

// TestAcrossNodes: casts, calls, monitors and exit signals to an actor of another node are like those to one of this node.
func TestAcrossNodes(t *testing.T) {
	twoNodes(t, func(t *testing.T, w *world, a, b *actors.System) {
		asker := newAgent(t, a, "asker", &restarter{})
		server := newAgent(t, b, "server", &restarter{})
		asker.do(func(ctx *actors.Context) {
			if err := ctx.Cast(server.ref(), "one"); err != nil {
				t.Error(err)
			}
			_ = ctx.Answer(server.ref(), "two")
			ctx.Call(server.ref(), "three", time.Second)
			ctx.Monitor(server.ref())
			m := ctx.Monitor(server.ref())
			ctx.Demonitor(m)
		})
		synctest.Wait()
		if v, err := a.Call(t.Context(), server.ref(), "four"); v != "four" || err != nil {
			t.Errorf("a call from outside: %v, %v", v, err)
		}
		asker.do(func(ctx *actors.Context) { ctx.Exit(server.ref(), actors.Shutdown) })
		synctest.Wait()
		asker.wants(t, "[reply 1 three <nil> down server shutdown]")
		asker.do(func(ctx *actors.Context) {
			ctx.Monitor(server.ref())
			ctx.Call(server.ref(), "five", time.Second)
		})
		synctest.Wait()
		asker.wants(t, fmt.Sprintf("[down server noproc reply 5 <nil> %v]", actors.ErrNoProc))
		w.cut = true
		asker.do(func(ctx *actors.Context) {
			ctx.Monitor(server.ref())
			if err := ctx.Cast(server.ref(), "six"); !errors.Is(err, actors.ErrNoConnection) {
				t.Error(err)
			}
		})
		synctest.Wait()
		asker.wants(t, "[down server noconnection]")
	})
}

// TestCallsOfOneThatEnds: nobody waits any more for the answer to a call whose asker is gone, and who keeps the call can see that before its
// deadline.
func TestCallsOfOneThatEnds(t *testing.T) {
	twoNodes(t, func(t *testing.T, w *world, a, _ *actors.System) {
		asker := newAgent(t, a, "asker", &restarter{})
		w.silent = true
		asker.do(func(ctx *actors.Context) { ctx.Call(actors.Ref{Kind: "agent", ID: "server"}, "one", time.Hour) })
		synctest.Wait()
		if len(w.asked) != 1 || !w.asked[0].Waiting() {
			t.Fatalf("%d calls", len(w.asked))
		}
		asker.do(func(ctx *actors.Context) { ctx.Exit(ctx.Self(), actors.Shutdown) })
		synctest.Wait()
		if w.asked[0].Waiting() {
			t.Error("somebody waits")
		}
		w.asked[0].Answer("late", nil)
	})
}

// mover is an agent that needs a while to retire, and hears what was not delivered.
type mover struct {
	agent
	asked, busy int
}

func (m *mover) Retire(*actors.Context) bool {
	m.asked++
	return m.asked > m.busy
}

func (m *mover) Undelivered(_ *actors.Context, u actors.Undelivered) error {
	m.got = append(m.got, fmt.Sprintf("undelivered %s %v %v", u.To.ID, u.Msg, u.Err))
	return nil
}

func spawnMover(t *testing.T, s *actors.System, id string, busy int) *mover {
	m := &mover{agent: agent{s: s}, busy: busy}
	var err error
	if m.child, err = s.Spawn(actors.Spec{Kind: fmt.Sprint("mover ", id, s.Node()), QueueLen: 8, New: func() actors.Behaviour { return m }},
		actors.Ref{Kind: "agent", ID: id}, nil, &restarter{}); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestRetire: who retires handles answers and no user messages, is asked until it is done or its time is over, and what waits in its
// queue goes to the node that has it next, in order, with what comes later behind it.
func TestRetire(t *testing.T) {
	for _, busy := range []int{0, 3, 1000} {
		twoNodes(t, func(t *testing.T, w *world, a, b *actors.System) {
			old := spawnMover(t, a, "a name", busy)
			next := spawnMover(t, b, "a name", 0)
			watcher := newAgent(t, a, "asker", &restarter{})
			watcher.do(func(ctx *actors.Context) { ctx.Monitor(old.ref()) })
			if a.Retire(actors.Ref{Kind: "agent", ID: "nobody"}, 0) {
				t.Error("nobody retires")
			}
			hold := make(gate)
			_ = a.Cast(old.ref(), do(func(*actors.Context) error { <-hold; return nil }))
			for i := range 3 {
				_ = a.Cast(old.ref(), i)
			}
			answered := make(chan any, 1)
			a.Ask(old.ref(), "question", func(v any, err error) { answered <- fmt.Sprint(v, err) })
			_ = a.Answer(old.ref(), "answer")
			w.moved["a name"] = "b@1"
			if !a.Retire(old.ref(), 2*time.Second) {
				t.Error("it isn't there")
			}
			close(hold)
			begin := time.Now()
			for a.Alive(old.ref()) {
				time.Sleep(time.Millisecond)
			}
			synctest.Wait()
			if want := min(time.Duration(busy)*20*time.Millisecond, 2*time.Second); since(begin) > want+20*time.Millisecond {
				t.Errorf("it took %v", since(begin))
			}
			if err := a.Cast(old.ref(), 3); err != nil {
				t.Fatal(err)
			}
			next.wants(t, "[0 1 2 3]")
			old.wants(t, "[answer]")
			if v := <-answered; v != "question<nil>" {
				t.Errorf("the call that waited was answered %v", v)
			}
			watcher.wants(t, "[down a name shutdown]")
		})
	}
}

// TestUndelivered: who has cast hears that another node has not taken it; others' casts become dead letters.
func TestUndelivered(t *testing.T) {
	twoNodes(t, func(t *testing.T, w *world, a, b *actors.System) {
		m := spawnMover(t, a, "a sender", 0)
		plain := newAgent(t, a, "asker", &restarter{})
		for _, from := range []*agent{&m.agent, plain} {
			from.do(func(ctx *actors.Context) { _ = ctx.Cast(actors.Ref{Kind: "agent", ID: "nobody"}, "hello") })
		}
		m.wants(t, fmt.Sprintf("[undelivered nobody hello %v]", actors.ErrNoProc))
		plain.wants(t, "[]")
		if n := a.Snapshot().DeadLetters["agent"]; n != 1 {
			t.Errorf("%d dead letters", n)
		}
		if err := a.Bounce(actors.Ref{Kind: "agent", ID: "a ghost"}, actors.Undelivered{Msg: 1}); !errors.Is(err, actors.ErrNoProc) {
			t.Errorf("nobody to tell: %v", err)
		}
	})
}

// TestUndeliveredOfOneThatLeft: what waited in the queue of an actor that leaves, or was passed on by it, goes back to whoever sent it if nobody takes
// it at the next node.
func TestUndeliveredOfOneThatLeft(t *testing.T) {
	twoNodes(t, func(t *testing.T, w *world, a, b *actors.System) {
		sender := spawnMover(t, a, "a sender", 0)
		old := spawnMover(t, a, "a name", 0)
		hold := make(gate)
		message, answer := &nodepb.Deliver{SenderRef: sender.ref().Proto()}, &nodepb.Ack{Session: sender.ref().Proto()}
		_ = a.Cast(old.ref(), do(func(ctx *actors.Context) error {
			<-hold
			return ctx.Cast(ctx.Self(), answer)
		}))
		synctest.Wait()
		_ = a.Cast(old.ref(), message)
		w.moved["a name"] = "b@1"
		a.Retire(old.ref(), 2*time.Second)
		close(hold)
		synctest.Wait()
		sender.wants(t, fmt.Sprintf("[undelivered a name %v %v undelivered a name %v %v]", answer, actors.ErrNoProc, message, actors.ErrNoProc))

		// The same should it not even leave.
		old = spawnMover(t, a, "a second", 0)
		hold = make(gate)
		_ = a.Cast(old.ref(), do(func(*actors.Context) error { <-hold; return nil }))
		synctest.Wait()
		_ = a.Cast(old.ref(), message)
		w.moved["a second"], w.cut = "b@1", true
		a.Retire(old.ref(), 2*time.Second)
		close(hold)
		synctest.Wait()
		sender.wants(t, fmt.Sprintf("[undelivered a second %v %v]", message, actors.ErrNoConnection))
	})
}

// TestDisconnect: who watches a name that leaves this node hears so, whether the actor was there or not.
func TestDisconnect(t *testing.T) {
	twoNodes(t, func(t *testing.T, w *world, a, b *actors.System) {
		a.SetActivator("sleeper", &onDemand{a, actors.Spec{Kind: "sleeper"}, &restarter{}})
		b.SetActivator("sleeper", &onDemand{b, actors.Spec{Kind: "sleeper"}, &restarter{}})
		near, far := newAgent(t, a, "asker", &restarter{}), newAgent(t, b, "further", &restarter{})
		sleeper := actors.Ref{Kind: "sleeper", ID: "a sleeper"}
		for _, x := range []*agent{near, far} {
			x.do(func(ctx *actors.Context) {
				ctx.Monitor(sleeper)
				ctx.Monitor(actors.Ref{Kind: "sleeper", ID: "another"})
			})
		}
		a.Disconnect(func(ref actors.Ref) bool { return ref == sleeper })
		near.wants(t, "[down a sleeper noconnection]")
		far.wants(t, "[down a sleeper noconnection]")
	})
}
