//go:build !race

package hostile

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// garbage is what begins like a TLS handshake, more or less.
var garbage = []string{
	"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
	header,
	"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10\x01\x00\x80",                                   // SSL 2
	"\x15\x03\x01\x00\x02\x02\x28",                                                               // an alert
	"\x16\x03\x01\xff\xff" + strings.Repeat("\x01", 17<<10),                                      // a record too long
	"\x16\x03\x01\x40\x00\x01\xff\xff\xff" + strings.Repeat("\x00", 17<<10),                      // a ClientHello of 16 MiB
	"\x16\x03\x03\x00\x04\x01\x00\x00\x00",                                                       // an empty ClientHello
	"\x16\x03\x01\x00\x2b\x01\x00\x00\x27\x02\x00" + strings.Repeat("\x07", 34) + "\x00\x00\x02", // an unknown version
	strings.Repeat("\x16\x03\x01\x00\x00", 4000),                                                 // records of nothing
	"\x17\x03\x03\x00\x10" + strings.Repeat("x", 16),                                             // data before the handshake
	"",
}

// TestGarbageHandshakes: while garbage comes in without pause, others log in and chat; then nothing of it is left.
func TestGarbageHandshakes(t *testing.T) {
	s := usual.get(t)
	open, failed := s.metric(t, "jackdaw_connections"), s.metric(t, `jackdaw_handshakes_total{result="failed"}`)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for worker := range 8 {
		random := rand.New(rand.NewPCG(1, uint64(worker)))
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					if err := s.throw(random); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	for range 10 {
		s.works(t)
	}
	close(stop)
	wg.Wait()
	n := s.metric(t, `jackdaw_handshakes_total{result="failed"}`) - failed
	t.Logf("%d handshakes failed", n)
	if n < 100 {
		t.Errorf("only %d failed handshakes are counted", n)
	}
	eventually(t, "as many connections as before", func() bool { return s.metric(t, "jackdaw_connections") <= open })
}

// throw sends one piece of garbage and waits until it is refused.
func (s *server) throw(random *rand.Rand) error {
	conn, err := net.Dial("tcp", s.C2STLS)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // it is garbage
	piece := garbage[random.IntN(len(garbage))]
	if piece == "" {
		noise := make([]byte, 5+random.IntN(2000))
		for i := range noise {
			noise[i] = byte(random.Uint32())
		}
		noise[0] |= 0x80 // or it may be the beginning of what is only too short
		piece = string(noise)
	}
	_ = conn.SetDeadline(time.Now().Add(patience)) // a dead connection fails soon enough
	if _, err := io.WriteString(conn, piece); err != nil {
		return nil // refused in the middle
	}
	all, err := io.ReadAll(conn)
	if late, ok := err.(net.Error); ok && late.Timeout() {
		return fmt.Errorf("%.30q isn't refused", piece)
	}
	if strings.Contains(string(all), "stream") {
		return fmt.Errorf("%.30q is answered with %q", piece, all)
	}
	return nil
}

// TestSilentCrowd: two thousand who connect and say nothing keep nobody out, and cost little.
func TestSilentCrowd(t *testing.T) {
	const n = 2000
	s := usual.get(t)
	open, memory := s.metric(t, "jackdaw_connections"), s.rss(t)
	crowd := make([]net.Conn, 0, n)
	defer func() {
		for _, c := range crowd {
			_ = c.Close() // nothing was said
		}
		eventually(t, "as many connections as before", func() bool { return s.metric(t, "jackdaw_connections") <= open })
	}()
	for i := range n {
		conn, err := net.Dial("tcp", []string{s.C2S, s.C2STLS}[i%2])
		if err != nil {
			t.Fatal(err)
		}
		crowd = append(crowd, conn)
		if i%4 >= 2 { // half of them begin something
			if _, err := io.WriteString(conn, []string{header[:50], "\x16\x03\x01\x02\x00\x01"}[i%2]); err != nil {
				t.Fatal(err)
			}
		}
	}
	eventually(t, "all of the crowd", func() bool { return s.metric(t, "jackdaw_connections") >= n })
	for range 3 {
		s.works(t)
	}
	if grown := s.rss(t) - memory; grown > 96<<20 {
		t.Errorf("the server has grown by %d MiB", grown>>20)
	}
}

// TestTooFast: over its rate a client isn't read for a while. That is counted, nobody else notices, and nothing is lost.
func TestTooFast(t *testing.T) {
	s := strict.get(t)
	paused := s.metric(t, "jackdaw_connections_paused_total")
	friend := s.witness(t, s.account(t))
	a := s.available(t, s.account(t))
	const n = 1200 // the burst is 1,000, and then there are 100 a second
	var all strings.Builder
	for i := range n {
		fmt.Fprintf(&all, "<iq type='get' id='%d' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>", i)
	}
	all.WriteString(message(friend.JID(), "at the end"))
	go func() { _, _ = io.WriteString(a.conn, all.String()) }() // it takes as long as the server wants
	eventually(t, "a connection that isn't read", func() bool { return s.metric(t, "jackdaw_connections_paused_total") > paused })
	s.works(t)
	for i := range n {
		a.until(fmt.Sprintf("id='%d'", i)) // each, in order
	}
	friend.gets("at the end")
}

// TestTooManyResources: one account can't bind without end, and keeps what it has.
func TestTooManyResources(t *testing.T) {
	s := usual.get(t)
	user := s.account(t)
	first := s.available(t, user)
	for range 100 {
		a := s.loggedIn(t, user)
		a.send("<iq type='set' id='b'><bind xmlns='" + nsBind + "'/></iq>")
		answer := a.until("</iq>")
		if strings.Contains(answer, "<jid>") {
			continue
		}
		if !strings.Contains(answer, "<error type='wait'><resource-constraint ") || !strings.Contains(answer, "too many resources") {
			t.Errorf("answered %s", answer)
		}
		first.send("<iq type='get' id='still' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>")
		first.until("id='still'")
		return
	}
	t.Error("a hundred resources of one account are bound")
}
