package account

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/store"
)

func TestStatus(t *testing.T) {
	st := romeo()
	st.known, st.rev = true, 42
	st.account = store.Account{User: st.user, Disabled: true, SHA1: store.Scram{Salt: []byte("salty"), StoredKey: []byte("stored")}}
	bound(t, st, "s1", "orchard")
	bound(t, st, "s2", "balcony")
	available(st, "s1", 1)
	st.roster(ref("s2"))
	st.down(ref("s2"), true, t0)
	st.throttle.failed(t0)
	st.contacts["rosaline@montague.example"].request = &nodepb.Presence{Payload: []byte("please")}
	st.stash = []message{{msg: &nodepb.Presence{From: "paris@montague.example"}}}
	st.work = &work{tries: 2}
	want := status{
		Known: true, Exists: true, Disabled: true, Revision: 42,
		Contacts: contactStatus{All: 5, Listed: 4, To: 3, From: 3, PendingIn: 1},
		Sessions: sessionStatus{All: 2, Available: 1, Interested: 1, Leaving: 1},
		Failures: 1, Waiting: 1, Changing: true, Tries: 2,
	}
	a := &actor{st: st}
	if got := a.FormatStatus(); got != want {
		t.Errorf("it is  %+v\nwant %+v", got, want)
	}
	text, err := json.Marshal(a.FormatStatus())
	for _, word := range []string{"montague", "orchard", "balcony", "chat", "salty", "stored", "please", "s1", "\"s2"} {
		if err != nil || strings.Contains(string(text), word) {
			t.Errorf("%q is in %s, %v", word, text, err)
		}
	}
	if got := newState("romeo@montague.example").status(); got != (status{Loading: true}) {
		t.Errorf("one that isn't read yet is %+v", got)
	}
}

func TestReplace(t *testing.T) {
	st := romeo()
	for range 10 {
		st.throttle.failed(t0)
	}
	for _, doc := range []string{``, `{`, `{}`, `null`, `[]`, `{"failures": -1}`, `{"failures": 101}`, `{"failures": "0"}`, `{"failures": 0, "exists": false}`} {
		if err := st.replace([]byte(doc), t0); err == nil || st.throttle.failures != 10 {
			t.Errorf("%s: %v, and there are %d failures", doc, err, st.throttle.failures)
		}
	}
	if err := st.replace([]byte(`{"failures": 0}`), t0); err != nil || st.throttle.wait(t0) != 0 {
		t.Errorf("forgiven: %v, and the wait is %v", err, st.throttle.wait(t0))
	}
	if err := st.replace([]byte(`{"failures": 100}`), t0); err != nil || st.throttle.wait(t0) != longestWait {
		t.Errorf("held back: %v, and the wait is %v", err, st.throttle.wait(t0))
	}
}
