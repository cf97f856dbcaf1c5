package session

import (
	"strings"
	"testing"

	"github.com/jackdaw-im/jackdaw/actors/mailbox"
	"github.com/jackdaw-im/jackdaw/proto/chatpb"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

// delivered returns the one message that was cast, and to whom.
func (r *rig) delivered() (*nodepb.Deliver, string) {
	r.t.Helper()
	var d *nodepb.Deliver
	to := ""
	for _, c := range r.casts {
		if m, ok := c.msg.(*nodepb.Deliver); ok {
			if d != nil {
				r.t.Fatal("more than one message")
			}
			d, to = m, c.to.String()
		}
	}
	if d == nil {
		r.t.Fatal("no message was cast")
	}
	r.casts = nil
	return d, to
}

func TestCanonicalMessage(t *testing.T) {
	r := boundRig(t)
	got := r.give("<message type='chat' id='m1' xml:lang='de' to='Bob@Example.org/PC'><body>Grüße 🐦</body>" +
		"<x xmlns='some:ns'><y/></x></message>")
	d, to := r.delivered()
	m := d.Message
	if got != "" || to != "mailbox/bob@example.org" || d.Resource != "PC" || !d.Store || d.Sender != string(alice) || len(d.Id) != 16 {
		t.Fatalf("%s to %s: %v", got, to, d)
	}
	if m.From != "alice@example.org/phone" || m.To != "bob@example.org/PC" || m.Type != chatpb.MessageType_CHAT || m.Id != "m1" ||
		m.Lang != "de" || m.SentUs != epoch0.UnixMicro() ||
		string(m.Payload) != "<body>Grüße 🐦</body><x xmlns='some:ns'><y/></x>" {
		t.Fatalf("message %v", m)
	}
	if r.st.in.pending() != 1 {
		t.Fatal("counted before its outcome")
	}
}

func TestMessageAddresses(t *testing.T) {
	tests := []struct{ attrs, to, err string }{
		{"to='bob@example.org'", "mailbox/bob@example.org", ""},
		{"", "mailbox/alice@example.org", ""},
		{"to='alice@example.org'", "mailbox/alice@example.org", ""},
		{"to='alice@example.org/other'", "mailbox/alice@example.org", ""},
		{"to='echo@example.org'", "echo/echo@example.org", ""},
		{"to='Echo@Example.org/x'", "echo/echo@example.org", ""},
		{"to='example.org'", "", "<service-unavailable"},
		{"to='example.org/x'", "", "<service-unavailable"},
		{"to='bob@elsewhere.example'", "", "<remote-server-not-found"},
		{"to='@'", "", "<jid-malformed"},
		{"to='bob@example.org' type='groupchat'", "", "<service-unavailable"},
		{"to='bob@example.org/pc' type='groupchat'", "mailbox/bob@example.org", ""},
		{"to='example.org' type='error'", "", "-"},
		{"to='bob@elsewhere.example' type='error'", "", "-"},
	}
	for _, tt := range tests {
		r := boundRig(t)
		got := r.give("<message id='m' " + tt.attrs + "><body>x</body></message>")
		if tt.to != "" {
			if _, to := r.delivered(); to != tt.to || got != "" {
				t.Errorf("%s: went to %s, and the client got %q", tt.attrs, to, got)
			}
			continue
		}
		if len(r.casts) != 0 || r.st.in.pending() != 0 {
			t.Errorf("%s: cast %s", tt.attrs, r.took())
		}
		if tt.err == "-" {
			if got != "" {
				t.Errorf("%s: an error was answered: %s", tt.attrs, got)
			}
			continue
		}
		r.want(got, "<message type='error' id='m'", tt.err)
	}
}

func TestStored(t *testing.T) {
	const (
		body    = "<body>x</body>"
		typing  = "<composing xmlns='http://jabber.org/protocol/chatstates'/>"
		thread  = "<thread>t</thread>"
		origin  = "<origin-id xmlns='urn:xmpp:sid:0' id='o'/>"
		noStore = "<no-store xmlns='urn:xmpp:hints'/>"
		noPerm  = "<no-permanent-store xmlns='urn:xmpp:hints'/>"
		store   = "<store xmlns='urn:xmpp:hints'/>"
		receipt = "<received xmlns='urn:xmpp:receipts' id='1'/>"
	)
	tests := []struct {
		typ, children string
		want          bool
	}{
		{"", body, true}, {"chat", body, true}, {"normal", body, true}, {"unheard-of", body, true},
		{"chat", body + typing, true}, {"chat", typing, false}, {"chat", typing + thread + origin, false}, {"chat", "", false},
		{"chat", "text only", false},
		{"chat", receipt, true}, {"", "<x xmlns='y'/>", true}, {"chat", "<subject>s</subject>", true},
		{"chat", body + noStore, false}, {"chat", noStore + body, false}, {"chat", body + noPerm, true},
		{"chat", typing + store, true}, {"chat", typing + store + noStore, false},
		{"headline", body, false}, {"headline", body + store, false}, {"groupchat", body, false}, {"error", body, false},
	}
	for _, tt := range tests {
		e, err := xmpp.Parse([]byte("<message type='" + tt.typ + "'>" + tt.children + "</message>"))
		if err != nil {
			t.Fatal(err)
		}
		if got := stored(messageTypes[tt.typ], e); got != tt.want {
			t.Errorf("%s %s: stored %v, want %v", tt.typ, tt.children, got, tt.want)
		}
	}
}

// TestMessageIDs: what makes two messages one.
func TestMessageIDs(t *testing.T) {
	r := boundRig(t)
	id := func(stanza string) string {
		r.give(stanza)
		d, _ := r.delivered()
		return string(d.Id)
	}
	const plain = "<message to='bob@example.org' id='m1'><body>x</body></message>"
	first := id(plain)
	if first == id(plain) {
		t.Error("two messages with one stanza id are one")
	}
	origin := func(to, id string) string {
		return "<message to='" + to + "'><body>x</body><origin-id xmlns='urn:xmpp:sid:0' id='" + id + "'/></message>"
	}
	a := id(origin("bob@example.org", "o1"))
	if a != id(origin("bob@example.org", "o1")) || a != id(origin("bob@example.org/pc", "o1")) {
		t.Error("one origin-id makes two messages")
	}
	if a == id(origin("bob@example.org", "o2")) || a == id(origin("carol@example.org", "o1")) {
		t.Error("another origin-id, or another recipient, is the same message")
	}
	r.give("<enable xmlns='urn:xmpp:sm:3'/>")
	sm := id(plain)
	q := newRigOn(t, testShared(), r.st.self.ID)
	q.bind("phone")
	q.st.sm = counters{on: true, id: r.st.sm.id, inBase: q.st.in.received}
	r = q
	if sm != id(plain) {
		t.Error("the first stanza of one stream management session, sent again, is another message")
	}
	if sm == id(plain) {
		t.Error("the second stanza is the first message")
	}
	q = newRigOn(t, testShared(), "s2")
	q.bind("phone")
	r = q
	if first == id(plain) {
		t.Error("the same number of another stream is the same message")
	}
}

func TestOutcomes(t *testing.T) {
	tests := []struct {
		typ  string
		code nodepb.Code
		want string
	}{
		{"chat", nodepb.Code_OK, ""},
		{"chat", nodepb.Code_DROPPED, ""},
		{"chat", nodepb.Code_NO_SUCH_USER, "type='cancel'><service-unavailable"},
		{"chat", nodepb.Code_NO_RESOURCE, "type='cancel'><service-unavailable"},
		{"chat", nodepb.Code_BLOCKED, "type='cancel'><service-unavailable"},
		{"chat", nodepb.Code_QUOTA, "type='wait'><resource-constraint"},
		{"chat", nodepb.Code_STORE_FULL, "type='wait'><resource-constraint"},
		{"error", nodepb.Code_NO_SUCH_USER, ""},
	}
	for _, tt := range tests {
		t.Run(tt.typ+" "+tt.code.String(), func(t *testing.T) {
			r := boundRig(t)
			r.give("<message type='" + tt.typ + "' to='bob@example.org/pc' id='m'><body>x</body></message>")
			d, _ := r.delivered()
			got := r.do(func(fx *effects) { r.st.outcome(fx, outcomeOf(bob, d.Seq, tt.code)) })
			if tt.want == "" && got != "" {
				t.Fatalf("the client got %s", got)
			}
			if tt.want != "" {
				r.want(got, "<message type='error' id='m' from='bob@example.org/pc' to='alice@example.org/phone'><error ", tt.want)
			}
			if r.st.in.pending() != 0 || r.stanzas != 1 || len(r.st.sending) != 0 {
				t.Fatal("not counted")
			}
			if again := r.do(func(fx *effects) { r.st.outcome(fx, outcomeOf(bob, d.Seq, tt.code)) }); again != "" {
				t.Fatalf("told twice: %s", again)
			}
		})
	}
}

// TestErrorTable: every code has an answer for the client, and only an unknown outcome says so.
func TestErrorTable(t *testing.T) {
	for n, name := range nodepb.Code_name {
		code := nodepb.Code(n)
		e := mailbox.ErrorOf(code)
		xml := string(e.Append(nil))
		if xml == "" || e.Type == "" {
			t.Errorf("%s has no answer", name)
		}
		unknown := code == nodepb.Code_OUTCOME_UNKNOWN || code == nodepb.Code_CODE_UNSPECIFIED || code == nodepb.Code_OK || code == nodepb.Code_DROPPED
		if got := e.Type == "wait" && e.Condition == xmpp.RemoteServerTimeout.Condition; got != unknown {
			t.Errorf("%s is told as %s", name, xml)
		}
	}
}

// TestStanzasThatGrow: what becomes much longer for its recipient is refused, whichever kind of stanza it is; what is merely
// long, or small, is not.
func TestStanzasThatGrow(t *testing.T) {
	quotes := func(n int) string { return "<x xmlns='urn:x' a=\"" + strings.Repeat("'", n) + "\"/>" }
	for _, c := range []struct {
		name, in string
		refused  bool
	}{
		{"a long text", "<message to='bob@example.org'><body>" + strings.Repeat("x", 200<<10) + "</body></message>", false},
		{"escapes as they come", "<message to='bob@example.org'><body>" + strings.Repeat("&amp;", 40<<10) + "</body></message>", false},
		{"small", "<message to='bob@example.org'><body>x</body>" + quotes(10<<10) + "</message>", false},
		{"quotes", "<message to='bob@example.org'><body>x</body>" + quotes(200<<10) + "</message>", true},
		{"a part of them", "<message to='bob@example.org'><body>" + strings.Repeat("x", 100<<10) + "</body>" + quotes(10<<10) + "</message>", false},
		{"an id", "<message to='bob@example.org' id=\"" + strings.Repeat("'", 40<<10) + "\"><body>x</body></message>", true},
		{"a request", "<iq type='get' id='1' to='bob@example.org/x'>" + quotes(40<<10) + "</iq>", true},
		{"presence", "<presence>" + quotes(40<<10) + "</presence>", true},
	} {
		r := boundRig(t)
		got := r.give(c.in)
		if refused := strings.Contains(got, "<not-acceptable"); refused != c.refused || refused && (len(r.casts) > 0 || r.st.in.pending() != 0) {
			t.Errorf("%s: answered %.300s; %d casts, %d pending", c.name, got, len(r.casts), r.st.in.pending())
		}
	}
}
