package pg

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestStatus shows numbers and nodes, and neither groups nor actors.
func TestStatus(t *testing.T) {
	const secret = "canary"
	st := newState()
	st.peerUp("m@1")
	st.peerUp("l@1")
	st.join(secret, namedAll(secret+" "+secret+" b"), life{})
	st.monitor(1, named(secret+"c"), "watched", false)
	st.monitor(2, named(secret+"c"), "", true)
	st.received("m@1", &Update{Joined: []Membership{{secret, namedAll(secret)}}})
	st.refused(st.watchers[1])
	st.unsent("m@1")
	doc, err := json.Marshal((&actor{st: st}).FormatStatus())
	if err != nil || strings.Contains(string(doc), secret) {
		t.Fatalf("shows %s, %v", doc, err)
	}
	want := `{"groups":2,"actors":3,"joined":3,"elsewhere":1,"watchers":2,"behind":2,"peers":["l@1","m@1"]}`
	if string(doc) != want {
		t.Fatalf("shows %s, want %s", doc, want)
	}
}
