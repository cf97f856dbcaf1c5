package supervision_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// TestRestartThatFails: a child whose Init fails at a restart is tried again, within the intensity, and its siblings go on.
func TestRestartThatFails(t *testing.T) {
	for _, c := range []struct {
		strategy supervision.Strategy
		failures int
		want     string
	}{
		{supervision.OneForOne, 2, "-a -a -a +a a:hello b:hello"},
		{supervision.RestForOne, 2, "-a -b -a -a +a +b a:hello b:hello"},
		{supervision.OneForAll, 2, "-a -b -a -a +a +b a:hello b:hello"},
		{supervision.OneForOne, 3, "-a -a -a -a -b +a +b a:hello b:hello"}, // the supervisor ends, and its own starts it anew
	} {
		run(t, func(r *rig) {
			fail := 0
			mortal := supervision.Actor("a", actors.Spec{Kind: "wa", New: func() actors.Behaviour {
				return &child{id: "a", j: r.j, fail: func() error {
					if fail > 0 {
						fail--
						return errors.New("not yet")
					}
					return nil
				}}
			}}, nil)
			r.start(supervision.SupervisorSpec{ID: "sup", Strategy: c.strategy, Children: []supervision.ChildSpec{mortal, r.worker("b")}})
			r.want("+a +b")
			fail = c.failures
			r.cast("a", "crash")
			r.cast("a", "hello")
			r.cast("b", "hello")
			r.want(c.want)
		})
	}
}

// TestStartedWhileAllStop: a child that is started just as its supervisor has told all others to stop is told, too.
func TestStartedWhileAllStop(t *testing.T) {
	run(t, func(r *rig) {
		var d *supervision.Dynamic
		stopped := make(chan error, 1)
		first := true
		d = r.dynamic(supervision.DynamicSpec{ID: "many", Partitions: 1, Child: actors.Spec{Kind: "m", New: func() actors.Behaviour {
			if first { // asked for before the child has its name
				first = false
				go func() { stopped <- r.root.Stop(context.Background()) }()
				time.Sleep(time.Millisecond)
			}
			return &child{id: "x", j: r.j}
		}}})
		before := time.Now()
		_, _ = d.StartChild("x", nil)
		if err := <-stopped; err != nil {
			t.Fatal(err)
		}
		r.root = nil
		r.want("+x -x")
		if took := time.Since(before); took > time.Second {
			t.Errorf("the stop took %v", took)
		}
	})
}
