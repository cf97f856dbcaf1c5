package pgstore

import (
	"context"
	"encoding/binary"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

func TestSlots(t *testing.T) {
	var s slots
	a, b := s.take(), s.take()
	if a.slot == b.slot || a.seq != 1 || b.seq != 1 {
		t.Fatalf("marks %v and %v", a, b)
	}
	s.give(a, true, false)
	if c := s.take(); c.slot != a.slot || c.seq != 2 {
		t.Fatalf("the next mark of a slot is %v", c)
	} else {
		s.give(c, false, true) // abandoned: never used again
	}
	if c := s.take(); c.slot == a.slot || c.slot == b.slot {
		t.Fatalf("mark %v of a slot that is in use", c)
	}
	s.give(b, true, false)
	if got := s.promised(); !maps.Equal(got, map[int]int64{a.slot: 1, b.slot: 1}) {
		t.Fatalf("promised %v", got)
	}
	s.remember(map[int]int64{a.slot: 7, 9: 3}, map[int]int64{a.slot: 8, b.slot: 5})
	if got := s.promised(); !maps.Equal(got, map[int]int64{a.slot: 7, b.slot: 1, 9: 3}) {
		t.Fatalf("promised %v", got)
	}
	if c := s.take(); c.slot != b.slot || c.seq != 6 {
		t.Fatalf("mark %v, not behind what the server has", c)
	}
}

// TestRest: what counts is when a write began that was acknowledged. What another was promised in between may be behind it in the log.
func TestRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s slots
		rest := func(want time.Duration, when string) {
			t.Helper()
			if got := s.rest(3 * time.Second); got != want {
				t.Errorf("%s: a mark is due in %v, want %v", when, got, want)
			}
		}
		rest(0, "in the beginning")
		s.remember(map[int]int64{0: 7}, map[int]int64{0: 9})
		rest(0, "with promises of an earlier life")
		slow := s.take()
		time.Sleep(2 * time.Second)
		fast, failed, lost := s.take(), s.take(), s.take()
		s.give(failed, false, false)
		s.give(lost, false, true)
		rest(0, "after writes of unknown outcome")
		s.give(fast, true, false)
		rest(3*time.Second, "after one that was acknowledged at once")
		s.give(slow, true, false)
		rest(3*time.Second, "after one that was acknowledged late")
		time.Sleep(5 * time.Second)
		rest(-2*time.Second, "after a while")
	})
}

// TestNoMarksInVain: a database that takes no appends isn't even connected to, for hours: it has no pool here.
func TestNoMarksInVain(t *testing.T) {
	naked := func(s *dbState) { s.naked.note("no standby") }
	for what, test := range map[string]struct {
		is func(*dbState)
		o  Options
	}{
		"unreplicated":      {is: naked},
		"as that's allowed": {is: naked, o: Options{AllowUnreplicated: true}},
		"gone":              {is: func(s *dbState) { s.down.note("connection refused") }},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &database{name: "shard 0", o: test.o.withDefaults()}
				test.is(&d.state)
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Hour)
				defer cancel()
				d.keepMarked(ctx)
				if got := d.slots.promised(); len(got) > 0 {
					t.Errorf("promised %v", got)
				}
			})
		})
	}
}

func TestLacking(t *testing.T) {
	promised := map[int]int64{0: 5, 1: 5, 2: 5}
	if got := lacking(promised, map[int]int64{0: 5, 1: 4, 7: 1}); !slices.Equal(got, []int{1, 2}) {
		t.Errorf("lacking %v", got)
	}
	if got := lacking(nil, nil); got != nil {
		t.Errorf("lacking %v of nothing", got)
	}
}

func TestJudge(t *testing.T) {
	var k known
	old, promoted := identity{"s", 2}, identity{"s", 3}
	if err := k.judge(old); err != nil || !k.raise(old) || k.raise(old) || !k.current(old) {
		t.Fatalf("the first server: %v", err)
	}
	if err := k.judge(promoted); err != nil || !k.raise(promoted) || k.current(old) {
		t.Fatalf("a promoted one: %v", err)
	}
	if err := k.judge(old); !errors.Is(err, ErrOutdated) || k.raise(old) {
		t.Fatalf("the old primary: %v", err)
	}
	if err := k.judge(identity{"x", 9}); !errors.Is(err, ErrForeign) {
		t.Fatalf("another cluster: %v", err)
	}
}

func TestMissing(t *testing.T) {
	good := status{names: "ANY 1 (a)", commit: "on", streaming: 1}
	for want, change := range map[string]func(*status){
		"":                                   func(*status) {},
		"synchronous_standby_names is empty": func(s *status) { s.names = "" },
		"synchronous_commit is local":        func(s *status) { s.commit = "local" },
		"no synchronous standby is connected (2 others)":                                func(s *status) { s.streaming, s.others = 0, 2 },
		"the state of its standbys is not visible to this user: GRANT pg_monitor TO it": func(s *status) { s.streaming, s.hidden = 0, 1 },
	} {
		s := good
		change(&s)
		if got := s.missing(); got != want {
			t.Errorf("%+v: %q, want %q", s, got, want)
		}
	}
}

func TestArray(t *testing.T) {
	m := pgtype.NewMap()
	var a array
	a.strings(3)
	a.string("x")
	a.bytes(nil)
	a.string("\xff\x00")
	var texts [][]byte
	if err := m.Scan(pgtype.ByteaArrayOID, pgtype.BinaryFormatCode, a.buf, &texts); err != nil || len(texts) != 3 || string(texts[2]) != "\xff\x00" || len(texts[1]) != 0 {
		t.Errorf("%q, %v", texts, err)
	}
	a.int64s(2)
	a.int64(-1)
	a.int64(1 << 60)
	var longs []int64
	if err := m.Scan(pgtype.Int8ArrayOID, pgtype.BinaryFormatCode, a.buf, &longs); err != nil || !slices.Equal(longs, []int64{-1, 1 << 60}) {
		t.Errorf("%v, %v", longs, err)
	}
	a.int16s(1)
	a.int16(4095)
	var shorts []int16
	if err := m.Scan(pgtype.Int2ArrayOID, pgtype.BinaryFormatCode, a.buf, &shorts); err != nil || !slices.Equal(shorts, []int16{4095}) {
		t.Errorf("%v, %v", shorts, err)
	}
	if binary.BigEndian.Uint16(int16Param(ident.Partition(7))) != 7 || binary.BigEndian.Uint32(int32Param(-1)) != 1<<32-1 || getInt64(int64Param(-5)) != -5 {
		t.Error("single values")
	}
}

func TestExpiredPlaces(t *testing.T) {
	for _, p := range []expiredPlace{{}, {part: 4095}, {7, "a.b@x\xff", ident.MessageID{1, 2, 255}}} {
		if got, err := parsePlace(p.String()); err != nil || got != p {
			t.Errorf("%q: %+v, %v", p.String(), got, err)
		}
	}
	for _, s := range []string{"x", "1.2", "1.zz.00", "1.00.00", "-1..", "1...", "9e9.00.00000000000000000000000000000000", "1.0.00000000000000000000000000000000"} {
		if _, err := parsePlace(s); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func TestMemory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "memory")
	d := &database{name: "shard 0", place: "here"}
	m := memory{path: path}
	if err := m.load([]*database{d}); err != nil {
		t.Fatal(err)
	}
	if err := m.save([]*database{d, nil}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("nothing to remember, and a file: %v", err)
	}
	d.known.raise(identity{"s", 2})
	d.slots.give(d.slots.take(), true, false)
	if err := m.save([]*database{d}); err != nil {
		t.Fatal(err)
	}
	again := &database{name: "shard 0"}
	other := &database{name: "shard 1"}
	m = memory{path: path}
	if err := m.load([]*database{again, other}); err != nil {
		t.Fatal(err)
	}
	if again.known.newest() != (identity{"s", 2}) || !maps.Equal(again.slots.promised(), map[int]int64{0: 1}) || other.known.newest() != (identity{}) {
		t.Errorf("%v, %v, %v", again.known.newest(), again.slots.promised(), other.known.newest())
	}
	m.last = nil
	m.path = filepath.Join(path, "no", "folder")
	if err := m.save([]*database{again}); err == nil {
		t.Error("saved into a folder that isn't there")
	}
}

func TestInserted(t *testing.T) {
	b := &store.Batch{Appends: []store.Append{{Mailbox: "b", ID: ident.MessageID{2}}, {Mailbox: "a", ID: ident.MessageID{9}}, {Mailbox: "b", ID: ident.MessageID{2}}, {Mailbox: "b", ID: ident.MessageID{3}}}}
	w := newWork(b, &shard{}, "n@1")
	for i, a := range b.Appends {
		w.appends = append(w.appends, itemKey{p: 1, mailbox: a.Mailbox, id: a.ID, i: i})
	}
	w.sort()
	w.begin()
	for _, i := range []int{1, 0} {
		a := b.Appends[i]
		if err := w.inserted([][]byte{[]byte(a.Mailbox), a.ID[:]}); err != nil {
			t.Fatal(err)
		}
	}
	res, err := w.finish(nil)
	if err != nil || !slices.Equal(res.Duplicates, []int{2, 3}) {
		t.Errorf("%+v, %v", res, err)
	}
	if err := w.inserted([][]byte{[]byte("z"), make([]byte, 16)}); !errors.Is(err, errStrangeRow) {
		t.Error(err)
	}
}

func TestOwned(t *testing.T) {
	var o owned
	rows := []itemKey{{p: 3}, {p: 4}}
	if o.version(rows) != -1 || o.at(0) {
		t.Error("nothing is known yet")
	}
	o.set(7, map[ident.Partition]ident.NodeID{3: "me@1", 4: "me@1", 5: "you@1"}, "me@1")
	if o.version(rows) != 7 || o.version(append(rows, itemKey{p: 5})) != -1 || o.owner(5) != "you@1" || !o.at(7) {
		t.Error("claims of version 7")
	}
	o.set(6, nil, "me@1") // late
	if o.version(rows) != 7 {
		t.Error("older claims have replaced newer ones")
	}
	if o.forget(); o.version(rows) != -1 || o.at(7) {
		t.Error("forgotten claims are used")
	}
}

func TestSeverity(t *testing.T) {
	order := []store.State{store.Serving, store.Full, store.Held, store.Failed}
	if !slices.IsSortedFunc(order, func(a, b store.State) int { return severity(a) - severity(b) }) || severity(store.State(99)) != 0 {
		t.Error("the worst state isn't the one that is told")
	}
}
