package client

import (
	"slices"
	"testing"

	"github.com/jackdaw-im/jackdaw/xmpp"
)

// cutOff is a connection that was lost after it had sent messages 1, 2 and 3 and handled two stanzas.
func cutOff(t *testing.T, cfg Config) Resumption {
	t.Helper()
	cfg.Management = true
	handled := 0
	cfg.OnStanza = func(c *Conn, _ *xmpp.Element) {
		if handled++; handled == 2 {
			c.Cut()
		}
	}
	c := dial(t, play(t, cfg, managed(func(s *script) {
		s.until("id='3'></message>")
		s.send("<message/><message/>")
		s.eof()
	})))
	err := c.Batch(func() {
		for i, id := range []string{"1", "2", "3"} {
			if err := c.SendMessage(&Message{To: "a@b", ID: id}, i+1); err != nil {
				t.Error(err)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-run(c); err == nil {
		t.Error("a cut connection ended without an error")
	}
	r, ok := c.Resumption()
	if !ok || r.ID != "sm1" || r.Location != "b.localhost:5222" || r.Handled != 2 || r.Acked != 0 || len(r.Unacked) != 3 {
		t.Fatalf("resumption %+v, %v", r, ok)
	}
	return r
}

func tags(sent []Sent) (tags []any) {
	for _, s := range sent {
		tags = append(tags, s.Tag)
	}
	return tags
}

func TestResume(t *testing.T) {
	var acked []any
	r := cutOff(t, Config{})
	cfg := Config{Resume: &r, OnAck: func(_ *Conn, sent []Sent) { acked = append(acked, tags(sent)...) }}
	c := dial(t, play(t, cfg, func(s *script) {
		s.login()
		s.expect("<resume xmlns='urn:xmpp:sm:3' h='2' previd='sm1'/>")
		s.send("<resumed xmlns='urn:xmpp:sm:3' previd='sm1' h='1'/>")
		s.expect("<message to='a@b' type='chat' id='2'></message><message to='a@b' type='chat' id='3'></message>")
		s.expect("<message to='a@b' type='chat' id='4'></message>")
		s.send("<message/><r xmlns='urn:xmpp:sm:3'/>")
		s.expect("<a xmlns='urn:xmpp:sm:3' h='3'/>")
		s.send("<a xmlns='urn:xmpp:sm:3' h='3'/>")
		s.send("</stream:stream>")
		s.until("</stream:stream>")
	}))
	if again, ok := c.Resumption(); !ok || again.ID != "sm1" || again.Location != "" {
		t.Errorf("what was said of the stream's place before goes on: %+v, %v", again, ok)
	}
	if !c.Resumed() || c.JID() != "romeo@localhost/garden" || len(c.Carried()) != 0 {
		t.Errorf("resumed %v as %q, carried %v", c.Resumed(), c.JID(), c.Carried())
	}
	if err := c.SendMessage(&Message{To: "a@b", ID: "4"}, 4); err != nil {
		t.Fatal(err)
	}
	<-run(c)
	if !slices.Equal(acked, []any{1, 2, 3}) || !slices.Equal(tags(c.Unacked()), []any{4}) {
		t.Errorf("acknowledged %v, left %v", acked, tags(c.Unacked()))
	}
}

func TestResumeRefused(t *testing.T) {
	for name, h := range map[string]string{"with a count": " h='1'", "without": ""} {
		t.Run(name, func(t *testing.T) {
			var acked []any
			r := cutOff(t, Config{})
			cfg := Config{Resume: &r, OnAck: func(_ *Conn, sent []Sent) { acked = append(acked, tags(sent)...) }}
			c := dial(t, play(t, cfg, func(s *script) {
				s.login()
				s.until("previd='sm1'/>")
				s.send("<failed xmlns='urn:xmpp:sm:3'" + h + "><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>")
				s.bind()
				s.enable()
			}))
			left := []any{1, 2, 3}
			if h != "" {
				left = left[1:]
			}
			if c.Resumed() || !slices.Equal(tags(c.Carried()), left) || len(acked) != 3-len(left) || len(c.Unacked()) != 0 {
				t.Errorf("resumed %v, carried %v, acknowledged %v, unacknowledged %v", c.Resumed(), tags(c.Carried()), acked, c.Unacked())
			}
			<-run(c)
		})
	}
}

func TestResumeWithNonsense(t *testing.T) {
	for name, answer := range map[string]string{
		"no count":    "<resumed xmlns='urn:xmpp:sm:3' previd='sm1'/>",
		"bad count":   "<resumed xmlns='urn:xmpp:sm:3' previd='sm1' h='x'/>",
		"count ahead": "<resumed xmlns='urn:xmpp:sm:3' previd='sm1' h='9'/>",
	} {
		t.Run(name, func(t *testing.T) {
			r := cutOff(t, Config{})
			_, err := Dial(t.Context(), play(t, Config{Resume: &r}, func(s *script) {
				s.login()
				s.until("previd='sm1'/>")
				s.send(answer)
			}))
			if err == nil {
				t.Error("no error")
			}
		})
	}
}
