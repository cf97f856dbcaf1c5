package lane

import (
	"fmt"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

// Bounds of one commit.
const (
	maxItems = 1024
	maxBytes = 1 << 20
)

func mailSpec(queueLen int) actors.Spec {
	return actors.Spec{
		Kind: MailKind, Blocking: true, BatchLen: maxItems, QueueLen: queueLen,
		New: func() actors.Behaviour { return &mailLane{} },
	}
}

func directorySpec() actors.Spec {
	return actors.Spec{Kind: DirectoryKind, Blocking: true, New: func() actors.Behaviour { return &directoryLane{} }}
}

func expirySpec() actors.Spec {
	return actors.Spec{Kind: ExpiryKind, Blocking: true, New: func() actors.Behaviour { return &walker{} }}
}

// mailOf is the lane of a mailbox. Engines lock by partition, so lanes chosen by it never wait for each other.
func (l *Lanes) mailOf(mailbox ident.UserID) actors.Ref {
	return actors.Ref{Kind: MailKind, ID: l.mailIDs[int(store.MailPartition(mailbox))%len(l.mailIDs)]}
}

func (l *Lanes) directoryOf(user ident.UserID) actors.Ref {
	return actors.Ref{Kind: DirectoryKind, ID: l.directoryIDs[int(store.MailPartition(user))%len(l.directoryIDs)]}
}

func names(prefix string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprint(prefix, "-", i)
	}
	return all
}
