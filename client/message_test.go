package client

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/jackdaw-im/jackdaw/xmpp"
)

// legal is any text that XML can carry.
func legal() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		return strings.Map(func(r rune) rune {
			if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == utf8.RuneError || r == 0xFFFE || r == 0xFFFF {
				return -1
			}
			return r
		}, rapid.OneOf(rapid.String(), rapid.StringMatching(`[<>&'"\t\n\r a]*`)).Draw(t, "text"))
	})
}

func TestMessageIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := Message{To: legal().Draw(t, "to"), Type: legal().Draw(t, "type"), ID: legal().Draw(t, "id"),
			OriginID: legal().Draw(t, "origin-id"), Body: legal().Draw(t, "body"), Payload: []byte("<x xmlns='urn:x'/>")}
		e, err := xmpp.Parse(want.Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		kind := want.Type
		if kind == "" {
			kind = "chat"
		}
		body, origin := "", ""
		if child := e.Child(xmpp.NSClient, "body"); child != nil {
			body = child.Text()
		}
		if child := e.Child("urn:xmpp:sid:0", "origin-id"); child != nil {
			origin = child.Attr("id")
		}
		if e.Name != "message" || e.Attr("to") != want.To || e.Attr("type") != kind || e.Attr("id") != want.ID || body != want.Body ||
			origin != want.OriginID || e.Child("urn:x", "x") == nil {
			t.Fatalf("%+v became %+v", want, e)
		}
	})
}

func TestNewIDsDiffer(t *testing.T) {
	seen := make(map[string]bool)
	for range 1000 {
		id := NewID()
		if len(id) != 32 || seen[id] {
			t.Fatalf("id %q", id)
		}
		seen[id] = true
	}
}

func TestPresence(t *testing.T) {
	for priority, want := range map[int]string{0: "<presence/>", -1: "<presence><priority>-1</priority></presence>",
		5: "<presence><priority>5</priority></presence>"} {
		if got := string(appendPresence(nil, priority)); got != want {
			t.Errorf("%d: %s", priority, got)
		}
	}
}
