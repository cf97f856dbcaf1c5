package gateway

import (
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// stuck is a socket in the middle of a write that its peer doesn't read.
func stuck(t *testing.T) *socket {
	t.Helper()
	mine, theirs := net.Pipe()
	t.Cleanup(func() { mine.Close() })
	s := newSocket(theirs)
	s.nonblocking(func() {}, func() {})
	if _, err := s.Write(make([]byte, 4*highMark)); err != nil {
		t.Fatal(err)
	}
	if backlog, err := s.flush(); err != nil || backlog != 4*highMark {
		t.Fatal(backlog, err)
	}
	synctest.Wait()
	return s
}

// TestNobodyReads: a client that doesn't read loses its connection after a while, and soon once it is to be closed anyway, even
// though a write is under way.
func TestNobodyReads(t *testing.T) {
	for name, c := range map[string]struct {
		finish bool
		after  time.Duration
	}{"open": {false, maxTailAge}, "finished": {true, closeTimeout}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := stuck(t)
				if c.finish {
					s.finish()
				}
				time.Sleep(c.after - time.Millisecond)
				synctest.Wait()
				if err := s.lost(); err != nil {
					t.Fatalf("lost too early: %v", err)
				}
				time.Sleep(2 * time.Millisecond)
				synctest.Wait()
				if err := s.lost(); !errors.Is(err, errSlow) {
					t.Fatalf("lost: %v", err)
				}
			})
		})
	}
}

// TestFinishedInTime: what is finished has one deadline for all of its backlog, however it is read.
func TestFinishedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mine, theirs := net.Pipe()
		defer mine.Close()
		s := newSocket(theirs)
		s.nonblocking(func() {}, func() {})
		if _, err := s.Write(make([]byte, 4*highMark)); err != nil {
			t.Fatal(err)
		}
		_, _ = s.flush() // the backlog says nothing here
		s.finish()
		buf := make([]byte, highMark)
		for range 3 {
			time.Sleep(closeTimeout/2 - time.Millisecond)
			_, _ = mine.Read(buf) // it ends when the time is over
		}
		synctest.Wait()
		if err := s.lost(); !errors.Is(err, errSlow) {
			t.Fatalf("lost: %v", err)
		}
	})
}
