package mixed

import (
	"fmt"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/ident"
)

// TestLosses: whoever was told to end and is taken for lost all the same is told apart from whom the machine had no time for.
func TestLosses(t *testing.T) {
	begin := time.Unix(1_800_000_000, 0).UTC()
	at := func(seconds int) time.Time { return begin.Add(time.Duration(seconds) * time.Second) }
	id := func(name string, seconds int) ident.NodeID {
		return ident.NodeID(fmt.Sprintf("%s@%d", name, at(seconds).UnixMicro()))
	}
	line := func(seconds int, msg string, node ident.NodeID) string {
		return fmt.Sprintf(`{"level":"warn","time":%q,"msg":%q,"node":%q,"text":"x"}`+"\n", at(seconds).Format(time.RFC3339Nano), msg, node)
	}
	const lost, back, left, gone = "a node is lost", "a node is back", "a node has left", "a lost node is given up"
	stops := []time.Time{at(20), at(60)}
	for name, test := range map[string]struct {
		log     string
		found   int
		orderly bool
	}{
		"it has left":                           {line(21, left, id("a", 0)), 0, false},
		"it came back":                          {line(10, lost, id("a", 0)) + line(12, back, id("a", 0)), 0, false},
		"nobody told it anything":               {line(10, lost, id("a", 0)) + line(14, gone, id("a", 0)), 1, false},
		"it had been told":                      {line(21, lost, id("a", 0)) + line(24, gone, id("a", 0)), 1, true},
		"it was told when it was missed":        {line(19, lost, id("a", 0)) + line(22, gone, id("a", 0)), 1, false},
		"it came back, and was told":            {line(10, lost, id("a", 0)) + line(12, back, id("a", 0)) + line(21, lost, id("a", 0)) + line(24, gone, id("a", 0)), 1, true},
		"only the end of the log is kept":       {`at":1}` + "\n" + line(24, gone, id("a", 0)), 1, true},
		"the next incarnation":                  {line(30, lost, id("a", 25)) + line(34, gone, id("a", 25)), 1, false},
		"the next incarnation, told as well":    {line(61, lost, id("a", 25)) + line(64, gone, id("a", 25)), 1, true},
		"the one before, when the next is here": {line(21, lost, id("a", 0)) + line(26, gone, id("a", 0)) + line(26, "a node has joined", id("a", 25)), 1, true},
	} {
		list := losses("b", test.log)
		if len(list) != test.found {
			t.Errorf("%s: %v", name, list)
			continue
		}
		for _, l := range list {
			if l.orderly(stops) != test.orderly || l.by != "b" || l.node.Name() != "a" || l.since.After(l.at) {
				t.Errorf("%s: %+v, orderly %v", name, l, l.orderly(stops))
			}
		}
	}
}
