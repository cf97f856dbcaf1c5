package sys_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/sys"
)

func TestGetState(t *testing.T) {
	run(t, func(r *rig) {
		r.cast(formatted, 3, 4)
		doc, err := sys.GetState(r.ctx, r.sys, formatted, operator)
		if err != nil || string(doc) != `{"n":7,"words":1}` {
			t.Errorf("the state is %s, %v", doc, err)
		}
		doc, err = sys.GetState(r.ctx, r.sys, plain, operator)
		if err != nil || strings.Contains(string(doc), canary) || !strings.Contains(string(doc), `"words":{"type":"map[string]string","len":1}`) {
			t.Errorf("without FormatStatus it is %s, %v", doc, err)
		}
		if _, err := sys.GetState(r.ctx, r.sys, nobody, operator); !errors.Is(err, actors.ErrNoProc) {
			t.Errorf("nobody's state: %v", err)
		}
	})
}

// What FormatStatus does wrong is neither the actor's end nor seen.
func TestGetStateOfAFault(t *testing.T) {
	for what, status := range map[string]func() any{
		"a panic":      func() any { panic(canary) },
		"no JSON":      func() any { return map[string]any{canary: make(chan int)} },
		"an error":     func() any { return fails{} },
		"far too long": func() any { return strings.Repeat(canary, 1<<20) },
	} {
		run(t, func(r *rig) {
			r.cast(formatted, 1)
			replace(r, formatted, func(b actors.Behaviour) { b.(*polite).status = status })
			doc, err := sys.GetState(r.ctx, r.sys, formatted, operator)
			if err != nil || strings.Contains(string(doc), canary) || !json.Valid(doc) || len(doc) > 10_000 {
				t.Errorf("%s: %.1000s, %v", what, doc, err)
			}
			if r.count(formatted) != 1 {
				t.Errorf("%s: the actor lives anew", what)
			}
		})
	}
}

type fails struct{}

func (fails) MarshalJSON() ([]byte, error) { return nil, errors.New(canary) }

// replace changes a state in place.
func replace(r *rig, ref actors.Ref, f func(actors.Behaviour)) {
	r.Helper()
	err := sys.ReplaceState(r.ctx, r.sys, ref, operator, func(b actors.Behaviour) (actors.Behaviour, error) { f(b); return b, nil })
	if err != nil {
		r.Error(err)
	}
}

func TestReadState(t *testing.T) {
	run(t, func(r *rig) {
		r.cast(plain, 5)
		n := 0
		if err := sys.ReadState(r.ctx, r.sys, plain, operator, func(b actors.Behaviour) { n = b.(*tally).n }); err != nil || n != 5 {
			t.Errorf("read %d, %v", n, err)
		}
		err := sys.ReadState(r.ctx, r.sys, plain, operator, func(actors.Behaviour) { panic("on purpose") })
		if err == nil || r.count(plain) != 5 {
			t.Errorf("a reader's panic: %v", err)
		}
	})
}

func TestReplaceState(t *testing.T) {
	run(t, func(r *rig) {
		r.cast(plain, 5)
		replace(r, plain, func(b actors.Behaviour) { b.(*tally).n = 40 })
		r.cast(plain, 2)
		if n := r.count(plain); n != 42 {
			t.Errorf("changed, it counts %d", n)
		}
		another := func(b actors.Behaviour) (actors.Behaviour, error) { return &polite{tally: *b.(*tally)}, nil }
		if err := sys.ReplaceState(r.ctx, r.sys, plain, operator, another); err != nil {
			t.Error(err)
		}
		if doc, err := sys.GetState(r.ctx, r.sys, plain, operator); err != nil || string(doc) != `{"n":42,"words":1}` {
			t.Errorf("the other behaviour has %s, %v", doc, err)
		}
		why := errors.New("on purpose")
		for what, f := range map[string]func(actors.Behaviour) (actors.Behaviour, error){
			"an error":     func(b actors.Behaviour) (actors.Behaviour, error) { return &tally{}, why },
			"no behaviour": func(actors.Behaviour) (actors.Behaviour, error) { return nil, nil },
		} {
			if err := sys.ReplaceState(r.ctx, r.sys, plain, operator, f); err == nil || r.count(plain) != 42 {
				t.Errorf("%s: %v, and it counts %d", what, err, r.count(plain))
			}
		}
	})
}

// A state that is half changed is not gone on with.
func TestReplaceStateThatPanics(t *testing.T) {
	run(t, func(r *rig) {
		r.cast(plain, 5)
		err := sys.ReplaceState(r.ctx, r.sys, plain, operator, func(b actors.Behaviour) (actors.Behaviour, error) {
			b.(*tally).n = 7
			panic(canary)
		})
		if err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("the caller hears %v", err)
		}
		if n := r.count(plain); n != 0 {
			t.Errorf("it goes on with %d", n)
		}
	})
}

func TestReplaceStateWith(t *testing.T) {
	run(t, func(r *rig) {
		set := func(ref actors.Ref, doc string) error {
			return sys.ReplaceStateWith(r.ctx, r.sys, ref, operator, []byte(doc))
		}
		if err := set(formatted, `{"N": 9}`); err != nil || r.count(formatted) != 9 {
			t.Errorf("%v, and it counts %d", err, r.count(formatted))
		}
		time.Sleep(2 * time.Second)
		if n := r.count(formatted); n != 10 {
			t.Errorf("a timer set there makes it count %d", n)
		}
		for _, doc := range []string{`{"N": -1}`, `{"N": "x"}`, `{`, ``} {
			if err := set(formatted, doc); err == nil || r.count(formatted) != 10 {
				t.Errorf("%s: %v, and it counts %d", doc, err, r.count(formatted))
			}
		}
		if err := set(plain, `{"N": 9}`); !errors.Is(err, sys.ErrNoReplace) {
			t.Errorf("without the ability: %v", err)
		}
		if err := set(nobody, `{"N": 9}`); !errors.Is(err, actors.ErrNoProc) {
			t.Errorf("nobody: %v", err)
		}
		if err := set(formatted, `{}`); err == nil || r.count(formatted) != 0 {
			t.Errorf("a panic: %v, and it counts %d", err, r.count(formatted))
		}
	})
}

func TestSuspendAndResume(t *testing.T) {
	run(t, func(r *rig) {
		for range 2 {
			if err := sys.Suspend(r.ctx, r.sys, plain, operator); err != nil {
				t.Fatal(err)
			}
		}
		r.cast(plain, slices.Repeat([]any{1}, 100)...)
		if err := r.sys.Cast(plain, 1); !errors.Is(err, actors.ErrOverloaded) {
			t.Errorf("over its bound a suspended actor's queue says %v", err)
		}
		ctx, cancel := context.WithTimeout(r.ctx, time.Second)
		defer cancel()
		if _, err := r.sys.Call(ctx, formatted, "n"); err != nil {
			t.Errorf("another actor: %v", err)
		}
		time.Sleep(2 * time.Second)
		report, err := sys.Status(r.ctx, r.sys, plain, operator)
		if err != nil || report.Phase != "suspended" || report.Queue != 100 || !report.OnTurn || report.Waiting["int"] != 100 || report.Oldest < 2*time.Second {
			t.Errorf("suspended, it is %+v, %v", report, err)
		}
		replace(r, plain, func(b actors.Behaviour) { b.(*tally).n += 1000 })
		for range 2 {
			if err := sys.Resume(r.ctx, r.sys, plain, operator); err != nil {
				t.Fatal(err)
			}
		}
		if n := r.count(plain); n != 1100 {
			t.Errorf("resumed, it has counted %d", n)
		}
	})
}

func TestEachUseIsLogged(t *testing.T) {
	run(t, func(r *rig) {
		sys.GetState(r.ctx, r.sys, plain, operator)
		sys.ReadState(r.ctx, r.sys, plain, operator, func(actors.Behaviour) {})
		sys.ReplaceState(r.ctx, r.sys, plain, operator, func(b actors.Behaviour) (actors.Behaviour, error) { return b, nil })
		sys.ReplaceStateWith(r.ctx, r.sys, plain, operator, []byte(`{"secret": "`+canary+`"}`))
		sys.Suspend(r.ctx, r.sys, plain, operator)
		sys.Resume(r.ctx, r.sys, plain, operator)
		sys.Status(r.ctx, r.sys, plain, operator)
		ctx, cancel := context.WithCancel(r.ctx)
		cancel()
		sys.Trace(ctx, r.sys, plain, operator, 1, func(actors.TraceEvent) error { return nil })
		if text := fmt.Sprint(r.logs.All()); strings.Contains(text, canary) {
			t.Errorf("the log holds content: %s", text)
		}
		want := []string{"an actor's state is read", "an actor's state is lent out", "an actor's state is replaced",
			"an actor's state is replaced", "an actor is suspended", "an actor is resumed", "an actor's status is read",
			"an actor's messages are traced"}
		if got := r.uses(plain); !slices.Equal(got, want) {
			t.Errorf("the log says %q", got)
		}
		sys.Suspend(r.ctx, r.sys, nobody, operator)
		if got := r.uses(nobody); len(got) != 1 {
			t.Errorf("of who isn't there it says %q", got)
		}
	})
}

func TestNothingHappensLater(t *testing.T) {
	run(t, func(r *rig) {
		r.cast(plain, stick{})
		ctx, cancel := context.WithTimeout(r.ctx, time.Second)
		defer cancel()
		began := time.Now()
		if err := sys.Suspend(r.ctx, r.sys, plain, operator); !errors.Is(err, actors.ErrTimeout) {
			t.Errorf("a stuck actor is suspended: %v", err)
		}
		if took := time.Since(began); took < time.Second || took > time.Minute {
			t.Errorf("it took %v", took)
		}
		if err := sys.ReplaceState(ctx, r.sys, plain, operator, func(actors.Behaviour) (actors.Behaviour, error) {
			return &tally{n: 99}, nil
		}); !errors.Is(err, actors.ErrTimeout) {
			t.Errorf("a stuck actor's state is replaced: %v", err)
		}
		if _, err := sys.GetState(ctx, r.sys, plain, operator); !errors.Is(err, actors.ErrTimeout) {
			t.Errorf("a stuck actor's state is read: %v", err)
		}
		r.stop <- struct{}{}
		r.cast(plain, 1)
		if n := r.count(plain); n != 1 {
			t.Errorf("it has counted %d", n)
		}
	})
}
