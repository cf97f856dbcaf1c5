package lane

import (
	"encoding/json"
	"testing"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

func TestStatus(t *testing.T) {
	m := &mailLane{timed: true, reads: []any{&load{mailbox: "romeo@example.org"}}, lost: lost{"juliet@example.org": {}}}
	for n := range byte(3) {
		m.batch.append(&Append{Append: store.Append{Mailbox: "romeo@example.org", ID: ident.MessageID{n}, Body: []byte("body")}})
	}
	m.batch.ack(store.Ack{Mailbox: "romeo@example.org", ID: ident.MessageID{0}, Delete: true})
	m.batch.ack(store.Ack{Mailbox: "romeo@example.org", ID: ident.MessageID{9}, Delete: true})
	waiting := &claims{}
	waiting.mu.waiting = []*claim{{}, {}}
	waiting.remove([]int64{1, 2, 3})
	for _, c := range []struct {
		b    interface{ FormatStatus() any }
		want string
	}{
		{m, `{"appends":2,"bytes":8,"acks":1,"reads":1,"timed":true,"lingered":false,"lost":1}`},
		{&mailLane{}, `{"appends":0,"bytes":0,"acks":0,"reads":0,"timed":false,"lingered":false,"lost":0}`},
		{&claimer{of: waiting, armed: true}, `{"waiting":2,"removing":3,"retrying":true}`},
		{&poller{due: map[ident.UserID]*reloading{"romeo@example.org": {}}}, `{"reloading":1}`},
		{&walker{after: "romeo@example.org"}, `{"walking":true}`},
	} {
		if text, err := json.Marshal(c.b.FormatStatus()); err != nil || string(text) != c.want {
			t.Errorf("it is  %s, %v\nwant %s", text, err, c.want)
		}
	}
}
