package main

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/jackdaw-im/jackdaw/benchmarks/load"
	"github.com/jackdaw-im/jackdaw/client"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

// bodyLen is how long bodies are made, in bytes.
const bodyLen = 100

// talk makes the ids of one run unlike those of any other: a server remembers them.
type talk struct{ run string }

// body is the text of a message. It says which one it is, so that it can be recognised whatever happens to ids.
func (t talk) body(k load.Key) string {
	s := fmt.Sprintf("%s/%d/%d/%d/", t.run, k.Sender, k.Recipient, k.Seq)
	return s + strings.Repeat(".", max(0, bodyLen-len(s)))
}

// parse finds out which message a body belongs to. ok is false if it isn't, to the letter, a body of this run.
func (t talk) parse(body string) (k load.Key, ok bool) {
	parts := strings.Split(body, "/")
	if len(parts) != 5 || parts[0] != t.run {
		return load.Key{}, false
	}
	for i, n := range []*int{&k.Sender, &k.Recipient, &k.Seq} {
		v, err := strconv.Atoi(parts[i+1])
		if err != nil {
			return load.Key{}, false
		}
		*n = v
	}
	return k, t.body(k) == body
}

// originID draws the origin-id of the next message: one of sixteen has none.
func (t talk) originID(random *rand.Rand) string {
	if random.IntN(16) == 0 {
		return ""
	}
	return t.run + strconv.FormatUint(random.Uint64(), 36)
}

// stanza makes the message. Stanza ids are what real clients make of them: missing, or the same again and again.
func (t talk) stanza(k load.Key, to, originID string) []byte {
	m := client.Message{To: to, OriginID: originID, Body: t.body(k)}
	switch k.Seq % 4 {
	case 0, 1:
		m.ID = "m1"
	case 2:
		m.ID = "n" + strconv.Itoa(k.Seq)
	}
	if originID == "" {
		m.ID = ""
	}
	return m.Append(make([]byte, 0, 320))
}

// read says which message arrived, and its origin-id.
func (t talk) read(e *xmpp.Element) (k load.Key, originID string, ok bool) {
	body := e.Child(xmpp.NSClient, "body")
	if body == nil {
		return load.Key{}, "", false
	}
	if origin := e.Child("urn:xmpp:sid:0", "origin-id"); origin != nil {
		originID = origin.Attr("id")
	}
	k, ok = t.parse(body.Text())
	return k, originID, ok
}
