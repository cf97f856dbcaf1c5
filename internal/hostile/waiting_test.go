//go:build !race

package hostile

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// silent is a client that begins something and goes silent. What it is told until it is closed comes to ended.
type silent struct {
	name string
	// told is how the last of what the server says begins, if it says anything.
	told  string
	ended chan string
}

// timeout is what a client is told whose time is over.
const timeout = "<stream:error><connection-timeout "

// openSilent opens the silent clients of a server. They are opened at the very beginning, since the server gives them time: 10 s for
// a handshake, 30 s for a login, on the strict server 10 s of silence and 1 s for the answer to a ping.
func (s *server) openSilent(t testing.TB, strict bool) {
	keep := func(name, told string, a *attacker, say string, slowly bool) {
		sl := &silent{name: name, told: told, ended: make(chan string, 1)}
		s.waiting = append(s.waiting, sl)
		_ = a.conn.SetDeadline(time.Time{})
		if !slowly {
			a.send(say)
		}
		_ = a.conn.SetDeadline(time.Now().Add(2 * patience)) // the server's are shorter
		go sl.listen(a.conn)
		if slowly {
			go trickle(a.conn, say)
		}
	}
	if strict {
		for _, c := range []struct{ name, say string }{
			{"says nothing once it is available", ""}, {"stops in the middle of a stanza", "<message><body>"},
		} {
			keep(c.name, timeout, s.available(t, s.account(t)), c.say, false)
		}
		return
	}
	starttls := header + "<starttls xmlns='" + nsTLS + "'/>"
	keep("STARTTLS: nothing at all", timeout, s.plain(t, s.C2S), "", false)
	keep("STARTTLS: half a header", timeout, s.plain(t, s.C2S), header[:60], false)
	keep("STARTTLS: a header byte by byte", timeout, s.plain(t, s.C2S), header, true)
	keep("STARTTLS: a header only", timeout, s.plain(t, s.C2S), header, false)
	keep("STARTTLS: no TLS", "", s.plain(t, s.C2S), starttls, false)
	keep("TLS: nothing at all", "", s.plain(t, s.C2STLS), "", false)
	keep("TLS: the beginning of a handshake", "", s.plain(t, s.C2STLS), "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", false)
	keep("TLS: a handshake byte by byte", "", s.plain(t, s.C2STLS), "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"+strings.Repeat("\x00", 500), true)
	keep("no stream", timeout, s.secured(t), "", false)
	keep("half a header", timeout, s.secured(t), header[:60], false)
	keep("no login", timeout, s.opened(t), "", false)
	keep("a login byte by byte", timeout, s.opened(t), "<auth xmlns='"+nsSASL+"' mechanism='PLAIN'>"+strings.Repeat("A", 1000), true)
	keep("no resource", timeout, s.loggedIn(t, s.account(t)), "", false)
}

// listen reads until the end.
func (sl *silent) listen(conn net.Conn) {
	all, err := io.ReadAll(conn)
	var late net.Error
	if errors.As(err, &late) && late.Timeout() {
		close(sl.ended)
		return
	}
	sl.ended <- string(all)
}

// trickle writes two bytes a second until that fails.
func trickle(conn net.Conn, text string) {
	ticker := time.NewTicker(time.Second / 2)
	defer ticker.Stop()
	for i := range len(text) {
		if _, err := io.WriteString(conn, text[i:i+1]); err != nil {
			return
		}
		<-ticker.C
	}
}

// TestSilentClients: whoever doesn't go on is closed, and as far as there is a stream, told why. It is one of the last tests, since its
// clients have been waiting all the time.
func TestSilentClients(t *testing.T) {
	for _, s := range []*server{usual.get(t), strict.get(t)} {
		for _, sl := range s.waiting {
			t.Run(sl.name, func(t *testing.T) {
				all, ok := <-sl.ended
				switch {
				case !ok:
					t.Error("the connection stays open")
				case sl.told == "" && strings.Contains(all, "<stream:error"), !strings.Contains(all, sl.told):
					t.Errorf("the server said %q", all)
				case sl.told != "" && !strings.HasSuffix(all, end):
					t.Errorf("the server didn't end the stream: %q", all)
				}
			})
		}
		s.works(t)
	}
}

// TestNothingBroke: all of this has left no connection behind and crashed nothing, and nothing that an outsider does is worth a warning.
func TestNothingBroke(t *testing.T) {
	for _, s := range []*server{usual.get(t), strict.get(t)} {
		eventually(t, "no connection left", func() bool { return s.metric(t, "jackdaw_connections") == 0 })
		if n := s.metric(t, "jackdaw_restarts_total"); n != 0 {
			t.Errorf("%d actors crashed", n)
		}
		for line := range strings.Lines(s.Output()) {
			level := strings.ToLower(line)
			slow := strings.Contains(line, "a handler runs for long") || strings.Contains(line, "a long handler has returned") // on a busy machine
			if !slow && (strings.Contains(level, "warn") || strings.Contains(level, "error") || strings.Contains(level, "panic")) {
				t.Errorf("logged: %s", line)
			}
		}
	}
}
