package session

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/mailbox"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// TestServerIQs is one line for everything the server answers by itself, and for what it refuses.
func TestServerIQs(t *testing.T) {
	const own, server = "alice@example.org", "example.org"
	unavailable := "<service-unavailable"
	tests := []struct{ typ, to, query, want string }{
		{"get", server, "<ping xmlns='urn:xmpp:ping'/>", "type='result' id='q' from='example.org' to='alice@example.org/phone'/>"},
		{"get", own, "<ping xmlns='urn:xmpp:ping'/>", "type='result' id='q' from='alice@example.org'"},
		{"get", "", "<ping xmlns='urn:xmpp:ping'/>", "type='result' id='q' to='alice@example.org/phone'/>"},
		{"get", "EXAMPLE.org", "<ping xmlns='urn:xmpp:ping'/>", "type='result'"},
		{"set", server, "<ping xmlns='urn:xmpp:ping'/>", unavailable},
		{"get", server, "<query xmlns='jabber:iq:version'/>", "<name>Jackdaw</name><version>1.2.3</version>"},
		{"set", "", "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>", "type='result'"},
		{"get", server, "<query xmlns='http://jabber.org/protocol/disco#info'/>", "category='server' type='im'"},
		{"get", own, "<query xmlns='http://jabber.org/protocol/disco#info'/>", "category='account' type='registered'"},
		{"get", server, "<query xmlns='http://jabber.org/protocol/disco#info' node='x'/>", "<item-not-found"},
		{"get", server, "<query xmlns='http://jabber.org/protocol/disco#items'/>", "<item jid='echo@example.org'/></query>"},
		{"get", own, "<query xmlns='http://jabber.org/protocol/disco#items'/>", "<query xmlns='http://jabber.org/protocol/disco#items'></query>"},
		{"get", server, "<query xmlns='http://jabber.org/protocol/disco#items' node='x'/>", "<item-not-found"},
		{"set", "", "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>", "<not-allowed"},
		{"get", "", "<vCard xmlns='vcard-temp'/>", unavailable},
		{"set", "", "<query xmlns='jabber:iq:private'/>", unavailable},
		{"get", server, "<query xmlns='jabber:iq:roster'/>", unavailable},
		{"set", server, "<query xmlns='jabber:iq:roster'><item jid='bob@example.org'/></query>", unavailable},
		{"get", "bob@example.org", "<ping xmlns='urn:xmpp:ping'/>", unavailable},
		{"set", "bob@example.org", "<x xmlns='y'/>", unavailable},
		{"get", "echo@example.org", "<ping xmlns='urn:xmpp:ping'/>", unavailable},
		{"get", "echo@example.org/x", "<ping xmlns='urn:xmpp:ping'/>", unavailable},
		{"get", "example.org/x", "<ping xmlns='urn:xmpp:ping'/>", unavailable},
		{"get", "elsewhere.example", "<ping xmlns='urn:xmpp:ping'/>", "<remote-server-not-found"},
		{"get", "bob@elsewhere.example/x", "<ping xmlns='urn:xmpp:ping'/>", "<remote-server-not-found"},
		{"get", "@example.org", "<ping xmlns='urn:xmpp:ping'/>", "<jid-malformed"},
		{"get", "", "", "<bad-request"},
		{"get", "", "<a xmlns='b'/><c xmlns='d'/>", "<bad-request"},
		{"what", "", "<a xmlns='b'/>", "<bad-request"},
		{"", "", "<a xmlns='b'/>", "<bad-request"},
	}
	for _, tt := range tests {
		t.Run(tt.typ+" "+tt.to+" "+tt.query, func(t *testing.T) {
			r := boundRig(t)
			to := ""
			if tt.to != "" {
				to = " to='" + tt.to + "'"
			}
			got := r.give(fmt.Sprintf("<iq type='%s' id='q'%s>%s</iq>", tt.typ, to, tt.query))
			r.want(got, "<iq ", tt.want)
			if strings.Count(got, "<iq ") != 1 {
				t.Fatalf("not one answer: %s", got)
			}
			if len(r.casts) != 0 {
				t.Fatalf("the server's own business was cast: %s", r.took())
			}
			if r.st.in.pending() != 0 {
				t.Fatal("the answered IQ isn't counted")
			}
		})
	}
}

func TestIQNobodyAnswers(t *testing.T) {
	for _, iq := range []string{
		"<iq type='result' id='x'/>",
		"<iq type='error' id='x' to='example.org'><error type='cancel'/></iq>",
		"<iq type='result' id='x' to='bob@example.org'/>",
		"<iq type='error' id='x' to='bob@elsewhere.example/pc'/>",
		"<iq type='result'/>",
	} {
		r := boundRig(t)
		if got := r.give(iq); got != "" {
			t.Errorf("%s is answered with %s", iq, got)
		}
		if r.st.in.pending() != 0 || r.stanzas != 1 {
			t.Errorf("%s isn't counted", iq)
		}
	}
}

func TestIQWithoutID(t *testing.T) {
	r := boundRig(t)
	r.want(r.give("<iq type='get'><ping xmlns='urn:xmpp:ping'/></iq>"), "<iq type='error'", "<bad-request")
}

func TestIQIsHandedOn(t *testing.T) {
	r := boundRig(t)
	got := r.give("<iq type='get' id='v' to='bob@example.org/pc'><query xmlns='jabber:iq:version'/></iq>")
	if got != "" {
		t.Fatalf("the client got %s", got)
	}
	casts := castsOf[*nodepb.Relay](r)
	if len(casts) != 1 || casts[0].Resource != "pc" || casts[0].Tag == 0 {
		t.Fatalf("relayed %v", casts)
	}
	r.want(string(casts[0].Stanza), "<iq ", "from='alice@example.org/phone'", "<query xmlns='jabber:iq:version'/></iq>")
	tag := casts[0].Tag
	fail := func() string {
		return r.do(func(fx *effects) {
			r.st.relayFailed(fx, &nodepb.RelayFailed{Tag: tag, Code: nodepb.Code_NO_RESOURCE})
		})
	}
	r.want(fail(), "<iq type='error' id='v' from='bob@example.org/pc' to='alice@example.org/phone'>", "<service-unavailable")
	if got := fail(); got != "" {
		t.Fatalf("told twice: %s", got)
	}
	r.give("<iq type='result' id='w' to='bob@example.org/pc'/>")
	if casts := castsOf[*nodepb.Relay](r); len(casts) != 1 || casts[0].Tag != 0 {
		t.Fatalf("an answer that finds nobody mustn't come back: %v", casts)
	}
}

// TestIQToABusyMailbox: a refused relay is an error at once.
func TestIQToABusyMailbox(t *testing.T) {
	r := boundRig(t)
	r.give("<iq type='get' id='v' to='bob@example.org/pc'><query xmlns='jabber:iq:version'/></iq>")
	refused := r.casts[0].refused
	r.want(r.do(refused), "<iq type='error' id='v' from='bob@example.org/pc' to='alice@example.org/phone'", "<resource-constraint")
}

// TestAnswerToABusyMailbox: an answer that can't be handed on has nobody to be told; it is counted.
func TestAnswerToABusyMailbox(t *testing.T) {
	r := boundRig(t)
	r.give("<iq type='result' id='v' to='bob@example.org/pc'/>")
	refused := r.casts[0].refused
	if got := r.do(refused); got != "" || r.st.Counters.Dropped.Load() != 1 {
		t.Fatalf("got %q, %d counted", got, r.st.Counters.Dropped.Load())
	}
}

func TestManyRelaysAreForgotten(t *testing.T) {
	r := boundRig(t)
	for i := range 3 * maxRelayed {
		r.give(fmt.Sprintf("<iq type='get' id='i%d' to='bob@example.org/pc'><query xmlns='jabber:iq:version'/></iq>", i))
	}
	if len(r.st.relayed) != maxRelayed || r.st.relayed[0].tag != 2*maxRelayed+1 {
		t.Fatalf("%d relays are remembered, from %d on", len(r.st.relayed), r.st.relayed[0].tag)
	}
}

func TestRelayIn(t *testing.T) {
	const ask = "<iq type='get' id='1' from='bob@example.org/pc' to='alice@example.org/phone'/>"
	in := &nodepb.Relay{Tag: 7, Stanza: []byte(ask), SenderRef: &nodepb.Ref{Kind: Kind, Id: "s2", Node: "n@1"}}
	r := boundRig(t)
	if got := r.do(func(fx *effects) { r.st.relayIn(fx, in) }); got != ask {
		t.Fatalf("wrote %q", got)
	}
	r.st.sm.resumable = true
	r.do(func(fx *effects) { r.st.closed(fx, Closed{}) })
	r.casts = nil
	if got := r.do(func(fx *effects) { r.st.relayIn(fx, in) }); got != "" {
		t.Fatalf("wrote %q without a socket", got)
	}
	if len(r.casts) != 1 || r.casts[0].to != mailboxOf("bob@example.org") {
		t.Fatalf("told %v", r.casts)
	}
	failed := castsOf[*nodepb.Relay](r)
	if len(failed) != 1 || failed[0].Tag != 0 || failed[0].Resource != "pc" {
		t.Fatalf("the sender was told %v", failed)
	}
	r.want(string(failed[0].Stanza), "<iq type='error' id='1' from='alice@example.org/phone' to='bob@example.org/pc'><error", "<service-unavailable")
	// Bob's mailbox isn't to be reached: his session gets it without.
	if got := r.back(mailboxOf("bob@example.org"), failed[0], actors.ErrNoConnection); got != "" || len(r.casts) != 1 || r.casts[0].to != actors.RefOf(in.SenderRef) {
		t.Fatalf("told %v", r.casts)
	}
	dropped := r.st.Counters.Dropped.Load()
	r.casts = nil
	if got := r.back(actors.RefOf(in.SenderRef), failed[0], actors.ErrNoProc); got != "" || len(r.casts) != 0 || r.st.Counters.Dropped.Load() != dropped+1 {
		t.Fatalf("told %v, %d were dropped", r.casts, r.st.Counters.Dropped.Load()-dropped)
	}
}

// TestErrorAndBounce: a request that is answered with an error, and comes back as well, is answered once.
func TestErrorAndBounce(t *testing.T) {
	r := boundRig(t)
	r.give("<iq type='get' id='q' to='bob@example.org/pc'><x xmlns='y'/></iq>")
	m := castsOf[*nodepb.Relay](r)[0]
	_, answer := mailbox.Undeliverable(m, nodepb.Code_NO_RESOURCE)
	r.want(r.do(func(fx *effects) { r.st.relayIn(fx, answer) }), "<iq type='error' id='q' from='bob@example.org/pc'", "<service-unavailable")
	if got := r.back(mailboxOf(bob), m, actors.ErrNoConnection); got != "" {
		t.Fatalf("and %s", got)
	}
}
