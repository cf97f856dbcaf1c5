package main

import (
	"bytes"
	"encoding/json"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// jsonOf writes an answer of the administration as JSON: its fields with their names, in their order, all of them, and numbers as
// numbers, which protobuf's own mapping doesn't do.
func jsonOf(m proto.Message) ([]byte, error) {
	var b bytes.Buffer
	if err := writeMessage(&b, m.ProtoReflect()); err != nil {
		return nil, fmt.Errorf("writing JSON: %w", err)
	}
	return b.Bytes(), nil
}

func writeMessage(b *bytes.Buffer, m protoreflect.Message) error {
	fields := m.Descriptor().Fields()
	b.WriteByte('{')
	for i := range fields.Len() {
		f := fields.Get(i)
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(b, "%q:", f.Name())
		if err := writeField(b, f, m.Get(f)); err != nil {
			return err
		}
	}
	b.WriteByte('}')
	return nil
}

func writeField(b *bytes.Buffer, f protoreflect.FieldDescriptor, v protoreflect.Value) error {
	if !f.IsList() {
		return writeValue(b, f, v)
	}
	b.WriteByte('[')
	for i := range v.List().Len() {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := writeValue(b, f, v.List().Get(i)); err != nil {
			return err
		}
	}
	b.WriteByte(']')
	return nil
}

func writeValue(b *bytes.Buffer, f protoreflect.FieldDescriptor, v protoreflect.Value) error {
	if f.Kind() == protoreflect.MessageKind {
		return writeMessage(b, v.Message())
	}
	text, err := json.Marshal(v.Interface())
	b.Write(text)
	return err
}

// sayJSON writes one answer on one line.
func sayJSON(c *console, m proto.Message) error {
	text, err := jsonOf(m)
	if err != nil {
		return err
	}
	return say(c, "%s", text)
}
