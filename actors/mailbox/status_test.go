package mailbox

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/lane"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

func TestStatus(t *testing.T) {
	r := newRig(t)
	r.st.blocks = []string{"canary@example.org"}
	phone := actors.Ref{Kind: "session", ID: "canary", Node: "n@1"}
	r.do(func(fx *effects) {
		r.st.attach(fx, &nodepb.Attach{Session: phone.Proto(), Resource: "canary", Epoch: 3, Connected: true, Available: true, Priority: 5, Credit: 1 << 20})
	})
	r.send("a", "b", "c")
	r.commit(lane.Stored)
	r.do(func(fx *effects) {
		id := ident.MessageID{'a'}
		r.st.ack(fx, &nodepb.Ack{Session: phone.Proto(), Epoch: 3, Ids: [][]byte{id[:]}, Credit: 100})
	})
	s := r.st.status()
	if !s.Ready || !s.Exists || s.Contacts != 1 || s.Blocks != 1 || s.Rows.Messages != 2 || s.Rows.Senders != 1 || s.Rows.Bytes == 0 || s.Rows.Unheld != 0 ||
		s.Pending != 2 || s.Recent != 1 || s.Senders != 1 || len(s.Sessions) != 1 {
		t.Fatalf("it is %+v", s)
	}
	if a := s.Sessions[0]; !a.Connected || !a.Available || a.Priority != 5 || a.Epoch != 3 || a.Holds != 2 || a.Credit == 0 {
		t.Errorf("its session is %+v", a)
	}
	text, err := json.Marshal((&actor{st: r.st}).FormatStatus())
	for _, word := range []string{"canary", "romeo", "juliet", "balcony", "stanza"} {
		if err != nil || strings.Contains(string(text), word) {
			t.Errorf("%q is in %s, %v", word, text, err)
		}
	}
}

func TestStatusOfANewOne(t *testing.T) {
	st := newState(&Config{}, Ref(romeo), "n@1", t0)
	st.message(&effects{now: t0}, deliver("a", 1))
	text, err := json.Marshal((&actor{st: st}).FormatStatus())
	if err != nil || !strings.Contains(string(text), `"ready":false`) || !strings.Contains(string(text), `"waiting":1`) || !strings.Contains(string(text), `"sessions":[]`) {
		t.Errorf("it is %s, %v", text, err)
	}
}

func TestStatusOfAnEndpoint(t *testing.T) {
	onService(t, func(s *service) {
		s.send(1, 1)
		s.send(2, 1)
		if got := s.parrot.mail.Status(); got != (EndpointStatus{Senders: 1, Underway: 2}) {
			t.Errorf("it is %+v", got)
		}
	})
}
