// Package testpg runs throwaway PostgreSQL servers for tests and benchmarks: in a temporary folder, as a user that isn't root,
// on free ports of 127.0.0.1; with standbys and synchronous replication if a test wants them.
//
//	s := testpg.Run(t, testpg.Options{Standbys: 1})
//	store := s.URL("postgres")
//	s.Kill()                 // kill -9
//	s.Standbys[0].Promote(t.Context())
//
// [Run] is for one test; [Start] is for TestMain and for commands. A server ends with Close, which deletes its folder; should the
// process that started it die before, a watchdog ends the server instead. Only processes that this package started are ever
// ended, each by its id. A [Server] is for use by one goroutine at a time, except URL, Addr, Name and CPU.
//
// Unless Options.Fsync is set, the server doesn't flush. kill -9 still loses nothing then, because the operating system lives on;
// a loss of power isn't what these servers are for.
package testpg
