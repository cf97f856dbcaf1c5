package main

import (
	"math/rand/v2"
	"testing"

	"github.com/jackdaw-im/jackdaw/internal/talk"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

func TestTalkIsReadBack(t *testing.T) {
	tk := speech{talk.Script{Run: "r1"}}
	random := rand.New(rand.NewPCG(1, 2))
	stanzaIDs, bare := make(map[string]int), 0
	for seq := 1; seq <= 400; seq++ {
		want := talk.Key{Pair: talk.Pair{Sender: 3, Recipient: 14}, Seq: seq}
		id := tk.originID(random)
		e, err := xmpp.Parse(tk.stanza(want, "u14@localhost", id))
		if err != nil {
			t.Fatal(err)
		}
		got, gotID, ok := tk.Read(e)
		if !ok || got != want || gotID != id {
			t.Fatalf("read %v, %q, %v; want %v, %q", got, gotID, ok, want, id)
		}
		stanzaIDs[e.Attr("id")]++
		if id == "" {
			bare++
			if e.Attr("id") != "" {
				t.Error("a stanza id where there should be no id at all")
			}
		}
	}
	if stanzaIDs["m1"] < 100 || stanzaIDs[""] < 80 || bare == 0 || bare > 60 {
		t.Errorf("%d with the id m1, %d without an id, %d without an origin-id", stanzaIDs["m1"], stanzaIDs[""], bare)
	}
}
