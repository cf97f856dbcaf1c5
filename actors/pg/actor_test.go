package pg

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/supervision"
)

var bg = context.Background()

// TestWhatTheManualSays has one case for each sentence of the manual of OTP's pg that applies.
func TestWhatTheManualSays(t *testing.T) {
	for name, f := range map[string]func(r *rig, a, b actors.Ref){
		"a group of processes can be accessed by a common name": func(r *rig, a, b actors.Ref) {
			r.must(r.scope.Join(bg, "g", a, b))
			r.wants("g", "a b")
		},
		"a message can be sent to one, some or all group members": func(r *rig, a, b actors.Ref) {
			r.must(r.scope.Join(bg, "g", a, b, a))
			if n, refused := r.scope.Broadcast(r.sys, "g", "all"); n != 2 || refused != nil {
				r.t.Fatalf("%d have taken it, not %v", n, refused)
			}
			r.must(r.sys.Cast(r.scope.Group("g").At(1), "one"))
			if got := fmt.Sprint(r.all["a"].got, r.all["b"].got); got != "[all] [all one]" {
				r.t.Fatal(got)
			}
		},
		"if a member terminates, it is automatically removed from the group": func(r *rig, a, b actors.Ref) {
			r.must(r.scope.Join(bg, "g", a, b, b))
			r.must(r.scope.Join(bg, "h", b))
			r.end(b)
			r.wants("g", "a")
			r.wants("h", "")
		},
		"a process may join multiple groups": func(r *rig, a, _ actors.Ref) {
			r.must(r.scope.Join(bg, "g", a))
			r.must(r.scope.Join(bg, "h", a))
			r.wants("g", "a")
			r.wants("h", "a")
		},
		"a process can join a group many times and must then leave the group the same number of times": func(r *rig, a, _ actors.Ref) {
			r.must(r.scope.Join(bg, "g", a))
			r.must(r.scope.Join(bg, "g", a))
			r.wants("g", "a a")
			r.must(r.scope.Leave(bg, "g", a))
			r.wants("g", "a")
			r.must(r.scope.Leave(bg, "g", a))
			r.wants("g", "")
		},
		"the list may contain the same process multiple times": func(r *rig, a, b actors.Ref) {
			r.must(r.scope.Join(bg, "g", a, b, a))
			r.wants("g", "a a b")
			r.must(r.scope.Leave(bg, "g", a, a, a))
			r.wants("g", "b")
		},
		"only processes of the local node can join": func(r *rig, _, _ actors.Ref) {
			far := actors.Ref{Kind: "member", ID: "far", Node: "m@1"}
			for _, err := range []error{
				r.scope.Join(bg, "g", far), r.scope.Leave(bg, "g", far), r.scope.CastJoin(r.sys, "g", far), r.scope.CastLeave(r.sys, "g", far),
			} {
				if !errors.Is(err, ErrNotLocal) {
					r.t.Fatal(err)
				}
			}
		},
		"if the process is not a member, not_joined is returned": func(r *rig, a, b actors.Ref) {
			if err := r.scope.Leave(bg, "g", a); !errors.Is(err, ErrNotJoined) {
				r.t.Fatal(err)
			}
			r.must(r.scope.Join(bg, "g", a))
			if err := r.scope.Leave(bg, "g", b, b); !errors.Is(err, ErrNotJoined) {
				r.t.Fatal(err)
			}
		},
		"of a list, only when none of them is joined": func(r *rig, a, b actors.Ref) {
			r.must(r.scope.Join(bg, "g", a))
			r.must(r.scope.Leave(bg, "g", b, a))
			r.wants("g", "")
		},
		"groups are created when a process joins and removed when all have left; one that isn't there is empty": func(r *rig, a, _ actors.Ref) {
			if g := r.scope.WhichGroups(); len(g) != 0 || r.scope.Members("g") != nil || r.scope.Group("g").Len() != 0 {
				r.t.Fatal(g)
			}
			r.must(r.scope.Join(bg, "g", a))
			if g := r.scope.WhichGroups(); fmt.Sprint(g) != "[g]" || fmt.Sprint(r.scope.WhichLocalGroups()) != "[g]" {
				r.t.Fatal(g)
			}
			r.must(r.scope.Leave(bg, "g", a))
			if g := r.scope.WhichGroups(); len(g) != 0 {
				r.t.Fatal(g)
			}
		},
		"scopes are completely independent of each other": func(r *rig, a, _ actors.Ref) {
			other := New(r.sys, "other")
			spec := Spec(other)
			root, err := supervision.StartRoot(r.sys, supervision.SupervisorSpec{ID: "root2", Children: []supervision.ChildSpec{spec}})
			r.must(err)
			r.must(r.scope.Join(bg, "g", a))
			r.must(other.Join(bg, "h", a))
			r.wants("h", "")
			if got := ids(other.Members("h")); got != "a" || other.Members("g") != nil {
				r.t.Fatal(got)
			}
			r.must(root.Stop(bg))
			r.wants("g", "a")
		},
		"the members of this node alone": func(r *rig, a, _ actors.Ref) {
			r.must(r.scope.Join(bg, "g", a))
			r.scope.PeerUp("m@1")
			far := []Membership{{"g", namedAll("x x")}, {"h", namedAll("y")}}
			r.must(r.scope.Receive("m@1", &Update{Whole: true, Joined: far}))
			r.wants("g", "a x x")
			if got := ids(r.scope.LocalMembers("g")); got != "a" || r.scope.LocalMembers("h") != nil || fmt.Sprint(r.scope.WhichLocalGroups()) != "[g]" {
				r.t.Fatal(got)
			}
			if g := r.scope.Group("g"); g.Len() != 2 || g.Local() != 1 || g.At(1) != named("x") {
				r.t.Fatal("not this node's first")
			}
		},
		"monitor returns the members and a reference, and updates follow": func(r *rig, a, b actors.Ref) {
			r.must(r.scope.Join(bg, "g", a))
			r.on(b, func(ctx *actors.Context) error { _, err := r.scope.Monitor(ctx, "g"); return err })
			r.hears("b", "current g: a;")
			r.must(r.scope.Join(bg, "g", b, b))
			r.must(r.scope.Join(bg, "h", b))
			r.must(r.scope.Leave(bg, "g", b))
			r.hears("b", "join g: b b, leave g: b")
			r.end(a)
			r.hears("b", "leave g: a")
		},
		"monitor_scope returns the whole scope, and updates of all groups follow": func(r *rig, a, b actors.Ref) {
			r.must(r.scope.Join(bg, "g", a))
			r.must(r.scope.Join(bg, "h", a))
			r.on(b, func(ctx *actors.Context) error { _, err := r.scope.MonitorScope(ctx); return err })
			r.hears("b", "current g: a; h: a;")
			r.must(r.scope.Join(bg, "i", b))
			r.end(a)
			r.hears("b", "join i: b, leave h: a, leave g: a")
		},
		"demonitor unsubscribes": func(r *rig, a, b actors.Ref) {
			var m, whole MonitorRef
			r.on(b, func(ctx *actors.Context) (err error) { m, err = r.scope.Monitor(ctx, "g"); return err })
			r.on(b, func(ctx *actors.Context) (err error) { whole, err = r.scope.MonitorScope(ctx); return err })
			r.hears("b", "current , current ")
			r.on(a, func(ctx *actors.Context) error { return r.scope.Demonitor(ctx, m) }) // not its own
			r.on(b, func(ctx *actors.Context) error { return r.scope.Demonitor(ctx, whole) })
			r.must(r.scope.Join(bg, "g", a))
			r.hears("b", "join g: a")
			r.on(b, func(ctx *actors.Context) error { return r.scope.Demonitor(ctx, m) })
			r.must(r.scope.Leave(bg, "g", a))
			r.hears("b", "")
		},
		"a monitor goes with its owner": func(r *rig, a, b actors.Ref) {
			r.on(b, func(ctx *actors.Context) error { _, err := r.scope.Monitor(ctx, "g"); return err })
			r.crash(b)
			r.must(r.scope.Join(bg, "g", a))
			r.hears("b", "current ")
		},
		"an empty list joins nothing": func(r *rig, a, _ actors.Ref) {
			r.must(r.scope.Join(bg, "g"))
			if r.scope.WhichGroups() != nil {
				r.t.Fatal("an empty group")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(r *rig) { f(r, r.start("a"), r.start("b")) })
		})
	}
}

// TestACrashEndsMembership: a membership is of one life. The next one joins in its Init.
func TestACrashEndsMembership(t *testing.T) {
	run(t, func(r *rig) {
		again := func(ctx *actors.Context) { _ = r.scope.CastJoin(ctx, "g", ctx.Self()) }
		a, b := r.start("a", again), r.start("b")
		r.must(r.scope.Join(bg, "g", b))
		r.on(b, func(ctx *actors.Context) error { _, err := r.scope.MonitorScope(ctx); return err })
		for range 3 {
			r.crash(a)
		}
		r.wants("g", "a b")
		r.hears("b", "current g: a b;"+strings.Repeat(", leave g: a, join g: a", 3))
		r.crash(b)
		r.wants("g", "a")
		if r.all["a"].lives != 4 || r.all["b"].lives != 2 {
			t.Fatal("not restarted")
		}
	})
}

// TestAQueuedJoinOfACrashedLife: the life after doesn't count for it too.
func TestAQueuedJoinOfACrashedLife(t *testing.T) {
	run(t, func(r *rig) {
		var failed bool
		a := r.start("a", func(ctx *actors.Context) { failed = r.scope.CastJoin(ctx, "g", ctx.Self()) != nil || failed })
		b := r.start("b")
		r.must(r.scope.Join(bg, "g", a)) // by somebody else, with no life that is known
		r.crash(a)
		r.wants("g", "a")
		hold := make(chan struct{})
		r.must(r.sys.Cast(r.scope.Ref(), hold))
		r.on(a, func(ctx *actors.Context) error {
			failed = errors.Join(r.scope.CastJoin(ctx, "g", ctx.Self(), b), r.scope.CastJoin(ctx, "h", ctx.Self())) != nil || failed
			return errOnPurpose
		})
		r.crash(a)
		time.Sleep(time.Second) // what waits behind the scope's worker goes on elsewhere
		synctest.Wait()
		if r.all["a"].lives != 4 || failed {
			t.Fatal("not restarted", failed)
		}
		close(hold)
		r.wants("g", "a b")
		r.wants("h", "")
		r.on(a, func(ctx *actors.Context) error { return r.scope.CastLeave(ctx, "g", ctx.Self()) })
		r.wants("g", "b")
	})
}

// TestACrashWhileTheScopeHasNoLife: the next one finds the same Ref, and learns that it is another life.
func TestACrashWhileTheScopeHasNoLife(t *testing.T) {
	run(t, func(r *rig) {
		a := r.start("a", func(ctx *actors.Context) { _ = r.scope.CastJoin(ctx, "g", ctx.Self()) })
		b := r.start("b")
		r.on(b, func(ctx *actors.Context) error { _, err := r.scope.Monitor(ctx, "g"); return err })
		r.must(r.scope.Join(bg, "h", a))
		r.hears("b", "current g: a;")
		r.hold = make(chan struct{})
		r.must(r.sys.Cast(r.scope.Ref(), poison))
		r.crash(a)
		time.Sleep(time.Second) // what waits behind the scope's worker goes on elsewhere
		synctest.Wait()
		if r.all["a"].lives != 2 {
			t.Fatal("not restarted")
		}
		close(r.hold)
		r.wants("g", "a")
		r.wants("h", "a")
		r.hears("b", "current g: a;, leave g: a, join g: a")
	})
}

// TestAJoinOfNobody: who isn't there leaves at once.
func TestAJoinOfNobody(t *testing.T) {
	run(t, func(r *rig) {
		a := r.start("a")
		r.on(a, func(ctx *actors.Context) error { _, err := r.scope.Monitor(ctx, "g"); return err })
		r.must(r.scope.Join(bg, "g", named("nobody")))
		r.wants("g", "")
		r.hears("a", "current , join g: nobody, leave g: nobody")
	})
}

// TestJoinsOfActors: casts of one actor are done in order.
func TestJoinsOfActors(t *testing.T) {
	run(t, func(r *rig) {
		a := r.start("a")
		r.on(a, func(ctx *actors.Context) error {
			self := []actors.Ref{ctx.Self(), ctx.Self()}
			err := errors.Join(r.scope.CastJoin(ctx, "g", self...), r.scope.CastLeave(ctx, "g", self[0]), r.scope.CastLeave(ctx, "h", self[0]))
			clear(self) // the list stays the caller's own
			return err
		})
		r.wants("g", "a")
	})
}

// TestTheScopeCrashes: readers see the groups all the time, the next life goes on with them, and what happened meanwhile is not lost.
func TestTheScopeCrashes(t *testing.T) {
	run(t, func(r *rig) {
		a, b, c := r.start("a"), r.start("b"), r.start("c")
		r.must(r.scope.Join(bg, "g", a, b, b))
		r.must(r.scope.Join(bg, "h", c))
		r.on(a, func(ctx *actors.Context) error { _, err := r.scope.Monitor(ctx, "g"); return err })
		r.on(c, func(ctx *actors.Context) error { _, err := r.scope.MonitorScope(ctx); return err })
		r.scope.PeerUp("m@1")
		r.scope.PeerUp("m@2")
		r.must(r.scope.Receive("m@1", &Update{Joined: []Membership{{"g", namedAll("x")}}}))
		r.must(r.scope.Receive("m@2", &Update{Joined: []Membership{{"i", namedAll("y")}}}))
		r.hears("a", "current g: a b b;, join g: x")
		r.hears("c", "current g: a b b; h: c;, join g: x, join i: y")

		r.must(r.sys.Cast(r.scope.Ref(), poison))
		r.wants("g", "a b b x")
		r.hears("a", "current g: a b b x;")
		r.hears("c", "current g: a b b x; h: c; i: y;")

		// The end of b and of a node overtake the crash in the scope's queue: they come into no life, or in the next.
		r.must(errors.Join(r.sys.Cast(r.scope.Ref(), poison), r.sys.Cast(b, do(func(ctx *actors.Context) error { ctx.Stop(actors.Normal); return nil }))))
		r.scope.PeerDown("m@2")
		r.wants("g", "a x")
		r.wants("i", "")
		r.must(r.scope.Join(bg, "g", c))
		r.all["c"].ear.heard = nil
		if got := draw(r.all["c"].ear.groups); got != "g: a c x; h: c; " {
			t.Fatal(got)
		}
		r.must(r.scope.Leave(bg, "g", a))
		r.end(c)
		r.wants("g", "x")
		if got := fmt.Sprint(r.scope.WhichGroups()); got != "[g]" {
			t.Fatal(got)
		}
	})
}

// TestTheScopeEnds: as in OTP, nothing is left, and who has to know monitors it.
func TestTheScopeEnds(t *testing.T) {
	run(t, func(r *rig) {
		a := r.start("a")
		r.sys.SetActivator("sleeper", nobody{})
		r.must(r.scope.Join(bg, "g", a, actors.Ref{Kind: "sleeper", ID: "s"}))
		r.on(a, func(ctx *actors.Context) error {
			ctx.Monitor(r.scope.Ref())
			_, err := r.scope.Monitor(ctx, "g")
			return err
		})
		r.hears("a", "current g: a s;")
		r.must(r.sys.Cast(r.scope.Ref(), "what it doesn't understand"))
		if _, err := r.sys.Call(bg, r.scope.Ref(), "nor this"); !errors.Is(err, actors.ErrNoCall) {
			t.Fatal(err)
		}
		r.wants("g", "a s")
		r.must(r.root.Stop(bg))
		r.wants("g", "")
		if _, nodes, _ := r.scope.left(); len(r.scope.WhichGroups()) != 0 || len(r.scope.kept.watchers) != 0 || nodes != nil {
			t.Fatal("something is left")
		}
		if err := r.scope.Join(bg, "g", a); !errors.Is(err, actors.ErrNoProc) {
			t.Fatal(err)
		}
	})
}

// TestAWatcherThatIsFull misses changes and is told all anew.
func TestAWatcherThatIsFull(t *testing.T) {
	run(t, func(r *rig) {
		a, b := r.start("a"), r.start("b")
		r.on(b, func(ctx *actors.Context) error { _, err := r.scope.Monitor(ctx, "g"); return err })
		hold := make(chan struct{})
		r.must(r.sys.Cast(b, do(func(*actors.Context) error { <-hold; return nil })))
		for i := range 20 { // its queue takes 4
			r.must(r.scope.Join(bg, "g", a))
			if i%2 == 0 {
				r.must(r.scope.Leave(bg, "g", a))
			}
		}
		time.Sleep(time.Second) // tried again all the time
		r.hears("b", "current ")
		close(hold)
		time.Sleep(2 * retryTime)
		r.hears("b", "join g: a, leave g: a, join g: a, join g: a, current g: "+strings.Repeat("a ", 9)+"a;")
		r.must(r.scope.Join(bg, "g", b))
		r.hears("b", "join g: b")
	})
}

// TestBroadcast: a message goes to each member once, what is refused comes back, and large groups are told in parts.
func TestBroadcast(t *testing.T) {
	run(t, func(r *rig) {
		var list []actors.Ref
		for i := range 5 {
			list = append(list, r.start(fmt.Sprint(i)))
		}
		r.must(r.scope.Join(bg, "g", list...))
		r.must(r.scope.Join(bg, "g", list...))
		r.end(list[4])
		hold := make(chan struct{})
		r.must(r.sys.Cast(list[0], do(func(*actors.Context) error { <-hold; return nil })))
		var fulls int
		for range 6 {
			n, refused := r.scope.Broadcast(r.sys, "g", "all")
			if n+len(refused) != 4 {
				t.Fatalf("%d and %v", n, refused)
			}
			for _, x := range refused {
				if x.To != list[0] || !errors.Is(x.Err, actors.ErrOverloaded) {
					t.Fatalf("%v refuses: %v", x.To, x.Err)
				}
				fulls++
			}
			synctest.Wait()
		}
		close(hold)
		synctest.Wait()
		if got := r.all["1"].got; len(got) != 6 || fulls != 2 {
			t.Fatalf("1 has got %v, %d were refused", got, fulls)
		}
		g := r.scope.Group("g")
		r.end(list[3])
		var parts []int
		var refused []Refusal
		for i := 0; i < g.Len(); {
			var no []Refusal
			i, no = g.Cast(r.sys, "part", i, 3)
			parts, refused = append(parts, i), append(refused, no...)
		}
		if fmt.Sprint(parts) != "[3 4]" || len(refused) != 1 || refused[0].To != list[3] || !errors.Is(refused[0].Err, actors.ErrNoProc) {
			t.Fatalf("parts %v, refused %v", parts, refused)
		}
		if next, _ := g.Cast(r.sys, "none", 9, 9); next != 4 {
			t.Fatal(next)
		}
		n := 0
		for range g.All() {
			if n++; n == 2 {
				break
			}
		}
		for range r.scope.Group("nothing").All() {
			t.Fatal("somebody in an empty group")
		}
	})
}

// TestManyMembers: a group of a hundred thousand, joined by each on its own, and left.
func TestManyMembers(t *testing.T) {
	n := 100_000
	if testing.Short() {
		n = 10_000
	}
	run(t, func(r *rig) {
		list := make([]actors.Ref, n)
		for i := range list {
			list[i] = named(fmt.Sprint(i)) // of nobody, so that they leave again
		}
		r.must(r.scope.Join(bg, "g", r.start("a")))
		for _, ref := range list {
			if err := r.scope.CastJoin(r.sys, "g", ref); errors.Is(err, actors.ErrOverloaded) {
				synctest.Wait()
			}
		}
		r.wants("g", "a")
	})
}

// TestReadersBesideWriters reads from other goroutines while members come and go.
func TestReadersBesideWriters(t *testing.T) {
	run(t, func(r *rig) {
		a, b := r.start("a"), r.start("b")
		r.must(r.scope.Join(bg, "g", a))
		var over atomic.Bool
		done := make(chan string, 4)
		for range cap(done) {
			go func() {
				fault := ""
				for !over.Load() {
					g := r.scope.Group("g")
					if n := len(r.scope.Members("g")); g.Len() < 1 || n < 1 || g.At(0) != a {
						fault = fmt.Sprintf("%d of %d", g.Len(), n)
					}
					_, _ = r.scope.WhichGroups(), r.scope.LocalMembers("h")
					runtime.Gosched() // the writers need the cores too
				}
				done <- fault
			}()
		}
		for range 200 {
			r.must2(r.scope.Join(bg, "g", b, a, b))
			r.must2(r.scope.Leave(bg, "g", b, b, a))
			r.must2(r.scope.Join(bg, "h", b))
			r.must2(r.scope.Leave(bg, "h", b))
		}
		over.Store(true)
		for range cap(done) {
			if fault := <-done; fault != "" {
				t.Error(fault)
			}
		}
	})
}
