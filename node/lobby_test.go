package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/jackdaw-im/jackdaw/config"
	"github.com/jackdaw-im/jackdaw/internal/testpg"
	"github.com/jackdaw-im/jackdaw/store/pgstore"
)

// opening is a node that is being opened on a real store.
type opening struct {
	t    *testing.T
	cfg  *config.Config
	logs *observer.ObservedLogs
	stop context.CancelFunc
	node chan *Node
	err  chan error
}

// openLater begins to open the first node of a cluster.
func openLater(t *testing.T, data, url string) *opening {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := testConfig(t)
	cfg.Data, cfg.Admin, cfg.Cluster.Listen, cfg.Cluster.Carriage, cfg.Cluster.Name = data, l.Addr().String(), "127.0.0.1:0", "127.0.0.1:0", "n1"
	cfg.Store.URL, cfg.Store.AllowUnreplicated = url, true
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	core, logs := observer.New(zapcore.DebugLevel)
	o := &opening{t: t, cfg: cfg, logs: logs, node: make(chan *Node, 1), err: make(chan error, 1)}
	ctx, stop := context.WithCancel(t.Context())
	o.stop = stop
	t.Cleanup(stop)
	go func() {
		n, err := Open(ctx, cfg, zap.New(core))
		o.err <- err
		o.node <- n
	}()
	return o
}

// get asks for health.
func (o *opening) get(path string) (int, string) {
	resp, err := http.Get("http://" + o.cfg.Admin + path)
	if err != nil {
		return 0, err.Error()
	}
	text, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(text)
}

// waits waits until the node says that it waits.
func (o *opening) waits(why string) {
	o.t.Helper()
	deadline := time.After(time.Minute)
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		code, text := o.get("/readyz")
		if code == http.StatusServiceUnavailable && strings.Contains(text, why) {
			break
		}
		select {
		case err := <-o.err:
			o.t.Fatalf("it is open or has given up: %v", err)
		case <-deadline:
			o.t.Fatalf("/readyz says %d %q", code, text)
		case <-tick.C:
		}
	}
	if code, text := o.get("/healthz"); code != http.StatusOK {
		o.t.Errorf("/healthz says %d %q", code, text)
	}
}

// ends waits until it has given up.
func (o *opening) ends(want string) {
	o.t.Helper()
	select {
	case err := <-o.err:
		if err == nil || !strings.Contains(err.Error(), want) {
			o.t.Errorf("%v, want %q", err, want)
		}
	case <-time.After(time.Minute):
		o.t.Fatal("it doesn't end")
	}
}

// opens waits until it is open, starts it, and closes it again.
func (o *opening) opens() {
	o.t.Helper()
	select {
	case err := <-o.err:
		if err != nil {
			o.t.Fatal(err)
		}
	case <-time.After(time.Minute):
		o.t.Fatal("it isn't open yet")
	}
	n := <-o.node
	err := n.Start()
	if err == nil {
		err = n.Ready()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		err = errors.Join(err, n.Stop(ctx))
	}
	if err != nil {
		o.t.Error(err)
	}
}

// said is how often something was logged.
func (o *opening) said(message string) int { return o.logs.FilterMessage(message).Len() }

// TestStoreThatComesLater: a node whose store isn't there waits for it, the first time and later, and ends at once when told to, or when
// waiting mends nothing.
func TestStoreThatComesLater(t *testing.T) {
	pg := testpg.Run(t, testpg.Options{})
	url, data := pg.URL("postgres"), t.TempDir()
	if err := pg.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	const waiting = "the store can't be opened yet: trying again until it can"

	first := openLater(t, data, url)
	first.waits("the store can't be opened yet: pgstore: shard 0: failed to connect")
	if _, err := os.Stat(first.cfg.BundleFile()); err == nil {
		t.Error("a cluster is founded on a store that nobody has seen")
	}
	if err := pg.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	first.opens()
	if n, m := first.said(waiting), first.said("the store can be opened now"); n < 1 || n > 3 || m != 1 {
		t.Errorf("it said %d times that it waits, and %d times that it needn't: %v", n, m, first.logs.All())
	}

	if err := pg.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := openLater(t, data, "")
	again.waits("starting: the store can't be opened yet")
	again.stop() // as SIGTERM does
	again.ends("ended before the store could be opened")

	again = openLater(t, data, "")
	again.waits("starting: the store can't be opened yet")
	if err := pg.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	again.opens()
	if again.said("a database has a new primary") > 0 {
		t.Error("the primary is the one of before")
	}

	// PostgreSQL notices a little later that the node has gone.
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for there := true; there; {
		nodes, err := pgstore.Nodes(t.Context(), url, "")
		if err != nil {
			t.Fatal(err)
		}
		if there = len(nodes) > 0; there {
			<-tick.C
		}
	}

	// What waiting doesn't mend.
	if err := pg.Exec(t.Context(), "CREATE DATABASE other"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ url, says string }{
		{strings.Replace(url, "/postgres", "/nothing", 1), "does not exist"},
		{url, "belongs to the cluster"},
		{url + "," + pg.URL("other"), "belongs to the cluster"},
		{"mysql://h/x", "begins with postgres://"},
	} {
		openLater(t, t.TempDir(), c.url).ends(c.says)
	}
	openLater(t, data, url+","+pg.URL("other")).ends("and the cluster's is")
	if err := pg.Exec(t.Context(), "UPDATE jackdaw_schema SET version = 1000, compatible = 1000"); err != nil {
		t.Fatal(err)
	}
	openLater(t, data, "").ends("newer")
}

// TestLobbySaysItOnce: the same reason is logged once, another is logged too.
func TestLobbySaysItOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zapcore.DebugLevel)
		l := newLobby(zap.New(core))
		tries := 0
		port := 40000
		reset := func() error {
			port++
			return &net.OpError{Op: "read", Net: "tcp", Source: &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: port}, Addr: &net.TCPAddr{IP: net.IPv4(10, 0, 0, 2), Port: 5432}, Err: os.NewSyscallError("read", syscall.ECONNRESET)}
		}
		errs := []error{reset(), reset(), context.DeadlineExceeded, context.DeadlineExceeded, nil}
		if err := l.patiently(t.Context(), func(context.Context) error { tries++; return errs[tries-1] }); err != nil || tries != len(errs) {
			t.Fatalf("%v after %d tries", err, tries)
		}
		var said []string
		for _, e := range logs.All() {
			said = append(said, fmt.Sprintf("%v %s", e.Level, e.Message[:16]))
		}
		if got := strings.Join(said, ", "); got != "warn the store can't , warn the store can't , info the store can be" {
			t.Errorf("%s", got)
		}
		if *l.why.Load() != errStarting {
			t.Errorf("%v", *l.why.Load())
		}
		final := errors.New("the list of stores is another one")
		if err := l.patiently(t.Context(), func(context.Context) error { return final }); err != final {
			t.Errorf("%v", err)
		}
	})
}
