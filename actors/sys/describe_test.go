package sys

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/proto/chatpb"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// canary is in all that must not be seen.
const canary = "canary"

type (
	name1  string
	secret struct {
		word  string
		bytes []byte
		n     int64
	}
	node struct {
		next  *node
		other *node
		word  string
	}
	guardedState struct {
		mu    sync.Mutex
		words map[string]string
	}
	countedState struct {
		n     atomic.Int64
		words map[string]string
	}
	pointedState struct {
		mu    *sync.RWMutex
		words []string
	}
	nested struct{ inner struct{ deep guardedState } }
	marked struct {
		_    [0]sync.Mutex // not to be copied
		word string
	}
	empty struct{}
)

// chain is a list of n nodes.
func chain(n int) *node {
	head := &node{word: canary}
	for at := head; n > 1; n-- {
		at.next = &node{word: canary}
		at = at.next
	}
	return head
}

// hostile are values that a walk can get lost in.
func hostile() map[string]any {
	loop := &node{word: canary}
	loop.next, loop.other = loop, &node{next: loop}
	self := map[string]any{}
	self["self"] = self
	list := []any{nil}
	list[0] = list
	var ring any
	ring = &ring
	var face error
	wide := make([]reflect.StructField, 2000)
	for i := range wide {
		wide[i] = reflect.StructField{Name: "F" + strings.Repeat("x", i), Type: reflect.TypeFor[string]()}
	}
	huge := make(map[string]*node, 100_000)
	for i := range 100_000 {
		huge[canary+string(rune(i))] = loop
	}
	deep := any(canary)
	for range 10_000 {
		deep = []any{deep}
	}
	pointers := any(new(int))
	for range 500 {
		v := reflect.New(reflect.TypeOf(pointers))
		v.Elem().Set(reflect.ValueOf(pointers))
		pointers = v.Interface()
	}
	return map[string]any{
		"nothing": nil, "a nil pointer": (*node)(nil), "a nil map": map[string]string(nil), "a nil func": (func())(nil),
		"a nil interface": &face, "a loop": loop, "a map in itself": self, "a slice in itself": list, "an interface in itself": ring,
		"a long list": chain(100_000), "a wide struct": reflect.New(reflect.StructOf(wide)).Interface(), "a huge map": huge,
		"a deep slice": deep, "pointers to pointers": pointers, "a func": strings.ToUpper, "a channel": make(chan string, 3),
		"an unsafe pointer": unsafe.Pointer(loop), "a type": reflect.TypeFor[node](), "a value": reflect.ValueOf(loop),
		"an error": errors.New(canary), "a time": time.Now(), "a logger": zap.NewExample(), "a guard": new(sync.Mutex),
		"a map of funcs": map[any]func(){1: nil, "x": func() {}}, "an array": [1 << 20]*node{loop}, "an empty struct": empty{},
		"a pointer to nothing much": new(empty), "generic": &struct{ v atomic.Pointer[node] }{}, "a sync map": new(sync.Map),
		"a message":    &nodepb.Deliver{Sender: canary, Message: &chatpb.Message{From: canary, Payload: []byte(canary)}},
		"not a number": map[float64]string{nan(): canary}, "numbers": [...]any{1, 2.5, true, 'x', 1i},
	}
}

func nan() float64 { z := 0.0; return z / z }

func TestDescribeHostile(t *testing.T) {
	for what, v := range hostile() {
		text, err := json.Marshal(Describe(v))
		switch {
		case err != nil:
			t.Errorf("%s: %v", what, err)
		case strings.Contains(string(text), canary):
			t.Errorf("%s: it shows content: %s", what, text)
		case len(text) > 500_000:
			t.Errorf("%s: it takes %d bytes", what, len(text))
		}
	}
}

func TestDescribe(t *testing.T) {
	when := time.Now()
	shared := &guardedState{words: map[string]string{canary: canary}}
	for _, c := range []struct {
		what string
		v    any
		want string
	}{
		{"nothing", nil, `"nil"`},
		{"a number", 4711, `"int"`},
		{"a flag", true, `"bool"`},
		{"a string", canary, `{"type":"string","len":6}`},
		{"a named string", name1(canary), `{"type":"sys.name1","len":6}`},
		{"bytes", make([]byte, 3, 8), `{"type":"[]uint8","len":3,"cap":8}`},
		{"a slice of structs", []secret{{word: canary}}, `{"type":"[]sys.secret","len":1,"cap":1}`},
		{"an array", [3]string{canary}, `"[3]string"`},
		{"a map", map[name1]*secret{canary: {}}, `{"type":"map[sys.name1]*sys.secret","len":1}`},
		{"a func", func(string) {}, `"func(string)"`},
		{"a nil func", (func())(nil), `{"type":"func()","note":"nil"}`},
		{"a channel", make(chan int, 2), `"chan int"`},
		{"a struct", secret{canary, []byte(canary), 4711},
			`{"type":"sys.secret","fields":{"bytes":{"type":"[]uint8","len":6,"cap":6},"n":"int64","word":{"type":"string","len":6}}}`},
		{"a pointer", &node{word: canary},
			`{"type":"*sys.node","fields":{"next":{"type":"*sys.node","note":"nil"},"other":{"type":"*sys.node","note":"nil"},"word":{"type":"string","len":6}}}`},
		{"a pointer to a pointer", new(new(4711)), `{"type":"**int","fields":{"*":{"type":"*int","fields":{"*":"int"}}}}`},
		{"an interface", &struct{ v, w any }{secret{}.word, nil},
			`{"type":"*struct { v interface {}; w interface {} }","fields":{"v":{"type":"string","len":0},"w":{"type":"interface {}","note":"nil"}}}`},
		{"what is guarded", shared, `{"type":"*sys.guardedState","note":"not looked into"}`},
		{"what is counted", &countedState{}, `{"type":"*sys.countedState","note":"not looked into"}`},
		{"what is guarded elsewhere", &pointedState{&sync.RWMutex{}, []string{canary}}, `{"type":"*sys.pointedState","note":"not looked into"}`},
		{"what is guarded further inside", &nested{inner: struct{ deep guardedState }{}}, `{"type":"*sys.nested","note":"not looked into"}`},
		{"what must not be copied", &marked{word: canary}, `{"type":"*sys.marked","fields":{"word":{"type":"string","len":6}}}`},
		{"a time", &struct{ at time.Time }{when},
			`{"type":"*struct { at time.Time }","fields":{"at":{"type":"time.Time","note":"not looked into"}}}`},
	} {
		text, err := json.Marshal(Describe(c.v))
		if err != nil || string(text) != c.want {
			t.Errorf("%s is\n%s, %v\nwant\n%s", c.what, text, err, c.want)
		}
	}
}

func TestDescribeFollowsEachOnce(t *testing.T) {
	loop := &node{}
	loop.next, loop.other = loop, loop
	want := `{"type":"*sys.node","fields":{"next":{"type":"*sys.node","note":"described elsewhere"},` +
		`"other":{"type":"*sys.node","note":"described elsewhere"},"word":{"type":"string","len":0}}}`
	if text, err := json.Marshal(Describe(loop)); err != nil || string(text) != want {
		t.Errorf("it is %s, %v", text, err)
	}
	text, err := json.Marshal(Describe(chain(100)))
	if err != nil || strings.Count(string(text), noteDeep) != 1 {
		t.Errorf("a long list is %s, %v", text, err)
	}
}

func TestDescribeMessage(t *testing.T) {
	m := &nodepb.Push{Epoch: 7, Rows: []*nodepb.PushedRow{{Id: []byte(canary)}}}
	if _, err := proto.Marshal(m); err != nil { // from now on it knows its own type
		t.Fatal(err)
	}
	text, err := json.Marshal(Describe(m))
	if err != nil || !strings.Contains(string(text), `"Rows":{"type":"[]*nodepb.PushedRow","len":1,"cap":1}`) ||
		strings.Contains(string(text), "protoreflect") {
		t.Errorf("a message is %s, %v", text, err)
	}
}

// What a behaviour shares with others changes while it is described: that must be no race.
func TestDescribeBesideWriters(t *testing.T) {
	shared, counted := &guardedState{words: map[string]string{}}, &countedState{words: map[string]string{}}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			shared.mu.Lock()
			shared.words["x"] = canary
			delete(shared.words, "x")
			counted.words["x"] = canary
			delete(counted.words, "x")
			shared.mu.Unlock()
			counted.n.Add(1)
		}
	})
	for range 1000 {
		own := &struct {
			a *guardedState
			b any
			c []*countedState
		}{shared, counted, []*countedState{counted}}
		Describe(own)
		SizeOf(own)
	}
	close(stop)
	wg.Wait()
}

func FuzzDescribe(f *testing.F) {
	f.Add([]byte(`{"a":[1,"x",{"b":null}],"c":true}`))
	f.Add([]byte(`[[[[[[[[[[[[[[]]]]]]]]]]]]]]`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		var v any
		if json.Unmarshal(doc, &v) != nil {
			return
		}
		if _, err := json.Marshal(Describe(&v)); err != nil {
			t.Error(err)
		}
		if SizeOf(&v) < 0 {
			t.Error("less than nothing")
		}
	})
}
