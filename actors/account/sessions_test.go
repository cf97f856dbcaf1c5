package account

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// again is a session that binds anew, because the account has lost it or was not to be reached.
func again(id, resource string, since int64) *nodepb.Bind {
	return &nodepb.Bind{Session: ref(id).Proto(), Resource: resource, Resumed: true, Since: since}
}

func quiet(st *state, id string) []cast {
	return st.setPresence(&effects{now: t0}, &nodepb.SetPresence{Session: ref(id).Proto(), Available: true, Quiet: true})
}

// rebinds returns who was asked to bind again, and the rest of the casts.
func rebinds(casts []cast) (asked []string, rest []cast) {
	for _, c := range casts {
		if _, ok := c.msg.(*nodepb.Rebind); ok {
			asked = append(asked, c.to.ID)
		} else {
			rest = append(rest, c)
		}
	}
	return asked, rest
}

// TestTheLaterClaimHasTheResource: two sessions of one resource may come to an account that knows neither, after a partition say.
func TestTheLaterClaimHasTheResource(t *testing.T) {
	for _, laterFirst := range []bool{true, false} {
		st := romeo()
		binds := []*nodepb.Bind{again("older", "orchard", 1), again("later", "orchard", 2)}
		if laterFirst {
			slices.Reverse(binds)
		}
		st.bind(binds[0], "")
		b, casts := st.bind(binds[1], "")
		if laterFirst {
			expect(t, "the older is told by the answer", casts)
			if b.GetCode() != nodepb.Code_ALREADY_EXISTS {
				t.Fatalf("answered %v", b)
			}
		} else {
			expect(t, "the older hears", casts, "session/older end conflict")
		}
		if len(st.sessions) != 1 || st.sessions[0].ref != ref("later") {
			t.Fatalf("bound %v", st.sessions[0].ref)
		}
	}
	// A client that binds now has the latest claim of all.
	st := romeo()
	st.bind(again("old", "orchard", 1<<60), "")
	got, casts := st.bind(&nodepb.Bind{Session: ref("new").Proto(), Resource: "orchard", Since: 1}, "")
	expect(t, "a new one", casts, "session/old end conflict")
	if actors.RefOf(got.Replaced) != ref("old") {
		t.Errorf("it is told that it replaces %v", got.Replaced)
	}
}

// TestTakeoverNeedsTheOneItReplaces: who has bound meanwhile isn't replaced behind its back.
func TestTakeoverNeedsTheOneItReplaces(t *testing.T) {
	takeover := again("heir", "orchard", 5)
	takeover.Replaces, takeover.Stream = ref("old").Proto(), "stream"

	st := romeo()
	bound(t, st, "old", "orchard")
	available(st, "old", 0)
	b, casts := st.bind(takeover, "")
	expect(t, "the old one", casts)
	if b.GetCode() != nodepb.Code_OK || !st.sessions[0].available() || st.sessions[0].ref != ref("heir") {
		t.Fatalf("%v, %+v", b, st.sessions[0])
	}

	for since, ends := range map[int64]string{4: "another", 6: ""} {
		st = romeo()
		st.bind(&nodepb.Bind{Session: ref("another").Proto(), Resource: "orchard", Since: since}, "")
		b, casts = st.bind(takeover, "")
		if ends == "" {
			expect(t, "a later one", casts)
			if b.GetCode() != nodepb.Code_ALREADY_EXISTS {
				t.Fatalf("answered %v", b)
			}
		} else {
			expect(t, "an earlier one", casts, "session/"+ends+" end conflict")
		}
	}

	st = romeo() // an account that has just come here
	if b, _ = st.bind(takeover, ""); b.GetCode() != nodepb.Code_OK {
		t.Fatalf("answered %v", b)
	}
	if f := st.find("stream", t0); f.GetCode() != nodepb.Code_OK || actors.RefOf(f.GetSession()) != ref("heir") {
		t.Fatalf("found %v", f)
	}
	st.began = t0 // it may not know all yet
	for at, want := range map[time.Duration]nodepb.Code{0: nodepb.Code_LATER, freshTime - 1: nodepb.Code_LATER, freshTime: nodepb.Code_NOT_FOUND} {
		if f := st.find("another", t0.Add(at)); f.GetCode() != want {
			t.Fatalf("after %v: %v", at, f)
		}
	}
	st.began = t0.Add(-freshTime)
	for _, unknown := range []string{"", "another"} {
		if f := st.find(unknown, t0); f.GetCode() != nodepb.Code_NOT_FOUND {
			t.Fatalf("found %v for %q", f, unknown)
		}
	}
}

// TestLostSession: one that can't be reached keeps its place for a while, is asked whether it is there, and then is gone for others.
func TestLostSession(t *testing.T) {
	begin := func() *state {
		st := romeo()
		bound(t, st, "1", "orchard")
		available(st, "1", 0)
		st.sessions[0].unwatched = false
		expect(t, "its node is lost", st.down(ref("1"), actors.NoConnection, t0))
		if !st.sessions[0].unwatched {
			t.Fatal("nobody watches it, and nobody will")
		}
		return st
	}
	half := t0.Add(handoverGrace / 2)
	unavailable := []string{"account/juliet UNAVAILABLE from romeo/orchard", "account/benvolio UNAVAILABLE from romeo/orchard"}

	st := begin()
	if casts, next := st.expire(t0); len(casts) != 0 || !next.Equal(half) {
		t.Fatalf("%v, next at %v", casts, next)
	}
	casts, next := st.expire(half)
	asked, rest := rebinds(casts)
	expect(t, "asked", rest)
	if len(asked) != 1 || !next.Equal(t0.Add(handoverGrace)) {
		t.Fatalf("asked %v, next at %v", asked, next)
	}
	if b, casts := st.bind(again("1", "orchard", 0), ""); b.GetCode() != nodepb.Code_OK || len(casts) != 0 {
		t.Fatalf("bound %v, %v", b, casts)
	}
	expect(t, "nobody has missed it", quiet(st, "1"))
	if casts, next := st.expire(t0.Add(time.Hour)); len(casts) != 0 || !next.IsZero() {
		t.Fatalf("%v, next at %v", casts, next)
	}

	st = begin()
	st.expire(half)
	casts, _ = st.expire(t0.Add(handoverGrace))
	asked, rest = rebinds(casts)
	expect(t, "gone", rest, unavailable...)
	if len(asked) != 1 || len(st.sessions) != 0 {
		t.Fatalf("asked %v", asked)
	}
	st.bind(again("1", "orchard", 0), "")
	expect(t, "others were told that it is gone", quiet(st, "1"), "account/juliet AVAILABLE from romeo/orchard",
		"account/benvolio AVAILABLE from romeo/orchard", "account/juliet PROBE from romeo/orchard", "account/mercutio PROBE from romeo/orchard",
		"session/1 AVAILABLE from romeo/orchard", "session/1 SUBSCRIBE from rosaline")
	expect(t, "once", quiet(st, "1"))

	st = begin() // its client comes back elsewhere
	_, casts = st.bind(&nodepb.Bind{Session: ref("2").Proto(), Resource: "orchard"}, "")
	expect(t, "replaced", casts, append(unavailable, "session/1 end conflict")...)
}

// TestPresenceOfAStrangerToTheAccount: a session that the account has lost, without knowing it, is asked to bind again.
func TestPresenceOfAStrangerToTheAccount(t *testing.T) {
	st := romeo()
	casts := available(st, "1", 0)
	if asked, rest := rebinds(casts); len(asked) != 1 || len(rest) != 0 || !casts[0].msg.(*nodepb.Rebind).Unheard ||
		actors.RefOf(casts[0].msg.(*nodepb.Rebind).From) != Ref(st.user) {
		t.Fatalf("said %v", casts)
	}
	if casts := available(&state{}, "1", 0); len(casts) != 0 {
		t.Fatalf("a user who isn't there has said %v", casts)
	}
}

// TestPresenceForSessionsThatAreToBindAgain: what contacts say while a new account knows no session reaches those that bind.
func TestPresenceForSessionsThatAreToBindAgain(t *testing.T) {
	st := romeo()
	in := func(from string, typ nodepb.PresenceType, now time.Time) []cast {
		return st.presenceIn(&effects{now: now}, &nodepb.Presence{From: from, To: "romeo@montague.example", Type: typ})
	}
	expect(t, "nobody is there", in("juliet@montague.example/pc", nodepb.PresenceType_AVAILABLE, t0))
	in("juliet@montague.example/pc", nodepb.PresenceType_UNAVAILABLE, t0)
	in("mercutio@montague.example/pc", nodepb.PresenceType_AVAILABLE, t0)
	in("benvolio@montague.example/pc", nodepb.PresenceType_AVAILABLE, t0) // whom he doesn't hear
	for _, id := range []string{"1", "2"} {
		st.bind(again(id, "orchard"+id, 0), "")
		expect(t, "bound again", quiet(st, id), "session/"+id+" UNAVAILABLE from juliet/pc", "session/"+id+" AVAILABLE from mercutio/pc")
	}

	st = romeo()
	in("juliet@montague.example/pc", nodepb.PresenceType_AVAILABLE, t0.Add(-absentTime-1))
	bound(t, st, "1", "orchard")
	expect(t, "too long ago", quiet(st, "1"))
	if st.absent.latest != nil {
		t.Fatal("it is kept")
	}
	for i := range maxAbsent + 5 {
		st.absent.keep(&nodepb.Presence{From: strings.Repeat("x", i)}, t0)
	}
	if n := len(st.absent.latest); n != maxAbsent {
		t.Fatalf("%d are kept", n)
	}
}

// TestDigest: the roster's digest is that of what clients see, however it came about.
func TestDigest(t *testing.T) {
	st := romeo()
	st.digest = emptyRoster
	for _, c := range st.contacts {
		st.digest ^= c.digest()
	}
	first := st.digest
	set := func(item *nodepb.RosterItem) {
		t.Helper()
		ch, _ := st.prepareSet(item)
		if ch == nil {
			t.Fatal("refused")
		}
		st.apply(ch)
		want := emptyRoster
		for _, c := range st.contacts {
			want ^= c.digest()
		}
		if st.digest != want {
			t.Fatalf("after %v it isn't that of the contacts", item)
		}
	}
	seen := map[uint64]bool{first: true}
	for _, item := range []*nodepb.RosterItem{
		{Jid: "nurse@montague.example"}, {Jid: "nurse@montague.example", Name: "Nurse"},
		{Jid: "nurse@montague.example", Groups: []string{"Nurse"}}, {Jid: "nurse@montague.example", Groups: []string{"Nu", "rse"}},
		{Jid: "rosaline@montague.example"},
	} {
		if set(item); seen[st.digest] {
			t.Fatalf("%v changes nothing", item)
		}
		seen[st.digest] = true
	}
	set(&nodepb.RosterItem{Jid: "nurse@montague.example", Subscription: "remove"})
	set(&nodepb.RosterItem{Jid: "rosaline@montague.example", Subscription: "remove"})
	if st.digest != first {
		t.Fatal("back where it was, it is another one")
	}
	if (*contact)(nil).digest() != 0 || (&contact{jid: ident.UserID("x@y"), sub: parseState("None+PI")}).digest() != 0 {
		t.Fatal("what clients don't see counts")
	}
}
