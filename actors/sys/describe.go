package sys

import "reflect"

const (
	describeDepth  = 8    // pointers and structs one below the other
	describeBudget = 1000 // values of one description
	describeName   = 200  // bytes of a name: that of a type can be as long as the type is wide
)

// shape is the description of one value that has more to say than its type.
type shape struct {
	Type   string         `json:"type"`
	Len    *int           `json:"len,omitempty"`
	Cap    *int           `json:"cap,omitempty"`
	Fields map[string]any `json:"fields,omitempty"`
	Note   string         `json:"note,omitempty"`
}

// The notes of a shape.
const (
	noteNil    = "nil"
	noteSeen   = "described elsewhere"
	noteSealed = "not looked into" // it is shared with others, or the runtime's
	noteDeep   = "too deep"
	noteMany   = "too many"
)

// Describe returns what may be shown of any value: its types, and how long its strings, slices and maps are. There is nothing in
// it that a user could have written: no key, no element, no text, and no number or flag either. Pointers are followed, each
// once. The result is new, small (at most 1,000 values, 8 below each other) and can be written as JSON. It never panics.
func Describe(v any) (description any) {
	defer func() {
		if recover() != nil { // a shape that reflect can't walk
			description = "unknown"
		}
	}()
	d := describer{seen: map[address]struct{}{}, left: describeBudget}
	return d.describe(reflect.ValueOf(v), 0)
}

type describer struct {
	traits traits
	seen   map[address]struct{}
	left   int
}

// describe returns a type's name, or a shape.
func (d *describer) describe(v reflect.Value, depth int) any {
	if !v.IsValid() {
		return noteNil
	}
	t := v.Type()
	d.left--
	if d.traits.is(t) == sealed {
		return shape{Type: name(t), Note: noteSealed}
	}
	switch v.Kind() {
	case reflect.Interface:
		if v.IsNil() {
			return shape{Type: name(t), Note: noteNil}
		}
		return d.describe(v.Elem(), depth) // what is in it says more than what could be
	case reflect.Pointer:
		return d.pointer(v, depth)
	case reflect.Struct:
		return d.fields(v, shape{Type: name(t)}, depth)
	case reflect.Func, reflect.Chan, reflect.UnsafePointer:
		if v.IsNil() {
			return shape{Type: name(t), Note: noteNil}
		}
	case reflect.String:
		return shape{Type: name(t), Len: new(v.Len())}
	case reflect.Slice:
		return shape{Type: name(t), Len: new(v.Len()), Cap: new(v.Cap())}
	case reflect.Map:
		return shape{Type: name(t), Len: new(v.Len())}
	}
	return name(t)
}

func (d *describer) pointer(v reflect.Value, depth int) any {
	s := shape{Type: name(v.Type())}
	if v.IsNil() {
		s.Note = noteNil
		return s
	}
	at := address{v.UnsafePointer(), v.Type()}
	if _, known := d.seen[at]; known {
		s.Note = noteSeen
		return s
	}
	d.seen[at] = struct{}{}
	elem := v.Elem()
	switch {
	case d.traits.is(elem.Type()) == sealed:
		s.Note = noteSealed
		return s
	case elem.Kind() == reflect.Struct:
		return d.fields(elem, s, depth)
	case depth >= describeDepth:
		s.Note = noteDeep
		return s
	}
	s.Fields = map[string]any{"*": d.describe(elem, depth+1)}
	return s
}

// fields adds a struct's fields to its shape, or to that of the pointer to it.
func (d *describer) fields(v reflect.Value, s shape, depth int) any {
	t := v.Type()
	if t.NumField() == 0 {
		return s
	}
	if depth >= describeDepth {
		s.Note = noteDeep
		return s
	}
	s.Fields = map[string]any{}
	for i := range t.NumField() {
		if d.left <= 0 {
			s.Note = noteMany
			break
		}
		if f := t.Field(i); f.Name != "_" {
			s.Fields[short(f.Name)] = d.describe(v.Field(i), depth+1)
		}
	}
	return s
}

// name is a type's name. It is program text: nothing that comes from outside makes a type.
func name(t reflect.Type) string { return short(t.String()) }

func short(s string) string {
	if len(s) > describeName {
		s = s[:describeName] + "..."
	}
	return s
}
