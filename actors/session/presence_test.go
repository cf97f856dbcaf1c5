package session

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

func TestOwnPresence(t *testing.T) {
	r := boundRig(t)
	r.give("<presence id='p' xml:lang='de'><priority>5</priority><show>away</show></presence>")
	sent := castsOf[*nodepb.SetPresence](r)
	if len(sent) != 1 {
		t.Fatalf("told the account %v", sent)
	}
	p := sent[0]
	if !p.Available || p.Priority != 5 || p.Id != "p" || p.Lang != "de" || p.Resource != "phone" || p.Quiet ||
		string(p.Payload) != "<priority>5</priority><show>away</show>" {
		t.Fatalf("told the account %v", p)
	}
	r.give("<presence type='unavailable'><status>bye</status></presence>")
	casts := r.took()
	r.want(casts, "account/alice@example.org <- SetPresence{", "bye", "mailbox/alice@example.org <- Attach{")
	if strings.Contains(casts, "available:true") {
		t.Fatalf("still available: %s", casts)
	}
	r.give("<presence type='unavailable'/>")
	if casts := r.took(); casts != "" {
		t.Fatalf("unavailable twice: %s", casts)
	}
}

func TestPresenceTellsTheMailbox(t *testing.T) {
	r := boundRig(t)
	r.give("<presence><priority>-3</priority></presence>")
	attached := castsOf[*nodepb.Attach](r)
	if len(attached) == 0 {
		t.Fatal("the mailbox doesn't know")
	}
	if a := attached[0]; !a.Available || a.Priority != -3 || !a.Connected || a.Epoch != 1 || a.Credit != creditWindow {
		t.Fatalf("attached with %v", a)
	}
}

// TestPresenceInHaste: a mailbox hears of what changes for it, and not of each of very many changes.
func TestPresenceInHaste(t *testing.T) {
	r := boundRig(t)
	told := func() (list []string) {
		for _, a := range castsOf[*nodepb.Attach](r) {
			list = append(list, fmt.Sprint(a.Available, a.Priority))
		}
		r.took()
		return list
	}
	expect := func(what string, want ...string) {
		t.Helper()
		if got := told(); !slices.Equal(got, want) {
			t.Fatalf("%s: told %v, want %v", what, got, want)
		}
	}
	r.give("<presence/>")
	expect("initial presence", "true 0")
	r.give("<presence><show>away</show></presence>")
	expect("another text")
	for n := range 100 {
		r.give(fmt.Sprintf("<presence><priority>%d</priority></presence>", n%3))
	}
	expect("too soon")
	r.give("<presence><priority>7</priority></presence>")
	r.pass(standPause)
	expect("the last of them", "true 7")
	r.give("<presence><priority>8</priority></presence>")
	r.give("<presence><priority>7</priority></presence>")
	r.pass(standPause)
	expect("as it was")
	r.give("<presence type='unavailable'/>")
	expect("a goodbye is told at once", "false 0")
}

func TestBadPresence(t *testing.T) {
	for stanza, want := range map[string]string{
		"<presence><priority>128</priority></presence>":                   "<bad-request",
		"<presence><priority>high</priority></presence>":                  "<bad-request",
		"<presence type='invisible'/>":                                    "<bad-request",
		"<presence to='@'/>":                                              "<jid-malformed",
		"<presence to='bob@elsewhere.example'/>":                          "<remote-server-not-found",
		"<presence type='subscribe' to='bob@elsewhere.example'/>":         "<remote-server-not-found",
		"<presence type='subscribe'/>":                                    "<bad-request",
		"<presence type='subscribe' to='alice@example.org'/>":             "<bad-request",
		"<presence type='subscribe' to='@'/>":                             "<jid-malformed",
		"<presence type='subscribe' to='example.org'/>":                   "<service-unavailable",
		"<presence type='unsubscribed' to='echo@example.org/x'/>":         "<service-unavailable",
		"<presence type='probe' to='bob@example.org'/>":                   "",
		"<presence type='error' to='bob@example.org'><error/></presence>": "",
		"<presence to='example.org'/>":                                    "",
		"<presence to='echo@example.org'/>":                               "",
	} {
		r := boundRig(t)
		got := r.give(stanza)
		if want == "" && got != "" || want != "" && !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", stanza, got, want)
		}
		if want != "" {
			r.want(got, "<presence type='error'")
		}
		if len(r.casts) != 0 || r.st.in.pending() != 0 {
			t.Errorf("%s: cast %s, %d uncounted", stanza, r.took(), r.st.in.pending())
		}
	}
}

func TestDirectedPresence(t *testing.T) {
	r := boundRig(t)
	r.give("<presence to='Bob@example.org/pc'><show>chat</show></presence>", "<presence to='carol@example.org'/>")
	r.want(r.took(), "account/bob@example.org <- Presence{", `from:"alice@example.org/phone"`, `to:"bob@example.org/pc"`,
		"<show>chat</show>", "directed:true", "account/carol@example.org <- Presence{")
	r.give("<presence type='unavailable' to='bob@example.org/pc'/>")
	r.want(r.took(), "account/bob@example.org <- Presence{", "type:UNAVAILABLE")
	r.do(func(fx *effects) { r.st.closed(fx, Closed{Reason: SocketLost}) })
	casts := r.took()
	r.want(casts, "account/carol@example.org <- Presence{", "type:UNAVAILABLE")
	if strings.Contains(casts, "bob@") {
		t.Fatalf("bob is told twice: %s", casts)
	}
}

func TestUnavailableReachesDirectedTargets(t *testing.T) {
	r := boundRig(t)
	r.give("<presence/>", "<presence to='carol@example.org'/>")
	r.took()
	r.give("<presence type='unavailable'><status>bye</status></presence>")
	r.want(r.took(), "account/carol@example.org <- Presence{", "type:UNAVAILABLE", "bye")
	if r.st.directed != nil {
		t.Fatal("the targets are still remembered")
	}
}

func TestRefusedPresenceIsToldAgain(t *testing.T) {
	r := boundRig(t)
	r.give("<presence/>")
	for _, c := range r.casts {
		if c.refused != nil {
			r.do(c.refused)
		}
	}
	r.casts = nil
	r.pass(retryTime)
	sent := castsOf[*nodepb.SetPresence](r)
	if len(sent) != 1 || !sent[0].Available || sent[0].Quiet {
		t.Fatalf("the account was told %v", sent)
	}
}

func TestPresenceIn(t *testing.T) {
	r := boundRig(t)
	in := func(p *nodepb.Presence) string { return r.do(func(fx *effects) { r.st.presenceIn(fx, p) }) }
	got := in(&nodepb.Presence{From: "bob@example.org/pc", To: "alice@example.org", Id: "1", Lang: "en", Payload: []byte("<show>dnd</show>")})
	if got != "<presence id='1' from='bob@example.org/pc' to='alice@example.org' xml:lang='en'><show>dnd</show></presence>" {
		t.Fatal(got)
	}
	got = in(&nodepb.Presence{From: "bob@example.org/pc", To: "alice@example.org", Type: nodepb.PresenceType_UNAVAILABLE})
	if got != "<presence type='unavailable' from='bob@example.org/pc' to='alice@example.org'/>" {
		t.Fatal(got)
	}
}

// TestPresenceWaitsForRoom: under load only the latest of each resource goes out, and subscription stanzas all do.
func TestPresenceWaitsForRoom(t *testing.T) {
	r := boundRig(t)
	r.backlog = HighMark + 1
	r.give("<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>")
	for i := range 500 {
		for _, who := range []string{"bob@example.org/pc", "carol@example.org/pc"} {
			r.do(func(fx *effects) {
				r.st.presenceIn(fx, &nodepb.Presence{From: who, Payload: fmt.Appendf(nil, "<status>%d</status>", i)})
			})
		}
	}
	r.do(func(fx *effects) {
		for range 2 {
			r.st.presenceIn(fx, &nodepb.Presence{From: "dave@example.org", Type: nodepb.PresenceType_SUBSCRIBE})
		}
	})
	if n := len(r.st.arriving.list); n > 4*coalesceFrom {
		t.Fatalf("%d presences wait for two resources", n)
	}
	r.backlog = 0
	got := r.do(func(*effects) { r.st.writable() })
	if n := strings.Count(got, "<presence"); n > coalesceFrom+4 {
		t.Fatalf("%d presences went out", n)
	}
	r.want(got, "<status>499</status>", "<status>499</status>", "subscribe", "subscribe")
	if strings.LastIndex(got, "<status>498") > strings.LastIndex(got, "<status>499") {
		t.Fatal("an older presence came last")
	}
}
