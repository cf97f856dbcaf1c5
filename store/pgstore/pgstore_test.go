package pgstore_test

import (
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/store/memstore"
	"github.com/jackdaw-im/jackdaw/store/pgstore"
	"github.com/jackdaw-im/jackdaw/store/storetest"
)

func fixture(t *testing.T) *storetest.Fixture {
	r := newRig(t, nil)
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
