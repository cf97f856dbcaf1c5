package measure

import (
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestJob(t *testing.T) {
	job, err := ParseJob([]string{"fanin", "100", "0.25"})
	want := Job{"fanin", 100, 250 * time.Millisecond}
	if err != nil || job != want {
		t.Errorf("%+v, %v", job, err)
	}
	if back, err := ParseJob(job.Args()); err != nil || back != job {
		t.Errorf("%+v, %v", back, err)
	}
	for _, args := range []string{"", "fanin", "fanin 1", "fanin 1 1 1", "fanin x 1", "fanin 0 1", "fanin 1 x", "fanin 1 0"} {
		if _, err := ParseJob(strings.Fields(args)); err == nil {
			t.Errorf("%q is taken", args)
		}
	}
}

func TestMainPrintsOneLine(t *testing.T) {
	result := Result{Ops: 3, CPU: 5, Wall: 7, Extra: map[string]float64{"p99 us": 1.5}}
	workloads := map[string]Workload{
		"good": func(job Job) (Result, error) {
			if job.Size != 4 {
				t.Errorf("%+v", job)
			}
			return result, nil
		},
		"bad": func(Job) (Result, error) { return Result{}, errors.New("broken") },
	}
	var out, errs strings.Builder
	if code := Main([]string{"good", "4", "1"}, &out, &errs, workloads); code != 0 || strings.Count(out.String(), "\n") != 1 {
		t.Errorf("code %d, %q, %q", code, out.String(), errs.String())
	}
	var back Result
	if err := json.Unmarshal([]byte(out.String()), &back); err != nil || !reflect.DeepEqual(back, result) {
		t.Errorf("%+v, %v", back, err)
	}
	for args, want := range map[string]string{"bad 4 1": "bad: broken\n", "other 4 1": "measure: no workload \"other\" here\n", "good": "arguments"} {
		errs.Reset()
		if code := Main(strings.Fields(args), io.Discard, &errs, workloads); code != 1 || !strings.Contains(errs.String(), want) {
			t.Errorf("%q: code %d, %q", args, code, errs.String())
		}
	}
}

func TestLoopWarmsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rounds := 0
		result, err := Loop(100*time.Millisecond, nil, func() (int, error) {
			rounds++
			time.Sleep(10 * time.Millisecond)
			return 5, nil
		})
		if err != nil || rounds != 13 || result.Ops != 50 || result.Wall != int64(100*time.Millisecond) {
			t.Errorf("%d rounds, %+v, %v", rounds, result, err)
		}
	})
}

func TestLoopLeavesThePreparationOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		prepared, rounds := 0, 0
		result, err := Loop(100*time.Millisecond, func() error {
			prepared++
			time.Sleep(time.Second)
			return nil
		}, func() (int, error) {
			if rounds++; prepared != rounds {
				t.Errorf("round %d after %d preparations", rounds, prepared)
			}
			time.Sleep(50 * time.Millisecond)
			return 1, nil
		})
		if err != nil || rounds != 3 || result.Ops != 2 || result.Wall != int64(100*time.Millisecond) {
			t.Errorf("%d rounds, %+v, %v", rounds, result, err)
		}
	})
}

func TestLoopEndsWithAnError(t *testing.T) {
	broken := errors.New("broken")
	fine := func() error { return nil }
	for name, loop := range map[string]func() (Result, error){
		"round":            func() (Result, error) { return Loop(1, nil, func() (int, error) { return 1, broken }) },
		"prepared round":   func() (Result, error) { return Loop(1, fine, func() (int, error) { return 1, broken }) },
		"preparation":      func() (Result, error) { return Loop(1, func() error { return broken }, nil) },
		"growth":           func() (Result, error) { return Growth(1, func(int, int) error { return broken }) },
		"growth, measured": func() (Result, error) { return Growth(1, func(from, _ int) error { return failFrom(from, broken) }) },
	} {
		if result, err := loop(); err != broken || !reflect.DeepEqual(result, Result{}) {
			t.Errorf("%s: %+v, %v", name, result, err)
		}
	}
}

func failFrom(from int, err error) error {
	if from == 0 {
		return nil
	}
	return err
}

func TestGrowthSeesMemory(t *testing.T) {
	const each = 64 << 10
	var kept [][]byte
	result, err := Growth(400, func(from, to int) error {
		for range to - from {
			block := make([]byte, each)
			for i := range block {
				block[i] = 1
			}
			if from > 0 { // what comes before isn't kept
				kept = append(kept, block)
			}
		}
		return nil
	})
	runtime.KeepAlive(kept)
	grown := float64(result.Bytes) / (400 * each)
	if err != nil || result.Ops != 400 || grown < 0.5 || grown > 10 { // the race detector takes several times as much
		t.Errorf("%v of what was kept, %+v, %v", grown, result, err)
	}
}

func TestMeterCountsAllocations(t *testing.T) {
	m, err := Begin()
	if err != nil {
		t.Fatal(err)
	}
	var kept []*[100]byte
	for range 1000 {
		kept = append(kept, new([100]byte))
	}
	result, err := m.End(10)
	runtime.KeepAlive(kept)
	if err != nil || result.Ops != 10 || result.Allocs < 1000 || result.CPU < 0 {
		t.Errorf("%+v, %v", result, err)
	}
}

func TestTally(t *testing.T) {
	tally := NewTally()
	for range 3 {
		tally.Expect(100)
		for range 10 {
			go func() {
				for range 10 {
					tally.Hit()
				}
			}()
		}
		if err := tally.Wait(); err != nil {
			t.Error(err)
		}
	}
}

func TestTallyGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tally := NewTally()
		tally.Expect(3)
		tally.Hit()
		if err := tally.Wait(); err == nil || !strings.Contains(err.Error(), "2 of what was expected") {
			t.Error(err)
		}
	})
}

func TestRally(t *testing.T) {
	for pairs, want := range map[int]int{1: 20_000, 10: 2000, 1000: 200} {
		if got := Rally(pairs); got != want {
			t.Errorf("%d pairs: %d", pairs, got)
		}
	}
	if Asked(256) != 0 || Asked(7) != 7 {
		t.Error("what is asked isn't small")
	}
}
