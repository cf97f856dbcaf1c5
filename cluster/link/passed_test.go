package link

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// passing is a frame of b's or c's with another one in it.
func passing(from, maker, to string, inner *nodepb.Frame) *nodepb.Frame {
	buf, err := proto.Marshal(inner)
	if err != nil {
		panic(err)
	}
	return &nodepb.Frame{Version: 1, From: from, To: "a@1", Class: nodepb.LinkClass_MESSAGES, Passed: &nodepb.Passed{From: maker, To: to, Frame: buf}}
}

// TestPassedFramesOfStrangers: a frame that was passed on counts only if the node that brought it and the one that made it are up, both understand detours, and
// what is inside is what the outside says; and only what its maker brings himself is passed on.
func TestPassedFramesOfStrangers(t *testing.T) {
	fine := func(change func(*nodepb.Frame)) *nodepb.Frame { return frame(change, "x") }
	keep := func(*nodepb.Frame) {}
	for _, c := range []struct {
		name string
		f    *nodepb.Frame
		want Strays
		came int
	}{
		{"right", passing("c@1", "b@1", "a@1", fine(keep)), Strays{}, 1},
		{"an earlier incarnation of its maker", passing("c@1", "b@0", "a@1", fine(func(f *nodepb.Frame) { f.From = "b@0" })), Strays{Strangers: 1}, 0},
		{"nobody's", passing("c@1", "x@1", "a@1", fine(func(f *nodepb.Frame) { f.From = "x@1" })), Strays{Strangers: 1}, 0},
		{"by nobody", passing("x@1", "b@1", "a@1", fine(keep)), Strays{Strangers: 1}, 0},
		{"of one that doesn't understand detours", passing("c@1", "old@1", "a@1", fine(func(f *nodepb.Frame) { f.From = "old@1" })), Strays{Strangers: 1}, 0},
		{"inside another's", passing("c@1", "b@1", "a@1", fine(func(f *nodepb.Frame) { f.From = "c@1" })), Strays{Nonsense: 1}, 0},
		{"inside for another", passing("c@1", "b@1", "a@1", fine(func(f *nodepb.Frame) { f.To = "a@0" })), Strays{Nonsense: 1}, 0},
		{"of another class", passing("c@1", "b@1", "a@1", fine(func(f *nodepb.Frame) { f.Class = nodepb.LinkClass_CONTROL })), Strays{Nonsense: 1}, 0},
		{"of another format", passing("c@1", "b@1", "a@1", fine(func(f *nodepb.Frame) { f.Version = 2 })), Strays{Nonsense: 1}, 0},
		{"passed on inside", passing("c@1", "b@1", "a@1", passing("b@1", "c@1", "a@1", fine(keep))), Strays{Nonsense: 1}, 0},
		{"the maker's own", passing("b@1", "b@1", "a@1", fine(keep)), Strays{Nonsense: 1}, 0},
		{"this node's own", passing("b@1", "a@1", "a@1", fine(keep)), Strays{Nonsense: 1}, 0},
		{"of a third for a fourth", passing("b@1", "d@1", "c@1", fine(keep)), Strays{Nonsense: 1}, 0},
		{"to itself", passing("b@1", "b@1", "b@1", fine(keep)), Strays{Nonsense: 1}, 0},
		{"for nobody", passing("b@1", "b@1", "x@1", fine(keep)), Strays{Strangers: 1}, 0},
		{"for one that doesn't understand detours", passing("b@1", "b@1", "old@1", fine(keep)), Strays{}, 0},
		{"no frame inside", &nodepb.Frame{Version: 1, From: "c@1", To: "a@1", Class: nodepb.LinkClass_MESSAGES, Passed: &nodepb.Passed{From: "b@1", To: "a@1", Frame: []byte{0xff, 1}}},
			Strays{Nonsense: 1}, 0},
		{"nothing inside", &nodepb.Frame{Version: 1, From: "c@1", To: "a@1", Passed: &nodepb.Passed{}}, Strays{Nonsense: 1}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			came := 0
			l := New(Options{
				Self: "a@1", Carrier: CarrierFunc(func(Peer, *nodepb.Frame) error { return nil }),
				Deliver: func(ident.NodeID, nodepb.LinkClass, []byte) { came++ },
				Passes:  func(id ident.NodeID) bool { return id != "old@1" },
			})
			defer l.Close()
			for _, id := range []ident.NodeID{b1, "c@1", "d@1", "old@1"} {
				l.PeerUp(Peer{ID: id})
			}
			l.Receive(c.f)
			if got := l.Strays(); got != c.want || came != c.came {
				t.Errorf("%+v, %d came", got, came)
			}
		})
	}
}

// TestWhatIsPassedOnIsBounded: more than there is room for is dropped and counted, and one frame always goes.
func TestWhatIsPassedOnIsBounded(t *testing.T) {
	l := &Links{options: Options{Self: "a@1"}}
	p := newPeer(l, Peer{ID: b1}, &past{})
	p.awake.Store(true) // nobody is there to be woken
	for range passLen + 10 {
		p.pass(nodepb.LinkClass_MESSAGES, &nodepb.Passed{From: "c@1", To: string(b1), Frame: make([]byte, 10)})
	}
	m := &p.cross.mu
	if len(m.passing) != passLen || m.bytes != 10*passLen || m.dropped != 10 {
		t.Error(len(m.passing), m.bytes, m.dropped)
	}
	p = newPeer(l, Peer{ID: b1}, &past{})
	p.awake.Store(true)
	m = &p.cross.mu
	for range 3 {
		p.pass(nodepb.LinkClass_MESSAGES, &nodepb.Passed{Frame: make([]byte, passBytes-1)})
	}
	if len(m.passing) != 1 || m.dropped != 2 {
		t.Error(len(m.passing), m.dropped)
	}
}

// TestQuestionsAreAnsweredOnceAWay: the latest of each way, and of so many ways.
func TestQuestionsAreAnsweredOnceAWay(t *testing.T) {
	x := alone(Bounds{}, nil)
	defer x.Close()
	p := &peer{links: x.Links, id: b1}
	p.awake.Store(true)
	for i := range uint64(3 * mostOwed) {
		p.asked(&nodepb.Frame{Ask: i + 1}, ident.NodeID([]rune{rune('a' + i)}))
		p.asked(&nodepb.Frame{Ask: i + 2}, ident.NodeID([]rune{rune('a' + i)}))
	}
	if owed := p.cross.mu.owed; len(owed) != mostOwed || owed[mostOwed-1].number != 3*mostOwed+1 {
		t.Errorf("%+v", owed)
	}
}
