package simnet

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// pair connects two nodes.
func pair(t *testing.T, a, b *Node) (near, far net.Conn) {
	t.Helper()
	near, err := a.Transport().DialTimeout(b.Addr(), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return near, <-b.Transport().StreamCh()
}

func TestStreamsKeepTheOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(1, t)
		n.Loss(0.3)
		near, far := pair(t, n.Node("a"), n.Node("b"))
		if near.RemoteAddr().String() != far.LocalAddr().String() || near.LocalAddr().String() != far.RemoteAddr().String() {
			t.Error("addresses differ")
		}
		var want strings.Builder
		for i := range 100 {
			text := strings.Repeat(string(rune('a'+i%26)), i)
			want.WriteString(text)
			if _, err := near.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		_ = near.Close()
		got, err := io.ReadAll(far)
		if err != nil || string(got) != want.String() {
			t.Errorf("%d bytes, %v; want %d in order", len(got), err, want.Len())
		}
		if _, err := near.Write(nil); !errors.Is(err, net.ErrClosed) {
			t.Error("write after close:", err)
		}
		_ = far.Close()
		_ = far.Close()
		if _, err := far.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Error("read after close:", err)
		}
	})
}

func TestDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(1, t)
		near, far := pair(t, n.Node("a"), n.Node("b"))
		start := time.Now()
		_ = near.SetDeadline(start.Add(time.Hour))
		_ = near.SetDeadline(start.Add(time.Minute))
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != time.Minute {
			t.Errorf("read: %v after %v", err, time.Since(start))
		}
		if _, err := near.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("write after the deadline:", err)
		}
		_ = near.SetDeadline(time.Time{})
		if _, err := near.Write([]byte("x")); err != nil {
			t.Error("write without a deadline:", err)
		}
		b := make([]byte, 2)
		if got, err := far.Read(b); got != 1 || err != nil {
			t.Error("read:", got, err)
		}
		_ = near.Close()
		_ = far.Close()
	})
}

func TestStreamsWaitOutACut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(1, t)
		a, b := n.Node("a"), n.Node("b")
		near, far := pair(t, a, b)
		start := time.Now()
		n.Cut("a", "b")
		_, _ = near.Write([]byte("x"))
		time.AfterFunc(10*time.Second, n.Heal)
		if _, err := io.ReadFull(far, make([]byte, 1)); err != nil || time.Since(start) < 10*time.Second || time.Since(start) > 11*time.Second {
			t.Errorf("read: %v after %v", err, time.Since(start))
		}
		b.Pause()
		_, _ = near.Write([]byte("y"))
		time.AfterFunc(10*time.Second, b.Resume)
		if _, err := io.ReadFull(far, make([]byte, 1)); err != nil || time.Since(start) < 20*time.Second {
			t.Errorf("read: %v after %v", err, time.Since(start))
		}
	})
}

func TestDialing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(1, t)
		a, b := n.Node("a"), n.Node("b")
		dial := func(to string, want error, took time.Duration) {
			t.Helper()
			start := time.Now()
			_, err := a.Transport().DialTimeout(to, 3*time.Second)
			if !errors.Is(err, want) || time.Since(start).Round(time.Second) != took {
				t.Errorf("dialing %s: %v after %v; want %v after %v", to, err, time.Since(start), want, took)
			}
		}
		dial("10.9.9.9:1", os.ErrDeadlineExceeded, 3*time.Second)
		n.Cut("b", "a")
		dial(b.Addr(), os.ErrDeadlineExceeded, 3*time.Second)
		n.Heal()
		near, far := pair(t, a, b)
		if err := b.Transport().Shutdown(); err != nil {
			t.Error(err)
		}
		dial(b.Addr(), syscall.ECONNREFUSED, 0)
		_ = far.Close() // as a process that ends does
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Error("the other end has ended:", err)
		}

		b = n.Node("b")
		near, _ = pair(t, a, b)
		b.Crash()
		dial(b.Addr(), os.ErrDeadlineExceeded, 3*time.Second)
		n.Node("b")
		_, _ = near.Write([]byte("x"))
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Error("the other end is another process now:", err)
		}
		if _, err := near.Write([]byte("x")); !errors.Is(err, syscall.ECONNRESET) {
			t.Error("write after a reset:", err)
		}
	})
}
