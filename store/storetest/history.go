package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

func equal(a, b any) bool { return reflect.DeepEqual(a, b) }

// Histories makes the same random calls to a store and to a model, an empty engine that is trusted (memstore), and
// compares every answer. One store serves all histories: each has names of its own, and a model of its own.
func Histories(t *testing.T, open Open, newModel func() store.Engine) {
	f, round := open(t), 0
	rapid.Check(t, func(rt *rapid.T) {
		round++
		model := newModel()
		h := &history{t: t, fixture: f, model: model, prefix: fmt.Sprintf("r%d-", round)}
		rt.Repeat(map[string]func(*rapid.T){
			"commit":   h.commit,
			"purge":    h.purge,
			"account":  h.account,
			"roster":   h.roster,
			"device":   h.device,
			"group":    h.group,
			"grouplog": h.groupLog,
			"remove":   h.remove,
			"reopen":   h.reopen,
			"":         h.check,
		})
	})
}

type history struct {
	t       *testing.T
	fixture *Fixture
	model   store.Engine
	prefix  string
	steps   int
}

func (h *history) user(t *rapid.T) ident.UserID {
	return ident.UserID(h.prefix + rapid.SampledFrom([]string{"a@x", "b@x", "a@x.y"}).Draw(t, "user"))
}

func (h *history) gid(t *rapid.T) ident.GroupID {
	return ident.GroupID(h.prefix + rapid.SampledFrom([]string{"g@x", "h@x"}).Draw(t, "group"))
}

func (h *history) device(t *rapid.T) {
	u, d := h.user(t), store.Device{ID: drawDevice(t), Since: int64(rapid.IntRange(0, 9).Draw(t, "since"))}
	gone := rapid.IntRange(0, 3).Draw(t, "gone") == 0
	h.both(t, func(e store.Engine) (any, error) {
		if gone {
			return nil, e.Directory().Devices().Remove(u, d.ID)
		}
		return e.Directory().Devices().Put(u, d)
	})
}

func drawDevice(t *rapid.T) ident.DeviceID {
	return ident.DeviceID(rapid.SampledFrom([]string{"", "phone", "desk"}).Draw(t, "device"))
}

// both makes one call to both and compares answers and errors.
func (h *history) both(t *rapid.T, call func(store.Engine) (any, error)) {
	t.Helper()
	got, gotErr := call(h.fixture.Engine)
	wanted, wantErr := call(h.model)
	same := (gotErr == nil) == (wantErr == nil)
	if wantErr != nil {
		same = errors.Is(gotErr, wantErr)
	}
	if !same || !equal(got, wanted) {
		t.Fatalf("got  %+v, %v\nwant %+v, %v", got, gotErr, wanted, wantErr)
	}
}

func (h *history) commit(t *rapid.T) {
	var b store.Batch
	for range rapid.IntRange(0, 6).Draw(t, "appends") {
		a := msg(h.user(t), rapid.IntRange(0, 12).Draw(t, "n"))
		a.Ord = int64(rapid.IntRange(0, 5).Draw(t, "ord"))
		b.Appends = append(b.Appends, a)
	}
	for range rapid.IntRange(0, 6).Draw(t, "acks") {
		b.Acks = append(b.Acks, store.Ack{Mailbox: h.user(t), ID: ID(rapid.IntRange(0, 12).Draw(t, "n")), Device: drawDevice(t), Delete: rapid.Bool().Draw(t, "delete")})
	}
	h.both(t, func(e store.Engine) (any, error) { return e.Mail().Commit(&b) })
}

func (h *history) purge(t *rapid.T) {
	u := h.user(t)
	h.both(t, func(e store.Engine) (any, error) { return e.Mail().Purge(u) })
}

func (h *history) remove(t *rapid.T) {
	u := h.user(t)
	h.both(t, func(e store.Engine) (any, error) { return nil, e.Directory().Accounts().Remove(u) })
}

func (h *history) account(t *rapid.T) {
	a := account(h.user(t))
	a.Rev, a.Disabled = uint64(rapid.IntRange(0, 3).Draw(t, "rev")), rapid.Bool().Draw(t, "disabled")
	how := rapid.IntRange(0, 2).Draw(t, "how")
	h.both(t, func(e store.Engine) (any, error) {
		switch as := e.Directory().Accounts(); how {
		case 0:
			return nil, as.Create(&a)
		case 1:
			return as.Update(&a)
		default:
			return as.Put([]store.Account{a})
		}
	})
}

func (h *history) roster(t *rapid.T) {
	u, rev, contact := h.user(t), uint64(rapid.IntRange(0, 4).Draw(t, "rev")), h.user(t)
	how := rapid.IntRange(0, 3).Draw(t, "how")
	item := store.RosterItem{Contact: contact, Listed: rapid.Bool().Draw(t, "listed"), Subscription: store.Subscription(rapid.IntRange(0, 3).Draw(t, "sub"))}
	h.both(t, func(e store.Engine) (any, error) {
		switch rs := e.Directory().Rosters(); how {
		case 0:
			return rs.RemoveItem(u, rev, contact)
		case 1:
			return nil, rs.SetBlocks(u, []string{string(contact), "x"}, []string{"y"})
		default:
			return rs.SetItem(u, rev, item)
		}
	})
}

func (h *history) group(t *rapid.T) {
	gid, rev, how := h.gid(t), uint64(rapid.IntRange(0, 4).Draw(t, "rev")), rapid.IntRange(0, 4).Draw(t, "how")
	c := store.GroupChange{}
	for range rapid.IntRange(0, 3).Draw(t, "put") {
		c.Put = append(c.Put, store.Member{User: h.user(t), Role: "r"})
	}
	for range rapid.IntRange(0, 2).Draw(t, "remove") {
		c.Remove = append(c.Remove, h.user(t))
	}
	h.both(t, func(e store.Engine) (any, error) {
		switch gs := e.Directory().Groups(); how {
		case 0:
			return nil, gs.Delete(gid, rev)
		case 1:
			return nil, gs.Create(&store.Group{ID: gid, Subject: "s"}, c.Put)
		default:
			return gs.Change(gid, rev, c)
		}
	})
}

func (h *history) groupLog(t *rapid.T) {
	var b store.GroupBatch
	for range rapid.IntRange(0, 4).Draw(t, "appends") {
		b.Appends = append(b.Appends, groupMsg(h.gid(t), uint64(rapid.IntRange(1, 3).Draw(t, "rev")), rapid.IntRange(0, 8).Draw(t, "n")))
	}
	for range rapid.IntRange(0, 3).Draw(t, "done") {
		b.Done = append(b.Done, store.GroupDone{Group: h.gid(t), IDs: []ident.MessageID{ID(rapid.IntRange(0, 8).Draw(t, "n"))}})
	}
	h.both(t, func(e store.Engine) (any, error) { return e.GroupLog().Commit(&b) })
}

func (h *history) reopen(t *rapid.T) {
	if h.fixture.Reopen != nil && rapid.IntRange(0, 9).Draw(t, "reopen") == 0 {
		h.fixture.Reopen(h.t)
	}
}

// check compares all that can be read.
func (h *history) check(t *rapid.T) {
	if h.steps++; h.steps%4 != 0 {
		return
	}
	for _, name := range []string{"a@x", "b@x", "a@x.y"} {
		u := ident.UserID(h.prefix + name)
		page := store.Page{Rows: rapid.IntRange(0, 5).Draw(t, "bodies"), Bytes: rapid.IntRange(0, 100).Draw(t, "bytes")}
		h.both(t, func(e store.Engine) (any, error) { return loadWhole(e, u, page) })
		h.both(t, func(e store.Engine) (any, error) { return e.Directory().Accounts().Account(bg, u) })
		h.both(t, func(e store.Engine) (any, error) { return e.Directory().Accounts().Export(bg, u) })
		h.both(t, func(e store.Engine) (any, error) { return e.Directory().Groups().GroupsOf(bg, u, "", 10) })
		for _, few := range []int{4, 13} {
			var ids []ident.MessageID
			for n := range few {
				ids = append(ids, ID(n))
			}
			h.both(t, func(e store.Engine) (any, error) { return e.Mail().Read(bg, u, ids) })
		}
	}
	for _, name := range []string{"g@x", "h@x"} {
		gid := ident.GroupID(h.prefix + name)
		h.both(t, func(e store.Engine) (any, error) { return e.Directory().Groups().Group(bg, gid) })
		h.both(t, func(e store.Engine) (any, error) { return e.Directory().Groups().Members(bg, gid, "", 10) })
		h.both(t, func(e store.Engine) (any, error) { return e.GroupLog().Unfinished(bg, gid, store.GroupPlace{}, 100) })
	}
}
