package gateway

import (
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
)

// pipeHandler hands on what a transport says.
type pipeHandler struct {
	got      chan string
	writable chan struct{}
	closed   chan error
}

func (h *pipeHandler) Receive(p []byte) Pause {
	h.got <- string(p)
	return Pause{}
}
func (h *pipeHandler) Writable()        { h.writable <- struct{}{} }
func (h *pipeHandler) Closed(err error) { h.closed <- err }

// onPipe is a connection of the portable transport over a pipe, which neither has a descriptor nor can be half closed.
func onPipe(t *testing.T) (Conn, *pipeHandler, *tls.Conn) {
	t.Helper()
	r := newRig(t, nil)
	mine, theirs := net.Pipe()
	client := tls.Client(mine, &tls.Config{RootCAs: r.roots, ServerName: "localhost"})
	shaken := make(chan error)
	go func() { shaken <- client.Handshake() }()
	sock := newSocket(theirs)
	config := r.srv.direct.Clone()
	config.SessionTicketsDisabled = true // on a pipe, somebody would have to read them first
	server := tls.Server(sock, config)
	if err := server.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-shaken; err != nil {
		t.Fatal(err)
	}
	h := &pipeHandler{got: make(chan string, 100), writable: make(chan struct{}, 1), closed: make(chan error, 1)}
	var conn Conn
	if err := Portable().Start(&secureConn{Conn: server, sock: sock}, func(c Conn) (Handler, error) {
		conn = c
		return h, nil
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mine.Close() })
	return conn, h, client
}

func TestOnPipe(t *testing.T) {
	conn, h, client := onPipe(t)
	if _, err := io.WriteString(client, "hello"); err != nil {
		t.Fatal(err)
	}
	if got := <-h.got; got != "hello" {
		t.Fatalf("received %q", got)
	}
	long := strings.Repeat("x", 3*highMark)
	if backlog, err := conn.Write([]byte(long)); err != nil || backlog < len(long) {
		t.Fatalf("backlog %d of %d, %v", backlog, len(long), err)
	}
	if conn.Delivered() {
		t.Fatal("delivered, though nobody has read it")
	}
	got := make([]byte, len(long))
	if _, err := io.ReadFull(client, got); err != nil || string(got) != long {
		t.Fatal("the client got something else", err)
	}
	<-h.writable
	if _, err := conn.Write([]byte("bye")); err != nil {
		t.Fatal(err)
	}
	conn.Finish()
	if rest, err := io.ReadAll(client); err != nil || string(rest) != "bye" {
		t.Fatalf("the client read %q, %v; the connection: %v", rest, err, <-h.closed)
	}
	client.Close()
	if err := <-h.closed; err == nil {
		t.Fatal("closed without a reason")
	}
	if _, err := conn.Write([]byte("more")); err == nil {
		t.Fatal("written after the end")
	}
}

// TestBackLogIsBounded: whoever doesn't read gets no more than so much kept, and then the connection is gone.
func TestBacklogIsBounded(t *testing.T) {
	conn, h, _ := onPipe(t)
	chunk := make([]byte, 32<<10)
	kept := 0
	for {
		backlog, err := conn.Write(chunk)
		if err != nil {
			break
		}
		if kept = backlog; kept > maxTail+2*len(chunk) {
			t.Fatalf("%d bytes are kept", kept)
		}
	}
	if kept <= highMark {
		t.Fatalf("lost with %d bytes only", kept)
	}
	if err := <-h.closed; err != errSlow {
		t.Fatalf("closed with %v", err)
	}
}

// TestNoPauseAfterTheEnd: a reader that waits when its connection is ended goes on, and never waits again.
func TestNoPauseAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mine, theirs := net.Pipe()
		defer mine.Close()
		h := &pipeHandler{got: make(chan string, 100)}
		c := &portableConn{sock: newSocket(theirs), handler: h, resumed: make(chan struct{}, 1)}
		c.sock.nonblocking(h.Writable, c.Resume)
		waited := 0
		go func() {
			for range 3 { // a bubble in which this waits for ever fails
				c.pause(Pause{UntilResume: true})
				waited++
			}
		}()
		synctest.Wait()
		if waited != 0 {
			t.Fatal("nobody waits")
		}
		_ = c.sock.Close() // the pipe's end has nothing to say
		synctest.Wait()
		if waited != 3 || len(h.got) != 0 {
			t.Fatalf("waited %d times, received %d times", waited, len(h.got))
		}
	})
}
