package actorstest

import (
	"errors"
	"fmt"
	"reflect"

	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/actors"
)

// Matcher stands for a message in expectations that isn't known to the last field. Make it with Match, Type or Any.
type Matcher struct {
	what string
	ok   func(any) bool
}

// String says what it matches, as failures print it.
func (m Matcher) String() string { return m.what }

// Match matches the messages of type T for which f is true. what says in a few words which those are: failures print it.
func Match[T any](what string, f func(T) bool) Matcher {
	return Matcher{fmt.Sprintf("%v that %s", reflect.TypeFor[T](), what), func(msg any) bool {
		v, ok := msg.(T)
		return ok && f(v)
	}}
}

// Type matches every message of type T.
func Type[T any]() Matcher {
	return Matcher{fmt.Sprintf("any %v", reflect.TypeFor[T]()), func(msg any) bool { _, ok := msg.(T); return ok }}
}

// Any matches every message.
func Any() Matcher { return Matcher{"anything", func(any) bool { return true }} }

// matches compares a message with what is wanted. Protobuf messages are compared as such, the rest deeply; of the runtime's own
// messages, what a test can't know counts only if it is given.
func matches(want, got any) bool {
	switch w := want.(type) {
	case Matcher:
		return w.ok(got)
	case proto.Message:
		g, ok := got.(proto.Message)
		return ok && proto.Equal(w, g)
	case actors.Reason:
		g, ok := got.(actors.Reason)
		return ok && sameReason(w, g)
	case actors.Down:
		g, ok := got.(actors.Down)
		return ok && (w.Monitor == 0 || w.Monitor == g.Monitor) && w.Target == g.Target && sameReason(w.Reason, g.Reason)
	case actors.Exit:
		g, ok := got.(actors.Exit)
		return ok && w.From == g.From && sameReason(w.Reason, g.Reason)
	case *actors.Reply:
		g, ok := got.(*actors.Reply)
		return ok && (w.ID == 0 || w.ID == g.ID) && sameError(w.Err, g.Err) && matches(w.Value, g.Value)
	case error:
		g, ok := got.(error)
		return ok && (errors.Is(g, w) || reflect.DeepEqual(w, g))
	}
	return reflect.DeepEqual(want, got)
}

// sameReason compares reasons; the error of a crash counts only if one is wanted.
func sameReason(want, got actors.Reason) bool {
	return want.Code == got.Code && (want.Err == nil || errors.Is(got.Err, want.Err))
}

func sameError(want, got error) bool {
	return want == nil && got == nil || want != nil && errors.Is(got, want)
}

// show writes a message with its type, on one line.
func show(v any) string {
	switch m := v.(type) {
	case nil:
		return "nil"
	case Matcher:
		return m.what
	case string:
		return fmt.Sprintf("%q", m)
	case actors.Ref:
		return "actors.Ref " + m.String()
	case actors.Down:
		return fmt.Sprintf("actors.Down{%v: %s}", m.Target, firstLine(m.Reason.String()))
	case actors.Exit:
		return fmt.Sprintf("actors.Exit{%v: %s}", m.From, firstLine(m.Reason.String()))
	case *actors.Reply:
		if m.Err != nil {
			return fmt.Sprintf("actors.Reply{%d: error %s}", m.ID, firstLine(m.Err.Error()))
		}
		return fmt.Sprintf("actors.Reply{%d: %s}", m.ID, show(m.Value))
	case error:
		return fmt.Sprintf("%T(%s)", v, firstLine(m.Error()))
	case proto.Message, fmt.Stringer:
		if r := reflect.ValueOf(v); r.Kind() == reflect.Pointer && r.IsNil() {
			return fmt.Sprintf("(%T)(nil)", v)
		}
		return fmt.Sprintf("%T{%v}", v, v)
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Pointer:
		if !r.IsNil() && r.Elem().Kind() == reflect.Struct {
			return fmt.Sprintf("&%v%+v", r.Elem().Type(), r.Elem().Interface())
		}
	case reflect.Struct, reflect.Map, reflect.Slice, reflect.Array:
		return fmt.Sprintf("%T%+v", v, v)
	case reflect.Func, reflect.Chan:
		return fmt.Sprintf("%T", v)
	}
	return fmt.Sprintf("%T(%v)", v, v)
}
