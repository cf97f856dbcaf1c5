package mixed

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/jackdaw-im/jackdaw/ident"
)

// loss is one node's word that it has taken another one for lost.
type loss struct {
	by        string // who says so
	node      ident.NodeID
	since, at time.Time // when it was missed, and when it was given up
}

// losses reads in a node's log whom it has given up. Who was missed and came back isn't among them, nor who has left.
func losses(by, log string) (list []loss) {
	missed := map[ident.NodeID]time.Time{}
	for line := range strings.Lines(log) {
		var said struct {
			Time time.Time    `json:"time"`
			Msg  string       `json:"msg"`
			Node ident.NodeID `json:"node"`
		}
		if json.Unmarshal([]byte(line), &said) != nil {
			continue // the rest of a line, or what isn't the server's
		}
		switch said.Msg {
		case "a node is lost":
			missed[said.Node] = said.Time.UTC()
		case "a lost node is given up":
			since, ok := missed[said.Node]
			if !ok { // that line isn't kept any more
				since = said.Time.UTC()
			}
			list = append(list, loss{by: by, node: said.Node, since: since, at: said.Time.UTC()})
		}
	}
	return list
}

// orderly reports whether the node that was taken for lost had been told to end by then, at one of these times: that is a restart which
// looked like a loss. An incarnation is the microsecond in which it began, so that a later one, which nobody has told anything, isn't meant.
func (l loss) orderly(stops []time.Time) bool {
	for _, stop := range stops {
		if l.node.Incarnation() <= uint64(stop.UnixMicro()) && !stop.After(l.since) {
			return true
		}
	}
	return false
}
