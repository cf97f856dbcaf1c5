package mailbox

import (
	"testing"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

// TestRestored: what comes from a backup is told apart from what came after it.
func TestRestored(t *testing.T) {
	r := newRig(t)
	r.send("a", "b")
	r.commitAll()
	var a ident.MessageID
	copy(a[:], "a")
	row := r.rows[a]
	row.row.Flags |= store.FlagRestored
	r.rows[a] = row
	r.crash(store.MailboxInfo{Exists: true})
	r.took()
	r.attach("phone", 1, 0, 1<<20)
	r.answerReads()
	r.want("phone<a delayed restored, phone<b delayed")
}
