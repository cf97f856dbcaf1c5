package lane_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/actorstest"
	"github.com/jackdaw-im/jackdaw/actors/lane"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/store/memstore"
	"github.com/jackdaw-im/jackdaw/store/storetest"
)

const romeo = ident.UserID("romeo@example.org")

// engine is a store in memory whose commits can be watched, held up and made to fail.
type engine struct {
	*memstore.Engine
	mu      sync.Mutex
	commits []string // "2+1": two appends and an acknowledgement
	fail    []error  // what the next commits return, after committing
	gate    chan struct{}
	rotten  bool // reads and purges panic
}

type mail struct {
	store.Mail
	e *engine
}

func (e *engine) Mail() store.Mail { return mail{e.Engine.Mail(), e} }

func (m mail) Commit(b *store.Batch) (store.Result, error) {
	if m.e.gate != nil {
		<-m.e.gate
	}
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	m.e.commits = append(m.e.commits, fmt.Sprintf("%d+%d", len(b.Appends), len(b.Acks)))
	res, err := m.Mail.Commit(b)
	if len(m.e.fail) > 0 {
		err, m.e.fail = m.e.fail[0], m.e.fail[1:]
		if err.Error() == "panic" {
			panic(err)
		}
	}
	return res, err
}

func (m mail) Load(ctx context.Context, u ident.UserID, page store.Page) (*store.Mailbox, error) {
	m.e.rot()
	return m.Mail.Load(ctx, u, page)
}

func (m mail) Read(ctx context.Context, u ident.UserID, ids []ident.MessageID) ([][]byte, error) {
	m.e.rot()
	return m.Mail.Read(ctx, u, ids)
}

func (m mail) Purge(u ident.UserID) (int, error) {
	m.e.rot()
	return m.Mail.Purge(u)
}

func (e *engine) rot() {
	if e.rotten {
		panic("rotten")
	}
}

// rig is a node with lanes and one actor that asks them.
type rig struct {
	*testing.T
	*actorstest.Kit
	sys   *actors.System // the kit's
	lanes *lane.Lanes
	e     *engine
	asker *actorstest.Probe
}

func run(t *testing.T, opts lane.Options, test func(r *rig)) {
	e := &engine{Engine: memstore.New(memstore.Options{})}
	runOn(t, e, opts, func(r *rig) {
		r.e = e
		test(r)
	})
}

// runOn does so with any engine.
func runOn(t *testing.T, e store.Engine, opts lane.Options, test func(r *rig)) {
	actorstest.Config{Node: "n@1", Workers: 1}.Run(t, func(t *testing.T, k *actorstest.Kit) {
		r := &rig{T: t, Kit: k, sys: k.System(), lanes: lane.New(e, opts)}
		k.Start(r.lanes.Children()...)
		r.asker = k.ProbeAt(actors.Ref{Kind: "asker", ID: "romeo"})
		test(r)
	})
}

// do runs f as the asking actor and waits until everything has settled.
func (r *rig) do(f func(ctx *actors.Context)) {
	r.Helper()
	r.asker.Do(f)
}

// heard is what the asking actor has been told since results were last taken.
func (r *rig) heard() []any { return r.asker.Waiting() }

func id(n int) ident.MessageID { return ident.MessageID{byte(n >> 8), byte(n)} }

// message is an append of romeo's mailbox.
func (r *rig) message(n int) *lane.Append {
	return &lane.Append{From: r.asker.Ref(), Tag: uint64(n), Append: store.Append{Mailbox: romeo, ID: id(n), Ord: int64(n), Sender: "juliet@example.org", Body: []byte("x")}}
}

func ack(n int) store.Ack { return store.Ack{Mailbox: romeo, ID: id(n), Delete: true} }

// results is what was heard of appends: tag and result.
func (r *rig) results() (out string) {
	for _, m := range r.heard() {
		switch m := m.(type) {
		case *lane.Committed:
			out += fmt.Sprintf("%d=%d ", m.Tag, m.Result)
		case *lane.Lost:
			out += fmt.Sprintf("%d=lost ", m.Tag)
		}
	}
	r.asker.Skip()
	return out
}

// stored is what the store has of romeo's.
func (r *rig) stored() (out string) {
	rows, err := storetest.Rows(context.Background(), r.e.Engine, romeo)
	if err != nil {
		r.Fatal(err)
	}
	for _, row := range rows {
		out += fmt.Sprint(row.Ord, " ")
	}
	return out
}

func (r *rig) want(what, got, want string) {
	r.Helper()
	if got != want {
		r.Errorf("%s: %q, want %q", what, got, want)
	}
}

func (r *rig) commits() string {
	r.e.mu.Lock()
	defer r.e.mu.Unlock()
	s := fmt.Sprint(r.e.commits)
	r.e.commits = nil
	return s
}

func must(t *rig, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}
