package gateway

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/session"
)

// fakeConn notes what a stream asks of its connection.
type fakeConn struct {
	Conn
	did []string
}

func (c *fakeConn) Write([]byte) (int, error) { return 0, nil }
func (c *fakeConn) Resume()                   { c.did = append(c.did, "resume") }
func (c *fakeConn) Finish()                   { c.did = append(c.did, "finish") }
func (c *fakeConn) Close() error              { c.did = append(c.did, "close"); return nil }
func (c *fakeConn) RemoteAddr() net.Addr      { return nil }
func (c *fakeConn) Expect(d time.Duration) {
	c.did = append(c.did, "expect "+d.Round(time.Second).String())
}
func (c *fakeConn) took() (did []string) { did, c.did = c.did, nil; return did }
func (c *fakeConn) want(t *testing.T, want ...string) {
	t.Helper()
	if got := c.took(); !slices.Equal(got, want) {
		t.Fatalf("the connection was asked for %q, want %q", got, want)
	}
}

// newStreamRig is a stream of an authenticated client, whose session takes what it gets and says nothing.
func newStreamRig(t testing.TB, change func(*Config)) (*stream, *fakeConn, *[]string) {
	t.Helper()
	var heard []string
	cfg := Config{Certificate: &Certificate{}, Cast: func(_ actors.Ref, msg any) error {
		switch m := msg.(type) {
		case session.Stanza:
			heard = append(heard, m.Elem.Name)
		default:
			heard = append(heard, fmt.Sprintf("%T", m))
		}
		return nil
	}}
	if change != nil {
		change(&cfg)
	}
	conn := &fakeConn{}
	st := newStream(New(cfg), conn)
	st.Receive([]byte(header))
	st.mu.authed = true
	heard = nil
	return st, conn, &heard
}

// TestStanzasHaveTheirTime: from its beginning to its end, and only then, a stanza has a deadline.
func TestStanzasHaveTheirTime(t *testing.T) {
	st, conn, heard := newStreamRig(t, nil)
	st.Receive([]byte("<a"))
	conn.want(t, "expect 1m0s")
	st.Receive([]byte(" b="))
	st.Receive([]byte("'c'"))
	conn.want(t) // bytes alone gain no time
	st.Receive([]byte("/><d"))
	conn.want(t, "expect 1m0s")
	st.Receive([]byte("/>"))
	conn.want(t, "expect 0s")
	st.Receive([]byte("<e/> "))
	st.Receive([]byte(" \n"))
	conn.want(t)
	if want := []string{"a", "d", "e"}; !slices.Equal(*heard, want) {
		t.Fatalf("the session heard %q, want %q", *heard, want)
	}
}

// TestTimeStandsStillWhileNotRead: what the server makes a client wait isn't held against it.
func TestTimeStandsStillWhileNotRead(t *testing.T) {
	st, conn, _ := newStreamRig(t, func(c *Config) { c.Rate = RateLimit{Bytes: 100} })
	st.rate = rate{last: st.rate.last} // the burst is used up
	if p := st.Receive([]byte("<a b='" + strings.Repeat("x", 1000-6))); p.UntilResume || p.For.Round(time.Second) != 10*time.Second {
		t.Fatalf("1000 bytes at 100 a second: %+v", p)
	}
	conn.want(t, "expect 1m10s")
	st.Receive([]byte(strings.Repeat("x", 1000)))
	conn.want(t, "expect 1m30s")
	if n := st.srv.count.RateLimited.Load(); n != 2 {
		t.Fatalf("%d waits are counted", n)
	}
	st, conn, _ = newStreamRig(t, nil)
	st.Receive([]byte(strings.Repeat("<a/>", session.MaxUncounted)))
	st.Receive([]byte("<a"))
	conn.want(t)
	if p := st.Receive(nil); !p.UntilResume {
		t.Fatalf("with all its stanzas uncounted it is read on: %+v", p)
	}
	if _, err := st.Write(session.Out{Stanzas: 1}); err != nil {
		t.Fatal(err)
	}
	conn.want(t, "resume")
	if p := st.Receive(nil); p != (Pause{}) {
		t.Fatal(p)
	}
	conn.want(t, "expect 1m0s")
}

// TestSlowBytesAreNotCopiedAgain: a long stanza that comes byte by byte costs no more than its length.
func TestSlowBytesAreNotCopiedAgain(t *testing.T) {
	st, _, heard := newStreamRig(t, nil)
	const n = 100_000
	st.Receive([]byte("<a>"))
	x := []byte{'x'}
	if allocs := testing.AllocsPerRun(1, func() {
		for range n {
			st.Receive(x)
		}
	}); allocs > 100 {
		t.Errorf("%v allocations for %d bytes", allocs, n)
	}
	st.Receive([]byte("</a>"))
	if !slices.Equal(*heard, []string{"a"}) || st.rest != nil {
		t.Fatalf("the session heard %q, and %d bytes are left", *heard, len(st.rest))
	}
	st.Receive([]byte("<b/><c"))
	if cap(st.rest) > 16 {
		t.Errorf("%d bytes are kept for 2", cap(st.rest))
	}
}

// TestClosedBySession: what comes after the session's last word is read, so that the client can read that word, but goes
// nowhere.
func TestClosedBySession(t *testing.T) {
	st, conn, heard := newStreamRig(t, nil)
	if p := st.Receive([]byte(strings.Repeat("<a/>", session.MaxUncounted+10))); !p.UntilResume {
		t.Fatal(p)
	}
	*heard = nil
	if _, err := st.Write(session.Out{Data: []byte("</stream:stream>"), Close: true}); err != nil {
		t.Fatal(err)
	}
	conn.want(t, "finish", "resume")
	for _, in := range []string{"", "<a/>", "<!-- no XML -->", "</stream:stream>"} {
		if p := st.Receive([]byte(in)); p != (Pause{}) {
			t.Fatalf("after %q: %+v", in, p)
		}
	}
	if len(*heard) != 0 {
		t.Fatalf("the session heard %q", *heard)
	}
	conn.want(t)
}

// TestSessionIsGone: without a session a connection is of no use, unless its last words are on their way.
func TestSessionIsGone(t *testing.T) {
	gone := false
	st, conn, _ := newStreamRig(t, func(c *Config) {
		c.Cast = func(actors.Ref, any) error {
			if gone {
				return actors.ErrNoProc
			}
			return nil
		}
	})
	gone = true
	st.Receive([]byte("<a/>"))
	conn.want(t, "close")
	if _, err := st.Write(session.Out{Close: true}); err != nil {
		t.Fatal(err)
	}
	st.shutdown()
	conn.want(t, "finish")
}

func TestPipelinedLoginIsReadStepByStep(t *testing.T) {
	st, conn, heard := newStreamRig(t, nil)
	st.mu.authed = false
	if p := st.Receive([]byte("<auth/><response/>" + header + "<iq/>")); !p.UntilResume {
		t.Fatal(p)
	}
	step := func(out session.Out, want ...string) {
		t.Helper()
		*heard = nil
		if _, err := st.Write(out); err != nil {
			t.Fatal(err)
		}
		st.Receive(nil)
		if !slices.Equal(*heard, want) {
			t.Fatalf("the session heard %q, want %q", *heard, want)
		}
	}
	step(session.Out{Stanzas: 1}, "response")
	conn.want(t, "resume")
	step(session.Out{Stanzas: 1, Authed: true, Restart: true}, "session.Opened", "iq")
}
