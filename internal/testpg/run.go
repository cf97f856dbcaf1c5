package testpg

import "testing"

// Run starts a server for one test or benchmark. It is closed when that ends, and the end of its log printed if it failed. A failure
// to start fails the test.
func Run(tb testing.TB, o Options) *Server {
	tb.Helper()
	s, err := Start(tb.Context(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			for _, s := range append([]*Server{s}, s.Standbys...) {
				tb.Logf("the end of the log of PostgreSQL %s:\n%s", s.Name, s.Log())
			}
		}
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}
