package main

import (
	"math/rand/v2"
	"strconv"

	"github.com/jackdaw-im/jackdaw/client"
	"github.com/jackdaw-im/jackdaw/internal/talk"
)

// speech is a script whose messages have ids as real clients make them.
type speech struct{ talk.Script }

// originID draws the origin-id of the next message: one of sixteen has none.
func (s speech) originID(random *rand.Rand) string {
	if random.IntN(16) == 0 {
		return ""
	}
	return s.Run + strconv.FormatUint(random.Uint64(), 36)
}

// stanza makes the message. Stanza ids are what real clients make of them: missing, or the same again and again.
func (s speech) stanza(k talk.Key, to, originID string) []byte {
	m := client.Message{To: to, OriginID: originID, Body: s.Body(k)}
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
