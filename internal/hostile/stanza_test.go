//go:build !race

package hostile

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackdaw-im/jackdaw/client"
)

const unknownQuery = "<query xmlns='urn:example:unknown'/>"

// refused are stanzas that are answered with an error, whose type and condition are want; "" if they have no answer.
var refused = []struct{ name, in, want string }{
	{"an unknown get", "<iq type='get' id='ID' to='localhost'>" + unknownQuery + "</iq>", "cancel service-unavailable"},
	{"an unknown set", "<iq type='set' id='ID' to='localhost'>" + unknownQuery + "</iq>", "cancel service-unavailable"},
	{"an unknown get of the account", "<iq type='get' id='ID'>" + unknownQuery + "</iq>", "cancel service-unavailable"},
	{"an unknown set of the account", "<iq type='set' id='ID'>" + unknownQuery + "</iq>", "cancel service-unavailable"},
	{"a known one in another namespace", "<iq type='get' id='ID'><query xmlns='jabber:iq:private'/></iq>", "cancel service-unavailable"},
	{"a get of somebody", "<iq type='get' id='ID' to='FRIEND'>" + unknownQuery + "</iq>", "cancel service-unavailable"},
	{"a get of nobody", "<iq type='get' id='ID' to='nobody@localhost'>" + unknownQuery + "</iq>", "cancel service-unavailable"},
	{"a get of nobody's resource", "<iq type='get' id='ID' to='nobody@localhost/x'>" + unknownQuery + "</iq>", "cancel service-unavailable"},
	{"a get of no resource", "<iq type='get' id='ID' to='FRIEND/none'>" + unknownQuery + "</iq>", "cancel service-unavailable"},
	{"a get of a service", "<iq type='get' id='ID' to='echo@localhost'>" + unknownQuery + "</iq>", "cancel service-unavailable"},
	{"a resource of the server", "<iq type='get' id='ID' to='localhost/x'>" + unknownQuery + "</iq>", "cancel service-unavailable"},
	{"a request of another type", "<iq type='please' id='ID'>" + unknownQuery + "</iq>", "modify bad-request"},
	{"a request without type", "<iq id='ID'>" + unknownQuery + "</iq>", "modify bad-request"},
	{"a get without content", "<iq type='get' id='ID'/>", "modify bad-request"},
	{"a set of two", "<iq type='set' id='ID'>" + unknownQuery + unknownQuery + "</iq>", "modify bad-request"},
	{"a request of an address that is none", "<iq type='get' id='ID' to='@localhost'>" + unknownQuery + "</iq>", "modify jid-malformed"},
	{"a request of another server", "<iq type='get' id='ID' to='example.org'>" + unknownQuery + "</iq>", "cancel remote-server-not-found"},
	{"a result of nothing", "<iq type='result' id='ID'/>", ""},
	{"an error of nothing", "<iq type='error' id='ID'/>", ""},
	{"a result for somebody", "<iq type='result' id='ID' to='FRIEND/none'/>", ""},
	{"a second resource", "<iq type='set' id='ID'><bind xmlns='" + nsBind + "'/></iq>", "cancel not-allowed"},

	{"presence of another type", "<presence type='here' id='ID'/>", "modify bad-request"},
	{"a priority that is none", "<presence id='ID'><priority>high</priority></presence>", "modify bad-request"},
	{"a priority too high", "<presence id='ID'><priority>128</priority></presence>", "modify bad-request"},
	{"presence for another server", "<presence id='ID' to='a@example.org'/>", "cancel remote-server-not-found"},
	{"presence for an address that is none", "<presence id='ID' to='a@@localhost'/>", "modify jid-malformed"},
	{"a subscription to oneself", "<presence type='subscribe' id='ID'/>", "modify bad-request"},
	{"a subscription to another server", "<presence type='subscribe' id='ID' to='a@example.org'/>", "cancel remote-server-not-found"},
	{"a probe", "<presence type='probe' id='ID' to='FRIEND'/>", ""},
	{"an error of presence", "<presence type='error' id='ID' to='FRIEND'/>", ""},
	{"presence for nobody", "<presence id='ID' to='nobody@localhost'/>", ""},
	{"junk in presence", "<presence><x xmlns='urn:example'><y/></x>text<priority>0</priority></presence>", ""},

	{"a message for nobody", "<message id='ID' to='nobody@localhost'><body>x</body></message>", "cancel service-unavailable"},
	{"a message for another server", "<message id='ID' to='a@example.org'><body>x</body></message>", "cancel remote-server-not-found"},
	{"a message for an address that is none", "<message id='ID' to='a@b@c'><body>x</body></message>", "modify jid-malformed"},
	{"a message for the server", "<message id='ID' to='localhost'><body>x</body></message>", "cancel service-unavailable"},
	{"a message of a group to a user", "<message id='ID' type='groupchat' to='FRIEND'><body>x</body></message>", "cancel service-unavailable"},
	{"an error for nobody", "<message id='ID' type='error' to='nobody@localhost'><body>x</body></message>", ""},
	{"a message of nothing for nobody", "<message id='ID' to='nobody@localhost'/>", "cancel service-unavailable"},
}

// TestRefusedStanzas: each gets its answer, from whom it was for, and the stream goes on.
func TestRefusedStanzas(t *testing.T) {
	s := usual.get(t)
	friend := s.witness(t, s.account(t))
	bare, _, _ := strings.Cut(friend.JID(), "/")
	a := s.available(t, s.account(t))
	var all strings.Builder
	errors := 0
	for i, c := range refused {
		if c.want != "" {
			errors++
		}
		all.WriteString(strings.NewReplacer("ID", fmt.Sprintf("id%d", i), "FRIEND", bare).Replace(c.in))
	}
	a.send(all.String() + message(friend.JID(), "after all that"))
	friend.gets("after all that")
	for a.deadline(); strings.Count(string(a.read), "</error>") < errors; { // some wait for others' answers
		if err := a.more(); err != nil {
			t.Fatalf("%d of %d errors came: %v", strings.Count(string(a.read), "</error>"), errors, err)
		}
	}
	a.send("<iq type='get' id='last' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>")
	answers := a.until("id='last'")
	for i, c := range refused {
		id := fmt.Sprintf(" id='id%d'", i)
		_, after, answered := strings.Cut(answers, id)
		answer, _, _ := strings.Cut(after, "</error>")
		kind, condition, _ := strings.Cut(c.want, " ")
		switch {
		case c.want == "" && answered:
			t.Errorf("%s: answered %s", c.name, answer)
		case c.want == "":
		case strings.Count(answers, id) != 1:
			t.Errorf("%s: answered %d times", c.name, strings.Count(answers, id))
		case !strings.Contains(answer, "<error type='"+kind+"'><"+condition+" xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"):
			t.Errorf("%s: answered %s, want %s", c.name, answer, c.want)
		}
	}
	s.works(t)
}

// TestAnsweredAtOnce: an unknown request doesn't wait for anything: its answer is there before that of the next one.
func TestAnsweredAtOnce(t *testing.T) {
	a := usual.get(t).available(t, usual.srv.account(t))
	a.send("<iq type='set' id='1'>" + unknownQuery + "</iq><iq type='get' id='2'><ping xmlns='urn:xmpp:ping'/></iq>")
	answers := a.until("id='2'")
	if !strings.Contains(answers, "id='1'") || !strings.Contains(answers, "service-unavailable") {
		t.Errorf("answered %s", answers)
	}
}

// TestBeforeBinding: without a resource there is only one thing to ask for.
func TestBeforeBinding(t *testing.T) {
	a := usual.get(t).loggedIn(t, usual.srv.account(t))
	for _, query := range []string{"<query xmlns='jabber:iq:roster'/>", "<ping xmlns='urn:xmpp:ping'/>", unknownQuery} {
		a.send("<iq type='get' id='1'>" + query + "</iq>")
		if answer := a.until("</iq>"); !strings.Contains(answer, "type='error'") {
			t.Errorf("%s is answered with %s", query, answer)
		}
	}
	a.send("<iq type='set' id='2'><bind xmlns='" + nsBind + "'><resource>" + strings.Repeat("r", 1024) + "</resource></bind></iq>")
	if answer := a.until("</iq>"); !strings.Contains(answer, "bad-request") {
		t.Errorf("a long resource is answered with %s", answer)
	}
	a.send("<iq type='set' id='3'><bind xmlns='" + nsBind + "'><resource>fine</resource></bind></iq>")
	a.until("/fine</jid></bind></iq>")
}

// TestSpoofedFrom: nobody writes in another's name.
func TestSpoofedFrom(t *testing.T) {
	s := usual.get(t)
	friend, other, user := s.witness(t, s.account(t)), s.account(t), s.account(t)
	for _, from := range []string{other + "@localhost", "localhost", "admin@example.org", user + "@localhost/other", "@", "echo@localhost"} {
		for _, stanza := range []string{"<message from='FROM' to='TO'><body>spoofed</body></message>", "<presence from='FROM' to='TO'/>", "<iq from='FROM' to='TO' type='set' id='1'>" + unknownQuery + "</iq>"} {
			a := s.available(t, user)
			a.send(strings.NewReplacer("FROM", from, "TO", friend.JID()).Replace(stanza))
			a.fails("invalid-from")
		}
	}
	a := s.available(t, user)
	bare, _, _ := strings.Cut(a.jid, "/")
	for i, from := range []string{"", " from=''", " from='" + bare + "'", " from='" + a.jid + "'", " from='" + strings.ToUpper(bare) + "'"} {
		a.send(fmt.Sprintf("<message%s to='%s'><body>%d</body></message>", from, friend.JID(), i))
	}
	friend.gets("0", "1", "2", "3", "4")
	for _, from := range friend.senders() {
		if from != a.jid {
			t.Errorf("a message of %s comes from %s", a.jid, from)
		}
	}
	// The header of a new stream is no better place.
	b := s.opened(t)
	b.login(s, "SCRAM-SHA-256", user, password)
	b.send(strings.Replace(header, " to=", " from='"+other+"@localhost' to=", 1))
	b.fails("invalid-from")
}

// TestMessageIDs: an id of the stanza means nothing to the server. Two messages with one id are two, and so are two without.
func TestMessageIDs(t *testing.T) {
	s := usual.get(t)
	for _, online := range []bool{true, false} {
		a, name := s.available(t, s.account(t)), s.account(t)
		var friend *witness
		if online {
			friend = s.witness(t, name)
		}
		var want []string
		say := func(id, body string) {
			a.send("<message type='chat' to='" + name + "@localhost'" + id + "><body>" + body + "</body></message>")
			want = append(want, body)
		}
		for i := range 10 {
			say(" id='m1'", fmt.Sprint("with id ", i))
			say("", fmt.Sprint("without ", i))
			say(" id=''", fmt.Sprint("with an empty one ", i))
			say(" id='m1'", "the same")
			say("", "the same")
		}
		if friend == nil {
			a.send("<iq type='get' id='all' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>")
			a.until("id='all'")
			friend = s.witness(t, name)
		}
		friend.gets(want...)
		// Of two with one origin-id, which is unique by its nature, the second is a repetition.
		again := client.Message{To: name + "@localhost", Body: "once", OriginID: client.NewID()}
		a.send(strings.Repeat(string(again.Append(nil)), 2) + message(name+"@localhost", "then"))
		friend.gets("once", "then")
	}
}

// TestLongMessages: a legal message of nearly the greatest length arrives. One that would become much longer on its way, since it is
// written anew, is refused: it would end the stream of a client that has a limit, as often as it logs in.
func TestLongMessages(t *testing.T) {
	s := usual.get(t)
	a, name := s.available(t, s.account(t)), s.account(t)
	to := name + "@localhost"
	long := strings.Repeat("Grüße & 😀 > all. ", 8_000)
	a.send(message(to, strings.ReplaceAll(long, "&", "&amp;")))
	for _, grows := range []string{
		"<x xmlns='urn:x' a=\"" + strings.Repeat("'", 250_000) + "\"/>",
		"<x xmlns='urn:x'>" + strings.Repeat(">", 250_000) + "</x>",
		"<p:x xmlns:p=\"" + strings.Repeat("'", 1000) + "\">" + strings.Repeat("<d><p:b/></d>", 400) + strings.Repeat(" ", 200_000) + "</p:x>",
	} {
		a.send("<message id='long' to='" + to + "'><body>poison</body>" + grows + "</message>")
		if answer := a.until("</error>"); !strings.Contains(answer, "<not-acceptable ") {
			t.Errorf("answered %.300s", answer)
		}
	}
	a.send(message(to, "the end"))
	s.witness(t, name).gets(long, "the end")
}

// senders returns from whom the messages came, each once.
func (w *witness) senders() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	slices.Sort(w.mu.senders)
	return slices.Compact(w.mu.senders)
}
