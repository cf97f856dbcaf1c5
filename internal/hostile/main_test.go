//go:build !race

package hostile

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/client"
	"github.com/jackdaw-im/jackdaw/internal/testnode"
	"github.com/jackdaw-im/jackdaw/xmpp/sasl"
)

const (
	domain   = "localhost"
	password = "Pässword 1"
	// accounts is how many there are on one server; every test takes some for itself.
	accounts = 160
	// patience is how long anything that has to happen may take. Tests that pass hardly wait.
	patience = 50 * time.Second
	// pollEvery is how often a condition is looked at that can't wake its waiter.
	pollEvery = 10 * time.Millisecond
)

// What differs from the defaults: on both servers what one mailbox takes, so that filling one takes no minutes, and on the strict one
// deadlines and rate, too.
const (
	roomMessages = 600
	roomShare    = roomMessages / 5 // of one sender
	roomStranger = 100

	usualConfig  = "mailbox:\n  messages: 600\n"
	strictConfig = usualConfig + "limits:\n  stanzas: 100\nsession:\n  idle_ping: 10s\n  ping_timeout: 1s\n  resume_time: 3s\n"
)

// server is one running server.
type server struct {
	*testnode.Node
	tls   *tls.Config
	keys  *sasl.KeyCache
	taken atomic.Int32 // accounts given to tests
	// chatting are the accounts that show that others are served.
	chatting [2]string
	// waiting are the connections that say nothing, opened as soon as the server runs.
	waiting []*silent
}

// launcher starts a server when the first test asks for it.
type launcher struct {
	name, config string
	once         sync.Once
	srv          *server
	err          error
}

var (
	usual  = launcher{name: "usual", config: usualConfig}
	strict = launcher{name: "strict", config: strictConfig}
	// folder is for all that the tests write.
	folder string
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	var err error
	if folder, err = os.MkdirTemp("", "jackdaw-hostile-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(folder) }() // a temporary folder
	code := m.Run()
	for _, l := range []*launcher{&usual, &strict} {
		if l.srv == nil {
			continue
		}
		if l.srv.Kill(); code != 0 {
			fmt.Printf("the last output of the %s server:\n%s\n", l.name, l.srv.Output())
		}
	}
	_ = testnode.RemoveBuild() // a temporary folder
	return code
}

// get returns the server, which it starts for the first test.
func (l *launcher) get(t *testing.T) *server {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a server")
	}
	for _, other := range []*launcher{&usual, &strict} { // both at once: their silent clients wait from then on
		other.once.Do(func() {
			other.err = errors.New("the server has not been started")
			other.srv, other.err = other.start(keeper{t})
		})
	}
	if l.err != nil {
		t.Fatal(l.err)
	}
	if l.srv.PID() == 0 {
		t.Fatal("the server has ended")
	}
	return l.srv
}

// keeper is a test whose end leaves open what it has opened.
type keeper struct{ testing.TB }

// Cleanup doesn't: TestMain ends the servers.
func (keeper) Cleanup(func()) {}

func (l *launcher) start(t testing.TB) (*server, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute) // it may have to be built
	defer cancel()
	data, config := filepath.Join(folder, l.name), filepath.Join(folder, l.name+".yaml")
	if err := os.WriteFile(config, []byte(l.config), 0o600); err != nil {
		return nil, err
	}
	node, err := testnode.New(testnode.Config{Data: data, Domain: domain, Args: []string{"--config", config}})
	if err != nil {
		return nil, err
	}
	if err := node.Start(ctx); err != nil {
		return nil, err
	}
	s := &server{Node: node, keys: sasl.NewKeyCache()}
	pem, err := os.ReadFile(filepath.Join(data, "certificate.pem"))
	if err == nil {
		err = node.Import(ctx, testnode.Users("u", domain, accounts, password))
	}
	roots := x509.NewCertPool()
	if err == nil && !roots.AppendCertsFromPEM(pem) {
		err = fmt.Errorf("no certificate in %q", pem)
	}
	if err != nil {
		node.Kill()
		return nil, err
	}
	s.tls = client.TLSConfig(domain, roots)
	s.chatting = [2]string{s.account(t), s.account(t)}
	s.openSilent(t, l == &strict)
	return s, nil
}

// account returns the name of an account that no other test uses.
func (s *server) account(t testing.TB) string {
	t.Helper()
	n := s.taken.Add(1) - 1
	if n >= accounts {
		t.Fatal("no account is left: raise accounts")
	}
	return fmt.Sprintf("u%d", n)
}

// metric returns one value of /metrics; name has its labels.
func (s *server) metric(t testing.TB, name string) int {
	t.Helper()
	resp, err := http.Get("http://" + s.Admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // it is read
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				t.Fatal(err)
			}
			return int(n)
		}
	}
	t.Fatalf("no %s in\n%s", name, text)
	return 0
}

// rss is the server's resident memory in bytes.
func (s *server) rss(t testing.TB) int64 {
	t.Helper()
	usage, err := s.Usage()
	if err != nil {
		t.Fatal(err)
	}
	return usage.RSS
}

// eventually waits until the condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for !holds() {
		select {
		case <-ticker.C:
		case <-timeout.C:
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}
