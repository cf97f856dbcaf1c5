package carrier

import (
	"crypto/x509"
	"fmt"
	"net"
	"strings"
	"testing"

	"go.uber.org/zap/zapcore"

	"github.com/jackdaw-im/jackdaw/cluster/link"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

func TestFramesArriveInOrder(t *testing.T) {
	ca := newAuthority(t)
	a, b := start(t, ca, "a@1"), start(t, ca, "b@1")
	const each = 100
	for i := range each {
		for class := range nodepb.LinkClass(classes) {
			if err := a.send(b.peer(), class, i); err != nil {
				t.Fatal(err)
			}
		}
	}
	var next [classes]int
	for range each * classes {
		f := b.next().Got
		if f.First != uint64(next[f.Class]) || string(f.Envelopes[0]) != fmt.Sprint(f.First) || f.From != "a@1" || f.To != "b@1" {
			t.Fatalf("%v instead of %d", f, next[f.Class])
		}
		next[f.Class]++
	}
	if err := b.send(a.peer(), nodepb.LinkClass_CONTROL, 7); err != nil {
		t.Fatal(err)
	}
	if f := a.next().Got; f.First != 7 || f.From != "b@1" {
		t.Errorf("%v", f)
	}
	s := a.look().Stats
	if !poll(func() bool { s = a.look().Stats; return s.Sent == each*classes }) || s.Connected != 1 || s.Dials != 1 || s.Received != 1 {
		t.Errorf("%+v", s)
	}
}

func TestLargeFramesAreCutIntoBatches(t *testing.T) {
	ca := newAuthority(t)
	a, b := start(t, ca, "a@1"), start(t, ca, "b@1")
	const large, many = 3 << 20, 15
	if r := a.do(order{Do: "send", To: b.peer(), Frame: frame(a.id, b.id, 1, 1), Pad: large, Count: many}); r.Err != "" {
		t.Fatal(r.Err)
	}
	for range many {
		if r := b.next(); r.Size != large {
			t.Fatalf("%d bytes", r.Size)
		}
	}
	if r := a.do(order{Do: "send", To: b.peer(), Frame: frame(a.id, b.id, 1, 1), Pad: MaxFrame}); r.Err == "" {
		t.Error("a frame over the bound is taken")
	}
}

func TestAnEarlierIncarnationIsRefused(t *testing.T) {
	ca := newAuthority(t)
	a, b := start(t, ca, "a@1"), start(t, ca, "b@2")
	for i := range 3 {
		if err := a.send(link.Peer{ID: "b@1", Addr: b.addr}, nodepb.LinkClass_PRESENCE, i); err != nil {
			t.Fatal(err)
		}
		f := a.next().Got
		if f.From != "b@2" || f.To != "a@1" || f.Class != nodepb.LinkClass_PRESENCE || !strings.Contains(f.Refused, "b@2") || f.Version != 1 {
			t.Errorf("%v", f)
		}
	}
	if err := a.send(b.peer(), nodepb.LinkClass_MESSAGES, 5); err != nil {
		t.Fatal(err)
	}
	if f := b.next().Got; f.First != 5 {
		t.Errorf("%v", f)
	}
	if s := b.look().Stats; s.Refused != 3 || s.Breaches != 0 {
		t.Errorf("%+v", s)
	}
}

func TestAPeerThatWasAwayIsDialledAgain(t *testing.T) {
	ca := newAuthority(t)
	a, b := start(t, ca, "a@1"), start(t, ca, "b@1")
	a.until(func() bool { return len(b.got) > 0 }, b.peer())
	b.end()
	gone := a.look().Stats.Unreachable
	a.until(func() bool { return a.look().Stats.Unreachable > gone }, b.peer()) // it has noticed
	before, sends := a.look().Stats, uint64(0)
	a.until(func() bool { sends++; return a.look().Stats.Dials >= before.Dials+4 }, b.peer())
	// What is sent while a dial is under way waits for it: two or three for each of the four, and more where processes are slow.
	if s := a.look().Stats; (s.Unreachable-before.Unreachable)*10 < sends*9 {
		t.Errorf("%d sends: %+v", sends, s)
	}
	b = start(t, ca, "b@2", func(o *order) { o.Bind = b.addr })
	a.until(func() bool { return len(b.got) > 0 }, b.peer())
	if r := a.look(); r.Loudest > zapcore.InfoLevel || r.Stats.Connected != 2 {
		t.Errorf("%+v", r)
	}
}

func TestANodeThatIsKilledIsDialledAgain(t *testing.T) {
	ca := newAuthority(t)
	a, b := start(t, ca, "a@1"), start(t, ca, "b@1")
	a.until(func() bool { return len(b.got) > 0 }, b.peer())
	b.stuck = true // end kills
	b.end()
	c := start(t, ca, "b@2", func(o *order) { o.Bind = b.addr })
	a.until(func() bool { return len(c.got) > 0 }, c.peer())
}

func TestANodeWithAnotherNameAtAnAddress(t *testing.T) {
	ca := newAuthority(t)
	a, b := start(t, ca, "a@1"), start(t, ca, "b@1")
	a.until(func() bool { return len(b.got) > 0 }, b.peer())
	a.until(func() bool { return a.look().Stats.Dials >= 3 }, link.Peer{ID: "other@1", Addr: b.addr})
	if s := a.look().Stats; s.Connected != 1 {
		t.Errorf("it is connected with who has another name: %+v", s)
	}
	for len(b.got) > 0 {
		<-b.got
	}
	a.until(func() bool { return len(b.got) > 0 }, b.peer())
}

func TestSendNeverWaits(t *testing.T) {
	ca := newAuthority(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	b := start(t, ca, "b@1", func(o *order) { o.Stuck = true })
	a := start(t, ca, "a@1")
	for name, to := range map[string]link.Peer{"silent": {ID: "s@1", Addr: silent.Addr().String()}, "stuck": b.peer()} {
		for _, pad := range []int{10, 64 << 10} {
			busy := 0
			if !poll(func() bool {
				r := a.do(order{Do: "send", To: to, Frame: frame(a.id, to.ID, nodepb.LinkClass_MESSAGES, 1), Pad: pad, Count: 1000})
				busy += r.Busy
				return busy > 1000
			}) {
				t.Errorf("%s: nothing is refused", name)
			}
			if w := a.look().Waiting; w[0] > PendingFrames || w[1] > PendingBytes || w[0] < 0 || w[1] < 0 {
				t.Errorf("%s: %d frames, %d bytes", name, w[0], w[1])
			}
		}
	}
}

func TestAPanicOfTheReceiverIsSurvived(t *testing.T) {
	ca := newAuthority(t)
	a, b := start(t, ca, "a@1"), start(t, ca, "b@1", func(o *order) { o.Panics = true })
	for i := range 20 {
		for _, number := range []int{13, i + 20} {
			if err := a.send(b.peer(), nodepb.LinkClass_MESSAGES, number); err != nil {
				t.Fatal(err)
			}
		}
		if f := b.next().Got; f.First != uint64(i+20) {
			t.Fatalf("%v", f)
		}
	}
	if r := b.look(); r.Loudest != zapcore.ErrorLevel {
		t.Errorf("%+v", r)
	}
}

func TestWhatCannotBeSent(t *testing.T) {
	a := start(t, newAuthority(t), "a@1")
	to := link.Peer{ID: "b@1", Addr: "127.0.0.1:1"}
	for name, o := range map[string]order{
		"class":   {To: to, Frame: frame(a.id, "b@1", 3, 1)},
		"below":   {To: to, Frame: frame(a.id, "b@1", -1, 1)},
		"self":    {To: a.peer(), Frame: frame(a.id, "b@1", 0, 1)},
		"no addr": {To: link.Peer{ID: "b@1"}, Frame: frame(a.id, "b@1", 0, 1)},
		"no port": {To: link.Peer{ID: "b@1", Addr: "b"}, Frame: frame(a.id, "b@1", 0, 1)},
	} {
		o.Do = "send"
		if a.do(o).Err == "" {
			t.Errorf("%s: taken", name)
		}
	}
	if s := a.look().Stats; s.Dials != 0 {
		t.Errorf("%+v", s)
	}
}

func TestOptionsThatCannotBe(t *testing.T) {
	b := newAuthority(t).issue(t, "a")
	o := Options{Self: "a@1", Bind: "127.0.0.1:0", ServerTLS: b.server, ClientTLS: b.client, Receive: func(*nodepb.Frame) {}}
	for name, change := range map[string]func(*Options){
		"no address": func(o *Options) { o.Bind = "here" },
		"no port":    func(o *Options) { o.Bind = "127.0.0.1:x" },
		"no self":    func(o *Options) { o.Self = "" },
		"no receive": func(o *Options) { o.Receive = nil },
		"no tls":     func(o *Options) { o.ServerTLS = nil },
	} {
		other := o
		change(&other)
		if c, err := New(other); err == nil {
			c.Close()
			t.Errorf("%s: started", name)
		}
	}
}

func TestAnAddressThatIsTaken(t *testing.T) {
	ca := newAuthority(t)
	a := start(t, ca, "a@1")
	b := spawn(t, "b@1")
	r := b.do(order{Do: "start", ID: "b@1", Bind: a.addr, Bundle: ca.issue(t, "b")})
	if !strings.Contains(r.Err, "carrier: ") || !strings.Contains(r.Err, "in use") {
		t.Errorf("%+v", r)
	}
	b.stuck = true // it has no carrier
}

func TestCloseWhileEverythingHappens(t *testing.T) {
	ca := newAuthority(t)
	for range 3 {
		a, b := start(t, ca, "a@1"), start(t, ca, "b@1")
		for _, n := range []*testNode{a, b} {
			to := b
			if n == b {
				to = a
			}
			n.do(order{Do: "storm", To: to.peer(), Frame: frame(n.id, to.id, 0, 0)})
		}
		for range 100 {
			b.next()
			a.next()
		}
		go func() { // what it is told still
			for range b.got {
			}
		}()
		a.end()
		b.end()
		close(b.got)
	}
}

func TestNameOf(t *testing.T) {
	cert := &x509.Certificate{}
	if _, err := NameOf(cert); err == nil {
		t.Error("nobody has a name")
	}
	cert.Subject.CommonName = "common"
	if name, err := NameOf(cert); name != "common" || err != nil {
		t.Error(name, err)
	}
	cert.DNSNames = []string{"dns", "other"}
	if name, err := NameOf(cert); name != "dns" || err != nil {
		t.Error(name, err)
	}
}
