package session

import (
	"errors"
	"strings"
	"testing"

	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

func rosterSetXML(item string) string {
	return "<iq type='set' id='r'><query xmlns='jabber:iq:roster'>" + item + "</query></iq>"
}

func TestRosterGet(t *testing.T) {
	r := boundRig(t)
	if got := r.give("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>"); got != "" {
		t.Fatalf("answered before the account did: %s", got)
	}
	if r.st.in.pending() != 1 {
		t.Fatal("counted before the answer")
	}
	got := r.answer(&nodepb.Roster{Code: nodepb.Code_OK, Items: []*nodepb.RosterItem{
		{Jid: "bob@example.org", Name: "Bob & Co", Subscription: "both", Groups: []string{"Friends", "<x>"}},
		{Jid: "carol@example.org", Subscription: "none", Ask: true},
	}}, nil)
	r.want(got, "<iq type='result' id='r' to='alice@example.org/phone'><query xmlns='jabber:iq:roster'>",
		"<item jid='bob@example.org' name='Bob &amp; Co' subscription='both'><group>Friends</group><group>&lt;x",
		"<item jid='carol@example.org' subscription='none' ask='subscribe'/></query></iq>")
	if r.st.in.pending() != 0 || !r.st.interested {
		t.Fatal("not counted, or not interested")
	}
}

func TestRosterGetWithoutAnswer(t *testing.T) {
	r := boundRig(t)
	r.give("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>")
	r.want(r.answer(nil, errors.New("no answer")), "<iq type='error' id='r'", "type='wait'", "<remote-server-timeout")
}

func TestRosterSet(t *testing.T) {
	r := boundRig(t)
	r.give(rosterSetXML("<item jid='Bob@Example.org' name='Bob' subscription='both' ask='subscribe'><group>A</group><group>B</group></item>"))
	req := r.calls[0].req.(*nodepb.SetRoster).Item
	if req.Jid != "bob@example.org" || req.Name != "Bob" || req.Subscription != "" || req.Ask || strings.Join(req.Groups, ",") != "A,B" {
		t.Fatalf("asked for %v", req)
	}
	if got := r.answer(&nodepb.RosterChanged{Code: nodepb.Code_OK}, nil); got != "<iq type='result' id='r' to='alice@example.org/phone'/>" {
		t.Fatal(got)
	}
	if r.st.in.pending() != 0 {
		t.Fatal("not counted")
	}
}

func TestRosterSetRefused(t *testing.T) {
	long := strings.Repeat("x", 1024)
	for item, want := range map[string]string{
		"":                                 "<bad-request",
		"<item/>":                          "<jid-malformed",
		"<item jid='@'/>":                  "<jid-malformed",
		"<item jid='bob@example.org/pc'/>": "<bad-request",
		"<item jid='alice@example.org'/>":  "<not-allowed",
		"<thing jid='bob@example.org'/>":   "<bad-request",
		"<item jid='b@example.org'/><item jid='c@example.org'/>":                                        "<bad-request",
		"<item jid='bob@example.org'><group/></item>":                                                   "<not-acceptable",
		"<item jid='bob@example.org'><group>" + long + "</group></item>":                                "<not-acceptable",
		"<item jid='bob@example.org' name='" + long + "'/>":                                             "<not-acceptable",
		"<item jid='bob@example.org'><group>a</group><group>a</group></item>":                           "<bad-request",
		"<item jid='bob@example.org'>" + strings.Repeat("<group>g</group>", 1) + groups(65) + "</item>": "<not-acceptable",
	} {
		r := boundRig(t)
		r.want(r.give(rosterSetXML(item)), "<iq type='error' id='r'", want)
		if len(r.calls) != 0 || r.st.in.pending() != 0 {
			t.Errorf("%s: asked the account", item)
		}
	}
	for code, want := range map[nodepb.Code]string{
		nodepb.Code_NOT_FOUND: "<item-not-found", nodepb.Code_QUOTA: "the roster is full", nodepb.Code_NO_SUCH_USER: "<service-unavailable",
	} {
		r := boundRig(t)
		r.give(rosterSetXML("<item jid='bob@example.org' subscription='remove'/>"))
		r.want(r.answer(&nodepb.RosterChanged{Code: code}, nil), "<iq type='error' id='r'", want)
	}
}

func groups(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("<group>g" + number(uint64(i)) + "</group>")
	}
	return b.String()
}

// TestRosterRemoveTellsTheContact: the client has its answer at once, but the stanza counts only when the contact's account
// has heard.
func TestRosterRemoveTellsTheContact(t *testing.T) {
	r := boundRig(t)
	r.give(rosterSetXML("<item jid='bob@example.org' subscription='remove'/>"))
	forward := []nodepb.PresenceType{nodepb.PresenceType_UNSUBSCRIBE, nodepb.PresenceType_UNSUBSCRIBED}
	r.want(r.answer(&nodepb.RosterChanged{Code: nodepb.Code_OK, Forward: forward}, nil), "type='result'")
	for i, typ := range forward {
		if len(r.calls) != 1 || r.st.in.pending() != 1 {
			t.Fatalf("step %d: %d calls, %d uncounted", i, len(r.calls), r.st.in.pending())
		}
		req := r.calls[0].req.(*nodepb.Subscription)
		if r.calls[0].to != accountOf(bob) || !req.Inbound || req.Type != typ || req.From != string(alice) {
			t.Fatalf("told %s %v", r.calls[0].to, req)
		}
		if got := r.answer(&nodepb.SubscriptionDone{Code: nodepb.Code_OK}, nil); got != "" {
			t.Fatalf("the client got %s", got)
		}
	}
	if r.st.in.pending() != 0 || r.st.subs != nil {
		t.Fatal("not counted in the end")
	}
}

func TestRosterPush(t *testing.T) {
	r := boundRig(t)
	got := r.do(func(fx *effects) {
		r.st.rosterPush(fx, &nodepb.RosterPush{Item: &nodepb.RosterItem{Jid: "bob@example.org", Subscription: "remove"}})
	})
	r.want(got, "<iq type='set' id='push-", "to='alice@example.org/phone'><query xmlns='jabber:iq:roster'><item jid='bob@example.org' subscription='remove'/></query></iq>")
}
