package testcluster

import "testing"

// Run starts a cluster for one test or benchmark, with a folder of the test's if none is named. It is closed when that ends, and the ends
// of what its nodes have said are printed if it failed. A failure to start fails the test.
func Run(tb testing.TB, cfg Config) *Cluster {
	tb.Helper()
	if cfg.Data == "" {
		cfg.Data = tb.TempDir()
	}
	c, err := Start(tb.Context(), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Log(c.Outputs())
		}
		if err := c.Close(); err != nil {
			tb.Error(err)
		}
	})
	return c
}
