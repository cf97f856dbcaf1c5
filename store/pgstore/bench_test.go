package pgstore_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/internal/testpg"
	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/store/pgstore"
	"github.com/jackdaw-im/jackdaw/store/storetest"
)

const (
	benchMailboxes = 100_000
	benchProducers = 512
	benchLanes     = 4
)

// cpu is the processor time that this process, and the servers, have used.
func cpu(b *testing.B, servers ...*testpg.Server) (client, server time.Duration) {
	b.Helper()
	var u unix.Rusage
	must(b, unix.Getrusage(unix.RUSAGE_SELF, &u))
	for _, s := range servers {
		used, err := s.CPU()
		must(b, err)
		server += used
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), server
}

// job is one append that a producer waits for.
type job struct {
	a    store.Append
	done *sync.WaitGroup
}

// lane commits what has queued up, as the server's lanes do, and acknowledges 90 % of it about a second later.
func lane(b *testing.B, e store.Engine, queue <-chan job) {
	type due struct {
		ack store.Ack
		at  time.Time
	}
	var later []due
	for first := range queue {
		batch, waiting := store.Batch{Appends: []store.Append{first.a}}, []*sync.WaitGroup{first.done}
		for more := true; more && len(waiting) < 1024; {
			select {
			case j, ok := <-queue:
				if more = ok; ok {
					batch.Appends, waiting = append(batch.Appends, j.a), append(waiting, j.done)
				}
			default:
				more = false
			}
		}
		now := time.Now()
		for len(later) > 0 && later[0].at.Before(now) && len(batch.Acks) < 1024 {
			batch.Acks, later = append(batch.Acks, later[0].ack), later[1:]
		}
		if _, err := e.Mail().Commit(&batch); err != nil {
			b.Error(err)
		}
		for i, a := range batch.Appends {
			waiting[i].Done()
			if a.CSeq%10 != 0 {
				later = append(later, due{store.Ack{Mailbox: a.Mailbox, ID: a.ID, Delete: true}, now.Add(time.Second)})
			}
		}
	}
}

// BenchmarkAppend appends 200 bytes to one of 100,000 mailboxes and waits for the commit; 90 % is deleted about a second later. 512
// producers, 4 lanes, all partitions claimed; one server that flushes, and a pair of which the standby must have each commit too.
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
			benchAppend(b, e, append(s.Standbys, s)...)
		})
	}
}

func benchAppend(b *testing.B, e store.Engine, servers ...*testpg.Server) {
	var lanes, producers sync.WaitGroup
	var queues [benchLanes]chan job
	for i := range queues {
		queues[i] = make(chan job, 1024)
		lanes.Go(func() { lane(b, e, queues[i]) })
	}
	users := make([]ident.UserID, benchMailboxes)
	for i := range users {
		users[i] = ident.UserID(fmt.Sprintf("user%06d@bench.example", i))
	}
	body := make([]byte, 200)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range body {
		body[i] = byte(' ' + rng.IntN(64))
	}
	b.ReportAllocs()
	b.ResetTimer()
	start := time.Now()
	client, server := cpu(b, servers...)
	for p := range benchProducers {
		producers.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(p), 3))
			var done sync.WaitGroup
			for n := p; n < b.N; n += benchProducers {
				u := users[rng.IntN(len(users))]
				done.Add(1)
				queues[int(store.MailPartition(u))%benchLanes] <- job{store.Append{Mailbox: u, ID: storetest.ID(n), Ord: time.Now().UnixMicro(),
					Sender: users[p], CSeq: uint64(n), TTL: 720 * time.Hour, Body: body}, &done}
				done.Wait()
			}
		})
	}
	producers.Wait()
	took := time.Since(start)
	client2, server2 := cpu(b, servers...)
	b.ReportMetric(float64(b.N)/took.Seconds(), "appends/s")
	b.ReportMetric(float64((client2-client).Nanoseconds())/1e3/float64(b.N), "client-us/append")
	b.ReportMetric(float64((server2-server).Nanoseconds())/1e3/float64(b.N), "server-us/append")
	for _, q := range queues {
		close(q)
	}
	lanes.Wait()
}

// BenchmarkDrain reads mailboxes of 100 messages and deletes them.
func BenchmarkDrain(b *testing.B) {
	const per = 100
	s := testpg.Run(b, testpg.Options{})
	e := openOn(b, pgstore.Options{AllowUnreplicated: true, Check: time.Second}, s)
	u := func(n int) ident.UserID { return ident.UserID(fmt.Sprintf("user%06d@bench.example", n)) }
	fill := func(from, to int) {
		for m := from; m < to; m++ {
			var batch store.Batch
			for n := range per {
				batch.Appends = append(batch.Appends, store.Append{Mailbox: u(m), ID: storetest.ID(m*per + n), Ord: int64(n), Sender: u(n), Body: make([]byte, 200)})
			}
			_, err := e.Mail().Commit(&batch)
			must(b, err)
		}
	}
	fill(0, 1000)
	b.ReportAllocs()
	drained := 0
	for b.Loop() {
		if drained++; drained%1000 == 0 {
			b.StopTimer()
			fill(drained, drained+1000)
			b.StartTimer()
		}
		m := u(drained - 1)
		rows, err := storetest.Rows(b.Context(), e, m)
		if err != nil || len(rows) != per {
			b.Fatalf("%d rows, %v", len(rows), err)
		}
		ids, acks := make([]ident.MessageID, per), make([]store.Ack, per)
		for i, r := range rows {
			ids[i], acks[i] = r.ID, store.Ack{Mailbox: m, ID: r.ID, Delete: true}
		}
		_, err = e.Mail().Read(b.Context(), m, ids)
		must(b, err)
		_, err = e.Mail().Commit(&store.Batch{Acks: acks})
		must(b, err)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/per/float64(b.N), "ns/message")
}
