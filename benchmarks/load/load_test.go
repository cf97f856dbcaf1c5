package load_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/jackdaw-im/jackdaw/benchmarks/load"
	"github.com/jackdaw-im/jackdaw/benchmarks/load/loadtest"
	"github.com/jackdaw-im/jackdaw/client"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestFleet(t *testing.T) {
	server := loadtest.New(t, nil)
	a := load.Accounts{Addr: server.Addr, Domain: "localhost", Prefix: "u", Password: loadtest.Password}
	a.Open()
	var fleet load.Fleet
	var begun atomic.Int64
	conns, err := fleet.LoginAll(t.Context(), 20, a.Config, func(i int, c *client.Conn) error {
		if !strings.HasPrefix(c.JID(), a.JID(i)+"/") {
			t.Errorf("connection %d is %s", i, c.JID())
		}
		begun.Add(1)
		return nil
	})
	if err != nil || len(conns) != 20 || begun.Load() != 20 {
		t.Fatalf("%d connections, %d begun, %v", len(conns), begun.Load(), err)
	}
	if err := fleet.Ended(); err != nil {
		t.Errorf("ended: %v", err)
	}
	conns[3].Cut()
	<-conns[3].Done()
	if fleet.Ended() == nil {
		t.Error("a cut connection isn't seen")
	}
	fleet.Close()
	if conns[0].Err() != nil {
		t.Errorf("closed with %v", conns[0].Err())
	}
	if _, err := fleet.LoginAll(t.Context(), 5, a.Config, nil); err != nil {
		t.Fatal(err)
	}
	fleet.Cut()
	server.Kill()
	if _, err := fleet.LoginAll(t.Context(), 5, a.Config, nil); err == nil {
		t.Error("logged in to nobody")
	}
}

func TestEach(t *testing.T) {
	var ran atomic.Int64
	if err := load.Each(t.Context(), 10, 3, func(context.Context, int) error { ran.Add(1); return nil }); err != nil || ran.Load() != 10 {
		t.Errorf("%d ran, %v", ran.Load(), err)
	}
	broken := errors.New("broken")
	err := load.Each(t.Context(), 1000, 1, func(_ context.Context, i int) error {
		ran.Add(1)
		if i == 2 {
			return broken
		}
		return nil
	})
	if !errors.Is(err, broken) || ran.Load() > 20 {
		t.Errorf("%d ran, %v", ran.Load(), err)
	}
}

func TestMeter(t *testing.T) {
	server := load.Server{PID: os.Getpid()}
	if rss, err := server.RSS(); err != nil || rss < 1<<20 {
		t.Errorf("RSS %d, %v", rss, err)
	}
	meter, err := server.Meter()
	if err != nil {
		t.Fatal(err)
	}
	if spent, err := meter.Stop(); err != nil || spent.CPU < 0 || spent.Wall <= 0 {
		t.Errorf("spent %+v, %v", spent, err)
	}
	server.PID = -1
	if _, err := server.Meter(); err == nil {
		t.Error("a meter on nothing")
	}
	if _, err := meter.Stop(); err == nil {
		t.Error("a stop on nothing")
	}
}

func TestSpent(t *testing.T) {
	s := load.Spent{CPU: time.Second, Wall: 2 * time.Second}
	if s.Each(100) != 10*time.Millisecond || s.Rate(100) != 50 {
		t.Errorf("%v each, %v a second", s.Each(100), s.Rate(100))
	}
	if (load.Spent{}).Each(0) != 0 || (load.Spent{}).Rate(5) != 0 {
		t.Error("nothing isn't 0")
	}
}
