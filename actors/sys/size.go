package sys

import (
	"reflect"
	"unsafe"
)

const (
	// sizeBudget is how many values one SizeOf looks at: some milliseconds of an actor's turn at most.
	sizeBudget = 20_000
	// sizeSample is how many elements of a slice, an array or a map are looked at; the others count as much as they do.
	sizeSample = 64
)

// SizeOf estimates the bytes of memory that v holds, v's own included: what strings, slices (all their capacity), maps and
// pointers lead to, each once. What it shares with other goroutines isn't its own and doesn't count. Of long slices and maps
// it looks at a sample, and after 20,000 values it stops: the result is then too low. It never panics.
func SizeOf(v any) (bytes int) {
	s := sizer{seen: map[address]struct{}{}, left: sizeBudget}
	defer func() {
		if recover() != nil { // a shape that reflect can't walk: what was found counts
			bytes = int(s.bytes)
		}
	}()
	root := reflect.ValueOf(v)
	if !root.IsValid() {
		return 0
	}
	if root.Kind() == reflect.Pointer && s.traits.is(root.Type().Elem()) == sealed && !root.IsNil() {
		return int(root.Type().Elem().Size()) // shared or not, it is what is asked about
	}
	s.boxed(root, 1)
	for len(s.todo) > 0 && s.left > 0 {
		next := s.todo[0]
		s.todo = s.todo[1:]
		s.inside(next.v, next.weight)
	}
	return int(s.bytes)
}

// sizer adds up. Pointers are followed in the order in which they are found, so that a long list is no deep recursion.
type sizer struct {
	traits traits
	seen   map[address]struct{}
	todo   []weighted
	bytes  float64
	left   int
}

// address names a piece of memory: a struct and its first field begin at one place.
type address struct {
	at unsafe.Pointer
	of reflect.Type
}

// weighted is a value that stands for so many.
type weighted struct {
	v      reflect.Value
	weight float64
}

// fresh reports whether memory is seen for the first time.
func (s *sizer) fresh(at unsafe.Pointer, of reflect.Type) bool {
	if at == nil {
		return false
	}
	n := len(s.seen)
	s.seen[address{at, of}] = struct{}{}
	return len(s.seen) > n
}

func (s *sizer) add(bytes uintptr, weight float64) { s.bytes += float64(bytes) * weight }

// boxed counts a value in an interface: a pointer stands there itself, anything else in memory of its own.
func (s *sizer) boxed(v reflect.Value, weight float64) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Chan, reflect.Func, reflect.UnsafePointer:
	default:
		s.add(v.Type().Size(), weight)
	}
	s.inside(v, weight)
}

// inside counts what a value leads to; the value's own bytes are counted by whoever holds it.
func (s *sizer) inside(v reflect.Value, weight float64) {
	t := v.Type()
	if s.left--; s.left <= 0 || s.traits.is(t) != linked {
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if s.traits.is(t.Elem()) != sealed && s.fresh(v.UnsafePointer(), t) {
			s.add(t.Elem().Size(), weight)
			s.later(v.Elem(), weight)
		}
	case reflect.Interface:
		if !v.IsNil() {
			s.boxed(v.Elem(), weight)
		}
	case reflect.String:
		if text := v.String(); s.fresh(unsafe.Pointer(unsafe.StringData(text)), t) {
			s.add(uintptr(len(text)), weight)
		}
	case reflect.Slice:
		if s.fresh(v.UnsafePointer(), t) {
			s.add(uintptr(v.Cap())*t.Elem().Size(), weight)
			s.elements(v, weight)
		}
	case reflect.Array:
		s.elements(v, weight)
	case reflect.Map:
		if s.fresh(v.UnsafePointer(), t) {
			s.add(mapBytes(v.Len(), t.Key().Size(), t.Elem().Size()), weight)
			s.entries(v, weight)
		}
	case reflect.Chan:
		if s.fresh(v.UnsafePointer(), t) {
			s.add(chanBytes+uintptr(v.Cap())*t.Elem().Size(), weight)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			s.inside(v.Field(i), weight)
		}
	}
}

func (s *sizer) later(v reflect.Value, weight float64) {
	if s.traits.is(v.Type()) == linked {
		s.todo = append(s.todo, weighted{v, weight})
	}
}

// elements counts what the elements of a slice or an array lead to.
func (s *sizer) elements(v reflect.Value, weight float64) {
	n := v.Len()
	if n == 0 || s.traits.is(v.Type().Elem()) != linked {
		return
	}
	sample := min(n, sizeSample)
	weight *= float64(n) / float64(sample)
	for i := range sample {
		s.inside(v.Index(i*n/sample), weight)
	}
}

// entries counts what the keys and values of a map lead to.
func (s *sizer) entries(v reflect.Value, weight float64) {
	n, t := v.Len(), v.Type()
	keys, elems := s.traits.is(t.Key()) == linked, s.traits.is(t.Elem()) == linked
	if n == 0 || !keys && !elems {
		return
	}
	sample := min(n, sizeSample)
	weight *= float64(n) / float64(sample)
	for it := v.MapRange(); sample > 0 && it.Next(); sample-- {
		if keys {
			s.inside(it.Key(), weight)
		}
		if elems {
			s.inside(it.Value(), weight)
		}
	}
}

// How Go's maps and channels lie in memory.
const (
	chanBytes    = 96
	mapHeader    = 48
	mapGroup     = 8   // slots with one word of control bytes
	mapInline    = 128 // larger keys and values stand elsewhere
	pointerBytes = unsafe.Sizeof(uintptr(0))
)

// mapBytes is what a map of n entries takes: slots for a power of two of them, of which at most seven in eight are used.
func mapBytes(n int, key, elem uintptr) uintptr {
	if n == 0 {
		return mapHeader
	}
	var apart uintptr
	for _, size := range []*uintptr{&key, &elem} {
		if *size > mapInline {
			apart += uintptr(n) * *size
			*size = pointerBytes
		}
	}
	slots := mapGroup
	for n > mapGroup && slots/8*7 < n {
		slots *= 2
	}
	return mapHeader + apart + uintptr(slots)*(key+elem+1)
}
