package sys

import (
	"reflect"
	"strings"
)

// A walk over a behaviour's values must stay with what is the behaviour's own: what other goroutines change meanwhile can't be
// read without their locks, and a map that is read and written at once ends the process. Go's habit tells the two apart: what
// is shared stands in one struct with what guards it. So a struct that holds anything of sync or sync/atomic is shared, with
// all that it leads to, and is not looked into. What is shared without a guard has to be immutable, here as anywhere.

// trait is what a walk must know of a type.
type trait uint8

const (
	// plain values hold no pointer: their size says all.
	plain trait = iota
	// linked values lead to others.
	linked
	// sealed values are not looked into: shared ones, and those of the runtime and of libraries that read themselves lazily.
	sealed
)

// traits remembers what is known of types. The zero value is usable.
type traits struct{ of map[reflect.Type]trait }

// sealedPackages are those whose types are never looked into.
var sealedPackages = []string{"sync", "sync/atomic", "internal/", "runtime", "reflect", "time", "unique", "weak",
	"google.golang.org/protobuf/internal/", "google.golang.org/protobuf/reflect/"}

func sealedPackage(path string) bool {
	for _, p := range sealedPackages {
		if path == p || strings.HasSuffix(p, "/") && strings.HasPrefix(path, p) {
			return true
		}
	}
	return false
}

// guard reports whether a type is there to let goroutines share what stands beside it.
func guard(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.PkgPath() {
	case "sync", "sync/atomic", "internal/sync":
		return true
	}
	return false
}

// is returns the trait of a type.
func (ts *traits) is(t reflect.Type) trait {
	if known, ok := ts.of[t]; ok {
		return known
	}
	if ts.of == nil {
		ts.of = map[reflect.Type]trait{}
	}
	is := ts.find(t) // it ends: a type holds itself behind pointers only, which are not followed
	ts.of[t] = is
	return is
}

func (ts *traits) find(t reflect.Type) trait {
	switch t.Kind() {
	case reflect.Pointer:
		if guard(t) {
			return sealed
		}
		return linked
	case reflect.Interface, reflect.String, reflect.Slice, reflect.Map, reflect.Chan, reflect.Func:
		return linked
	case reflect.Array:
		if t.Len() == 0 {
			return plain // how one says that a struct must not be copied: [0]sync.Mutex
		}
		return ts.is(t.Elem())
	case reflect.Struct:
		return ts.findStruct(t)
	}
	return plain
}

func (ts *traits) findStruct(t reflect.Type) trait {
	if sealedPackage(t.PkgPath()) {
		return sealed
	}
	is := plain
	for i := range t.NumField() {
		f := t.Field(i).Type
		switch ts.is(f) {
		case linked:
			is = max(is, linked)
		case sealed:
			if !hasGuard(f) {
				is = max(is, linked) // a time.Time makes nothing shared
				continue
			}
			return sealed
		}
	}
	return is
}

// hasGuard reports whether a sealed type is sealed because it is, or holds, a guard.
func hasGuard(t reflect.Type) bool {
	switch {
	case guard(t):
		return true
	case t.Kind() == reflect.Array:
		return hasGuard(t.Elem())
	case t.Kind() != reflect.Struct || sealedPackage(t.PkgPath()):
		return false
	}
	return true // no other reason is left
}
