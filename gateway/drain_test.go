package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/session"
)

// sentAway waits until the session is told to let its client go, and returns where.
func (r *rig) sentAway() string {
	r.t.Helper()
	for {
		switch m := (<-r.msgs).(type) {
		case session.Drain:
			return m.Host
		case session.Closed: // of one that went before
		default:
			r.t.Fatalf("heard %T", m)
		}
	}
}

// leave ends a connection as a session does that lets its client go.
func (r *rig) leave(c *tls.Conn, out session.Outlet) {
	r.t.Helper()
	r.put(out, session.Out{Close: true})
	if _, err := io.Copy(io.Discard, c); err != nil {
		r.t.Fatal(err)
	}
	c.Close()
}

// drain runs Drain and returns how it ends.
func (r *rig) drain(ctx context.Context, opts DrainOptions) <-chan error {
	done := make(chan error, 1)
	go func() { done <- r.srv.Drain(ctx, opts) }()
	return done
}

func TestDrain(t *testing.T) {
	r := newRig(t, nil)
	if p := r.srv.Draining(); p.Draining || p.Left != 0 {
		t.Fatalf("before: %+v", p)
	}
	conns, outs := make([]*tls.Conn, 5), make([]session.Outlet, 5)
	for i := range conns {
		conns[i], outs[i] = r.dial()
	}
	hosts := 0
	done := r.drain(t.Context(), DrainOptions{Over: 50 * time.Millisecond, Host: func() string {
		hosts++
		return fmt.Sprintf("n%d.example:5222", hosts)
	}})
	seen := map[string]bool{}
	for range conns {
		seen[r.sentAway()] = true
	}
	if len(seen) != 5 || !seen["n1.example:5222"] || !seen["n5.example:5222"] {
		t.Fatalf("sent to %v", seen)
	}
	for _, addr := range r.srv.Addrs() {
		if c, err := net.Dial("tcp", addr.String()); err == nil {
			c.Close()
			t.Fatalf("%v takes connections", addr)
		}
	}
	if p := r.srv.Draining(); !p.Draining || p.Total != 5 || p.Told != 5 || p.Left != 5 || p.Began.IsZero() {
		t.Fatalf("while they go: %+v", p)
	}
	if err := r.srv.Drain(t.Context(), DrainOptions{}); !errors.Is(err, errDraining) {
		t.Fatalf("a second one: %v", err)
	}
	for i := range conns {
		select {
		case err := <-done:
			t.Fatalf("it is over before all are gone: %v", err)
		default:
		}
		r.leave(conns[i], outs[i])
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if p := r.srv.Draining(); !p.Draining || p.Left != 0 {
		t.Fatalf("afterwards: %+v", p)
	}

	before := fmt.Sprint(r.srv.Addrs())
	if err := r.srv.Undrain(); err != nil || fmt.Sprint(r.srv.Addrs()) != before {
		t.Fatalf("listens on %v, not %v: %v", r.srv.Addrs(), before, err)
	}
	if p := r.srv.Draining(); p.Draining {
		t.Fatalf("after Undrain: %+v", p)
	}
	for len(r.msgs) > 0 {
		<-r.msgs
	}
	r.login()
	if err := r.srv.Undrain(); err != nil {
		t.Fatal(err)
	}
}

// TestDrainIsSpread: clients that are told at once, in the same order or in step come back in waves.
func TestDrainIsSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const clients, over = 400, 40 * time.Second
		var began time.Time
		var order []int
		var at []time.Duration
		srv := New(Config{Certificate: &Certificate{}, Cast: func(ref actors.Ref, _ any) error {
			n, err := strconv.Atoi(ref.ID)
			order, at = append(order, n), append(at, time.Since(began))
			return err
		}})
		defer srv.cancel()
		for i := range clients {
			st := newStream(srv, &fakeConn{})
			st.session = actors.Ref{Kind: session.Kind, ID: strconv.Itoa(i), Node: "n@1"}
			srv.mu.streams[st] = true
		}
		var before []int
		for range 2 { // they stay, so that all are told again
			began, order, at = time.Now(), nil, nil
			ctx, cancel := context.WithTimeout(t.Context(), 2*over)
			if err := srv.Drain(ctx, DrainOptions{Over: over}); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("ended with %v", err)
			}
			cancel()
			if len(order) != clients || at[0] < 0 || at[clients-1] > over {
				t.Fatalf("%d were told, at %v", len(order), at)
			}
			var quarters [4]int
			gaps := map[time.Duration]bool{}
			for i, d := range at {
				quarters[min(d*4/over, 3)]++
				if i > 0 {
					gaps[d-at[i-1]] = true
				}
			}
			if slices.Min(quarters[:]) < clients/5 || len(gaps) < clients/2 {
				t.Errorf("told in the quarters of the time: %v; %d different gaps", quarters, len(gaps))
			}
			// In which order is chance: about half of them have connected after the one that is told next.
			later := 0
			for i, n := range order[1:] {
				if n < order[i] {
					later++
				}
			}
			if later < clients/4 || later > clients*3/4 || slices.Equal(order, before) {
				t.Errorf("told in the order %v", order)
			}
			before = order
		}
	})
}

// TestDrainKeepsTheListeners: who comes meanwhile is told where to go.
func TestDrainKeepsTheListeners(t *testing.T) {
	r := newRig(t, nil)
	first, out := r.dial()
	done := r.drain(t.Context(), DrainOptions{Listen: true, Host: func() string { return "[2001:db8::1]:5222" }})
	if host := r.sentAway(); host != "[2001:db8::1]:5222" {
		t.Fatalf("sent to %q", host)
	}
	second, secondOut := r.dial()
	if host := r.sentAway(); host != "[2001:db8::1]:5222" {
		t.Fatalf("the newcomer was sent to %q", host)
	}
	r.leave(first, out)
	r.leave(second, secondOut)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if p := r.srv.Draining(); p.Total != 1 || p.Told != 2 {
		t.Fatalf("told %+v", p)
	}
	if err := r.srv.Undrain(); err != nil {
		t.Fatal(err)
	}
	for len(r.msgs) > 0 {
		<-r.msgs
	}
	r.login()
}

func TestDrainThatTakesTooLong(t *testing.T) {
	r := newRig(t, nil)
	c, out := r.dial()
	ctx, cancel := context.WithCancel(t.Context())
	done := r.drain(ctx, DrainOptions{})
	if host := r.sentAway(); host != "" {
		t.Fatalf("sent to %q", host)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatalf("ended with %v", err)
	}
	if p := r.srv.Draining(); !p.Draining || p.Left != 1 {
		t.Fatalf("progress %+v", p)
	}

	done = r.drain(t.Context(), DrainOptions{Host: func() string { return "n2.example" }}) // who is left is told again
	if host := r.sentAway(); host != "n2.example" {
		t.Fatalf("sent to %q", host)
	}
	r.leave(c, out)
	if err := <-done; err != nil {
		t.Fatal(err)
	}

	q := newRig(t, nil)
	q.dial()
	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	if err := q.srv.Drain(ctx, DrainOptions{Over: time.Hour}); !errors.Is(err, context.Canceled) {
		t.Fatalf("ended with %v", err)
	}
	if p := q.srv.Draining(); p.Told != 0 {
		t.Fatalf("progress %+v", p)
	}
}

// TestStopWhileDraining: the server's end is the drain's, and nothing is opened again.
func TestStopWhileDraining(t *testing.T) {
	r := newRig(t, nil)
	c, out := r.dial()
	done := r.drain(t.Context(), DrainOptions{Over: time.Hour})
	stopped := make(chan error, 1)
	go func() { stopped <- r.srv.Stop(t.Context()) }()
	r.want(fmt.Sprintf("closed(%d)", session.Shutdown))
	r.leave(c, out)
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, errDraining) {
		t.Fatal(err)
	}
	if err := r.srv.Undrain(); err != nil {
		t.Fatal(err)
	}
	if c, err := net.Dial("tcp", r.srv.Addrs()[0].String()); err == nil {
		c.Close()
		t.Fatal("it listens again")
	}
}
