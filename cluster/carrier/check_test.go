package carrier

import (
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/remote"
	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

func TestRouters(t *testing.T) {
	if len(routers) != len(nodepb.LinkClass_name) {
		t.Errorf("%d routers for %d classes", len(routers), len(nodepb.LinkClass_name))
	}
	for class := range nodepb.LinkClass_name {
		if i, ok := routerOf(nodepb.LinkClass(class)); !ok || routers[i] == "" {
			t.Errorf("no router for %d", class)
		}
	}
	if _, ok := routerOf(-1); ok {
		t.Error("-1 has a router")
	}
	if typeName != "jackdaw.node.v1.Frame" {
		t.Error(typeName)
	}
}

// Whatever a batch holds, one that is let through is harmless to remote, and an address is what the decoder makes of it.
func FuzzBatch(f *testing.F) {
	for _, a := range attacks("evil@1", "b@1") {
		data, err := proto.Marshal(a.msgs[len(a.msgs)-1])
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	data, err := proto.Marshal(batch(frame("a@1", "b@1", nodepb.LinkClass_PRESENCE, 1)))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		msg := new(remote.RemoteMessage)
		if proto.Unmarshal(data, msg) != nil {
			return
		}
		_ = checkGreeting(msg)
		b := msg.GetMessageBatch()
		if b == nil || checkBatch(b) != nil {
			return
		}
		for _, e := range b.Envelopes { // as remote does it
			if b.TypeNames[e.TypeId] != typeName || b.Targets[e.Target].Id == "" || e.SerializerId != 0 {
				t.Errorf("%v", b)
			}
			a, err := addressOf(e.MessageData)
			frame := new(nodepb.Frame)
			if proto.Unmarshal(e.MessageData, frame) == nil && (err != nil || a != address{frame.From, frame.To, frame.Class}) {
				t.Errorf("%+v, %v of %v", a, err, frame)
			}
		}
	})
}

func FuzzAddress(f *testing.F) {
	data, err := proto.Marshal(frame("a@1", "b@1", nodepb.LinkClass_PRESENCE, 1))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(append(append([]byte{}, data...), data...))
	f.Add([]byte{0x12, 1, 'x', 0x12, 1, 'y', 0x20, 1, 0x20, 2})
	f.Add([]byte{0x20, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01})
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := addressOf(data)
		frame := new(nodepb.Frame)
		if proto.Unmarshal(data, frame) == nil && (err != nil || a != address{frame.From, frame.To, frame.Class}) {
			t.Errorf("%+v, %v of %v", a, err, frame)
		}
	})
}

func TestCut(t *testing.T) {
	of := func(sizes ...int) (list []*remote.MessageEnvelope) {
		for _, n := range sizes {
			list = append(list, &remote.MessageEnvelope{MessageData: make([]byte, n)})
		}
		return list
	}
	for _, c := range []struct {
		sizes    []int
		n, bytes int
	}{
		{nil, 0, 0},
		{[]int{0}, 1, 0},
		{[]int{MaxFrame, 1}, 1, MaxFrame},
		{[]int{1, BatchBytes}, 1, 1},
		{[]int{1, BatchBytes - 1, 1}, 2, BatchBytes},
		{[]int{BatchBytes / 2, BatchBytes / 2, 1}, 2, BatchBytes},
	} {
		if n, bytes := cut(of(c.sizes...)); n != c.n || bytes != c.bytes {
			t.Errorf("%v: %d of %d bytes", c.sizes, n, bytes)
		}
	}
}

func TestTheLargestBatchFits(t *testing.T) {
	if most := BatchBytes + MaxFrame; most >= MaxMessage {
		t.Errorf("%d bytes", most)
	}
	b := batch(frame("a@1", "b@1", 0, 1)).GetMessageBatch()
	b.Targets[0] = &actor.PID{Address: "127.0.0.1:1", Id: routers[0]}
	if err := checkBatch(b); err != nil {
		t.Error(err)
	}
}

func TestPause(t *testing.T) {
	for failures, want := range map[int]time.Duration{0: firstPause, 1: firstPause, 2: 2 * firstPause, 3: 4 * firstPause, 7: lastPause, 8: lastPause, 1 << 40: lastPause} {
		if got := pause(failures, 0); got != want {
			t.Errorf("%d: %v", failures, got)
		}
		if got := pause(failures, 0.999); got < want/2 || got > want {
			t.Errorf("%d: %v", failures, got)
		}
	}
}
