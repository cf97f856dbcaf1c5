package node

import (
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/lane"
	"github.com/jackdaw-im/jackdaw/client"
)

// TestLanesGivenUp: when the lanes' supervisor has had enough and begins anew, everything that asked the old lanes does so, too:
// what they took along has no answer. The client connects again and goes on.
func TestLanesGivenUp(t *testing.T) {
	cfg := testConfig(t)
	n := startNode(t, cfg, "juliet@localhost", "romeo@localhost")
	juliet, _ := login(t, n, "juliet@localhost/balcony", client.Config{Management: true})
	send(t, juliet, "romeo@localhost", "before")
	_, in := login(t, n, "romeo@localhost/garden", client.Config{Management: true})
	in.want("chat juliet@localhost/balcony: before (late)")
	addr := n.Listening().C2STLS
	for range 4 {
		_ = n.sys.Answer(actors.Ref{Kind: lane.MailKind, ID: "mail-0"}, (*lane.Append)(nil))
	}
	select {
	case <-juliet.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("the session lives on with mailboxes whose lanes are gone")
	}
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for deadline := time.Now().Add(10 * time.Second); n.Listening().C2STLS == addr; <-look.C {
		if time.Now().After(deadline) {
			t.Fatal("the gateway doesn't come back")
		}
	}
	juliet, _ = login(t, n, "juliet@localhost/balcony", client.Config{Management: true})
	_, in = login(t, n, "romeo@localhost/garden", client.Config{Management: true})
	send(t, juliet, "romeo@localhost", "after")
	first := "chat juliet@localhost/balcony: before (late)" // its acknowledgement may have gone with a lane
	select {
	case got := <-in.ch:
		if got == first {
			got = <-in.ch
		}
		if !strings.HasPrefix(got, "chat juliet@localhost/balcony: after") {
			t.Fatal(got)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("nothing came")
	}
}
