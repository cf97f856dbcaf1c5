package supervision_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// names are those of a dynamic supervisor's children, sorted; waiting ones are marked.
func names(d *supervision.Dynamic) []string {
	all := []string{}
	d.WhichChildren(func(c supervision.ChildInfo) bool {
		id := c.ID
		if c.State == supervision.Restarting {
			id += "?"
		}
		all = append(all, id)
		return true
	})
	slices.Sort(all)
	return all
}

// TestDynamicHistories compares a dynamic supervisor with a set of names, over random restart types, entities and limits: children
// start, crash, end, hang, are terminated and killed; partitions are killed.
func TestDynamicHistories(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		inBubble(t, rt, func(rt *rapid.T, r *rig) {
			spec := supervision.DynamicSpec{
				ID: "many", Shutdown: 20 * time.Millisecond, Partitions: rapid.IntRange(1, 3).Draw(rt, "partitions"), Intensity: 1000,
				Restart:     supervision.Restart(rapid.IntRange(0, 2).Draw(rt, "restart type")),
				Entities:    rapid.Bool().Draw(rt, "entities"),
				MaxChildren: int64(rapid.SampledFrom([]int{0, 3}).Draw(rt, "max children")),
				Child:       actors.Spec{Kind: "m", Blocking: true, New: func() actors.Behaviour { return &leaver{child{j: r.j, hang: r.hang}} }},
			}
			pause := rapid.SampledFrom([]time.Duration{0, 2 * time.Second}).Draw(rt, "back-off")
			spec.Backoff = supervision.Backoff{Min: pause, Max: pause}
			d := supervision.NewDynamic(r.sys, spec)
			r.top(supervision.SupervisorSpec{Children: []supervision.ChildSpec{d.Child()}})
			there := map[string]time.Time{} // when it is up, zero for one that is
			hung, left := map[string]bool{}, int64(0)
			ref := func(id string) actors.Ref {
				if spec.Entities {
					return actors.Ref{Kind: "m", ID: id}
				}
				return actors.Ref{Kind: "m", ID: id, Node: "n@1"}
			}
			check := func() {
				synctest.Wait()
				want := []string{}
				for id, at := range there {
					if !at.IsZero() && time.Now().Before(at.Add(20*time.Millisecond)) {
						id += "?"
					}
					want = append(want, id)
				}
				slices.Sort(want)
				if got := names(d); !slices.Equal(got, want) || d.Live() != int64(len(want)) {
					rt.Fatalf("there are %v (%d), want %v", got, d.Live(), want)
				}
				if got := r.root.Abandoned(); got != left {
					rt.Fatalf("%d left behind, want %d", got, left)
				}
			}
			draw := func(so func(id string, at time.Time) bool) string {
				var ids []string
				for id, at := range there {
					if so(id, at) {
						ids = append(ids, id)
					}
				}
				if slices.Sort(ids); len(ids) == 0 {
					rt.Skip("nobody")
				}
				return rapid.SampledFrom(ids).Draw(rt, "child")
			}
			up := func(id string, at time.Time) bool {
				return !hung[id] && (at.IsZero() || time.Now().After(at.Add(20*time.Millisecond)))
			}
			gone := func(id string) { delete(there, id); delete(hung, id) }
			again := func(id string) {
				there[id] = time.Time{}
				if pause > 0 {
					there[id] = time.Now().Add(pause)
				}
			}
			rt.Repeat(map[string]func(*rapid.T){
				"start": func(rt *rapid.T) {
					id := string(rune('a' + rapid.IntRange(0, 7).Draw(rt, "name")))
					_, err := d.StartChild(id, nil)
					_, exists := there[id]
					want := error(nil)
					switch full := spec.MaxChildren > 0 && int64(len(there)) >= spec.MaxChildren; {
					case full:
						want = supervision.ErrMaxChildren
					case exists:
						want = actors.ErrExists
					default:
						there[id] = time.Time{}
					}
					if !errors.Is(err, want) {
						rt.Fatalf("start of %s: %v, want %v", id, err, want)
					}
					check()
				},
				"end": func(rt *rapid.T) {
					id := draw(up)
					reason := rapid.SampledFrom([]actors.Reason{actors.Normal, actors.Shutdown, actors.Killed, actors.Crashed(errors.New("x"))}).Draw(rt, "reason")
					if err := r.sys.Cast(ref(id), reason); err != nil {
						rt.Fatal(err)
					}
					crash := reason.Code == actors.CodeCrashed
					switch abnormal := !reason.IsNormal(); {
					case spec.Restart == supervision.Temporary, spec.Entities && !crash, spec.Restart == supervision.Transient && !abnormal:
						gone(id)
					default:
						again(id)
					}
					check()
				},
				"hang": func(rt *rapid.T) {
					id := draw(up)
					_ = r.sys.Cast(ref(id), "hang")
					hung[id] = true
					check()
				},
				"terminate": func(rt *rapid.T) {
					id := draw(func(string, time.Time) bool { return true })
					if hung[id] {
						left++
					}
					gone(id)
					if err := d.TerminateChild(bg, ref(id)); err != nil {
						rt.Fatalf("terminate %s: %v", id, err)
					}
					check()
				},
				"terminate nobody": func(rt *rapid.T) {
					if err := d.TerminateChild(bg, ref("nobody")); !errors.Is(err, supervision.ErrNotFound) {
						rt.Fatal(err)
					}
				},
				"kill a partition": func(rt *rapid.T) {
					if len(hung) > 0 {
						rt.Skip("they would stay")
					}
					for i := range spec.Partitions { // all: who is where isn't known
						_ = r.sys.Exit(actors.Ref{Kind: "dynamic", ID: fmt.Sprintf("sup.many.many-%d", i)}, actors.Killed)
					}
					clear(there)
					check()
				},
				"pass": func(*rapid.T) { time.Sleep(2100 * time.Millisecond); check() },
			})
			left += int64(len(hung))
			clear(there)
			root := r.root
			r.stop()
			if d.Live() != 0 || root.Abandoned() != left {
				rt.Fatalf("at the end %d live, %d left behind, want %d", d.Live(), root.Abandoned(), left)
			}
		})
	})
}

// TestDynamicCrowd: many start, end, crash and terminate children at the same time; what is counted is what is there, and nothing is left.
func TestDynamicCrowd(t *testing.T) {
	for _, restart := range []supervision.Restart{supervision.Permanent, supervision.Transient, supervision.Temporary} {
		t.Run(restart.String(), func(t *testing.T) {
			run(t, func(r *rig) {
				d, _ := r.many(supervision.DynamicSpec{Restart: restart, Partitions: 2, Intensity: 1 << 30, MaxChildren: 40,
					Child: actors.Spec{Kind: "m", New: func() actors.Behaviour { return &leaver{child{j: r.j}} }}}, 0)
				var all sync.WaitGroup
				for g := range 8 {
					all.Go(func() {
						rnd := rand.New(rand.NewPCG(uint64(g), 1))
						for range 400 {
							ref := actors.Ref{Kind: "m", ID: fmt.Sprint(rnd.IntN(60)), Node: "n@1"}
							switch rnd.IntN(6) {
							case 0, 1, 2:
								_, _ = d.StartChild(ref.ID, nil)
							case 3:
								_ = r.sys.Cast(ref, actors.Normal)
							case 4:
								_ = r.sys.Cast(ref, actors.Crashed(errors.New("x")))
							case 5:
								if err := d.TerminateChild(bg, ref); err != nil && !errors.Is(err, supervision.ErrNotFound) {
									t.Error(err)
								}
							}
						}
					})
				}
				all.Wait()
				synctest.Wait()
				there := names(d)
				if d.Live() != int64(len(there)) || len(there) > 40 {
					t.Errorf("%d live, listed are %v", d.Live(), there)
				}
				for _, id := range there {
					if err := d.TerminateChild(bg, actors.Ref{Kind: "m", ID: id, Node: "n@1"}); err != nil {
						t.Errorf("%s: %v", id, err)
					}
				}
				if d.Live() != 0 {
					t.Errorf("%d live", d.Live())
				}
				startMany(t, d, 40) // the limit has forgotten nobody
				r.stop()
				if d.Live() != 0 {
					t.Errorf("%d live at the end", d.Live())
				}
			})
		})
	}
}
