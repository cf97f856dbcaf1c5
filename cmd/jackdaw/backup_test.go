package main

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/client"
	"github.com/jackdaw-im/jackdaw/internal/testnode"
	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/store/pebblestore"
	"github.com/jackdaw-im/jackdaw/store/storetest"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

// fill makes a data folder whose store holds some of everything.
func fill(t *testing.T, data string) {
	t.Helper()
	e, err := pebblestore.Open("pebble:"+filepath.Join(data, "store"), pebblestore.Options{Ballast: -1})
	if err != nil {
		t.Fatal(err)
	}
	storetest.Fill(t, e, 12)
	if err := e.Directory().Accounts().Create(&store.Account{User: "late@x"}); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

// succeeds runs a command that should.
func succeeds(t *testing.T, args ...string) string {
	t.Helper()
	code, out, stderr := call(args...)
	if code != exitOK {
		t.Fatalf("%s: %d %q %q", strings.Join(args, " "), code, out, stderr)
	}
	return out
}

// fails runs a command that shouldn't succeed, and looks for words in what it says.
func fails(t *testing.T, code int, words string, args ...string) {
	t.Helper()
	got, out, stderr := call(args...)
	if got != code || !strings.Contains(stderr, words) {
		t.Errorf("%s: %d %q %q, want %d and %q", strings.Join(args, " "), got, out, stderr, code, words)
	}
}

func TestBackupAndRestoreOfAFolder(t *testing.T) {
	dir := t.TempDir()
	data, copied, again := filepath.Join(dir, "data"), filepath.Join(dir, "copy"), filepath.Join(dir, "again")
	fails(t, exitFailure, "--data", "backup", copied, "--data", data)
	fill(t, data)
	if err := os.WriteFile(filepath.Join(data, "secret"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := succeeds(t, "store", "check", "--data", data)
	fails(t, exitUsage, "inside", "backup", filepath.Join(data, "b"), "--data", data)
	fails(t, exitUsage, "one folder", "backup", "--data", data)
	if out := succeeds(t, "backup", copied, "--data", data); !strings.HasPrefix(out, "backed up ") {
		t.Errorf("backup says %q", out)
	}
	fails(t, exitFailure, "not empty", "backup", copied, "--data", data)
	fails(t, exitFailure, "not empty", "restore", copied, "--data", data)
	fails(t, exitFailure, "no complete backup", "restore", data, "--data", again)
	out := succeeds(t, "restore", copied, "--data", again)
	if !strings.Contains(out, "marked ") || strings.Contains(out, "marked 0 ") {
		t.Errorf("restore says %q", out)
	}
	after := succeeds(t, "store", "check", "--data", again)
	if cut(before, "mail") != cut(after, "mail") || cut(before, "mail") == "" {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	if text, err := os.ReadFile(filepath.Join(again, "secret")); err != nil || string(text) != "secret" {
		t.Errorf("secret %q, %v", text, err)
	}
	for _, name := range []string{"checkpoint", "checkpoint.lock"} {
		if _, err := os.Stat(filepath.Join(copied, name)); err == nil {
			t.Errorf("%s is in the backup", name)
		}
	}
	if _, err := os.Stat(filepath.Join(data, "checkpoint")); err == nil {
		t.Error("a checkpoint was left behind")
	}
}

// cut returns the lines of a report behind the first, without the part that a restoration changes.
func cut(report, part string) string {
	var out []string
	for i, line := range strings.Split(report, "\n") {
		if f := strings.Fields(line); i > 0 && len(f) > 0 && f[0] != part {
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}

// dial logs in with the certificate in the data folder, with stream management.
func dial(t *testing.T, n *testnode.Node, data string, cfg client.Config) (c *client.Conn, ended <-chan error) {
	t.Helper()
	pem, err := os.ReadFile(filepath.Join(data, "certificate.pem"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	cfg.Addr, cfg.Password, cfg.TLS, cfg.Management = n.C2STLS, "secret", client.TLSConfig(n.Domain, roots), true
	if c, err = client.Dial(t.Context(), &cfg); err != nil {
		t.Fatal(err)
	}
	end := make(chan error, 1)
	go func() { end <- c.Run() }()
	return c, end
}

// visit logs in, waits for a message, acknowledges it, and returns its body and how to resume the stream.
func visit(t *testing.T, n *testnode.Node, data string, resume *client.Resumption) (body string, r client.Resumption, resumed bool) {
	t.Helper()
	got := make(chan string, 10)
	c, ended := dial(t, n, data, client.Config{JID: "u1@localhost/phone", Resume: resume, OnStanza: func(_ *client.Conn, e *xmpp.Element) {
		if b := e.Child("jabber:client", "body"); b != nil {
			got <- b.Text()
		}
	}})
	if err := c.Presence(0); err != nil {
		t.Fatal(err)
	}
	select {
	case body = <-got:
	case <-time.After(10 * time.Second):
		t.Error("the message doesn't come")
	}
	if err := c.RequestAck(); err != nil {
		t.Error(err)
	}
	if err := c.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	c.Cut()
	<-ended
	r, _ = c.Resumption()
	return body, r, c.Resumed()
}

// TestBackupOfARunningServer: the server goes on. What it had acknowledged is in the backup; a message that was delivered
// after it is delivered once more by the restored server, which knows nothing of the old one's streams.
func TestBackupOfARunningServer(t *testing.T) {
	dir := t.TempDir()
	data, copied, again := filepath.Join(dir, "data"), filepath.Join(dir, "copy"), filepath.Join(dir, "again")
	n := testnode.Run(t, testnode.Config{Data: data}, testnode.Users("u", "localhost", 2, "secret"))
	acked := make(chan struct{}, 10)
	sender, ended := dial(t, n, data, client.Config{JID: "u0@localhost", OnAck: func(*client.Conn, []client.Sent) { acked <- struct{}{} }})
	if err := sender.SendMessage(&client.Message{To: "u1@localhost", OriginID: "one", Body: "once or twice"}, nil); err != nil {
		t.Fatal(err)
	}
	if err := sender.RequestAck(); err != nil {
		t.Fatal(err)
	}
	<-acked
	own := func(args ...string) string {
		t.Helper()
		out, err := n.Command(t.Context(), append(args, "--data", data)...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if out := own("store", "check"); !strings.Contains(strings.Join(strings.Fields(out), " "), " mail 1 ") {
		t.Errorf("the server's store: %s", out)
	}
	own("backup", copied)
	own("user", "add", "later", "--generate")
	if _, err := os.Stat(filepath.Join(data, "checkpoint")); err == nil {
		t.Error("a checkpoint was left behind")
	}
	body, stream, _ := visit(t, n, data, nil)
	if body != "once or twice" {
		t.Errorf("the message is %q", body)
	}
	stop(t, n)
	<-ended
	succeeds(t, "restore", copied, "--data", again)
	n = testnode.Run(t, testnode.Config{Data: again}, nil)
	body, _, resumed := visit(t, n, again, &stream)
	if resumed || body != "once or twice" {
		t.Errorf("the restored server resumes %v and delivers %q", resumed, body)
	}
	if list := command(t, n, again, "list"); strings.Contains(list, "later") || !strings.Contains(list, "u1@localhost") {
		t.Errorf("users of the backup: %q", list)
	}
	stop(t, n)
}
