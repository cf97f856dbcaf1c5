package session

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// shown is a session's status as an operator sees it.
func shown(t *testing.T, a *actor) string {
	t.Helper()
	text, err := json.Marshal(a.FormatStatus())
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestStatusOfALogin(t *testing.T) {
	r := newRig(t)
	r.open()
	r.give(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='NONE'>Y2FuYXJ5</auth>`)
	s := r.st.status()
	if s.Phase != "login" || s.Authenticated || s.Tries != 1 || s.Managed || s.Until != epoch0.Add(loginTime) {
		t.Errorf("it is %+v", s)
	}
	if got := shown(t, &actor{st: r.st}); strings.Contains(got, "canary") {
		t.Errorf("it shows content: %s", got)
	}
}

// All that a client, its contacts or its resumption is about is in the state, and nothing of it in the status.
func TestStatusOfABoundSession(t *testing.T) {
	r := newRig(t)
	r.bind("canary-resource")
	r.give(`<enable xmlns='urn:xmpp:sm:3' resume='true'/>`,
		`<presence><priority>7</priority><status>canary-status</status></presence>`,
		`<presence to='canary-friend@example.org/canary'/>`,
		`<message to='canary-friend@example.org' type='chat' id='canary-id'><body>canary-body</body></message>`,
		`<presence to='canary-new@example.org' type='subscribe'><status>canary-please</status></presence>`)
	r.push(row("canary-row-id", "canary-row"))
	r.do(func(fx *effects) {
		r.st.blocked = true
		r.st.presenceIn(fx, &nodepb.Presence{From: "canary-friend@example.org/canary", To: "alice@example.org", Payload: []byte("canary")})
		r.st.push(&nodepb.Push{Epoch: r.st.epoch, Rows: []*nodepb.PushedRow{row("canary-row-2", "canary")}})
	})
	s := r.st.status()
	if s.Phase != "bound" || !s.Authenticated || !s.Managed || !s.Resumable || !s.Available || s.Priority != 7 || s.Directed != 1 || s.Arriving != 1 ||
		s.Held != 1 || s.Sending != 1 || s.Subscriptions != 1 || s.In != (inStatus{5, 3}) || s.Out.Sent != 2 || s.Out.Rows != 1 || !s.Blocked {
		t.Errorf("it is %+v", s)
	}
	got := shown(t, &actor{st: r.st, outlet: nil})
	for _, word := range []string{"canary", "alice", "example.org", r.st.sm.id, r.st.sm.secret} {
		if word == "" || strings.Contains(got, word) {
			t.Errorf("%q is in %s", word, got)
		}
	}
	r.do(func(fx *effects) { r.st.lost(fx) })
	if s := r.st.status(); s.Phase != "detached" || s.Until != r.now.Add(r.st.ResumeTime) {
		t.Errorf("without its socket it is %+v", s)
	}
}

func TestEachPhaseHasAWord(t *testing.T) {
	if len(phaseNames) != int(lingering)+1 {
		t.Fatalf("there are %d words", len(phaseNames))
	}
	for p, word := range phaseNames {
		if word == "" {
			t.Errorf("phase %d has none", p)
		}
	}
}

func TestStatusWithoutADeadline(t *testing.T) {
	r := boundRig(t)
	r.st.until = time.Time{}
	if got := shown(t, &actor{st: r.st}); strings.Contains(got, `"until"`) || !strings.Contains(got, `"phase":"bound"`) {
		t.Errorf("it is %s", got)
	}
}
