package mixed

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/types/descriptorpb"
)

// compare says what has become of definitions that a version before had: each line is something that it would misunderstand, or
// that would be misunderstood. What is new is not among them.
func compare(old, now *descriptorpb.FileDescriptorSet) (broken []string) {
	before, after := collect(old), collect(now)
	for _, name := range before.names {
		switch o, n := before.fields[name], after.fields[name]; {
		case after.kinds[name] != before.kinds[name]:
			broken = append(broken, fmt.Sprintf("%s %s is gone", before.kinds[name], name))
		default:
			for _, number := range o.numbers {
				if was, is := o.of[number], n.of[number]; is != was && !(is == "" && n.reserves(number)) {
					broken = append(broken, fmt.Sprintf("%s: %d was %q and is %q", name, number, was, is))
				}
			}
		}
	}
	return broken
}

// definitions are messages and enums by their full names.
type definitions struct {
	names  []string
	kinds  map[string]string // "message" or "enum"
	fields map[string]numbered
}

// numbered are the fields of a message or the values of an enum: their numbers and all that matters of each.
type numbered struct {
	numbers  []int32
	of       map[int32]string
	reserved []*descriptorpb.DescriptorProto_ReservedRange
}

// reserves reports whether a number had a field which nobody wants any more: who still sends it is understood, and it is never used for
// anything else.
func (n numbered) reserves(number int32) bool {
	return slices.ContainsFunc(n.reserved, func(r *descriptorpb.DescriptorProto_ReservedRange) bool {
		return r.GetStart() <= number && number < r.GetEnd()
	})
}

func collect(set *descriptorpb.FileDescriptorSet) *definitions {
	d := &definitions{kinds: map[string]string{}, fields: map[string]numbered{}}
	for _, f := range set.GetFile() {
		for _, m := range f.GetMessageType() {
			d.message(f.GetPackage(), m)
		}
		for _, e := range f.GetEnumType() {
			d.enum(f.GetPackage(), e)
		}
	}
	slices.Sort(d.names)
	return d
}

func (d *definitions) add(name, kind string, of map[int32]string, reserved ...*descriptorpb.DescriptorProto_ReservedRange) {
	n := numbered{of: of, reserved: reserved}
	for number := range of {
		n.numbers = append(n.numbers, number)
	}
	slices.Sort(n.numbers)
	d.names = append(d.names, name)
	d.kinds[name], d.fields[name] = kind, n
}

func (d *definitions) message(in string, m *descriptorpb.DescriptorProto) {
	name, of := in+"."+m.GetName(), map[int32]string{}
	for _, f := range m.GetField() {
		text := fmt.Sprintf("%s %s %s%s", f.GetLabel(), f.GetType(), f.GetTypeName(), f.GetName())
		if f.OneofIndex != nil && !f.GetProto3Optional() {
			text += " of " + m.GetOneofDecl()[f.GetOneofIndex()].GetName()
		}
		of[f.GetNumber()] = text
	}
	d.add(name, "message", of, m.GetReservedRange()...)
	for _, nested := range m.GetNestedType() {
		d.message(name, nested)
	}
	for _, e := range m.GetEnumType() {
		d.enum(name, e)
	}
}

func (d *definitions) enum(in string, e *descriptorpb.EnumDescriptorProto) {
	of := map[int32]string{}
	for _, v := range e.GetValue() {
		if _, alias := of[v.GetNumber()]; !alias {
			of[v.GetNumber()] = v.GetName()
		}
	}
	d.add(in+"."+e.GetName(), "enum", of)
}
