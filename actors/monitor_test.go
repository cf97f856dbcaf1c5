package actors_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
)

// TestOneDownPerMonitor: whatever ends the target, and however often it is told to end.
func TestOneDownPerMonitor(t *testing.T) {
	stopWith := func(r actors.Reason) func(*agent) {
		return func(a *agent) { a.do(func(ctx *actors.Context) { ctx.Stop(r) }) }
	}
	for name, c := range map[string]struct {
		end  func(*agent)
		want string
	}{
		"normal":             {stopWith(actors.Normal), "normal"},
		"shutdown":           {stopWith(actors.Shutdown), "shutdown"},
		"killed":             {stopWith(actors.Killed), "killed"},
		"crash":              {func(a *agent) { _ = a.cast(crash) }, "crashed: on purpose"},
		"crash, end":         {func(a *agent) { _ = a.cast(crash); a.child.End(actors.Shutdown) }, "crashed: on purpose"},
		"stop twice":         {func(a *agent) { a.child.Stop(actors.Shutdown); a.child.Stop(actors.Normal) }, "shutdown"},
		"stop, end":          {func(a *agent) { a.child.Stop(actors.Shutdown); synctest.Wait(); a.child.End(actors.Killed) }, "shutdown"},
		"end twice":          {func(a *agent) { a.child.End(actors.Killed); a.child.End(actors.Normal) }, "killed"},
		"stop after a crash": {func(a *agent) { _ = a.cast(crash); a.child.Stop(actors.Shutdown) }, "crashed: on purpose"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, actors.Config{}, func(t *testing.T, s *actors.System) {
				target, watcher := newAgent(t, s, "t", &undertaker{}), newAgent(t, s, "w", &restarter{})
				var first, second actors.MonitorRef
				watcher.do(func(ctx *actors.Context) { first, second = ctx.Monitor(target.ref()), ctx.Monitor(target.ref()) })
				c.end(target)
				watcher.wants(t, fmt.Sprintf("[down t %s down t %s]", c.want, c.want))
				advance(time.Minute)
				if watcher.wants(t, "[]"); first == second {
					t.Fatal("two monitors have one name")
				}
			})
		})
	}
}

// TestMonitorOfNobody: at once, and as the name stands: with a node it is another actor.
func TestMonitorOfNobody(t *testing.T) {
	bubble(t, actors.Config{Node: "here@1"}, func(t *testing.T, s *actors.System) {
		watcher := newAgent(t, s, "w", &restarter{})
		placed := newAgent(t, s, "a", &restarter{})
		p := &agent{s: s}
		var err error
		p.child, err = s.Spawn(actors.Spec{Kind: "pinned", New: func() actors.Behaviour { return p }}, actors.Ref{Kind: "agent", ID: "a", Node: "here@1"}, nil, &restarter{})
		if err != nil {
			t.Fatal(err)
		}
		for _, ref := range []actors.Ref{{Kind: "agent", ID: "nobody"}, {Kind: "agent", ID: "a", Node: "there@1"}, {}, placed.ref(), p.ref()} {
			watcher.do(func(ctx *actors.Context) { ctx.Monitor(ref) })
		}
		watcher.wants(t, "[down nobody noproc down a noproc down  noproc]")
		placed.do(func(ctx *actors.Context) { ctx.Stop(actors.Shutdown) })
		watcher.wants(t, "[down a shutdown]")
		p.do(func(ctx *actors.Context) { ctx.Stop(actors.Normal) })
		watcher.wants(t, "[down a normal]")
	})
}

// TestDemonitor: no Down is seen afterwards, not even one that waited in the queue already.
func TestDemonitor(t *testing.T) {
	bubble(t, actors.Config{}, func(t *testing.T, s *actors.System) {
		target, watcher := newAgent(t, s, "t", &restarter{}), newAgent(t, s, "w", &restarter{}, func(s *actors.Spec) { s.Blocking = true })
		var m [3]actors.MonitorRef
		watcher.do(func(ctx *actors.Context) {
			for i := range m {
				m[i] = ctx.Monitor(target.ref())
			}
			ctx.Demonitor(m[0])
			ctx.Demonitor(m[0])
			ctx.Demonitor(m[0] + 1000)
		})
		g := make(gate)
		_ = watcher.cast(func(ctx *actors.Context) error {
			<-g
			ctx.Demonitor(m[1])
			return nil
		})
		target.do(func(ctx *actors.Context) { ctx.Stop(actors.Normal) })
		close(g)
		watcher.wants(t, "[down t normal]")
		watcher.do(func(ctx *actors.Context) { ctx.Demonitor(m[2]) }) // it has told
		watcher.wants(t, "[]")
	})
}

// TestMonitorAcrossLives: a crash is told at once; one who watches the dead hears of the life after; a watcher's own monitors end
// with its life.
func TestMonitorAcrossLives(t *testing.T) {
	bubble(t, actors.Config{}, func(t *testing.T, s *actors.System) {
		own := &undertaker{}
		target, watcher := newAgent(t, s, "t", own), newAgent(t, s, "w", &restarter{restart: true})
		watch := func() { watcher.do(func(ctx *actors.Context) { ctx.Monitor(target.ref()) }) }
		watch()
		_ = target.cast(crash)
		watcher.wants(t, "[down t crashed: on purpose]")
		watch() // it lies there: neither alive nor ended
		watcher.wants(t, "[]")
		own.crashed.Restart()
		watcher.wants(t, "[]")
		_ = watcher.cast(crash)
		target.do(func(ctx *actors.Context) { ctx.Stop(actors.Normal) })
		watcher.wants(t, "[]")
		watch()
		watcher.wants(t, "[down t noproc]")
	})
}

// TestMonitorWhileItEnds: however a monitor and the end meet, there is one Down, and a message to the watcher after it finds the
// target gone.
func TestMonitorWhileItEnds(t *testing.T) {
	bubble(t, actors.Config{Workers: 4}, func(t *testing.T, s *actors.System) {
		const targets, watchers = 200, 10
		var downs [targets]atomic.Int64
		var ws []actors.Ref
		for w := range watchers {
			c := spawn(t, s, fmt.Sprint("w", w), &restarter{}, &probe{handle: func(ctx *actors.Context, m any) error {
				switch m := m.(type) {
				case actors.Ref:
					ctx.Monitor(m)
				case actors.Down:
					var i int
					if _, err := fmt.Sscan(m.Target.ID, &i); err != nil || m.Reason != actors.Shutdown && m.Reason != actors.NoProc {
						t.Errorf("heard %v", m)
					}
					downs[i].Add(1)
					if err := ctx.Cast(m.Target, "hello"); err != actors.ErrNoProc {
						t.Errorf("after its Down %v answered %v", m.Target, err)
					}
				}
				return nil
			}})
			ws = append(ws, c.Ref())
		}
		for i := range targets {
			target := newAgent(t, s, fmt.Sprint(i), &restarter{})
			for _, w := range ws {
				_ = s.Cast(w, target.ref())
			}
			target.child.Stop(actors.Shutdown)
		}
		synctest.Wait()
		for i := range downs {
			if n := downs[i].Load(); n != watchers {
				t.Fatalf("%d watchers of target %d heard %d Downs", watchers, i, n)
			}
		}
	})
}
