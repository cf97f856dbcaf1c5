package mixed

import (
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/jackdaw-im/jackdaw/proto/adminpb"
	"github.com/jackdaw-im/jackdaw/proto/chatpb"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// present are the definitions of this version, and what they import.
func present(t *testing.T) *descriptorpb.FileDescriptorSet {
	t.Helper()
	for _, m := range []proto.Message{(*nodepb.Envelope)(nil), (*chatpb.Message)(nil), (*adminpb.Request)(nil)} {
		if m.ProtoReflect().Descriptor() == nil {
			t.Fatal("a package has no definitions")
		}
	}
	set := &descriptorpb.FileDescriptorSet{}
	protoregistry.GlobalFiles.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		set.File = append(set.File, protodesc.ToFileDescriptorProto(f))
		return true
	})
	return set
}

// TestFieldsAreOnlyAdded: what the older version may say or be told still means the same.
func TestFieldsAreOnlyAdded(t *testing.T) {
	o := built(t)
	names := collect(o.files).names
	for _, name := range []string{"jackdaw.node.v1.Frame", "jackdaw.node.v1.Envelope.How", "jackdaw.node.v1.MemberMeta", "jackdaw.chat.v1.Message"} {
		if !slices.Contains(names, name) {
			t.Errorf("the older version tells nothing of %s", name)
		}
	}
	for _, line := range compare(o.files, present(t)) {
		t.Error(line)
	}
	t.Logf("%d messages and enums of commit %s", len(names), oldest)
}

// file is a definition that the cases below change.
func file() *descriptorpb.FileDescriptorSet {
	field := func(name string, number int32, kind descriptorpb.FieldDescriptorProto_Type) *descriptorpb.FieldDescriptorProto {
		return &descriptorpb.FieldDescriptorProto{Name: &name, Number: &number, Type: kind.Enum(), Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum()}
	}
	return &descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{{
		Package: proto.String("p"),
		MessageType: []*descriptorpb.DescriptorProto{{
			Name:      proto.String("M"),
			Field:     []*descriptorpb.FieldDescriptorProto{field("a", 1, descriptorpb.FieldDescriptorProto_TYPE_STRING), field("b", 2, descriptorpb.FieldDescriptorProto_TYPE_UINT64)},
			OneofDecl: []*descriptorpb.OneofDescriptorProto{{Name: proto.String("kind")}},
			NestedType: []*descriptorpb.DescriptorProto{{
				Name: proto.String("N"), Field: []*descriptorpb.FieldDescriptorProto{field("c", 1, descriptorpb.FieldDescriptorProto_TYPE_BYTES)},
			}},
		}},
		EnumType: []*descriptorpb.EnumDescriptorProto{{Name: proto.String("E"), Value: []*descriptorpb.EnumValueDescriptorProto{
			{Name: proto.String("NONE"), Number: proto.Int32(0)}, {Name: proto.String("ONE"), Number: proto.Int32(1)},
		}}},
	}}}
}

func TestCompare(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*descriptorpb.FileDescriptorProto)
		want   []string
	}{
		"nothing": {func(*descriptorpb.FileDescriptorProto) {}, nil},
		"more": {func(f *descriptorpb.FileDescriptorProto) {
			more := proto.CloneOf(f.MessageType[0].Field[0])
			more.Name, more.Number = proto.String("more"), proto.Int32(3)
			f.MessageType[0].Field = append(f.MessageType[0].Field, more)
			f.MessageType = append(f.MessageType, &descriptorpb.DescriptorProto{Name: proto.String("New")})
			f.EnumType[0].Value = append(f.EnumType[0].Value, &descriptorpb.EnumValueDescriptorProto{Name: proto.String("TWO"), Number: proto.Int32(2)})
		}, nil},
		"a field less": {func(f *descriptorpb.FileDescriptorProto) { f.MessageType[0].Field = f.MessageType[0].Field[:1] },
			[]string{`p.M: 2 was "LABEL_OPTIONAL TYPE_UINT64 b" and is ""`}},
		"a field that is reserved": {func(f *descriptorpb.FileDescriptorProto) {
			f.MessageType[0].Field = f.MessageType[0].Field[:1]
			f.MessageType[0].ReservedRange = []*descriptorpb.DescriptorProto_ReservedRange{{Start: proto.Int32(2), End: proto.Int32(3)}}
		}, nil},
		"another number": {func(f *descriptorpb.FileDescriptorProto) { f.MessageType[0].Field[1].Number = proto.Int32(5) },
			[]string{`p.M: 2 was "LABEL_OPTIONAL TYPE_UINT64 b" and is ""`}},
		"another type": {func(f *descriptorpb.FileDescriptorProto) {
			f.MessageType[0].Field[1].Type = descriptorpb.FieldDescriptorProto_TYPE_SINT64.Enum()
		}, []string{`p.M: 2 was "LABEL_OPTIONAL TYPE_UINT64 b" and is "LABEL_OPTIONAL TYPE_SINT64 b"`}},
		"a list": {func(f *descriptorpb.FileDescriptorProto) {
			f.MessageType[0].Field[0].Label = descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()
		}, []string{`p.M: 1 was "LABEL_OPTIONAL TYPE_STRING a" and is "LABEL_REPEATED TYPE_STRING a"`}},
		"one of several": {func(f *descriptorpb.FileDescriptorProto) { f.MessageType[0].Field[0].OneofIndex = proto.Int32(0) },
			[]string{`p.M: 1 was "LABEL_OPTIONAL TYPE_STRING a" and is "LABEL_OPTIONAL TYPE_STRING a of kind"`}},
		"a message less": {func(f *descriptorpb.FileDescriptorProto) { f.MessageType[0].NestedType = nil }, []string{"message p.M.N is gone"}},
		"an enum less":   {func(f *descriptorpb.FileDescriptorProto) { f.EnumType = nil }, []string{"enum p.E is gone"}},
		"a value moved": {func(f *descriptorpb.FileDescriptorProto) { f.EnumType[0].Value[1].Number = proto.Int32(2) },
			[]string{`p.E: 1 was "ONE" and is ""`}},
	} {
		now := file()
		c.change(now.File[0])
		if got := compare(file(), now); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
