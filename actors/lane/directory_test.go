package lane_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/lane"
	"github.com/jackdaw-im/jackdaw/store"
)

func TestDirectory(t *testing.T) {
	run(t, lane.Options{}, func(r *rig) {
		lost := errors.New("lost")
		r.do(func(ctx *actors.Context) {
			for _, f := range []func(store.Engine) (any, error){
				func(e store.Engine) (any, error) { return e.Info().Name, nil },
				func(store.Engine) (any, error) { return "no", lost },
				func(store.Engine) (any, error) { panic("a fault") },
				func(store.Engine) (any, error) { return "goes on", nil },
			} {
				r.lanes.Directory(ctx, romeo, time.Minute, f)
			}
		})
		if len(r.heard()) != 4 {
			t.Fatalf("heard %v", r.heard())
		}
		at := func(i int) *actors.Reply { return r.heard()[i].(*actors.Reply) }
		if at(0).Value != "memory" || at(0).Err != nil {
			t.Errorf("first: %v", at(0))
		}
		if at(1).Value != nil || !errors.Is(at(1).Err, lost) {
			t.Errorf("second: %v", at(1))
		}
		if at(2).Err == nil || !strings.Contains(at(2).Err.Error(), "a fault") {
			t.Errorf("third: %v", at(2))
		}
		if at(3).Value != "goes on" {
			t.Errorf("fourth: %v", at(3))
		}
	})
}

func TestDirectoryTimeout(t *testing.T) {
	run(t, lane.Options{}, func(r *rig) {
		gate := make(chan struct{})
		r.do(func(ctx *actors.Context) {
			r.lanes.Directory(ctx, romeo, time.Second, func(store.Engine) (any, error) { <-gate; return nil, nil })
		})
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if len(r.heard()) != 1 || !errors.Is(r.heard()[0].(*actors.Reply).Err, actors.ErrTimeout) {
			t.Errorf("heard %v", r.heard())
		}
		close(gate)
	})
}
