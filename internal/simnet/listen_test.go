package simnet

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// echo sends back what comes, on every connection of a listener.
func echo(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			_, _ = io.Copy(c, c)
			_ = c.Close()
		}()
	}
}

// ask sends a byte to who listens on another node, and waits for it.
func ask(from, to *Node, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := from.Dial(ctx, to.Addr())
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	deadline, _ := ctx.Deadline()
	_ = c.SetDeadline(deadline)
	if _, err := c.Write([]byte("x")); err != nil {
		return err
	}
	_, err = io.ReadFull(c, make([]byte, 1))
	return err
}

func TestCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(1, t)
		n.Delay(10*time.Millisecond, 10*time.Millisecond)
		a, b := n.Node("a"), n.Node("b")
		expect := func(when string, to *Node, patience time.Duration, want error, took time.Duration) {
			t.Helper()
			start := time.Now()
			if err := ask(a, to, patience); !errors.Is(err, want) || time.Since(start).Round(10*time.Millisecond) != took {
				t.Errorf("%s: %v after %v; want %v after %v", when, err, time.Since(start), want, took)
			}
		}
		expect("nobody listens", b, time.Minute, syscall.ECONNREFUSED, 20*time.Millisecond)
		l := b.Listen()
		if l.Addr().String() != b.Addr() {
			t.Error("it listens at", l.Addr())
		}
		go echo(l)
		expect("listening", b, time.Minute, nil, 40*time.Millisecond)
		if c := n.Count(Call); c.Sent != 2 || c.Bytes != 2 || n.Count(Stream).Sent != 0 {
			t.Errorf("counted: %+v, of gossip %+v", c, n.Count(Stream))
		}

		n.Cut("b", "a")
		expect("cut", b, 5*time.Second, os.ErrDeadlineExceeded, 5*time.Second)
		time.AfterFunc(2500*time.Millisecond, n.Heal)
		expect("healed in time", b, 5*time.Second, nil, 3040*time.Millisecond)

		b.Pause()
		expect("paused", b, 5*time.Second, os.ErrDeadlineExceeded, 5*time.Second)
		time.AfterFunc(2*time.Second, b.Resume)
		if err := ask(a, b, 5*time.Second); err != nil {
			t.Error("it goes on:", err)
		}

		_ = l.Close()
		_ = l.Close()
		expect("closed", b, time.Minute, syscall.ECONNREFUSED, 20*time.Millisecond)
		b.Crash()
		expect("crashed", b, 5*time.Second, os.ErrDeadlineExceeded, 5*time.Second)
		b = n.Node("b")
		expect("another process", b, time.Minute, syscall.ECONNREFUSED, 20*time.Millisecond)

		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := a.Dial(ctx, "10.9.9.9:1"); !errors.Is(err, context.Canceled) {
			t.Error("cancelled:", err)
		}
	})
}

// A listener that is closed takes what waits with it, and one that isn't looked after refuses what is too much.
func TestCallsThatWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(1, t)
		a, b := n.Node("a"), n.Node("b")
		l := b.Listen()
		var waiting []net.Conn
		for range streamsHeld {
			c, err := a.Dial(t.Context(), b.Addr())
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond)
			waiting = append(waiting, c)
		}
		if _, err := a.Dial(t.Context(), b.Addr()); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Error("one too many:", err)
		}
		late := make(chan error, 1)
		n.Delay(time.Second, time.Second)
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
		go func() { late <- ask(a, b, time.Minute) }()
		time.Sleep(500 * time.Millisecond)
		_ = l.Close()
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Error("accept after close:", err)
		}
		for _, c := range waiting {
			if _, err := c.Read(make([]byte, 1)); err == nil {
				t.Error("what waited goes on")
			}
		}
		if err := <-late; !errors.Is(err, syscall.ECONNRESET) {
			t.Error("closed while it was dialled:", err)
		}
	})
}
