package pgstore_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/store/pgstore"
	"github.com/jackdaw-im/jackdaw/store/storetest"
)

// TestOneShardIsGone: what one database can't tell keeps nobody from what the others have to say: notices of a twin's messages, and messages
// that have expired.
func TestOneShardIsGone(t *testing.T) {
	r := newRig(t, nil)
	twin, err := pgstore.Open(r.list, pgstore.Options{Directory: r.o.Directory, Node: "two@1", AllowUnreplicated: true})
	must(t, err)
	defer func() { must(t, twin.Close()) }()
	all := make([]ident.Partition, ident.Partitions)
	for p := range all {
		all[p] = ident.Partition(p)
	}
	must(t, r.Claims().Claim(all))
	var of [2][]ident.UserID // users by their shard, in the order of their partitions
	batch := &store.Batch{}
	for n := range 40 {
		u := ident.UserID(fmt.Sprintf("user%d@example.org", n))
		s := r.ShardOf(store.MailPartition(u))
		of[s] = append(of[s], u)
		batch.Appends = append(batch.Appends, store.Append{Mailbox: u, ID: storetest.ID(n), Ord: 1, Sender: "juliet@example.org", TTL: time.Second, Body: []byte("x")})
	}
	if len(of[0]) == 0 || len(of[1]) == 0 {
		t.Fatal("all users are in one shard")
	}
	_, err = twin.Mail().Commit(batch)
	must(t, err)
	r.advance(time.Minute)
	for gone := range of {
		database := name(r.urls[gone])
		sql(t, sharedURL("postgres"), "ALTER DATABASE "+database+" ALLOW_CONNECTIONS false",
			"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '"+database+"'")
		there := slices.Sorted(slices.Values(of[1-gone]))

		notices, err := r.Claims().ForeignWrites(t.Context())
		var noticed []ident.UserID
		var ns []int64
		for _, w := range notices {
			noticed, ns = append(noticed, w.Mailbox), append(ns, w.N)
		}
		if slices.Sort(noticed); err == nil || !slices.Equal(noticed, there) {
			t.Fatalf("without shard %d: notices of %v, %v; want %v and an error", gone, noticed, err, there)
		}
		must(t, r.Claims().Done(ns[:1]))

		var expired []ident.UserID
		failed := 0
		for q := (store.ExpiredQuery{Limit: 7}); ; {
			page, err := r.Mail().Expired(t.Context(), q)
			if err != nil {
				failed++
			}
			for _, row := range page.Rows {
				expired = append(expired, row.Mailbox)
			}
			if q.After = page.Next; q.After == "" {
				break
			}
		}
		if slices.Sort(expired); failed == 0 || !slices.Equal(expired, there) {
			t.Errorf("without shard %d: expired for %v with %d errors; want %v and some", gone, expired, failed, there)
		}
		sql(t, sharedURL("postgres"), "ALTER DATABASE "+database+" ALLOW_CONNECTIONS true")
		eventually(t, "the shard to be there again", func() bool {
			_, err := r.Claims().ForeignWrites(t.Context())
			return err == nil
		})
	}
}
