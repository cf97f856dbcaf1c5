package carrier

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/jackdaw-im/jackdaw/cluster/link"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// Each carrier of these tests is a process of its own, the test's program once more, because remote.Start writes a variable of gRPC that
// another carrier would be reading.

// asNode in the environment makes a process a node.
const asNode = "JACKDAW_CARRIER_NODE"

func TestMain(m *testing.M) {
	if os.Getenv(asNode) != "" {
		os.Exit(beNode(os.Stdin, os.Stdout))
	}
	goleak.VerifyTestMain(m)
}

// order is what a node is told to do; it answers each with one report.
type order struct {
	Do     string // start, send, storm, bundle, deny, close or look
	ID     ident.NodeID
	Bind   string
	Bundle *bundle
	Stuck  bool // receives one frame and nothing more
	Panics bool // at each frame with the number 13
	Deny   string
	To     link.Peer
	Frame  *nodepb.Frame
	Pad    int // bytes in one more envelope
	Count  int // how often to send
}

// report is what a node says. With Got it is a frame that came, else an answer.
type report struct {
	Got     *nodepb.Frame
	Size    int // of its last envelope
	Err     string
	Addr    string
	Busy    int
	Stats   Stats
	Loudest zapcore.Level
	Logs    []string
	Waiting [2]int // frames and bytes for the node that was sent to last
}

// node is one in its own process.
type node struct {
	out    *json.Encoder
	mu     sync.Mutex // out
	c      *Carrier
	bundle atomic.Pointer[bundle]
	denied atomic.Pointer[string]
	logs   *observer.ObservedLogs
	last   link.Peer
	storms sync.WaitGroup
}

// beNode is the main function of a node.
func beNode(in io.Reader, out io.Writer) int {
	n := &node{out: json.NewEncoder(out)}
	for orders := json.NewDecoder(in); ; {
		var o order
		if orders.Decode(&o) != nil {
			return 0
		}
		var r report
		if err := n.do(&o, &r); err != nil {
			r.Err = err.Error()
		}
		n.say(&r)
	}
}

func (n *node) say(r *report) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.out.Encode(r) != nil {
		os.Exit(3) // the test is over
	}
}

func (n *node) do(o *order, r *report) (err error) {
	switch o.Do {
	case "start":
		if err := n.start(o); err != nil {
			return err
		}
		r.Addr = n.c.Addr()
	case "send":
		n.last = o.To
		for range max(o.Count, 1) {
			f := &nodepb.Frame{Version: o.Frame.Version, From: o.Frame.From, To: o.Frame.To, Class: o.Frame.Class, Epoch: 1,
				First: o.Frame.First, Envelopes: o.Frame.Envelopes}
			if o.Pad > 0 {
				f.Envelopes = append(f.Envelopes, make([]byte, o.Pad))
			}
			if err = n.c.Send(o.To, f); errors.Is(err, ErrBusy) {
				r.Busy++
			}
		}
	case "storm": // sends until it is closed
		n.storms.Go(func() {
			for i := 0; ; i++ {
				err := n.c.Send(o.To, &nodepb.Frame{Version: 1, From: o.Frame.From, To: o.Frame.To, Class: nodepb.LinkClass(i % classes)})
				_ = n.c.Send(link.Peer{ID: "nobody@1", Addr: "127.0.0.1:1"}, &nodepb.Frame{Version: 1, From: o.Frame.From, To: "nobody@1"})
				if errors.Is(err, ErrClosed) {
					return
				}
			}
		})
	case "bundle":
		n.bundle.Store(o.Bundle)
	case "deny":
		n.denied.Store(&o.Deny)
		n.c.Recheck()
	case "close":
		go n.c.Close() // twice at once
		n.c.Close()
		n.storms.Wait()
		return goleak.Find()
	case "look":
		n.look(r)
	}
	return err
}

func (n *node) start(o *order) (err error) {
	n.bundle.Store(o.Bundle)
	core, logs := observer.New(zapcore.DebugLevel)
	n.logs = logs
	stuck := make(chan struct{})
	n.c, err = New(Options{Self: o.ID, Bind: o.Bind, Logger: zap.New(core),
		ServerTLS: func() *tls.Config { return n.bundle.Load().server() },
		ClientTLS: func(node string) *tls.Config { return n.bundle.Load().client(node) },
		Admit: func(node string, _ *x509.Certificate) error {
			if denied := n.denied.Load(); denied != nil && *denied == node {
				return errors.New("revoked")
			}
			return nil
		},
		Receive: func(f *nodepb.Frame) {
			size := 0
			if len(f.Envelopes) > 0 {
				size = len(f.Envelopes[len(f.Envelopes)-1])
			}
			if o.Panics && f.First == 13 {
				panic("13")
			}
			f.Envelopes = f.Envelopes[:min(len(f.Envelopes), 1)]
			n.say(&report{Got: f, Size: size})
			if o.Stuck {
				<-stuck
			}
		}})
	return err
}

func (n *node) look(r *report) {
	r.Stats, r.Loudest = n.c.Stats(), zapcore.DebugLevel
	for _, e := range n.logs.All() {
		r.Loudest = max(r.Loudest, e.Level)
		r.Logs = append(r.Logs, fmt.Sprint(e.Level, " ", e.Message, " ", e.ContextMap()))
	}
	if p := n.c.known(n.last.Addr); p != nil {
		p.mu.Lock()
		r.Waiting = [2]int{p.mu.frames, p.mu.bytes}
		p.mu.Unlock()
	}
}

// testNode is the test's end of a node.
type testNode struct {
	t       *testing.T
	id      ident.NodeID
	addr    string
	got     chan *report
	answers chan *report
	orders  *json.Encoder
	stdin   io.WriteCloser
	errs    bytes.Buffer
	cmd     *exec.Cmd
	read    chan struct{} // closed when it said its last
	stuck   bool
	ended   bool
}

// start starts a node; with changes what it is told may be.
func start(t *testing.T, ca *authority, id ident.NodeID, changes ...func(*order)) *testNode {
	t.Helper()
	o := order{Do: "start", ID: id, Bind: "127.0.0.1:0", Bundle: ca.issue(t, id.Name())}
	for _, change := range changes {
		change(&o)
	}
	n := spawn(t, id)
	r := n.do(o)
	if r.Err != "" {
		t.Fatal(r.Err)
	}
	n.addr, n.stuck = r.Addr, o.Stuck
	return n
}

// spawn starts a node's process, which is nothing yet.
func spawn(t *testing.T, id ident.NodeID) *testNode {
	t.Helper()
	n := &testNode{t: t, id: id, got: make(chan *report, 1<<16), answers: make(chan *report, 1), read: make(chan struct{})}
	n.cmd = exec.Command(os.Args[0])
	n.cmd.Env = append(os.Environ(), asNode+"=1")
	n.cmd.Stderr = &n.errs
	var err error
	if n.stdin, err = n.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := n.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := n.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.end)
	n.orders = json.NewEncoder(n.stdin)
	go func() {
		defer close(n.read)
		for reports := json.NewDecoder(out); ; {
			r := new(report)
			if reports.Decode(r) != nil {
				return
			}
			if r.Got != nil {
				n.got <- r
			} else {
				n.answers <- r
			}
		}
	}()
	return n
}

// do gives an order and waits for the answer.
func (n *testNode) do(o order) *report {
	n.t.Helper()
	if err := n.orders.Encode(o); err != nil {
		n.t.Fatalf("%s: %v\n%s", n.id, err, n.errs.String())
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case r := <-n.answers:
		return r
	case <-n.read:
		_ = n.cmd.Wait()
		n.ended = true
		n.t.Fatalf("%s ended:\n%s", n.id, n.errs.String())
	case <-timer.C:
		n.t.Fatalf("%s doesn't answer %s", n.id, o.Do)
	}
	return nil
}

// end closes a node and lets its process end. It must leave no goroutine, and have nothing to say, as the race detector would.
func (n *testNode) end() {
	if n.ended {
		return
	}
	n.ended = true
	if !n.stuck && !n.t.Failed() {
		if r := n.do(order{Do: "close"}); r.Err != "" {
			n.t.Errorf("%s leaves: %s", n.id, r.Err)
		}
		_ = n.stdin.Close() // ends it
	} else {
		_ = n.cmd.Process.Kill()
	}
	<-n.read
	if err := n.cmd.Wait(); err != nil && !n.stuck || n.errs.Len() > 0 {
		n.t.Errorf("%s: %v\n%s", n.id, err, n.errs.String())
	}
}

// peer is how others reach it.
func (n *testNode) peer() link.Peer { return link.Peer{ID: n.id, Addr: n.addr} }

// send sends a frame of this node.
func (n *testNode) send(to link.Peer, class nodepb.LinkClass, number int) error {
	n.t.Helper()
	if r := n.do(order{Do: "send", To: to, Frame: frame(n.id, to.ID, class, number)}); r.Err != "" {
		return errors.New(r.Err)
	}
	return nil
}

// frame is one from a to b that is told from others by its number.
func frame(from, to ident.NodeID, class nodepb.LinkClass, number int) *nodepb.Frame {
	return &nodepb.Frame{Version: 1, From: string(from), To: string(to), Class: class, Epoch: 1, First: uint64(number),
		Envelopes: [][]byte{fmt.Append(nil, number)}}
}

func (n *testNode) look() *report { n.t.Helper(); return n.do(order{Do: "look"}) }

// patience is after how long a test gives up.
const patience = 30 * time.Second

// next is the next frame that a node receives.
func (n *testNode) next() *report {
	n.t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case r := <-n.got:
		return r
	case <-timer.C:
		n.t.Fatalf("%s received nothing: %+v", n.id, n.look())
		return nil
	}
}

// until sends again and again until what is true, as a link would.
func (n *testNode) until(what func() bool, to link.Peer) {
	n.t.Helper()
	var err error
	if !poll(func() bool {
		err = n.send(to, nodepb.LinkClass_MESSAGES, 0)
		return what()
	}) {
		n.t.Fatalf("it doesn't happen; the last Send: %v; %+v", err, n.look())
	}
}

// poll asks until the answer is yes, and returns it.
func poll(what func() bool) bool {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); time.Now().Before(end); <-tick.C {
		if what() {
			return true
		}
	}
	return what()
}
