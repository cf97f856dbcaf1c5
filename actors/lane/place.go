package lane

import (
	"fmt"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

// places says which lane each partition has. Engines lock by partition, so lanes chosen by it never wait for each other; and a
// lane has partitions of one shard only, so one that waits for a shard that is gone holds up no other shard's mailboxes.
type places struct {
	shards int
	shard  func(ident.Partition) int
	mail   [ident.Partitions]uint16
}

// placesOf spreads the partitions of each shard over n lanes of its own: the lanes of shard s are s*n to s*n+n-1.
func placesOf(engine store.Engine, n int) *places {
	p := &places{shards: 1, shard: func(ident.Partition) int { return 0 }}
	if s, ok := engine.(store.Sharded); ok {
		p.shards, p.shard = max(s.Shards(), 1), s.ShardOf
	}
	seen := make([]int, p.shards) // partitions of each shard so far
	for i := range p.mail {
		s := p.shard(ident.Partition(i))
		p.mail[i] = uint16(s*n + seen[s]%n)
		seen[s]++
	}
	return p
}

// split sorts partitions by shard.
func (p *places) split(partitions []ident.Partition) [][]ident.Partition {
	all := make([][]ident.Partition, p.shards)
	for _, x := range partitions {
		s := p.shard(x)
		all[s] = append(all[s], x)
	}
	return all
}

// mailOf is the lane of a mailbox.
func (l *Lanes) mailOf(mailbox ident.UserID) actors.Ref {
	return actors.Ref{Kind: MailKind, ID: l.mailIDs[l.places.mail[store.MailPartition(mailbox)]]}
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
