package talk

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/jackdaw-im/jackdaw/client"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

// bodyLen is how long bodies are made, in bytes.
const bodyLen = 100

// Script makes the messages of one run unlike those of any other, and knows them again.
type Script struct {
	// Run is what its ids begin with. It has no slash.
	Run string
}

// NewScript begins a run, with a random name.
func NewScript() Script { return Script{client.NewID()[:8]} }

// ID is both the id and the origin-id of a message.
func (s Script) ID(k Key) string {
	return fmt.Sprintf("%s/%d/%d/%d", s.Run, k.Sender, k.Recipient, k.Seq)
}

// Parse finds out which message an id belongs to. ok is false if it isn't, to the letter, one of this run.
func (s Script) Parse(id string) (k Key, ok bool) {
	parts := strings.Split(id, "/")
	if len(parts) != 4 || parts[0] != s.Run {
		return Key{}, false
	}
	for i, n := range []*int{&k.Sender, &k.Recipient, &k.Seq} {
		v, err := strconv.Atoi(parts[i+1])
		if err != nil {
			return Key{}, false
		}
		*n = v
	}
	return k, s.ID(k) == id
}

// Body is the text of a message. It says which one it is, so that it can be recognised whatever happens to ids.
func (s Script) Body(k Key) string {
	text := s.ID(k) + "/"
	return text + strings.Repeat(".", max(0, bodyLen-len(text)))
}

// Stanza makes the message.
func (s Script) Stanza(k Key, to string) []byte {
	m := client.Message{To: to, ID: s.ID(k), OriginID: s.ID(k), Body: s.Body(k)}
	return m.Append(make([]byte, 0, 384))
}

// Read says which message has arrived, and its origin-id. ok is false if its text isn't, to the letter, one of this run.
func (s Script) Read(e *xmpp.Element) (k Key, originID string, ok bool) {
	if origin := e.Child("urn:xmpp:sid:0", "origin-id"); origin != nil {
		originID = origin.Attr("id")
	}
	body := e.Child(xmpp.NSClient, "body")
	if body == nil {
		return Key{}, originID, false
	}
	text := body.Text()
	k, ok = s.Parse(text[:max(0, strings.LastIndexByte(text, '/'))])
	return k, originID, ok && text == s.Body(k)
}
