package account

import (
	"context"
	"errors"
	"fmt"
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
	"github.com/jackdaw-im/jackdaw/store/storetest"
)

const (
	sub    = nodepb.PresenceType_SUBSCRIBE
	unsub  = nodepb.PresenceType_UNSUBSCRIBE
	subd   = nodepb.PresenceType_SUBSCRIBED
	unsubd = nodepb.PresenceType_UNSUBSCRIBED
)

var errDisk = errors.New("the disk said nothing")

func asMessage(msg any) proto.Message {
	m, _ := msg.(proto.Message)
	return m
}

func (r *rig) credentials(user ident.UserID) *nodepb.Credentials {
	r.t.Helper()
	return r.call(user, &nodepb.GetCredentials{}).(*nodepb.Credentials)
}

func TestCreateAndPassword(t *testing.T) {
	run(t, func(r *rig) {
		if r.credentials(juliet).GetKnown() {
			t.Fatal("she is known before she exists")
		}
		r.create(juliet)
		if code, err := Create(r.t.Context(), r.sys, juliet, nil, keys("x")); err != nil || code != nodepb.Code_ALREADY_EXISTS {
			t.Fatalf("a second account: %v, %v", code, err)
		}
		if code, err := Create(r.t.Context(), r.sys, paris, nil, nil); err != nil || code != nodepb.Code_BAD_REQUEST {
			t.Fatalf("an account without a password: %v, %v", code, err)
		}
		c := r.credentials(juliet)
		if !c.GetKnown() || c.GetSha1() != nil || !proto.Equal(c.GetSha256(), keys(string(juliet))) {
			t.Fatalf("got %v", c)
		}
		if code, err := SetPassword(r.t.Context(), r.sys, juliet, keys("one"), keys("two")); err != nil || code != nodepb.Code_OK {
			t.Fatalf("a new password: %v, %v", code, err)
		}
		r.restart()
		if c := r.credentials(juliet); !proto.Equal(c.GetSha1(), keys("one")) || !proto.Equal(c.GetSha256(), keys("two")) {
			t.Fatalf("after a restart: %v", c)
		}
		if code, err := SetPassword(r.t.Context(), r.sys, paris, nil, keys("x")); err != nil || code != nodepb.Code_NO_SUCH_USER {
			t.Fatalf("nobody's password: %v, %v", code, err)
		}
		for _, req := range []any{&nodepb.Bind{}, &nodepb.GetRoster{}, &nodepb.SetRoster{}, &nodepb.Subscription{}} {
			if code := r.code(paris, req); code != nodepb.Code_NO_SUCH_USER {
				t.Errorf("%T to nobody: %v", req, code)
			}
		}
		if _, err := r.tryCall(juliet, &nodepb.Unbind{}); err == nil {
			t.Error("a cast was answered as a call")
		}
	})
}

func TestThrottleIsTheSameForAll(t *testing.T) {
	run(t, func(r *rig) {
		r.create(juliet)
		for n := range 6 {
			known, unknown := r.credentials(juliet).GetWaitMs(), r.credentials(paris).GetWaitMs()
			want := uint32(0)
			if n >= freeFailures {
				want = uint32(firstWait.Milliseconds()) << (n - freeFailures)
			}
			if known != want || unknown != want {
				t.Fatalf("after %d failures she waits %d ms and nobody %d ms, want %d", n, known, unknown, want)
			}
			r.cast(Ref(juliet), &nodepb.LoginResult{})
			r.cast(Ref(paris), &nodepb.LoginResult{})
		}
		time.Sleep(throttleSpell - time.Minute)
		if r.accounts.Live() != 0 {
			t.Fatal("wrong passwords keep accounts in memory")
		}
		if r.credentials(juliet).GetWaitMs() == 0 || r.credentials(paris).GetWaitMs() == 0 {
			t.Fatal("the failures are forgotten with the account")
		}
		r.cast(Ref(juliet), &nodepb.LoginResult{Ok: true})
		if r.credentials(juliet).GetWaitMs() != 0 {
			t.Fatal("a good login forgets nothing")
		}
		time.Sleep(2*throttleSpell + 2*IdleTime)
		if n := r.accounts.Live(); n != 0 {
			t.Fatalf("%d idle accounts stay", n)
		}
	})
}

func TestRosterIsDurableBeforeItIsSeen(t *testing.T) {
	run(t, func(r *rig) {
		r.create(juliet)
		s1, s2 := r.online(juliet, "a"), r.online(juliet, "b")
		r.want(s1, "AVAILABLE from juliet/b")
		silent := r.bind(juliet, "c")
		set := &nodepb.SetRoster{Session: s1.Proto(), Item: &nodepb.RosterItem{Jid: string(paris), Name: "Paris", Groups: []string{"Suitors"}}}
		if code := r.code(juliet, set); code != nodepb.Code_OK {
			t.Fatal(code)
		}
		if got := r.stored(juliet); got != "paris none" {
			t.Fatalf("answered with %q in the store", got)
		}
		r.want(s1, "push paris none ask=false")
		r.want(s2, "push paris none ask=false")
		r.want(silent)
		r.want(mailbox.Ref(juliet), "+[paris] -[]")
		r.restart()
		got := r.call(juliet, &nodepb.GetRoster{}).(*nodepb.Roster).GetItems()
		want := &nodepb.RosterItem{Jid: string(paris), Name: "Paris", Subscription: "none", Groups: []string{"Suitors"}}
		if len(got) != 1 || !proto.Equal(got[0], want) {
			t.Fatalf("after a restart: %v", got)
		}
		s1 = r.online(juliet, "a")
		remove := &nodepb.SetRoster{Session: s1.Proto(), Item: &nodepb.RosterItem{Jid: string(paris), Subscription: "remove"}}
		if code := r.code(juliet, remove); code != nodepb.Code_OK || r.stored(juliet) != "" {
			t.Fatalf("removal: %v, left %q", code, r.stored(juliet))
		}
		r.want(s1, "push paris remove ask=false")
		r.want(mailbox.Ref(juliet), "+[] -[paris]")
		if code := r.code(juliet, remove); code != nodepb.Code_NOT_FOUND {
			t.Fatalf("a second removal: %v", code)
		}
	})
}

func TestSubscriptionBothWays(t *testing.T) {
	run(t, func(r *rig) {
		r.create(juliet, paris)
		j, p := r.online(juliet, "balcony"), r.online(paris, "hall")
		r.subscription(paris, juliet, sub)
		r.want(p, "push juliet none ask=true")
		r.want(j, "SUBSCRIBE from paris")
		r.subscription(paris, juliet, sub)
		r.want(p)
		r.want(j)
		r.subscription(juliet, paris, subd)
		r.want(j, "push paris from ask=false")
		r.want(p, "SUBSCRIBED from juliet", "push juliet to ask=false", "AVAILABLE from juliet/balcony")
		r.subscription(juliet, paris, sub)
		r.subscription(paris, juliet, subd)
		r.want(j, "push paris from ask=true", "SUBSCRIBED from paris", "push paris both ask=false", "AVAILABLE from paris/hall")
		r.want(p, "SUBSCRIBE from juliet", "push juliet both ask=false")
		if a, b := r.stored(juliet), r.stored(paris); a != "paris both" || b != "juliet both" {
			t.Fatalf("stored %q and %q", a, b)
		}
		r.subscription(paris, juliet, unsub)
		r.want(p, "push juliet from ask=false", "UNAVAILABLE from juliet/balcony")
		r.want(j, "UNSUBSCRIBE from paris", "push paris to ask=false")
		r.subscription(paris, juliet, unsubd)
		r.want(p, "push juliet none ask=false")
		r.want(j, "UNAVAILABLE from paris/hall", "UNSUBSCRIBED from paris", "push paris none ask=false")
	})
}

func TestRequestWaitsForInitialPresence(t *testing.T) {
	run(t, func(r *rig) {
		r.create(juliet, paris)
		r.subscription(paris, juliet, sub)
		if got := r.stored(juliet); got != "paris none!" {
			t.Fatalf("stored %q", got)
		}
		r.want(mailbox.Ref(juliet)) // a mere request makes nobody a contact
		for range 2 {
			r.restart()
			j := r.bind(juliet, "balcony")
			if n := len(r.call(juliet, &nodepb.GetRoster{Session: j.Proto()}).(*nodepb.Roster).GetItems()); n != 0 {
				t.Fatalf("the request is among %d items", n)
			}
			r.want(j)
			r.available(juliet, j)
			r.want(j, "AVAILABLE from juliet/balcony", "SUBSCRIBE from paris")
		}
		c := store.RosterItem{}
		if p, err := r.engine.Directory().Accounts().Account(context.Background(), juliet); err == nil {
			c = p.Roster.Items[0]
		}
		if p := contactOf(c).request; p.GetId() != "s1" || string(p.GetPayload()) != "<status>hi</status>" || p.GetTo() != string(juliet) {
			t.Fatalf("kept %v", p)
		}
		r.subscription(juliet, paris, unsubd)
		if a, b := r.stored(juliet), r.stored(paris); a != "" || b != "juliet none" {
			t.Fatalf("after the refusal: %q and %q", a, b)
		}
	})
}

func TestPresenceBetweenAccounts(t *testing.T) {
	run(t, func(r *rig) {
		r.create(juliet, paris)
		r.friends(juliet, paris)
		j := r.online(juliet, "balcony")
		p := r.bind(paris, "hall")
		r.available(paris, p)
		r.want(j, "AVAILABLE from paris/hall")
		r.want(p, "AVAILABLE from paris/hall", "AVAILABLE from juliet/balcony")
		r.cast(Ref(paris), &nodepb.Unbind{Session: p.Proto()})
		r.want(j, "UNAVAILABLE from paris/hall")
		p = r.online(paris, "garden")
		r.want(j, "AVAILABLE from paris/garden")
		r.cast(p, actors.Crashed(errDisk))
		r.want(j, "UNAVAILABLE from paris/garden")
		p = r.online(paris, "cellar")
		r.want(j, "AVAILABLE from paris/cellar")
		r.cast(p, actors.Normal) // it has handed its state to one that resumes it, and that one never came
		r.want(j)
		time.Sleep(handoverGrace + time.Second)
		r.want(j, "UNAVAILABLE from paris/cellar")
		if b := r.call(juliet, &nodepb.Bind{Session: (actors.Ref{Kind: "session", ID: "gone", Node: "n@1"}).Proto()}).(*nodepb.Bound); len(b.GetResource()) != 16 {
			t.Fatalf("a session without a wish got %v", b)
		}
	})
}

func TestRemovalTellsEverybody(t *testing.T) {
	run(t, func(r *rig) {
		r.create(juliet, paris)
		r.friends(juliet, paris)
		j, p := r.online(juliet, "balcony"), r.online(paris, "hall")
		r.want(j, "AVAILABLE from paris/hall")
		mail := store.Append{Mailbox: juliet, ID: ident.MessageID{1}, Ord: 1, Sender: paris, Body: []byte("x")}
		if _, err := r.engine.Mail().Commit(&store.Batch{Appends: []store.Append{mail}}); err != nil {
			t.Fatal(err)
		}
		if code, err := Remove(r.t.Context(), r.sys, juliet); err != nil || code != nodepb.Code_OK {
			t.Fatalf("removal: %v, %v", code, err)
		}
		r.want(j, "end not-authorized")
		r.want(mailbox.Ref(juliet), "REMOVED")
		r.want(p, "UNAVAILABLE from juliet/balcony", "UNSUBSCRIBE from juliet", "push juliet to ask=false", "UNSUBSCRIBED from juliet", "push juliet none ask=false")
		rows, err := storetest.Rows(context.Background(), r.engine, juliet)
		if err != nil || len(rows) != 0 || r.stored(juliet) != "" || r.stored(paris) != "juliet none" {
			t.Fatalf("%d rows, %q, %q, %v", len(rows), r.stored(juliet), r.stored(paris), err)
		}
		if code, err := Remove(r.t.Context(), r.sys, juliet); err != nil || code != nodepb.Code_NO_SUCH_USER {
			t.Fatalf("a second removal: %v, %v", code, err)
		}
		if r.credentials(juliet).GetKnown() {
			t.Fatal("she may still log in")
		}
		mail.ID = ident.MessageID{2} // what an interrupted removal might leave
		if _, err := r.engine.Mail().Commit(&store.Batch{Appends: []store.Append{mail}}); err != nil {
			t.Fatal(err)
		}
		r.create(juliet)
		if rows, err := storetest.Rows(context.Background(), r.engine, juliet); err != nil || len(rows) != 0 {
			t.Fatalf("the next one of that name inherits %d rows, %v", len(rows), err)
		}
	})
}

func TestAccountsThatDisagreeHeal(t *testing.T) {
	run(t, func(r *rig) {
		r.create(juliet, paris)
		r.friends(juliet, paris)
		if err := r.engine.Directory().Accounts().Remove(juliet); err != nil { // and nobody is told
			t.Fatal(err)
		}
		r.restart()
		p := r.online(paris, "hall")
		synctest.Wait()
		if got := r.stored(paris); got != "juliet none" {
			t.Fatalf("he still has %q", got)
		}
		r.want(p)
		r.create(juliet)
		r.online(juliet, "balcony")
		r.want(p)
	})
}

func TestCrashAndRebind(t *testing.T) {
	run(t, func(r *rig) {
		r.create(juliet, paris)
		r.friends(juliet, paris)
		j, p := r.online(juliet, "balcony"), r.online(paris, "hall")
		r.want(j, "AVAILABLE from paris/hall")
		r.lanes.crashing()
		set := &nodepb.SetRoster{Item: &nodepb.RosterItem{Jid: "nurse@montague.example"}}
		if _, err := r.tryCall(juliet, set); !errors.Is(err, actors.ErrCrashed) {
			t.Fatalf("the request it crashed on was answered %v", err)
		}
		for _, req := range []any{
			&nodepb.Bind{Session: j.Proto(), Resource: "balcony", Resumed: true},
			&nodepb.GetRoster{Session: j.Proto()},
		} {
			if code := r.code(juliet, req); code != nodepb.Code_OK {
				t.Fatalf("%T after the crash: %v", req, code)
			}
		}
		r.cast(Ref(juliet), &nodepb.SetPresence{Session: j.Proto(), Available: true, Quiet: true})
		r.want(j)
		r.want(p)
		if code := r.code(juliet, set); code != nodepb.Code_OK {
			t.Fatal(code)
		}
		r.want(j, "push nurse none ask=false")
		r.cast(Ref(paris), &nodepb.SetPresence{Session: p.Proto(), Available: true})
		r.want(j, "AVAILABLE from paris/hall")
		r.cast(j, actors.Shutdown)
		time.Sleep(handoverGrace + time.Second)
		r.want(p, "AVAILABLE from paris/hall", "UNAVAILABLE from juliet/balcony")
	})
}

func TestWhoWaitsIsAnsweredAtTheEnd(t *testing.T) {
	run(t, func(r *rig) {
		r.create(juliet)
		r.lanes.failing(1000, errDisk, false)
		errs := make(chan error, 2)
		for i := range 2 {
			go func() {
				_, err := r.tryCall(juliet, &nodepb.SetRoster{Item: &nodepb.RosterItem{Jid: fmt.Sprint(i, "@montague.example")}})
				errs <- err
			}()
		}
		synctest.Wait()
		r.kit.Stop()
		for range 2 {
			if err := <-errs; !errors.Is(err, actors.ErrNoProc) {
				t.Errorf("heard %v", err)
			}
		}
		r.start()
	})
}

func TestMessagesWaitForTheAccount(t *testing.T) {
	run(t, func(r *rig) {
		r.create(juliet, paris)
		r.friends(juliet, paris)
		r.restart()
		r.lanes.failing(3, errDisk, false)
		started := time.Now()
		j, err := r.sessions.StartChild("j", nil)
		if err != nil {
			t.Fatal(err)
		}
		bound := make(chan nodepb.Code, 1)
		go func() { bound <- r.code(juliet, &nodepb.Bind{Session: j.Proto(), Resource: "x"}) }()
		synctest.Wait()
		r.cast(Ref(juliet), &nodepb.SetPresence{Session: j.Proto(), Available: true})
		r.cast(Ref(juliet), &nodepb.Presence{From: string(paris) + "/hall", To: string(juliet)})
		r.want(j)
		if code := <-bound; code != nodepb.Code_OK || time.Since(started) < 3*retryTime {
			t.Fatalf("%v after %v", code, time.Since(started))
		}
		r.want(j, "AVAILABLE from juliet/x", "AVAILABLE from paris/hall")
	})
}

func TestOutcomesOfTheStore(t *testing.T) {
	for _, c := range []struct {
		name string
		n    int
		err  error
		done bool
		code nodepb.Code
		want string // the roster in the store afterwards
	}{
		{"full", 1, fmt.Errorf("disk: %w", store.ErrFull), false, nodepb.Code_STORE_FULL, ""},
		{"invalid", 1, store.ErrInvalid, false, nodepb.Code_BAD_REQUEST, ""},
		{"no room in the lane", 1, actors.ErrOverloaded, false, nodepb.Code_LATER, ""},
		{"unknown, not done", 1, errDisk, false, nodepb.Code_OK, "paris from"},
		{"unknown, done", 1, errDisk, true, nodepb.Code_OK, "paris from"},
		{"unknown, done at the second try", 2, errDisk, true, nodepb.Code_OK, "paris from"},
		{"unknown for ever", maxTries, errDisk, false, nodepb.Code_OUTCOME_UNKNOWN, ""},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			run(t, func(r *rig) {
				r.create(juliet, paris)
				r.subscription(paris, juliet, sub)
				j := r.online(juliet, "balcony")
				before, rev := r.stored(juliet), r.rev(juliet)
				r.lanes.failing(c.n, c.err, c.done)
				done := r.call(juliet, &nodepb.Subscription{From: string(juliet), To: string(paris), Type: subd}).(*nodepb.SubscriptionDone)
				if done.GetCode() != c.code || done.GetForward() != (c.code == nodepb.Code_OK) {
					t.Fatalf("answered %v", done)
				}
				want, revs := c.want, uint64(1)
				if want == "" {
					want, revs = before, 0
				}
				if got := r.stored(juliet); got != want || r.rev(juliet) != rev+revs {
					t.Fatalf("stored %q in %d changes", got, r.rev(juliet)-rev)
				}
				if revs == 1 {
					r.want(j, "push paris from ask=false")
				} else {
					r.want(j)
				}
				if code := r.code(juliet, &nodepb.SetRoster{Item: &nodepb.RosterItem{Jid: "nurse@montague.example"}}); code != nodepb.Code_OK {
					t.Fatalf("the next change: %v", code)
				}
			})
		})
	}
}

func (r *rig) rev(user ident.UserID) uint64 {
	r.t.Helper()
	p, err := r.engine.Directory().Accounts().Account(context.Background(), user)
	if err != nil {
		r.t.Fatal(err)
	}
	return p.Roster.Rev
}

func TestStaleTwinDecidesAnew(t *testing.T) {
	run(t, func(r *rig) {
		r.create(juliet)
		j := r.online(juliet, "balcony")
		if _, err := r.engine.Directory().Rosters().SetItem(juliet, 0, store.RosterItem{Contact: paris, PendingIn: true}); err != nil {
			t.Fatal(err)
		}
		done := r.call(juliet, &nodepb.SetRoster{Item: &nodepb.RosterItem{Jid: "nurse@montague.example"}}).(*nodepb.RosterChanged)
		if done.GetCode() != nodepb.Code_OK || r.stored(juliet) != "nurse none, paris none!" {
			t.Fatalf("%v, stored %q", done, r.stored(juliet))
		}
		r.want(j, "SUBSCRIBE from paris", "push nurse none ask=false") // what the other twin was asked, too
		if err := r.engine.Directory().Accounts().Remove(juliet); err != nil {
			t.Fatal(err)
		}
		if code := r.code(juliet, &nodepb.SetRoster{Item: &nodepb.RosterItem{Jid: string(paris)}}); code != nodepb.Code_NO_SUCH_USER {
			t.Fatalf("the roster of one who is gone: %v", code)
		}
		r.want(j, "end not-authorized")
		r.want(mailbox.Ref(juliet), "+[nurse] -[]", "REMOVED")
	})
}

func TestCreateAndRemoveOfUnknownOutcome(t *testing.T) {
	for _, done := range []bool{false, true} {
		run(t, func(r *rig) {
			r.credentials(juliet)
			r.lanes.failing(1, errDisk, done)
			r.create(juliet)
			r.lanes.failing(1, errDisk, done)
			if code := r.code(juliet, &nodepb.SetPassword{Sha256: keys("new")}); code != nodepb.Code_OK {
				t.Fatalf("password: %v", code)
			}
			if c := r.credentials(juliet); !proto.Equal(c.GetSha256(), keys("new")) {
				t.Fatalf("got %v", c)
			}
			r.lanes.failing(1, errDisk, done)
			if code, err := Remove(r.t.Context(), r.sys, juliet); err != nil || code != nodepb.Code_OK {
				t.Fatalf("removal: %v, %v", code, err)
			}
			r.want(mailbox.Ref(juliet), "REMOVED")
		})
	}
	run(t, func(r *rig) {
		r.credentials(juliet)
		r.engine.SetFull("in the test")
		if code, err := Create(r.t.Context(), r.sys, juliet, nil, keys("x")); err != nil || code != nodepb.Code_STORE_FULL {
			t.Fatalf("on a full disk: %v, %v", code, err)
		}
	})
}

func TestReloadAfterAnImport(t *testing.T) {
	run(t, func(r *rig) {
		if r.credentials(juliet).GetKnown() {
			t.Fatal("she is known")
		}
		a := store.Account{User: juliet, SHA256: scramIn(keys("x"))}
		if _, err := r.engine.Directory().Accounts().Put([]store.Account{a}); err != nil {
			t.Fatal(err)
		}
		if code, err := Create(r.t.Context(), r.sys, juliet, nil, keys("y")); err != nil || code != nodepb.Code_ALREADY_EXISTS {
			t.Fatalf("an account under the import: %v, %v", code, err)
		}
		r.want(mailbox.Ref(juliet), "CREATED")
		if err := Reload(r.sys, juliet); err != nil {
			t.Fatal(err)
		}
		if c := r.credentials(juliet); !c.GetKnown() || !proto.Equal(c.GetSha256(), keys("x")) {
			t.Fatalf("got %v", c)
		}
		r.want(mailbox.Ref(juliet))
	})
}

func TestAccountsRestAndStay(t *testing.T) {
	run(t, func(r *rig) {
		r.create(juliet, paris)
		j := r.online(juliet, "balcony")
		time.Sleep(3 * IdleTime)
		if n := r.accounts.Live(); n != 1 {
			t.Fatalf("%d accounts live, want hers alone", n)
		}
		r.cast(Ref(juliet), &nodepb.SetPresence{Session: j.Proto(), Available: true, Priority: 3})
		r.want(j, "AVAILABLE from juliet/balcony")
		r.cast(Ref(juliet), &nodepb.Unbind{Session: j.Proto()})
		time.Sleep(3 * IdleTime)
		if n := r.accounts.Live(); n != 0 {
			t.Fatalf("%d accounts live", n)
		}
		if c := r.credentials(paris); !c.GetKnown() {
			t.Fatal("he is forgotten")
		}
	})
}

func TestSessionWithoutRoomIsEnded(t *testing.T) {
	run(t, func(r *rig) {
		r.create(juliet)
		j := r.online(juliet, "balcony")
		hold := make(chan struct{})
		r.cast(j, hold)
		presence := &nodepb.Presence{From: "x@montague.example/b", To: string(juliet), Directed: true}
		for range sessionQueue + 10 {
			r.cast(Ref(juliet), presence)
		}
		if code := r.code(juliet, &nodepb.SetRoster{Item: &nodepb.RosterItem{Jid: string(paris)}}); code != nodepb.Code_OK {
			t.Fatal(code)
		}
		close(hold)
		synctest.Wait()
		r.mu.Lock()
		defer r.mu.Unlock()
		heard := r.heard[j]
		if len(heard) != sessionQueue+1 || heard[0] != "end resource-constraint" {
			t.Fatalf("heard %d: %q", len(heard), heard)
		}
	})
}

func TestCallsThatMakeNoSense(t *testing.T) {
	run(t, func(r *rig) {
		r.create(juliet)
		for _, req := range []any{&nodepb.Unbind{}, &nodepb.Presence{}, "hello"} {
			if _, err := r.tryCall(juliet, req); err == nil {
				t.Errorf("%T was answered as a call", req)
			}
		}
		for _, msg := range []any{&nodepb.Outcome{}, &nodepb.GetRoster{}, &nodepb.Subscription{}, &nodepb.Bind{}, &nodepb.SetPresence{}, "hello"} {
			r.cast(Ref(juliet), msg)
		}
		if !r.credentials(juliet).GetKnown() || r.stored(juliet) != "" {
			t.Fatal("a cast that makes no sense did something")
		}
	})
}
