package load

import (
	"fmt"
	"time"

	"github.com/jackdaw-im/jackdaw/internal/testnode"
)

// Server is the process under load.
type Server struct {
	// Accounts are its users.
	Accounts
	// PID is its process id.
	PID int
}

// RSS is the server's resident memory in bytes.
func (s *Server) RSS() (int64, error) {
	usage, err := testnode.UsageOf(s.PID)
	return usage.RSS, err
}

// Meter measures what the server spends from now on.
func (s *Server) Meter() (*Meter, error) {
	usage, err := testnode.UsageOf(s.PID)
	if err != nil {
		return nil, err
	}
	return &Meter{server: s, cpu: usage.CPU, start: time.Now()}, nil
}

// Meter is a measurement that has begun.
type Meter struct {
	server *Server
	cpu    time.Duration
	start  time.Time
}

// Stop returns the server's CPU time and the time that passed since the measurement began. It may be called more than once.
func (m *Meter) Stop() (Spent, error) {
	usage, err := testnode.UsageOf(m.server.PID)
	if err != nil {
		return Spent{}, fmt.Errorf("load: the server is gone: %w", err)
	}
	return Spent{CPU: usage.CPU - m.cpu, Wall: time.Since(m.start)}, nil
}

// Spent is CPU time of the server within a span of time.
type Spent struct{ CPU, Wall time.Duration }

// Each is the CPU time for each of n.
func (s Spent) Each(n int) time.Duration {
	if n <= 0 {
		return 0
	}
	return s.CPU / time.Duration(n)
}

// Rate is how many of n there were a second.
func (s Spent) Rate(n int) float64 {
	if s.Wall <= 0 {
		return 0
	}
	return float64(n) / s.Wall.Seconds()
}
