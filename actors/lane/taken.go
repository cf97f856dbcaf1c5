package lane

import (
	"sync/atomic"
	"time"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

// TakenTime is for how long after a claim a partition counts as taken over: by then those who were online have come back.
const TakenTime = time.Minute

// taken is when partitions were claimed, and how many claims there were. It is read and written by many.
type taken struct {
	claims atomic.Uint64
	at     [ident.Partitions]atomic.Int64 // in microseconds since 1970
}

// note notes a claim that the store has taken, and returns its number, which is above 0.
func (t *taken) note(partitions []ident.Partition, now time.Time) uint64 {
	for _, p := range partitions {
		t.at[p%ident.Partitions].Store(now.UnixMicro())
	}
	return t.claims.Add(1)
}

// TakenOver reports whether this node has a mailbox's partition since lately. Whoever was online with another node then is about to
// come back.
func (l *Lanes) TakenOver(mailbox ident.UserID, now time.Time) bool {
	at := l.taken.at[store.MailPartition(mailbox)].Load()
	return at != 0 && now.UnixMicro()-at < TakenTime.Microseconds()
}
