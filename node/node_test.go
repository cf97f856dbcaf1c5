package node

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/admin"
	"github.com/jackdaw-im/jackdaw/client"
	"github.com/jackdaw-im/jackdaw/config"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store/memstore"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testConfig is a server on free ports.
func testConfig(t *testing.T) *config.Config {
	cfg := config.Default()
	cfg.Data, cfg.C2S, cfg.C2STLS, cfg.Admin = t.TempDir(), "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	return cfg
}

// memory is an empty store.
func memory(t *testing.T) *memstore.Engine {
	t.Helper()
	e, err := memstore.Open("mem:", memstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// stopAtEnd stops a node when its test ends.
func stopAtEnd(t *testing.T, n *Node) {
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := n.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
}

// startNode starts a node on a store in memory, with users.
func startNode(t *testing.T, cfg *config.Config, users ...string) *Node {
	t.Helper()
	n, err := OpenOn(cfg, zap.NewNop(), memory(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(); err != nil {
		t.Fatal(err)
	}
	stopAtEnd(t, n)
	for _, name := range users {
		u, err := admin.NewUser(ident.UserID(name), "secret")
		if err == nil {
			err = n.Users().Create(t.Context(), u)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// inbox collects the bodies of messages.
type inbox struct {
	t  *testing.T
	ch chan string
}

func (i *inbox) stanza(_ *client.Conn, e *xmpp.Element) {
	if e.Name != "message" {
		return
	}
	body := e.Child("jabber:client", "body").Text()
	if e.Child("urn:xmpp:delay", "delay") != nil {
		body += " (late)"
	}
	i.ch <- e.Attr("type") + " " + e.Attr("from") + ": " + body
}

func (i *inbox) want(texts ...string) {
	i.t.Helper()
	for _, text := range texts {
		select {
		case got := <-i.ch:
			if got != text {
				i.t.Fatalf("got %q, want %q", got, text)
			}
		case <-time.After(20 * time.Second):
			i.t.Fatalf("%q never came", text)
		}
	}
}

// login connects a user.
func login(t *testing.T, n *Node, jid string, cfg client.Config) (*client.Conn, *inbox) {
	t.Helper()
	in := &inbox{t: t, ch: make(chan string, 100)}
	cfg.Addr, cfg.JID, cfg.Password, cfg.OnStanza = n.Listening().C2STLS, jid, "secret", in.stanza
	if cfg.Security == client.StartTLS {
		cfg.Addr = n.Listening().C2S
	}
	cfg.TLS = client.TLSConfig("localhost", nil)
	cfg.TLS.InsecureSkipVerify = true // it is its own, made by the node
	conn, err := client.Dial(t.Context(), &cfg)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = conn.Run() }()
	t.Cleanup(func() { conn.Cut(); <-ended })
	if err := conn.Presence(0); err != nil {
		t.Fatal(err)
	}
	return conn, in
}

func send(t *testing.T, c *client.Conn, to, body string) {
	t.Helper()
	if err := c.SendMessage(&client.Message{To: to, Type: "chat", Body: body}, nil); err != nil {
		t.Fatal(err)
	}
}

func TestTwoUsersAndAnEcho(t *testing.T) {
	n := startNode(t, testConfig(t), "juliet@localhost", "romeo@localhost")
	juliet, in := login(t, n, "juliet@localhost/balcony", client.Config{Management: true, Security: client.StartTLS})
	send(t, juliet, "romeo@localhost", "Wherefore art thou?")
	send(t, juliet, "romeo@localhost", "🌹")
	send(t, juliet, "echo@localhost", "anybody?")
	in.want("chat echo@localhost: anybody?")
	romeo, his := login(t, n, "romeo@localhost/garden", client.Config{Management: true})
	his.want("chat juliet@localhost/balcony: Wherefore art thou? (late)", "chat juliet@localhost/balcony: 🌹 (late)")
	send(t, romeo, "juliet@localhost/balcony", "Here.")
	in.want("chat romeo@localhost/garden: Here.")
	send(t, juliet, "tybalt@localhost", "hello?")
	in.want("error tybalt@localhost: ") // an error carries what it is about, not what was said
}

func TestTreeIsAsPrinted(t *testing.T) {
	n := startNode(t, testConfig(t))
	tree, err := n.Tree(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const want = `jackdaw (supervisor)
  admin (permanent)
  memory (permanent)
  messaging (supervisor)
    router (permanent)
    peers (supervisor)
    lanes (supervisor)
      mail-0 (permanent)
      mail-1 (permanent)
      mail-2 (permanent)
      mail-3 (permanent)
      directory-0 (permanent)
      directory-1 (permanent)
      walker (permanent)
    mailboxes (dynamic, 64 partitions, 0 children)
    accounts (dynamic, 64 partitions, 0 children)
    services (supervisor)
      echo (permanent)
    share (permanent)
    sessions (dynamic, 64 partitions, 0 children)
    keepers (dynamic, 1 partitions, 1 children)
    keeper (permanent)
    gateway (permanent)
    operations (supervisor)
`
	if got := tree.String(); got != want {
		t.Errorf("the tree is\n%swant\n%s", got, want)
	}
}

func TestHealthReadinessAndMetrics(t *testing.T) {
	n := startNode(t, testConfig(t), "juliet@localhost")
	login(t, n, "juliet@localhost/balcony", client.Config{})
	get := func(path string) (int, string) {
		resp, err := http.Get("http://" + n.Listening().Admin + path)
		if err != nil {
			t.Fatal(err)
		}
		defer http.DefaultClient.CloseIdleConnections()
		var b strings.Builder
		_ = resp.Write(&b) // only to look at
		return resp.StatusCode, b.String()
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		if code, text := get(path); code != http.StatusOK {
			t.Errorf("%s: %d %s", path, code, text)
		}
	}
	_, metrics := get("/metrics")
	for _, line := range []string{`jackdaw_logins_total{result="ok"} 1`, "jackdaw_connections 1", `jackdaw_actors{kind="session"} 1`} {
		if !strings.Contains(metrics, line) {
			t.Errorf("no %q in the metrics", line)
		}
	}
	n.phase.Store(draining)
	if code, text := get("/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(text, "draining") {
		t.Errorf("/readyz while draining: %d %s", code, text)
	}
	if code, _ := get("/healthz"); code != http.StatusOK {
		t.Errorf("/healthz while draining: %d", code)
	}
}

func TestPortInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	cfg := testConfig(t)
	cfg.C2S = l.Addr().String()
	n, err := OpenOn(cfg, zap.NewNop(), memory(t))
	if err != nil {
		t.Fatal(err)
	}
	if err = n.Start(); err == nil || !strings.Contains(err.Error(), cfg.C2S) || !strings.Contains(err.Error(), "--c2s") {
		t.Fatalf("got %v", err)
	}
}

func TestStopTellsClients(t *testing.T) {
	n, err := OpenOn(testConfig(t), zap.NewNop(), memory(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(); err != nil {
		t.Fatal(err)
	}
	u, err := admin.NewUser("juliet@localhost", "secret")
	if err == nil {
		err = n.Users().Create(t.Context(), u)
	}
	if err != nil {
		t.Fatal(err)
	}
	juliet, _ := login(t, n, "juliet@localhost/balcony", client.Config{Management: true})
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := n.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	<-juliet.Done()
	if got := fmt.Sprint(juliet.Err()); !strings.Contains(got, "system-shutdown") {
		t.Errorf("the client heard %s", got)
	}
	if n.Ready() == nil {
		t.Error("a stopped node is ready")
	}
}

func TestBadDomain(t *testing.T) {
	for _, domain := range []string{"a@b", "a/b", ""} {
		cfg := testConfig(t)
		cfg.Domain = domain
		if _, err := OpenOn(cfg, zap.NewNop(), memory(t)); err == nil {
			t.Errorf("%q is taken for a domain", domain)
		}
	}
	cfg := testConfig(t)
	cfg.Domain = "Example.ORG"
	n := startNode(t, cfg)
	if n.cfg.Domain != "example.org" {
		t.Errorf("the domain is served as %q", n.cfg.Domain)
	}
}
