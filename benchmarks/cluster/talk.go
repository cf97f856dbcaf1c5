package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/jackdaw-im/jackdaw/benchmarks/load"
	"github.com/jackdaw-im/jackdaw/client"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

// bodyLen is how long bodies are made, in bytes.
const bodyLen = 100

// talk makes the ids of one run unlike those of any other.
type talk struct{ run string }

// id is both the id and the origin-id of a message.
func (t talk) id(k load.Key) string {
	return fmt.Sprintf("%s/%d/%d/%d", t.run, k.Sender, k.Recipient, k.Seq)
}

// parse finds out which message an id belongs to. ok is false if it isn't, to the letter, one of this run.
func (t talk) parse(id string) (k load.Key, ok bool) {
	parts := strings.Split(id, "/")
	if len(parts) != 4 || parts[0] != t.run {
		return load.Key{}, false
	}
	for i, n := range []*int{&k.Sender, &k.Recipient, &k.Seq} {
		v, err := strconv.Atoi(parts[i+1])
		if err != nil {
			return load.Key{}, false
		}
		*n = v
	}
	return k, t.id(k) == id
}

// body is the text of a message. It says which one it is, so that it can be recognised whatever happens to ids.
func (t talk) body(k load.Key) string {
	s := t.id(k) + "/"
	return s + strings.Repeat(".", max(0, bodyLen-len(s)))
}

// stanza makes the message.
func (t talk) stanza(k load.Key, to string) []byte {
	m := client.Message{To: to, ID: t.id(k), OriginID: t.id(k), Body: t.body(k)}
	return m.Append(make([]byte, 0, 384))
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
	text := body.Text()
	end := strings.LastIndexByte(text, '/')
	if end < 0 {
		return load.Key{}, originID, false
	}
	k, ok = t.parse(text[:end])
	return k, originID, ok && text == t.body(k)
}
