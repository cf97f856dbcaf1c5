package actors_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
)

// TestNames: who has a name gets what is sent to it, calls and monitors and links included; a restart keeps it, the end takes it.
func TestNames(t *testing.T) {
	bubble(t, actors.Config{}, func(t *testing.T, s *actors.System) {
		a, b := newAgent(t, s, "a", &restarter{restart: true}), newAgent(t, s, "b", &undertaker{})
		boss := actors.Named("boss")
		if err := s.Cast(boss, "early"); !errors.Is(err, actors.ErrNoProc) {
			t.Errorf("a name that nobody has: %v", err)
		}
		b.do(func(ctx *actors.Context) { ctx.TrapExit(true); ctx.Monitor(boss); ctx.Link(boss) })
		b.wants(t, "[down boss noproc exit boss noproc]")
		for _, name := range []string{"boss", "chief"} {
			if err := s.Register(name, a.ref()); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Register("boss", b.ref()); !errors.Is(err, actors.ErrExists) {
			t.Errorf("a name that is taken: %v", err)
		}
		for _, ref := range []actors.Ref{{Kind: "agent", ID: "nobody"}, boss, {}} {
			if err := s.Register("other", ref); err == nil {
				t.Errorf("%v got a name", ref)
			}
		}
		if err := s.Register("", a.ref()); err == nil {
			t.Error("the empty name was given")
		}
		_ = s.Cast(boss, "work")
		_ = s.Answer(actors.Named("chief"), "answer")
		b.do(func(ctx *actors.Context) { ctx.Call(boss, "?", time.Second) })
		a.wants(t, "[answer work]")
		b.wants(t, "[reply 2 ? <nil>]")
		b.do(func(ctx *actors.Context) { ctx.Monitor(boss); ctx.Link(actors.Named("chief")) })
		_ = a.cast(crash)
		b.wants(t, "[exit a crashed: on purpose down a crashed: on purpose]")
		if ref, ok := s.WhereIs("boss"); !ok || ref != a.ref() || a.lives != 2 {
			t.Errorf("after a restart the name is that of %v", ref)
		}
		if !s.Unregister("chief") || s.Unregister("chief") {
			t.Error("a name can be taken away other than once")
		}
		a.child.Stop(actors.Shutdown)
		synctest.Wait()
		if ref, ok := s.WhereIs("boss"); ok {
			t.Errorf("after the end the name is that of %v", ref)
		}
		if err := s.Register("boss", b.ref()); err != nil {
			t.Errorf("the name is not free: %v", err)
		}
	})
}

// TestNamesOfThoseWhoEnd: whoever registers an actor that ends at the same time leaves no name of nobody.
func TestNamesOfThoseWhoEnd(t *testing.T) {
	s := system(t, actors.Config{Workers: 4})
	defer stop(t, s)
	var wg sync.WaitGroup
	for i := range 500 {
		c := spawn(t, s, fmt.Sprint(i), &restarter{}, &probe{})
		wg.Go(func() { _ = s.Register(fmt.Sprint("name", i), c.Ref()) })
		wg.Go(func() { c.End(actors.Killed) })
	}
	wg.Wait()
	for i := range 500 {
		if ref, ok := s.WhereIs(fmt.Sprint("name", i)); ok {
			t.Fatalf("%v has ended and has a name", ref)
		}
	}
}
