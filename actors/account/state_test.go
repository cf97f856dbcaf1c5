package account

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

var t0 = time.Unix(1_000_000, 0)

func ref(id string) actors.Ref { return actors.Ref{Kind: "session", ID: id, Node: "n@1"} }

// romeo has juliet (both), benvolio (from), mercutio (to) and an unanswered request of rosaline.
func romeo() *state {
	st := &state{user: "romeo@montague.example", exists: true, contacts: map[ident.UserID]*contact{}}
	for jid, sub := range map[ident.UserID]string{
		"juliet@montague.example": "Both", "benvolio@montague.example": "From", "mercutio@montague.example": "To",
		"rosaline@montague.example": "None+PI", "tybalt@capulet.example": "Both",
	} {
		st.contacts[jid] = &contact{jid: jid, sub: parseState(sub), listed: sub != "None+PI"}
	}
	return st
}

func bound(t *testing.T, st *state, id, resource string) {
	t.Helper()
	b, _ := st.bind(&nodepb.Bind{Session: ref(id).Proto(), Resource: resource}, "fresh", t0)
	if b.GetCode() != nodepb.Code_OK {
		t.Fatalf("bind of %s: %v", id, b.GetCode())
	}
}

func available(st *state, id string, priority int32) []cast {
	return st.setPresence(&effects{now: t0}, &nodepb.SetPresence{Session: ref(id).Proto(), Available: true, Priority: priority, Payload: []byte("<show>chat</show>")})
}

// show writes casts as sorted lines, "account/juliet@montague.example AVAILABLE from romeo@.../orchard".
func show(casts []cast) string {
	var lines []string
	for _, c := range casts {
		switch m := c.msg.(type) {
		case *nodepb.Presence:
			lines = append(lines, fmt.Sprintf("%s %s from %s", name(c.to), m.GetType(), m.GetFrom()))
		case *nodepb.Subscription:
			lines = append(lines, fmt.Sprintf("%s <- %s", name(c.to), m.GetType()))
		case *nodepb.EndSession:
			lines = append(lines, fmt.Sprintf("%s end %s", name(c.to), m.GetCondition()))
		case *nodepb.RosterPush:
			i := m.GetItem()
			lines = append(lines, fmt.Sprintf("%s push %s %s ask=%v", name(c.to), i.GetJid(), i.GetSubscription(), i.GetAsk()))
		case *nodepb.MailboxChange:
			line := fmt.Sprintf("%s +%v -%v", name(c.to), m.GetContactsAdded(), m.GetContactsRemoved())
			if m.GetWhat() != nodepb.MailboxChange_UNCHANGED {
				line = fmt.Sprintf("%s %s", name(c.to), m.GetWhat())
			}
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	return strings.ReplaceAll(strings.Join(lines, "\n"), "@montague.example", "")
}

func name(r actors.Ref) string { return r.Kind + "/" + r.ID }

func expect(t *testing.T, what string, casts []cast, lines ...string) {
	t.Helper()
	slices.Sort(lines)
	if got, want := show(casts), strings.Join(lines, "\n"); got != want {
		t.Errorf("%s:\ngot\n%s\nwant\n%s", what, got, want)
	}
}

func TestBindConflictEndsTheOlderSession(t *testing.T) {
	st := romeo()
	bound(t, st, "1", "orchard")
	available(st, "1", 0)
	b, casts := st.bind(&nodepb.Bind{Session: ref("2").Proto(), Resource: "orchard"}, "fresh", t0)
	if b.GetResource() != "orchard" || len(st.sessions) != 1 || st.sessions[0].ref != ref("2") {
		t.Fatalf("bound %v, sessions %v", b, st.sessions)
	}
	expect(t, "conflict", casts, "session/1 end conflict",
		"account/juliet UNAVAILABLE from romeo/orchard", "account/benvolio UNAVAILABLE from romeo/orchard")
	expect(t, "the old session's farewell comes too late", st.unbind(&nodepb.Unbind{Session: ref("1").Proto()}, t0))
	if len(st.sessions) != 1 {
		t.Fatal("it took the new session along")
	}
	if b, _ := st.bind(&nodepb.Bind{Session: ref("3").Proto()}, "fresh", t0); b.GetResource() != "fresh" {
		t.Fatalf("a session without a wish got %q", b.GetResource())
	}
	for i := range maxSessions {
		st.bind(&nodepb.Bind{Session: ref(fmt.Sprint("more", i)).Proto(), Resource: fmt.Sprint(i)}, "", t0)
	}
	if b, _ := st.bind(&nodepb.Bind{Session: ref("last").Proto(), Resource: "last"}, "", t0); b.GetCode() != nodepb.Code_QUOTA {
		t.Fatalf("session %d got %v", maxSessions+1, b.GetCode())
	}
	if b, _ := (&state{}).bind(&nodepb.Bind{}, "x", t0); b.GetCode() != nodepb.Code_NO_SUCH_USER {
		t.Fatalf("nobody's session got %v", b.GetCode())
	}
}

func TestInitialPresence(t *testing.T) {
	st := romeo()
	bound(t, st, "1", "orchard")
	bound(t, st, "2", "balcony")
	expect(t, "first resource", available(st, "1", 0),
		"account/juliet AVAILABLE from romeo/orchard", "account/benvolio AVAILABLE from romeo/orchard",
		"account/juliet PROBE from romeo/orchard", "account/mercutio PROBE from romeo/orchard",
		"session/1 AVAILABLE from romeo/orchard", "session/1 SUBSCRIBE from rosaline")
	expect(t, "second resource", available(st, "2", 0),
		"account/juliet AVAILABLE from romeo/balcony", "account/benvolio AVAILABLE from romeo/balcony",
		"account/juliet PROBE from romeo/balcony", "account/mercutio PROBE from romeo/balcony",
		"session/1 AVAILABLE from romeo/balcony", "session/2 AVAILABLE from romeo/balcony",
		"session/2 AVAILABLE from romeo/orchard", "session/2 SUBSCRIBE from rosaline")
	expect(t, "an update probes nobody", available(st, "1", 5),
		"account/juliet AVAILABLE from romeo/orchard", "account/benvolio AVAILABLE from romeo/orchard",
		"session/1 AVAILABLE from romeo/orchard", "session/2 AVAILABLE from romeo/orchard")
	expect(t, "unavailable", st.setPresence(&effects{now: t0}, &nodepb.SetPresence{Session: ref("1").Proto()}),
		"account/juliet UNAVAILABLE from romeo/orchard", "account/benvolio UNAVAILABLE from romeo/orchard",
		"session/1 UNAVAILABLE from romeo/orchard", "session/2 UNAVAILABLE from romeo/orchard")
	expect(t, "leaving afterwards says nothing twice", st.unbind(&nodepb.Unbind{Session: ref("1").Proto()}, t0))
	expect(t, "a stranger's presence", available(st, "nobody", 0))
}

func TestHandoverKeepsPresence(t *testing.T) {
	st := romeo()
	bound(t, st, "1", "orchard")
	available(st, "1", 0)
	expect(t, "the old session ends in order", st.down(ref("1"), actors.Normal, t0))
	b, casts := st.bind(&nodepb.Bind{Session: ref("2").Proto(), Resource: "orchard", Resumed: true, Replaces: ref("1").Proto()}, "", t0)
	expect(t, "the new one takes over", casts)
	if b.GetCode() != nodepb.Code_OK || !st.sessions[0].available() || st.sessions[0].ref != ref("2") {
		t.Fatalf("%v, %+v", b, st.sessions[0])
	}
	casts, next := st.expire(t0.Add(time.Hour))
	expect(t, "nothing is due any more", casts)
	if !next.IsZero() {
		t.Fatal("a timer is left")
	}
	expect(t, "a crash is told at once", st.down(ref("2"), actors.Crashed(errDisk), t0),
		"account/juliet UNAVAILABLE from romeo/orchard", "account/benvolio UNAVAILABLE from romeo/orchard")

	bound(t, st, "3", "orchard")
	available(st, "3", 0)
	st.down(ref("3"), actors.Normal, t0)
	if _, next := st.expire(t0); !next.Equal(t0.Add(handoverGrace)) {
		t.Fatalf("due at %v", next)
	}
	casts, _ = st.expire(t0.Add(handoverGrace))
	expect(t, "nobody took over", casts,
		"account/juliet UNAVAILABLE from romeo/orchard", "account/benvolio UNAVAILABLE from romeo/orchard")
}

func TestPresenceFromOthers(t *testing.T) {
	st := romeo()
	bound(t, st, "1", "orchard")
	bound(t, st, "silent", "balcony")
	available(st, "1", 0)
	const (
		avail, unavail = nodepb.PresenceType_AVAILABLE, nodepb.PresenceType_UNAVAILABLE
		probe, failed  = nodepb.PresenceType_PROBE, nodepb.PresenceType_PRESENCE_ERROR
	)
	for _, c := range []struct {
		name, from, resource string
		typ                  nodepb.PresenceType
		directed             bool
		lines                []string
	}{
		{"a friend's presence", "juliet", "", avail, false, []string{"session/1 AVAILABLE from juliet/b"}},
		{"a friend's answer to a probe", "juliet", "orchard", avail, false, []string{"session/1 AVAILABLE from juliet/b"}},
		{"one we don't hear", "benvolio", "", avail, false, nil},
		{"one we don't hear, to a resource", "benvolio", "orchard", avail, false, nil},
		{"the farewell of one we have just unsubscribed from", "benvolio", "", unavail, false, []string{"session/1 UNAVAILABLE from benvolio/b"}},
		{"a stranger's", "x", "", avail, false, nil},
		{"a stranger's, directed", "x", "", avail, true, []string{"session/1 AVAILABLE from x/b"}},
		{"directed to a resource", "x", "balcony", unavail, true, []string{"session/silent UNAVAILABLE from x/b"}},
		{"directed to none", "x", "gone", avail, true, nil},
		{"a friend's probe", "benvolio", "", probe, false, []string{"account/benvolio AVAILABLE from romeo/orchard"}},
		{"the probe of one who isn't subscribed", "mercutio", "", probe, false, []string{"account/mercutio <- UNSUBSCRIBED"}},
		{"a stranger's probe", "x", "", probe, false, []string{"account/x <- UNSUBSCRIBED"}},
		{"an error to a resource", "x", "orchard", failed, false, []string{"session/1 PRESENCE_ERROR from x/b"}},
		{"an error to nobody", "x", "", failed, false, nil},
	} {
		p := &nodepb.Presence{Type: c.typ, From: c.from + "@montague.example/b", To: "romeo@montague.example", Directed: c.directed}
		if c.resource != "" {
			p.To += "/" + c.resource
		}
		expect(t, c.name, st.presenceIn(&effects{now: t0}, p), c.lines...)
	}
	nobody := &state{user: "nobody@montague.example"}
	from := "romeo@montague.example/orchard"
	expect(t, "presence for nobody", nobody.presenceIn(&effects{now: t0}, &nodepb.Presence{From: from}), "account/romeo <- UNSUBSCRIBE")
	expect(t, "a probe for nobody", nobody.presenceIn(&effects{now: t0}, &nodepb.Presence{Type: probe, From: from}), "account/romeo <- UNSUBSCRIBED")
	expect(t, "directed presence for nobody", nobody.presenceIn(&effects{now: t0}, &nodepb.Presence{From: from, Directed: true}))
	expect(t, "a farewell for nobody", nobody.presenceIn(&effects{now: t0}, &nodepb.Presence{Type: unavail, From: from}))
}

func TestRemovalEndsEverySession(t *testing.T) {
	st := romeo()
	bound(t, st, "1", "orchard")
	available(st, "1", 0)
	expect(t, "removal", st.endAll("not-authorized", "the account was removed", t0), "session/1 end not-authorized",
		"account/juliet UNAVAILABLE from romeo/orchard", "account/benvolio UNAVAILABLE from romeo/orchard")
	if len(st.sessions) != 0 {
		t.Fatal("a session is left")
	}
}
