package session

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// TestMailboxMoves: the mailbox may hear of an acknowledgement only after it has moved and pushed the row again, so it is told once more, and the
// client doesn't get the row twice.
func TestMailboxMoves(t *testing.T) {
	const one, two, three = "row-number-one..", "row-number-two..", "row-number-three"
	r := boundRig(t)
	r.push(row(one, "one"), row(two, "two"))
	r.give("<iq type='result' id='ping-1'/>")
	if ids, _ := r.acked(); !slices.Equal(ids, []string{one, two}) {
		t.Fatalf("acknowledged %v", ids)
	}
	r.casts = nil
	r.do(func(fx *effects) { r.st.down(fx, mailboxOf(alice), crashed) })
	if ids, _ := r.acked(); !slices.Equal(ids, []string{one, two}) {
		t.Fatalf("the next mailbox is told of %v", ids)
	}
	if got := r.push(row(two, "two"), row(three, "three")); strings.Contains(got, "two") || !strings.Contains(got, "three") {
		t.Fatalf("wrote %s", got)
	}
	if ids, credit := r.acked(); !slices.Equal(ids, []string{two}) || credit != 208 {
		t.Fatalf("acknowledged %v with credit %d", ids, credit)
	}
	r.now = r.now.Add(2 * lateTime)
	r.turn()
	r.casts = nil
	r.do(func(fx *effects) { r.st.down(fx, mailboxOf(alice), crashed) })
	if ids, _ := r.acked(); len(ids) > 0 || r.st.late != nil {
		t.Fatalf("after a long time the next mailbox is told of %v, %+v", ids, r.st.late)
	}
}

// TestAcknowledgedAndPushedAtOnce: the client acknowledges what it got before the mailbox moved in the same turn in which that pushes it again.
func TestAcknowledgedAndPushedAtOnce(t *testing.T) {
	const one = "row-number-one.."
	r := boundRig(t)
	r.push(row(one, "one"))
	r.do(func(fx *effects) { r.st.down(fx, mailboxOf(alice), crashed) })
	r.acked()
	got := r.do(func(fx *effects) {
		r.st.pong(fx, "ping-1")
		r.st.push(&nodepb.Push{Epoch: r.st.epoch, Rows: []*nodepb.PushedRow{row(one, "one")}})
	})
	if ids, _ := r.acked(); !slices.Equal(ids, []string{one}) || strings.Contains(got, "one") {
		t.Fatalf("acknowledged %v, wrote %s", ids, got)
	}
}

func TestLately(t *testing.T) {
	var l *lately
	now := epoch0
	id := func(n int) []byte {
		var id ident.MessageID
		binary.BigEndian.PutUint32(id[:], uint32(n))
		return id[:]
	}
	has := func(what string, want ...int) {
		t.Helper()
		var got []int
		for n := range 1000 {
			if l.has(id(n)) {
				got = append(got, n)
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%s: %v, want %v", what, got, want)
		}
	}
	has("nothing")
	l = l.add(now, [][]byte{id(1), []byte("no id")})
	l = l.add(now.Add(lateTime-1), [][]byte{id(2)})
	has("both", 1, 2)
	l = l.add(now.Add(lateTime), [][]byte{id(3)})
	has("all", 1, 2, 3)
	l = l.age(now.Add(2 * lateTime))
	has("the newest", 3)
	l = l.age(now.Add(3 * lateTime))
	has("none")
	var many [][]byte
	for n := range 3 * lateRows {
		many = append(many, id(n))
	}
	l = l.add(now, many)
	if l.has(id(2*lateRows-1)) || !l.has(id(2*lateRows)) || !l.has(id(3*lateRows-1)) {
		t.Fatal("not the newest are kept")
	}
	if got := l.with(now, [][]byte{id(3*lateRows - 1), id(1)}); len(got) != lateRows+1 {
		t.Fatalf("%d with one that isn't there", len(got))
	}
	if got := l.with(now.Add(2*lateTime), [][]byte{id(1)}); len(got) != 1 {
		t.Fatalf("%d when all are too old", len(got))
	}
}
