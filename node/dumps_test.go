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
