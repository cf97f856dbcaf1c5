package account

import (
	"maps"
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
		st.bind(binds[0], "", t0)
		b, casts := st.bind(binds[1], "", t0)
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
	st.bind(again("old", "orchard", 1<<60), "", t0)
	got, casts := st.bind(&nodepb.Bind{Session: ref("new").Proto(), Resource: "orchard", Since: 1}, "", t0)
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
	b, casts := st.bind(takeover, "", t0)
	expect(t, "the old one", casts)
	if b.GetCode() != nodepb.Code_OK || !st.sessions[0].available() || st.sessions[0].ref != ref("heir") {
		t.Fatalf("%v, %+v", b, st.sessions[0])
	}

	for since, ends := range map[int64]string{4: "another", 6: ""} {
		st = romeo()
		st.bind(&nodepb.Bind{Session: ref("another").Proto(), Resource: "orchard", Since: since}, "", t0)
		b, casts = st.bind(takeover, "", t0)
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
	if b, _ = st.bind(takeover, "", t0); b.GetCode() != nodepb.Code_OK {
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
	if b, casts := st.bind(again("1", "orchard", 0), "", t0); b.GetCode() != nodepb.Code_OK || len(casts) != 0 {
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
	st.bind(again("1", "orchard", 0), "", t0)
	expect(t, "others were told that it is gone", quiet(st, "1"), "account/juliet AVAILABLE from romeo/orchard",
		"account/benvolio AVAILABLE from romeo/orchard", "account/juliet PROBE from romeo/orchard", "account/mercutio PROBE from romeo/orchard",
		"session/1 AVAILABLE from romeo/orchard", "session/1 SUBSCRIBE from rosaline")
	expect(t, "once", quiet(st, "1"))

	st = begin() // its client comes back elsewhere
	_, casts = st.bind(&nodepb.Bind{Session: ref("2").Proto(), Resource: "orchard"}, "", t0)
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
		st.bind(again(id, "orchard"+id, 0), "", t0)
		expect(t, "bound again", quiet(st, id), "session/"+id+" UNAVAILABLE from juliet/pc", "session/"+id+" AVAILABLE from mercutio/pc")
	}

	// What has been said since is what a later one gets.
	expect(t, "while they are there", in("mercutio@montague.example/pc", nodepb.PresenceType_UNAVAILABLE, t0),
		"session/1 UNAVAILABLE from mercutio/pc", "session/2 UNAVAILABLE from mercutio/pc")
	in("mercutio@montague.example/phone", nodepb.PresenceType_AVAILABLE, t0) // which nobody has missed
	st.bind(again("3", "orchard3", 0), "", t0)
	expect(t, "bound later", quiet(st, "3"), "session/3 UNAVAILABLE from juliet/pc", "session/3 UNAVAILABLE from mercutio/pc")

	// While not all may be known, those who are there aren't enough.
	st = romeo()
	bound(t, st, "1", "orchard")
	st.began, st.moved = t0, true
	in("juliet@montague.example/pc", nodepb.PresenceType_AVAILABLE, t0)
	st.bind(again("2", "orchard2", 0), "", t0)
	expect(t, "bound again a little later", quiet(st, "2"), "session/2 AVAILABLE from juliet/pc")
	if at := st.nextTick(); !at.Equal(t0.Add(absentTime)) {
		t.Fatalf("it is forgotten at %v", at)
	}
	st.tick(&effects{now: t0.Add(absentTime)})
	in("mercutio@montague.example/pc", nodepb.PresenceType_AVAILABLE, t0.Add(absentTime))
	if st.absent.latest != nil || !st.nextTick().IsZero() {
		t.Fatal("it is kept for ever")
	}

	// What was for one that hasn't bound again yet, such as the answer to its probe, is kept like the rest.
	st = romeo()
	bound(t, st, "1", "orchard")
	st.began, st.moved = t0, true
	st.presenceIn(&effects{now: t0}, &nodepb.Presence{From: "juliet@montague.example/pc", To: "romeo@montague.example/orchard2"})
	st.bind(again("2", "orchard2", 0), "", t0)
	casts := quiet(st, "2")
	expect(t, "the answer", casts, "session/2 AVAILABLE from juliet/pc")
	if to := casts[0].msg.(*nodepb.Presence).GetTo(); to != string(st.user) {
		t.Fatalf("it is for %s", to)
	}

	st = romeo()
	in("juliet@montague.example/pc", nodepb.PresenceType_AVAILABLE, t0.Add(-absentTime-1))
	bound(t, st, "1", "orchard")
	expect(t, "too long ago", quiet(st, "1"))
	if st.absent.latest != nil {
		t.Fatal("it is kept")
	}
	for i := range maxAbsent + 5 {
		st.absent.keep(&nodepb.Presence{From: strings.Repeat("x", i)}, true, t0)
	}
	if n := len(st.absent.latest); n != maxAbsent {
		t.Fatalf("%d are kept", n)
	}
}

// TestEndsBeforeItBindsAgain: a session that goes before it has bound again at an account that has just come is told of to those who see it.
func TestEndsBeforeItBindsAgain(t *testing.T) {
	gone := &nodepb.Unbind{Session: ref("1").Proto(), Resource: "orchard1", Available: true}
	unavailable := &nodepb.SetPresence{Session: ref("1").Proto(), Resource: "orchard1"}
	told := []string{"account/juliet UNAVAILABLE from romeo/orchard1", "account/benvolio UNAVAILABLE from romeo/orchard1"}

	st := romeo()
	st.began, st.moved = t0, true
	expect(t, "ended, unknown", st.unbind(gone, t0), told...)
	expect(t, "ended, was not available", st.unbind(&nodepb.Unbind{Session: ref("1").Proto(), Resource: "orchard1"}, t0))
	expect(t, "unavailable, unknown", st.setPresence(&effects{now: t0}, unavailable), told...)
	expect(t, "an older node's word", st.unbind(&nodepb.Unbind{Session: ref("1").Proto()}, t0))

	// Its neighbour hears of it, too, now or when it has bound again.
	bound(t, st, "2", "orchard2")
	available(st, "2", 0)
	expect(t, "ended beside another", st.unbind(gone, t0), append(told, "session/2 UNAVAILABLE from romeo/orchard1")...)
	st.bind(again("3", "orchard3", 0), "", t0)
	expect(t, "bound again later", quiet(st, "3"), "session/3 AVAILABLE from romeo/orchard2", "session/3 UNAVAILABLE from romeo/orchard1")

	// Where another has the resource, or all sessions are known, it means nothing.
	st.bind(again("4", "orchard1", 0), "", t0)
	expect(t, "replaced", st.unbind(gone, t0))
	loud := quiet(st, "4")
	for _, line := range []string{"account/juliet AVAILABLE from romeo/orchard1", "account/benvolio AVAILABLE from romeo/orchard1"} {
		if !strings.Contains(show(loud), line) {
			t.Errorf("what has the resource now is unavailable for all: %s", show(loud))
		}
	}
	st = romeo()
	bound(t, st, "2", "orchard2")
	expect(t, "known to be gone", st.unbind(gone, t0))
	st = romeo()
	st.exists = false
	expect(t, "no such user", st.unbind(gone, t0))
}

// TestOwnResourcesWhileTheAccountMoves: a user's devices hear of each other's changes also if they bind again at different times.
func TestOwnResourcesWhileTheAccountMoves(t *testing.T) {
	st := romeo()
	st.began, st.moved = t0, true
	bound(t, st, "1", "orchard1")
	available(st, "1", 0)
	st.bind(again("2", "orchard2", 0), "", t0)
	expect(t, "while it was away", quiet(st, "2"), "session/2 AVAILABLE from romeo/orchard1")
	st.unbind(&nodepb.Unbind{Session: ref("1").Proto()}, t0)
	st.bind(again("3", "orchard3", 0), "", t0)
	expect(t, "the latest", quiet(st, "3"), "session/3 UNAVAILABLE from romeo/orchard1")
	st.bind(again("1", "orchard1", 0), "", t0)
	expect(t, "not its own", quiet(st, "1"))
	st.bind(again("4", "orchard4", 0), "", t0)
	if told := show(available(st, "4", 0)); !strings.Contains(told, "session/4 UNAVAILABLE from romeo/orchard1") {
		t.Errorf("one that has something to say itself isn't told: %s", told)
	}

	st = romeo()
	bound(t, st, "1", "orchard1")
	available(st, "1", 0)
	st.unbind(&nodepb.Unbind{Session: ref("1").Proto()}, t0)
	if st.absent.latest != nil {
		t.Fatal("an account that has not moved keeps what nobody misses")
	}
}

// TestRefresh: a session that may have missed what others were told hears it anew, of those who are available and of those who aren't.
func TestRefresh(t *testing.T) {
	st := romeo()
	for _, id := range []string{"1", "2"} {
		bound(t, st, id, "orchard"+id)
		available(st, id, 0)
	}
	refresh := func(id string) []cast {
		return st.setPresence(&effects{now: t0}, &nodepb.SetPresence{Session: ref(id).Proto(), Available: true, Refresh: true})
	}
	casts := refresh("2")
	expect(t, "told and asked", casts, "account/juliet AVAILABLE from romeo/orchard2", "account/benvolio AVAILABLE from romeo/orchard2",
		"session/1 AVAILABLE from romeo/orchard2", "account/juliet PROBE from romeo/orchard2", "account/mercutio PROBE from romeo/orchard2",
		"session/2 AVAILABLE from romeo/orchard1", "session/2 AVAILABLE from romeo/orchard2")
	for _, c := range casts {
		if p := c.msg.(*nodepb.Presence); p.GetType() == nodepb.PresenceType_PROBE && !p.GetRefresh() {
			t.Fatalf("asked by %v", p)
		}
	}

	probe := func(refresh bool) []cast {
		return st.presenceIn(&effects{now: t0}, &nodepb.Presence{Type: nodepb.PresenceType_PROBE, From: "juliet@montague.example/pc", To: "romeo@montague.example", Refresh: refresh})
	}
	expect(t, "both are there", probe(true), "account/juliet AVAILABLE from romeo/orchard1", "account/juliet AVAILABLE from romeo/orchard2")
	st.unbind(&nodepb.Unbind{Session: ref("1").Proto()}, t0)
	st.unbind(&nodepb.Unbind{Session: ref("2").Proto()}, t0)
	expect(t, "nobody is there", probe(true), "account/juliet UNAVAILABLE from romeo")
	expect(t, "she has just come", probe(false))
	about := func(to string) []cast {
		return st.presenceIn(&effects{now: t0}, question{"juliet@montague.example", to}.probe())
	}
	expect(t, "one of them isn't there", about("romeo@montague.example/orchard2"), "account/juliet UNAVAILABLE from romeo/orchard2")
	began := func(at time.Time) { st.began, st.asking = at, nil }
	began(t0)
	expect(t, "some may be about to bind again", probe(true))
	if st.mayRest() || !st.nextTick().Equal(t0.Add(freshTime)) {
		t.Fatal("it forgets whoever has asked")
	}
	tick := func(at time.Time) []cast {
		fx := &effects{now: at}
		st.tick(fx)
		return fx.casts
	}
	expect(t, "too early", tick(t0.Add(freshTime-1)))
	expect(t, "nobody has bound again", tick(t0.Add(freshTime)), "account/juliet UNAVAILABLE from romeo")
	expect(t, "said once", tick(t0.Add(2*freshTime)))
	began(t0)
	expect(t, "the account is about to move on", probe(true))
	fx := &effects{now: t0}
	st.retire(fx)
	expect(t, "the next one is asked", fx.casts, "account/romeo PROBE from juliet")
	began(t0)
	probe(true)
	about("romeo@montague.example/orchard2")
	bound(t, st, "3", "orchard3")
	available(st, "3", 0)
	expect(t, "one has bound again", tick(t0.Add(freshTime)), "account/juliet AVAILABLE from romeo/orchard3", "account/juliet UNAVAILABLE from romeo/orchard2")
	expect(t, "he is there", about("romeo@montague.example/orchard3"), "account/juliet AVAILABLE from romeo/orchard3")
	st.unbind(&nodepb.Unbind{Session: ref("3").Proto()}, t0)
	began(time.Time{})
	bound(t, st, "1", "orchard")
	available(st, "1", 0)
	expect(t, "her answer", st.presenceIn(&effects{now: t0}, presence("juliet@montague.example", "romeo@montague.example/orchard", nodepb.PresenceType_UNAVAILABLE, nil)),
		"session/1 UNAVAILABLE from juliet")
}

// TestDenied: who was told that nobody is there hears of one that binds again later, though it says nothing new.
func TestDenied(t *testing.T) {
	for _, denied := range []bool{false, true} {
		st := romeo()
		if denied {
			expect(t, "nobody is there", st.presenceIn(&effects{now: t0}, question{"juliet@montague.example", "romeo@montague.example"}.probe()),
				"account/juliet UNAVAILABLE from romeo")
		}
		for range 2 { // the second time it is there
			bound(t, st, "1", "orchard")
			casts := st.setPresence(&effects{now: t0}, &nodepb.SetPresence{Session: ref("1").Proto(), Available: true, Quiet: true})
			if told := strings.Contains(show(casts), "account/juliet AVAILABLE from romeo/orchard"); told != denied {
				t.Errorf("denied %v, told %v", denied, told)
			}
			if denied = false; t.Failed() {
				break
			}
		}
	}
}

// TestKeptInOrder: that nobody of a user is there, and that one is, are never both kept: whoever binds next gets them in any order.
func TestKeptInOrder(t *testing.T) {
	var a absent
	keep := func(from string, typ nodepb.PresenceType) []string {
		a.keep(&nodepb.Presence{From: from, Type: typ}, true, t0)
		return slices.Sorted(maps.Keys(a.latest))
	}
	for _, c := range []struct {
		from string
		typ  nodepb.PresenceType
		kept []string
	}{
		{"a@x/1", nodepb.PresenceType_AVAILABLE, []string{"a@x/1"}},
		{"ab@x/1", nodepb.PresenceType_AVAILABLE, []string{"a@x/1", "ab@x/1"}},
		{"a@x", nodepb.PresenceType_UNAVAILABLE, []string{"a@x", "ab@x/1"}},
		{"a@x/2", nodepb.PresenceType_UNAVAILABLE, []string{"a@x", "a@x/2", "ab@x/1"}},
		{"a@x/1", nodepb.PresenceType_AVAILABLE, []string{"a@x/1", "a@x/2", "ab@x/1"}},
	} {
		if got := keep(c.from, c.typ); !slices.Equal(got, c.kept) {
			t.Errorf("after %v of %s: %v", c.typ, c.from, got)
		}
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
