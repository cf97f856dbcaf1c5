package pgstore_test

import (
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/internal/testpg"
	"github.com/jackdaw-im/jackdaw/store/pgstore"
	"github.com/jackdaw-im/jackdaw/store/storetest"
)

// used is the processor time of this process, and of the servers.
func used(b *testing.B, servers ...*testpg.Server) []storetest.Used {
	b.Helper()
	var u unix.Rusage
	must(b, unix.Getrusage(unix.RUSAGE_SELF, &u))
	var all time.Duration
	for _, s := range servers {
		t, err := s.CPU()
		must(b, err)
		all += t
	}
	return []storetest.Used{{By: "client", Time: time.Duration(u.Utime.Nano() + u.Stime.Nano())}, {By: "server", Time: all}}
}

// BenchmarkAppend appends to many mailboxes and waits for the commit, with all partitions claimed: on one server that flushes, and on a pair
// of which the standby must have each commit too.
func BenchmarkAppend(b *testing.B) {
	for _, standbys := range []int{0, 1} {
		b.Run(fmt.Sprintf("standbys=%d", standbys), func(b *testing.B) {
			s := testpg.Run(b, testpg.Options{Fsync: true, Standbys: standbys, Settings: map[string]string{"shared_buffers": "512MB", "max_wal_size": "4GB", "checkpoint_timeout": "15min", "wal_compression": "on"}})
			e := openOn(b, pgstore.Options{AllowUnreplicated: standbys == 0, Check: time.Second}, s)
			all := make([]ident.Partition, ident.Partitions)
			for p := range all {
				all[p] = ident.Partition(p)
			}
			must(b, e.Claims().Claim(all))
			storetest.BenchAppend(b, e, func() []storetest.Used { return used(b, append(s.Standbys, s)...) })
		})
	}
}

// BenchmarkDrain reads whole mailboxes and deletes what is in them.
func BenchmarkDrain(b *testing.B) {
	s := testpg.Run(b, testpg.Options{})
	storetest.BenchDrain(b, openOn(b, pgstore.Options{AllowUnreplicated: true, Check: time.Second}, s), 1000)
}
