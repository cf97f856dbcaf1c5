package cluster

import (
	"fmt"
	"sync"

	"github.com/cespare/xxhash/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// bodies knows the messages that may be an envelope's body: every protobuf message that is linked into the program, by number.
type bodies struct {
	mu sync.RWMutex
	m  map[uint32]protoreflect.MessageType
	n  map[protoreflect.FullName]uint32
}

// typeNumber is part of the protocol between nodes and never changes.
func typeNumber(name protoreflect.FullName) uint32 {
	n := uint32(xxhash.Sum64String(string(name)))
	if n == 0 { // which says that there is no body
		n = 1
	}
	return n
}

func newBodies() (*bodies, error) {
	b := &bodies{}
	return b, b.scan()
}

// scan takes all messages that are registered.
func (b *bodies) scan() (err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.m, b.n = map[uint32]protoreflect.MessageType{}, map[protoreflect.FullName]uint32{}
	protoregistry.GlobalTypes.RangeMessages(func(t protoreflect.MessageType) bool {
		name := t.Descriptor().FullName()
		n := typeNumber(name)
		if old := b.m[n]; old != nil {
			err = fmt.Errorf("cluster: the messages %s and %s have one number, %d: rename one", old.Descriptor().FullName(), name, n)
			return false
		}
		b.m[n], b.n[name] = t, n
		return true
	})
	return err
}

func (b *bodies) number(m proto.Message) uint32 {
	name := m.ProtoReflect().Descriptor().FullName()
	b.mu.RLock()
	n := b.n[name]
	b.mu.RUnlock()
	if n == 0 {
		return typeNumber(name)
	}
	return n
}

// make returns an empty message of a number; nil if there is none.
func (b *bodies) make(n uint32) proto.Message {
	b.mu.RLock()
	t := b.m[n]
	b.mu.RUnlock()
	if t == nil {
		return nil
	}
	return t.New().Interface()
}
