package mailbox

import (
	"testing"

	"github.com/jackdaw-im/jackdaw/actors/lane"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// TestTakeover: a session that takes over may attach before the one of another node detaches. What that one held goes before
// what is new, whichever comes first.
func TestTakeover(t *testing.T) {
	attach := &nodepb.Attach{Session: sessionRef("new").Proto(), Resource: "phone", Epoch: 1, Connected: true, Available: true,
		Credit: plenty, Replaces: sessionRef("old").Proto()}
	for name, first := range map[string]bool{"attach first": true, "detach first": false} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.attach("old", 1, 0, plenty)
			r.send("a", "b")
			r.commitAll()
			r.took()
			if first {
				r.attachAs(attach)
				r.send("c")
				r.detach("old")
			} else {
				r.detach("old")
				r.attachAs(attach)
				r.send("c")
			}
			r.answerReads()
			r.want("new<a delayed, new<b delayed, new<c")
			r.commit(lane.Stored)
			r.took()
			r.attachAs(attach) // said again, it changes nothing
			r.want("")
			r.check()
		})
	}
}
