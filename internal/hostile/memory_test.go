//go:build !race

package hostile

import (
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The floods of TestMemoryStaysFlat.
const (
	floodTotal = 200 << 20 // bytes of all attackers together
	floodEach  = 8 << 20   // bytes of one connection at most
	floodWidth = 8         // attackers at a time
	flatWithin = 96 << 20  // what the server may grow by: its garbage, and buffers for those attackers
)

// endless are stanzas without end: a beginning, and what is repeated.
var endless = []struct{ stage, name, begin, more string }{
	{"bound", "text", "<message><body>", strings.Repeat("x", 64<<10)},
	{"bound", "markup", "<message>", strings.Repeat("<a b='c'/>", 6<<10)},
	{"bound", "an attribute", "<message a='", strings.Repeat("x", 64<<10)},
	{"bound", "attributes", "<message", attributes(8000)},
	{"bound", "depth", "<message>", strings.Repeat("<a>", 20<<10)},
	{"bound", "a name", "<", strings.Repeat("m", 64<<10)},
	{"bound", "an end tag", "<message></message", strings.Repeat(" ", 64<<10)},
	{"bound", "a section", "<message><![CDATA[", strings.Repeat("]", 64<<10)},
	{"before the login", "a login", "<auth xmlns='" + nsSASL + "' mechanism='PLAIN'>", strings.Repeat("A", 64<<10)},
	{"before the header", "a header", "<stream:stream to='", strings.Repeat("x", 64<<10)},
	{"before TLS", "an element before TLS", "<starttls xmlns='", strings.Repeat("x", 64<<10)},
	{"before TLS and the header", "a declaration before TLS", "<?xml version='", strings.Repeat("1", 64<<10)},
}

// TestMemoryStaysFlat: endless stanzas of every kind, from several connections at a time, cost the server nothing that stays, and
// little while they come.
func TestMemoryStaysFlat(t *testing.T) {
	s := usual.get(t)
	user := s.account(t)
	s.works(t)
	before, top := s.rss(t), int64(0)
	var sent atomic.Int64
	var next atomic.Int32
	var wg sync.WaitGroup
	for range floodWidth {
		wg.Go(func() {
			for sent.Load() < floodTotal && !t.Failed() {
				e := endless[int(next.Add(1))%len(endless)]
				flood(t, stages[e.stage](s, t, user), e.begin, e.more, &sent)
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for running := true; running; {
		select {
		case <-ticker.C:
		case <-done:
			running = false
		}
		top = max(top, s.rss(t))
	}
	after := s.rss(t)
	t.Logf("%d connections sent %d MiB; resident before %d MiB, at most %d MiB, after %d MiB", next.Load(), sent.Load()>>20, before>>20, top>>20, after>>20)
	if top-before > flatWithin {
		t.Errorf("the server has grown from %d MiB to %d MiB", before>>20, top>>20)
	}
	s.works(t)
}

// flood sends an endless stanza until the server has had enough.
func flood(t *testing.T, a *attacker, begin, more string, sent *atomic.Int64) {
	defer a.close()
	said := make(chan string, 1)
	a.deadline()
	go func() {
		all, _ := io.ReadAll(a.conn) // until the server closes
		said <- string(all)
	}()
	n, err := io.WriteString(a.conn, begin)
	for written := n; err == nil && written < floodEach; written += n {
		n, err = io.WriteString(a.conn, more)
		sent.Add(int64(n))
	}
	if all := <-said; err == nil && !strings.Contains(all, "<policy-violation ") {
		t.Errorf("%.20q without end is answered with %q", begin, all)
	}
}
