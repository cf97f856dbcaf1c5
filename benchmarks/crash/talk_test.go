package main

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/jackdaw-im/jackdaw/benchmarks/load"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

func TestTalkIsReadBack(t *testing.T) {
	tk := talk{run: "r1"}
	random := rand.New(rand.NewPCG(1, 2))
	stanzaIDs, bare := make(map[string]int), 0
	for seq := 1; seq <= 400; seq++ {
		want := load.Key{Pair: load.Pair{Sender: 3, Recipient: 14}, Seq: seq}
		id := tk.originID(random)
		e, err := xmpp.Parse(tk.stanza(want, "u14@localhost", id))
		if err != nil {
			t.Fatal(err)
		}
		got, gotID, ok := tk.read(e)
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

func TestTalkRefusesOtherTexts(t *testing.T) {
	tk := talk{run: "r1"}
	good := tk.body(load.Key{Pair: load.Pair{Sender: 1, Recipient: 2}, Seq: 3})
	for _, bad := range []string{"", "hello", good + ".", good[:len(good)-1], strings.Replace(good, "r1", "r2", 1),
		strings.Replace(good, "/3/", "/x/", 1), strings.Replace(good, "/3/", "/03/", 1)} {
		if k, ok := tk.parse(bad); ok {
			t.Errorf("%q is read as %v", bad, k)
		}
	}
	e, err := xmpp.Parse([]byte("<message><subject>x</subject></message>"))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, ok := tk.read(e); ok {
		t.Error("a message without a body is read")
	}
}
