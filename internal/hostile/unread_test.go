//go:build !race

package hostile

import (
	"io"
	"slices"
	"strings"
	"testing"
)

// TestNeverReads: a client that asks and doesn't read the answers loses its connection. Its messages stay, and come in order when it
// logs in the next time.
func TestNeverReads(t *testing.T) {
	s := usual.get(t)
	friend, name := s.witness(t, s.account(t)), s.account(t)
	a := s.available(t, name)
	if err := a.tcp.SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	bodies := numbered("for a client that never reads", 90, 2000)
	for _, body := range bodies[:45] {
		friend.says(name+"@localhost", body)
	}
	slow, memory := s.metric(t, "jackdaw_connections_slow_total"), s.rss(t)
	ask := strings.Repeat("<iq type='get' id='"+strings.Repeat("x", 2000)+"' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>", 20)
	a.deadline()
	for range 100_000 {
		if _, err := io.WriteString(a.conn, ask); err != nil {
			break
		}
	}
	eventually(t, "a connection closed because its client doesn't read", func() bool { return s.metric(t, "jackdaw_connections_slow_total") > slow })
	for _, body := range bodies[45:] {
		friend.says(name+"@localhost", body)
	}
	friend.settles()
	s.witness(t, name).gets(bodies...)
	if grown := s.rss(t) - memory; grown > 64<<20 {
		t.Errorf("the server has grown by %d MiB", grown>>20)
	}
}

// TestFloodOfOneWhoDoesNotRead: strangers can't make the server keep what somebody doesn't read, and he loses no message by it.
func TestFloodOfOneWhoDoesNotRead(t *testing.T) {
	s := usual.get(t)
	friend, user := s.witness(t, s.account(t)), s.account(t)
	a := s.available(t, user)
	if err := a.tcp.SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	to, long := user+"@localhost", strings.Repeat("x", 30_000)
	bodies := numbered("in the flood", 20, 0)
	memory := s.rss(t)
	for i, stanza := range []string{
		"<presence to='" + to + "'><status>" + long + "</status></presence>",
		"<message type='headline' to='" + to + "'><body>" + long + "</body></message>",
		"<message type='headline' to='" + a.jid + "'><body>" + long + "</body></message>",
		"<iq type='set' id='1' to='" + a.jid + "'><x xmlns='urn:x'>" + long + "</x></iq>",
	} {
		b := s.available(t, s.account(t))
		for j := range 250 { // less than its rate allows at once
			b.send(stanza)
			if j%50 == 0 {
				friend.says(to, bodies[i*5+j/50])
			}
		}
		b.send("<iq type='get' id='last' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>")
		b.until("id='last'")
	}
	if grown := s.rss(t) - memory; grown > 64<<20 {
		t.Errorf("the server has grown by %d MiB", grown>>20)
	}
	friend.settles()
	w := s.witness(t, user)
	w.await("the messages of a friend", func() bool { return len(w.mu.bodies) >= len(bodies) })
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.bodies = slices.DeleteFunc(w.mu.bodies, func(body string) bool { return body == long }) // a headline for whoever is there
	if !slices.Equal(w.mu.bodies, bodies) {
		t.Errorf("got %q", w.mu.bodies)
	}
}

// TestNeitherReadsNorWrites: messages alone can't be piled up before a client that doesn't read either.
func TestNeitherReadsNorWrites(t *testing.T) {
	s := strict.get(t)
	friend, name := s.witness(t, s.account(t)), s.account(t)
	a := s.available(t, name)
	if err := a.tcp.SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	unanswered := s.metric(t, "jackdaw_pings_unanswered_total")
	bodies := numbered("for a client that does nothing", 95, 20_000)
	for _, body := range bodies {
		friend.says(name+"@localhost", body)
	}
	friend.settles()
	eventually(t, "an unanswered ping", func() bool { return s.metric(t, "jackdaw_pings_unanswered_total") > unanswered })
	s.witness(t, name).gets(bodies...)
}

// TestNeverAnswersPings: a client that reads and doesn't answer is told so and closed; what it has not confirmed comes again, in order,
// and behind that what came since.
func TestNeverAnswersPings(t *testing.T) {
	s := strict.get(t)
	for name, enable := range map[string]string{
		"without stream management": "", "with it": "<enable xmlns='urn:xmpp:sm:3'/>", "with resumption": "<enable xmlns='urn:xmpp:sm:3' resume='true'/>",
	} {
		t.Run(name, func(t *testing.T) {
			friend, user := s.witness(t, s.account(t)), s.account(t)
			a := s.available(t, user)
			a.send(enable)
			bodies := numbered("unconfirmed", 20, 0)
			for _, body := range bodies[:10] {
				friend.says(user+"@localhost", body)
			}
			friend.settles()
			all := a.fails("connection-timeout")
			asked := strings.Contains(all, "<query xmlns='http://jabber.org/protocol/disco#info'/>") || strings.Contains(all, "<r xmlns='urn:xmpp:sm:3'/>")
			if !asked || strings.Count(all, "<body>") != 10 {
				t.Errorf("the client was sent %s", all)
			}
			for _, body := range bodies[10:] {
				friend.says(user+"@localhost", body)
			}
			friend.settles()
			s.witness(t, user).gets(bodies...)
		})
	}
}

// TestAnswersWithAnError: a client that doesn't know pings is one that answers, too.
func TestAnswersWithAnError(t *testing.T) {
	s := strict.get(t)
	friend, user := s.witness(t, s.account(t)), s.account(t)
	a := s.available(t, user)
	for i, body := range numbered("confirmed", 3, 0) {
		friend.says(user+"@localhost", body)
		_, id, _ := strings.Cut(a.until("</iq>"), " id='ping-")
		id, _, _ = strings.Cut(id, "'")
		if i < 2 {
			a.send("<iq type='error' to='localhost' id='ping-" + id + "'><error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>")
			continue
		}
		a.send("<iq type='error' to='localhost' id='ping-0'/><iq type='result' to='localhost' id='something'/>") // these answer nothing
	}
	a.fails("connection-timeout")
	s.witness(t, user).gets(numbered("confirmed", 3, 0)[2])
}

// TestFalseAcknowledgements: who confirms what was never sent is told so, and loses nothing.
func TestFalseAcknowledgements(t *testing.T) {
	s := usual.get(t)
	for h, want := range map[string]string{"1000": "undefined-condition", "4294967295": "undefined-condition", "x": "bad-format", "-1": "bad-format", "": "bad-format"} {
		friend, user := s.witness(t, s.account(t)), s.account(t)
		a := s.available(t, user)
		a.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
		a.until("<enabled")
		friend.says(user+"@localhost", "kept")
		a.until("<r xmlns='urn:xmpp:sm:3'/>")
		a.send("<a xmlns='urn:xmpp:sm:3' h='" + h + "'/>")
		a.fails(want)
		s.witness(t, user).gets("kept")
	}
}

// TestStolenResumption: a session is resumed by its own user with the whole secret only.
func TestStolenResumption(t *testing.T) {
	s := usual.get(t)
	user, thief := s.account(t), s.account(t)
	a := s.available(t, user)
	a.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
	a.until("<enabled ")
	_, previd, _ := strings.Cut(a.until("/>"), " id='")
	previd, _, _ = strings.Cut(previd, "'")
	for name, c := range map[string][2]string{
		"by somebody else": {thief, previd}, "with a guess": {user, previd[:len(previd)-1] + "?"}, "with nothing": {user, ""}, "with junk": {user, strings.Repeat("x", 3000)},
	} {
		b := s.loggedIn(t, c[0])
		b.send("<resume xmlns='urn:xmpp:sm:3' h='0' previd='" + c[1] + "'/>")
		if answer := b.until("</failed>"); !strings.Contains(answer, "<item-not-found ") || strings.Contains(answer, "<resumed") {
			t.Errorf("%s: answered %s", name, answer)
		}
	}
	a.send("<iq type='get' id='still' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>") // the rightful owner has it still
	a.until("id='still'")
}
