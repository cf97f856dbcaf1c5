package actors

import (
	"unsafe"

	"fmt"
	"strconv"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

func named(k *kind, id int) *process {
	return &process{kind: k, id: strconv.Itoa(id), hash: hashOf(strconv.Itoa(id))}
}

// TestRegistryIsAMap over random histories, with names of two kinds that share their ids.
func TestRegistryIsAMap(t *testing.T) {
	kinds := []*kind{{sys: &System{}, name: "a"}, {sys: &System{}, name: "b"}}
	rapid.Check(t, func(t *rapid.T) {
		var r registry
		model := map[Ref]*process{}
		for range rapid.IntRange(0, 400).Draw(t, "steps") {
			k := rapid.SampledFrom(kinds).Draw(t, "kind")
			p := named(k, rapid.IntRange(0, 60).Draw(t, "id"))
			if rapid.Bool().Draw(t, "add") {
				got := r.add(p)
				if old := model[p.ref()]; old != nil && got != old || old == nil && got != p {
					t.Fatalf("adding %v gave %p", p.ref(), got)
				}
				model[p.ref()] = got
			} else if old := model[p.ref()]; old != nil {
				r.remove(old, func() {})
				r.remove(old, func() {})
				delete(model, p.ref())
			}
			if got := r.find(p.ref()); got != model[p.ref()] {
				t.Fatalf("found %p for %v, want %p", got, p.ref(), model[p.ref()])
			}
		}
		n := 0
		r.each(func(p *process) bool { n++; return model[p.ref()] == p })
		if n != len(model) {
			t.Fatalf("went over %d, want %d", n, len(model))
		}
	})
}

// TestRegistryCollisions: names of one hash stand behind each other, and are found when those before them have gone.
func TestRegistryCollisions(t *testing.T) {
	var r registry
	k := &kind{sys: &System{}}
	id := "same"
	var all []*process
	for i := range 100 { // kinds that share an id share its hash
		kk := *k
		kk.name = fmt.Sprint("kind", i)
		p := &process{kind: &kk, id: id, hash: hashOf(id)}
		if r.add(p) != p {
			t.Fatal("taken")
		}
		all = append(all, p)
	}
	for i, p := range all {
		r.remove(p, func() {})
		for j, q := range all {
			if got := r.find(q.ref()); (got == q) != (j > i) {
				t.Fatalf("with %d removed, %d is found: %v", i+1, j, got == q)
			}
		}
	}
	sh := &r.shards[hashOf(id)%shardCount]
	if sh.live != 0 || sh.used != 0 {
		t.Errorf("an empty shard has %d live and %d used places", sh.live, sh.used)
	}
}

// TestRegistryShrinks: a burst of names doesn't keep its table.
func TestRegistryShrinks(t *testing.T) {
	var r registry
	k := &kind{sys: &System{}, name: "k"}
	var all []*process
	for i := range 100_000 {
		p := named(k, i)
		r.add(p)
		all = append(all, p)
	}
	for _, p := range all {
		r.remove(p, func() {})
	}
	places := 0
	for i := range r.shards {
		places += len(*r.shards[i].places.Load())
	}
	if places > 64*shardCount {
		t.Errorf("%d places for nobody", places)
	}
}

// TestRegistryFindsWhileItGrows: who is there is found at any moment, whatever comes and goes beside it.
func TestRegistryFindsWhileItGrows(t *testing.T) {
	var r registry
	k := &kind{sys: &System{}, name: "k"}
	stays := named(k, -1)
	r.add(stays)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for round := range 20 {
				var mine []*process
				for i := range 2000 {
					p := named(k, (w*20+round)*2000+i)
					r.add(p)
					mine = append(mine, p)
				}
				for _, p := range mine {
					if r.find(stays.ref()) != stays || r.find(p.ref()) != p {
						t.Error("not found")
						return
					}
					r.remove(p, func() {})
				}
			}
		})
	}
	wg.Wait()
}

// TestProcessIsSmall: there are millions.
func TestProcessIsSmall(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { sink = &process{} }); n != 1 {
		t.Fatal(n)
	}
	if size := unsafe.Sizeof(process{}); size > 192 {
		t.Errorf("an actor takes %d bytes: the next size class is 208", size)
	}
}

var sink *process

// TestChildren: an owner's list has exactly those that live.
func TestChildren(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c Children
		var model []*process
		for i := range rapid.IntRange(0, 60).Draw(t, "steps") {
			if len(model) == 0 || rapid.Bool().Draw(t, "add") {
				p := &process{kind: &kind{sys: &System{}}, id: strconv.Itoa(i)}
				c.add(p)
				model = append(model, p)
			} else {
				at := rapid.IntRange(0, len(model)-1).Draw(t, "which")
				c.remove(model[at])
				c.remove(model[at])
				model = append(model[:at], model[at+1:]...)
			}
			var got []string
			c.Each(func(ch *Child) bool { got = append(got, ch.Ref().ID); return true })
			if len(got) != len(model) || c.Len() != len(model) {
				t.Fatalf("%d listed, %d counted, want %d", len(got), c.Len(), len(model))
			}
			for k, p := range model {
				if got[len(got)-1-k] != p.id {
					t.Fatalf("listed %v", got)
				}
			}
		}
	})
}
