package client

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackdaw-im/jackdaw/xmpp"
)

// run runs c and returns where Run's result will be.
func run(c *Conn) <-chan error {
	ended := make(chan error, 1)
	go func() { ended <- c.Run() }()
	return ended
}

// managed is a script that logs in with stream management.
func managed(then func(s *script)) func(s *script) {
	return func(s *script) {
		s.login()
		s.bind()
		s.enable()
		then(s)
	}
}

func TestStanzasArriveInOrderAndAreCounted(t *testing.T) {
	var bodies []string
	cfg := Config{Management: true, OnStanza: func(_ *Conn, e *xmpp.Element) {
		bodies = append(bodies, e.Child(xmpp.NSClient, "body").Text())
	}}
	long := strings.Repeat("x", 3*keepSize)
	c := dial(t, play(t, cfg, managed(func(s *script) {
		s.send("<r xmlns='urn:xmpp:sm:3'/>")
		s.expect("<a xmlns='urn:xmpp:sm:3' h='0'/>")
		s.send("<message><body>1</body></message> <message><body>2</body></message><r xmlns='urn:xmpp:sm:3'/><mess")
		s.expect("<a xmlns='urn:xmpp:sm:3' h='2'/>")
		s.send("age><body>" + long + "</body></message>")
		s.send("<message><body>4</body></message><unknown xmlns='urn:x'/></stream:stream>")
		s.expect("</stream:stream>")
	})))
	if err := <-run(c); !errors.Is(err, ErrServerClosed) || !errors.Is(c.Err(), ErrServerClosed) {
		t.Errorf("ended with %v", err)
	}
	<-c.Done()
	if !slices.Equal(bodies, []string{"1", "2", long, "4"}) {
		t.Errorf("%d bodies", len(bodies))
	}
	if err := c.Send([]byte("<message/>"), nil); !errors.Is(err, ErrClosed) {
		t.Errorf("send after the end: %v", err)
	}
}

func TestCloseAcknowledgesWhatWasHandled(t *testing.T) {
	cfg := Config{Management: true, OnStanza: func(c *Conn, _ *xmpp.Element) {
		if err := c.SendMessage(&Message{To: "juliet@localhost", Body: "last"}, nil); err != nil {
			t.Error(err)
		}
		go func() { _ = c.Close() }() // any goroutine may
	}}
	c := dial(t, play(t, cfg, managed(func(s *script) {
		s.send("<message/>")
		s.expect("<message to='juliet@localhost' type='chat'><body>last</body></message>")
		s.expect("<a xmlns='urn:xmpp:sm:3' h='1'/></stream:stream>")
		s.send("</stream:stream>")
		s.eof()
	})))
	if err := <-run(c); err != nil {
		t.Errorf("ended with %v", err)
	}
	if _, ok := c.Resumption(); ok {
		t.Error("a closed stream can be resumed")
	}
	if err := c.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}

func TestStreamErrorEndsRun(t *testing.T) {
	c := dial(t, play(t, Config{}, func(s *script) {
		s.login()
		s.bind()
		s.send(streamErrorXML("conflict"))
	}))
	if err := <-run(c); !isStreamError("conflict")(err) {
		t.Errorf("ended with %v", err)
	}
}

// TestSentElsewhere: the error tells where to go.
func TestSentElsewhere(t *testing.T) {
	c := dial(t, play(t, Config{}, func(s *script) {
		s.login()
		s.bind()
		s.send("<stream:error><see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>[2001:db8::1]:5222</see-other-host></stream:error></stream:stream>")
	}))
	var end *xmpp.StreamError
	if err := <-run(c); !errors.As(err, &end) || end.Condition != xmpp.SeeOtherHost || end.Host != "[2001:db8::1]:5222" {
		t.Errorf("ended with %v", err)
	}
}

func TestBadBytesEndRun(t *testing.T) {
	c := dial(t, play(t, Config{}, func(s *script) {
		s.login()
		s.bind()
		s.send("<message></presence>")
	}))
	if err := <-run(c); err == nil {
		t.Error("ended without an error")
	}
}

func TestAcknowledgements(t *testing.T) {
	var acked []any
	cfg := Config{Management: true}
	cfg.OnAck = func(c *Conn, sent []Sent) {
		for _, s := range sent {
			acked = append(acked, s.Tag)
		}
		if len(acked) == 2 {
			if err := c.SendMessage(&Message{To: "a@b", ID: "5"}, 5); err != nil {
				t.Error(err)
			}
		}
	}
	c := dial(t, play(t, cfg, managed(func(s *script) {
		for i := range 3 {
			s.expect(fmt.Sprintf("<message to='a@b' type='chat' id='%d'></message>", i))
		}
		s.expect("<r xmlns='urn:xmpp:sm:3'/>")
		s.send("<a xmlns='urn:xmpp:sm:3' h='2'/>")
		s.expect("<message to='a@b' type='chat' id='5'></message>")
		s.send("<a xmlns='urn:xmpp:sm:3' h='4'/><a xmlns='urn:xmpp:sm:3' h='5'/>")
	})))
	err := c.Batch(func() {
		for i := range 3 {
			if err := c.SendMessage(&Message{To: "a@b", ID: fmt.Sprint(i)}, i); err != nil {
				t.Error(err)
			}
		}
		if err := c.RequestAck(); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-run(c); !errors.Is(err, ErrAckAhead) {
		t.Errorf("ended with %v", err)
	}
	if !slices.Equal(acked, []any{0, 1, 2, 5}) || len(c.Unacked()) != 0 {
		t.Errorf("acknowledged %v, not acknowledged %v", acked, c.Unacked())
	}
}
