package main

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRelay passes a message through a relay in this process, and looks at what is kept.
func TestRelay(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	log, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := certificate()
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r, done := &relay{log: log}, make(chan struct{})
	go func() { defer close(done); r.serve(l, cert) }()
	to, err := dial(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	from, err := dial(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(to, "r\x00\x00\x00\x07"); err != nil {
		t.Fatal(err)
	}
	for known := false; !known; {
		r.mu.Lock()
		known = r.recipients[7] != nil
		r.mu.Unlock()
	}
	if _, err := io.WriteString(from, "s\x00\x00\x00\x07"); err != nil {
		t.Fatal(err)
	}
	if err := send([]net.Conn{from}, 1000, 1); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 300)
	if _, err := io.ReadFull(to, got); err != nil || string(got) != strings.Repeat("x", 300) {
		t.Fatalf("%q, %v", got, err)
	}
	answer := make([]byte, 10)
	if _, err := io.ReadFull(from, answer); err != nil || string(answer) != "<a h='1'/>" {
		t.Fatalf("%q, %v", answer, err)
	}
	if kept, err := os.ReadFile(file); err != nil || len(kept) != 300 {
		t.Fatalf("%d bytes kept, %v", len(kept), err)
	}
	for _, c := range []io.Closer{from, to, l} {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	<-done
}
