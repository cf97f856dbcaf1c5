package node

import (
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
)

// TestMessagingAgain: after all of messaging has been started anew, the router acts upon views.
func TestMessagingAgain(t *testing.T) {
	n := startNode(t, testConfig(t))
	gateway := func() (ref actors.Ref) {
		n.sys.Each(func(r actors.Ref) bool {
			if r.Kind == "service" && strings.HasSuffix(r.ID, "gateway") {
				ref = r
			}
			return ref.IsZero()
		})
		return ref
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	see := func(id uint64, meanwhile func()) { // the test's own time limit ends it
		for n.cluster.Status().View != id {
			meanwhile()
			<-tick.C
		}
	}
	other := alone(n.sys.Node())
	first := other.ID
	other.ID = 7
	n.cluster.SetView(other)
	see(7, func() {})
	see(first, func() { _ = n.sys.Exit(gateway(), actors.Crashed(errChaos)) }) // more often than its supervisor bears
	n.cluster.SetView(other)
	see(7, func() {})
}
