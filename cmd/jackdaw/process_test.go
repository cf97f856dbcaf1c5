package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/client"
	"github.com/jackdaw-im/jackdaw/config"
	"github.com/jackdaw-im/jackdaw/gateway"
	"github.com/jackdaw-im/jackdaw/internal/testnode"
)

// login logs in with the certificate in the data folder, verified.
func login(ctx context.Context, n *testnode.Node, data, jid, password string) (*client.Conn, error) {
	pem, err := os.ReadFile(filepath.Join(data, "certificate.pem"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, errors.New("no certificate")
	}
	return client.Dial(ctx, &client.Config{Addr: n.C2STLS, JID: jid, Password: password, TLS: client.TLSConfig(n.Domain, roots)})
}

// logsIn reports whether a login works, and closes it.
func logsIn(t *testing.T, n *testnode.Node, data, jid, password string) error {
	t.Helper()
	c, err := login(t.Context(), n, data, jid, password)
	if err == nil {
		_ = c.Close()
	}
	return err
}

// stop ends a server in order.
func stop(t *testing.T, n *testnode.Node) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second) // what is promised
	defer cancel()
	if err := n.Stop(ctx); err != nil {
		t.Errorf("%v\n%s", err, n.Output())
	}
}

// command runs a user command on the node's folder and returns what it printed.
func command(t *testing.T, n *testnode.Node, data string, args ...string) string {
	t.Helper()
	out, err := n.Command(t.Context(), append(append([]string{"user"}, args...), "--data", data)...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func made(t *testing.T, out string) string {
	t.Helper()
	_, password, ok := strings.Cut(strings.TrimSpace(out), "password: ")
	if !ok {
		t.Fatalf("no password in %q", out)
	}
	return password
}

func TestServe(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	n, err := testnode.New(testnode.Config{Data: data})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Kill)
	juliet := made(t, command(t, n, data, "add", "juliet@localhost", "--generate")) // before the server has ever run
	if err := n.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	romeo := made(t, command(t, n, data, "add", "romeo", "--generate")) // while it runs
	for jid, password := range map[string]string{"juliet@localhost": juliet, "romeo@localhost": romeo} {
		if err := logsIn(t, n, data, jid, password); err != nil {
			t.Errorf("%s: %v", jid, err)
		}
	}
	cfg := config.Default()
	cfg.Data = data
	cert, err := gateway.LoadCertificate(filepath.Join(data, "certificate.pem"), filepath.Join(data, "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Jackdaw serves localhost", n.C2S, n.C2STLS, "http://" + n.Admin, cert.Fingerprint(), "user add juliet@localhost --data " + data, "echo@localhost"} {
		if !strings.Contains(n.Output(), want) {
			t.Errorf("%q isn't told:\n%s", want, n.Output())
		}
	}

	// A new password counts at once, a removal ends the session.
	changed := made(t, command(t, n, data, "passwd", "romeo", "--generate"))
	if err := logsIn(t, n, data, "romeo@localhost", romeo); err == nil {
		t.Error("the old password still works")
	}
	c, err := login(t.Context(), n, data, "romeo@localhost", changed)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Run() }()
	command(t, n, data, "remove", "romeo")
	if err := <-ended; err == nil {
		t.Error("the session of a removed user ended in peace")
	}
	if err := n.Import(t.Context(), append(testnode.Users("u", "localhost", 3, "secret"), testnode.User{JID: "juliet@localhost", Password: "imported"})); err != nil {
		t.Error(err)
	}
	if err := errors.Join(logsIn(t, n, data, "u2@localhost", "secret"), logsIn(t, n, data, "juliet@localhost", "imported")); err != nil {
		t.Error(err)
	}
	if _, err := n.Command(t.Context(), "user", "add", "x@example.org", "--generate", "--data", data); err == nil || !strings.Contains(err.Error(), "this server serves localhost") {
		t.Errorf("a user of another domain: %v", err)
	}
	if out := command(t, n, data, "list"); strings.Count(out, "\n") != 4 {
		t.Errorf("list %q", out)
	}

	// kill -9 leaves the socket behind; the folder is changed directly, and the next server goes on.
	n.Kill()
	paris := made(t, command(t, n, data, "add", "paris", "--generate"))
	if err := n.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := logsIn(t, n, data, "paris@localhost", paris); err != nil {
		t.Error(err)
	}
	stop(t, n)
}

func TestReloadsItsCertificate(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "c.pem"), filepath.Join(dir, "k.pem")
	renew := func() string {
		_ = os.Remove(cert) // isn't there at first
		_ = os.Remove(key)
		c, err := gateway.EnsureCertificate(cert, key, "localhost", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return c.Fingerprint()
	}
	first := renew()
	file := filepath.Join(dir, "jackdaw.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, "certificate: %s\nkey: %s\n", cert, key), 0o600); err != nil {
		t.Fatal(err)
	}
	n := testnode.Run(t, testnode.Config{Args: []string{"--config", file}}, nil)
	if got := presented(t, n.C2STLS); got != first {
		t.Fatalf("presents %s and not %s", got, first)
	}
	second := renew()
	if err := syscall.Kill(n.PID(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for presented(t, n.C2STLS) != second { // the test's own time limit ends it
		if n.PID() == 0 {
			t.Fatal("the server ended")
		}
	}
	if err := os.WriteFile(key, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(n.PID(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for !strings.Contains(n.Output(), "certificate not reloaded") {
		if got := presented(t, n.C2STLS); got != second {
			t.Fatalf("presents %s and not %s", got, second)
		}
	}
	stop(t, n)
}

// presented is the fingerprint of the certificate that an address presents.
func presented(t *testing.T, addr string) string {
	t.Helper()
	c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }() // nothing was sent
	sum := sha256.Sum256(c.ConnectionState().PeerCertificates[0].Raw)
	return strings.ReplaceAll(fmt.Sprintf("% X", sum[:]), " ", ":")
}

// TestDrainsWithClients: a server with clients that stay ends in time, and they are told.
func TestDrainsWithClients(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	n := testnode.Run(t, testnode.Config{Data: data}, testnode.Users("u", "localhost", 1, "secret"))
	c, err := login(t.Context(), n, data, "u0@localhost", "secret")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Run() }()
	silent, err := net.Dial("tcp", n.C2S)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }() // the server did already
	stop(t, n)
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "system-shutdown") {
		t.Errorf("the client was told %v", err)
	}
}

func TestWhatCanNotStart(t *testing.T) {
	binary, err := testnode.Build(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }() // nobody has come
	port := taken.Addr().String()
	running := testnode.Run(t, testnode.Config{Data: filepath.Join(t.TempDir(), "data")}, nil)
	missing := filepath.Join(t.TempDir(), "none.pem")
	for _, c := range []struct {
		name    string
		args    string
		env     string
		prepare func(t *testing.T, data string)
		want    []string
	}{
		{"a port in use (STARTTLS)", "--c2s " + port, "", nil, []string{port + " is in use", "--c2s"}},
		{"a port in use (direct TLS)", "--c2s-tls " + port, "", nil, []string{port + " is in use", "--c2s-tls"}},
		{"a port in use (administration)", "--admin " + port, "", nil, []string{port + " is in use", "--admin"}},
		{"an address of somebody else", "--c2s 203.0.113.1:5222", "", nil, []string{"203.0.113.1:5222", "--c2s"}},
		{"no certificate", "", "JACKDAW_CERTIFICATE=" + missing + " JACKDAW_KEY=" + missing, nil, []string{"certificate " + missing, "no such file"}},
		{"half a certificate", "", "JACKDAW_CERTIFICATE=" + missing, nil, []string{"certificate and key go together"}},
		{"a broken certificate", "", "", breakCertificate, []string{"certificate.pem", "can't be used"}},
		{"a second process", "--data " + filepath.Dir(runningSocket(t, running)), "", nil, []string{"another process uses this data folder", "process " + fmt.Sprint(running.PID())}},
		{"a corrupt folder", "", "", func(t *testing.T, data string) { corrupt(t, data) }, []string{"stored data is damaged", "restore a backup"}},
		{"a newer folder", "", "", newer, []string{"newer version of jackdaw"}},
		{"a folder that is a file", "", "", func(t *testing.T, data string) { write(t, data, "") }, []string{"data folder"}},
		{"an unknown key", "--config " + configFile(t), "", nil, []string{"jackdaw.yaml:2: unknown key colour"}},
		{"an unknown variable", "", "JACKDAW_COLOUR=blue", nil, []string{"JACKDAW_COLOUR"}},
		{"a domain that is none", "--domain exa..mple", "", nil, []string{"exa..mple"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			data := filepath.Join(t.TempDir(), "data")
			if c.prepare != nil {
				c.prepare(t, data)
			}
			free := []string{"serve", "--data", data, "--c2s", "127.0.0.1:0", "--c2s-tls", "127.0.0.1:0", "--admin", "127.0.0.1:0"}
			cmd := exec.CommandContext(t.Context(), binary, append(free, strings.Fields(c.args)...)...)
			cmd.Env = append(os.Environ(), strings.Fields(c.env)...)
			var stdout, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			var exit *exec.ExitError
			if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != exitFailure {
				t.Fatalf("%v\n%s%s", err, &stdout, &stderr)
			}
			if stdout.Len() > 0 || strings.Count(stderr.String(), "\n") != 1 || !strings.HasPrefix(stderr.String(), "jackdaw: ") {
				t.Errorf("not one line:\n%s%s", &stdout, &stderr)
			}
			for _, want := range c.want {
				if !strings.Contains(stderr.String(), want) {
					t.Errorf("%q isn't told: %s", want, &stderr)
				}
			}
		})
	}
	resp, err := http.Get("http://" + running.Admin + "/readyz")
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("the first server suffers: %v, %v", resp, err)
	}
	_ = resp.Body.Close() // nothing is read
}

// TestFullDisk: a server whose disk is nearly full runs, says so, and takes nothing new.
func TestFullDisk(t *testing.T) {
	data, file := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "jackdaw.yaml")
	filled(t, data)
	write(t, file, "store:\n  stop_below: 4000TiB\n  resume_above: 4000TiB\n") // more than any disk has
	n, err := testnode.New(testnode.Config{Data: data, Args: []string{"--config", file}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Kill)
	if err := n.Process.Start(); err != nil { // Node.Start would wait until it is ready
		t.Fatal(err)
	}
	for !strings.Contains(n.Output(), "echo@localhost") { // the test's own time limit ends it
		if n.PID() == 0 {
			t.Fatal(n.Output())
		}
	}
	resp, err := http.Get("http://" + n.Admin + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close() // read to its end
	if err != nil || resp.StatusCode != http.StatusServiceUnavailable || !strings.HasPrefix(string(body), "not ready: store full: ") || strings.Count(string(body), "\n") != 1 {
		t.Errorf("%d %q, %v", resp.StatusCode, body, err)
	}
	if _, err := n.Command(t.Context(), "user", "add", "b@localhost", "--generate", "--data", data); err == nil || !strings.Contains(err.Error(), "disk is nearly full") {
		t.Errorf("a new user: %v", err)
	}
	if err := logsIn(t, n, data, "a@localhost", "x"); err != nil {
		t.Errorf("who is there can't log in: %v", err)
	}
	stop(t, n)
}

// runningSocket is the socket of a running node.
func runningSocket(t *testing.T, n *testnode.Node) string {
	t.Helper()
	for !strings.Contains(n.Output(), "Stop: ") { // it is ready before it has told all; the test's own time limit ends it
		if n.PID() == 0 {
			t.Fatal(n.Output())
		}
	}
	_, after, _ := strings.Cut(n.Output(), "its data is in ")
	data, _, _ := strings.Cut(after, "\n")
	socket := filepath.Join(data, "jackdaw.sock")
	if info, err := os.Stat(socket); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v: %v", socket, err)
	}
	return socket
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func configFile(t *testing.T) string {
	file := filepath.Join(t.TempDir(), "jackdaw.yaml")
	write(t, file, "domain: localhost\ncolour: blue\n")
	return file
}

// filled makes a data folder with a user in it and returns its store's folder.
func filled(t *testing.T, data string) string {
	t.Helper()
	if code, _, stderr := (folder{t, data}).user(newTyped("x"), "add", "a@localhost", "--password-stdin"); code != exitOK {
		t.Fatal(stderr)
	}
	return filepath.Join(data, "store")
}

func breakCertificate(t *testing.T, data string) {
	filled(t, data)
	write(t, filepath.Join(data, "certificate.pem"), "garbage")
	write(t, filepath.Join(data, "key.pem"), "garbage")
}

// corrupt damages the file that says which data is valid.
func corrupt(t *testing.T, data string) {
	manifests, err := filepath.Glob(filepath.Join(filled(t, data), "MANIFEST-*"))
	if err != nil || len(manifests) == 0 {
		t.Fatal(manifests, err)
	}
	for _, m := range manifests {
		write(t, m, strings.Repeat("damaged ", 100))
	}
}

// newer makes a folder look as if a later version had written it.
func newer(t *testing.T, data string) {
	markers, err := filepath.Glob(filepath.Join(filled(t, data), "marker.format-version.*"))
	if err != nil || len(markers) == 0 {
		t.Fatal(markers, err)
	}
	for _, m := range markers {
		parts := strings.Split(m, ".")
		parts[len(parts)-1] = "999"
		if err := os.Rename(m, strings.Join(parts, ".")); err != nil {
			t.Fatal(err)
		}
	}
}

// TestUserOnACorruptFolder: the commands say it as clearly as the server.
func TestUserOnACorruptFolder(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	corrupt(t, data)
	code, out, stderr := (folder{t, data}).user(newTyped(""), "list")
	if code != exitFailure || out != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "stored data is damaged") {
		t.Errorf("%d %q %q", code, out, stderr)
	}
}
