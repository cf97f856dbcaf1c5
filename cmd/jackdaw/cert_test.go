package main

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/cluster/trust"
)

// cert runs `jackdaw cert`, which must succeed and show no key.
func cert(t *testing.T, want string, args ...string) string {
	t.Helper()
	code, out, stderr := call(append([]string{"cert"}, args...)...)
	if code != exitOK || stderr != "" || !strings.Contains(out, want) || strings.Contains(out, "PRIVATE") {
		t.Fatalf("cert %q: %d, %q, %q; want %q", args, code, out, stderr, want)
	}
	return out
}

// handNode is a node with copies of files made by hand.
func handNode(t *testing.T, name, authority string, b *trust.Bundle) (live *trust.Live, bundle string, update func()) {
	t.Helper()
	mine := t.TempDir()
	files := &trust.Files{Authorities: filepath.Join(mine, "ca.pem"), Certificate: filepath.Join(mine, name+".pem"), Key: filepath.Join(mine, name+".key")}
	copies := func() {
		for _, file := range []string{files.Authorities, files.Certificate, files.Key} {
			text, err := os.ReadFile(filepath.Join(authority, filepath.Base(file)))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	copies()
	bundle = filepath.Join(mine, "bundle.json")
	live, err := trust.Create(trust.Options{File: bundle, Name: name, Files: files}, b)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(live.Close)
	return live, bundle, func() {
		copies()
		if err := live.Tick(); err != nil {
			t.Error(err)
		}
	}
}

// meet makes a connection from one node to the other.
func meet(t *testing.T, server, client *trust.Live) {
	t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", server.ServerTLS("test"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	served := make(chan error, 1)
	go func() {
		conn, err := listener.Accept()
		if err == nil {
			_, err = conn.Write([]byte("x"))
			_ = conn.Close()
		}
		served <- err
	}()
	conn, err := tls.Dial("tcp", listener.Addr().String(), client.ClientTLS(server.Name(), "test"))
	if err == nil {
		_, err = conn.Read(make([]byte, 1))
		_ = conn.Close()
	}
	if server := <-served; err != nil || server != nil {
		t.Errorf("client %v, server %v", err, server)
	}
}

// TestCertByHand makes certificates and rotates their authority. At each step nodes come together, also while only one has its files.
func TestCertByHand(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "authority")
	cert(t, "authority 1 ", "ca", dir)
	nodes := func() {
		for _, name := range []string{"n1", "n2"} {
			cert(t, "node "+name+"\n", "node", name, "--ca", dir)
		}
	}
	nodes()
	b, err := trust.New("test", []trust.DSN{"postgres://ada:hunter2@db/mail"}, "", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	n1, bundle, update1 := handNode(t, "n1", dir, b)
	n2, _, update2 := handNode(t, "n2", dir, b)
	for _, want := range []string{"Step 1 of 3", "Step 2 of 3", "Step 3 of 3"} {
		cert(t, want, "rotate", dir)
		if want == "Step 2 of 3" {
			nodes()
		}
		for _, update := range []func(){update1, update2} {
			update()
			meet(t, n1, n2)
			meet(t, n2, n1)
		}
	}
	if out := cert(t, "authority 2 ", "show", filepath.Join(dir, "ca.pem"), filepath.Join(dir, "n1.pem")); strings.Contains(out, "authority 1 ") {
		t.Errorf("the old authority is left:\n%s", out)
	}
	if out := cert(t, "store        0 postgres://ada:(secret)@db/mail\n", "show", bundle); strings.Contains(out, "hunter2") {
		t.Errorf("%s", out)
	}
	for file, mode := range map[string]os.FileMode{"ca.pem": 0o644, "ca.key": 0o600, "n1.pem": 0o644, "n1.key": 0o600} {
		if info, err := os.Stat(filepath.Join(dir, file)); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, %v", file, info.Mode(), err)
		}
	}
}

func TestCertNode(t *testing.T) {
	dir, out := filepath.Join(t.TempDir(), "authority"), filepath.Join(t.TempDir(), "n1")
	cert(t, "", "ca", dir)
	id := strings.Repeat("ab", 16)
	last := time.Now().AddDate(0, 0, 10).UTC().Format(time.DateOnly)
	cert(t, "node n1 of cluster "+id+"\n", "node", "n1", "--ca", dir, "--out", out, "--days", "10", "--cluster", id)
	cert(t, "to "+last+"\n", "show", filepath.Join(out, "n1.pem"))
	if err := os.Rename(filepath.Join(dir, "ca.key"), filepath.Join(dir, "elsewhere")); err != nil {
		t.Fatal(err)
	}
	nonsense := filepath.Join(out, "nonsense")
	if err := os.WriteFile(nonsense, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		code int
		want string
		args []string
	}{
		{exitFailure, "there is a ca.pem in", []string{"ca", dir}},
		{exitFailure, "the key of the authority that signs is not in", []string{"node", "n2", "--ca", dir}},
		{exitFailure, "the key of the authority that signs is not in", []string{"rotate", dir}},
		{exitFailure, "ca.pem", []string{"node", "n2", "--ca", out}},
		{exitFailure, "no such file", []string{"show", filepath.Join(out, "none")}},
		{exitFailure, "no bundle either", []string{"show", nonsense}},
		{exitUsage, "one folder is needed", []string{"ca"}},
		{exitUsage, "one folder is needed", []string{"rotate", "a", "b"}},
		{exitUsage, "one node's name is needed", []string{"node"}},
		{exitUsage, "can't be a node's name", []string{"node", "N1"}},
		{exitUsage, "can't be a node's name", []string{"node", "../n1"}},
		{exitUsage, "must be 1 to 3650", []string{"node", "n1", "--days", "0"}},
		{exitUsage, "a file is needed", []string{"show"}},
	} {
		code, stdout, stderr := call(append([]string{"cert"}, c.args...)...)
		if code != c.code || stdout != "" || !strings.Contains(stderr, c.want) {
			t.Errorf("cert %q: %d, %q, %q; want %q", c.args, code, stdout, stderr, c.want)
		}
	}
}
