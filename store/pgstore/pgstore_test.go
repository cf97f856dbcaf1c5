package pgstore_test

import (
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/internal/testpg"
	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/store/memstore"
	"github.com/jackdaw-im/jackdaw/store/pgstore"
	"github.com/jackdaw-im/jackdaw/store/storetest"
)

func fixture(t *testing.T) *storetest.Fixture { return fixtureOf(newRig(t, nil)) }

func fixtureOf(r *rig) *storetest.Fixture {
	f := &storetest.Fixture{Engine: r.Engine, Advance: r.advance}
	f.Reopen = func(t *testing.T) store.Engine {
		must(t, r.Close())
		r.open(t)
		f.Engine = r.Engine
		return r.Engine
	}
	return f
}

func TestConformance(t *testing.T) { storetest.Run(t, fixture) }

// TestConformanceWithAStandby is the same on a primary whose commits wait for a standby, as a cluster has it, by an engine that acknowledges
// nothing without one.
func TestConformanceWithAStandby(t *testing.T) {
	s := testpg.Run(t, testpg.Options{Standbys: 1})
	pair := &ready{url: s.URL}
	storetest.Run(t, func(t *testing.T) *storetest.Fixture {
		return fixtureOf(pair.rig(t, func(o *pgstore.Options) { o.AllowUnreplicated = false }))
	})
	if state, err := s.Text(t.Context(), "SELECT sync_state FROM pg_stat_replication"); err != nil || state != "quorum" {
		t.Errorf("afterwards the standby is %q, %v", state, err)
	}
}

func TestHistories(t *testing.T) {
	storetest.Histories(t, fixture, func() store.Engine { return memstore.New(memstore.Options{}) })
}

func TestKill(t *testing.T) { storetest.Kill(t, openFolder, 3) }

func TestShared(t *testing.T) {
	storetest.Shared(t, func(t *testing.T) storetest.OpenNode {
		u := borrow(t)
		return func(t *testing.T, node string) store.Engine {
			e, err := pgstore.Open(u[0]+","+u[1], pgstore.Options{Directory: u[2], Node: ident.NodeID(node + "@1"), AllowUnreplicated: true, Check: 50 * time.Millisecond})
			must(t, err)
			t.Cleanup(func() { _ = e.Close() })
			return e
		}
	})
}
