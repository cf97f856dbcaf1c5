package actors

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestSmallMapIsAMap compares it with the language's own over random histories.
func TestSmallMapIsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var m smallMap[int, int]
		model := map[int]int{}
		for range rapid.IntRange(0, 200).Draw(t, "steps") {
			k := rapid.IntRange(0, 3*smallMax).Draw(t, "key")
			if rapid.Bool().Draw(t, "put") {
				if _, known := model[k]; !known {
					model[k] = -k
					m.put(k, -k)
				}
			} else {
				delete(model, k)
				m.remove(k)
			}
			v, ok := m.get(k)
			if want, known := model[k]; v != want || ok != known {
				t.Fatalf("get(%d) is %d, %v; want %d, %v", k, v, ok, want, known)
			}
			if got := slices.Sorted(slices.Values(m.values())); !slices.Equal(got, slices.Sorted(maps.Values(model))) {
				t.Fatalf("values %v, want those of %v", got, model)
			}
		}
	})
}
