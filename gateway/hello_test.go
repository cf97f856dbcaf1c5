package gateway

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"
)

// clientHello is what crypto/tls sends first.
func clientHello(t *testing.T) []byte {
	t.Helper()
	client, server := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = tls.Client(client, &tls.Config{ServerName: "localhost"}).Handshake() // fails: nobody answers
	}()
	defer func() {
		client.Close()
		server.Close()
		<-done
	}()
	hello, err := readHello(server)
	if err != nil {
		t.Fatal(err)
	}
	return hello
}

// inRecords cuts a handshake message into records of n bytes.
func inRecords(record []byte, n int) []byte {
	var out []byte
	for body := record[5:]; len(body) > 0; {
		m := min(n, len(body))
		out = append(out, record[0], record[1], record[2], byte(m>>8), byte(m))
		out = append(out, body[:m]...)
		body = body[m:]
	}
	return out
}

func TestHelloComplete(t *testing.T) {
	hello := clientHello(t)
	if len(hello) < 200 {
		t.Fatalf("only %d bytes", len(hello))
	}
	for _, in := range [][]byte{hello, inRecords(hello, 1), inRecords(hello, 3), inRecords(hello, 700)} {
		for i := range in {
			if helloComplete(in[:i]) {
				t.Fatalf("complete after %d of %d bytes", i, len(in))
			}
		}
		if !helloComplete(in) || !helloComplete(append(in, 1, 2, 3)) {
			t.Fatalf("not complete after all %d bytes", len(in))
		}
	}
	for _, in := range []string{"GET / HTTP/1.1\r\n", "<", "\x15\x03\x01\x00\x02\x01\x00", "\x16\x03\x01\x00\x01\x01\x17"} {
		if !helloComplete([]byte(in)) {
			t.Errorf("waits for more after %q, which is no ClientHello", in)
		}
	}
	if helloComplete([]byte("\x16\x03\x01\x00\x00\x16\x03\x01\x00\x00")) {
		t.Error("empty records are a ClientHello")
	}
}

func TestReadHello(t *testing.T) {
	hello := clientHello(t)
	for _, c := range []struct {
		name string
		in   []byte
		n    int
		err  error
	}{
		{"byte by byte", hello, 1, nil},
		{"at once", hello, len(hello), nil},
		{"in many records", inRecords(hello, 1), 1000, nil},
		{"without an end", bytes.Repeat([]byte{22, 3, 1, 0, 0}, maxHello), 1000, errHello},
		{"cut off", hello[:100], 100, io.EOF},
	} {
		client, server := net.Pipe()
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer client.Close()
			for in := c.in; len(in) > 0; {
				n := min(c.n, len(in))
				if _, err := client.Write(in[:n]); err != nil {
					return // the reader has had enough
				}
				in = in[n:]
			}
		}()
		got, err := readHello(server)
		server.Close()
		<-done
		if !errors.Is(err, c.err) || err == nil && !bytes.Equal(got, c.in) {
			t.Errorf("%s: %d of %d bytes, %v", c.name, len(got), len(c.in), err)
		}
	}
}
