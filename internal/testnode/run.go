package testnode

import "testing"

// Run starts a server for one test, with these accounts, on a data folder of its own. It is killed when the test ends, and the end
// of its output printed if the test failed. A failure to start fails the test.
func Run(tb testing.TB, cfg Config, users []User) *Node {
	tb.Helper()
	if cfg.Data == "" {
		cfg.Data = tb.TempDir()
	}
	n, err := New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		n.Kill()
		if tb.Failed() {
			tb.Logf("the server's last output:\n%s", n.Output())
		}
	})
	if err := n.Start(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	if len(users) > 0 {
		if err := n.Import(tb.Context(), users); err != nil {
			tb.Fatal(err)
		}
	}
	return n
}
