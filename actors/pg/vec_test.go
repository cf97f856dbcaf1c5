package pg

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func (v vec) entries() (list []*entry) {
	v.all(func(e *entry) bool { list = append(list, e); return true })
	return list
}

// TestVec compares vecs with slices over random changes, and sees to it that no earlier vec changes with a later one.
func TestVec(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var v vec
		var want []*entry
		type pair struct {
			v    vec
			want []*entry
		}
		var before []pair
		burst := func(name string) int { return rapid.IntRange(1, 1200).Draw(rt, name) }
		rt.Repeat(map[string]func(*rapid.T){
			"push": func(rt *rapid.T) {
				for range burst("pushes") {
					e := &entry{n: len(want)}
					v, want = v.push(e), append(want, e)
				}
			},
			"pop": func(rt *rapid.T) {
				for range min(burst("pops"), len(want)) {
					v, want = v.pop(), want[:len(want)-1]
				}
			},
			"set": func(rt *rapid.T) {
				if len(want) == 0 {
					rt.Skip("empty")
				}
				i, e := rapid.IntRange(0, len(want)-1).Draw(rt, "i"), &entry{n: -1}
				v, want[i] = v.set(i, e), e
			},
			"keep": func(rt *rapid.T) { before = append(before, pair{v, slices.Clone(want)}) },
			"": func(rt *rapid.T) {
				if v.n != len(want) || !slices.Equal(v.entries(), want) {
					rt.Fatalf("%d entries, want %d", v.n, len(want))
				}
				for _, i := range []int{0, len(want) / 2, len(want) - 1} {
					if len(want) > 0 && v.at(i) != want[i] {
						rt.Fatalf("another entry at %d of %d", i, len(want))
					}
				}
			},
		})
		for _, p := range before {
			if !slices.Equal(p.v.entries(), p.want) {
				rt.Fatal("an earlier vec has changed")
			}
		}
	})
}

// TestVecLevels crosses the bounds of the levels one by one, up and down.
func TestVecLevels(t *testing.T) {
	const n = width*width*width + width + 1
	var v vec
	all := make([]*entry, n)
	for i := range n {
		all[i] = &entry{n: i}
		if v = v.push(all[i]); v.at(i) != all[i] || v.at(0) != all[0] {
			t.Fatalf("wrong at %d", i)
		}
	}
	if v.depth != 3 {
		t.Fatalf("%d levels for %d entries", v.depth, n)
	}
	seen := 0
	if v.all(func(*entry) bool { seen++; return seen < 40 }) || seen != 40 {
		t.Fatalf("saw %d entries after the wish to stop at 40", seen)
	}
	for i := n - 1; i > 0; i-- {
		if v = v.pop(); v.n != i || v.at(i-1) != all[i-1] {
			t.Fatalf("wrong after the pop of %d", i)
		}
	}
	if v.depth != 0 || v.pop() != (vec{}) {
		t.Fatal("something is left of an empty vec")
	}
}
