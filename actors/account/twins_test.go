package account

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/mailbox"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/store"
)

// reunite has the cluster be one again, some time after the account was read.
func (r *rig) reunite() {
	time.Sleep(readPause)
	synctest.Wait()
	r.reunions.Add(1)
}

// reads counts what the store is asked for by f.
func (r *rig) reads(f func()) int {
	r.lanes.mu.Lock()
	before := r.lanes.asked
	r.lanes.mu.Unlock()
	f()
	r.lanes.mu.Lock()
	defer r.lanes.mu.Unlock()
	return r.lanes.asked - before
}

// elsewhere writes items to a roster as another part of the cluster does.
func (r *rig) elsewhere(user ident.UserID, items ...store.RosterItem) {
	r.t.Helper()
	rev := r.rev(user)
	for _, item := range items {
		var err error
		if rev, err = r.engine.Directory().Rosters().SetItem(user, rev, item); err != nil {
			r.t.Fatal(err)
		}
	}
}

// TestReadAgain: whatever an account is used for first after a reunion, it does it on what the store has. It is read once, and not before.
func TestReadAgain(t *testing.T) {
	password := keys("another")
	session := (&nodepb.Ref{Kind: "session", Id: "x"})
	for name, use := range map[string]func(r *rig) bool{
		"a login": func(r *rig) bool { return proto.Equal(r.credentials(juliet).GetSha256(), password) },
		"a roster": func(r *rig) bool {
			return len(r.call(juliet, &nodepb.GetRoster{Session: session}).(*nodepb.Roster).GetItems()) == 1
		},
		"a bind": func(r *rig) bool {
			return r.call(juliet, &nodepb.Bind{Session: session, Resource: "x"}).(*nodepb.Bound).GetDigest() != emptyRoster
		},
		"a probe": func(r *rig) bool { // which an account that doesn't know the contact refuses for good
			r.cast(Ref(juliet), &nodepb.Presence{Type: nodepb.PresenceType_PROBE, From: string(paris), To: string(juliet)})
			return r.stored(paris) == "juliet to"
		},
		"a change": func(r *rig) bool {
			return r.code(juliet, &nodepb.SetRoster{Item: &nodepb.RosterItem{Jid: string(paris), Subscription: "remove"}}) == nodepb.Code_OK
		},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(r *rig) {
				r.create(juliet, paris)
				r.elsewhere(paris, store.RosterItem{Contact: juliet, Listed: true, Subscription: store.SubscriptionTo})
				r.cast(Ref(paris), &nodepb.MailboxChange{})
				p, err := r.engine.Directory().Accounts().Account(t.Context(), juliet)
				if err != nil {
					t.Fatal(err)
				}
				p.Account.SHA256 = scramIn(password)
				if _, err := r.engine.Directory().Accounts().Update(&p.Account); err != nil {
					t.Fatal(err)
				}
				r.elsewhere(juliet, store.RosterItem{Contact: paris, Listed: true, Subscription: store.SubscriptionFrom})
				r.reunite()
				if n := r.reads(func() { time.Sleep(IdleTime / 2) }); n != 0 {
					t.Errorf("read %d times, and not used", n)
				}
				if !use(r) {
					t.Error("it has an old view")
				}
				if n := r.reads(func() { r.credentials(juliet); r.credentials(juliet) }); n != 0 {
					t.Errorf("read another %d times", n)
				}
			})
		})
	}
}

// TestReunionsTogether: while nodes come back one after the other, an account is read once a second.
func TestReunionsTogether(t *testing.T) {
	run(t, func(r *rig) {
		r.create(juliet)
		r.reunite()
		n := r.reads(func() {
			for range 20 {
				r.reunions.Add(1)
				r.credentials(juliet)
				time.Sleep(readPause / 10)
			}
			r.credentials(juliet)
		})
		if n != 3 {
			t.Errorf("read %d times in two seconds", n)
		}
	})
}

// TestLearn: who knows what an account knew before it was read again hears what is different.
func TestLearn(t *testing.T) {
	run(t, func(r *rig) {
		const nurse, tybalt = "nurse@montague.example", "tybalt@montague.example"
		r.create(juliet, paris)
		r.friends(juliet, paris)
		j, p := r.online(juliet, "balcony"), r.online(paris, "hall")
		r.want(j, "AVAILABLE from paris/hall")
		r.elsewhere(juliet,
			store.RosterItem{Contact: nurse, Listed: true},
			store.RosterItem{Contact: paris, Listed: true, Subscription: store.SubscriptionTo},
			store.RosterItem{Contact: tybalt, PendingIn: true})
		r.reunite()
		r.credentials(juliet)
		r.want(j, "push nurse none ask=false", "push paris to ask=false", "SUBSCRIBE from tybalt")
		r.want(p, "UNAVAILABLE from juliet/balcony")
		r.want(mailbox.Ref(juliet), "+[nurse] -[]")

		digest := func() uint64 {
			return r.call(juliet, &nodepb.GetRoster{Session: j.Proto()}).(*nodepb.Roster).GetDigest()
		}
		told := digest()
		for _, gone := range []ident.UserID{nurse, paris} {
			if _, err := r.engine.Directory().Rosters().RemoveItem(juliet, r.rev(juliet), gone); err != nil {
				t.Fatal(err)
			}
		}
		r.reunite()
		r.credentials(juliet)
		r.want(j, "push nurse remove ask=false", "push paris remove ask=false")
		if told == digest() || digest() != emptyRoster {
			t.Errorf("the digest was %d and is %d", told, digest())
		}
	})
}

// TestDigestOfAChangeThatWasDone: a change of unknown outcome that was done after all counts once.
func TestDigestOfAChangeThatWasDone(t *testing.T) {
	run(t, func(r *rig) {
		r.create(juliet)
		j := r.online(juliet, "balcony")
		r.lanes.failing(1, errDisk, true)
		if code := r.code(juliet, setItem(string(paris))); code != ok {
			t.Fatal(code)
		}
		r.want(j, "push paris none ask=false")
		if got := r.call(juliet, &nodepb.GetRoster{Session: j.Proto()}).(*nodepb.Roster).GetDigest(); got != emptyRoster^(&contact{jid: paris, listed: true}).digest() {
			t.Errorf("the digest is %d", got)
		}
	})
}

// TestRemovedElsewhere: the sessions of an account that was removed in another part end, whether somebody has taken the name since or not; who
// has gets no part of what was there, and keeps his mail.
func TestRemovedElsewhere(t *testing.T) {
	for _, again := range []bool{false, true} {
		run(t, func(r *rig) {
			r.create(juliet, paris)
			r.friends(juliet, paris)
			j := r.online(juliet, "balcony")
			dir := r.engine.Directory()
			if err := dir.Accounts().Remove(juliet); err != nil {
				t.Fatal(err)
			}
			if again {
				time.Sleep(time.Millisecond)
				if err := dir.Accounts().Create(&store.Account{User: juliet, SHA256: scramIn(keys("the next")), Created: time.Now()}); err != nil {
					t.Fatal(err)
				}
				r.elsewhere(juliet, store.RosterItem{Contact: "nurse@montague.example", Listed: true})
			}
			r.reunite()
			if c := r.credentials(juliet); c.GetKnown() != again || again && !proto.Equal(c.GetSha256(), keys("the next")) {
				t.Errorf("got %v", c)
			}
			r.want(j, "end not-authorized")
			if again {
				r.want(mailbox.Ref(juliet), "CREATED")
			} else {
				r.want(mailbox.Ref(juliet), "REMOVED")
			}
			for what, req := range map[string]any{"roster": &nodepb.GetRoster{Session: j.Proto()}, "change": &nodepb.SetRoster{Session: j.Proto(),
				Item: &nodepb.RosterItem{Jid: "paris@montague.example"}}, "bind": &nodepb.Bind{Session: j.Proto(), Resource: "balcony", Resumed: true}} {
				if code := r.code(juliet, req); code == ok {
					t.Errorf("%s: %v", what, code)
				}
			}
		})
	}
}

// TestBequeath: an account that leaves its node has the next one read what it wrote of late, once.
func TestBequeath(t *testing.T) {
	for _, test := range []struct {
		writes bool
		later  time.Duration
		told   int
	}{{false, 0, 0}, {true, wroteTime - 1, 1}, {true, wroteTime, 0}} {
		b := newBench(t)
		if test.writes {
			b.ask(setItem("a@x"))
			if b.turn(); b.st.retire(&b.fx) || len(b.fx.casts) > 0 {
				t.Fatal("it may not have written yet")
			}
			b.answer(uint64(1), nil)
		}
		b.now = b.now.Add(test.later)
		told := 0
		for range 2 {
			b.turn()
			if !b.st.retire(&b.fx) {
				t.Fatal("it has nothing to do")
			}
			for _, c := range b.fx.casts {
				if _, ok := c.msg.(*nodepb.MailboxChange); ok && c.to == Ref(juliet) {
					told++
				}
			}
		}
		if told != test.told {
			t.Errorf("%+v: told %d times", test, told)
		}
	}
}

// TestBequeathedPresence: an account that leaves after a parting has contacts asked what the presence is that it kept for sessions it doesn't
// know. After an ordinary move it hasn't, as nobody else was told.
func TestBequeathedPresence(t *testing.T) {
	st := romeo()
	in := func(from string, typ nodepb.PresenceType) {
		t.Helper()
		expect(t, "nobody is there", st.presenceIn(&effects{now: t0}, &nodepb.Presence{From: from, To: string(st.user), Type: typ}))
	}
	all := func() {
		in("mercutio@montague.example/pc", nodepb.PresenceType_AVAILABLE)
		in("mercutio@montague.example/phone", nodepb.PresenceType_UNAVAILABLE)
		in("juliet@montague.example", nodepb.PresenceType_UNAVAILABLE)
		in("benvolio@montague.example/pc", nodepb.PresenceType_UNAVAILABLE) // whom he doesn't hear
		in("romeo@montague.example/pc", nodepb.PresenceType_UNAVAILABLE)
	}
	left := func(now time.Time, reunions uint64) (asked []string) {
		fx := effects{now: now, reunions: reunions}
		st.bequeath(&fx)
		for _, c := range fx.casts {
			p := c.msg.(*nodepb.Presence)
			if bare, _, _ := strings.Cut(p.GetTo(), "/"); c.to != Ref(ident.UserID(bare)) || p.GetType() != nodepb.PresenceType_PROBE || !p.GetRefresh() || p.GetFrom() != string(st.user) {
				t.Errorf("%v is told %v", c.to, p)
			}
			asked = append(asked, p.GetTo())
		}
		return asked
	}
	st.joined = 3
	for _, c := range []struct {
		name     string
		later    time.Duration
		reunions uint64
		asked    []string
	}{
		{"an ordinary move", 0, 3, nil},
		{"after a parting", absentTime - 1, 4, []string{"juliet@montague.example", "mercutio@montague.example/pc", "mercutio@montague.example/phone"}},
		{"long ago", absentTime, 4, nil},
	} {
		all()
		if got := left(t0.Add(c.later), c.reunions); !slices.Equal(got, c.asked) {
			t.Errorf("%s: it asks about %v", c.name, got)
		}
		if got := left(t0, c.reunions); got != nil {
			t.Errorf("%s: it asks twice, about %v", c.name, got)
		}
	}
}

// TestUnreadable: an account that can't be read again goes on with what it knows, and tries again later.
func TestUnreadable(t *testing.T) {
	b := newBench(t)
	ask := func(reunions uint64) {
		b.turn()
		b.fx.reunions = reunions
		b.st.receive(&b.fx, message{&actors.From{}, &nodepb.GetRoster{}})
	}
	b.now = b.now.Add(readPause)
	ask(1)
	b.want(true)
	b.answer(nil, store.ErrClosed)
	b.want(false, ok)
	b.turn()
	b.fx.reunions = 1
	b.st.receive(&b.fx, message{&actors.From{}, &nodepb.GetCredentials{}})
	if len(b.fx.replies) != 1 || b.fx.replies[0].err == nil {
		t.Errorf("a login by what may be an old password: %+v", b.fx.replies)
	}
	b.now = b.now.Add(rereadPause - 1)
	ask(1)
	b.want(false, ok)
	b.now = b.now.Add(1)
	ask(1)
	b.want(true)
	b.answer(&snapshot{&store.Profile{Account: store.Account{User: juliet}}}, nil)
	b.want(false, ok)
	b.now = b.now.Add(time.Hour)
	ask(1)
	b.want(false, ok)
}

// TestBindBehindPushes: a session that is told what was read again isn't told the roster's digest before it can have that.
func TestBindBehindPushes(t *testing.T) {
	run(t, func(r *rig) {
		r.create(juliet)
		j, other := r.online(juliet, "balcony"), r.online(juliet, "garden")
		r.elsewhere(juliet, store.RosterItem{Contact: "nurse@montague.example", Listed: true})
		r.reunite()
		bind := func(ref actors.Ref, resource string) nodepb.Code {
			return r.code(juliet, &nodepb.Bind{Session: ref.Proto(), Resource: resource, Resumed: true, Interested: true})
		}
		if code := bind(j, "balcony"); code != nodepb.Code_LATER {
			t.Errorf("bound: %v", code)
		}
		r.want(j, "AVAILABLE from juliet/garden", "push nurse none ask=false")
		heir := &nodepb.Bind{Session: j.Proto(), Resource: "balcony", Resumed: true, Interested: true, Replaces: other.Proto()}
		if code := r.code(juliet, heir); code != ok { // it compares nothing
			t.Errorf("a stream that is resumed: %v", code)
		}
		if code := bind(actors.Ref{Kind: "session", ID: "new"}, "new"); code != ok { // it sees that it doesn't know the roster
			t.Errorf("a session that wasn't told: %v", code)
		}
		time.Sleep(learnPause)
		for ref, resource := range map[actors.Ref]string{j: "balcony", other: "garden"} {
			if code := bind(ref, resource); code != ok {
				t.Errorf("later on: %v", code)
			}
		}
	})
}
