package lane

import "github.com/jackdaw-im/jackdaw/actors"

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

func claimsSpec() actors.Spec {
	return actors.Spec{Kind: ClaimsKind, Blocking: true, New: func() actors.Behaviour { return &claimer{} }}
}

func pollerSpec() actors.Spec {
	return actors.Spec{Kind: PollerKind, Blocking: true, New: func() actors.Behaviour { return &poller{} }}
}
