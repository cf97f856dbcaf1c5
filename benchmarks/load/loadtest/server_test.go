package loadtest_test

import (
	"errors"
	"slices"
	"testing"

	"go.uber.org/goleak"

	"github.com/jackdaw-im/jackdaw/benchmarks/load"
	"github.com/jackdaw-im/jackdaw/benchmarks/load/loadtest"
	"github.com/jackdaw-im/jackdaw/client"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func accounts(s *loadtest.Server) *load.Accounts {
	a := &load.Accounts{Addr: s.Addr, Domain: "localhost", Prefix: "u", Password: loadtest.Password, Mechanism: "SCRAM-SHA-1"}
	a.Open()
	return a
}

func TestQueuesOutliveACrash(t *testing.T) {
	server := loadtest.New(t, nil)
	a := accounts(server)
	var fleet load.Fleet
	acked := make(chan struct{}, 1)
	cfg := a.Config(0)
	cfg.Management = true
	cfg.OnAck = func(*client.Conn, []client.Sent) { acked <- struct{}{} }
	_, err := fleet.Login(t.Context(), cfg, func(c *client.Conn) error {
		return c.Batch(func() {
			for _, body := range []string{"one", "two"} {
				if err := c.SendMessage(&client.Message{To: a.JID(1), Body: body}, nil); err != nil {
					t.Error(err)
				}
			}
			if err := c.RequestAck(); err != nil {
				t.Error(err)
			}
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	<-acked
	server.Kill()
	fleet.Wait()
	if fleet.Ended() == nil {
		t.Error("no error after a crash")
	}
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := drain(t, a, 2); !slices.Equal(got, []string{"u0@localhost/load one", "u0@localhost/load two"}) {
		t.Errorf("got %q", got)
	}
	// A client that leaves while it reads the last one hasn't acknowledged it: it comes again.
	for tries := 0; server.Queued() != 0; tries++ {
		if server.Queued() > 1 || tries == 10 {
			t.Fatalf("%d left after the acknowledgement", server.Queued())
		}
		if got := drain(t, a, 1); !slices.Equal(got, []string{"u0@localhost/load two"}) {
			t.Fatalf("again: got %q", got)
		}
	}
}

// drain logs user 1 in until n messages have come.
func drain(t *testing.T, a *load.Accounts, n int) (got []string) {
	t.Helper()
	var fleet load.Fleet
	done := make(chan struct{})
	cfg := a.Config(1)
	cfg.Management = true
	cfg.OnStanza = func(_ *client.Conn, e *xmpp.Element) {
		got = append(got, e.Attr("from")+" "+e.Child(xmpp.NSClient, "body").Text())
		if len(got) == n {
			close(done)
		}
	}
	if _, err := fleet.Login(t.Context(), cfg, func(c *client.Conn) error { return c.Presence(0) }); err != nil {
		t.Fatal(err)
	}
	<-done
	fleet.Close()
	return got
}

func TestFaultsAndWrongPasswords(t *testing.T) {
	server := loadtest.New(t, func(n int, raw []byte) [][]byte {
		if n == 1 {
			return nil
		}
		return [][]byte{raw, raw}
	})
	a := accounts(server)
	var fleet load.Fleet
	_, err := fleet.Login(t.Context(), a.Config(0), func(c *client.Conn) error {
		return errors.Join(c.SendMessage(&client.Message{To: a.JID(1), Body: "lost"}, nil),
			c.SendMessage(&client.Message{To: a.JID(1), Body: "twice"}, nil))
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := drain(t, a, 2); !slices.Equal(got, []string{"u0@localhost/load twice", "u0@localhost/load twice"}) {
		t.Errorf("got %q", got)
	}
	fleet.Close()
	a.Password = "wrong"
	a.Open()
	var refused *client.AuthError
	if _, err := fleet.Login(t.Context(), a.Config(0), nil); !errors.As(err, &refused) {
		t.Errorf("a wrong password: %v", err)
	}
}
