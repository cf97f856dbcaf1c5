package storetest

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

const (
	benchMailboxes = 100_000
	benchProducers = 512
	benchLanes     = 4
)

// Used is processor time that somebody has used so far. By is who: what the benchmark calls it.
type Used struct {
	By   string
	Time time.Duration
}

// benchUser is one of the users of benchmarks.
func benchUser(n int) ident.UserID { return ident.UserID(fmt.Sprintf("user%06d@bench.example", n)) }

// job is one append that a producer waits for.
type job struct {
	a    store.Append
	done *sync.WaitGroup
}

// benchLane commits what has queued up, as the server's lanes do, and acknowledges 90 % of it about a second later.
func benchLane(b *testing.B, e store.Engine, queue <-chan job) {
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

// BenchAppend appends 200 bytes to one of 100,000 mailboxes and waits for the commit; 90 % is deleted about a second later. 512
// producers, 4 lanes. used tells what processor time has gone by, always of the same, in the same order.
func BenchAppend(b *testing.B, e store.Engine, used func() []Used) {
	var lanes, producers sync.WaitGroup
	var queues [benchLanes]chan job
	for i := range queues {
		queues[i] = make(chan job, 1024)
		lanes.Go(func() { benchLane(b, e, queues[i]) })
	}
	users := make([]ident.UserID, benchMailboxes)
	for i := range users {
		users[i] = benchUser(i)
	}
	body := make([]byte, 200)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range body {
		body[i] = byte(' ' + rng.IntN(64))
	}
	b.ReportAllocs()
	b.ResetTimer()
	start, before := time.Now(), used()
	for p := range benchProducers {
		producers.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(p), 3))
			var done sync.WaitGroup
			for n := p; n < b.N; n += benchProducers {
				u := users[rng.IntN(len(users))]
				done.Add(1)
				queues[int(store.MailPartition(u))%benchLanes] <- job{store.Append{Mailbox: u, ID: ID(n), Ord: time.Now().UnixMicro(),
					Sender: users[p], CSeq: uint64(n), TTL: 720 * time.Hour, Body: body}, &done}
				done.Wait()
			}
		})
	}
	producers.Wait()
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "appends/s")
	for i, u := range used() {
		b.ReportMetric(float64((u.Time-before[i].Time).Nanoseconds())/1e3/float64(b.N), u.By+"-us/append")
	}
	for _, q := range queues {
		close(q)
	}
	lanes.Wait()
}

// BenchDrain reads mailboxes of 100 messages and deletes them. Ahead is for how many of them the messages are written at a time.
func BenchDrain(b *testing.B, e store.Engine, ahead int) {
	const per = 100
	fill := func(from int) {
		for m := from; m < from+ahead; m++ {
			var batch store.Batch
			for n := range per {
				batch.Appends = append(batch.Appends, store.Append{Mailbox: benchUser(m), ID: ID(m*per + n), Ord: int64(n), Sender: benchUser(n), Body: make([]byte, 200)})
			}
			if _, err := e.Mail().Commit(&batch); err != nil {
				b.Fatal(err)
			}
		}
	}
	fill(0)
	b.ReportAllocs()
	drained := 0
	for b.Loop() {
		if drained++; drained%ahead == 0 {
			b.StopTimer()
			fill(drained)
			b.StartTimer()
		}
		m := benchUser(drained - 1)
		rows, err := Rows(b.Context(), e, m)
		if err != nil || len(rows) != per {
			b.Fatalf("%d rows, %v", len(rows), err)
		}
		ids, acks := make([]ident.MessageID, per), make([]store.Ack, per)
		for i, r := range rows {
			ids[i], acks[i] = r.ID, store.Ack{Mailbox: m, ID: r.ID, Delete: true}
		}
		if _, err := e.Mail().Read(b.Context(), m, ids); err != nil {
			b.Fatal(err)
		}
		if _, err := e.Mail().Commit(&store.Batch{Acks: acks}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/per/float64(b.N), "ns/message")
}
