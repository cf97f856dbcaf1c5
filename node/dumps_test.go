package node

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/echo"
	"github.com/jackdaw-im/jackdaw/client"
	"github.com/jackdaw-im/jackdaw/dump"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// TestDump: of a node that works, every section is whole, and nothing of what its users write is in it.
func TestDump(t *testing.T) {
	const secret = "the raven himself is hoarse"
	cfg := testConfig(t)
	n := startNode(t, cfg, "juliet@localhost", "romeo@localhost")
	juliet, in := login(t, n, "juliet@localhost/balcony", client.Config{Management: true})
	for range 200 { // enough for the samples
		send(t, juliet, "echo@localhost", secret)
		in.want("chat echo@localhost: " + secret)
	}
	send(t, juliet, "romeo@localhost", secret)
	path, err := n.Dumps().Write(t.Context(), dump.Request)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "=") && strings.Contains(line, `"error"`) && !strings.HasPrefix(line, "=descriptors") {
			t.Error(line)
		}
	}
	if strings.Contains(string(text), secret) {
		t.Error("what a user wrote is in it")
	}
	var b bytes.Buffer
	if err := dump.View(&b, bytes.NewReader(text), dump.Options{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"node@", "domain localhost", "messaging (supervisor)", "mailboxes (dynamic, ", echo.Ref().String(), "session/", "jackdaw_sessions 1", "gateway.(*portableConn).read"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q isn't in\n%s", want, b.String())
		}
	}
	if !strings.Contains(string(text), "data: "+cfg.Data) {
		t.Error("no configuration")
	}
	if got := n.dumpCounts(); got["request"] != 1 || len(got) != len(dump.Reasons) {
		t.Errorf("counted %v", got)
	}
}

// stuck is a behaviour that doesn't return.
type stuck struct{ began, release chan struct{} }

func (s *stuck) Init(*actors.Context, any) error { return nil }

func (s *stuck) Handle(_ *actors.Context, msg any) error {
	if _, ok := msg.(hold); ok {
		close(s.began)
		<-s.release
	}
	return nil
}

type hold struct{ secret string }

// TestDumpOfASickNode: who doesn't return is named, with what it does and what waits for it, and nobody waits for its state.
func TestDumpOfASickNode(t *testing.T) {
	n := startNode(t, testConfig(t))
	s := &stuck{began: make(chan struct{}), release: make(chan struct{})}
	root, err := supervision.StartRoot(n.sys, supervision.SupervisorSpec{ID: "sick", Children: []supervision.ChildSpec{
		supervision.Actor("patient", actors.Spec{Kind: "ward", New: func() actors.Behaviour { return s }}, nil),
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		close(s.release)
		if err := root.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	patient := actors.Ref{Kind: "ward", ID: "patient"}
	for i := range 40 { // more than the least that is noted
		var msg any = "a body"
		if i%10 == 0 {
			msg = hold{"a body"}
		}
		if err := n.sys.Cast(patient, msg); err != nil {
			t.Fatal(err)
		}
	}
	<-s.began
	var b, view bytes.Buffer
	if err := n.Dumps().Send(t.Context(), &b, dump.Signal); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	if err := dump.View(&view, &b, dump.Options{Sections: []string{"actors"}}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"in a handler", "39     ", "ward/patient", "node.hold for ", "36 string, 3 node.hold"} {
		if !strings.Contains(view.String(), want) {
			t.Errorf("%q isn't in\n%s", want, view.String())
		}
	}
	if !strings.Contains(text, "node.(*stuck).Handle") || strings.Contains(text, "a body") {
		t.Error("the place is there, the body is not")
	}
}

// TestStateOfNobody: who isn't there has no state.
func TestStateOfNobody(t *testing.T) {
	n := startNode(t, testConfig(t))
	if v, err := (dumpSource{n.sys, n}).State(t.Context(), actors.Ref{Kind: "session", ID: "none"}); err == nil {
		t.Errorf("%v", v)
	}
	if _, err := (dumpSource{n.sys, n}).Children(t.Context(), actors.Ref{Kind: "supervisor", ID: "none"}); err == nil {
		t.Error("it has children")
	}
}

// late is a behaviour that takes until it is let go to initialise.
type late struct{ until chan struct{} }

func (l *late) Init(*actors.Context, any) error {
	<-l.until
	return nil
}

func (l *late) Handle(*actors.Context, any) error { return nil }

// TestDumpOfAStartingNode: nobody asks supervisors that aren't there yet, which would count as dead letters.
func TestDumpOfAStartingNode(t *testing.T) {
	n := startNode(t, testConfig(t))
	until, done := make(chan struct{}), make(chan error, 1)
	spec := supervision.Sup(supervision.SupervisorSpec{ID: "early", Children: []supervision.ChildSpec{
		supervision.Actor("slow", actors.Spec{Kind: "slow", Blocking: true, New: func() actors.Behaviour { return &late{until} }}, nil),
		supervision.Sup(supervision.SupervisorSpec{ID: "last"}),
	}})
	go func() {
		_, err := supervision.StartChild(t.Context(), n.sys, n.top(), spec)
		done <- err
	}()
	for { // until it is about to start
		children, err := supervision.WhichChildren(t.Context(), n.sys, n.top())
		if err != nil {
			t.Fatal(err)
		}
		if len(children) == 4 {
			break
		}
	}
	var b bytes.Buffer
	if err := n.Dumps().Send(t.Context(), &b, dump.Request); err != nil || !strings.Contains(b.String(), "supervisor/jackdaw.early.last") {
		t.Errorf("%v, %s", err, b.String())
	}
	if dead := n.sys.Snapshot().DeadLetters; len(dead) != 0 { // neither of this nor of the node's own start
		t.Errorf("dead letters: %v", dead)
	}
	close(until)
	if err := <-done; err != nil {
		t.Error(err)
	}
}
