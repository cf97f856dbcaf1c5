package account

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/sys"
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
	st.down(ref("s2"), actors.Normal, t0)
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

// An operator lets a user in whose password somebody has guessed at, also one who sleeps already.
func TestFailuresAreForgiven(t *testing.T) {
	run(t, func(r *rig) {
		r.create(juliet)
		for range 10 {
			r.cast(Ref(juliet), &nodepb.LoginResult{})
		}
		if r.credentials(juliet).GetWaitMs() == 0 {
			t.Fatal("nobody is slowed")
		}
		set := func(doc string) error {
			return sys.ReplaceStateWith(r.t.Context(), r.sys, Ref(juliet), "the tests", []byte(doc))
		}
		if err := set(`{"failures": -1}`); err == nil || r.credentials(juliet).GetWaitMs() == 0 {
			t.Errorf("a bad document: %v", err)
		}
		if err := set(`{"failures": 0}`); err != nil || r.credentials(juliet).GetWaitMs() != 0 {
			t.Errorf("forgiven, %v, the wait is %d ms", err, r.credentials(juliet).GetWaitMs())
		}
		time.Sleep(2 * IdleTime)
		if _, err := sys.GetState(r.t.Context(), r.sys, Ref(juliet), "the tests"); !errors.Is(err, actors.ErrNoProc) {
			t.Errorf("asleep, it shows its state: %v", err)
		}
		if wait := r.credentials(juliet).GetWaitMs(); wait != 0 {
			t.Errorf("after a sleep the wait is %d ms", wait)
		}
		report, err := sys.Status(r.t.Context(), r.sys, Ref(juliet), "the tests")
		if err != nil || !strings.Contains(string(report.State), `"exists":true`) || report.Memory < 100 || report.Memory > 100_000 {
			t.Errorf("its status is %+v, %v", report, err)
		}
	})
}
