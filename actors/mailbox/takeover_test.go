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

// TestSameResourceAgain: a client whose session is lost binds its resource anew before anybody has noticed. What the lost one has comes
// before what is sent since.
func TestSameResourceAgain(t *testing.T) {
	r := newRig(t)
	attach := func(name string, available bool) {
		r.attachAs(&nodepb.Attach{Session: sessionRef(name).Proto(), Resource: "pc", Epoch: 1, Connected: true, Available: available, Credit: plenty})
	}
	attach("old", true)
	r.send("a", "b")
	r.commitAll()
	to := r.chat("c")
	to.Resource = "pc"
	r.deliver(to)
	r.commitAll()
	r.want("old<a, old<b, juliet1:1=OK, juliet1:2=OK, old<c, juliet1:3=OK")
	attach("new", false) // it has not sent presence: only what is for the resource itself is its
	r.answerReads()
	r.want("new<c delayed")
	attach("new", true)
	r.answerReads()
	r.want("new<a delayed, new<b delayed")
	r.send("d")
	r.commitAll()
	r.want("old<d, new<d, juliet1:4=OK")
	r.detach("old")
	r.want("")
	r.ack("new", 1, 0, "a", "b", "c", "d")
	r.want("delete a, delete b, delete c, delete d")
	r.check()
}
