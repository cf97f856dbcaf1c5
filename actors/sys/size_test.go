package sys

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"github.com/jackdaw-im/jackdaw/proto/chatpb"
)

func TestSizeHostile(t *testing.T) {
	for what, v := range hostile() {
		if n := SizeOf(v); n < 0 || n > 1<<30 {
			t.Errorf("%s has %d bytes", what, n)
		}
	}
}

func TestSizeOf(t *testing.T) {
	text := strings.Repeat("x", 100)
	one := &node{word: text}
	const nodeBytes = int(unsafe.Sizeof(node{}))
	for _, c := range []struct {
		what string
		v    any
		want int
	}{
		{"nothing", nil, 0},
		{"a number", int64(1), 8},
		{"a string", text, 16 + 100},
		{"an empty string", "", 16},
		{"a pointer", new(int64), 8},
		{"a nil pointer", (*node)(nil), 0},
		{"a slice with room", make([]int64, 1, 10), 24 + 80},
		{"a struct", one, nodeBytes + 100},
		{"a struct twice", []*node{one, one}, 24 + 16 + nodeBytes + 100},
		{"one text twice", []string{text, text}, 24 + 32 + 100},
		{"a list", chain(100), 100*nodeBytes + len(canary)},
		{"an interface in a slice", []any{int64(1), one}, 24 + 32 + 8 + nodeBytes + 100},
		{"an empty map", map[string]string{}, mapHeader},
		{"a small map", map[int64]int64{1: 1}, mapHeader + 8*17},
		{"a map of texts", map[string]string{text: text}, mapHeader + 8*33 + 100},
		{"a channel", make(chan int64, 4), chanBytes + 32},
		{"what is guarded", &guardedState{words: map[string]string{text: text}}, int(unsafe.Sizeof(guardedState{}))},
		{"what is guarded elsewhere", &struct{ g *guardedState }{new(guardedState)}, 8},
		{"an array", &[2]string{text, ""}, 32 + 100},
	} {
		if got := SizeOf(c.v); got != c.want {
			t.Errorf("%s has %d bytes, want %d", c.what, got, c.want)
		}
	}
	if got := SizeOf(&chatpb.Message{Payload: make([]byte, 1000)}); got < 1000 || got > 1500 {
		t.Errorf("a message has %d bytes", got)
	}
}

func TestSizeOfMany(t *testing.T) {
	texts := make([]string, 10_000)
	nodes := map[string]*node{}
	for i := range texts {
		texts[i] = fmt.Sprintf("%0100d", i)
		nodes[texts[i]] = &node{word: fmt.Sprintf("%0200d", i)}
	}
	if got, want := SizeOf(texts), 24+10_000*(16+100); got != want {
		t.Errorf("a long slice has %d bytes, want %d", got, want)
	}
	want := int(mapBytes(10_000, 16, 8)) + 10_000*(100+200+int(unsafe.Sizeof(node{})))
	if got := SizeOf(nodes); got != want {
		t.Errorf("a big map has %d bytes, want %d", got, want)
	}
	if got := SizeOf(chain(1_000_000)); got < sizeBudget/10*int(unsafe.Sizeof(node{})) || got > sizeBudget*int(unsafe.Sizeof(node{})) {
		t.Errorf("of a list without end %d bytes are counted", got)
	}
}

// The formula of maps against the runtime.
func TestMapBytes(t *testing.T) {
	for _, n := range []int{100, 3_000, 100_000} {
		const copies = 4
		var maps [copies]map[int64][3]int64
		before := heap()
		for i := range maps {
			maps[i] = map[int64][3]int64{}
			for k := range n {
				maps[i][int64(k)] = [3]int64{}
			}
		}
		took := int(heap()-before) / copies
		got := SizeOf(maps[0])
		runtime.KeepAlive(&maps)
		if got < took/2 || got > took*2 {
			t.Errorf("a map of %d takes %d bytes, estimated %d", n, took, got)
		}
	}
	if small, large := mapBytes(100, 8, 100), mapBytes(100, 8, 1000); large-small != 100*1000-128*(100-8) {
		t.Errorf("values that stand elsewhere make %d bytes of %d", large, small)
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func BenchmarkDescribe(b *testing.B) {
	list := chain(100)
	b.ReportAllocs()
	for b.Loop() {
		Describe(list)
	}
}

func BenchmarkSizeOf(b *testing.B) {
	list := chain(1_000_000)
	b.ReportAllocs()
	for b.Loop() {
		SizeOf(list)
	}
}
