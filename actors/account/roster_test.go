package account

import (
	"fmt"
	"testing"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

func interested(t *testing.T, st *state) {
	t.Helper()
	bound(t, st, "1", "orchard")
	if r := st.roster(ref("1")); r.GetCode() != nodepb.Code_OK {
		t.Fatalf("roster: %v", r.GetCode())
	}
}

func TestRosterHidesRequests(t *testing.T) {
	st := romeo()
	bound(t, st, "1", "orchard")
	var got string
	for _, i := range st.roster(ref("1")).GetItems() {
		got += fmt.Sprintf("%s %s; ", i.GetJid(), i.GetSubscription())
	}
	want := "benvolio@montague.example from; juliet@montague.example both; mercutio@montague.example to; tybalt@capulet.example both; "
	if got != want {
		t.Fatalf("roster\n%s, want\n%s", got, want)
	}
	if !st.sessions[0].interested {
		t.Fatal("the session gets no pushes")
	}
}

func TestRosterSet(t *testing.T) {
	st := romeo()
	interested(t, st)
	ch, _ := st.prepareSet(&nodepb.RosterItem{Jid: "nurse@montague.example", Name: "Nurse", Groups: []string{"Servants"}})
	if ch.answer.roster.GetCode() != nodepb.Code_OK {
		t.Fatalf("answer %v", ch.answer)
	}
	if st.contacts["nurse@montague.example"] != nil {
		t.Fatal("the change is visible before it is durable")
	}
	expect(t, "a new contact", st.apply(ch), "session/1 push nurse none ask=false", "mailbox/romeo +[nurse] -[]")
	ch, _ = st.prepareSet(&nodepb.RosterItem{Jid: "juliet@montague.example", Name: "Sun", Subscription: "none"})
	expect(t, "renaming keeps the subscription", st.apply(ch), "session/1 push juliet both ask=false")
	if ch, a := st.prepareSet(&nodepb.RosterItem{Jid: "paris@montague.example", Subscription: "remove"}); ch != nil || a.roster.GetCode() != nodepb.Code_NOT_FOUND {
		t.Fatalf("removing a stranger: %v", a.roster)
	}
	if _, a := (&state{}).prepareSet(&nodepb.RosterItem{Jid: "x@y"}); a.roster.GetCode() != nodepb.Code_NO_SUCH_USER {
		t.Fatalf("nobody's roster: %v", a.roster)
	}
}

func TestRosterRemoveTellsTheContact(t *testing.T) {
	st := romeo()
	interested(t, st)
	available(st, "1", 0)
	ch, _ := st.prepareSet(&nodepb.RosterItem{Jid: "juliet@montague.example", Subscription: "remove"})
	if got := fmt.Sprint(ch.answer.roster.GetForward()); got != "[UNSUBSCRIBE UNSUBSCRIBED]" {
		t.Fatalf("forwards %s", got)
	}
	expect(t, "removal", st.apply(ch), "session/1 push juliet remove ask=false", "mailbox/romeo +[] -[juliet]",
		"account/juliet UNAVAILABLE from romeo/orchard")
	if st.contacts["juliet@montague.example"] != nil {
		t.Fatal("she is still there")
	}
}

func TestRosterIsBounded(t *testing.T) {
	st := romeo()
	for i := len(st.contacts); i < maxContacts; i++ {
		jid := ident.UserID(fmt.Sprint(i, "@montague.example"))
		st.contacts[jid] = &contact{jid: jid, listed: true}
	}
	if _, a := st.prepareSet(&nodepb.RosterItem{Jid: "one@too.many"}); a.roster.GetCode() != nodepb.Code_QUOTA {
		t.Fatalf("got %v", a.roster)
	}
	if _, a := st.prepareSubscription(&nodepb.Subscription{Inbound: true, From: "one@too.many", Type: nodepb.PresenceType_SUBSCRIBE}); a.sub.GetCode() != nodepb.Code_QUOTA {
		t.Fatalf("got %v", a.sub)
	}
	if ch, _ := st.prepareSet(&nodepb.RosterItem{Jid: "juliet@montague.example", Name: "J"}); ch == nil {
		t.Fatal("an old contact can't be changed")
	}
}

// subscribe runs one half of a subscription change and returns what it did.
func subscribe(t *testing.T, st *state, req *nodepb.Subscription) (*nodepb.SubscriptionDone, []cast) {
	t.Helper()
	ch, a := st.prepareSubscription(req)
	if ch == nil {
		return a.sub, nil
	}
	return ch.answer.sub, st.apply(ch)
}

func TestTwoUsersSubscribe(t *testing.T) {
	const paris, romeoID = "paris@montague.example", "romeo@montague.example"
	st := romeo()
	interested(t, st)
	available(st, "1", 0)
	done, casts := subscribe(t, st, &nodepb.Subscription{From: romeoID, To: paris, Type: nodepb.PresenceType_SUBSCRIBE})
	if !done.GetForward() {
		t.Fatal("the request isn't forwarded")
	}
	expect(t, "asking", casts, "session/1 push paris none ask=true", "mailbox/romeo +[paris] -[]")
	done, casts = subscribe(t, st, &nodepb.Subscription{From: romeoID, To: paris, Type: nodepb.PresenceType_SUBSCRIBE})
	if !done.GetForward() || casts != nil {
		t.Fatal("asking again is not the same")
	}
	_, casts = subscribe(t, st, &nodepb.Subscription{Inbound: true, From: paris, To: romeoID, Type: nodepb.PresenceType_SUBSCRIBED})
	expect(t, "his consent", casts, "session/1 SUBSCRIBED from paris", "session/1 push paris to ask=false", "account/paris PROBE from romeo")
	_, casts = subscribe(t, st, &nodepb.Subscription{Inbound: true, From: paris, To: romeoID, Type: nodepb.PresenceType_SUBSCRIBE, Payload: []byte("<status>please</status>")})
	expect(t, "his own request", casts, "session/1 SUBSCRIBE from paris")
	if string(st.contacts[paris].request.GetPayload()) != "<status>please</status>" {
		t.Fatal("the request is not kept for later logins")
	}
	done, casts = subscribe(t, st, &nodepb.Subscription{From: romeoID, To: paris, Type: nodepb.PresenceType_SUBSCRIBED})
	if !done.GetForward() {
		t.Fatal("our consent isn't forwarded")
	}
	expect(t, "our consent", casts, "session/1 push paris both ask=false")
	done, _ = subscribe(t, st, &nodepb.Subscription{Inbound: true, From: paris, To: romeoID, Type: nodepb.PresenceType_SUBSCRIBE})
	if done.GetReply() != nodepb.PresenceType_SUBSCRIBED {
		t.Fatal("a request that was granted before isn't granted again")
	}
	_, casts = subscribe(t, st, &nodepb.Subscription{Inbound: true, From: paris, To: romeoID, Type: nodepb.PresenceType_UNSUBSCRIBE})
	expect(t, "he leaves", casts, "session/1 UNSUBSCRIBE from paris", "session/1 push paris to ask=false", "account/paris UNAVAILABLE from romeo/orchard")
}

func TestRefusedRequestIsForgotten(t *testing.T) {
	st := romeo()
	interested(t, st)
	done, casts := subscribe(t, st, &nodepb.Subscription{To: "rosaline@montague.example", Type: nodepb.PresenceType_UNSUBSCRIBED})
	if !done.GetForward() || st.contacts["rosaline@montague.example"] != nil {
		t.Fatalf("%v, contact %+v", done, st.contacts["rosaline@montague.example"])
	}
	expect(t, "a refusal is nobody's roster change", casts)
	if done, _ := subscribe(t, &state{}, &nodepb.Subscription{}); done.GetCode() != nodepb.Code_NO_SUCH_USER {
		t.Fatalf("nobody answered %v", done)
	}
}

func TestWhoIsInTheRosterStays(t *testing.T) {
	const benvolio = "benvolio@montague.example"
	st := romeo()
	st.contacts[benvolio].listed = false // agreed to by romeo, never added by hand
	interested(t, st)
	_, casts := subscribe(t, st, &nodepb.Subscription{Inbound: true, From: benvolio, Type: nodepb.PresenceType_UNSUBSCRIBE})
	expect(t, "he leaves", casts, "session/1 UNSUBSCRIBE from benvolio", "session/1 push benvolio none ask=false")
	ch, _ := st.prepareSet(&nodepb.RosterItem{Jid: benvolio, Subscription: "remove"})
	if len(ch.answer.roster.GetForward()) != 0 {
		t.Fatalf("forwards %v", ch.answer.roster.GetForward())
	}
	expect(t, "and is removed", st.apply(ch), "session/1 push benvolio remove ask=false", "mailbox/romeo +[] -[benvolio]")
}

func TestRequestIsNoItem(t *testing.T) {
	st := romeo()
	interested(t, st)
	const rosaline = "rosaline@montague.example"
	if ch, a := st.prepareSet(&nodepb.RosterItem{Jid: rosaline, Subscription: "remove"}); ch != nil || a.roster.GetCode() != nodepb.Code_NOT_FOUND {
		t.Fatalf("removing what clients don't see: %v", a.roster)
	}
	ch, _ := st.prepareSet(&nodepb.RosterItem{Jid: rosaline, Name: "R"})
	expect(t, "adding her", st.apply(ch), "session/1 push rosaline none ask=false", "mailbox/romeo +[rosaline] -[]")
	if !st.contacts[rosaline].sub.pendingIn {
		t.Fatal("her request is forgotten")
	}
	ch, _ = st.prepareSet(&nodepb.RosterItem{Jid: rosaline, Name: "R"})
	expect(t, "a set that changes nothing is pushed all the same", st.apply(ch), "session/1 push rosaline none ask=false")
	ch, _ = st.prepareSet(&nodepb.RosterItem{Jid: rosaline, Subscription: "remove"})
	if got := fmt.Sprint(ch.answer.roster.GetForward()); got != "[UNSUBSCRIBED]" {
		t.Fatalf("forwards %s", got)
	}
}

func TestWhoSeesSubscriptionStanzas(t *testing.T) {
	st := romeo()
	bound(t, st, "available", "a")
	available(st, "available", 0)
	bound(t, st, "interested", "i")
	st.roster(ref("interested"))
	_, casts := subscribe(t, st, &nodepb.Subscription{Inbound: true, From: "nurse@montague.example", Type: nodepb.PresenceType_SUBSCRIBE})
	expect(t, "a request", casts, "session/available SUBSCRIBE from nurse")
	_, casts = subscribe(t, st, &nodepb.Subscription{Inbound: true, From: "mercutio@montague.example", Type: nodepb.PresenceType_UNSUBSCRIBED})
	expect(t, "a refusal", casts, "session/interested UNSUBSCRIBED from mercutio", "session/interested push mercutio none ask=false")
}
