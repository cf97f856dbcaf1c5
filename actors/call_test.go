package actors_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
)

// outcomes are the ways in which a call can end, but for the deadline.
var outcomes = []struct {
	name  string
	req   any
	value any
	err   error
}{
	{"a value", "echo", "echo", nil},
	{"nil is an answer", ask(func(*actors.Context, actors.From) (any, error) { return nil, nil }), nil, nil},
	{"an error", ask(func(*actors.Context, actors.From) (any, error) { return nil, errOnPurpose }), nil, errOnPurpose},
	{"an error takes the place of a value", ask(func(*actors.Context, actors.From) (any, error) { return 1, errOnPurpose }), nil, errOnPurpose},
	{"NoReply with an error", ask(func(*actors.Context, actors.From) (any, error) { return actors.NoReply, errOnPurpose }), nil, errOnPurpose},
	{"an answer later", ask(func(ctx *actors.Context, from actors.From) (any, error) {
		return actors.NoReply, ctx.Cast(ctx.Self(), do(func(ctx *actors.Context) error { ctx.Reply(from, "later", nil); return nil }))
	}), "later", nil},
	{"an error later", ask(func(ctx *actors.Context, from actors.From) (any, error) {
		return actors.NoReply, ctx.Cast(ctx.Self(), do(func(ctx *actors.Context) error { ctx.Reply(from, nil, errOnPurpose); return nil }))
	}), nil, errOnPurpose},
	{"an answer from within", ask(func(ctx *actors.Context, from actors.From) (any, error) {
		ctx.Reply(from, "within", nil)
		return actors.NoReply, nil
	}), "within", nil},
	{"an answer and the end", ask(func(ctx *actors.Context, _ actors.From) (any, error) {
		ctx.Stop(actors.Normal)
		return "bye", nil
	}), "bye", nil},
	{"an answer and a crash", ask(func(ctx *actors.Context, _ actors.From) (any, error) {
		ctx.Stop(actors.Crashed(errOnPurpose))
		return "bye", nil
	}), "bye", nil},
	{"a panic", ask(func(*actors.Context, actors.From) (any, error) { panic("on purpose") }), nil, actors.ErrCrashed},
}

// TestCallOutcomes: the same from outside and, as a Reply, from an actor; the deadline of neither is heard afterwards, and no
// answer is taken for a late one.
func TestCallOutcomes(t *testing.T) {
	for _, c := range outcomes {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, actors.Config{}, func(t *testing.T, s *actors.System) {
				asked := newAgent(t, s, "asked", &restarter{restart: true})
				v, err := s.Call(t.Context(), asked.ref(), c.req)
				if v != c.value || !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
					t.Fatalf("got %v, %v; want %v, %v", v, err, c.value, c.err)
				}
				synctest.Wait()
				asked = newAgent(t, s, "asked too", &restarter{restart: true})
				asker := newAgent(t, s, "asker", &restarter{})
				asker.do(func(ctx *actors.Context) { ctx.Call(asked.ref(), c.req, time.Minute) })
				advance(2 * time.Minute)
				asker.wants(t, fmt.Sprintf("[reply 1 %v %v]", c.value, c.err))
				if n := s.Snapshot().LateReplies; n != 0 {
					t.Fatalf("%d late replies", n)
				}
			})
		})
	}
}

// TestCallsThatNobodyTakes: at once, with the reason, and no answer is counted as late.
func TestCallsThatNobodyTakes(t *testing.T) {
	bubble(t, actors.Config{}, func(t *testing.T, s *actors.System) {
		asker := newAgent(t, s, "asker", &restarter{})
		full := newAgent(t, s, "full", &restarter{}, func(s *actors.Spec) { s.QueueLen = 1; s.Blocking = true })
		g := make(gate)
		if err := full.cast(g.wait); err != nil {
			t.Fatal(err)
		}
		if err := full.cast("fills it"); err != nil {
			t.Fatal(err)
		}
		dumb, err := s.Spawn(actors.Spec{Kind: "dumb", New: func() actors.Behaviour { return plain{} }}, actors.Ref{Kind: "dumb", ID: "a"}, nil, &restarter{})
		if err != nil {
			t.Fatal(err)
		}
		s.SetActivator("guest", refuser{})
		for to, want := range map[actors.Ref]error{
			{Kind: "agent", ID: "nobody"}: actors.ErrNoProc, full.ref(): actors.ErrOverloaded,
			dumb.Ref(): actors.ErrNoCall, {Kind: "guest", ID: "a"}: actors.ErrNoProc,
		} {
			begin := time.Now()
			if _, err := s.Call(t.Context(), to, "?"); !errors.Is(err, want) && !errors.Is(err, errOnPurpose) {
				t.Errorf("%v: got %v, want %v", to, err, want)
			}
			asker.do(func(ctx *actors.Context) { ctx.Call(to, "?", time.Minute) })
			if len(asker.got) != 1 || time.Since(begin) != 0 {
				t.Errorf("%v: heard %v after %v", to, asker.got, time.Since(begin))
			}
			asker.got = nil
		}
		close(g)
		if n := s.Snapshot().LateReplies; n != 0 {
			t.Errorf("%d late replies", n)
		}
	})
}

// refuser activates nobody.
type refuser struct{}

func (refuser) Activate(actors.Ref) error { return errOnPurpose }

// TestDeadline: the caller hears ErrTimeout then, and the answer that comes after is dropped and counted.
func TestDeadline(t *testing.T) {
	bubble(t, actors.Config{}, func(t *testing.T, s *actors.System) {
		var from []actors.From
		asked := newAgent(t, s, "asked", &restarter{})
		never := ask(func(_ *actors.Context, f actors.From) (any, error) {
			from = append(from, f)
			return actors.NoReply, nil
		})
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if v, err := s.Call(ctx, asked.ref(), never); v != nil || !errors.Is(err, actors.ErrTimeout) || since(begin) != 3*time.Second {
			t.Fatalf("got %v, %v after %v", v, err, since(begin))
		}
		asker := newAgent(t, s, "asker", &restarter{})
		asker.do(func(ctx *actors.Context) {
			ctx.Call(asked.ref(), never, 3*time.Second)
			ctx.Call(asked.ref(), never, time.Second)
		})
		advance(1100 * time.Millisecond)
		asker.wants(t, "[reply 2 <nil> actors: no answer in time]")
		advance(2 * time.Second)
		asker.wants(t, "[reply 1 <nil> actors: no answer in time]")
		asked.do(func(ctx *actors.Context) {
			for _, f := range from {
				ctx.Reply(f, "too late", nil)
			}
		})
		asker.wants(t, "[]")
		if n := s.Snapshot().LateReplies; n != 3 || len(from) != 3 {
			t.Fatalf("%d late replies of %d", n, len(from))
		}
	})
}

func TestReplyTwice(t *testing.T) {
	bubble(t, actors.Config{}, func(t *testing.T, s *actors.System) {
		asked, asker := newAgent(t, s, "asked", &restarter{}), newAgent(t, s, "asker", &restarter{})
		twice := ask(func(ctx *actors.Context, from actors.From) (any, error) {
			ctx.Reply(from, "first", nil)
			return "second", nil
		})
		if v, err := s.Call(t.Context(), asked.ref(), twice); v != "first" || err != nil {
			t.Fatalf("got %v, %v", v, err)
		}
		asker.do(func(ctx *actors.Context) { ctx.Call(asked.ref(), twice, time.Minute) })
		asker.wants(t, "[reply 1 first <nil>]")
		if n := s.Snapshot().LateReplies; n != 2 {
			t.Fatalf("%d late replies, want 2", n)
		}
	})
}

// TestAnswersAgainstDeadlines: with answers at all times around the deadline each call has exactly one outcome, and those that
// came too late are counted.
func TestAnswersAgainstDeadlines(t *testing.T) {
	bubble(t, actors.Config{}, func(t *testing.T, s *actors.System) {
		rnd := rand.New(rand.NewPCG(3, 4))
		asked, asker := newAgent(t, s, "asked", &restarter{}), newAgent(t, s, "asker", &restarter{})
		const n = 2000
		asker.do(func(ctx *actors.Context) {
			for range n {
				after := time.Duration(rnd.IntN(2000)) * time.Millisecond
				ctx.Call(asked.ref(), ask(func(ctx *actors.Context, from actors.From) (any, error) {
					ctx.SendAfter(after, do(func(ctx *actors.Context) error { ctx.Reply(from, "in time", nil); return nil }))
					return actors.NoReply, nil
				}), time.Second)
			}
		})
		advance(3 * time.Second)
		synctest.Wait()
		seen, late := map[string]bool{}, int64(0)
		for _, m := range asker.got {
			var id int
			if _, err := fmt.Sscanf(m.(string), "reply %d", &id); err != nil || seen[fmt.Sprint(id)] {
				t.Fatalf("%v again, or %v", m, err)
			}
			seen[fmt.Sprint(id)] = true
			if m == fmt.Sprintf("reply %d <nil> %v", id, actors.ErrTimeout) {
				late++
			} else if m != fmt.Sprintf("reply %d in time <nil>", id) {
				t.Fatalf("heard %v", m)
			}
		}
		if counted := s.Snapshot().LateReplies; len(seen) != n || late != counted || late < n/3 || late > 2*n/3 {
			t.Fatalf("%d outcomes, %d after the deadline, %d counted", len(seen), late, counted)
		}
	})
}

// TestCallsOfAnEarlierLife: neither their answers nor their deadlines reach the life after, whose ids are others.
func TestCallsOfAnEarlierLife(t *testing.T) {
	bubble(t, actors.Config{}, func(t *testing.T, s *actors.System) {
		var from actors.From
		asked, asker := newAgent(t, s, "asked", &restarter{}), newAgent(t, s, "asker", &restarter{restart: true})
		keep := ask(func(_ *actors.Context, f actors.From) (any, error) { from = f; return actors.NoReply, nil })
		var first, second actors.CallID
		asker.do(func(ctx *actors.Context) {
			first = ctx.Call(asked.ref(), keep, time.Second)
			ctx.Call(asked.ref(), ask(func(*actors.Context, actors.From) (any, error) { return actors.NoReply, nil }), time.Second)
		})
		_ = asker.cast(crash)
		asker.do(func(ctx *actors.Context) { second = ctx.Call(asked.ref(), "again", time.Minute) })
		asker.wants(t, fmt.Sprintf("[reply %d again <nil>]", second))
		asked.do(func(ctx *actors.Context) { ctx.Reply(from, "for the dead", nil) })
		advance(2 * time.Second)
		asker.wants(t, "[]")
		if first == second || asker.lives != 2 {
			t.Fatalf("calls %d and %d, %d lives", first, second, asker.lives)
		}
	})
}

// TestCallersOfOneThatCrashes: whatever happens to the asked, every caller gets an outcome; those whose call waited in the queue
// are answered by the next life.
func TestCallersOfOneThatCrashes(t *testing.T) {
	bubble(t, actors.Config{Workers: 4}, func(t *testing.T, s *actors.System) {
		asked := newAgent(t, s, "asked", &restarter{restart: true})
		var mu sync.Mutex
		count := map[any]int{}
		var callers sync.WaitGroup
		for i := range 50 {
			callers.Go(func() {
				for k := range 40 {
					var req any = "fine"
					if (i+k)%5 == 0 {
						req = ask(func(*actors.Context, actors.From) (any, error) { panic("on purpose") })
					}
					v, err := s.Call(t.Context(), asked.ref(), req)
					mu.Lock()
					count[fmt.Sprintf("%v %v", v, err)]++
					mu.Unlock()
				}
			})
		}
		callers.Wait()
		synctest.Wait()
		if want := map[any]int{"fine <nil>": 1600, fmt.Sprintf("%v %v", nil, actors.ErrCrashed): 400}; fmt.Sprint(count) != fmt.Sprint(want) {
			t.Fatalf("outcomes %v, want %v", count, want)
		}
		if snap := s.Snapshot(); snap.Restarts != 400 || asked.lives != 401 || snap.LateReplies != 0 {
			t.Fatalf("%d restarts, %d lives, %d late replies", snap.Restarts, asked.lives, snap.LateReplies)
		}
	})
}

// TestCallsOwedByOneThatEnds: who was told to wait for its answer hears at once that none comes, however the callee ends.
func TestCallsOwedByOneThatEnds(t *testing.T) {
	later := ask(func(*actors.Context, actors.From) (any, error) { return actors.NoReply, nil })
	for name, c := range map[string]struct {
		end  func(*agent)
		want error
	}{
		"crash": {func(b *agent) { _ = b.cast(crash) }, actors.ErrCrashed},
		"stop":  {func(b *agent) { b.child.Stop(actors.Shutdown) }, actors.ErrNoProc},
		"kill":  {func(b *agent) { b.child.End(actors.Killed) }, actors.ErrCrashed},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, actors.Config{}, func(t *testing.T, s *actors.System) {
				a, b := newAgent(t, s, "a", &undertaker{}), newAgent(t, s, "b", &undertaker{})
				var answered []actors.From
				a.do(func(ctx *actors.Context) {
					for range 20 {
						ctx.Call(b.ref(), ask(func(_ *actors.Context, from actors.From) (any, error) {
							answered = append(answered, from)
							return actors.NoReply, nil
						}), time.Hour)
					}
				})
				b.do(func(ctx *actors.Context) {
					for _, from := range answered {
						ctx.Reply(from, "!", nil)
					}
				})
				synctest.Wait()
				if len(a.got) != 20 {
					t.Fatalf("%d answers", len(a.got))
				}
				a.got = nil
				a.do(func(ctx *actors.Context) { ctx.Call(b.ref(), later, time.Hour) })
				outside := make(chan error, 1)
				go func() {
					_, err := s.Call(t.Context(), b.ref(), later)
					outside <- err
				}()
				synctest.Wait()
				c.end(b)
				a.wants(t, fmt.Sprintf("[reply 21 <nil> %v]", c.want))
				if err := <-outside; err != c.want {
					t.Errorf("outside: %v", err)
				}
				if n := s.Snapshot().LateReplies; n != 0 {
					t.Errorf("%d late replies", n)
				}
			})
		})
	}
}

// TestLives: a life has a number that no other has.
func TestLives(t *testing.T) {
	bubble(t, actors.Config{}, func(t *testing.T, s *actors.System) {
		seen := map[uint64]string{}
		a, b := newAgent(t, s, "a", &restarter{restart: true}), newAgent(t, s, "b", &restarter{restart: true})
		for i := range 3 {
			for _, x := range []*agent{a, b} {
				name := fmt.Sprint(x.ref(), i)
				for range 2 {
					x.do(func(ctx *actors.Context) {
						if other := seen[ctx.Life()]; other != "" && other != name || ctx.Life() == 0 {
							t.Errorf("%s and %s are %d", name, other, ctx.Life())
						}
						seen[ctx.Life()] = name
					})
				}
				_ = x.cast(crash)
			}
		}
		if len(seen) != 6 {
			t.Errorf("lives %v", seen)
		}
	})
}

// TestCallTimeout: the answer, or that there is none, exactly when the time is over; and a late answer isn't that of a later call.
func TestCallTimeout(t *testing.T) {
	bubble(t, actors.Config{}, func(t *testing.T, s *actors.System) {
		a := newAgent(t, s, "a", &undertaker{})
		var owed []actors.From
		later := ask(func(_ *actors.Context, from actors.From) (any, error) {
			owed = append(owed, from)
			return actors.NoReply, nil
		})
		for range 3 {
			if v, err := s.CallTimeout(a.ref(), "?", time.Second); v != "?" || err != nil {
				t.Fatalf("got %v, %v", v, err)
			}
			begin := time.Now()
			if _, err := s.CallTimeout(a.ref(), later, 5*time.Second); err != actors.ErrTimeout || time.Since(begin) != 5*time.Second {
				t.Fatalf("after %v: %v", time.Since(begin), err)
			}
			a.do(func(ctx *actors.Context) { ctx.Reply(owed[len(owed)-1], "late", nil) })
		}
		if v, err := s.Call(t.Context(), a.ref(), "!"); v != "!" || err != nil {
			t.Errorf("got %v, %v", v, err)
		}
		if _, err := s.CallTimeout(actors.Ref{Kind: "no", ID: "body"}, "?", time.Second); err != actors.ErrNoProc {
			t.Errorf("of nobody: %v", err)
		}
		if n := s.Snapshot().LateReplies; n != 3 {
			t.Errorf("%d late replies", n)
		}
	})
}
